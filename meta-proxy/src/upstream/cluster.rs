//! A cluster of one worker: chooses endpoints, keeps limits, and goes on to the next candidate where one cannot be
//! connected to.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use codec_api::{Attribute, Factory, Message, Order, Properties, Raw, Sharing};

use crate::error::Failure;
use crate::exchange::{End, Exchange};
use crate::local::Local;
use crate::model;
use crate::tls::{Secured, Upstream};
use crate::wire::Connector;

use super::balance::Balancer;
use super::budget::Share;
use super::endpoint::Endpoint;
use super::limits::{Permit, Usage};
use super::tried::Tried;
use super::waiting::Waiting;
use super::why;

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
    /// What its connections are encrypted by; `None`: they are plain.
    pub tls: Option<Arc<Upstream>>,
}

/// Which endpoint a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Any.
    Any,
    /// The first; any, should it not be reached.
    First,
    /// The one that this hash leads to; the next one, should it not be reached.
    Hashed(u64),
    /// The one that this hash leads to, and no other.
    Owner(u64),
    /// The one with this address, and no other.
    At(SocketAddr),
}

/// One request on its way to an endpoint.
pub struct Call<'a> {
    pub(super) exchange: Exchange,
    pub(super) message: &'a Message,
    pub(super) bytes: Raw<'a>,
    pub(super) place: Place,
    pub(super) tried: Tried,
    pub(super) permit: Permit,
}

/// What a cluster hashes to find a request's endpoint.
pub struct Hashed {
    /// The attribute.
    pub attribute: Attribute,
    /// Whether the codec cuts keys out of messages, each of which lives on one endpoint.
    pub is_key: bool,
}

/// A cluster.
pub struct Cluster {
    name: Arc<str>,
    settings: RefCell<Settings>,
    sharing: Sharing,
    order: Order,
    /// What is hashed.
    hashed: RefCell<Option<Rc<Hashed>>>,
    local: Rc<Local>,
    connector: Rc<dyn Connector>,
    balancer: RefCell<Balancer>,
    endpoints: RefCell<Vec<Rc<Endpoint>>>,
    /// Its endpoints are judged: some may get no requests.
    judges: Cell<bool>,
    /// Connections of this worker to any endpoint, those under way included.
    connections: Cell<u32>,
}

impl Cluster {
    /// A cluster without endpoints.
    pub fn new(settings: Settings, local: &Rc<Local>, connector: &Rc<dyn Connector>) -> Rc<Self> {
        let balancer = Balancer::new(&settings.model.balancing);
        let conduct = settings.factory.conduct();
        let connector = match &settings.tls {
            Some(tls) => Rc::new(Secured::new(tls.clone(), connector.clone())),
            None => connector.clone(),
        };
        Rc::new(Self {
            sharing: conduct.sharing.unwrap_or(settings.properties.sharing),
            order: conduct.order,
            hashed: RefCell::default(),
            name: settings.model.name.as_str().into(),
            settings: RefCell::new(settings),
            local: local.clone(),
            connector,
            balancer: RefCell::new(balancer),
            endpoints: RefCell::default(),
            judges: Cell::new(false),
            connections: Cell::new(0),
        })
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How its connections are shared.
    #[inline]
    pub fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// How its endpoints answer.
    #[inline]
    pub(super) fn order(&self) -> Order {
        self.order
    }

    /// Whether it hashes anything.
    #[inline]
    pub fn hashes(&self) -> bool {
        self.hashed.borrow().is_some()
    }

    /// What it hashes to find a request's endpoint; `None`: nothing.
    #[inline]
    pub fn hashed(&self) -> Option<Rc<Hashed>> {
        self.hashed.borrow().clone()
    }

    /// Whether it tells endpoints apart by key.
    pub fn is_keyed(&self) -> bool {
        self.hashed.borrow().as_ref().is_some_and(|hashed| hashed.is_key)
    }

    /// The hash of a value.
    pub fn hash(&self, value: &[u8]) -> u64 {
        self.balancer.borrow().hash(value)
    }

    /// The endpoint that a hash leads to; `None`: there is none.
    pub fn owner_of(&self, hash: u64) -> Option<SocketAddr> {
        let place = self.balancer.borrow().owner(hash)?;
        self.endpoints.borrow().get(place).map(|endpoint| endpoint.address())
    }

    /// Where its endpoints are.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.endpoints.borrow().iter().map(|endpoint| endpoint.address()).collect()
    }

    /// Whether pools made under `other` serve this cluster as well: they speak the same protocol the same way, to those who
    /// are believed the same way.
    pub fn keeps_pools(&self, other: &Settings) -> bool {
        let (own, other) = (&self.settings.borrow().model, &other.model);
        own.protocol == other.protocol && own.options == other.options && own.tls == other.tls
    }

    /// Takes new settings and endpoints. Endpoints that stay keep their connections; those that go finish what they
    /// have under way.
    pub fn update(self: &Rc<Self>, settings: Settings, addresses: &[model::Endpoint]) {
        if self.settings.borrow().model.balancing != settings.model.balancing {
            self.balancer.replace(Balancer::new(&settings.model.balancing));
        }
        self.settings.replace(settings);
        let old = self.endpoints.take();
        let find = |address| old.iter().find(|endpoint| endpoint.address() == address).cloned();
        let new = |address| find(address).unwrap_or_else(|| Endpoint::new(self, address));
        let endpoints: Vec<_> = addresses.iter().map(|endpoint| new(endpoint.address)).collect();
        for gone in old.iter().filter(|known| !endpoints.iter().any(|kept| Rc::ptr_eq(kept, known))) {
            gone.retire();
        }
        self.balancer.borrow_mut().update(&endpoints);
        self.hashed.replace(self.balancer.borrow().attribute().map(|name| Rc::new(self.hashed_by(name))));
        self.judge_all(&endpoints);
        self.endpoints.replace(endpoints);
    }

    /// Lets endpoints know how they stand, and has them pinged if that is to be. One worker does it for all.
    fn judge_all(self: &Rc<Self>, endpoints: &[Rc<Endpoint>]) {
        let settings = self.settings.borrow();
        let health = &settings.model.health;
        self.judges.set(health.is_on());
        let checks = health.checks.as_ref().filter(|_| self.local.worker() == 0);
        for endpoint in endpoints {
            let judged = health.is_on().then(|| settings.usage.roster.standing(endpoint.address()));
            endpoint.stand(judged.flatten());
            endpoint.check(self, checks);
        }
    }

    fn hashed_by(&self, name: &str) -> Hashed {
        let settings = self.settings.borrow();
        let keys = settings.factory.conduct().keys;
        Hashed {
            attribute: Attribute::new(settings.properties, name),
            is_key: keys.is_some_and(|keys| keys.eq_ignore_ascii_case(name)),
        }
    }

    /// Lets every endpoint finish what it has under way and takes no more requests.
    pub fn retire(&self) {
        for endpoint in self.endpoints.take() {
            endpoint.retire();
        }
    }

    /// Permission for one more outstanding request.
    #[inline]
    pub fn permit_request(&self) -> Option<Permit> {
        let settings = self.settings.borrow();
        settings.usage.requests.take(settings.model.limits.max_requests)
    }

    /// Sends a request to one of its endpoints.
    pub fn dispatch(self: &Rc<Self>, exchange: Exchange, message: &Message, bytes: Raw<'_>, place: Place) {
        let Some(permit) = self.permit_request() else {
            return self.refuse(exchange, Failure::TooManyRequests);
        };
        if self.sharing == Sharing::Exclusive
            && let Some(client) = exchange.client()
        {
            client.goes_alone();
        }
        self.attempt(Call { exchange, message, bytes, place, tried: Tried::default(), permit });
    }

    /// Permission to try a request again, which has this share of what is under way; `false`: too many others are.
    pub fn permits_retry(&self, share: &mut Share) -> bool {
        share.retry(self.settings.borrow().model.limits.max_retries)
    }

    /// The share of one more request that may be tried again.
    pub fn share(&self) -> Share {
        self.settings.borrow().usage.retries.join()
    }

    /// Whether a request that any endpoint would do for could go to another one than those that were tried.
    pub fn has_other(&self, tried: &Tried) -> bool {
        let minds_health = self.minds_health();
        let is_barred =
            |endpoint: &Endpoint| (minds_health && endpoint.is_out()) || tried.contains(endpoint.address());
        self.endpoints.borrow().iter().any(|endpoint| !is_barred(endpoint))
    }

    /// Sends a request once more, for which there is a permit.
    pub fn dispatch_again(
        self: &Rc<Self>,
        exchange: Exchange,
        (message, bytes): (&Message, Raw<'_>),
        (place, tried): (Place, Tried),
        permit: Permit,
    ) {
        self.attempt(Call { exchange, message, bytes, place, tried, permit });
    }

    /// Tries the next candidate.
    fn attempt(self: &Rc<Self>, mut call: Call<'_>) {
        match self.candidate(call.place, &call.tried) {
            Some(endpoint) if call.tried.unreachable().len() < CONNECT_ATTEMPTS => {
                call.exchange.attempt(endpoint.address());
                endpoint.send(self, call);
            }
            _ => self.give_up(call),
        }
    }

    /// Ends a request for which there is no further candidate.
    #[cold]
    fn give_up(&self, call: Call<'_>) {
        let unreachable = call.tried.unreachable();
        let (failure, text) = if unreachable.is_empty() {
            let unhealthy = self.why_unhealthy(call.place);
            (
                Failure::NoEndpoint,
                unhealthy.unwrap_or_else(|| why::no_endpoint(&self.settings.borrow().model)),
            )
        } else {
            (Failure::ConnectFailure, self.why_unreachable(unreachable))
        };
        let Call { exchange, permit, .. } = call;
        // Given back first: should the request be sent again, it takes another one.
        drop(permit);
        exchange.end(End::Failed(failure, Some(&text)));
    }

    /// The endpoint to try next.
    fn candidate(&self, place: Place, tried: &Tried) -> Option<Rc<Endpoint>> {
        let endpoints = self.endpoints.borrow();
        let balancer = self.balancer.borrow();
        let is_first_try = tried.is_empty();
        let minds_health = self.minds_health();
        let is_out = |endpoint: &Endpoint| minds_health && endpoint.is_out();
        let hash = match place {
            Place::Owner(hash) => {
                return balancer
                    .owner(hash)
                    .filter(|_| is_first_try)
                    .and_then(|place| endpoints.get(place))
                    .filter(|owner| !is_out(owner))
                    .cloned();
            }
            Place::At(address) => {
                return endpoints
                    .iter()
                    .find(|endpoint| endpoint.address() == address && is_first_try)
                    .filter(|endpoint| !is_out(endpoint))
                    .cloned();
            }
            Place::First if is_first_try => {
                let left = endpoints.iter().filter(|endpoint| !is_out(endpoint));
                return left.min_by_key(|endpoint| endpoint.address()).cloned();
            }
            Place::Hashed(hash) => Some(hash),
            Place::First | Place::Any => None,
        };
        let is_barred = |endpoint: &Endpoint| is_out(endpoint) || tried.contains(endpoint.address());
        let now = self.local.now();
        let is_last_resort = |endpoint: &Endpoint| endpoint.is_last_resort(now) || is_barred(endpoint);
        let preferred = balancer.choose(&endpoints, hash, is_last_resort, &self.local);
        preferred.or_else(|| balancer.choose(&endpoints, hash, is_barred, &self.local)).cloned()
    }

    /// Whether endpoints that are out get no requests now.
    #[inline]
    fn minds_health(&self) -> bool {
        self.judges.get() && {
            let settings = self.settings.borrow();
            settings.usage.roster.tick(&self.name, self.local.now());
            !settings.usage.roster.panics()
        }
    }

    /// Which endpoints get no requests, and why, where that is why there is none for a request.
    fn why_unhealthy(&self, place: Place) -> Option<String> {
        let home = match place {
            Place::Owner(hash) => self.owner_of(hash),
            Place::At(address) => Some(address),
            Place::Any | Place::First | Place::Hashed(_) => None,
        };
        let wanted = |address| home.is_none_or(|home| home == address);
        let why = self.settings.borrow().usage.roster.why_out(wanted, self.local.now());
        let what = match home {
            Some(_) => "the endpoint that it belongs to is not healthy",
            None => "no endpoint of the cluster is healthy",
        };
        (!why.is_empty()).then(|| format!("{what} ({why})"))
    }

    /// Ends a request that one of its limits forbids.
    #[cold]
    pub(super) fn refuse(&self, exchange: Exchange, failure: Failure) {
        let limits = self.settings.borrow().model.limits;
        let limit = match failure {
            Failure::TooManyConnections => limits.max_connections,
            Failure::TooManyPending => limits.max_pending,
            _ => limits.max_requests,
        };
        let text = why::over_limit(failure, limit, &self.name);
        exchange.end(End::Failed(failure, Some(&text)));
    }

    /// Which endpoints could not be connected to, and why.
    fn why_unreachable(&self, tried: &[SocketAddr]) -> String {
        let endpoints = self.endpoints.borrow();
        let of = |address: &SocketAddr| endpoints.iter().find(|endpoint| endpoint.address() == *address);
        let why = tried.iter().map(|address| match of(address) {
            Some(endpoint) => format!("{address}: {}", endpoint.why_shunned()),
            None => format!("{address}: it has been taken away"),
        });
        format!("{} ({})", Failure::ConnectFailure.text(), why.collect::<Vec<_>>().join("; "))
    }

    /// Sends a request elsewhere that `endpoint` cannot be connected for.
    pub(super) fn try_next(self: &Rc<Self>, mut call: Call<'_>, endpoint: &Endpoint) {
        call.tried.push(endpoint.address());
        self.attempt(call);
    }

    /// Sends what waited for `endpoint`, which could not be connected to, elsewhere.
    pub(super) fn try_elsewhere(self: &Rc<Self>, waiting: Vec<Waiting>, endpoint: &Endpoint) {
        for waiting in waiting {
            let Waiting { exchange, message, bytes, tried, permit, place, .. } = waiting;
            if exchange.is_cancelled() {
                continue;
            }
            let bytes = Raw::Shared(&bytes);
            self.try_next(Call { exchange, message: &message, bytes, place, tried, permit }, endpoint);
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
