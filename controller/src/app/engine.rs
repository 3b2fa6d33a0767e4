//! Follows the source: each batch becomes a catalogue, and what there is to say becomes status.
//!
//! A catalogue goes out as soon as it is there. Status costs more the more objects there are, so it is put together
//! beside, and not all the time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::ads::Registry;
use crate::snapshot::{Builder, Built, Catalogue, Remarks};
use crate::source::{Batch, Source};
use crate::status::Status;

/// How long what there is to say is gathered before it is told again.
const GATHER: Duration = Duration::from_millis(100);

/// It is put together again after at least this many times as long as that took.
const PAUSES: u32 = 4;

/// A source on its way to those who deliver.
pub struct Engine<S> {
    source: S,
    builder: Builder,
    registry: Arc<Registry>,
    /// The last catalogue; empty before the first.
    catalogue: Arc<Catalogue>,
    remarks: Remarks,
    /// Something may be to say that was not told.
    has_news: bool,
    /// Nothing is told before.
    not_before: Instant,
    /// Status on its way, and since when.
    telling: Option<(JoinHandle<Status>, Instant)>,
}

impl<S: Source> Engine<S> {
    /// Has read nothing yet.
    pub fn new(source: S, builder: Builder, registry: Arc<Registry>) -> Self {
        Self {
            source,
            builder,
            registry,
            catalogue: Arc::default(),
            remarks: Remarks::default(),
            has_news: false,
            not_before: Instant::now(),
            telling: None,
        }
    }

    /// Goes on until it is aborted: a source that has ended still has its status told.
    pub async fn run(
        mut self,
        catalogues: watch::Sender<Option<Arc<Catalogue>>>,
        statuses: watch::Sender<Arc<Status>>,
    ) {
        let (mut refusals, mut progress) =
            (self.registry.refusals_changed(), self.registry.progress_changed());
        let mut source_lives = true;
        loop {
            let is_due = self.has_news && self.telling.is_none();
            tokio::select! {
                batch = self.source.next(), if source_lives => match batch {
                    Some(batch) => {
                        self.build(batch).await;
                        catalogues.send_replace(Some(Arc::clone(&self.catalogue)));
                        self.has_news = true;
                    }
                    None => source_lives = false,
                },
                changed = refusals.changed() => match changed {
                    Ok(()) => self.has_news = true,
                    Err(_) => return,
                },
                changed = progress.changed() => self.has_news |= changed.is_ok(),
                () = sleep_until(self.not_before), if is_due => self.put_together(),
                status = told(&mut self.telling) => self.tell(status, &statuses),
            }
        }
    }

    /// Makes the next catalogue, on another thread: streams go on meanwhile.
    async fn build(&mut self, batch: Batch) {
        let (mut builder, old) = (std::mem::take(&mut self.builder), Arc::clone(&self.catalogue));
        let before = old.generation();
        let built = tokio::task::spawn_blocking(move || {
            let Built { changes, remarks } = builder.build(batch);
            (builder, remarks, Arc::new(old.apply(changes)))
        });
        (self.builder, self.remarks, self.catalogue) = finished(built.await).await;
        debug!(generation = self.catalogue.generation(), before, "catalogue");
    }

    fn put_together(&mut self) {
        self.has_news = false;
        let (registry, catalogue, remarks) =
            (Arc::clone(&self.registry), Arc::clone(&self.catalogue), self.remarks.clone());
        let status = tokio::task::spawn_blocking(move || Status {
            diagnostics: remarks.diagnostics(),
            refusals: registry.refusals(&catalogue),
            progress: registry.progress(&catalogue),
            generations: remarks.generations().clone(),
        });
        self.telling = Some((status, Instant::now()));
    }

    fn tell(&mut self, (status, began): (Status, Instant), statuses: &watch::Sender<Arc<Status>>) {
        self.telling = None;
        self.source.report(&status);
        statuses.send_replace(Arc::new(status));
        let now = Instant::now();
        self.not_before = now + GATHER.max((now - began) * PAUSES);
    }
}

/// Waits for a status that is on its way.
async fn told(telling: &mut Option<(JoinHandle<Status>, Instant)>) -> (Status, Instant) {
    match telling {
        Some((status, began)) => (finished(status.await).await, *began),
        None => std::future::pending().await,
    }
}

/// What another thread has done. If it panicked, so does this.
async fn finished<T>(done: Result<T, JoinError>) -> T {
    match done {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}
