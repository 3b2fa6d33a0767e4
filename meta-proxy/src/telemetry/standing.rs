//! What one worker has learned of an endpoint besides counts, for those who look at it from outside.
//!
//! A worker tells it when it learns something, which is rare, so that the lock costs nothing; whoever looks never makes a
//! worker wait for more than a copy.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Where a worker tells what it has learned of an endpoint last.
#[derive(Debug, Default)]
pub struct Standing(Mutex<Learned>);

/// What a worker has learned of an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learned {
    /// It has said that it is going away, on a connection that is open.
    pub is_leaving: bool,
    /// The last connection on which it had said so has ended, and it is taken for leaving until then.
    pub left_until: Option<Instant>,
    /// Why it could not be connected to the last time; `None`: it could, or nobody has tried.
    pub unreachable: Option<String>,
}

impl Standing {
    /// Tells it.
    pub fn set(&self, learned: Learned) {
        *self.lock() = learned;
    }

    /// What was told last.
    pub fn get(&self) -> Learned {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Learned> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Learned {
    /// Whether others are preferred because it leaves.
    pub fn is_leaving_at(&self, now: Instant) -> bool {
        self.is_leaving || self.left_until.is_some_and(|until| now < until)
    }
}
