//! How one side of a protocol behaves where its options have a say, and what routes may change of its messages.

use std::time::Duration;

use crate::{Cause, Sharing};

/// How one side's connections behave. Made by [`Conduct::default`]; further fields may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Conduct {
    /// How a response of this side finds its request: downstream as the client expects it, upstream as endpoints
    /// behave. An upstream side that is in order has no use for [`Outgoing::id`](crate::Outgoing::id).
    pub order: Order,
    /// Upstream: how connections are shared. `None`: as [`Properties::sharing`](crate::Properties::sharing) says.
    /// Downstream: [`Sharing::PerDownstream`] gives each client connections of its own, whatever the cluster says;
    /// other values mean nothing there.
    pub sharing: Option<Sharing>,
    /// Whether this side's messages have a place for attributes that a route sets.
    pub edits: Edits,
    /// Upstream: how long a connection may be quiet before it is pinged. `None`: as
    /// [`Properties::heartbeat`](crate::Properties::heartbeat) says.
    pub heartbeat: Option<Duration>,
    /// Downstream: bytes that may wait for a client which does not read, before its requests are no longer read.
    /// `None`: 1 MiB.
    pub unread_limit: Option<usize>,
    /// Values of head fields that the codec knows by heart, see [`Span::word`](crate::Span::word).
    pub words: &'static [&'static str],
    /// Downstream: messages have no attributes but those of the head, so that a condition on any other is a mistake.
    pub has_only_head: bool,
    /// The attribute whose values [`Codec::keys`](crate::Codec::keys) gives. In a cluster that hashes by it, what a key
    /// stands for lives on one endpoint: a request never goes to another one instead.
    pub keys: Option<&'static str>,
}

/// How responses find their requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// By the id that they carry; they may come in any order.
    #[default]
    ById,
    /// They come in the order of the requests. The framework holds back those that are early.
    InOrder,
}

/// Whether a codec can set attributes in the messages that it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Edits {
    /// In none: a configuration that asks for it is refused.
    #[default]
    Never,
    /// In some, which show only when they come; the others are written unedited and counted.
    Sometimes,
    /// In each.
    Always,
}

/// One attribute to set in a message: replaced where there is one of that name, else added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit<'a> {
    /// The attribute's name, as the route spells it.
    pub name: &'a str,
    /// Its new value.
    pub value: &'a str,
}

/// What became of a message's edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// All were made, or there were none.
    Done,
    /// This message has no place for them; it was written without.
    Impossible,
}

/// Why a message cannot be written for a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What its client is told.
    pub cause: Cause,
    /// One sentence for the person who reads the client's log.
    pub text: String,
}
