//! Follows the source: each batch becomes a catalogue, and what proxies refuse becomes status.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::ads::Registry;
use crate::snapshot::{Builder, Catalogue};
use crate::source::{Batch, Source};
use crate::status::{Diagnostic, Status};

/// How long what proxies have got of the resources is gathered before it is told.
const GATHER: Duration = Duration::from_millis(100);

/// A source on its way to those who deliver.
pub struct Engine<S> {
    source: S,
    builder: Builder,
    registry: Arc<Registry>,
    /// The last catalogue; empty before the first.
    catalogue: Arc<Catalogue>,
    diagnostics: Vec<Diagnostic>,
}

impl<S: Source> Engine<S> {
    /// Has read nothing yet.
    pub fn new(source: S, builder: Builder, registry: Arc<Registry>) -> Self {
        Self { source, builder, registry, catalogue: Arc::default(), diagnostics: Vec::new() }
    }

    /// Goes on until it is aborted: a source that has ended still has its status told.
    pub async fn run(
        mut self,
        catalogues: watch::Sender<Option<Arc<Catalogue>>>,
        statuses: watch::Sender<Arc<Status>>,
    ) {
        let (mut refusals, mut progress) =
            (self.registry.refusals_changed(), self.registry.progress_changed());
        let mut report_at = None;
        let mut source_lives = true;
        loop {
            tokio::select! {
                batch = self.source.next(), if source_lives => match batch {
                    Some(batch) => {
                        let before = self.catalogue.generation();
                        self.build(batch).await;
                        debug!(generation = self.catalogue.generation(), before, "catalogue");
                        self.tell_status(&statuses);
                        catalogues.send_replace(Some(Arc::clone(&self.catalogue)));
                    }
                    None => source_lives = false,
                },
                changed = refusals.changed() => if changed.is_ok() {
                    self.tell_status(&statuses);
                } else {
                    return;
                },
                changed = progress.changed() => if changed.is_ok() {
                    report_at = report_at.or_else(|| Some(Instant::now() + GATHER));
                },
                () = sleep_until(report_at.unwrap_or_else(Instant::now)), if report_at.is_some() => {
                    report_at = None;
                    self.tell_status(&statuses);
                }
            }
        }
    }

    /// Makes the next catalogue, on another thread: streams go on meanwhile.
    async fn build(&mut self, batch: Batch) {
        let (mut builder, old) = (std::mem::take(&mut self.builder), Arc::clone(&self.catalogue));
        let built = tokio::task::spawn_blocking(move || {
            let mut snapshot = builder.build(batch);
            let diagnostics = std::mem::take(&mut snapshot.diagnostics);
            (builder, diagnostics, Arc::new(old.next(snapshot)))
        });
        match built.await {
            Ok((builder, diagnostics, catalogue)) => {
                (self.builder, self.diagnostics, self.catalogue) = (builder, diagnostics, catalogue);
            }
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn tell_status(&mut self, statuses: &watch::Sender<Arc<Status>>) {
        let status = Status {
            diagnostics: self.diagnostics.clone(),
            refusals: self.registry.refusals(&self.catalogue),
            progress: self.registry.progress(&self.catalogue),
        };
        self.source.report(&status);
        statuses.send_replace(Arc::new(status));
    }
}
