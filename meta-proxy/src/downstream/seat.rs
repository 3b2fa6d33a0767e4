//! A connection's place among those of its worker and its listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts one connection for as long as it lives.
#[derive(Debug, Default)]
pub struct Seat(Vec<Arc<AtomicUsize>>);

impl Seat {
    /// Takes one place in each of `counts`.
    pub fn take(counts: impl IntoIterator<Item = Arc<AtomicUsize>>) -> Self {
        let counts: Vec<_> = counts.into_iter().collect();
        for count in &counts {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Self(counts)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        for count in &self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
