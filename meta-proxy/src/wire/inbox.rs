//! Bytes that have arrived and not yet been taken as messages.
//!
//! A connection reads into its worker's one read buffer and takes whole messages from there. What is left of a
//! message that has not arrived whole is kept by the connection, in a buffer of the size that its codec asks for, and
//! the rest is read straight into it: a large message is never copied, and an idle connection holds no buffer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use codec_api::{COPY_BELOW, DecodeError, Decoded, Message, Raw, Rejected};
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

use crate::local::Local;

/// Size of a worker's read buffer.
const READ_BUFFER: usize = 64 * 1024;
/// Once this much of a message has come, its rest is read into a buffer of its own.
const OWN_BUFFER_FROM: usize = 16 * 1024;
/// Room that is made for a message, in multiples of what has come of it: who announces much must send some of it.
const ROOM_PER_BYTE: usize = 64;
/// Messages that a connection handles in one turn.
const TURN_MESSAGES: usize = 64;
/// Bytes that a connection handles in one turn, give or take one message.
const TURN_BYTES: usize = 64 * 1024;

/// Unread bytes of one connection.
#[derive(Default)]
pub struct Inbox {
    buffer: BytesMut,
    /// `buffer` is the worker's.
    borrowed: bool,
    /// Length from the start of `buffer` that the codec wants to see.
    need: usize,
    /// Bytes of a refused message that are still to be thrown away.
    skip: u64,
}

/// What takes messages from an [`Inbox`].
pub trait Reader {
    /// Looks for a message at the start of `input`.
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError>;
    /// Takes a whole message.
    fn message(&mut self, message: &Message, bytes: Raw<'_>) -> Result<(), WireError>;
    /// Takes note of a message that its codec refuses.
    fn rejected(&mut self, rejected: Rejected);
    /// Whether a further message may be taken now.
    #[inline]
    fn takes_more(&self) -> bool {
        true
    }
}

/// How a pass over the inbox ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// No whole message is left.
    Idle,
    /// Messages are left for the next turn.
    More,
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub enum WireError {
    /// The peer closed it between two messages.
    Closed,
    /// The peer closed it inside a message.
    Truncated,
    /// The system reports an error.
    Io(io::Error),
    /// The bytes are not the protocol's.
    Protocol(String),
}

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("closed by the peer"),
            Self::Truncated => f.write_str("closed by the peer inside a message"),
            Self::Io(error) => write!(f, "{error}"),
            Self::Protocol(reason) => f.write_str(reason),
        }
    }
}

impl From<DecodeError> for WireError {
    fn from(error: DecodeError) -> Self {
        Self::Protocol(error.reason)
    }
}

impl Inbox {
    /// Whether part of a message has arrived, or whole ones wait for the next turn.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.skip == 0
    }

    /// Bytes that have arrived and were not taken.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether bytes wait that have not been looked at since the last pass ended with [`Pace::More`].
    pub fn has_unread(&self) -> bool {
        self.buffer.len() > self.need
    }

    /// Reads once, as much as has arrived and there is room for.
    pub fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        local: &Local,
    ) -> Poll<Result<usize, WireError>> {
        let missing = self.need.saturating_sub(self.buffer.len());
        let has_own = !self.borrowed && self.buffer.len() >= OWN_BUFFER_FROM;
        let count = if has_own && missing > 0 {
            self.make_room();
            // A codec that does not know the length asks for little; what room there is may be filled.
            let room = self.buffer.capacity() - self.buffer.len();
            let mut rest = (&mut self.buffer).limit(missing.max(room));
            ready!(poll_read_buf(Pin::new(stream), cx, &mut rest))
        } else {
            self.borrow(local);
            ready!(poll_read_buf(Pin::new(stream), cx, &mut self.buffer))
        };
        match count {
            Ok(0) if self.is_empty() => Poll::Ready(Err(WireError::Closed)),
            Ok(0) => Poll::Ready(Err(WireError::Truncated)),
            Ok(count) => Poll::Ready(Ok(count)),
            Err(error) => Poll::Ready(Err(WireError::Io(error))),
        }
    }

    /// Makes room for the rest of the message at the front, or for as much of it as is warranted.
    fn make_room(&mut self) {
        let len = self.buffer.len();
        if self.buffer.capacity() == len {
            self.buffer.reserve(self.need.min(len.saturating_mul(ROOM_PER_BYTE)).saturating_sub(len));
        }
    }

    fn borrow(&mut self, local: &Local) {
        if !self.borrowed {
            let mut scratch = local.take_scratch();
            scratch.reserve(READ_BUFFER);
            scratch.extend_from_slice(&self.buffer);
            self.buffer = scratch;
            self.borrowed = true;
        } else if self.buffer.capacity() == self.buffer.len() {
            self.buffer.reserve(READ_BUFFER);
        }
    }

    /// Hands whole messages to `reader`, within the limits of one turn.
    pub fn drain<R: Reader>(&mut self, reader: &mut R) -> Result<Pace, WireError> {
        let (mut at, mut messages, mut bytes) = (0, 0, 0);
        let pace = loop {
            at += self.throw_away(at);
            if at == self.buffer.len() {
                self.need = 0;
                break Pace::Idle;
            }
            if messages == TURN_MESSAGES || bytes >= TURN_BYTES || !reader.takes_more() {
                self.need = 0;
                break Pace::More;
            }
            // By reference: a message is a hundred bytes and more, which are not moved about.
            match &reader.decode(&self.buffer[at..]) {
                Ok(Decoded::Message(message)) => {
                    at = self.hand_on(reader, message, at)?;
                    bytes += message.len;
                }
                Ok(Decoded::Need { total }) if *total <= self.buffer.len() - at => {
                    return Err(WireError::Protocol("the codec asks for bytes that it has".to_owned()));
                }
                Ok(Decoded::Need { total }) => {
                    self.need = *total;
                    break Pace::Idle;
                }
                Ok(Decoded::Reject(rejected)) => {
                    self.skip = rejected.skip;
                    reader.rejected(rejected.clone());
                }
                Err(error) => return Err(WireError::Protocol(error.reason.clone())),
            }
            messages += 1;
        };
        self.buffer.advance(at);
        Ok(pace)
    }

    /// Gives one message to the reader; tells where the next one starts.
    fn hand_on<R: Reader>(
        &mut self,
        reader: &mut R,
        message: &Message,
        at: usize,
    ) -> Result<usize, WireError> {
        let end = at + message.len;
        if message.len == 0 || end > self.buffer.len() {
            return Err(WireError::Protocol("the codec took bytes that are not there".to_owned()));
        }
        if message.len < COPY_BELOW {
            reader.message(message, Raw::Slice(&self.buffer[at..end]))?;
            return Ok(end);
        }
        self.buffer.advance(at);
        let bytes = self.buffer.split_to(message.len).freeze();
        reader.message(message, Raw::Shared(&bytes))?;
        Ok(0)
    }

    fn throw_away(&mut self, at: usize) -> usize {
        let count = (self.buffer.len() - at).min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        self.skip -= count as u64;
        count
    }

    /// Ends a turn in which nothing was taken: all that has come is unread.
    pub fn settle_unread(&mut self, local: &Local) {
        self.need = 0;
        self.settle(local);
    }

    /// Ends a turn: gives the worker's buffer back and keeps what is left of a message.
    pub fn settle(&mut self, local: &Local) {
        if !self.borrowed {
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
            }
            return;
        }
        self.borrowed = false;
        let len = self.buffer.len();
        let room = if len < OWN_BUFFER_FROM { len } else { self.need.min(len * ROOM_PER_BYTE).max(len) };
        let mut kept = BytesMut::with_capacity(room);
        kept.put_slice(&self.buffer);
        local.return_scratch(std::mem::replace(&mut self.buffer, kept));
    }
}
