//! One request and its response, from the first whole byte in to the last byte handed to the client.
//!
//! An [`Exchange`] is a guard: however it ends, and if only by being dropped, its end is recorded exactly once. It
//! holds the [`Client`] that waits for it, through which responses and local replies are written.

mod client;
mod record;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use codec_api::{LocalReply, Message, Raw, RequestHead};
use tokio::time::Instant;

use crate::error::Failure;
use crate::local::Local;

pub use client::{Client, Refusal};
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

/// A request under way.
pub struct Exchange {
    client: Option<Rc<Client>>,
    head: RequestHead,
    awaits_reply: bool,
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
        client.begin(message.len);
        Self {
            client: Some(client.clone()),
            head: message.request_head(),
            awaits_reply: message.kind == codec_api::Kind::Request,
            bytes: message.len,
            timeout,
            deadline: deadline(client.local().now(), timeout),
            then,
            record,
        }
    }

    /// A copy of a request, for which nobody waits.
    pub fn copy_of(message: &Message, now: Instant, timeout: Duration, then: Then, record: Record) -> Self {
        Self {
            client: None,
            head: message.request_head(),
            awaits_reply: message.kind == codec_api::Kind::Request,
            bytes: message.len,
            timeout,
            deadline: deadline(now, timeout),
            then,
            record,
        }
    }

    /// Ends it.
    #[inline]
    pub fn end(self, end: End<'_>) {
        (self.then)(self, end);
    }

    /// What its worker shares.
    pub fn local(&self) -> &Local {
        self.record.local()
    }

    /// Whether a response is awaited.
    pub fn awaits_reply(&self) -> bool {
        self.awaits_reply
    }

    /// When it times out; `None`: never.
    #[inline]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The time that it has in all; zero: no limit.
    #[inline]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether the client that waited for it has gone.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.is_closed())
    }

    /// Notes the cluster that was chosen for it.
    #[inline]
    pub fn choose(&mut self, cluster: &Arc<str>) {
        self.record.choose(cluster);
    }

    /// Notes that it is about to be sent to `endpoint`.
    #[inline]
    pub fn attempt(&mut self, endpoint: SocketAddr) {
        self.record.attempt(endpoint);
    }

    /// Hands the endpoint's response to the client.
    #[inline]
    pub fn respond(mut self, message: &Message, bytes: Raw<'_>) {
        self.record.responded(message.status, message.len);
        if let Some(client) = &self.client {
            client.respond(message, bytes, self.head.id);
        }
    }

    /// Ends it as sent.
    pub fn sent(mut self) {
        self.record.sent();
    }

    /// Takes note of a response that nobody waits for.
    pub fn discard(mut self, message: &Message) {
        self.record.responded(message.status, message.len);
    }

    /// Tells the client why it failed.
    pub fn fail(mut self, failure: Failure, text: Option<&str>) {
        self.record.failed(failure.flag());
        let (Some(client), Some(cause), true) = (&self.client, failure.cause(), self.awaits_reply) else {
            return;
        };
        client.local_reply(self.head, LocalReply { cause, text: text.unwrap_or(failure.text()) });
    }
}

fn deadline(now: Instant, timeout: Duration) -> Option<Instant> {
    if timeout.is_zero() { None } else { now.checked_add(timeout) }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(client) = &self.client {
            client.finish(self.bytes);
        }
    }
}
