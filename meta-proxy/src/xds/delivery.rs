//! How resources come to a proxy, whatever they come from.

use std::collections::BTreeSet;

use ::xds::{Ack, Rejection, Update};
use tokio::sync::oneshot;

/// An update on its way to the proxy, and where its answer goes.
#[derive(Debug)]
pub struct Delivery {
    /// What changed.
    pub update: Update,
    /// Whether the proxy has, with this update, everything that its resources name. New listeners are opened then.
    pub is_whole: bool,
    /// Answered once the update is in force.
    pub answer: oneshot::Sender<Applied>,
}

/// What has become of an update.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// What of it was refused.
    pub ack: Ack,
    /// All that is refused now, whatever update it came with.
    pub refused: Vec<Rejection>,
    /// What all resources in force name.
    pub references: References,
}

/// Names of resources that others name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Endpoints that clusters name.
    pub endpoints: BTreeSet<String>,
    /// Routes that listeners name.
    pub routes: BTreeSet<String>,
}
