//! The codec that faces an endpoint: it sets connections up, sends what clients ask, and tells answers from what an
//! endpoint sends unasked.

mod confirm;

use std::collections::VecDeque;
use std::sync::Arc;

use codec_api::{
    Affinity, Cause, Codec, DecodeError, Decoded, Edit, Edited, Kind, LocalReply, Message, Out, Outgoing,
    Refusal, Rejected, RequestHead, Status,
};

use crate::context;
use crate::downstream::Session;
use crate::holds::Holds;
use crate::policy::{self, Hold, Transaction, Way};
use crate::reply::{Scan, Scanned};
use crate::request::{Args, put_request};
use crate::settings::Settings;
use crate::words;
use confirm::{Confirm, Counts, Told};

/// An answer that is not a plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// To a ping of the proxy's.
    Pong,
    /// Confirmations of a subscription's begin or end.
    Confirm(Confirm),
}

/// An endpoint's codec.
pub(crate) struct Upstream {
    settings: Arc<Settings>,
    scan: Scan,
    /// Requests written, and those answered.
    written: u64,
    answered: u64,
    /// Answers to some of them that are not plain ones, by number.
    awaited: VecDeque<(u64, Awaited)>,
    /// What the server keeps for this connection.
    kept: Holds,
    /// A client has, or had, this connection for itself.
    is_private: bool,
    /// Commands sent since `MULTI`.
    queued: u32,
    subscribed: Counts,
}

impl Upstream {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            scan: Scan::default(),
            written: 0,
            answered: 0,
            awaited: VecDeque::new(),
            kept: Holds::default(),
            is_private: false,
            queued: 0,
            subscribed: Counts::default(),
        }
    }

    /// A request that needs a closer look before it is sent.
    #[cold]
    fn send(&mut self, request: &Outgoing<'_>, out: &mut Out) {
        let context = request.message.context;
        let way = context::command(context).policy().way;
        let bytes = request.bytes.as_slice();
        if context & context::QUEUED != 0 {
            self.queued += 1;
        } else if context & context::MARKED != 0 {
            match way {
                Way::Transaction(Transaction::Exec) if self.queued != context::number(context) => {
                    // Some of the transaction was refused on its way here: the rest must not run without it.
                    self.take_part(Transaction::Discard);
                    return put(&[b"DISCARD"], out);
                }
                Way::Transaction(part) => self.take_part(part),
                Way::Subscribe(subscribe) => {
                    let confirm = Confirm::new(subscribe, Args::of(bytes).len());
                    self.is_private = true;
                    self.awaited.push_back((self.written, Awaited::Confirm(confirm)));
                }
                Way::Hold(hold) => self.keep(hold, &Args::of(bytes)),
                Way::Session(policy::Session::Hello) => return put_hello(context, &Args::of(bytes), out),
                _ => {}
            }
        }
        if context & context::INLINE == 0 {
            return request.bytes.put_from(0, out);
        }
        let args = Args::of(bytes);
        put(&args.iter().collect::<Vec<_>>(), out);
    }

    /// Whether this is a `MULTI` on a connection that no client has for itself. It would put all clients that share it into
    /// one transaction.
    fn is_misplaced(&self, request: &Message) -> bool {
        let way = context::command(request.context).policy().way;
        way == Way::Transaction(Transaction::Multi) && !self.is_private
    }

    fn take_part(&mut self, part: Transaction) {
        self.is_private = true;
        match part {
            Transaction::Multi => {
                self.kept = self.kept.with(Holds::TRANSACTION);
                self.queued = 0;
            }
            Transaction::Exec | Transaction::Discard => {
                self.kept = self.kept.without(Holds::TRANSACTION.with(Holds::WATCH));
            }
            Transaction::Watch => self.kept = self.kept.with(Holds::WATCH),
            Transaction::Unwatch => self.kept = self.kept.without(Holds::WATCH),
        }
    }

    fn keep(&mut self, hold: Hold, args: &Args<'_>) {
        let is_on = args.get(2).is_none_or(|arg| arg.eq_ignore_ascii_case(b"ON"));
        let reason = Holds::of(hold);
        self.is_private = true;
        self.kept = if is_on { self.kept.with(reason) } else { self.kept.without(reason) };
    }

    /// What a whole reply is.
    fn reply(&mut self, bytes: &[u8]) -> Message {
        let mark = bytes.first().copied().unwrap_or_default();
        let is_confirmed = self.subscribed != Counts::default() || !self.awaited.is_empty();
        if mark == b'>' || (mark == b'*' && is_confirmed) {
            if let Some(message) = self.notice(bytes, mark == b'>') {
                return message;
            }
        } else if mark == b'+' && self.kept.has(Holds::MONITOR) && is_monitored(bytes) {
            return Message::new(Kind::Push, bytes.len());
        }
        let mut message = Message::new(Kind::Response, bytes.len());
        if matches!(mark, b'-' | b'!') {
            message.status = status(bytes);
        }
        if self.answered == self.written {
            return message;
        }
        match self.awaited.front() {
            Some((number, awaited)) if *number == self.answered => {
                if *awaited == Awaited::Pong {
                    message.kind = Kind::Pong;
                }
                self.awaited.pop_front();
                self.answered += 1;
                // A subscription that was refused: one error for all of its channels.
                if message.kind == Kind::Response {
                    self.may_unpin(&mut message);
                }
            }
            _ => self.answered += 1,
        }
        message
    }

    /// Something of subscriptions, or anything else that is pushed. `None`: a plain response.
    fn notice(&mut self, bytes: &[u8], is_push: bool) -> Option<Message> {
        let mut message = Message::new(Kind::Push, bytes.len());
        let (subscribe, count) = match confirm::told(bytes) {
            Some(Told::Count(subscribe, count)) => (subscribe, count),
            Some(Told::Message) => return Some(message),
            None => return is_push.then_some(message),
        };
        self.subscribed.note(subscribe.topic, count);
        if let Some((number, Awaited::Confirm(confirm))) = self.awaited.front_mut()
            && *number == self.answered
            && confirm.subscribe == subscribe
        {
            message.kind = Kind::Response;
            message.flow.more = !confirm.is_last(&self.subscribed);
            if !message.flow.more {
                self.awaited.pop_front();
                self.answered += 1;
            }
        }
        if !message.flow.more {
            self.may_unpin(&mut message);
        }
        Some(message)
    }

    /// The client needs this connection no longer, if nothing is kept for it and nothing outstanding.
    fn may_unpin(&self, message: &mut Message) {
        let is_idle = self.written == self.answered && self.kept.is_empty();
        if is_idle && self.subscribed == Counts::default() {
            message.flow.affinity = Affinity::Unpin;
        }
    }
}

impl Codec for Upstream {
    #[inline]
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        if let Some(len) = self.scan.quick(input)
            && self.awaited.is_empty()
            && self.kept.is_empty()
        {
            self.answered += u64::from(self.answered < self.written);
            return Ok(Decoded::Message(Message::new(Kind::Response, len)));
        }
        match self.scan.look(input, self.settings.limits.message) {
            Scanned::Whole(len) => Ok(Decoded::Message(self.reply(&input[..len]))),
            Scanned::Need(total) => Ok(Decoded::need(total)),
            Scanned::TooLong(skip) => {
                self.answered = self.written.min(self.answered + 1);
                let text =
                    format!("the response has {skip} bytes; {} are allowed", self.settings.limits.message);
                let answer = Some(RequestHead { id: 0, context: 0 });
                Ok(Decoded::Reject(Rejected { skip, answer, cause: Cause::TooLarge, text }))
            }
            Scanned::Garbage(reason) => Err(DecodeError::new(reason)),
        }
    }

    #[inline]
    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        if message.message.context & (context::INLINE | context::MARKED) == 0 {
            message.bytes.put_from(0, out);
        } else {
            self.send(message, out);
        }
        self.written += 1;
    }

    fn write(
        &mut self,
        message: &Outgoing<'_>,
        edits: &[Edit<'_>],
        out: &mut Out,
    ) -> Result<Edited, Refusal> {
        if message.message.context & context::MARKED != 0 && self.is_misplaced(message.message) {
            let text = "the client's own connection is gone".to_owned();
            return Err(Refusal { cause: Cause::ConnectionLost, text });
        }
        self.encode(message, out);
        Ok(if edits.is_empty() { Edited::Done } else { Edited::Impossible })
    }

    fn local_reply(&mut self, _: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        words::put_error(reply, out);
        out.put(b"\r\n");
    }

    fn ping(&mut self, _: u64, out: &mut Out) {
        // In a transaction it would become a part of it.
        if !self.kept.has(Holds::TRANSACTION) {
            put(&[b"PING"], out);
            self.awaited.push_back((self.written, Awaited::Pong));
            self.written += 1;
        }
    }

    fn prelude(&mut self, session: &[u8], out: &mut Out) -> usize {
        let session = Session::read(session);
        let (user, secret) = match (&session.secret, &self.settings.password) {
            (Some(secret), _) => (session.user.as_deref(), Some(&secret[..])),
            (None, Some(password)) => (self.settings.user.as_deref().map(str::as_bytes), Some(&password[..])),
            (None, None) => (None, None),
        };
        let db = session.db.to_string();
        let select = (session.db != 0).then(|| vec![&b"SELECT"[..], db.as_bytes()]);
        let first: Option<Vec<&[u8]>> = match (session.protocol, secret) {
            (3, Some(secret)) => Some(vec![b"HELLO", b"3", b"AUTH", user.unwrap_or(b"default"), secret]),
            (3, None) => Some(vec![b"HELLO", b"3"]),
            (_, Some(secret)) => {
                Some([Some(&b"AUTH"[..]), user, Some(secret)].into_iter().flatten().collect())
            }
            (_, None) => None,
        };
        let requests: Vec<_> = first.into_iter().chain(select).collect();
        for request in &requests {
            put(request, out);
        }
        self.written += requests.len() as u64;
        requests.len()
    }

    fn prepare(&mut self, request: &Message, out: &mut Out) -> usize {
        if request.context & context::OPENS == 0 {
            return 0;
        }
        put(&[b"MULTI"], out);
        self.take_part(Transaction::Multi);
        self.written += 1;
        1
    }
}

/// Writes a request of these arguments.
fn put(args: &[&[u8]], out: &mut Out) {
    let mut request = Vec::new();
    put_request(args.iter().copied(), &mut request);
    out.put(&request);
}

/// Writes a `HELLO` without the client's name, which is kept by the proxy, and without credentials that are for the
/// proxy.
fn put_hello(context: u64, args: &Args<'_>, out: &mut Out) {
    let mut kept: Vec<&[u8]> = args.iter().take(2).collect();
    let mut rest = args.iter().skip(2);
    while let Some(option) = rest.next() {
        let is_auth = option.eq_ignore_ascii_case(b"AUTH");
        let values: Vec<&[u8]> = rest.by_ref().take(if is_auth { 2 } else { 1 }).collect();
        if is_auth && context & context::STRIPPED == 0 {
            kept.push(option);
            kept.extend(values);
        }
    }
    put(&kept, out);
}

/// Whether this is a line of `MONITOR`: `+1700000000.123456 [0 127.0.0.1:1] "GET" "k"`.
fn is_monitored(line: &[u8]) -> bool {
    let is_digit = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
    let digits = line.iter().skip(1).take_while(is_digit).count();
    digits > 0 && line[1 + digits..].starts_with(b" [")
}

/// How a request ended that was answered with this error.
///
/// Most errors are of the one who asks. The server is at fault where it says that it cannot serve now, and has too much
/// to do where it says so.
fn status(error: &[u8]) -> Status {
    let text = match memchr::memchr(b'\n', error) {
        Some(end) if error.first() == Some(&b'!') => &error[end + 1..],
        _ => &error[1..],
    };
    let end = text.iter().position(|byte| !byte.is_ascii_uppercase()).unwrap_or(text.len());
    match &text[..end] {
        b"BUSY" | b"OOM" => Status::Overloaded,
        b"ERR" if text.starts_with(b"ERR max number of clients reached") => Status::Overloaded,
        b"LOADING" | b"MASTERDOWN" | b"CLUSTERDOWN" | b"MISCONF" | b"NOREPLICAS" | b"READONLY"
        | b"TRYAGAIN" => Status::ServerError,
        _ => Status::ApplicationError,
    }
}
