//! Resources in force, in the proxy's own words.

use std::fmt;
use std::sync::Arc;

use ::xds::{Origin, Rejection, Resource};
use codec_api::{Factory, Properties};

use crate::model;
use crate::route::{Regexes, Table};
use crate::tls::{Downstream, Upstream};

/// A resource in force, and where it came from.
#[derive(Debug, Clone)]
pub struct Entry<T> {
    /// As the control plane numbers it.
    pub version: String,
    /// The objects that it was built from; for routes, one per route, in order, and then one of the rate limit, if there
    /// is one.
    pub origins: Arc<[Origin]>,
    /// The resource. What it shares stays the same, pointer for pointer, while its content does.
    pub value: T,
}

/// A listener whose codec has accepted its options.
#[derive(Clone)]
pub struct Listener {
    /// What it is.
    pub model: Arc<model::Listener>,
    /// Makes the codecs of its client connections.
    pub factory: Arc<dyn Factory>,
    /// How its protocol behaves.
    pub properties: &'static Properties,
    /// What its connections are encrypted by; `None`: they are plain.
    pub tls: Option<Arc<Downstream>>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("model", &self.model).finish_non_exhaustive()
    }
}

/// A cluster whose codec has accepted its options.
#[derive(Clone)]
pub struct Cluster {
    /// What it is.
    pub model: Arc<model::Cluster>,
    /// Makes the codecs of its upstream connections.
    pub factory: Arc<dyn Factory>,
    /// How its protocol behaves.
    pub properties: &'static Properties,
    /// What its connections are encrypted by; `None`: they are plain.
    pub tls: Option<Arc<Upstream>>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("model", &self.model).finish_non_exhaustive()
    }
}

/// A route configuration, compiled for each protocol whose listeners name it.
#[derive(Debug, Clone)]
pub struct Routes {
    /// What it is.
    pub model: Arc<model::RouteConfiguration>,
    /// What is served of it: routes that ask for what their codecs cannot do answer that they are misconfigured.
    pub(crate) served: Arc<model::RouteConfiguration>,
    /// Its regular expressions, compiled when it was validated.
    pub(crate) regexes: Regexes,
    /// By the name of the protocol.
    pub(crate) tables: Vec<(Box<str>, Arc<Table>)>,
}

impl Routes {
    pub(crate) fn new(model: model::RouteConfiguration, regexes: Regexes) -> Self {
        let model = Arc::new(model);
        Self { served: model.clone(), model, regexes, tables: Vec::new() }
    }

    /// What is served of it.
    pub fn served(&self) -> &Arc<model::RouteConfiguration> {
        &self.served
    }

    /// The table for this protocol; `None`: no listener of that protocol names these routes.
    pub fn table(&self, protocol: &str) -> Option<&Arc<Table>> {
        self.tables.iter().find(|(name, _)| **name == *protocol).map(|(_, table)| table)
    }
}

/// The newest version of a resource, where it was refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// As the control plane numbers it. An older version may be in force.
    pub version: String,
    /// The resource, where it is only files that are wrong with it: it is tried again.
    pub(crate) awaiting: Option<Resource>,
    /// What is wrong with it; never empty.
    pub mistakes: Vec<Rejection>,
}
