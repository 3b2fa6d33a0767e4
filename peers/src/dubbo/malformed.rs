//! Why bytes are not the message that they should be.
//!
//! One type for frames and bodies alike: a test or a load shows it to a person and goes on.

use std::fmt;

/// Bytes that are not Dubbo, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(String);

impl Malformed {
    /// Not Dubbo, for this reason.
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
