//! `localRateLimit`: how many requests of a host's port may pass.

use std::time::Duration;

use crds::MetaRouterSpec;
use crds::rules::NO_BUCKET;

use super::model::{RateLimit, TokenBucket};
use super::report::Report;
use super::{duration, matchers};
use crate::object::Object;
use crate::status::Finding;
use crate::tree::FieldPath;

/// Conditions that a limit may have: the proxy's limit, as the two below.
pub const CONDITIONS_LIMIT: usize = 1000;
/// The shortest time between two fills.
pub const FILL_INTERVAL_FLOOR: Duration = Duration::from_millis(50);
/// The longest.
pub const FILL_INTERVAL_LIMIT: Duration = Duration::from_hours(30 * 24);

/// A mistake, which has been told.
#[derive(Debug)]
pub(crate) struct Mistaken;

/// The limit of a `MetaRouter`, if it has one.
pub(crate) fn read(
    object: &Object<MetaRouterSpec>,
    report: &mut Report,
) -> Result<Option<RateLimit>, Mistaken> {
    let Some(limit) = &object.spec.local_rate_limit else { return Ok(None) };
    let mut reader = Reader { object, report, is_sound: true };
    let path = FieldPath::spec().field("localRateLimit");
    if limit.token_bucket.is_none() && limit.conditions.is_empty() {
        reader.mistake(&path, NO_BUCKET);
    }
    if limit.conditions.len() > CONDITIONS_LIMIT {
        let text = format!("has {} items, must have at most {CONDITIONS_LIMIT}", limit.conditions.len());
        reader.mistake(&path.field("conditions"), text);
    }
    let default =
        limit.token_bucket.as_ref().and_then(|bucket| reader.bucket(bucket, &path.field("tokenBucket")));
    let mut conditions = Vec::new();
    let mut takes_all = None;
    for (i, condition) in limit.conditions.iter().enumerate() {
        let at = path.field("conditions").index(i);
        let never = |first: usize| {
            format!("is never reached: conditions[{first}] has no attributes and takes every request")
        };
        if let Some(first) = takes_all {
            reader.report.warning(object, &at, never(first));
        } else if condition.matches.attributes.is_empty() {
            takes_all = Some(i);
        }
        let read = matchers::read(object, Some(&condition.matches), &at.field("match"), reader.report);
        reader.is_sound &= read.is_some();
        let bucket = reader.bucket(&condition.token_bucket, &at.field("tokenBucket"));
        conditions.extend(read.zip(bucket));
    }
    if let Some(first) = takes_all.filter(|_| default.is_some()) {
        let text = format!("has no effect: conditions[{first}] has no attributes and takes every request");
        reader.report.warning(object, &path.field("tokenBucket"), text);
    }
    if reader.is_sound { Ok(Some(RateLimit { conditions, default })) } else { Err(Mistaken) }
}

struct Reader<'r, 'a> {
    object: &'a Object<MetaRouterSpec>,
    report: &'r mut Report,
    is_sound: bool,
}

impl Reader<'_, '_> {
    fn mistake(&mut self, path: &FieldPath, finding: impl Into<Finding>) {
        self.is_sound = false;
        self.report.error(self.object, path, finding);
    }

    fn bucket(&mut self, bucket: &crds::TokenBucket, path: &FieldPath) -> Option<TokenBucket> {
        let tokens_per_fill = bucket.tokens_per_fill.unwrap_or(1);
        for (field, value) in [("maxTokens", bucket.max_tokens), ("tokensPerFill", tokens_per_fill)] {
            if value == 0 {
                self.mistake(&path.field(field), "must be at least 1");
            }
        }
        if tokens_per_fill > bucket.max_tokens && bucket.max_tokens > 0 {
            let text = format!("is more than maxTokens, so that only {} fit", bucket.max_tokens);
            self.report.warning(self.object, &path.field("tokensPerFill"), text);
        }
        let at = path.field("fillInterval");
        match duration::parse(&bucket.fill_interval) {
            Ok(fill_interval) if fill_interval < FILL_INTERVAL_FLOOR => {
                let text = format!(
                    "must be at least {FILL_INTERVAL_FLOOR:?}, not {}; what is to come more often comes as well in larger portions",
                    bucket.fill_interval
                );
                self.mistake(&at, text);
            }
            Ok(fill_interval) if fill_interval > FILL_INTERVAL_LIMIT => {
                self.mistake(&at, format!("must be at most 30 days, not {}", bucket.fill_interval));
            }
            Ok(fill_interval) => {
                let max_tokens = bucket.max_tokens;
                return Some(TokenBucket { max_tokens, tokens_per_fill, fill_interval });
            }
            Err(message) => self.mistake(&at, message),
        }
        None
    }
}
