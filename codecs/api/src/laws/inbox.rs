//! Shows bytes to a codec as a connection of the proxy does, and checks each answer against the contract.
//!
//! The rules are those of the proxy's own inbox: what has not been taken is shown again from its start whenever more
//! has come, whether or not it is as much as the codec asked for; refused bytes are thrown away as they come.

use crate::{Codec, DecodeError, Decoded, Message, Rejected, Span};

/// Unread bytes of one connection.
#[derive(Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    at: usize,
    skip: u64,
    /// The most that an answer may await; 0: anything.
    limit: usize,
}

/// What came out of an inbox.
pub(super) enum Event {
    /// Nothing whole is left.
    Idle,
    /// A message and its bytes.
    Message(Message, Vec<u8>),
    /// A message that its codec refuses.
    Rejected(Rejected),
    /// The connection ends.
    Error(DecodeError),
}

/// An answer that breaks the contract.
pub(super) struct Wrong {
    pub(super) found: String,
    pub(super) right: String,
}

impl Inbox {
    /// An inbox whose codec never awaits more than `limit` bytes.
    pub(super) fn limited(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Bytes arrive.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Asks the codec once, or more often while it refuses what is there.
    pub(super) fn next(&mut self, codec: &mut dyn Codec) -> Result<Event, Wrong> {
        let left = self.bytes.len() - self.at;
        let thrown = left.min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        self.at += thrown;
        self.skip -= thrown as u64;
        let shown = &self.bytes[self.at..];
        if shown.is_empty() {
            return Ok(Event::Idle);
        }
        match codec.decode(shown) {
            Err(error) => Ok(Event::Error(error)),
            Ok(decoded) => {
                check(&decoded, shown, self.limit)?;
                match decoded {
                    Decoded::Need { .. } => Ok(Event::Idle),
                    Decoded::Reject(rejected) => {
                        self.skip = rejected.skip;
                        Ok(Event::Rejected(rejected))
                    }
                    Decoded::Message(message) => {
                        let bytes = shown[..message.len].to_vec();
                        self.at += message.len;
                        Ok(Event::Message(message, bytes))
                    }
                }
            }
        }
    }
}

/// What holds for every answer to the bytes that were `shown`.
pub(super) fn check(decoded: &Decoded, shown: &[u8], limit: usize) -> Result<(), Wrong> {
    let there = shown.len();
    let right = match decoded {
        Decoded::Need { total } if *total <= there => {
            format!("a total of more than the {there} bytes that are there; it is asked again for ever")
        }
        Decoded::Need { total } if limit > 0 && *total > limit => {
            format!("what is longer than the limit, {limit}, is refused by its head")
        }
        Decoded::Message(message) if message.len == 0 || message.len > there => {
            format!("a length from 1 to the {there} bytes that are there")
        }
        Decoded::Message(message) => {
            let bytes = &shown[..message.len];
            let is_nowhere = |span: &Span| *span != Span::LATE && span.as_word().is_none();
            let is_strange = |span: &Span| !span.is_none() && is_nowhere(span) && span.of(bytes).is_none();
            match message.head.iter().position(is_strange) {
                Some(place) => {
                    format!("head field {place} stands inside the message's {} bytes", bytes.len())
                }
                None => return Ok(()),
            }
        }
        Decoded::Reject(rejected) if rejected.skip == 0 => {
            "`skip` is the whole length of the refused message".to_owned()
        }
        Decoded::Reject(_) | Decoded::Need { .. } => return Ok(()),
    };
    Err(Wrong { found: format!("{decoded:?} when {there} bytes were shown"), right })
}
