//! A request that may be sent once more when a try of it has failed.
//!
//! It stays one exchange, with one record and one place among its client's answers; what ends is a try. Who decides
//! whether another one follows, and carries it out, is not known here.

use std::mem;
use std::net::SocketAddr;

use tokio::time::Instant;

use super::{End, Ends, Exchange, Then};

/// What may send a request once more, as `exchange` needs to know it.
pub trait Again {
    /// Takes note of an endpoint that the request is about to be sent to.
    fn attempt(&mut self, endpoint: SocketAddr);

    /// Takes note of the hash that leads to its endpoints.
    fn lead_by(&mut self, hash: u64);

    /// When the try began that is under way.
    fn began(&self) -> Instant;

    /// Takes the end of a try: sends the request once more, or ends it.
    fn end(self: Box<Self>, exchange: Exchange, end: End<'_>);
}

impl Exchange {
    /// Lets `again` have the end of its next try, which is over at `deadline`; `None`: never.
    pub fn try_under(&mut self, again: Box<dyn Again>, deadline: Option<Instant>) {
        (self.0.ends, self.0.deadline) = (Ends::Try(again), deadline);
    }

    /// Notes the hash that leads to its endpoints.
    pub fn lead_by(&mut self, hash: u64) {
        if let Ends::Try(again) = &mut self.0.ends {
            again.lead_by(hash);
        }
    }

    /// Notes that it would be tried again if that were allowed once more.
    pub fn exhaust(&mut self) {
        self.0.record.exhausted();
    }

    /// Ends a try of it.
    pub(super) fn end_try(mut self, end: End<'_>) {
        let then: Then = |exchange, _| drop(exchange);
        if let Ends::Try(again) = mem::replace(&mut self.0.ends, Ends::With(then)) {
            again.end(self, end);
        }
    }
}
