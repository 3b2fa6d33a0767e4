//! The three traits that a protocol implements.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    After, Answer, Attribute, Cause, Conduct, Edit, Edited, Found, LocalReply, Message, OptionError, Options,
    Out, Raw, Refusal, RequestHead, Shares, Span,
};

/// A protocol, as registered with the proxy. One value serves the whole process.
pub trait Protocol: Send + Sync {
    /// The name that users write: in port names (`tcp-metaprotocol-<name>`), in metrics.
    fn name(&self) -> &'static str;

    /// How the protocol behaves.
    fn properties(&self) -> &'static Properties;

    /// Checks a user's options for one side and makes the factory of that side's codecs. Reports every mistake.
    fn configure(&self, side: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>>;
}

/// Makes one codec per connection, with options that have been checked.
pub trait Factory: Send + Sync {
    /// A codec at the start of a new connection.
    fn codec(&self) -> Box<dyn Codec>;

    /// How these codecs' side behaves, where options may change it. The same for the factory's whole life.
    fn conduct(&self) -> Conduct {
        Conduct::default()
    }
}

/// Which peer a connection's codec faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// A client: the codec decodes requests and encodes responses.
    Downstream,
    /// An endpoint: the codec encodes requests and decodes responses.
    Upstream,
}

/// How a protocol behaves, in so far as the framework must know.
#[derive(Debug)]
pub struct Properties {
    /// Names of the attributes that decoding finds on its way, at most [`MAX_HEAD`](crate::MAX_HEAD); their places are
    /// the indices of [`Message::head`].
    pub head: &'static [&'static str],
    /// Place in `head` of the attribute that tells services behind one address apart (Dubbo: `interface`).
    pub service: Option<usize>,
    /// Place in `head` of the attribute that names the operation in metrics and logs (Dubbo: `method`).
    pub operation: Option<usize>,
    /// Width of correlation ids, 16 to 64. Ids that the framework hands out upstream fit in it.
    pub id_bits: u32,
    /// How upstream connections are shared unless a cluster says otherwise.
    pub sharing: Sharing,
    /// How long a request may take unless its route says otherwise; zero: for ever.
    pub request_timeout: Duration,
    /// An upstream connection that has been quiet for this long is pinged; three missed answers end it. `None`: the
    /// protocol has no ping.
    pub heartbeat: Option<Duration>,
}

/// How requests share upstream connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// One outstanding request per connection; connections come from a pool.
    Exclusive,
    /// All clients of a worker share up to this many connections per endpoint.
    Shared(usize),
    /// Each client has one connection per endpoint, which carries the requests of nobody else and closes with it.
    PerDownstream,
}

/// Turns one connection's bytes into messages and back.
///
/// What an implementation keeps, and the laws kit checks:
///
/// 1. No method panics, waits, or does I/O, whatever the bytes.
/// 2. `decode` is shown the unread bytes of its connection from the start of one message. It may be shown the same
///    start again with more bytes behind it; it then goes on where it stopped. Total work is linear in the bytes.
/// 3. A message cut at any byte gives [`Decoded::Need`]; several in one buffer come out one by one.
/// 4. Limits are checked from the head, before a body is awaited.
/// 5. `encode` writes the message byte for byte as it was, but for the id.
/// 6. `local_reply` is never empty for a request that awaits a response, and decodes as a response with its id.
/// 7. `write` without edits, for a peer that speaks as the sender did, writes what `encode` writes. If it refuses, it
///    has written nothing.
///
/// On a side that is [`Order::InOrder`](crate::Order::InOrder), a client's codec is asked for its answers (`encode`,
/// `write`, `local_reply`, `answer`, `merge`) in the order of the requests that it decoded, exactly one for each
/// [`Kind::Request`] and [`Kind::Own`], and for each [`Rejected`] with an `answer`; a response with
/// [`Flow::more`](crate::Flow::more) comes before the one that counts. It may therefore keep a queue of what it has
/// decoded. `encode` of a [`Kind::Push`] comes between them and answers nothing. An endpoint's codec on such a side is
/// shown responses in the order of the requests that it wrote, those of `prelude`, `prepare` and `ping` included.
///
/// [`Kind::Request`]: crate::Kind::Request
/// [`Kind::Own`]: crate::Kind::Own
/// [`Kind::Push`]: crate::Kind::Push
pub trait Codec {
    /// Looks at the start of `input` for one message.
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError>;

    /// Looks for the late attributes among `wanted` in a message that this codec decoded, and offers what it sees to
    /// `found`. Called once for all that routes want of a message, once more for what a cluster hashes, again where that
    /// decides between the clusters of a split, and not at all where nobody wants one.
    fn attributes(&mut self, message: &Message, bytes: &[u8], wanted: &[Attribute], found: &mut Found) {
        let _ = (message, bytes, wanted, found);
    }

    /// Writes a message that the codec of the other side decoded.
    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out);

    /// Writes a message that the codec of the other side decoded, with `edits` made to its attributes. The framework
    /// calls this for every request and response; a codec that neither edits nor transcodes leaves it as it is.
    ///
    /// # Errors
    ///
    /// A message that cannot be written for this peer. Nothing was written; its client gets a local reply.
    fn write(
        &mut self,
        message: &Outgoing<'_>,
        edits: &[Edit<'_>],
        out: &mut Out,
    ) -> Result<Edited, Refusal> {
        self.encode(message, out);
        Ok(if edits.is_empty() { Edited::Done } else { Edited::Impossible })
    }

    /// Writes what a client of this protocol understands as "the proxy could not serve this, because …".
    fn local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out);

    /// Answers a [`Kind::Ping`](crate::Kind::Ping) that this codec decoded.
    fn pong(&mut self, ping: &Outgoing<'_>, out: &mut Out) {
        let _ = (ping, out);
    }

    /// Writes a ping with this id. Called only if the protocol has a [`Properties::heartbeat`].
    fn ping(&mut self, id: u64, out: &mut Out) {
        let _ = (id, out);
    }

    /// Tells a client that this proxy wants no further requests on its connection. Writes nothing where the protocol
    /// has no such notice.
    fn going_away(&mut self, out: &mut Out) {
        let _ = out;
    }

    /// Downstream: answers a [`Kind::Own`](crate::Kind::Own) that this codec decoded, in its turn.
    fn answer(&mut self, request: &Outgoing<'_>, out: &mut Out) -> After {
        let _ = (request, out);
        After::Stay
    }

    /// Downstream: what an upstream connection must have been set up with to carry this client's next request. Equal
    /// bytes share connections; no bytes need no setting up. It may change when a request with
    /// [`Affinity::Session`](crate::Affinity::Session) or a [`Kind::Own`](crate::Kind::Own) is decoded, and when it is
    /// answered: as soon as the former is decoded it is the session that this request asks for, and once it was refused
    /// the one before. No longer than 64 KiB.
    fn session(&self) -> &[u8] {
        &[]
    }

    /// Upstream: sets a new connection up for clients of this session; tells how many responses must come before the
    /// first request. One whose status is not [`Status::Ok`](crate::Status::Ok) ends the connection, and is the
    /// response of each request that waited for it.
    fn prelude(&mut self, session: &[u8], out: &mut Out) -> usize {
        let _ = (session, out);
        0
    }

    /// Upstream: writes what must be answered before this request, the first one of a client on a private connection,
    /// may be sent; tells how many responses that takes. One whose status is not Ok is the request's response.
    fn prepare(&mut self, request: &Message, out: &mut Out) -> usize {
        let _ = (request, out);
        0
    }

    /// Downstream: the parts of a request with [`Spread::Keys`](crate::Spread::Keys) that are hashed to find its
    /// endpoints, in order. Called once for each cluster that it goes to (a mirror is another one), and only where that
    /// hashes by key.
    fn keys(&mut self, message: &Message, bytes: &[u8], keys: &mut Vec<Span>) {
        let _ = (message, bytes, keys);
    }

    /// Downstream: writes one share of a request whose keys belong to several endpoints, as a request of its own, and
    /// says of it what `decode` would.
    ///
    /// # Errors
    ///
    /// It cannot be split. Nothing is sent to anyone, and its client gets this for an answer.
    fn split(
        &mut self,
        whole: &Outgoing<'_>,
        shares: Shares<'_>,
        share: u16,
        part: &mut Vec<u8>,
    ) -> Result<Message, Refusal> {
        let _ = (whole, shares, share, part);
        let text = "its keys belong to several endpoints".to_owned();
        Err(Refusal { cause: Cause::Scattered, text })
    }

    /// Downstream: writes the one response to a request that went to several endpoints, in its turn. `answers` are in the
    /// order of the shares.
    fn merge(&mut self, request: RequestHead, shares: Shares<'_>, answers: &[Answer<'_>], out: &mut Out) {
        let _ = (shares, answers);
        let text = "this protocol does not merge responses";
        self.local_reply(request, LocalReply { cause: Cause::Unsupported, text }, out);
    }

    /// Downstream: last words before the connection closes because of this error. Everything asked before is answered.
    fn farewell(&mut self, error: &DecodeError, out: &mut Out) {
        let _ = (error, out);
    }
}

/// What [`Codec::decode`] found at the start of its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// Nothing whole yet. Nothing is taken.
    Need {
        /// Length from the start of the message that must be there before it is worth looking again. More than was
        /// shown.
        total: usize,
    },
    /// A whole message of [`Message::len`] bytes.
    Message(Message),
    /// A message that cannot be served, on a connection that lives on.
    Reject(Rejected),
}

impl Decoded {
    /// Shorthand for [`Decoded::Need`].
    pub fn need(total: usize) -> Self {
        Self::Need { total }
    }
}

/// A message that is refused by its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its whole length; the framework takes as many bytes from the connection, most of which may not have arrived.
    pub skip: u64,
    /// Whom to answer, if an answer is awaited. Upstream: the id of a response that is refused, whose exchange ends.
    pub answer: Option<RequestHead>,
    /// Why.
    pub cause: crate::Cause,
    /// One sentence for the person who reads the client's log.
    pub text: String,
}

/// Bytes that are not this protocol. The connection closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// What was wrong, and where.
    pub reason: String,
}

impl DecodeError {
    /// An error with this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for DecodeError {}

/// A message on its way out.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// What its codec said of it.
    pub message: &'a Message,
    /// Its bytes as received, all [`Message::len`] of them.
    pub bytes: Raw<'a>,
    /// The id to write in place of the received one.
    pub id: u64,
}
