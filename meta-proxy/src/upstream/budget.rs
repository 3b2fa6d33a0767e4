//! How many requests of a cluster may be tried again at once, in the whole process.
//!
//! Where every request fails, trying each of them again would multiply the load on endpoints that cannot bear what they
//! have. So it is a share of the requests that are on their first try: what endpoints get is a fifth more at most. A few
//! are allowed whatever the share, or a quiet cluster would have none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests that may be tried again at once, in percent of those that are on their first try.
pub const BUDGET_PERCENT: u64 = 20;
/// Requests that may be tried again at once in any case.
pub const BUDGET_LEAST: u64 = 3;

/// One request on its first try, in the counts of a budget.
const FIRST: u64 = 1;
/// One request that is tried again.
const AGAIN: u64 = 1 << 32;

/// What is under way of those requests of a cluster that may be tried again.
#[derive(Debug, Default)]
pub struct Budget(Arc<AtomicU64>);

/// The place of one of these requests in the counts; given back on drop.
#[derive(Debug)]
pub struct Share {
    counts: Arc<AtomicU64>,
    is_again: bool,
}

impl Budget {
    /// Counts one more request, which is on its first try.
    pub fn join(&self) -> Share {
        self.0.fetch_add(FIRST, Ordering::Relaxed);
        Share { counts: self.0.clone(), is_again: false }
    }

    /// Requests that are tried again now.
    pub fn used(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / AGAIN
    }
}

impl Share {
    /// Lets its request be tried again, unless as many others are as may be, or `most`.
    pub fn retry(&mut self, most: Option<u32>) -> bool {
        let own = if self.is_again { AGAIN } else { FIRST };
        let moved = self.counts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |counts| {
            let others = counts - own;
            let (first, again) = (others % AGAIN, others / AGAIN);
            (again < allowed(first, most)).then_some(others + AGAIN)
        });
        self.is_again |= moved.is_ok();
        moved.is_ok()
    }
}

/// How many requests may be tried again beside so many that are on their first try.
fn allowed(first: u64, most: Option<u32>) -> u64 {
    (first * BUDGET_PERCENT / 100).max(BUDGET_LEAST).min(most.map_or(u64::MAX, u64::from))
}

impl Drop for Share {
    fn drop(&mut self) {
        self.counts.fetch_sub(if self.is_again { AGAIN } else { FIRST }, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `count` requests under way, how many may be tried again if each asks.
    fn retried(count: usize, most: Option<u32>) -> usize {
        let budget = Budget::default();
        let mut shares: Vec<Share> = (0..count).map(|_| budget.join()).collect();
        let retried = shares.iter_mut().filter_map(|share| share.retry(most).then_some(())).count();
        assert_eq!(budget.used(), retried as u64);
        drop(shares);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0, "all have been given back");
        retried
    }

    #[test]
    fn a_fifth_of_what_is_on_its_first_try_may_be_tried_again_and_three_in_any_case() {
        let rows = [
            (1, None, 1),
            (3, None, 3),
            (10, None, 3),
            (24, None, 4),
            (100, None, 16),
            (1200, None, 200),
            (100, Some(5), 5),
            (100, Some(50), 16),
            (10, Some(1), 1),
            (10, Some(0), 0),
        ];
        for (count, most, expected) in rows {
            assert_eq!(retried(count, most), expected, "{count} {most:?}");
        }
    }

    #[test]
    fn a_request_that_is_tried_a_second_time_counts_once() {
        let budget = Budget::default();
        let mut shares: Vec<Share> = (0..3).map(|_| budget.join()).collect();
        for _round in 0..5 {
            assert!(shares.iter_mut().all(|share| share.retry(None)));
            assert_eq!(budget.used(), 3);
        }
        let mut late = budget.join();
        assert!(!late.retry(None));
        shares.pop();
        assert!(late.retry(None), "there is room again");
    }

    #[test]
    fn a_share_that_shrinks_ends_the_tries_that_are_beyond_it() {
        let budget = Budget::default();
        let mut shares: Vec<Share> = (0..100).map(|_| budget.join()).collect();
        let again: Vec<bool> = shares.iter_mut().map(|share| share.retry(None)).collect();
        let mut tried = Vec::new();
        for (share, is_again) in shares.into_iter().zip(again) {
            if is_again {
                tried.push(share);
            }
        }
        assert_eq!(tried.len(), 16);
        let left = tried.into_iter().filter_map(|mut share| share.retry(None).then_some(share));
        assert_eq!(left.count(), 3, "nothing else is under way");
    }
}
