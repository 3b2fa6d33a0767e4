//! Looks up the names of clusters that are found by DNS, again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::model::{Discovery, Endpoint, HostPort};
use crate::xds::State;

/// How often names are looked up; Envoy's default.
const LOOK_UP_EVERY: Duration = Duration::from_secs(5);
/// Results that may wait to be put in force.
const QUEUE: usize = 64;

/// What was found for a cluster.
pub struct Found {
    cluster: String,
    endpoints: Vec<Endpoint>,
}

/// The names that are looked up, and what was found last.
pub struct Resolver {
    sender: mpsc::Sender<Found>,
    followed: BTreeMap<String, Followed>,
}

struct Followed {
    names: Vec<HostPort>,
    endpoints: Arc<[Endpoint]>,
    task: JoinHandle<()>,
}

impl Resolver {
    /// Looks up nothing yet. What it finds later comes through the receiver.
    pub fn new() -> (Self, mpsc::Receiver<Found>) {
        let (sender, found) = mpsc::channel(QUEUE);
        (Self { sender, followed: BTreeMap::new() }, found)
    }

    /// Looks up the names of the clusters in `state`, and no others.
    pub fn follow(&mut self, state: &State) {
        let mut next = BTreeMap::new();
        for cluster in state.clusters().map(|entry| &entry.value.model) {
            let Discovery::Dns(names) = &cluster.discovery else { continue };
            let known = self.followed.remove(&cluster.name).filter(|known| known.names == *names);
            let followed = known.unwrap_or_else(|| Followed {
                names: names.clone(),
                endpoints: Arc::new([]),
                task: tokio::spawn(look_up(cluster.name.clone(), names.clone(), self.sender.clone())),
            });
            next.insert(cluster.name.clone(), followed);
        }
        for (_, gone) in std::mem::replace(&mut self.followed, next) {
            gone.task.abort();
        }
    }

    /// Keeps what was found. Tells whether it is news.
    pub fn keep(&mut self, found: Found) -> bool {
        let Some(followed) = self.followed.get_mut(&found.cluster) else { return false };
        let is_news = *followed.endpoints != *found.endpoints;
        if is_news {
            followed.endpoints = found.endpoints.into();
        }
        is_news
    }

    /// What was found last for a cluster.
    pub fn endpoints(&self, cluster: &str) -> Option<&Arc<[Endpoint]>> {
        self.followed.get(cluster).map(|followed| &followed.endpoints)
    }
}

/// A name that cannot be looked up keeps the addresses that it had.
async fn look_up(cluster: String, names: Vec<HostPort>, sender: mpsc::Sender<Found>) {
    let mut last: Vec<Vec<Endpoint>> = vec![Vec::new(); names.len()];
    loop {
        for (name, last) in names.iter().zip(&mut last) {
            match tokio::net::lookup_host((name.host.as_str(), name.port)).await {
                Ok(addresses) => *last = addresses.map(|address| Endpoint { address }).collect(),
                Err(error) => tracing::warn!(%cluster, %name, %error, "cannot be looked up"),
            }
        }
        let mut endpoints = last.concat();
        endpoints.sort_unstable();
        endpoints.dedup();
        if sender.send(Found { cluster: cluster.clone(), endpoints }).await.is_err() {
            return;
        }
        sleep(LOOK_UP_EVERY).await;
    }
}
