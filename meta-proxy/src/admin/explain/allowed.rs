//! What a request may: take a token, be tried again.

use crate::model::{RateLimit, Retries, TokenBucket};
use crate::route::Explanation;

/// Which bucket a request takes its token from, and why.
pub(super) fn limit(limit: &RateLimit, explained: &Explanation) -> Vec<String> {
    let tried = explained.tried.iter().map(|tried| match &tried.failed {
        Some(failed) => format!("conditions[{}]: {failed}", tried.route),
        None => format!("conditions[{}]: matches", tried.route),
    });
    let (what, bucket) = match explained.chosen {
        Some(index) => ("its bucket", limit.conditions.get(index).map(|condition| condition.bucket)),
        None => ("the default bucket", limit.default),
    };
    let bucket = match bucket {
        Some(TokenBucket { max_tokens, tokens_per_fill, fill_interval }) => {
            format!("{what} of {max_tokens} tokens, {tokens_per_fill} more every {fill_interval:?}")
        }
        None => "none: there is no default bucket".to_owned(),
    };
    tried.chain([bucket]).collect()
}

/// How often a request is tried again, and which ones are.
pub(super) fn retries(retries: &Retries) -> Vec<String> {
    let each = retries.per_try_timeout.map(|time| format!(", {time:?} for each")).unwrap_or_default();
    let head = format!("{} after the first try{each}, of requests that are idempotent:", retries.attempts);
    let requests = retries.idempotent.iter().map(|requests| {
        let all: Vec<_> = requests.iter().map(ToString::to_string).collect();
        if all.is_empty() { "any".to_owned() } else { all.join(" and ") }
    });
    [head].into_iter().chain(requests).collect()
}
