//! The link to a proxy in the same process.
//!
//! At most one update is under way: what changes meanwhile is merged and sent when the answer has come, so that a slow
//! proxy is never flooded and always ends with what is right.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tracing::{debug, info};
use xds::{Ack, Rejection, ResourceType, Update};

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
    pub async fn run(mut self, updates: mpsc::Sender<Update>, mut acks: mpsc::Receiver<Ack>) {
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
                ack = acks.recv() => match ack {
                    Some(ack) => self.answered(ack),
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

    /// Takes the proxy's answer: what it refused, until something else of that name comes.
    fn answered(&mut self, ack: Ack) {
        let Some(update) = self.under_way.take() else { return };
        let told = |kind: ResourceType, name: &str| {
            update.changed.iter().any(|resource| resource.kind == kind && resource.name == name)
                || update.removed.iter().any(|(gone, gone_name)| *gone == kind && gone_name == name)
        };
        self.refused.retain(|refused| !told(refused.kind, &refused.name));
        self.refused.extend(ack.rejected);
        if self.refused.is_empty() {
            info!(changed = update.changed.len(), removed = update.removed.len(), "the proxy took all of it");
        }
        self.registry.set_in_process(self.progress());
        self.registry.refusals_may_have_changed();
    }
}
