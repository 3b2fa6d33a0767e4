//! What is said of a codec that breaks a law: which law, by which message, where, what was found and what would be right.

use std::fmt::{self, Write};

/// Bytes of a message that a breach shows.
const SHOWN: usize = 256;

/// What a codec keeps, in the order in which the kit looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Law {
    /// The kit has been given what it needs.
    Setup,
    /// Names, places and widths of [`Properties`](crate::Properties) make sense.
    Properties,
    /// An unknown option is refused, by its name.
    Options,
    /// A recorded message decodes as what it is said to be.
    Kind,
    /// Head fields and late attributes are found, and stand inside the message.
    Attributes,
    /// A message cut at any byte is awaited, and decodes when the rest has come.
    Cut,
    /// Several messages in one buffer come out one by one.
    Several,
    /// However the bytes are split into reads, the messages are the same.
    Split,
    /// A message is written byte for byte as it was.
    Untouched,
    /// A message written with another id has that id, and is itself again with its own.
    Id,
    /// `write` without edits writes what `encode` writes; if it refuses, it has written nothing.
    Write,
    /// An edit is seen by the receiver, and nothing else has changed.
    Edit,
    /// A oneway message leaves nothing behind that a later answer could be taken for.
    Oneway,
    /// Requests with equal ids, and responses with unknown ones, disturb nobody.
    Correlation,
    /// Answers to pipelined requests are what they are to single ones.
    Order,
    /// A local reply is a response to its request, for every cause and every text.
    LocalReply,
    /// A request that the proxy answers itself is answered with a response.
    Own,
    /// A session that is asked for shows at once, holds if it is granted, and is gone if it is refused; a connection is
    /// set up for it by as many requests as are said.
    Session,
    /// A request whose keys belong to several endpoints is split so that each key goes where it belongs, or not at all;
    /// however the shares end, they are merged into one response.
    Shares,
    /// What an endpoint sends unasked reaches the client untouched, and answers nothing.
    Push,
    /// A refused message says for whom, how long it is, and the connection lives on.
    Refused,
    /// What is longer than the limit is refused by its head.
    Limit,
    /// A ping is answered, and the answer is known for one, by its id.
    Heartbeat,
    /// The notice of going away is known for one.
    GoingAway,
    /// Work grows with the bytes, not with their square.
    Linear,
    /// Memory stays under what was stated.
    Memory,
    /// Random and mutated bytes do no harm.
    Hostile,
    /// No method panics.
    Panic,
    /// Every method returns.
    Hang,
}

/// A law that is broken. Its text is for the author of the codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which law.
    pub law: Law,
    /// By which message, or by what else.
    pub subject: String,
    /// At which byte, where there is one.
    pub offset: Option<usize>,
    /// What the codec did.
    pub found: String,
    /// What would be right.
    pub right: String,
    /// The bytes in question.
    pub bytes: Vec<u8>,
}

impl Breach {
    pub(super) fn new(law: Law, subject: impl Into<String>) -> Self {
        Self {
            law,
            subject: subject.into(),
            offset: None,
            found: String::new(),
            right: String::new(),
            bytes: Vec::new(),
        }
    }

    pub(super) fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset);
        self
    }

    pub(super) fn found(mut self, found: impl Into<String>) -> Self {
        self.found = found.into();
        self
    }

    pub(super) fn right(mut self, right: impl Into<String>) -> Self {
        self.right = right.into();
        self
    }

    pub(super) fn with(mut self, bytes: &[u8]) -> Self {
        self.bytes = bytes.to_vec();
        self
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "law {} is broken by {}", self.law, self.subject)?;
        if let Some(offset) = self.offset {
            write!(f, ", at byte {offset}")?;
        }
        write!(f, "\n  found: {}\n  right: {}", self.found, self.right)?;
        if !self.bytes.is_empty() {
            write!(f, "\n  bytes: {}", hex(&self.bytes))?;
        }
        Ok(())
    }
}

impl std::error::Error for Breach {}

/// Bytes as people read them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(SHOWN) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x} ");
    }
    match bytes.len() {
        0 => "none".to_owned(),
        len if len > SHOWN => format!("{text}… ({len} in all)"),
        len => format!("{text}({len} in all)"),
    }
}

/// Where two texts of bytes begin to differ, and how.
pub(super) fn difference(found: &[u8], right: &[u8]) -> (usize, String) {
    let at = found.iter().zip(right).take_while(|(one, other)| one == other).count();
    let from = at.saturating_sub(4);
    let part = |bytes: &[u8]| hex(&bytes[from.min(bytes.len())..bytes.len().min(at + 12)]);
    let text = format!(
        "{} bytes, which from byte {from} on are {}, instead of {} bytes with {}",
        found.len(),
        part(found),
        right.len(),
        part(right)
    );
    (at, text)
}
