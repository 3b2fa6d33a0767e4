//! The link to a proxy in the same process.
//!
//! At most one update is under way: what changes meanwhile is merged and sent when the answer has come, so that a slow
//! proxy is never flooded and always ends with what is right.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tracing::{debug, info};
use xds::{Answer, Rejection, Update};

use crate::ads::{InProcess, Registry};
use crate::snapshot::{Catalogue, Versions, difference, versions};

/// The controller's end.
pub struct Link {
    catalogue: watch::Receiver<Option<Arc<Catalogue>>>,
    registry: Arc<Registry>,
    /// What the proxy was told; `None` before the first update.
    sent: Option<Arc<Versions>>,
    /// What the update that awaits its answer consists of.
    under_way: Option<Update>,
    refused: Vec<Rejection>,
}

impl Link {
    /// Nothing is sent yet.
    pub fn new(catalogue: watch::Receiver<Option<Arc<Catalogue>>>, registry: Arc<Registry>) -> Self {
        Self { catalogue, registry, sent: None, under_way: None, refused: Vec::new() }
    }

    /// Goes on until the proxy drops its ends.
    pub async fn run(mut self, updates: mpsc::Sender<Update>, mut answers: mpsc::Receiver<Answer>) {
        loop {
            if let Some(update) = self.next_update() {
                debug!(changed = update.changed.len(), removed = update.removed.len(), "update");
                if updates.send(update).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                changed = self.catalogue.changed() => if changed.is_err() {
                    return;
                },
                answer = answers.recv() => match answer {
                    Some(answer) => self.answered(answer),
                    None => return,
                },
                () = updates.closed() => return,
            }
        }
    }

    /// What is to be sent now, if anything.
    fn next_update(&mut self) -> Option<Update> {
        if self.under_way.is_some() {
            return None;
        }
        let catalogue = self.catalogue.borrow_and_update().clone()?;
        let update = match &self.sent {
            Some(sent) => difference(sent, &catalogue),
            None => difference(&Versions::new(), &catalogue),
        };
        if update == Update::default() && self.sent.is_some() {
            return None;
        }
        self.sent = Some(Arc::new(versions(&catalogue)));
        self.under_way = Some(update.clone());
        self.registry.set_in_process(self.progress());
        Some(update)
    }

    fn progress(&self) -> InProcess {
        let changed = self.under_way.iter().flat_map(|update| &update.changed);
        InProcess {
            sent: self.sent.clone().unwrap_or_default(),
            under_way: changed.map(|resource| (resource.kind, resource.name.clone())).collect(),
            refused: self.refused.clone(),
        }
    }

    /// Takes what the proxy says: it names all that it refuses now. What has become in force by itself answers no update: of
    /// one that is under way, nothing is known yet.
    fn answered(&mut self, answer: Answer) {
        let (ack, update) = match answer {
            Answer::Update(ack) => (ack, self.under_way.take()),
            Answer::Mended(ack) => (ack, None),
        };
        self.refused = ack.rejected;
        if let Some(update) = update.filter(|_| self.refused.is_empty()) {
            info!(changed = update.changed.len(), removed = update.removed.len(), "the proxy took all of it");
        }
        self.registry.set_in_process(self.progress());
        self.registry.refusals_may_have_changed();
    }
}
