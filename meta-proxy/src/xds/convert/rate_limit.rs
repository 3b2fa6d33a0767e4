//! `metaproxy.v1.LocalRateLimit`.

use std::time::Duration;

use ::xds::v1;

use crate::model::{ConditionalBucket, RateLimit, TokenBucket};
use crate::xds::convert::read::positive_duration;
use crate::xds::convert::routes::Reader;

/// Conditions that a rate limit may have.
pub const LIMIT_CONDITIONS_LIMIT: usize = 1000;
/// The shortest time between two fills of a bucket. What is to come more often comes as well in larger portions.
pub const FILL_INTERVAL_FLOOR: Duration = Duration::from_millis(50);

/// Where it stands in its route configuration.
const AT: &str = "local_rate_limit";

impl Reader<'_> {
    pub(super) fn rate_limit(&mut self, message: v1::LocalRateLimit) -> Option<RateLimit> {
        let count = message.conditions.len();
        if count > LIMIT_CONDITIONS_LIMIT {
            let text = format!("holds {count} conditions; at most {LIMIT_CONDITIONS_LIMIT} are allowed");
            self.mistakes.add(format_args!("{AT}.conditions"), text);
            return None;
        }
        if count == 0 && message.token_bucket.is_none() {
            self.mistakes.add(AT, "must have a token_bucket, a condition, or both");
        }
        let at = format!("{AT}.token_bucket");
        let default = message.token_bucket.map(|bucket| self.bucket(Some(bucket), &at));
        let conditions = message.conditions.into_iter().enumerate().map(|(index, condition)| {
            let at = format!("{AT}.conditions[{index}]");
            let matchers = self.matchers(condition.attributes, &at);
            let bucket = self.bucket(condition.token_bucket, &format!("{at}.token_bucket"));
            Some(ConditionalBucket { matchers: matchers?, bucket: bucket? })
        });
        // All are read, for the sake of their mistakes.
        let conditions: Vec<_> = conditions.collect();
        let default = default.map_or(Some(None), |bucket| bucket.map(Some));
        Some(RateLimit { conditions: conditions.into_iter().collect::<Option<_>>()?, default: default? })
    }

    fn bucket(&mut self, message: Option<v1::TokenBucket>, at: &str) -> Option<TokenBucket> {
        let Some(message) = message else {
            self.mistakes.add(at, "must be set");
            return None;
        };
        let v1::TokenBucket { max_tokens, tokens_per_fill, fill_interval } = message;
        for (field, value) in [("max_tokens", max_tokens), ("tokens_per_fill", tokens_per_fill)] {
            if value == 0 {
                self.mistakes.add(format_args!("{at}.{field}"), "must be at least 1");
            }
        }
        let field = format!("{at}.fill_interval");
        if fill_interval.is_none() {
            self.mistakes.add(&field, "must be set");
        }
        let fill_interval = positive_duration(fill_interval, &field, self.mistakes)?;
        if fill_interval < FILL_INTERVAL_FLOOR {
            let text = format!("{fill_interval:?} is too short; the shortest is {FILL_INTERVAL_FLOOR:?}");
            self.mistakes.add(field, text);
        }
        Some(TokenBucket { max_tokens, tokens_per_fill, fill_interval })
    }
}

#[cfg(test)]
mod tests {
    use ::xds::v1::attribute_matcher::Matcher::Exact;
    use ::xds::{Resource, ResourceType};

    use super::*;
    use crate::model::{AttributeMatcher, Matcher, ValueMatcher};
    use crate::xds::convert::Converted;
    use crate::xds::fixtures::{convert_good, matcher, millis, refused, resource, route, routes, seconds};

    fn with_limit(limit: v1::LocalRateLimit) -> Resource {
        let whole = v1::RouteConfiguration {
            local_rate_limit: Some(limit),
            ..routes("r", vec![route("all", &[("c", 100)])])
        };
        resource(ResourceType::Routes, "r", &whole)
    }

    fn bucket(max_tokens: u32, tokens_per_fill: u32) -> v1::TokenBucket {
        v1::TokenBucket { max_tokens, tokens_per_fill, fill_interval: seconds(1) }
    }

    fn with_default(bucket: v1::TokenBucket) -> Resource {
        with_limit(v1::LocalRateLimit { token_bucket: Some(bucket), conditions: vec![] })
    }

    fn with_conditions(conditions: Vec<v1::ConditionalBucket>) -> Resource {
        with_limit(v1::LocalRateLimit { token_bucket: None, conditions })
    }

    #[test]
    fn a_limit_is_read_whole() {
        let attributes = vec![matcher("method", Exact("pay".to_owned()))];
        let first = v1::ConditionalBucket { attributes, token_bucket: Some(bucket(2, 1)) };
        let second = v1::ConditionalBucket { attributes: vec![], token_bucket: Some(bucket(u32::MAX, 7)) };
        let limit = v1::LocalRateLimit { token_bucket: Some(bucket(5, 9)), conditions: vec![first, second] };
        let Converted::Routes(read) = convert_good(&with_limit(limit)) else { panic!("no routes") };
        let bucket = |max_tokens, tokens_per_fill| TokenBucket {
            max_tokens,
            tokens_per_fill,
            fill_interval: Duration::from_secs(1),
        };
        let matcher = Matcher::Is(ValueMatcher::Exact("pay".to_owned()));
        let matchers = vec![AttributeMatcher { name: "method".to_owned(), matcher }];
        let expected = RateLimit {
            conditions: vec![
                ConditionalBucket { matchers, bucket: bucket(2, 1) },
                ConditionalBucket { matchers: vec![], bucket: bucket(u32::MAX, 7) },
            ],
            default: Some(bucket(5, 9)),
        };
        assert_eq!(read.model.rate_limit, Some(expected));
    }

    #[test]
    fn a_limit_has_a_bucket() {
        let at = "local_rate_limit";
        refused(
            with_limit(v1::LocalRateLimit::default()),
            &["local_rate_limit: must have a token_bucket, a condition, or both"],
        );
        let empty = v1::ConditionalBucket::default();
        let expected = format!("{at}.conditions[1].token_bucket: must be set");
        let good = v1::ConditionalBucket { attributes: vec![], token_bucket: Some(bucket(1, 1)) };
        refused(with_conditions(vec![good, empty]), &[&expected]);
    }

    #[test]
    fn a_bucket_says_how_much_and_how_often() {
        let at = "local_rate_limit.token_bucket";
        refused(
            with_default(bucket(0, 0)),
            &[
                &format!("{at}.max_tokens: must be at least 1"),
                &format!("{at}.tokens_per_fill: must be at least 1"),
            ],
        );
        for (fill_interval, why) in [
            (None, "must be set"),
            (seconds(0), "must be longer than 0s"),
            (millis(49), "49ms is too short; the shortest is 50ms"),
            (seconds(-1), "-1 s and 0 ns is not a duration from 0s to 30 days"),
            (seconds(2_592_001), "2592001 s and 0 ns is not a duration from 0s to 30 days"),
        ] {
            let bucket = v1::TokenBucket { fill_interval, ..bucket(1, 1) };
            refused(with_default(bucket), &[&format!("{at}.fill_interval: {why}")]);
        }
        convert_good(&with_default(v1::TokenBucket { fill_interval: millis(50), ..bucket(1, 1) }));
    }

    #[test]
    fn conditions_are_read_as_those_of_routes_are() {
        let attributes = vec![matcher("", v1::attribute_matcher::Matcher::Regex("(".to_owned()))];
        let condition = v1::ConditionalBucket { attributes, token_bucket: Some(bucket(1, 1)) };
        let at = "local_rate_limit.conditions[0].attributes[0]";
        refused(
            with_conditions(vec![condition]),
            &[
                &format!("{at}.name: must not be empty"),
                &format!("{at}.regex: the regular expression does not compile: unclosed group (column 1)"),
            ],
        );
        let many = vec![v1::ConditionalBucket::default(); LIMIT_CONDITIONS_LIMIT + 1];
        let expected = "local_rate_limit.conditions: holds 1001 conditions; at most 1000 are allowed";
        refused(with_conditions(many), &[expected]);
    }
}
