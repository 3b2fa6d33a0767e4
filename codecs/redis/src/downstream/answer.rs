//! Requests that the proxy answers itself, and those that change the session.

use codec_api::{Affinity, After, Decoded, Out, Outgoing};

use super::decide::Request;
use super::hello::Hello;
use super::session::Session;
use super::{Downstream, Due, Replies, Standing};
use crate::context;
use crate::holds::Holds;
use crate::number::{Digits, integer};
use crate::policy::{self, Own, Way};
use crate::request::{Args, put_head};
use crate::said::{EXEC_ABORT, Said};
use crate::secrets::MAX_SECRET;

/// What a client is called.
pub(super) struct Names {
    id: u64,
    name: Vec<u8>,
    lib_name: Vec<u8>,
    lib_ver: Vec<u8>,
    /// Whom it has authenticated as, where the proxy sees to that.
    user: Option<String>,
}

impl Names {
    pub(super) fn new(id: u64) -> Self {
        Self { id, name: Vec::new(), lib_name: Vec::new(), lib_ver: Vec::new(), user: None }
    }

    /// A new name, if there is one.
    pub(super) fn rename(&mut self, name: Option<Vec<u8>>) {
        if let Some(name) = name {
            self.name = name;
        }
    }

    /// The user of this session.
    pub(super) fn user(&self, session: &Session) -> String {
        match (&self.user, &session.user) {
            (Some(user), _) => user.clone(),
            (None, Some(user)) => String::from_utf8_lossy(user).into_owned(),
            (None, None) => "default".to_owned(),
        }
    }
}

/// Whether Redis takes it for a name.
pub(super) fn is_name(name: &[u8]) -> bool {
    name.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

impl Downstream {
    /// A request that changes the session.
    pub(super) fn change_session(&mut self, kind: policy::Session, request: Request<'_>) -> Decoded {
        match kind {
            policy::Session::Select => self.select(request),
            policy::Session::Auth => self.authenticate(request),
            policy::Session::Hello => self.hello(request),
        }
    }

    fn select(&mut self, request: Request<'_>) -> Decoded {
        if request.count() != 2 {
            return self.say_so(request, Said::Arity);
        }
        match request.args.get(1).and_then(integer) {
            None => self.say_so(request, Said::NotInteger),
            Some(db @ 0..=0x7fff_ffff) => {
                let session = Session { db: db as u32, ..self.session.asked().clone() };
                self.ask_for(request, session, None)
            }
            Some(_) => self.say_so(request, Said::DbRange),
        }
    }

    fn authenticate(&mut self, request: Request<'_>) -> Decoded {
        let (user, secret) = match (request.count(), request.args.get(1), request.args.get(2)) {
            (2, Some(secret), _) => (None, secret),
            (3, Some(user), Some(secret)) => (Some(user), secret),
            (0 | 1, ..) => return self.say_so(request, Said::Arity),
            _ => return self.say_so(request, Said::Syntax),
        };
        if self.settings.users.is_some() {
            let is_known = self.admit(user.unwrap_or(b"default"), secret);
            return self.say_so(request, if is_known { Said::Ok } else { Said::WrongPass });
        }
        if secret.len() + user.map_or(0, <[u8]>::len) > MAX_SECRET {
            return self.say_so(request, Said::TooLong);
        }
        let (user, secret) = (user.map(<[u8]>::to_vec), Some(secret.to_vec()));
        let session = Session { user, secret, ..self.session.asked().clone() };
        self.ask_for(request, session, None)
    }

    /// Whether the proxy knows this user; he may talk from now on.
    fn admit(&mut self, user: &[u8], secret: &[u8]) -> bool {
        let known = self.settings.users.as_ref().and_then(|users| users.check(user, secret));
        let Some(known) = known else { return false };
        self.names.user = Some(known.to_owned());
        self.standing = Standing::Guest;
        self.look_again();
        true
    }

    fn hello(&mut self, mut request: Request<'_>) -> Decoded {
        let hello = match Hello::read(&request.args) {
            Ok(hello) => hello,
            Err(said) => return self.say_so(request, said),
        };
        let mut session = self.session.asked().clone();
        session.protocol = hello.protocol.unwrap_or(session.protocol);
        request.message.context |= context::MARKED;
        match hello.credentials {
            Some((user, secret)) if self.settings.users.is_some() => {
                if !self.admit(&user, &secret) {
                    return self.say_so(request, Said::WrongPass);
                }
                request.message.context |= context::STRIPPED;
            }
            Some((user, secret)) => (session.user, session.secret) = (Some(user), Some(secret)),
            None if self.standing == Standing::Stranger => return self.say_so(request, Said::HelloAuthFirst),
            None => {}
        }
        self.ask_for(request, session, hello.name)
    }

    /// Sends a request that asks for this session.
    fn ask_for(&mut self, mut request: Request<'_>, session: Session, name: Option<Vec<u8>>) -> Decoded {
        self.session.ask(session, name);
        request.message.flow.affinity = Affinity::Session;
        self.send(&request, Due::SESSION)
    }

    /// Answers a request that the proxy answers itself.
    pub(super) fn say(&mut self, request: &Outgoing<'_>, due: Due, out: &mut Out) -> After {
        if due.has(Due::SILENT) {
            // What it does is done all the same.
            return self.say_to(request, &mut Out::new());
        }
        self.say_to(request, out)
    }

    fn say_to(&mut self, request: &Outgoing<'_>, out: &mut Out) -> After {
        let context = request.message.context;
        let Some(said) = context::said(context) else {
            let Way::Own(own) = context::command(context).policy().way else { return After::Stay };
            let is_resp3 = context & context::RESP3 != 0;
            return self.perform(own, &Args::of(request.bytes.as_slice()), is_resp3, out);
        };
        if context & context::QUEUED != 0 {
            self.is_poisoned |= said.is_error();
        }
        let ends = matches!(said, Said::ExecNothing | Said::DiscardNothing);
        let is_poisoned = ends && std::mem::take(&mut self.is_poisoned);
        if is_poisoned && said == Said::ExecNothing {
            out.put(EXEC_ABORT.as_bytes());
            out.put(b"\r\n");
        } else {
            said.put(context::command(context), out);
        }
        After::Stay
    }

    fn perform(&mut self, own: Own, args: &Args<'_>, is_resp3: bool, out: &mut Out) -> After {
        let arg = |index| args.get(index).unwrap_or_default();
        match own {
            Own::Ping if args.len() == 1 => out.put(b"+PONG\r\n"),
            Own::Ping => put_bulk(arg(1), out),
            Own::Quit => {
                out.put(b"+OK\r\n");
                return After::Close;
            }
            Own::Reset => {
                self.reset();
                out.put(b"+RESET\r\n");
            }
            Own::SetName => self.set_name(arg(2), out),
            Own::GetName if self.names.name.is_empty() => {
                out.put(if is_resp3 { b"_\r\n" } else { b"$-1\r\n" });
            }
            Own::GetName => put_bulk(&self.names.name, out),
            Own::SetInfo => self.set_info((arg(2), arg(3)), out),
            Own::Id => {
                out.put(b":");
                out.put(Digits::default().write(self.names.id.cast_signed()));
                out.put(b"\r\n");
            }
            Own::Info => put_bulk(&self.info(), out),
            Own::Reply | Own::Capa => out.put(b"+OK\r\n"),
        }
        After::Stay
    }

    /// As on a new connection.
    fn reset(&mut self) {
        self.session.reset();
        self.names = Names::new(self.names.id);
        self.transaction = None;
        self.is_poisoned = false;
        self.holds = Holds::default();
        self.replies = Replies::On;
        self.standing = if self.settings.users.is_some() { Standing::Stranger } else { Standing::Guest };
        self.look_again();
    }

    fn set_name(&mut self, name: &[u8], out: &mut Out) {
        let said = match name {
            name if name.len() > MAX_SECRET => Said::TooLong,
            name if !is_name(name) => Said::BadName,
            name => {
                self.names.name = name.to_vec();
                Said::Ok
            }
        };
        said.put(crate::table::Command::new(0), out);
    }

    fn set_info(&mut self, (attribute, value): (&[u8], &[u8]), out: &mut Out) {
        let names = &mut self.names;
        let kept = match attribute {
            name if name.eq_ignore_ascii_case(b"LIB-NAME") => &mut names.lib_name,
            name if name.eq_ignore_ascii_case(b"LIB-VER") => &mut names.lib_ver,
            name => {
                out.put(b"-ERR Unrecognized option '");
                crate::words::put_text(&String::from_utf8_lossy(&name[..name.len().min(64)]), out);
                return out.put(b"'\r\n");
            }
        };
        let said = match value {
            value if value.len() > MAX_SECRET => Said::TooLong,
            value if !is_name(value) => Said::BadInfo,
            value => {
                *kept = value.to_vec();
                Said::Ok
            }
        };
        said.put(crate::table::Command::new(0), out);
    }

    fn info(&self) -> Vec<u8> {
        let session = self.session.asked();
        let names = &self.names;
        let shown = |bytes| String::from_utf8_lossy(bytes).into_owned();
        format!(
            "id={} name={} db={} sub=0 psub=0 ssub=0 multi=-1 user={} resp={} lib-name={} lib-ver={}\n",
            names.id,
            shown(&names.name),
            session.db,
            names.user(session),
            session.protocol,
            shown(&names.lib_name),
            shown(&names.lib_ver),
        )
        .into_bytes()
    }
}

fn put_bulk(bytes: &[u8], out: &mut Out) {
    let mut head = Vec::new();
    put_head(b'$', bytes.len(), &mut head);
    out.put(&head);
    out.put(bytes);
    out.put(b"\r\n");
}
