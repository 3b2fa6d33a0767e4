//! One endpoint of a cluster on one worker: its connections, and what waits for one.

mod connecting;
mod judging;
mod pick;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use codec_api::{Affinity, Message, Order, Raw, Sharing};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::error::Failure;
use crate::exchange::{Client, End, Exchange};
use crate::telemetry::{EndpointKey, EndpointSeries};

use super::cluster::{Call, Cluster, Place};
use super::connection::{Connection, Purpose, Role};
use super::health::Health;
use super::limits::Permit;
use super::probe::Probe;
use super::standing::Standing;
use super::tried::Tried;
use super::waiting::{Need, Queue, Waiting};
use super::why;

/// Private connections that wait for their next client.
const POOL_LIMIT: usize = 100;

/// An endpoint.
pub struct Endpoint {
    cluster: Weak<Cluster>,
    cluster_name: Arc<str>,
    address: SocketAddr,
    key: EndpointKey,
    series: Arc<EndpointSeries>,
    active: Cell<u32>,
    /// Connections that many clients use.
    shared: RefCell<Vec<Rc<Connection>>>,
    /// Connections that one client uses, or none.
    private: RefCell<Vec<Rc<Connection>>>,
    /// Those of `private` that no client uses.
    pool: RefCell<Vec<Rc<Connection>>>,
    /// Those of `private` that a client keeps, by its address in memory.
    kept: RefCell<HashMap<usize, Rc<Connection>>>,
    /// Attempts to connect that are under way.
    connecting: RefCell<Vec<Purpose>>,
    waiting: Queue,
    /// Someone sees to it that what waits ends in time; told when more waits.
    watched: Cell<bool>,
    more_waits: Notify,
    retired: Cell<bool>,
    health: Health,
    /// It has a standing.
    judged: Cell<bool>,
    standing: RefCell<Option<Arc<Standing>>>,
    /// Pings it, if this worker is to.
    probe: RefCell<Option<Probe>>,
}

impl Endpoint {
    /// An endpoint without connections.
    pub(super) fn new(cluster: &Rc<Cluster>, address: SocketAddr) -> Rc<Self> {
        let key = EndpointKey { cluster: cluster.name().clone(), endpoint: address.to_string().into() };
        let local = cluster.local();
        Rc::new(Self {
            cluster: Rc::downgrade(cluster),
            cluster_name: cluster.name().clone(),
            address,
            series: local.telemetry().endpoint(local.worker(), key.clone()),
            key,
            active: Cell::new(0),
            shared: RefCell::default(),
            private: RefCell::default(),
            pool: RefCell::default(),
            kept: RefCell::default(),
            connecting: RefCell::default(),
            waiting: Queue::default(),
            watched: Cell::new(false),
            more_waits: Notify::new(),
            retired: Cell::new(false),
            health: Health::default(),
            judged: Cell::new(false),
            standing: RefCell::default(),
            probe: RefCell::default(),
        })
    }

    /// Where it listens.
    #[inline]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its cluster, unless that has gone.
    pub(super) fn cluster(&self) -> Option<Rc<Cluster>> {
        self.cluster.upgrade()
    }

    /// Name of its cluster.
    pub(super) fn cluster_name(&self) -> &Arc<str> {
        &self.cluster_name
    }

    /// Requests that this worker has outstanding with it.
    #[inline]
    pub fn active(&self) -> u32 {
        self.active.get()
    }

    /// What this worker counts of it.
    pub(super) fn series(&self) -> &EndpointSeries {
        &self.series
    }

    pub(super) fn begin(&self) {
        self.active.set(self.active.get() + 1);
        self.series.active.inc();
    }

    pub(super) fn finish(&self) {
        self.active.set(self.active.get() - 1);
        self.series.active.dec();
    }

    /// Whether others are to be preferred: it has said that it is going away, or cannot be connected to.
    #[inline]
    pub(super) fn is_last_resort(&self, now: Instant) -> bool {
        self.health.is_leaving(now) || self.health.is_shunned(now)
    }

    /// Notes that a connection on which it had said that it is going away has ended.
    pub(super) fn has_left(&self, now: Instant) {
        self.health.has_left(now);
        self.tell_standing();
    }

    /// Notes that it has said so on one more connection, or that it takes that back.
    pub(super) fn set_leaving(&self, is_leaving: bool) {
        self.health.set_leaving(is_leaving);
        self.tell_standing();
    }

    /// Lets those who look from outside know what has been learned of it.
    fn tell_standing(&self) {
        self.series.standing.set(self.health.learned());
    }

    /// Whether the cluster no longer has it.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.get()
    }

    /// Takes no more requests; connections end when nothing is under way on them.
    pub(super) fn retire(&self) {
        self.retired.set(true);
        self.stand(None);
        self.probe.replace(None);
        for connection in self.connections() {
            connection.wake();
        }
    }

    fn connections(&self) -> Vec<Rc<Connection>> {
        self.shared.borrow().iter().chain(&*self.private.borrow()).cloned().collect()
    }

    /// Permission for one more outstanding request; `None`: the cluster's limit forbids it.
    pub(super) fn permit_request(&self) -> Option<Permit> {
        self.cluster.upgrade()?.permit_request()
    }

    /// Ends a request that one of its cluster's limits forbids.
    pub(super) fn refuse(&self, exchange: Exchange, failure: Failure) {
        match self.cluster.upgrade() {
            Some(cluster) => cluster.refuse(exchange, failure),
            None => exchange.end(End::Failed(failure, None)),
        }
    }

    /// Sends a request on one of its connections, or lets it wait for one.
    #[inline]
    pub(super) fn send(self: &Rc<Self>, cluster: &Rc<Cluster>, call: Call<'_>) {
        if let Some(connection) = self.pick_plain(cluster, &call.exchange) {
            return connection.send(call.exchange, call.message, call.bytes, call.permit);
        }
        let sharing = cluster.sharing();
        let need = Need::of(&call.exchange, sharing);
        match self.pick(cluster, &need, &call.exchange) {
            Some(connection) => self.send_on(&connection, cluster, &need, call),
            None => return self.wait(cluster, need, call),
        }
        if let Sharing::Shared(most) = sharing
            && most > 1
            && cluster.order() == Order::ById
            && self.shared.borrow().len() + self.connecting.borrow().len() < most
            && !self.health.is_shunned(cluster.local().now())
        {
            let purpose = Purpose { role: Role::Shared, session: None, owner: None };
            let _ = self.connect(cluster, purpose);
        }
    }

    /// Sends a request on `connection`, which may carry it: takes it for the request's client where it is nobody's.
    fn send_on(
        self: &Rc<Self>,
        connection: &Rc<Connection>,
        cluster: &Rc<Cluster>,
        need: &Need,
        call: Call<'_>,
    ) {
        if connection.role() != Role::Shared
            && let Some(client) = call.exchange.client()
        {
            if connection.is_free() {
                self.take_from_pool(connection);
                connection.take(client);
            }
            if call.exchange.affinity() == Affinity::Private {
                connection.keep();
                self.kept.borrow_mut().insert(address_of(client), connection.clone());
            }
            if !matches!(need, Need::This(_)) && connection.prepare(call.message) {
                return self.wait(cluster, Need::This(connection.clone()), call);
            }
        }
        connection.send(call.exchange, call.message, call.bytes, call.permit);
    }

    fn take_from_pool(&self, connection: &Rc<Connection>) {
        self.pool.borrow_mut().retain(|pooled| !Rc::ptr_eq(pooled, connection));
    }

    /// Sends a request on the one connection that will do, when it is nobody else's.
    pub(super) fn send_on_line(
        self: &Rc<Self>,
        line: &Rc<Connection>,
        (exchange, message, bytes): (Exchange, &Message, Raw<'_>),
        permit: Permit,
    ) {
        let Some(cluster) = self.cluster.upgrade() else {
            return exchange.end(End::Failed(Failure::ConnectionLost, Some(&why::lost(self.address))));
        };
        let is_theirs = exchange.client().is_some_and(|client| line.is_of(client));
        if is_theirs || line.role() == Role::Shared {
            return line.send(exchange, message, bytes, permit);
        }
        let need = Need::This(line.clone());
        let call = Call { exchange, message, bytes, place: Place::Any, tried: Tried::default(), permit };
        if line.is_free() && line.is_usable() {
            self.send_on(line, &cluster, &need, call);
        } else {
            self.wait(&cluster, need, call);
        }
    }

    /// Why it could not be connected to the last time.
    pub(super) fn why_shunned(&self) -> String {
        self.health.why()
    }

    /// Takes a private connection back from `owner`.
    pub(super) fn give_back(self: &Rc<Self>, connection: &Rc<Connection>, owner: &Rc<Client>) {
        self.forget_kept(connection, owner);
        let has_place = !self.is_retired() && self.pool.borrow().len() < POOL_LIMIT;
        let Some(cluster) = self.cluster.upgrade().filter(|_| has_place && connection.is_clean()) else {
            return connection.wind_up();
        };
        self.pool.borrow_mut().push(connection.clone());
        self.serve_waiting(&cluster, connection);
    }

    fn forget_kept(&self, connection: &Rc<Connection>, owner: &Rc<Client>) {
        let mut kept = self.kept.borrow_mut();
        if kept.get(&address_of(owner)).is_some_and(|known| Rc::ptr_eq(known, connection)) {
            kept.remove(&address_of(owner));
        }
    }

    /// Sends what waits, after a response has come on `connection`.
    #[inline]
    pub(super) fn has_room_again(self: &Rc<Self>, cluster: &Rc<Cluster>, connection: &Rc<Connection>) {
        if self.waiting.is_empty() {
            return;
        }
        if connection.role() != Role::Shared || cluster.sharing() == Sharing::Exclusive {
            self.serve_waiting(cluster, connection);
        } else {
            self.serve_shared(cluster);
        }
    }

    /// Sends what waits for a shared connection, after one of them can be used again.
    pub(super) fn look_again(self: &Rc<Self>) {
        if let Some(cluster) = self.cluster.upgrade() {
            self.serve_shared(&cluster);
        }
    }

    fn serve_shared(self: &Rc<Self>, cluster: &Rc<Cluster>) {
        if self.waiting.wants_shared() {
            let shared = self.shared.borrow().clone();
            for connection in &shared {
                self.serve_waiting(cluster, connection);
            }
        }
    }

    /// Sends what waits, as far as `connection` takes it.
    fn serve_waiting(self: &Rc<Self>, cluster: &Rc<Cluster>, connection: &Rc<Connection>) {
        while connection.is_usable() {
            let Some(next) = self.waiting.take_first(|waiting| self.suits(cluster, connection, waiting))
            else {
                return;
            };
            if next.exchange.is_cancelled() {
                continue;
            }
            let Waiting { exchange, message, bytes, need, place, tried, permit, .. } = next;
            let bytes = Raw::Shared(&bytes);
            self.send_on(
                connection,
                cluster,
                &need,
                Call { exchange, message: &message, bytes, tried, permit, place },
            );
        }
    }

    /// Ends what waits and is out of time or out of clients.
    fn expire(&self, now: Instant) {
        for waiting in self.waiting.take_over(now) {
            if let Need::This(connection) = &waiting.need {
                connection.give_up_preparing(&waiting.exchange);
            }
            if !waiting.exchange.is_cancelled() {
                let text = why::no_connection(self.address, waiting.exchange.try_time());
                waiting.end(End::Failed(Failure::Timeout, Some(&text)));
            }
        }
    }

    /// Sees to it that what waits ends in time. One task per endpoint, and only while something waits.
    fn watch(self: &Rc<Self>, cluster: &Rc<Cluster>) {
        self.more_waits.notify_one();
        if self.watched.replace(true) {
            return;
        }
        let (endpoint, local) = (self.clone(), cluster.local().clone());
        tokio::task::spawn_local(async move {
            while let Some(deadline) = endpoint.waiting.next_deadline() {
                tokio::select! {
                    () = sleep_until(deadline) => endpoint.expire(local.tick()),
                    () = endpoint.more_waits.notified() => {}
                }
            }
            endpoint.watched.set(false);
        });
    }

    /// Ends every exchange whose client has gone.
    pub(super) fn sweep_cancelled(self: &Rc<Self>) {
        if let Some(cluster) = self.cluster.upgrade() {
            self.expire(cluster.local().now());
        }
        for connection in self.connections() {
            connection.sweep_cancelled();
        }
        self.look_again();
    }
}

fn address_of(client: &Rc<Client>) -> usize {
    Rc::as_ptr(client).addr()
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Some(cluster) = self.cluster.upgrade() {
            let local = cluster.local();
            local.telemetry().forget_endpoint(local.worker(), &self.key, &self.series);
        }
    }
}
