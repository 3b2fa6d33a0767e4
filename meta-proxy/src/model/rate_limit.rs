//! How many requests may pass: buckets of tokens, and which requests take from which.

use std::time::Duration;

use super::AttributeMatcher;

/// The limit of one host's port. The first condition that holds decides which bucket a request takes its token from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// In order.
    pub conditions: Vec<ConditionalBucket>,
    /// For requests that no condition holds of; `None`: those are not limited.
    pub default: Option<TokenBucket>,
}

/// A bucket for some requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConditionalBucket {
    /// All must hold.
    pub matchers: Vec<AttributeMatcher>,
    /// Their bucket.
    pub bucket: TokenBucket,
}

/// A bucket that is full at first and is filled again and again, never above what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenBucket {
    /// What it holds; at least 1.
    pub max_tokens: u32,
    /// What it gets each time; at least 1.
    pub tokens_per_fill: u32,
    /// Time between fills, at least [`crate::xds::FILL_INTERVAL_FLOOR`].
    pub fill_interval: Duration,
}
