//! Endpoints that a request goes to only if there is no other.

use std::net::SocketAddr;

/// Where a request has been tried. What is tried next is none of these, as long as there is another one.
#[derive(Debug, Default)]
pub struct Tried {
    /// First those where earlier tries have failed, then those that could not be connected to.
    endpoints: Vec<SocketAddr>,
    earlier: usize,
}

impl Tried {
    /// Of a request whose earlier tries went to these.
    pub fn by_earlier(endpoints: Vec<SocketAddr>) -> Self {
        Self { earlier: endpoints.len(), endpoints }
    }

    /// Whether there is none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }

    /// Whether this is one of them.
    #[inline]
    pub(super) fn contains(&self, endpoint: SocketAddr) -> bool {
        self.endpoints.contains(&endpoint)
    }

    /// Those that could not be connected to in this try.
    #[inline]
    pub(super) fn unreachable(&self) -> &[SocketAddr] {
        self.endpoints.get(self.earlier..).unwrap_or_default()
    }

    /// Adds one that could not be connected to.
    pub(super) fn push(&mut self, endpoint: SocketAddr) {
        self.endpoints.push(endpoint);
    }
}
