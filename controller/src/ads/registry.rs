//! Who is connected, and how far each is.
//!
//! A stream's session is the truth about its client and is asked when somebody wants to know: nothing is counted twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use xds::{Rejection, Resource, ResourceType};

use crate::ads::node::Node;
use crate::ads::session::{Dialect, Session};
use crate::ads::tally::Tally;
use crate::object::Key;
use crate::snapshot::{Catalogue, Versions};
use crate::status::{Progress, Refusal};

/// All streams of a controller.
#[derive(Debug, Default)]
pub struct Registry {
    streams: Mutex<Streams>,
    refusals: watch::Sender<()>,
    progress: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Streams {
    next: u64,
    connected: BTreeMap<u64, Arc<Connected>>,
    /// How far the proxy in the same process is, if there is one.
    in_process: Option<InProcess>,
}

/// How far a proxy in the same process is.
#[derive(Debug, Clone, Default)]
pub struct InProcess {
    /// What it was told.
    pub sent: Arc<Versions>,
    /// What it has not answered yet.
    pub under_way: BTreeSet<(ResourceType, String)>,
    /// What it refuses.
    pub refused: Vec<Rejection>,
}

/// A stream and its client.
#[derive(Debug)]
pub struct Connected {
    session: Mutex<Session>,
    node: Node,
    dialect: Dialect,
    peer: String,
    since: Instant,
    sent_bytes: AtomicU64,
    sent_responses: AtomicU64,
}

impl Connected {
    /// A stream that has just begun.
    pub fn new(session: Session, dialect: Dialect, peer: String) -> Self {
        let node = session.node().clone();
        let (sent_bytes, sent_responses) = Default::default();
        let since = Instant::now();
        Self { session: Mutex::new(session), node, dialect, peer, since, sent_bytes, sent_responses }
    }

    /// Its session, for as long as it takes to handle one event.
    pub fn session(&self) -> MutexGuard<'_, Session> {
        // A session that panicked is given up with its stream; nobody reads more of it than counts.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a response.
    pub fn sent(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.sent_responses.fetch_add(1, Ordering::Relaxed);
    }
}

/// A proxy, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proxy {
    /// Its node's id.
    pub id: String,
    /// Its namespace, if it says one.
    pub namespace: String,
    /// Its role, if it says one.
    pub role: String,
    /// Where it connects from.
    pub peer: String,
    /// For how long.
    pub connected_seconds: u64,
    /// `delta` or `state of the world`.
    pub protocol: String,
    /// Bytes that it was sent in this stream.
    pub sent_bytes: u64,
    /// Responses that it was sent in this stream.
    pub sent_responses: u64,
    /// One per type of resource, in delivery order.
    pub types: Vec<TypeProgress>,
    /// What it refuses.
    pub refused: Vec<Refused>,
}

/// How a type of resource stands with a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeProgress {
    /// Such as `cluster`.
    pub kind: String,
    /// `synced`, `stale` (not sent or not answered), `nacked` or `not asked`.
    pub state: String,
    /// Resources that are still to be sent.
    pub pending: usize,
    /// Resources that it has subscribed to by name; none: to all.
    pub named: Option<usize>,
}

/// A resource that a proxy refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Type of the resource.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Path inside of it.
    pub field: String,
    /// What is wrong.
    pub message: String,
}

impl InProcess {
    fn has(&self, resource: &Resource) -> bool {
        let key = (resource.kind, resource.name.clone());
        self.sent.get(&key) == Some(&resource.version)
            && !self.under_way.contains(&key)
            && !self.refused.iter().any(|refused| refused.kind == key.0 && refused.name == key.1)
    }
}

impl Registry {
    /// Tells whenever what is refused may have changed.
    pub fn refusals_changed(&self) -> watch::Receiver<()> {
        self.refusals.subscribe()
    }

    /// Tells whenever a proxy has come, gone or got further.
    pub fn progress_changed(&self) -> watch::Receiver<()> {
        self.progress.subscribe()
    }

    /// Says that a proxy got further, and perhaps refuses other things than before.
    pub fn touch(&self, connected: &Connected) {
        if connected.session().take_refusals_changed() {
            self.refusals.send_replace(());
        }
        self.progress.send_replace(());
    }

    /// A stream has begun.
    pub fn connect(&self, connected: Connected) -> (u64, Arc<Connected>) {
        let mut streams = self.lock();
        streams.next += 1;
        let (number, connected) = (streams.next, Arc::new(connected));
        streams.connected.insert(number, Arc::clone(&connected));
        drop(streams);
        self.progress.send_replace(());
        (number, connected)
    }

    /// A stream has ended.
    pub fn disconnect(&self, number: u64) {
        let gone = self.lock().connected.remove(&number);
        if gone.is_some_and(|gone| gone.session().refusals().next().is_some()) {
            self.refusals.send_replace(());
        }
        self.progress.send_replace(());
    }

    /// How far the proxy in the same process is now.
    pub fn set_in_process(&self, in_process: InProcess) {
        self.lock().in_process = Some(in_process);
        self.progress.send_replace(());
    }

    /// Says that what is refused may be another than before.
    pub fn refusals_may_have_changed(&self) {
        self.refusals.send_replace(());
    }

    /// All that is refused now, with the objects that it came from.
    pub fn refusals(&self, catalogue: &Catalogue) -> Vec<Refusal> {
        let in_process = self.lock().in_process.as_ref().map(|one| one.refused.clone()).unwrap_or_default();
        let refusal = |rejection: Rejection, node: Option<&Node>| {
            let item = catalogue.get(rejection.kind, &rejection.name);
            let seen = item.and_then(|item| match node {
                Some(node) => item.seen_by(&node.namespace, &node.gateway),
                None => Some(item),
            });
            let proxy = node.map(|node| node.id.clone());
            Refusal::of_resource(seen.map(|item| &item.resource), rejection, proxy)
        };
        let mut refusals: Vec<_> = in_process.into_iter().map(|one| refusal(one, None)).collect();
        for connected in self.connected() {
            let rejections: Vec<Rejection> = connected.session().refusals().cloned().collect();
            refusals.extend(rejections.into_iter().map(|one| refusal(one, Some(&connected.node))));
        }
        refusals
    }

    /// How far the routes of each object are. Behind `catalogue`, a proxy has not yet what has changed.
    pub fn progress(&self, catalogue: &Catalogue) -> BTreeMap<Key, Progress> {
        let mut tally = Tally::default();
        for connected in self.connected() {
            connected.session().tally(ResourceType::Routes, catalogue, &mut tally);
        }
        let in_process = self.lock().in_process.clone();
        if let Some(one) = &in_process {
            tally.everyone(ResourceType::Routes, catalogue, |item| one.has(&item.resource));
        }
        let mut progress: BTreeMap<Key, Progress> = BTreeMap::new();
        for (name, item) in catalogue.items(ResourceType::Routes).iter() {
            let keys: BTreeSet<Key> = item.resource.origins.iter().filter_map(Key::of_origin).collect();
            let (proxies, programmed) = tally.of(name);
            for key in keys {
                let one = progress.entry(key).or_insert(Progress { proxies, programmed });
                one.proxies = one.proxies.max(proxies);
                one.programmed = one.programmed.min(programmed);
            }
        }
        progress
    }

    /// All proxies, in the order in which they came.
    pub fn proxies(&self) -> Vec<Proxy> {
        self.connected().iter().map(|connected| proxy(connected)).collect()
    }

    fn connected(&self) -> Vec<Arc<Connected>> {
        self.lock().connected.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        // Nothing panics while it holds the lock.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn proxy(connected: &Connected) -> Proxy {
    let session = connected.session();
    let refused = session.refusals().map(|rejection| Refused {
        kind: rejection.kind.to_string(),
        name: rejection.name.clone(),
        field: rejection.field.clone(),
        message: rejection.message.clone(),
    });
    Proxy {
        id: connected.node.id.clone(),
        namespace: connected.node.namespace.clone(),
        role: connected.node.role.clone(),
        peer: connected.peer.clone(),
        connected_seconds: connected.since.elapsed().as_secs(),
        protocol: match connected.dialect {
            Dialect::Delta => "delta",
            Dialect::StateOfTheWorld => "state of the world",
        }
        .to_owned(),
        sent_bytes: connected.sent_bytes.load(Ordering::Relaxed),
        sent_responses: connected.sent_responses.load(Ordering::Relaxed),
        types: ResourceType::ALL.into_iter().map(|kind| progress(&session, kind)).collect(),
        refused: refused.collect(),
    }
}

fn progress(session: &Session, kind: ResourceType) -> TypeProgress {
    let progress = session.progress(kind);
    let state = match progress {
        _ if !progress.is_asked => "not asked",
        _ if progress.pending > 0 || progress.is_in_flight => "stale",
        _ if progress.refused > 0 => "nacked",
        _ => "synced",
    };
    TypeProgress {
        kind: kind.to_string(),
        state: state.to_owned(),
        pending: progress.pending,
        named: progress.named,
    }
}
