//! Limits that hold for the whole process, whatever the number of workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::budget::Budget;
use super::standing::Roster;

/// What a cluster uses now of what it is allowed, and how its endpoints stand. Counted only where a limit is set.
#[derive(Debug, Default)]
pub struct Usage {
    /// Upstream connections, those under way included.
    pub connections: Count,
    /// Requests that wait for a connection.
    pub pending: Count,
    /// Outstanding requests.
    pub requests: Count,
    /// Requests that are tried again. Counted only where routes allow that.
    pub retries: Budget,
    /// Its endpoints, where they are judged.
    pub roster: Roster,
}

/// A count that is never above its limit.
#[derive(Debug, Default)]
pub struct Count(Arc<AtomicU32>);

/// One unit of a count; given back on drop.
#[derive(Debug)]
pub struct Permit(Option<Arc<AtomicU32>>);

impl Count {
    /// Takes one unit. `None` means that there are `limit` already; without a limit nothing is counted.
    #[inline]
    pub fn take(&self, limit: Option<u32>) -> Option<Permit> {
        let Some(limit) = limit else { return Some(Permit(None)) };
        let more = |used: u32| (used < limit).then(|| used + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Permit(Some(self.0.clone())))
    }

    /// Takes one unit whatever the limit.
    pub fn force(&self, limit: Option<u32>) -> Permit {
        if limit.is_none() {
            return Permit(None);
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        Permit(Some(self.0.clone()))
    }

    /// Units in use.
    pub fn used(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(count) = &self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_exact_and_permits_come_back() {
        let count = Count::default();
        let first = count.take(Some(2)).unwrap();
        let _second = count.take(Some(2)).unwrap();
        assert!(count.take(Some(2)).is_none());
        drop(first);
        assert!(count.take(Some(2)).is_some());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let count = Count::default();
        let _permit = count.take(None).unwrap();
        assert_eq!(count.used(), 0);
    }
}
