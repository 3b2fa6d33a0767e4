//! What a codec says of a message: its kind, its place in the conversation, where its head's fields stand.
//!
//! A [`Message`] owns none of the message's bytes. It is a small plain value of offsets into them, so that decoding
//! costs no allocation and an untouched message is written back byte for byte.

use crate::Flow;

/// Head fields that a message can carry; see [`Properties::head`](crate::Properties::head).
pub const MAX_HEAD: usize = 6;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Asks for exactly one response.
    Request,
    /// Asks for no response.
    Oneway,
    /// Answers the request with the same id.
    Response,
    /// Asks whether the other side is alive; answered by [`Codec::pong`](crate::Codec::pong), never forwarded.
    Ping,
    /// Answers a ping.
    Pong,
    /// The sender wants no further requests on this connection, and will answer those that it has.
    GoingAway,
    /// Takes a going-away notice back.
    ComeBack,
    /// A notice that concerns this connection only; it is counted and dropped.
    Notice,
    /// From a client: asks for exactly one response, which [`Codec::answer`](crate::Codec::answer) gives in its turn.
    Own,
    /// From an endpoint, unasked: for the client whose private connection it came on. Written by
    /// [`Codec::encode`](crate::Codec::encode) at once.
    Push,
}

/// How a response ended, in terms that every protocol shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Status {
    /// A result.
    #[default]
    Ok,
    /// The application refused: a declared exception, a business error. The endpoint is healthy.
    ApplicationError,
    /// The endpoint failed: it could not decode, find or run what was asked.
    ServerError,
    /// The endpoint says that it has too much to do.
    Overloaded,
}

impl Status {
    /// All of them, in declaration order.
    pub const ALL: [Self; 4] = [Self::Ok, Self::ApplicationError, Self::ServerError, Self::Overloaded];

    /// The label of metrics and access logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ApplicationError => "application_error",
            Self::ServerError => "server_error",
            Self::Overloaded => "overloaded",
        }
    }
}

/// Marks a [`Span`] that is a word.
const WORD: u32 = u32::MAX - 1;

/// A range of bytes inside a message, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// No bytes: the field is missing.
    pub const NONE: Self = Self { start: u32::MAX, end: u32::MAX };

    /// The field exists, but not as bytes of the message: [`Codec::attributes`](crate::Codec::attributes) offers it.
    /// A condition on it makes a route look for late attributes.
    pub const LATE: Self = Self { start: u32::MAX, end: 0 };

    /// The field is `words[index]` of [`Conduct::words`](crate::Conduct::words): a value that the codec knows by heart and
    /// that does not stand in the message as it is to be compared.
    pub const fn word(index: u16) -> Self {
        Self { start: WORD, end: index as u32 }
    }

    /// The index of a [`Span::word`].
    #[inline]
    pub fn as_word(self) -> Option<usize> {
        (self.start == WORD).then_some(self.end as usize)
    }

    /// Bytes `start..end` of the message. Offsets from 4 GiB on make it [`Span::NONE`]; no message is that long.
    pub fn new(start: usize, end: usize) -> Self {
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) => Self { start, end },
            _ => Self::NONE,
        }
    }

    /// Whether it names no bytes.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// The bytes that it names in `message`; `None` if it names none, or none that exist.
    #[inline]
    pub fn of(self, message: &[u8]) -> Option<&[u8]> {
        message.get(self.start as usize..self.end as usize)
    }
}

/// One whole message, as its codec sees it. Made by [`Message::new`]; further fields may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// What it is for.
    pub kind: Kind,
    /// Its length in bytes, head included.
    pub len: usize,
    /// Correlation id as received; 0 where the protocol or this message has none.
    pub id: u64,
    /// How a response ended; [`Status::Ok`] for all else.
    pub status: Status,
    /// Whatever this codec needs to know of a request when it must answer it later without its bytes.
    pub context: u64,
    /// Where the head's fields stand, in the order of [`Properties::head`](crate::Properties::head).
    pub head: [Span; MAX_HEAD],
    /// The reason why this message's attributes cannot be seen, such as the name of its serialization. Such a message
    /// matches only routes without conditions.
    pub opaque: Option<&'static str>,
    /// Which way it takes; [`Flow::default`] for a plain request or response.
    pub flow: Flow,
}

impl Message {
    /// A message of `len` bytes with everything else empty.
    pub fn new(kind: Kind, len: usize) -> Self {
        Self {
            kind,
            len,
            id: 0,
            status: Status::Ok,
            context: 0,
            head: [Span::NONE; MAX_HEAD],
            opaque: None,
            flow: Flow::default(),
        }
    }

    /// What must be kept of a request to answer it locally.
    pub fn request_head(&self) -> RequestHead {
        RequestHead { id: self.id, context: self.context }
    }
}

/// What is left of a request once its bytes have gone: enough to answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHead {
    /// The id that the client chose.
    pub id: u64,
    /// [`Message::context`] of the request.
    pub context: u64,
}

/// Why the proxy answers a request itself. A codec finds words for each in its own protocol, so that a client can tell
/// them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// No route matches.
    NoRoute,
    /// The route that matches cannot be served as it is configured.
    Misconfigured,
    /// The cluster has no endpoint.
    NoEndpoint,
    /// No endpoint could be connected to; nothing was sent.
    ConnectFailure,
    /// The connection was lost after the request had been sent.
    ConnectionLost,
    /// No reply came in time.
    Timeout,
    /// A limit on connections or requests is reached.
    Overload,
    /// A rate limit is reached.
    RateLimited,
    /// A policy denies it.
    Denied,
    /// The message is longer than is allowed.
    TooLarge,
    /// The message is whole but cannot be understood.
    BadMessage,
    /// Understood, but this proxy does not serve it.
    Unsupported,
    /// Its keys belong to several endpoints, or to another one than its client is pinned to.
    Scattered,
}

impl Cause {
    /// All of them, in declaration order; for tests that each has a reply.
    pub const ALL: [Self; 13] = [
        Self::NoRoute,
        Self::Misconfigured,
        Self::NoEndpoint,
        Self::ConnectFailure,
        Self::ConnectionLost,
        Self::Timeout,
        Self::Overload,
        Self::RateLimited,
        Self::Denied,
        Self::TooLarge,
        Self::BadMessage,
        Self::Unsupported,
        Self::Scattered,
    ];
}

/// A reply that the proxy gives in an endpoint's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalReply<'a> {
    /// Why.
    pub cause: Cause,
    /// One sentence for the person who reads the client's log.
    pub text: &'a str,
}
