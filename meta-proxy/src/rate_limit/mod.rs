//! The buckets that requests take tokens from, shared by all workers of the process.
//!
//! A request of a service with a limit takes one token before its route is looked for; `serve` asks, and answers what is
//! refused. Which of the buckets it takes from is the route table's to say, since conditions are compiled as routes are.
//! Nothing here knows what a request is.

mod bucket;

use std::sync::Arc;

use tokio::time::Instant;

use crate::model::RateLimit;

pub use bucket::Bucket;

/// The buckets of one route configuration.
#[derive(Debug)]
pub struct Buckets {
    model: RateLimit,
    /// In the order of the conditions.
    conditional: Box<[Arc<Bucket>]>,
    default: Option<Arc<Bucket>>,
}

impl Buckets {
    /// The buckets of `model`, which came into force at `now`. One that is the same as in `old`, for the same requests,
    /// stays as full as it is.
    pub fn new(model: &RateLimit, old: Option<&Arc<Self>>, now: Instant) -> Arc<Self> {
        if let Some(old) = old.filter(|old| old.model == *model) {
            return old.clone();
        }
        let conditional = model.conditions.iter().map(|condition| {
            let known = old.and_then(|old| {
                let place = old.model.conditions.iter().position(|known| known == condition)?;
                old.conditional.get(place)
            });
            known.cloned().unwrap_or_else(|| Arc::new(Bucket::new(condition.bucket, now)))
        });
        let default = model.default.map(|bucket| {
            let known = old.filter(|old| old.model.default == Some(bucket));
            let known = known.and_then(|old| old.default.clone());
            known.unwrap_or_else(|| Arc::new(Bucket::new(bucket, now)))
        });
        Arc::new(Self { model: model.clone(), conditional: conditional.collect(), default })
    }

    /// The bucket of requests whose first condition that holds is this one; of those that none holds of. `None`: they
    /// are not limited.
    #[inline]
    pub fn of(&self, condition: Option<usize>) -> Option<&Bucket> {
        match condition {
            Some(condition) => self.conditional.get(condition),
            None => self.default.as_ref(),
        }
        .map(|bucket| &**bucket)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{AttributeMatcher, ConditionalBucket, Matcher, TokenBucket, ValueMatcher};

    fn bucket(max_tokens: u32) -> TokenBucket {
        TokenBucket { max_tokens, tokens_per_fill: 1, fill_interval: Duration::from_secs(1) }
    }

    fn condition(method: &str, max_tokens: u32) -> ConditionalBucket {
        let matcher = Matcher::Is(ValueMatcher::Exact(method.to_owned()));
        let matchers = vec![AttributeMatcher { name: "method".to_owned(), matcher }];
        ConditionalBucket { matchers, bucket: bucket(max_tokens) }
    }

    fn left(buckets: &Buckets, condition: Option<usize>, now: Instant) -> Option<u32> {
        buckets.of(condition).map(|bucket| bucket.tokens(now))
    }

    #[test]
    fn a_bucket_keeps_its_fill_over_changes_that_are_not_its_own() {
        let now = Instant::now();
        let conditions = vec![condition("a", 5), condition("b", 5)];
        let first = Buckets::new(&RateLimit { conditions, default: Some(bucket(5)) }, None, now);
        for place in [Some(0), Some(1), None] {
            assert!(first.of(place).unwrap().take(now));
        }
        // Another order, a further condition, a larger bucket for b; the default is as it was.
        let conditions = vec![condition("c", 5), condition("b", 6), condition("a", 5)];
        let second = Buckets::new(&RateLimit { conditions, default: Some(bucket(5)) }, Some(&first), now);
        let all = [Some(0), Some(1), Some(2), None].map(|place| left(&second, place, now));
        assert_eq!(all, [Some(5), Some(6), Some(4), Some(4)]);
        let third = Buckets::new(&RateLimit { conditions: vec![], default: None }, Some(&second), now);
        assert_eq!(left(&third, None, now), None, "no default bucket: not limited");
    }

    #[test]
    fn buckets_that_did_not_change_are_the_same() {
        let now = Instant::now();
        let limit = RateLimit { conditions: vec![condition("a", 5)], default: None };
        let first = Buckets::new(&limit, None, now);
        assert!(Arc::ptr_eq(&first, &Buckets::new(&limit, Some(&first), now)));
    }
}
