//! What a client is told of why the upstream side failed its request: which cluster, which endpoint, which limit.
//!
//! Each text begins with its failure's own words, by which people search. They are made only when a request has failed.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use crate::error::Failure;
use crate::model::{Cluster, Discovery};

/// Names of a cluster that are told where DNS has no address for any.
const NAMES: usize = 3;

/// Why there is no endpoint.
pub(super) fn no_endpoint(cluster: &Cluster) -> String {
    let mut text = format!("{}: {}", Failure::NoEndpoint.text(), cluster.name);
    // Writing to a string does not fail.
    let _ = match (&cluster.discovery, ::xds::names::parse_cluster(&cluster.name)) {
        (Discovery::Dns(names), _) => {
            let shown: Vec<_> = names.iter().take(NAMES).map(ToString::to_string).collect();
            let more = if names.len() > NAMES { ", …" } else { "" };
            write!(text, " (DNS has no address of {}{more})", shown.join(", "))
        }
        (Discovery::Assigned(_), Some(name)) if !name.subset.is_empty() => {
            write!(text, " (subset {} selects none of {}'s)", name.subset, name.host)
        }
        (Discovery::Assigned(_), _) => Ok(()),
    };
    text
}

/// Which limit of a cluster is reached.
pub(super) fn over_limit(failure: Failure, limit: Option<u32>, cluster: &str) -> String {
    match limit {
        Some(limit) => format!("{}: {limit} for {cluster}", failure.text()),
        None => format!("{} of {cluster}", failure.text()),
    }
}

/// Who did not respond, and after how long that was too late.
pub(super) fn no_response(endpoint: SocketAddr, timeout: Duration) -> String {
    format!("{}: {endpoint} did not respond within {timeout:?}", Failure::Timeout.text())
}

/// What a request waited for in vain that was not sent.
pub(super) fn no_connection(endpoint: SocketAddr, timeout: Duration) -> String {
    format!("{}: there was no connection to {endpoint} for it within {timeout:?}", Failure::Timeout.text())
}

/// Which connection was lost.
pub(super) fn lost(endpoint: SocketAddr) -> String {
    format!("{}: that to {endpoint} has ended", Failure::ConnectionLost.text())
}
