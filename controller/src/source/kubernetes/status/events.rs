//! Events about what proxies refuse: one when it begins, with the resource and the field.

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use super::{Identity, MANAGER};
use crate::object::Key;
use crate::source::kubernetes::store::Store;
use crate::status::Refusal;

/// Events that may wait to be written; more are only counted by those who read the log.
const WAITING_LIMIT: usize = 256;

/// Bytes of the text of an event, by the rules of the API.
const NOTE_LIMIT: usize = 1000;

/// Notes whose repetitions are counted; beyond, they are told anew.
const RECORDERS_LIMIT: usize = 64;

/// Tells of refusals as they begin.
#[derive(Debug)]
pub(super) struct Events {
    told: BTreeSet<(Key, String)>,
    waiting: mpsc::Sender<(ObjectReference, String)>,
}

impl Events {
    pub(super) fn start(client: Client, identity: &Identity, tasks: &mut JoinSet<()>) -> Self {
        let (waiting, events) = mpsc::channel(WAITING_LIMIT);
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(identity.name.clone()) };
        tasks.spawn(publish(client, reporter, events));
        Self { told: BTreeSet::new(), waiting }
    }

    /// Tells of those that were not told of before.
    pub(super) fn tell(&mut self, refusals: &[Refusal], store: &Store) {
        let mut now = BTreeSet::new();
        for refusal in refusals {
            let Some(key) = refusal.origin.as_ref().and_then(Key::of_origin) else { continue };
            let note = shorten(&refusal.rejection.to_string());
            let one = (key, note);
            if !self.told.contains(&one)
                && let Some(entry) = store.get(&one.0)
            {
                let kind = one.0.kind;
                let version = kind.versions().first().copied().unwrap_or_default();
                let group = kind.group();
                let reference = ObjectReference {
                    api_version: Some(if group.is_empty() {
                        version.to_owned()
                    } else {
                        format!("{group}/{version}")
                    }),
                    kind: Some(kind.name().to_owned()),
                    name: Some(one.0.name.clone()),
                    namespace: (!one.0.namespace.is_empty()).then(|| one.0.namespace.clone()),
                    uid: Some(entry.uid.clone()),
                    ..ObjectReference::default()
                };
                // Where too many wait, the log has them.
                let _ = self.waiting.try_send((reference, one.1.clone()));
            }
            now.insert(one);
        }
        self.told = now;
    }
}

fn shorten(text: &str) -> String {
    let mut end = text.len().min(NOTE_LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

async fn publish(client: Client, reporter: Reporter, mut events: mpsc::Receiver<(ObjectReference, String)>) {
    // A recorder counts what an object is told twice, without regard to what it says: so each note has its own.
    let mut recorders: HashMap<String, Recorder> = HashMap::new();
    while let Some((reference, note)) = events.recv().await {
        if recorders.len() >= RECORDERS_LIMIT {
            recorders.clear();
        }
        let recorder =
            recorders.entry(note.clone()).or_insert_with(|| Recorder::new(client.clone(), reporter.clone()));
        let event = Event {
            type_: EventType::Warning,
            reason: "Refused".to_owned(),
            note: Some(note),
            action: "Program".to_owned(),
            secondary: None,
        };
        if let Err(error) = recorder.publish(&event, &reference).await {
            warn!(%error, "cannot write an event");
        }
    }
}
