//! What a message asks of the way that it takes: which connection, how many endpoints, how long.
//!
//! A protocol of plain requests and responses never names any of this; [`Flow::default`] is such a message. The
//! framework keeps what is promised here once, for every protocol.

use std::time::Duration;

use crate::{LocalReply, Message};

/// How a message travels. Made by [`Flow::default`]; further fields may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Flow {
    /// Which connection it needs, and what that does to its client.
    pub affinity: Affinity,
    /// Which endpoints it goes to.
    pub spread: Spread,
    /// Of a response: another one to the same request follows.
    pub more: bool,
    /// Of a request: it changes data. [`Affinity::LastWrite`] follows it, and a route may mirror nothing else.
    pub writes: bool,
    /// Of a request: it says itself how long it may take, the endpoint's own time; the framework adds a second. Zero:
    /// for ever. Where its client has no more to say (it closed its side), such a request is given up.
    pub time: Option<Duration>,
    /// `time` is when the client gives up: it shortens what the route allows and never lengthens it, gets no second more,
    /// and the request is not given up for its client's silence.
    pub is_deadline: bool,
}

/// Which upstream connection a request needs.
///
/// `Pin`, `Unpin`, `Alone`, `Private`, `Session` and `LastWrite` wait until everything that their client asked before is
/// answered. Behind `Unpin`, `Alone`, `Session` and `LastWrite` nothing of their client is decoded until they are
/// answered; behind `Pin` nothing is decoded until it was sent. While a client is pinned, all its requests travel on
/// its pin, in order and pipelined, whatever they ask for here; only `Unpin` keeps its meaning, and `Session` too, in
/// that the pin's connection is closed in the end instead of being given back.
/// What is about the pin itself says `Pin` or `Unpin`, and needs no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Affinity {
    /// Any connection that was set up for its client's session.
    #[default]
    Free,
    /// From here on all of the client's requests use one private connection, to the endpoint that this one goes to.
    /// Should that connection be lost, the client's ends with it.
    Pin,
    /// Of a request: the pin ends when it is answered. Of a message from an endpoint: the pin ends with it, and so does
    /// what [`Affinity::Private`] holds.
    Unpin,
    /// A private connection for this one request.
    Alone,
    /// A private connection that stays the client's; what arrives on it unasked is for this client. Its other requests
    /// travel as before, but such requests to the same endpoint use the same one.
    Private,
    /// Changes the session; see [`Codec::session`](crate::Codec::session).
    Session,
    /// The connections of the client's last writes, of each endpoint that it wrote to. Nobody else's requests join
    /// them until it is answered. It is sent to each, and merged where there are several.
    LastWrite,
}

/// Which endpoints of its cluster a request goes to.
///
/// Only a cluster that hashes by [`Conduct::keys`](crate::Conduct::keys) tells endpoints apart by key; in any other
/// cluster each endpoint is as good as the next, so that everything is `One` there, but for `All`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Spread {
    /// To any one.
    #[default]
    One,
    /// To where its keys live, see [`Codec::keys`](crate::Codec::keys): it is split where they are several endpoints.
    Keys,
    /// To where an empty key lives: the same one for every client of every proxy. Elsewhere: the first endpoint.
    Home,
    /// To the only endpoint; refused where there are several.
    Sole,
    /// To each, see [`Codec::merge`](crate::Codec::merge).
    All,
}

/// Which share of a request each of its keys belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Shares<'a> {
    /// The share of each key, in the order of [`Codec::keys`](crate::Codec::keys). Empty where the request went whole
    /// to several endpoints.
    pub of_key: &'a [u16],
    /// How many shares there are.
    pub count: u16,
}

/// How one share of a request ended.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// With this response.
    Response {
        /// What the endpoint's codec said of it.
        message: &'a Message,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// Without one.
    Failed(LocalReply<'a>),
}

/// What becomes of a client's connection once its request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum After {
    /// It stays.
    #[default]
    Stay,
    /// It closes when everything written so far has left.
    Close,
}
