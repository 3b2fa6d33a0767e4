//! How one side of a protocol behaves where its options have a say, and what routes may change of its messages.

use crate::{Cause, Sharing};

/// How one side's connections behave. Made by [`Conduct::default`]; further fields may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Conduct {
    /// Downstream: how a client finds the request that a response answers.
    pub order: Order,
    /// Upstream: how connections are shared. `None`: as [`Properties::sharing`](crate::Properties::sharing) says.
    pub sharing: Option<Sharing>,
    /// Whether this side's messages have a place for attributes that a route sets.
    pub edits: Edits,
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
