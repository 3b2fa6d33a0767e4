//! The codec that faces a client: it cuts out requests, says which way each takes, and writes answers.
//!
//! Answers are written in the order of the requests. Most requests cost two counters; those whose answer means something
//! for the client's state (or is not to be written at all) are kept in a queue by their number.

mod decide;
mod answer;
mod hello;
mod session;
mod transaction;
mod shares;
mod merge;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use codec_api::{
    Affinity, After, Answer, Attribute, Codec, DecodeError, Decoded, Found, Kind, LocalReply, MAX_HEAD,
    Message, Out, Outgoing, Refusal, Rejected, RequestHead, Shares, Span, Spread, Status, Value,
};

use crate::context;
use crate::holds::Holds;
use crate::policy::{Merge, Plain, Way};
use crate::request::{Args, Limits, Scan, Scanned};
use crate::settings::Settings;
use crate::table::Command;
use crate::words;
pub(crate) use session::Session;
use session::Sessions;
use transaction::Transaction;

/// Names of the head's fields.
pub(crate) const NAMES: [&str; 5] = ["command", "key", "db", "user", "subcommand"];
pub(crate) const COMMAND: usize = 0;
const KEY: usize = 1;
const DB: usize = 2;
const USER: usize = 3;
const SUBCOMMAND: usize = 4;
/// The head of every request, before anything is known of it.
const HEAD: [Span; MAX_HEAD] = [Span::NONE, Span::NONE, Span::LATE, Span::LATE, Span::NONE, Span::NONE];

/// What clients may send before they have authenticated, as Redis has it.
const STRANGERS: Limits = Limits { message: 256 << 10, elements: 10, bulk: 16 << 10 };

/// Number of the last client, for `CLIENT ID`.
static CLIENTS: AtomicU64 = AtomicU64::new(0);

/// What is to be done when a request is answered: eight switches, and what the client holds if it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Due(u16);

impl Due {
    /// Its answer is not written.
    const SILENT: Self = Self(1);
    /// The session that it asks for holds from now on, or not.
    const SESSION: Self = Self(2);
    /// It ends a transaction.
    const ENDS: Self = Self(4);
    /// It is `EXEC`, which fails if anything in the transaction was refused.
    const EXECUTES: Self = Self(8);
    /// It is wrong itself: the transaction that it belongs to fails.
    const SPOILS: Self = Self(16);

    /// The client holds this because of it, unless it is not sent.
    fn adding(holds: Holds) -> Self {
        Self(u16::from(holds.bits()) << 8)
    }

    fn added(self) -> Holds {
        Holds::from_bits((self.0 >> 8) as u8)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// With another, if that is so.
    fn and(self, other: Self, is_so: bool) -> Self {
        if is_so { Self(self.0 | other.0) } else { self }
    }
}

/// What of its answers a client wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replies {
    /// All.
    On,
    /// None.
    Off,
    /// All but the next.
    Skip,
}

/// Who a client is to the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It has to authenticate first.
    Stranger,
    /// It may ask.
    Guest,
    /// It said goodbye: what it sends behind that is not looked at.
    Leaving,
}

/// A client's codec.
pub(crate) struct Downstream {
    settings: Arc<Settings>,
    scan: Scan,
    /// Requests decoded that await an answer, and those answered.
    asked: u64,
    answered: u64,
    /// What is to be done when some of them are answered.
    due: VecDeque<(u64, Due)>,
    /// The first of those; `u64::MAX`: there are none.
    next_due: u64,
    /// Nothing is special about this client: it may talk, is in no transaction, and wants to see its answers.
    plain: bool,
    standing: Standing,
    replies: Replies,
    holds: Holds,
    transaction: Option<Transaction>,
    /// Something in the transaction that is being answered was refused.
    is_poisoned: bool,
    session: Sessions,
    names: answer::Names,
}

impl Downstream {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        let standing = if settings.users.is_some() { Standing::Stranger } else { Standing::Guest };
        Self {
            scan: Scan::default(),
            asked: 0,
            answered: 0,
            due: VecDeque::new(),
            next_due: u64::MAX,
            plain: standing == Standing::Guest,
            standing,
            replies: Replies::On,
            holds: Holds::default(),
            transaction: None,
            is_poisoned: false,
            session: Sessions::default(),
            names: answer::Names::new(CLIENTS.fetch_add(1, Ordering::Relaxed) + 1),
            settings,
        }
    }

    /// After a change of anything that it depends on.
    fn look_again(&mut self) {
        let is_guest = self.standing == Standing::Guest;
        self.plain = is_guest && self.replies == Replies::On && self.transaction.is_none();
    }

    /// A request was decoded; `due` is to be done when it is answered.
    fn ask(&mut self, mut due: Due) {
        match self.replies {
            Replies::On => {}
            Replies::Off => due = due.and(Due::SILENT, true),
            Replies::Skip => {
                due = due.and(Due::SILENT, true);
                self.replies = Replies::On;
                self.look_again();
            }
        }
        if due != Due::default() {
            self.due.push_back((self.asked, due));
            self.next_due = self.next_due.min(self.asked);
        }
        self.asked += 1;
    }

    /// A request is answered; what is to be done now.
    #[inline]
    fn settle(&mut self) -> Due {
        let number = self.answered;
        self.answered += 1;
        if number != self.next_due {
            return Due::default();
        }
        let due = self.due.pop_front().map(|(_, due)| due).unwrap_or_default();
        self.next_due = self.due.front().map_or(u64::MAX, |(number, _)| *number);
        due
    }

    /// What becomes of the client's state with an answer of this status; tells whether the answer is written as it is.
    #[cold]
    fn conclude(&mut self, due: Due, status: Status, out: &mut Out) -> bool {
        if due.has(Due::SESSION) {
            self.session.conclude(status == Status::Ok, &mut self.names);
        }
        self.is_poisoned |= due.has(Due::SPOILS);
        let is_poisoned = due.has(Due::ENDS) && std::mem::take(&mut self.is_poisoned);
        let is_aborted = is_poisoned && due.has(Due::EXECUTES);
        if is_aborted && !due.has(Due::SILENT) {
            out.put(crate::said::EXEC_ABORT.as_bytes());
            out.put(b"\r\n");
        }
        !due.has(Due::SILENT) && !is_aborted
    }

    /// The last subscription has ended. A request that was decoded meanwhile and waits may have begun to hold something
    /// else.
    #[cold]
    fn unsubscribed(&mut self) {
        self.holds = self.holds.without(Holds::SUBSCRIPTION);
    }
}

impl Codec for Downstream {
    #[inline]
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        if self.plain
            && let Some(short) = self.scan.quick(input)
            && let Some((command, is_upper)) = Command::find_spelt(&input[short.name.0..short.name.1])
        {
            let plain = command.plain();
            if plain != Plain::Other && short.count > 1 {
                let mut message = request(short.len, command, is_upper, short.name);
                message.head[KEY] = Span::new(short.first.0, short.first.1);
                message.flow.spread = Spread::Keys;
                message.flow.writes = plain == Plain::Writes;
                self.asked += 1;
                return Ok(Decoded::Message(message));
            }
        }
        let limits = if self.standing == Standing::Stranger { &STRANGERS } else { &self.settings.limits };
        match self.scan.look(input, limits) {
            Scanned::Array { len, .. } => Ok(self.decide(&input[..len])),
            Scanned::Need(total) => Ok(Decoded::need(total)),
            Scanned::Inline { len } => self.inline(&input[..len]),
            Scanned::Empty(len) => Ok(Decoded::Message(Message::new(Kind::Notice, len))),
            Scanned::TooLarge { skip, what } => Ok(self.too_large(skip, what)),
            Scanned::Rest { skip } => Ok(Decoded::Reject(Rejected {
                skip,
                answer: None,
                cause: codec_api::Cause::TooLarge,
                text: "the rest of a request that is too long".to_owned(),
            })),
            Scanned::Garbage(reason) => Err(DecodeError::new(format!("Protocol error: {reason}"))),
        }
    }

    fn attributes(&mut self, message: &Message, bytes: &[u8], wanted: &[Attribute], found: &mut Found) {
        if message.context & context::INLINE != 0 {
            let args = Args::of(bytes);
            let key = first_key(context::command(message.context), bytes, &args);
            if let Some(key) = key.and_then(|place| args.text_at(&place)) {
                found.offer(wanted, NAMES[KEY].as_bytes(), || {
                    Value::Text(String::from_utf8_lossy(key).into_owned().into())
                });
            }
        }
        let session = self.session.asked();
        found.offer(wanted, NAMES[DB].as_bytes(), || Value::Text(session.db.to_string().into()));
        found.offer(wanted, NAMES[USER].as_bytes(), || Value::Text(self.names.user(session).into()));
    }

    #[inline]
    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        let response = message.message;
        if response.flow.affinity == Affinity::Unpin {
            self.unsubscribed();
        }
        if response.kind == Kind::Push {
            return message.bytes.put_from(0, out);
        }
        if response.flow.more {
            let is_silent = self
                .due
                .front()
                .is_some_and(|(number, due)| *number == self.answered && due.has(Due::SILENT));
            if !is_silent {
                message.bytes.put_from(0, out);
            }
            return;
        }
        let due = self.settle();
        if due == Due::default() || self.conclude(due, response.status, out) {
            message.bytes.put_from(0, out);
        }
    }

    fn local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        let due = self.settle();
        // It never came to the connection.
        self.holds = self.holds.without(due.added());
        if due.added().has(Holds::TRANSACTION)
            && let Some(transaction) = &mut self.transaction
        {
            transaction.is_lost = true;
            self.is_poisoned = true;
        }
        if request.context & context::QUEUED != 0 {
            self.is_poisoned = true;
        }
        if self.conclude(due, Status::ServerError, out) {
            words::put_error(reply, out);
            out.put(b"\r\n");
        }
    }

    fn answer(&mut self, request: &Outgoing<'_>, out: &mut Out) -> After {
        let due = self.settle();
        self.is_poisoned |= due.has(Due::SPOILS);
        self.say(request, due, out)
    }

    fn session(&self) -> &[u8] {
        self.session.bytes()
    }

    fn keys(&mut self, message: &Message, bytes: &[u8], keys: &mut Vec<Span>) {
        shares::keys(message, bytes, keys);
    }

    fn split(
        &mut self,
        whole: &Outgoing<'_>,
        shares: Shares<'_>,
        share: u16,
        part: &mut Vec<u8>,
    ) -> Result<Message, Refusal> {
        shares::split(whole, shares, share, part)
    }

    fn merge(&mut self, request: RequestHead, shares: Shares<'_>, answers: &[Answer<'_>], out: &mut Out) {
        let due = self.settle();
        let mut merged = Out::new();
        let how = match context::command(request.context).policy().way {
            Way::All(merge) | Way::Split(merge) => merge,
            Way::LastWrite(_) => Merge::Least,
            _ => Merge::First,
        };
        let status = merge::merge(how, shares, answers, &mut merged);
        if self.conclude(due, status, out) {
            out.put(&merged.to_vec());
        }
    }

    fn farewell(&mut self, error: &DecodeError, out: &mut Out) {
        out.put(b"-ERR ");
        words::put_text(&error.reason, out);
        out.put(b"\r\n");
    }
}

/// What can be said of a request with this command, whose name stands here, in upper case or not.
#[inline]
fn request(len: usize, command: Command, is_upper: bool, name: (usize, usize)) -> Message {
    let mut message = Message::new(Kind::Request, len);
    message.context = context::of(command);
    message.head = HEAD;
    message.head[COMMAND] =
        if is_upper { Span::new(name.0, name.1) } else { Span::word(command.place() as u16) };
    message
}

/// Where the first key of a request stands.
fn first_key(command: Command, bytes: &[u8], args: &Args<'_>) -> Option<std::ops::Range<usize>> {
    let row = command.row();
    if row.only_key != 0 {
        return args.places().nth(row.only_key.into());
    }
    let mut first = None;
    crate::table::each_key(row.keys, bytes, (args.len(), args.places()), |place| {
        first.get_or_insert(place);
    });
    first
}
