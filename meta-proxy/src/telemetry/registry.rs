//! Where series are found again, and added up.
//!
//! A worker asks for a series once and keeps it. The number of series is bounded: beyond the cap, requests are
//! counted under `other`, so that totals stay exact.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use super::access_log::AccessLog;
use super::series::{EndpointSeries, ListenerSeries, RequestSeries, TlsSeries, WorkerSeries};

/// Methods that a service may have in labels; all further ones are `other`.
const METHODS_PER_SERVICE: usize = 100;
/// Request series that the process may have; beyond it, route and method are `other`.
const REQUEST_SERIES: usize = 20_000;
/// The label that stands for everything beyond a cap.
const OTHER: &str = "other";

/// Labels of a request series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKey {
    /// Name of the listener.
    pub listener: Arc<str>,
    /// Name of the codec.
    pub protocol: Arc<str>,
    /// The service's host.
    pub service: Arc<str>,
    /// The route's name; `-` where none matched.
    pub route: Arc<str>,
    /// The operation; `-` where the protocol or the message has none.
    pub method: Arc<str>,
}

/// Labels of an endpoint series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointKey {
    /// Name of the cluster.
    pub cluster: Arc<str>,
    /// The endpoint's address.
    pub endpoint: Arc<str>,
}

/// Labels of a listener series.
pub type ListenerKey = Arc<str>;

type PerWorker<K, S> = HashMap<(usize, K), Arc<S>>;

/// All series of the process.
#[derive(Default)]
pub struct Telemetry {
    series: Mutex<AllSeries>,
    access_log: Option<AccessLog>,
    tls: TlsSeries,
}

#[derive(Default)]
struct AllSeries {
    requests: PerWorker<RequestKey, RequestSeries>,
    endpoints: PerWorker<EndpointKey, EndpointSeries>,
    listeners: PerWorker<ListenerKey, ListenerSeries>,
    workers: PerWorker<(), WorkerSeries>,
    methods: HashMap<Arc<str>, HashSet<Arc<str>>>,
}

impl Telemetry {
    /// No series yet; exchanges are logged to `access_log`, if there is one.
    pub fn new(access_log: Option<AccessLog>) -> Self {
        Self { series: Mutex::default(), access_log, tls: TlsSeries::default() }
    }

    /// Where exchanges are logged.
    pub fn access_log(&self) -> Option<&AccessLog> {
        self.access_log.as_ref()
    }

    /// What is counted of the files of certificates and keys.
    pub fn tls(&self) -> &TlsSeries {
        &self.tls
    }

    /// The request series of `worker` with these labels, or the one it falls under beyond a cap.
    pub fn requests(&self, worker: usize, mut key: RequestKey) -> Arc<RequestSeries> {
        let mut all = self.lock();
        let known = all.methods.entry(key.service.clone()).or_default();
        if !known.contains(&key.method) {
            if known.len() < METHODS_PER_SERVICE {
                known.insert(key.method.clone());
            } else {
                key.method = OTHER.into();
            }
        }
        if all.requests.len() >= REQUEST_SERIES && !all.requests.contains_key(&(worker, key.clone())) {
            key.route = OTHER.into();
            key.method = OTHER.into();
        }
        all.requests.entry((worker, key)).or_default().clone()
    }

    /// The endpoint series of `worker` with these labels.
    pub fn endpoint(&self, worker: usize, key: EndpointKey) -> Arc<EndpointSeries> {
        self.lock().endpoints.entry((worker, key)).or_default().clone()
    }

    /// Forgets an endpoint of `worker`, if nobody but the caller still counts in its series.
    pub fn forget_endpoint(&self, worker: usize, key: &EndpointKey, series: &Arc<EndpointSeries>) {
        let mut all = self.lock();
        if Arc::strong_count(series) <= 2 {
            all.endpoints.remove(&(worker, key.clone()));
        }
    }

    /// The listener series of `worker`.
    pub fn listener(&self, worker: usize, key: ListenerKey) -> Arc<ListenerSeries> {
        self.lock().listeners.entry((worker, key)).or_default().clone()
    }

    /// The series of `worker` itself.
    pub fn worker(&self, worker: usize) -> Arc<WorkerSeries> {
        self.lock().workers.entry((worker, ())).or_default().clone()
    }

    /// Request series by labels, one entry per worker.
    pub fn all_requests(&self) -> BTreeMap<RequestKey, Vec<Arc<RequestSeries>>> {
        gather(&self.lock().requests)
    }

    /// Endpoint series by labels, one entry per worker.
    pub fn all_endpoints(&self) -> BTreeMap<EndpointKey, Vec<Arc<EndpointSeries>>> {
        gather(&self.lock().endpoints)
    }

    /// Listener series by labels, one entry per worker.
    pub fn all_listeners(&self) -> BTreeMap<ListenerKey, Vec<Arc<ListenerSeries>>> {
        gather(&self.lock().listeners)
    }

    /// Series of all workers.
    pub fn all_workers(&self) -> Vec<Arc<WorkerSeries>> {
        self.lock().workers.values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, AllSeries> {
        // Nothing panics while it holds the lock; a poisoned map would still be whole.
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gather<K: Clone + Ord + Hash, S>(all: &PerWorker<K, S>) -> BTreeMap<K, Vec<Arc<S>>> {
    let mut gathered: BTreeMap<K, Vec<Arc<S>>> = BTreeMap::new();
    for ((_, key), series) in all {
        gathered.entry(key.clone()).or_default().push(series.clone());
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Outcome;
    use std::time::Duration;

    #[test]
    fn methods_beyond_the_cap_are_counted_as_other_and_totals_stay_exact() {
        let telemetry = Telemetry::new(None);
        for method in 0..150 {
            let key = RequestKey {
                listener: "l".into(),
                protocol: "p".into(),
                service: "s".into(),
                route: "r".into(),
                method: method.to_string().into(),
            };
            telemetry.requests(0, key).record(Outcome::Sent, Duration::ZERO);
        }
        let all = telemetry.all_requests();
        assert_eq!(all.len(), METHODS_PER_SERVICE + 1);
        let total: u64 = all.values().flatten().map(|series| series.count(Outcome::Sent)).sum();
        assert_eq!(total, 150);
    }
}
