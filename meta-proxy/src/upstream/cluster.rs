//! A cluster of one worker: chooses endpoints, keeps limits, and goes on to the next candidate where one cannot be
//! connected to.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use codec_api::{Factory, Message, Properties, Raw, Sharing};
use smallvec::SmallVec;

use crate::error::Failure;
use crate::exchange::{End, Exchange};
use crate::local::Local;
use crate::model;
use crate::wire::Connector;

use super::balance::Balancer;
use super::endpoint::{Endpoint, Waiting};
use super::limits::{Permit, Usage};

/// Endpoints that one request may try to be connected to.
pub const CONNECT_ATTEMPTS: usize = 3;

/// What a cluster is made from, shared by all workers.
#[derive(Clone)]
pub struct Settings {
    /// Its configuration.
    pub model: Arc<model::Cluster>,
    /// Makes codecs for its connections.
    pub factory: Arc<dyn Factory>,
    /// How its protocol behaves.
    pub properties: &'static Properties,
    /// What all workers together use of its limits.
    pub usage: Arc<Usage>,
}

/// One request on its way to an endpoint.
pub struct Call<'a> {
    pub(super) exchange: Exchange,
    pub(super) message: &'a Message,
    pub(super) bytes: Raw<'a>,
    pub(super) tried: Tried,
    pub(super) permit: Permit,
}

/// Endpoints that could not be connected to.
pub type Tried = SmallVec<[SocketAddr; CONNECT_ATTEMPTS]>;

/// A cluster.
pub struct Cluster {
    name: Arc<str>,
    settings: RefCell<Settings>,
    sharing: Sharing,
    local: Rc<Local>,
    connector: Rc<dyn Connector>,
    balancer: RefCell<Balancer>,
    endpoints: RefCell<Vec<Rc<Endpoint>>>,
    /// Connections of this worker to any endpoint, those under way included.
    connections: Cell<u32>,
}

impl Cluster {
    /// A cluster without endpoints.
    pub fn new(settings: Settings, local: &Rc<Local>, connector: &Rc<dyn Connector>) -> Rc<Self> {
        let balancer = Balancer::new(settings.model.balancing);
        Rc::new(Self {
            sharing: settings.factory.conduct().sharing.unwrap_or(settings.properties.sharing),
            name: settings.model.name.as_str().into(),
            settings: RefCell::new(settings),
            local: local.clone(),
            connector: connector.clone(),
            balancer: RefCell::new(balancer),
            endpoints: RefCell::default(),
            connections: Cell::new(0),
        })
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How its connections are shared.
    #[inline]
    pub(super) fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// Whether pools made under `other` serve this cluster as well: they speak the same protocol the same way.
    pub fn keeps_pools(&self, other: &Settings) -> bool {
        let settings = self.settings.borrow();
        settings.model.protocol == other.model.protocol && settings.model.options == other.model.options
    }

    /// Takes new settings and endpoints. Endpoints that stay keep their connections; those that go finish what they
    /// have under way.
    pub fn update(self: &Rc<Self>, settings: Settings, addresses: &[model::Endpoint]) {
        if self.settings.borrow().model.balancing != settings.model.balancing {
            self.balancer.replace(Balancer::new(settings.model.balancing));
        }
        self.settings.replace(settings);
        let old = self.endpoints.take();
        let find = |address| old.iter().find(|endpoint| endpoint.address() == address).cloned();
        let new = |address| find(address).unwrap_or_else(|| Endpoint::new(self, address));
        let endpoints: Vec<_> = addresses.iter().map(|endpoint| new(endpoint.address)).collect();
        for gone in old.iter().filter(|known| !endpoints.iter().any(|kept| Rc::ptr_eq(kept, known))) {
            gone.retire();
        }
        self.endpoints.replace(endpoints);
    }

    /// Lets every endpoint finish what it has under way and takes no more requests.
    pub fn retire(&self) {
        for endpoint in self.endpoints.take() {
            endpoint.retire();
        }
    }

    /// Sends a request to one of its endpoints.
    pub fn dispatch(self: &Rc<Self>, exchange: Exchange, message: &Message, bytes: Raw<'_>) {
        let limit = self.settings.borrow().model.limits.max_requests;
        let Some(permit) = self.settings.borrow().usage.requests.take(limit) else {
            return exchange.end(End::Failed(Failure::TooManyRequests, None));
        };
        if self.sharing == Sharing::Exclusive
            && let Some(client) = exchange.client()
        {
            client.goes_alone();
        }
        self.attempt(Call { exchange, message, bytes, tried: Tried::new(), permit });
    }

    /// Tries the next candidate.
    fn attempt(self: &Rc<Self>, mut call: Call<'_>) {
        let endpoints = self.endpoints.borrow();
        let is_tried = |endpoint: &Endpoint| call.tried.contains(&endpoint.address());
        let balancer = self.balancer.borrow();
        let now = self.local.now();
        let is_last_resort = |endpoint: &Endpoint| endpoint.is_leaving(now) || is_tried(endpoint);
        let preferred = balancer.choose(&endpoints, is_last_resort, &self.local);
        let chosen = preferred.or_else(|| balancer.choose(&endpoints, is_tried, &self.local)).cloned();
        drop(balancer);
        drop(endpoints);
        match chosen {
            Some(endpoint) if call.tried.len() < CONNECT_ATTEMPTS => {
                call.exchange.attempt(endpoint.address());
                endpoint.send(self, call);
            }
            _ if call.tried.is_empty() => call.exchange.end(End::Failed(Failure::NoEndpoint, None)),
            _ => call.exchange.end(End::Failed(Failure::ConnectFailure, None)),
        }
    }

    /// Sends what waited for `endpoint`, which could not be connected to, elsewhere.
    pub(super) fn try_elsewhere(
        self: &Rc<Self>,
        waiting: impl Iterator<Item = Waiting>,
        endpoint: SocketAddr,
    ) {
        for waiting in waiting {
            let Waiting { exchange, message, bytes, mut tried, permit, .. } = waiting;
            if exchange.is_cancelled() {
                continue;
            }
            tried.push(endpoint);
            self.attempt(Call { exchange, message: &message, bytes: Raw::Shared(&bytes), tried, permit });
        }
    }

    /// Ends every exchange whose client has gone.
    pub fn sweep_cancelled(&self) {
        for endpoint in &*self.endpoints.borrow() {
            endpoint.sweep_cancelled();
        }
    }

    /// Permission for one more connection. A worker's first one is never denied.
    pub(super) fn permit_connection(&self) -> Option<Permit> {
        let settings = self.settings.borrow();
        let limit = settings.model.limits.max_connections;
        let count = &settings.usage.connections;
        let permit = if self.connections.get() == 0 { Some(count.force(limit)) } else { count.take(limit) };
        if permit.is_some() {
            self.connections.set(self.connections.get() + 1);
        }
        permit
    }

    /// Notes that a connection has ended.
    pub(super) fn connection_ended(&self) {
        self.connections.set(self.connections.get() - 1);
    }

    /// Permission for one more request to wait for a connection.
    pub(super) fn permit_pending(&self) -> Option<Permit> {
        let settings = self.settings.borrow();
        settings.usage.pending.take(settings.model.limits.max_pending)
    }

    pub(super) fn settings(&self) -> std::cell::Ref<'_, Settings> {
        self.settings.borrow()
    }

    pub(super) fn local(&self) -> &Rc<Local> {
        &self.local
    }

    pub(super) fn connector(&self) -> &Rc<dyn Connector> {
        &self.connector
    }
}
