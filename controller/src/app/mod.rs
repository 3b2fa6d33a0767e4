//! The composition root: objects in, resources out, refusals back; the only module that knows all others.
//!
//! One `engine` follows the source and publishes catalogues. Who delivers them follows these at its own pace: the `link`
//! to a proxy in the same process, and the streams of [`crate::ads`] to all others.

mod engine;
mod link;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use xds::{Answer, Update};

use crate::Error;
use crate::ads::Registry;
use crate::snapshot::{Builder, Built, Catalogue, Resources};
use crate::source::Source;
use crate::source::folder::{self, Folder};
use crate::status::{Diagnostic, Severity, Status};
use crate::translate::{self, Audiences};

use engine::Engine;
use link::Link;

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
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Everything a proxy would get that may see everything.
    pub resources: Resources,
    /// Who may see those that not everybody may see.
    pub audiences: Audiences,
    /// What there is to say, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether something that was asked for would not be in force.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// A controller that follows a source, for any number of those who deliver what it comes to.
#[derive(Debug)]
pub struct Following {
    /// The resources of the moment; `None` until everything was read once.
    pub catalogue: watch::Receiver<Option<Arc<Catalogue>>>,
    /// Who is told of them, and what they refuse.
    pub registry: Arc<Registry>,
    /// What there is to say at any time, for those who show it.
    pub status: watch::Receiver<Arc<Status>>,
    /// Stops the controller when it is dropped.
    pub guard: Guard,
}

/// A controller at work for a proxy in the same process: the proxy's end of the link. The controller stops when this is
/// dropped, or when the proxy drops its ends.
#[derive(Debug)]
pub struct Running {
    /// What the proxy is to apply; the first update carries everything. Each must be answered.
    pub updates: mpsc::Receiver<Update>,
    /// Takes the answers, and what becomes of what was refused.
    pub answers: mpsc::Sender<Answer>,
    /// What there is to say at any time, for those who show it.
    pub status: watch::Receiver<Arc<Status>>,
    /// Stops the controller when it is dropped.
    pub guard: Guard,
}

/// Stops a controller when it is dropped.
#[derive(Debug)]
pub struct Guard(Vec<AbortHandle>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Controller {
    /// Reads `paths` (files, and folders with `*.yaml`, `*.yml` and `*.json`) once.
    pub fn load_once(paths: &[PathBuf], options: &Options) -> Result<Loaded, Error> {
        let batch = folder::read_once(paths)?;
        let Built { changes, remarks } = Builder::new(options.translate.clone()).build(batch);
        let mut loaded = Loaded { diagnostics: remarks.diagnostics(), ..Loaded::default() };
        for made in changes.set {
            loaded.audiences.extend(made.audience.clone().map(|audience| (made.key(), audience)));
            loaded.resources.insert(made.key(), made.resource);
        }
        Ok(loaded)
    }

    /// Reads `paths` and follows their changes. To be called within a tokio runtime.
    pub fn start(paths: &[PathBuf], options: &Options) -> Result<Running, Error> {
        Ok(Self::start_with(Folder::watch(paths)?, options))
    }

    /// Follows any source, for a proxy in the same process. To be called within a tokio runtime.
    pub fn start_with<S: Source + 'static>(source: S, options: &Options) -> Running {
        let Following { catalogue, registry, status, mut guard } = Self::follow(source, options);
        let (updates_in, updates) = mpsc::channel(1);
        let (answers, answers_out) = mpsc::channel(1);
        let (link, engine) = (Link::new(catalogue, registry), guard.0.clone());
        let link = tokio::spawn(async move {
            link.run(updates_in, answers_out).await;
            engine.iter().for_each(AbortHandle::abort);
        });
        guard.0.push(link.abort_handle());
        Running { updates, answers, status, guard }
    }

    /// Follows any source. To be called within a tokio runtime.
    pub fn follow<S: Source + 'static>(source: S, options: &Options) -> Following {
        let (catalogue_in, catalogue) = watch::channel(None);
        let (status_in, status) = watch::channel(Arc::default());
        let registry = Arc::new(Registry::default());
        let builder = Builder::new(options.translate.clone());
        let engine = Engine::new(source, builder, Arc::clone(&registry));
        let task = tokio::spawn(engine.run(catalogue_in, status_in));
        Following { catalogue, registry, status, guard: Guard(vec![task.abort_handle()]) }
    }
}
