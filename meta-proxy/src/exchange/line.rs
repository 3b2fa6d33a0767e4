//! An upstream connection, as `exchange` needs to know it: something that can be a client's alone.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use codec_api::{Message, Outgoing, Raw};

use super::Exchange;

/// What an upstream connection was set up with; `None`: nothing.
pub type Session = Option<Rc<[u8]>>;

/// An upstream connection that a client is pinned to, or has written on.
pub trait Line {
    /// Name of its cluster.
    fn cluster(&self) -> &Arc<str>;

    /// Where it leads.
    fn endpoint(&self) -> SocketAddr;

    /// Whether `key` belongs to its endpoint: always so where its cluster does not tell endpoints apart by key.
    fn owns(&self, key: &[u8]) -> bool;

    /// Whether its endpoint is the only one, or as good as any other one of its cluster.
    fn is_sole(&self) -> bool;

    /// Whether it has not ended.
    fn is_open(&self) -> bool;

    /// Sends a request on it, or ends it where that cannot be.
    fn send(self: Rc<Self>, exchange: Exchange, message: &Message, bytes: Raw<'_>);

    /// Sends its endpoint the answer to a request of its own.
    fn pass_on(&self, answer: &Outgoing<'_>);

    /// Never gives it to another client.
    fn soil(&self);

    /// Its client needs it no more.
    fn release(self: Rc<Self>);
}
