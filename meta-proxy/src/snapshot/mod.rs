//! What a request is served by: listeners, their services and routes, joined with the clusters that they lead to.
//!
//! A [`Snapshot`] is immutable and shared by all workers. Each worker makes a [`View`] of it, in which routes hold
//! their clusters directly, so that serving a request looks nothing up by name. A request keeps the view that it
//! began with.

mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use codec_api::{Factory, Properties};

use crate::model;
use crate::rate_limit::Buckets;
use crate::route::Table;
use crate::tls::Downstream;
use crate::upstream::Settings;

pub use view::{
    ListenerView, MirrorView, RetriesView, RouteView, SeriesByMethod, ServiceView, Target, Targets, Traced,
    View,
};

/// Everything that is in force at one time.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// By name.
    pub listeners: BTreeMap<String, Arc<ListenerSpec>>,
    /// By name.
    pub clusters: BTreeMap<String, ClusterSpec>,
    /// Of route configurations that limit requests, by name.
    pub buckets: BTreeMap<String, Arc<Buckets>>,
}

/// A listener and what its services are routed by.
pub struct ListenerSpec {
    /// Its configuration.
    pub model: Arc<model::Listener>,
    /// Name of its codec.
    pub protocol: Arc<str>,
    /// How its protocol behaves.
    pub properties: &'static Properties,
    /// Makes codecs for its connections.
    pub factory: Arc<dyn Factory>,
    /// In the order of the configuration.
    pub services: Vec<ServiceSpec>,
    /// What its connections are encrypted by; `None`: they are plain.
    pub tls: Option<Arc<Downstream>>,
}

/// A service and its routes.
#[derive(Clone)]
pub struct ServiceSpec {
    /// Its configuration.
    pub model: model::Service,
    /// Its routes; `None`: they have not arrived or were refused.
    pub routes: Option<RoutesSpec>,
}

/// A route configuration and its compiled form.
#[derive(Clone)]
pub struct RoutesSpec {
    /// As configured.
    pub model: Arc<model::RouteConfiguration>,
    /// As compiled for the listener's protocol.
    pub table: Arc<Table>,
    /// What its requests take their tokens from; `None`: they are not limited.
    pub buckets: Option<Arc<Buckets>>,
}

/// A cluster and its endpoints.
#[derive(Clone)]
pub struct ClusterSpec {
    /// What workers make it from.
    pub settings: Settings,
    /// What is known of its endpoints.
    pub endpoints: Arc<[model::Endpoint]>,
}
