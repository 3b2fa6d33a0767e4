//! What a client is told whose request no route matches. It is made only then, and its cost is bounded.

use std::fmt::Write;

use crate::error::Failure;
use crate::snapshot::ServiceView;

use super::{Asked, look_up};

/// Characters of a field of the head that are told.
const FIELD: usize = 200;
/// Services of a listener that are named to a client which asks for another one.
const SERVICES: usize = 5;

/// Why no route matches: what the request is, how many routes there are, and what the nearest one lacks.
#[cold]
pub(super) fn unrouted(asked: &Asked<'_>, service: &ServiceView, failure: Failure) -> String {
    let mut text = failure.text().to_owned();
    // Writing to a string does not fail.
    let _ = match service.table {
        None if service.is_known => write!(text, ": {}", service.host),
        _ => match &*head(asked) {
            "" => Ok(()),
            head => write!(text, " for{head}"),
        },
    };
    let _ = match (asked.message.opaque, &service.table) {
        (Some(opaque), _) => {
            write!(text, ": {opaque} hides the attributes; only routes without conditions match")
        }
        (None, Some(_)) => {
            let nearest = nearest(asked, service).map(|near| format!("; nearest is {near}"));
            let count = service.routes.len();
            write!(text, " ({count} routes of {}{})", service.host, nearest.unwrap_or_default())
        }
        (None, None) if service.is_known => Ok(()),
        (None, None) => write!(text, " (no such service behind this address{})", others(asked)),
    };
    text
}

/// The fields of the head.
fn head(asked: &Asked<'_>) -> String {
    let names = asked.listener.properties().head.iter();
    let shown = names.enumerate().filter_map(|(place, name)| {
        let value = asked.head(Some(place))?;
        let value = String::from_utf8_lossy(&value);
        Some(match value.char_indices().nth(FIELD) {
            Some((end, _)) => format!(" {name}={}…", &value[..end]),
            None => format!(" {name}={value}"),
        })
    });
    shown.collect()
}

/// The nearest route, in words, unless too many were told in this second. Values are shown of attributes that the route
/// names.
fn nearest(asked: &Asked<'_>, service: &ServiceView) -> Option<String> {
    let table = service.table.as_ref().filter(|_| asked.client.local().may_elaborate())?;
    let near = look_up(asked, table, None, |attributes| table.nearest(attributes));
    near.map(|near| near.to_string())
}

/// The services that there are.
fn others(asked: &Asked<'_>) -> String {
    let mut names = asked.listener.spec().services.iter().filter_map(|service| service.model.name.as_deref());
    let shown: Vec<_> = names.by_ref().take(SERVICES).collect();
    match (shown.is_empty(), names.count()) {
        (true, _) => String::new(),
        (false, 0) => format!("; there are {}", shown.join(", ")),
        (false, more) => format!("; there are {} and {more} more", shown.join(", ")),
    }
}
