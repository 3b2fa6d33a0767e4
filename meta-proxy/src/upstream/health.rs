//! What one worker has learned of an endpoint: that it leaves, or that it cannot be connected to.
//!
//! After a connection attempt that fails, the next one is made only after a while that grows from failure to failure, so
//! that an endpoint that is down costs a few attempts per second, whatever the load. Until then its requests go elsewhere
//! or fail at once.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::time::Instant;

use crate::local::Local;
use crate::telemetry::Learned;

/// How long an endpoint is avoided after it has said goodbye and closed.
const LEAVING_TIME: Duration = Duration::from_secs(5);
/// Milliseconds until the next connection attempt after the first failure; they double with each further one.
const FIRST_PAUSE_MS: u32 = 10;
/// The longest such pause, in milliseconds.
const LONGEST_PAUSE_MS: u32 = 400;

/// What is known of an endpoint.
#[derive(Default)]
pub(super) struct Health {
    /// Connections on which it has said that it is going away.
    leaving: Cell<usize>,
    /// Until when it is taken for going away although such a connection has ended.
    left_until: Cell<Option<Instant>>,
    /// Connection attempts that have failed, one after the other.
    failures: Cell<u32>,
    /// When the next one may be made.
    shunned_until: Cell<Option<Instant>>,
    why: RefCell<String>,
}

impl Health {
    /// Whether it has said that it is going away.
    #[inline]
    pub(super) fn is_leaving(&self, now: Instant) -> bool {
        self.leaving.get() > 0 || self.left_until.get().is_some_and(|until| now < until)
    }

    /// Notes that a connection on which it had said so has ended. It may still accept others for a moment, and end
    /// with them.
    pub(super) fn has_left(&self, now: Instant) {
        self.left_until.set(Some(now + LEAVING_TIME));
    }

    /// Notes that it has said so on one more connection, or that it takes that back.
    pub(super) fn set_leaving(&self, is_leaving: bool) {
        let count = self.leaving.get();
        self.leaving.set(if is_leaving { count + 1 } else { count - 1 });
        self.left_until.set(None);
    }

    /// Whether no attempt to connect may be made yet.
    #[inline]
    pub(super) fn is_shunned(&self, now: Instant) -> bool {
        self.shunned_until.get().is_some_and(|until| now < until)
    }

    /// Whether requests that need one more attempt are to go elsewhere. After a failure there is one attempt at a time.
    #[inline]
    pub(super) fn is_avoided(&self, now: Instant, is_trying: bool) -> bool {
        self.is_shunned(now) || (is_trying && self.failures.get() > 0)
    }

    /// Why no attempt may be made.
    pub(super) fn why(&self) -> String {
        self.why.borrow().clone()
    }

    /// Notes that an attempt has failed.
    pub(super) fn failed(&self, why: &str, local: &Local) {
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        let pause = local.pause(FIRST_PAUSE_MS, failures, LONGEST_PAUSE_MS);
        self.shunned_until.set(Some(local.now() + pause));
        why.clone_into(&mut self.why.borrow_mut());
    }

    /// Notes that one has succeeded; tells whether the one before had not.
    pub(super) fn connected(&self) -> bool {
        self.shunned_until.set(None);
        self.failures.replace(0) > 0
    }

    /// All that is known.
    pub(super) fn learned(&self) -> Learned {
        Learned {
            is_leaving: self.leaving.get() > 0,
            left_until: self.left_until.get().map(Instant::into_std),
            unreachable: (self.failures.get() > 0).then(|| self.why()),
        }
    }
}
