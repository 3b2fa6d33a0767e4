//! The composition root: objects in, updates out, refusals back; the only module that knows all others.
//!
//! One task per proxy link. At most one update is under way: what changes meanwhile is merged and sent when the answer
//! has come, so that a slow proxy is never flooded and always ends with what is right.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tracing::{debug, info};
use xds::{Ack, Resource, ResourceType, Update};

use crate::Error;
use crate::object::Key;
use crate::snapshot::{Builder, Resources, Snapshot, Versions, difference, versions};
use crate::source::Source;
use crate::source::folder::{self, Folder};
use crate::status::{Diagnostic, Progress, Refusal, Severity, Status};
use crate::translate;

/// What a controller is told beside its sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// How objects are understood.
    pub translate: translate::Options,
}

/// The control plane.
#[derive(Debug)]
pub struct Controller;

/// What some paths come to, once.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Everything a proxy would get.
    pub resources: Resources,
    /// What there is to say, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether something that was asked for would not be in force.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// A controller at work: the proxy's end of the link. The controller stops when this is dropped, or when the proxy
/// drops its ends.
#[derive(Debug)]
pub struct Running {
    /// What the proxy is to apply; the first update carries everything. Each must be answered.
    pub updates: mpsc::Receiver<Update>,
    /// Takes the answers.
    pub acks: mpsc::Sender<Ack>,
    /// What there is to say at any time, for those who show it.
    pub status: watch::Receiver<Arc<Status>>,
    /// Stops the controller when it is dropped.
    pub guard: Guard,
}

/// Stops a controller when it is dropped.
#[derive(Debug)]
pub struct Guard(AbortHandle);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Controller {
    /// Reads `paths` (files, and folders with `*.yaml`, `*.yml` and `*.json`) once.
    pub fn load_once(paths: &[PathBuf], options: &Options) -> Result<Loaded, Error> {
        let batch = folder::read_once(paths)?;
        let Snapshot { resources, diagnostics } = Builder::new(options.translate.clone()).build(batch);
        Ok(Loaded { resources, diagnostics })
    }

    /// Reads `paths` and follows their changes. To be called within a tokio runtime.
    pub fn start(paths: &[PathBuf], options: &Options) -> Result<Running, Error> {
        Ok(Self::start_with(Folder::watch(paths)?, options))
    }

    /// Follows any source. To be called within a tokio runtime.
    pub fn start_with<S: Source + 'static>(source: S, options: &Options) -> Running {
        let (updates_in, updates) = mpsc::channel(1);
        let (acks, acks_out) = mpsc::channel(1);
        let (status_in, status) = watch::channel(Arc::default());
        let link = Link {
            source,
            builder: Builder::new(options.translate.clone()),
            snapshot: None,
            sent: None,
            under_way: None,
            status: Status::default(),
            published: status_in,
        };
        let task = tokio::spawn(link.run(updates_in, acks_out));
        Running { updates, acks, status, guard: Guard(task.abort_handle()) }
    }
}

struct Link<S> {
    source: S,
    builder: Builder,
    /// The resources of the last batch; `None` before the first.
    snapshot: Option<Resources>,
    /// What the proxy was told; `None` before the first update.
    sent: Option<Versions>,
    /// What the update that awaits its answer consists of.
    under_way: Option<Update>,
    status: Status,
    published: watch::Sender<Arc<Status>>,
}

impl<S: Source> Link<S> {
    async fn run(mut self, updates: mpsc::Sender<Update>, mut acks: mpsc::Receiver<Ack>) {
        let mut source_lives = true;
        loop {
            tokio::select! {
                batch = self.source.next(), if source_lives => match batch {
                    Some(batch) => {
                        let Snapshot { resources, diagnostics } = self.builder.build(batch);
                        self.snapshot = Some(resources);
                        self.status.diagnostics = diagnostics;
                        self.publish();
                    }
                    None => source_lives = false,
                },
                ack = acks.recv() => match ack {
                    Some(ack) => self.answered(ack),
                    None => return,
                },
                () = updates.closed() => return,
            }
            if let Some(update) = self.next_update() {
                debug!(changed = update.changed.len(), removed = update.removed.len(), "update");
                if updates.send(update).await.is_err() {
                    return;
                }
            }
        }
    }

    /// What is to be sent now, if anything.
    fn next_update(&mut self) -> Option<Update> {
        let snapshot = self.snapshot.as_ref().filter(|_| self.under_way.is_none())?;
        let update = match &self.sent {
            Some(sent) => difference(sent, snapshot),
            None => difference(&Versions::new(), snapshot),
        };
        if update == Update::default() && self.sent.is_some() {
            return None;
        }
        self.sent = Some(versions(snapshot));
        self.under_way = Some(update.clone());
        Some(update)
    }

    /// Takes the proxy's answer: what it refused, until something else of that name comes.
    fn answered(&mut self, ack: Ack) {
        let Some(update) = self.under_way.take() else { return };
        let told = |kind: ResourceType, name: &str| {
            update.changed.iter().any(|resource| resource.kind == kind && resource.name == name)
                || update.removed.iter().any(|(gone, gone_name)| *gone == kind && gone_name == name)
        };
        self.status.refusals.retain(|refusal| !told(refusal.rejection.kind, &refusal.rejection.name));
        for rejection in ack.rejected {
            self.status.refusals.push(Refusal::of(&update, rejection));
        }
        if self.status.refusals.is_empty() {
            info!(changed = update.changed.len(), removed = update.removed.len(), "the proxy took all of it");
        }
        self.publish();
    }

    fn publish(&mut self) {
        self.status.progress = self.snapshot.as_ref().map(|all| self.progress(all)).unwrap_or_default();
        self.source.report(&self.status);
        self.published.send_replace(Arc::new(self.status.clone()));
    }

    /// How far the routes of each object are, of which the one proxy of this link is all there is.
    fn progress(&self, all: &Resources) -> BTreeMap<Key, Progress> {
        let rejected =
            self.status.refusals.iter().map(|said| (said.rejection.kind, said.rejection.name.as_str()));
        let under_way = self.under_way.iter().flat_map(|update| &update.changed);
        let open: BTreeSet<(ResourceType, &str)> =
            under_way.map(|resource| (resource.kind, resource.name.as_str())).chain(rejected).collect();
        let is_in_force = |resource: &Resource| {
            let sent = self.sent.as_ref().and_then(|sent| sent.get(&(resource.kind, resource.name.clone())));
            sent == Some(&resource.version) && !open.contains(&(resource.kind, resource.name.as_str()))
        };
        let mut progress: BTreeMap<Key, Progress> = BTreeMap::new();
        for resource in all.values().filter(|resource| resource.kind == ResourceType::Routes) {
            let keys: BTreeSet<Key> = resource.origins.iter().filter_map(Key::of_origin).collect();
            for key in keys {
                let one = progress.entry(key).or_insert(Progress { proxies: 1, programmed: 1 });
                one.programmed = one.programmed.min(u32::from(is_in_force(resource)));
            }
        }
        progress
    }
}
