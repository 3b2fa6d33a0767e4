//! One request and its response, from the first whole byte in to the last byte handed to the client.
//!
//! An [`Exchange`] is a guard: however it ends, and if only by being dropped, its end is recorded exactly once. It
//! holds the [`Client`] that waits for it, through which responses and local replies are written.

mod client;
mod again;
mod turns;
mod gather;
mod line;
mod edits;
mod record;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use codec_api::{Affinity, Kind, LocalReply, Message, Raw, RequestHead};
use tokio::time::Instant;

use crate::error::{Failure, Flag};
use crate::local::Local;

pub use again::Again;
pub use client::{Client, Gone, Refusal};
pub(crate) use edits::with_edits;
pub use edits::{Edits, SharedEdits};
pub use gather::Gathering;
pub use line::{Line, Session};
pub use record::{Labels, Record, Tally};

/// How an exchange ends.
#[derive(Clone, Copy)]
pub enum End<'a> {
    /// The endpoint responded.
    Response {
        /// The response.
        message: &'a Message,
        /// Its bytes.
        bytes: Raw<'a>,
    },
    /// It was sent, and asks for no response.
    Sent,
    /// It failed.
    Failed(Failure, Option<&'a str>),
}

/// What the owner of an exchange does with its end.
pub type Then = fn(Exchange, End<'_>);

/// A request under way. It moves from hand to hand, so it is one pointer wide.
pub struct Exchange(Box<State>);

/// What an exchange is to its client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Its request, or a copy that it knows nothing of.
    Whole,
    /// One of the parts that its request was split into.
    Part,
}

/// Who has the end of what is under way.
enum Ends {
    /// The owner of the exchange.
    With(Then),
    /// What may send it once more.
    Try(Box<dyn Again>),
}

struct State {
    /// Who waits for it, or for the whole that it is a part of.
    client: Option<Rc<Client>>,
    /// The whole that it is a part of, and which part, until it has ended.
    whole: Option<(Rc<Gathering>, u16)>,
    role: Role,
    session: Session,
    head: RequestHead,
    affinity: Affinity,
    awaits_reply: bool,
    /// Whether its client has its answer, or needs none.
    is_answered: bool,
    /// Whether it says itself how long it may take.
    lingers: bool,
    /// Its place among the answers that its client awaits.
    turn: u64,
    edits: SharedEdits,
    bytes: usize,
    timeout: Duration,
    deadline: Option<Instant>,
    ends: Ends,
    record: Record,
}

impl Exchange {
    /// A request of `client` that has just been received whole and ends within `timeout`, unless that is zero.
    pub fn new(
        client: &Rc<Client>,
        message: &Message,
        timeout: Duration,
        then: Then,
        record: Record,
    ) -> Self {
        let awaits_reply = matches!(message.kind, Kind::Request | Kind::Own);
        let turn = client.begin(message.len, awaits_reply);
        let lingers = message.flow.time.is_some() && !message.flow.is_deadline;
        if lingers {
            client.linger(true);
        }
        Self(Box::new(State {
            client: Some(client.clone()),
            whole: None,
            role: Role::Whole,
            session: client.session(),
            head: message.request_head(),
            affinity: message.flow.affinity,
            awaits_reply,
            is_answered: !awaits_reply,
            lingers,
            turn,
            edits: None,
            bytes: message.len,
            timeout,
            deadline: deadline(record.local().now(), timeout),
            ends: Ends::With(then),
            record,
        }))
    }

    /// A copy of a request of `client`, for which nobody waits.
    pub fn copy_of(
        client: &Rc<Client>,
        message: &Message,
        timeout: Duration,
        then: Then,
        record: Record,
    ) -> Self {
        Self(Box::new(State::of(None, client.session(), message, timeout, (then, record))))
    }

    /// One part of a request that goes to several endpoints.
    fn part_of(&self, message: &Message, gathering: &Rc<Gathering>, part: u16) -> Self {
        let whole = &*self.0;
        let record = Record::new(whole.record.shared(), None, None);
        let mut state = State::of(
            whole.client.clone(),
            whole.session.clone(),
            message,
            whole.timeout,
            (end_part, record),
        );
        (state.deadline, state.edits) = (whole.deadline, whole.edits.clone());
        (state.whole, state.role) = (Some((gathering.clone(), part)), Role::Part);
        Self(Box::new(state))
    }

    /// Lets its messages be edited on their way.
    pub fn edit(&mut self, edits: &SharedEdits) {
        self.0.edits.clone_from(edits);
    }

    /// What is to be set in its request.
    #[inline]
    pub fn request_edits(&self) -> &[(String, String)] {
        self.0.edits.as_deref().map_or(&[], |edits| &edits.request)
    }

    /// Who waits for it; `None`: nobody, it is a copy.
    #[inline]
    pub fn client(&self) -> Option<&Rc<Client>> {
        self.0.client.as_ref()
    }

    /// Whether any shared connection without a session will do.
    #[inline]
    pub fn is_plain(&self) -> bool {
        let state = &*self.0;
        let has_own = state.client.as_ref().is_some_and(|client| client.is_dedicated());
        state.affinity == Affinity::Free && state.session.is_none() && !has_own
    }

    /// What its connection must have been set up with.
    #[inline]
    pub fn session(&self) -> &Session {
        &self.0.session
    }

    /// Which connection it needs.
    #[inline]
    pub fn affinity(&self) -> Affinity {
        self.0.affinity
    }

    /// Ends it.
    #[inline]
    pub fn end(self, end: End<'_>) {
        match self.0.ends {
            Ends::With(then) => then(self, end),
            Ends::Try(_) => self.end_try(end),
        }
    }

    /// What its worker shares.
    pub fn local(&self) -> &Local {
        self.0.record.local()
    }

    /// Whether a response is awaited.
    pub fn awaits_reply(&self) -> bool {
        self.0.awaits_reply
    }

    /// When it times out; `None`: never.
    #[inline]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// The time that it has in all; zero: no limit.
    #[inline]
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// The time that its try has that is under way, or it has itself if it has but one.
    pub fn try_time(&self) -> Duration {
        match (&self.0.ends, self.0.deadline) {
            (Ends::Try(again), Some(deadline)) => deadline.saturating_duration_since(again.began()),
            _ => self.0.timeout,
        }
    }

    /// How long its response may be waited for: the whole time that it has, or that of its try, if only that has an end.
    /// Zero: for ever.
    #[inline]
    pub fn longest_wait(&self) -> Duration {
        if self.0.timeout.is_zero() { self.try_time() } else { self.0.timeout }
    }

    /// Whether the client that waited for it has gone.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.0.client.as_ref().is_some_and(|client| client.is_closed())
    }

    /// Notes the cluster that was chosen for it.
    #[inline]
    pub fn choose(&mut self, cluster: &Arc<str>) {
        self.0.record.choose(cluster);
    }

    /// Notes that it is about to be sent to `endpoint`.
    #[inline]
    pub fn attempt(&mut self, endpoint: SocketAddr) {
        let state = &mut *self.0;
        state.record.attempt(endpoint);
        if let Ends::Try(again) = &mut state.ends {
            again.attempt(endpoint);
        }
        if let Some((whole, _)) = &state.whole {
            whole.attempt(endpoint);
        }
    }

    /// Hands the endpoint's response to the client.
    #[inline]
    pub fn respond(mut self, message: &Message, bytes: Raw<'_>) {
        let state = &mut *self.0;
        state.record.responded(message.status, message.len);
        state.is_answered = true;
        if let Some(client) = &state.client
            && !client.respond(state.turn, state.head, (message, bytes), &state.edits)
        {
            state.record.failed(Flag::UpstreamProtocolError, "the response cannot be written for its client");
        }
    }

    /// Hands a response to the client that another one follows.
    pub fn respond_more(&self, message: &Message, bytes: Raw<'_>) {
        let state = &*self.0;
        if let Some(client) = state.client.as_ref().filter(|_| state.role == Role::Whole) {
            client.respond_more(state.head, (message, bytes), &state.edits);
        }
    }

    /// Lets the client's codec answer it.
    pub fn answer_own(mut self, message: &Message, bytes: Raw<'_>) {
        let state = &mut *self.0;
        state.record.responded(codec_api::Status::Ok, 0);
        state.is_answered = true;
        if let Some(client) = &state.client {
            client.answer_own(state.turn, message, bytes);
        }
    }

    /// Answers it with what its parts were answered with.
    fn merge(mut self, gathering: Rc<Gathering>) {
        let state = &mut *self.0;
        match gathering.sum() {
            gather::Sum::Answered(status) => state.record.responded(status, gathering.bytes()),
            gather::Sum::Failed(flag, why) => state.record.failed(flag, &why),
        }
        state.is_answered = true;
        if let Some(client) = &state.client {
            client.merge(state.turn, state.head, gathering);
        }
    }

    /// Ends it as sent.
    pub fn sent(mut self) {
        self.0.record.sent();
    }

    /// Takes note of a response that nobody waits for.
    pub fn discard(mut self, message: &Message) {
        self.0.record.responded(message.status, message.len);
    }

    /// Tells the client why it failed.
    pub fn fail(mut self, failure: Failure, text: Option<&str>) {
        let state = &mut *self.0;
        let text = text.unwrap_or(failure.text());
        state.record.failed(failure.flag(), text);
        let (Some(client), Some(cause), true) = (&state.client, failure.cause(), state.awaits_reply) else {
            return;
        };
        state.is_answered = true;
        client.local_reply(state.turn, state.head, LocalReply { cause, text });
    }
}

fn deadline(now: Instant, timeout: Duration) -> Option<Instant> {
    if timeout.is_zero() { None } else { now.checked_add(timeout) }
}

/// Ends a part.
fn end_part(mut part: Exchange, end: End<'_>) {
    if let Some((whole, place)) = part.0.whole.take() {
        whole.end(place, end);
    }
}

impl State {
    /// A request that nobody awaits an answer to.
    fn of(
        client: Option<Rc<Client>>,
        session: Session,
        message: &Message,
        timeout: Duration,
        (then, record): (Then, Record),
    ) -> Self {
        Self {
            client,
            whole: None,
            role: Role::Whole,
            session,
            head: message.request_head(),
            affinity: message.flow.affinity,
            awaits_reply: message.kind == Kind::Request,
            is_answered: true,
            lingers: false,
            turn: 0,
            edits: None,
            bytes: message.len,
            timeout,
            deadline: deadline(record.local().now(), timeout),
            ends: Ends::With(then),
            record,
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.role == Role::Part {
            // Without an end: its client has gone.
            return self.whole.take().map_or((), |(whole, place)| {
                whole.end(place, End::Failed(Failure::Cancelled, None));
            });
        }
        if let Some(client) = &self.client {
            if !self.is_answered {
                client.lose(self.turn);
            }
            if self.lingers {
                client.linger(false);
            }
            client.finish(self.bytes);
        }
    }
}
