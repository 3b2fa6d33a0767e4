//! Whether a request may pass the rate limit of its service: it takes one token before its route is looked for.
//!
//! What its client's codec answers itself takes none, and copies take none. What is about its client's pin (the end of a
//! transaction, of a subscription) takes one if there is one, and is never refused: a client must always be able to end
//! what it holds.

use codec_api::Affinity;

use crate::error::Failure;
use crate::rate_limit::Buckets;
use crate::route::Table;
use crate::snapshot::Traced;

use super::{Asked, look_up};

/// Takes the token of a request, and looks for its route. The request is looked into once for both.
#[inline(never)]
pub(super) fn find(
    asked: &Asked<'_>,
    table: &Table,
    (buckets, traced): (&Buckets, Option<&Traced>),
) -> Result<Option<usize>, Failure> {
    if asked.message.opaque.is_some() {
        take(asked, buckets, table.find_unconditional_limit())?;
        return Ok(table.find_unconditional());
    }
    look_up(asked, table, traced, |lookup| {
        take(asked, buckets, table.find_limit(lookup))?;
        Ok(table.find(lookup))
    })
}

/// Takes the token of a request, the first condition of whose limit that holds is this one.
fn take(asked: &Asked<'_>, buckets: &Buckets, condition: Option<usize>) -> Result<(), Failure> {
    match buckets.of(condition) {
        Some(bucket) if !bucket.take(asked.client.local().now()) && !is_about_pin(asked) => {
            Err(Failure::RateLimited)
        }
        _ => Ok(()),
    }
}

/// Whether a request is about the connection that its client is pinned to.
pub(super) fn is_about_pin(asked: &Asked<'_>) -> bool {
    asked.client.is_pinned() && matches!(asked.message.flow.affinity, Affinity::Pin | Affinity::Unpin)
}
