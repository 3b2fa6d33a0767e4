//! One request and its response, from the first whole byte in to the last byte handed to the client.
//!
//! An [`Exchange`] is a guard: however it ends, and if only by being dropped, its end is recorded exactly once. It
//! holds the [`Client`] that waits for it, through which responses and local replies are written.

mod client;
mod turns;
mod edits;
mod record;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use codec_api::{LocalReply, Message, Raw, RequestHead};
use tokio::time::Instant;

use crate::error::{Failure, Flag};
use crate::local::Local;

pub use client::{Client, Gone, Refusal};
pub(crate) use edits::with_edits;
pub use edits::{Edits, SharedEdits};
pub use record::{Labels, Record};

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

struct State {
    client: Option<Rc<Client>>,
    head: RequestHead,
    awaits_reply: bool,
    /// Whether its client has its answer, or needs none.
    is_answered: bool,
    /// Its place among the answers that its client awaits.
    turn: u64,
    edits: SharedEdits,
    bytes: usize,
    timeout: Duration,
    deadline: Option<Instant>,
    then: Then,
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
        let awaits_reply = message.kind == codec_api::Kind::Request;
        Self(Box::new(State {
            turn: client.begin(message.len, awaits_reply),
            client: Some(client.clone()),
            head: message.request_head(),
            awaits_reply,
            is_answered: !awaits_reply,
            edits: None,
            bytes: message.len,
            timeout,
            deadline: deadline(client.local().now(), timeout),
            then,
            record,
        }))
    }

    /// A copy of a request, for which nobody waits.
    pub fn copy_of(message: &Message, now: Instant, timeout: Duration, then: Then, record: Record) -> Self {
        Self(Box::new(State {
            client: None,
            head: message.request_head(),
            awaits_reply: message.kind == codec_api::Kind::Request,
            is_answered: true,
            turn: 0,
            edits: None,
            bytes: message.len,
            timeout,
            deadline: deadline(now, timeout),
            then,
            record,
        }))
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

    /// Ends it.
    #[inline]
    pub fn end(self, end: End<'_>) {
        (self.0.then)(self, end);
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
        self.0.record.attempt(endpoint);
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
            state.record.failed(Flag::UpstreamProtocolError);
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
        state.record.failed(failure.flag());
        let (Some(client), Some(cause), true) = (&state.client, failure.cause(), state.awaits_reply) else {
            return;
        };
        state.is_answered = true;
        client.local_reply(
            state.turn,
            state.head,
            LocalReply { cause, text: text.unwrap_or(failure.text()) },
        );
    }
}

fn deadline(now: Instant, timeout: Duration) -> Option<Instant> {
    if timeout.is_zero() { None } else { now.checked_add(timeout) }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(client) = &self.client {
            if !self.is_answered {
                client.lose(self.turn);
            }
            client.finish(self.bytes);
        }
    }
}
