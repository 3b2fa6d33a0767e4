//! What the workers together have learned of an endpoint, in words.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::telemetry::{EndpointKey, EndpointSeries, Telemetry};

/// The endpoints of all workers at one time.
pub(super) struct Standings(BTreeMap<EndpointKey, Vec<Arc<EndpointSeries>>>);

impl Standings {
    /// As they are now.
    pub(super) fn of(telemetry: &Telemetry) -> Self {
        Self(telemetry.all_endpoints())
    }

    /// What each worker counts of an endpoint.
    pub(super) fn series(&self, cluster: &str, address: SocketAddr) -> &[Arc<EndpointSeries>] {
        let key = EndpointKey { cluster: cluster.into(), endpoint: address.to_string().into() };
        self.0.get(&key).map_or(&[], |series| series)
    }

    /// Why others are preferred to an endpoint; empty: nothing speaks against it.
    pub(super) fn words(&self, cluster: &str, address: SocketAddr) -> Vec<String> {
        let now = Instant::now();
        let learned: Vec<_> =
            self.series(cluster, address).iter().map(|series| series.standing.get()).collect();
        let mut words = Vec::new();
        let leaving = learned.iter().filter(|one| one.is_leaving_at(now)).count();
        if leaving > 0 {
            words.push(format!("leaving{}", share(leaving, learned.len())));
        }
        let reasons: Vec<_> = learned.iter().filter_map(|one| one.unreachable.as_deref()).collect();
        if let Some(reason) = reasons.first() {
            words.push(format!("unreachable{}: {reason}", share(reasons.len(), learned.len())));
        }
        words
    }
}

/// How many of the workers say so, unless it is all of them.
fn share(count: usize, all: usize) -> String {
    if count == all { String::new() } else { format!(" (say {count} of {all} workers)") }
}
