//! One bucket of tokens, exact among all who take from it at the same time, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::model::TokenBucket;

/// Bits of the state that hold the tokens; those above hold the number of the last fill.
const TOKEN_BITS: u32 = 32;

/// A bucket of tokens.
///
/// Fills come at fixed times, counted from when the bucket was made, and nobody has to be there: whoever takes a token
/// first adds what was due before. Tokens and the number of the last fill change together, in one word, so that no fill
/// is added twice and no token is taken twice, whoever comes when. A worker's clock may be a turn behind another's: then
/// it adds nothing and takes away nothing.
#[derive(Debug)]
pub struct Bucket {
    model: TokenBucket,
    /// When it was made.
    start: Instant,
    /// Nanoseconds between fills; not zero.
    interval: u64,
    state: AtomicU64,
}

impl Bucket {
    /// A full bucket.
    pub fn new(model: TokenBucket, now: Instant) -> Self {
        let interval = u64::try_from(model.fill_interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self { model, start: now, interval, state: AtomicU64::new(u64::from(model.max_tokens)) }
    }

    /// Takes a token. `false`: there is none.
    #[inline]
    pub fn take(&self, now: Instant) -> bool {
        let fill = self.fill_at(now);
        // Nothing else is published with the state, so that no order with other memory is needed.
        let taken = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
            let (last, tokens) = self.filled(state, fill);
            Some(join(last, tokens.checked_sub(1)?))
        });
        taken.is_ok()
    }

    /// What is in it.
    pub fn tokens(&self, now: Instant) -> u32 {
        self.filled(self.state.load(Ordering::Relaxed), self.fill_at(now)).1
    }

    /// Number of the last fill that is due, counted round: 32 bits last 6 years with the shortest interval.
    #[inline]
    fn fill_at(&self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.start).as_nanos() as u64;
        (passed / self.interval) as u32
    }

    /// Number of the last fill, and the tokens, once what is due at `fill` has been added.
    #[inline]
    fn filled(&self, state: u64, fill: u32) -> (u32, u32) {
        let (last, tokens) = ((state >> TOKEN_BITS) as u32, state as u32);
        let due = fill.wrapping_sub(last).cast_signed();
        if due <= 0 {
            return (last, tokens);
        }
        let added = due.unsigned_abs().saturating_mul(self.model.tokens_per_fill);
        (fill, tokens.saturating_add(added).min(self.model.max_tokens))
    }
}

#[inline]
fn join(last: u32, tokens: u32) -> u64 {
    (u64::from(last) << TOKEN_BITS) | u64::from(tokens)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Barrier};
    use std::thread;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    fn model(max_tokens: u32, tokens_per_fill: u32) -> TokenBucket {
        TokenBucket { max_tokens, tokens_per_fill, fill_interval: INTERVAL }
    }

    /// How many of `wanted` tokens there are.
    fn taken(bucket: &Bucket, wanted: usize, now: Instant) -> usize {
        (0..wanted).filter(|_| bucket.take(now)).count()
    }

    #[test]
    fn a_bucket_is_full_at_first_and_filled_at_fixed_times_up_to_what_it_holds() {
        let start = Instant::now();
        let bucket = Bucket::new(model(10, 4), start);
        for (millis, wanted, expected) in [
            (0, 20, 10),
            (99, 1, 0),
            (100, 20, 4),
            (199, 1, 0),
            (200, 3, 3),
            // The one that was left, and 4.
            (300, 20, 5),
            (350, 1, 0),
            // Ten fills were due.
            (1350, 20, 10),
            (1400, 20, 4),
        ] {
            let now = start + Duration::from_millis(millis);
            assert_eq!(taken(&bucket, wanted, now), expected, "at {millis} ms");
        }
    }

    #[test]
    fn a_clock_that_is_behind_adds_nothing_and_takes_back_nothing() {
        let start = Instant::now();
        let bucket = Bucket::new(model(2, 1), start);
        let later = start + 5 * INTERVAL;
        assert_eq!(taken(&bucket, 2, later), 2);
        assert!(!bucket.take(start), "what was due by then was added");
        assert!(!bucket.take(later), "and is not due again");
        assert!(bucket.take(later + INTERVAL));
    }

    #[test]
    fn large_numbers_do_not_overflow() {
        let start = Instant::now();
        let bucket = Bucket::new(model(u32::MAX, u32::MAX), start);
        assert!(bucket.take(start));
        let later = start + Duration::from_hours(24 * 365);
        assert_eq!(bucket.tokens(later), u32::MAX);
        assert!(bucket.take(later));
        assert_eq!(bucket.tokens(later), u32::MAX - 1);
    }

    #[test]
    fn the_number_of_a_fill_may_go_round() {
        let start = Instant::now();
        let bucket = Bucket::new(model(3, 1), start);
        let round = u64::from(u32::MAX);
        for fill in [round / 3, round / 3 * 2, round - 1, round, round + 1, round + 2] {
            let now = start + Duration::from_millis(100 * fill);
            assert!(bucket.take(now), "fill {fill}");
        }
        assert_eq!(bucket.tokens(start + Duration::from_millis(100 * (round + 2))), 2);
    }

    /// The same in the plainest words: a list of fills that have come.
    fn reference(model: TokenBucket, takers: &[(u64, usize)]) -> Vec<usize> {
        let (mut tokens, mut filled) = (u64::from(model.max_tokens), 0);
        let take = |&(millis, wanted): &(u64, usize)| {
            let due = millis / 100;
            while filled < due {
                filled += 1;
                tokens = (tokens + u64::from(model.tokens_per_fill)).min(u64::from(model.max_tokens));
            }
            let taken = (wanted as u64).min(tokens);
            tokens -= taken;
            taken as usize
        };
        takers.iter().map(take).collect()
    }

    proptest! {
        #[test]
        fn tokens_are_as_a_list_of_fills_would_have_it(
            max_tokens in 1..20_u32,
            tokens_per_fill in 1..30_u32,
            steps in prop::collection::vec((0..400_u64, -150..150_i64, 0..25_usize), 1..60),
        ) {
            let model = model(max_tokens, tokens_per_fill);
            let start = Instant::now();
            let bucket = Bucket::new(model, start);
            // Each taker's clock may be behind; what counts is the latest that anybody has brought.
            let (mut real, mut latest) = (0_u64, 0_u64);
            let (mut takers, mut all) = (Vec::new(), Vec::new());
            for (step, skew, wanted) in steps {
                real += step;
                let own = real.saturating_sub(skew.max(0).unsigned_abs());
                // A look at an empty bucket brings no time along.
                let count = taken(&bucket, wanted, start + Duration::from_millis(own));
                if count > 0 {
                    latest = latest.max(own);
                }
                takers.push((latest, wanted));
                all.push(count);
            }
            let expected = reference(model, &takers);
            prop_assert_eq!(all, expected);
        }
    }

    #[test]
    fn takers_at_the_same_time_get_exactly_what_there_is() {
        const TAKERS: u64 = 4;
        const FILLS: u64 = 200;
        for (max_tokens, tokens_per_fill) in [(1, 1), (7, 3), (50, 50), (1000, 13)] {
            let start = Instant::now();
            let bucket = Arc::new(Bucket::new(model(max_tokens, tokens_per_fill), start));
            let barrier = Arc::new(Barrier::new(TAKERS as usize));
            let granted: Arc<[AtomicU64]> = (0..FILLS).map(|_| AtomicU64::new(0)).collect();
            let takers = (0..TAKERS).map(|seed| {
                let (bucket, barrier, granted) = (bucket.clone(), barrier.clone(), granted.clone());
                thread::spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    for fill in 0..FILLS {
                        barrier.wait();
                        // Together they ask for more than there can be.
                        for _ in 0..=max_tokens {
                            let at = Duration::from_millis(100 * fill + random.u64(0..100));
                            if bucket.take(start + at) {
                                granted[fill as usize].fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                })
            });
            for taker in takers.collect::<Vec<_>>() {
                taker.join().unwrap();
            }
            let counts: Vec<u64> = granted.iter().map(|count| count.load(Ordering::Relaxed)).collect();
            assert_eq!(counts[0], u64::from(max_tokens), "full at first");
            let filled = u64::from(tokens_per_fill.min(max_tokens));
            assert!(
                counts[1..].iter().all(|count| *count == filled),
                "{max_tokens}, {tokens_per_fill}: {counts:?}"
            );
        }
    }

    #[test]
    fn takers_at_any_times_never_get_more_than_the_rate_allows() {
        const SPAN: u64 = 20_000;
        for seed in 0..20 {
            let start = Instant::now();
            let bucket = Arc::new(Bucket::new(model(9, 4), start));
            let granted = Arc::new(AtomicU64::new(0));
            let takers = (0..4).map(|taker| {
                let (bucket, granted) = (bucket.clone(), granted.clone());
                thread::spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed * 4 + taker);
                    let mut millis = 0;
                    while millis < SPAN {
                        millis += random.u64(0..40);
                        let now = start + Duration::from_millis(millis.min(SPAN));
                        granted.fetch_add(u64::from(bucket.take(now)), Ordering::Relaxed);
                        assert!(bucket.tokens(now) <= 9);
                    }
                })
            });
            for taker in takers.collect::<Vec<_>>() {
                taker.join().unwrap();
            }
            let most = 9 + 4 * (SPAN / 100);
            assert!(granted.load(Ordering::Relaxed) <= most);
        }
    }
}
