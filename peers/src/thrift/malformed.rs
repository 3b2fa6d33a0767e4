//! Why bytes are not the message that they should be.
//!
//! An unframed message has no length of its own, so what is cut short and what is wrong are told apart here.

use std::fmt;

/// Bytes that are not Thrift, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(String);

impl Malformed {
    /// Not Thrift, for this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Malformed(reason.into())
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// Why nothing could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// The bytes end too early.
    Short,
    /// The bytes are wrong.
    Wrong(Malformed),
}

impl Unread {
    pub(super) fn wrong(reason: impl Into<String>) -> Self {
        Unread::Wrong(Malformed::new(reason))
    }

    /// Of a message whose length is known: too few bytes are wrong too.
    pub(super) fn in_frame(self) -> Malformed {
        match self {
            Unread::Short => Malformed::new("a frame ends within its message"),
            Unread::Wrong(malformed) => malformed,
        }
    }
}

/// Takes this many bytes off the front.
pub(super) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], Unread> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(Unread::Short)?;
    *bytes = rest;
    Ok(taken)
}

/// Takes an array of bytes off the front.
pub(super) fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Unread> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(Unread::Short)?;
    *bytes = rest;
    Ok(*taken)
}
