//! What is written back: conditions, and events about what proxies refuse.
//!
//! Every replica says what it knows of its own proxies, in an entry of its own; the leader sums them up in conditions.
//! Each has a field manager of its own, so that nobody overwrites anybody. Nothing is written that stands there already.

mod conditions;
mod events;
mod lease;
mod queue;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{ReplicaStatus, Status as ObjectStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::conditions::{Facts, conditions, say_the_same};
use self::events::Events;
pub(super) use self::lease::Leadership;
use self::queue::{Patch, Queue};
use super::store::{Entry, Store};
use crate::object::Key;
use crate::status::{Diagnostic, Refusal, Status};

/// Field manager of the conditions, which the leader writes.
pub(super) const MANAGER: &str = "meta-proxy-controller";

/// Letters of a refusal that the status of an object repeats.
const REFUSAL_LIMIT: usize = 512;

/// Who we are among the replicas, and where their leases are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) namespace: String,
}

/// Writes status back.
#[derive(Debug)]
pub(super) struct Reporter {
    name: String,
    leadership: watch::Receiver<Leadership>,
    queue: Arc<Queue>,
    events: Events,
    /// What was asked for last, and the status that the object had then.
    asked: BTreeMap<Key, (ObjectStatus, Wanted)>,
    _tasks: JoinSet<()>,
}

/// What an object's status is to say.
#[derive(Debug, Clone)]
struct Wanted {
    own: Option<ReplicaStatus>,
    /// `None` where somebody else is the leader.
    conditions: Option<Vec<Condition>>,
    /// Replicas that are no more, and still have an entry.
    dead: BTreeSet<String>,
}

impl Wanted {
    fn is_same(&self, other: &Self) -> bool {
        let are_same = match (&self.conditions, &other.conditions) {
            (Some(a), Some(b)) => say_the_same(a, b),
            (None, None) => true,
            _ => false,
        };
        are_same && self.own == other.own && self.dead == other.dead
    }
}

impl Reporter {
    /// Begins to take part in the choice of a leader. To be called within a tokio runtime.
    pub(super) fn start(client: &Client, identity: &Identity) -> Self {
        let mut tasks = JoinSet::new();
        let (sender, leadership) = watch::channel(Leadership::default());
        tasks.spawn(lease::keep(client.clone(), identity.clone(), sender));
        let queue = Arc::new(Queue::default());
        tasks.spawn(writer::write(client.clone(), Arc::clone(&queue)));
        let events = Events::start(client.clone(), identity, &mut tasks);
        Self { name: identity.name.clone(), leadership, queue, events, asked: BTreeMap::new(), _tasks: tasks }
    }

    /// Waits until another replica leads, comes or goes.
    pub(super) async fn changed(&mut self) {
        if self.leadership.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Asks for all that is not yet as it should be.
    pub(super) fn write(&mut self, store: &Store, status: &Status) {
        let leadership = self.leadership.borrow_and_update().clone();
        let said = by_object(&status.diagnostics);
        let refused = refusals(&status.refusals);
        for (key, generation) in &status.generations {
            let Some(entry) = store.get(key) else {
                self.asked.remove(key);
                self.queue.forget(key);
                continue;
            };
            let own = status.progress.get(key).map(|progress| ReplicaStatus {
                name: self.name.clone(),
                observed_generation: *generation,
                proxies: progress.proxies,
                programmed: progress.programmed,
                refused: refused.get(key).cloned().unwrap_or_default(),
            });
            let diagnostics = said.get(key).map_or(&[][..], Vec::as_slice);
            let wanted = wanted(entry, *generation, own, diagnostics, &leadership, &self.name);
            let is_asked = self
                .asked
                .get(key)
                .is_some_and(|(status, asked)| *status == entry.status && asked.is_same(&wanted));
            if is_asked {
                continue;
            }
            let patches = patches(entry, *generation, &wanted, &self.name);
            if !patches.is_empty() {
                self.queue.put(key.clone(), patches);
            }
            self.asked.insert(key.clone(), (entry.status.clone(), wanted));
        }
        self.asked.retain(|key, _| {
            let is_there = status.generations.get(key).is_some();
            if !is_there {
                self.queue.forget(key);
            }
            is_there
        });
        self.events.tell(&status.refusals, store);
    }
}

fn by_object(diagnostics: &[Diagnostic]) -> BTreeMap<&Key, Vec<&Diagnostic>> {
    let mut said: BTreeMap<&Key, Vec<&Diagnostic>> = BTreeMap::new();
    for diagnostic in diagnostics {
        if let Some(key) = &diagnostic.object {
            said.entry(key).or_default().push(diagnostic);
        }
    }
    said
}

/// The first refusal of what came from each object.
fn refusals(refusals: &[Refusal]) -> BTreeMap<Key, String> {
    let mut all = BTreeMap::new();
    for refusal in refusals {
        if let Some(key) = refusal.origin.as_ref().and_then(Key::of_origin) {
            let text = || refusal.rejection.to_string().chars().take(REFUSAL_LIMIT).collect();
            all.entry(key).or_insert_with(text);
        }
    }
    all
}

fn wanted(
    entry: &Entry,
    generation: Option<i64>,
    own: Option<ReplicaStatus>,
    diagnostics: &[&Diagnostic],
    leadership: &Leadership,
    name: &str,
) -> Wanted {
    if !leadership.leads {
        return Wanted { own, conditions: None, dead: BTreeSet::new() };
    }
    let lives = |replica: &&ReplicaStatus| leadership.members.contains(&replica.name);
    let others = entry.status.replicas.iter().filter(|replica| replica.name != name);
    let mut replicas: Vec<ReplicaStatus> = others.clone().filter(lives).cloned().collect();
    let dead = others.filter(|replica| !lives(replica)).map(|replica| replica.name.clone()).collect();
    replicas.extend(own.clone());
    let facts = Facts {
        kind: entry.key.kind,
        generation,
        diagnostics,
        is_served: own.is_some(),
        replicas: &replicas,
    };
    let conditions = conditions(&facts, &entry.status.conditions, Timestamp::now());
    Wanted { own, conditions: Some(conditions), dead }
}

/// What of that is not yet so.
fn patches(entry: &Entry, generation: Option<i64>, wanted: &Wanted, name: &str) -> Vec<Patch> {
    let mut patches = Vec::new();
    if entry.status.replicas.iter().find(|replica| replica.name == name) != wanted.own.as_ref() {
        let entries: Vec<&ReplicaStatus> = wanted.own.iter().collect();
        patches.push(Patch { manager: manager_of(name), status: json!({ "replicas": entries }) });
    }
    // What a manager no longer applies is gone, whoever speaks for it.
    for dead in &wanted.dead {
        patches.push(Patch { manager: manager_of(dead), status: json!({ "replicas": [] }) });
    }
    if let Some(conditions) = &wanted.conditions
        && (!say_the_same(conditions, &entry.status.conditions)
            || entry.status.observed_generation != generation)
    {
        let status = json!({ "observedGeneration": generation, "conditions": conditions });
        patches.push(Patch { manager: MANAGER.to_owned(), status });
    }
    patches
}

/// Field manager of a replica's own entry.
fn manager_of(replica: &str) -> String {
    let name: String = replica.chars().take(80).collect();
    format!("{MANAGER}-of-{name}")
}
