//! One endpoint of a cluster on one worker: its connections, and what waits for one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use codec_api::{Message, Sharing};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use crate::error::Failure;
use crate::exchange::{End, Exchange};
use crate::telemetry::{EndpointKey, EndpointSeries};
use crate::wire::BoxStream;

use super::cluster::{Call, Cluster, Tried};
use super::connection::{Connection, Owner};
use super::limits::Permit;

/// How long an endpoint is avoided after it has said goodbye and closed.
const LEAVING_TIME: Duration = Duration::from_secs(5);

/// A request that waits for a connection, with bytes of its own.
pub struct Waiting {
    pub(super) exchange: Exchange,
    pub(super) message: Message,
    pub(super) bytes: Bytes,
    pub(super) tried: Tried,
    pub(super) permit: Permit,
    /// Its place among the cluster's waiting requests.
    pub(super) _place: Permit,
}

/// An endpoint.
pub struct Endpoint {
    cluster: Weak<Cluster>,
    address: SocketAddr,
    key: EndpointKey,
    series: Arc<EndpointSeries>,
    active: Cell<u32>,
    connections: RefCell<Vec<Rc<Connection>>>,
    /// Attempts to connect that are under way, by who needs them.
    connecting: RefCell<Vec<Owner>>,
    waiting: RefCell<VecDeque<Waiting>>,
    /// Someone sees to it that what waits ends in time; told when more waits.
    watched: Cell<bool>,
    more_waits: Notify,
    retired: Cell<bool>,
    /// Connections on which it has said that it is going away.
    leaving: Cell<usize>,
    /// Until when it is taken for going away although such a connection has ended.
    left_until: Cell<Option<Instant>>,
}

impl Endpoint {
    /// An endpoint without connections.
    pub(super) fn new(cluster: &Rc<Cluster>, address: SocketAddr) -> Rc<Self> {
        let key = EndpointKey { cluster: cluster.name().clone(), endpoint: address.to_string().into() };
        let local = cluster.local();
        Rc::new(Self {
            cluster: Rc::downgrade(cluster),
            address,
            series: local.telemetry().endpoint(local.worker(), key.clone()),
            key,
            active: Cell::new(0),
            connections: RefCell::default(),
            connecting: RefCell::default(),
            waiting: RefCell::default(),
            watched: Cell::new(false),
            more_waits: Notify::new(),
            retired: Cell::new(false),
            leaving: Cell::new(0),
            left_until: Cell::new(None),
        })
    }

    /// Where it listens.
    #[inline]
    pub fn address(&self) -> SocketAddr {
        self.address
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

    /// Whether it has said that it is going away: others are to be preferred.
    #[inline]
    pub(super) fn is_leaving(&self, now: Instant) -> bool {
        self.leaving.get() > 0 || self.left_until.get().is_some_and(|until| now < until)
    }

    /// Notes that a connection on which it had said so has ended. It may still accept others for a moment, and end
    /// with them.
    pub(super) fn has_left(&self, now: Instant) {
        self.left_until.set(Some(now + LEAVING_TIME));
    }

    /// Notes that it has said so on one more connection, or that it takes that back.
    pub(super) fn set_leaving(&self, is_leaving: bool) {
        let count = self.leaving.get();
        self.leaving.set(if is_leaving { count + 1 } else { count - 1 });
        self.left_until.set(None);
    }

    /// Whether the cluster no longer has it.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.get()
    }

    /// Takes no more requests; connections end when nothing is under way on them.
    pub(super) fn retire(&self) {
        self.retired.set(true);
        for connection in &*self.connections.borrow() {
            connection.wake();
        }
    }

    /// Sends a request on one of its connections, or lets it wait for one.
    pub(super) fn send(self: &Rc<Self>, cluster: &Rc<Cluster>, call: Call<'_>) {
        let sharing = cluster.sharing();
        match self.pick(sharing, &call.exchange) {
            Some(connection) => connection.send(call.exchange, call.message, call.bytes, call.permit),
            None => return self.wait(cluster, call),
        }
        if let Sharing::Shared(most) = sharing
            && most > 1
            && self.connections.borrow().len() + self.connecting.borrow().len() < most
        {
            let _ = self.connect(cluster, Owner::default());
        }
    }

    /// The usable connection with the fewest requests outstanding.
    fn pick(&self, sharing: Sharing, exchange: &Exchange) -> Option<Rc<Connection>> {
        let connections = self.connections.borrow();
        let usable = connections.iter().filter(|connection| connection.is_usable());
        let chosen = match sharing {
            Sharing::Shared(1) => usable.into_iter().next(),
            Sharing::Shared(_) => usable.min_by_key(|connection| connection.outstanding()),
            Sharing::Exclusive => usable.into_iter().find(|connection| connection.outstanding() == 0),
            Sharing::PerDownstream => {
                let owner = Owner::of(exchange, sharing);
                usable.into_iter().find(|connection| connection.owner().is(&owner))
            }
        };
        chosen.cloned()
    }

    fn wait(self: &Rc<Self>, cluster: &Rc<Cluster>, call: Call<'_>) {
        let Call { exchange, message, bytes, tried, permit } = call;
        let Some(place) = cluster.permit_pending() else {
            return exchange.end(End::Failed(Failure::TooManyPending, None));
        };
        let sharing = cluster.sharing();
        let owner = Owner::of(&exchange, sharing);
        let wanted = if sharing == Sharing::Exclusive { self.waiting.borrow().len() + 1 } else { 1 };
        if self.attempts(&owner) < wanted && self.connect(cluster, owner.clone()).is_none() {
            // An exclusive connection may also become free; others come only from an attempt.
            let may_become_free = sharing == Sharing::Exclusive && !self.connections.borrow().is_empty();
            if self.attempts(&owner) == 0 && !may_become_free {
                return exchange.end(End::Failed(Failure::TooManyConnections, None));
            }
        }
        let bytes = bytes.to_bytes();
        let message = *message;
        self.waiting.borrow_mut().push_back(Waiting {
            exchange,
            message,
            bytes,
            tried,
            permit,
            _place: place,
        });
        self.watch(cluster);
    }

    /// Attempts to connect for this owner.
    fn attempts(&self, owner: &Owner) -> usize {
        self.connecting.borrow().iter().filter(|other| other.is(owner)).count()
    }

    /// Starts a connection attempt; `None`: the cluster's limit forbids it.
    fn connect(self: &Rc<Self>, cluster: &Rc<Cluster>, owner: Owner) -> Option<()> {
        let permit = cluster.permit_connection()?;
        self.connecting.borrow_mut().push(owner.clone());
        let limit = cluster.settings().model.connect_timeout;
        let attempt = timeout(limit, cluster.connector().connect(self.address));
        let (endpoint, cluster) = (self.clone(), cluster.clone());
        tokio::task::spawn_local(async move {
            let stream = match attempt.await {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(error),
                Err(_) => {
                    Err(io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {limit:?}")))
                }
            };
            cluster.local().tick();
            let place = endpoint.connecting.borrow().iter().position(|other| other.is(&owner));
            place.map(|place| endpoint.connecting.borrow_mut().swap_remove(place));
            match stream {
                Ok(stream) => endpoint.connected(&cluster, stream, owner, permit),
                Err(error) => endpoint.connect_failed(&cluster, &owner, &error),
            }
        });
        Some(())
    }

    fn connected(self: &Rc<Self>, cluster: &Rc<Cluster>, stream: BoxStream, owner: Owner, permit: Permit) {
        self.series.connects.inc();
        self.series.connections.inc();
        let connection = Connection::start(cluster, self, stream, owner, permit);
        self.connections.borrow_mut().push(connection.clone());
        self.serve_waiting(cluster, &connection);
    }

    fn connect_failed(self: &Rc<Self>, cluster: &Rc<Cluster>, owner: &Owner, error: &io::Error) {
        cluster.connection_ended();
        self.series.connect_failures.inc();
        tracing::debug!(cluster = %cluster.name(), endpoint = %self.address, %error, "connect failed");
        let is_ours = |connection: &Rc<Connection>| connection.is_usable() && connection.owner().is(owner);
        if self.attempts(owner) > 0 || self.connections.borrow().iter().any(is_ours) {
            return;
        }
        let sharing = cluster.sharing();
        let (ours, others) = self
            .waiting
            .take()
            .into_iter()
            .partition::<VecDeque<_>, _>(|waiting| Owner::of(&waiting.exchange, sharing).is(owner));
        self.waiting.replace(others);
        cluster.try_elsewhere(ours.into_iter(), self.address);
    }

    /// Sends what waits, as far as `connection` takes it.
    pub(super) fn serve_waiting(self: &Rc<Self>, cluster: &Rc<Cluster>, connection: &Rc<Connection>) {
        let sharing = cluster.sharing();
        while connection.is_usable() && !(sharing == Sharing::Exclusive && connection.outstanding() > 0) {
            let Some(next) = self.next_waiting(sharing, connection.owner()) else { return };
            if next.exchange.is_cancelled() {
                continue;
            }
            connection.send(next.exchange, &next.message, codec_api::Raw::Shared(&next.bytes), next.permit);
        }
    }

    /// The first request that waits for a connection of this owner.
    fn next_waiting(&self, sharing: Sharing, owner: &Owner) -> Option<Waiting> {
        let mut waiting = self.waiting.borrow_mut();
        if sharing != Sharing::PerDownstream {
            return waiting.pop_front();
        }
        let place = waiting.iter().position(|waiting| Owner::of(&waiting.exchange, sharing).is(owner))?;
        waiting.remove(place)
    }

    /// Takes note of a connection's end; what waits gets another one.
    pub(super) fn disconnected(self: &Rc<Self>, cluster: &Rc<Cluster>, connection: &Rc<Connection>) {
        self.connections.borrow_mut().retain(|known| !Rc::ptr_eq(known, connection));
        self.series.connections.dec();
        cluster.connection_ended();
        // With a connection for each client, whatever waits has an attempt of its own.
        let is_shared = cluster.sharing() != Sharing::PerDownstream;
        if is_shared && !self.waiting.borrow().is_empty() && self.connecting.borrow().is_empty() {
            let _ = self.connect(cluster, Owner::default());
        }
    }

    /// Ends what waits and is out of time or out of clients.
    fn expire(&self, now: Instant) {
        let is_over = |waiting: &Waiting| {
            waiting.exchange.is_cancelled()
                || waiting.exchange.deadline().is_some_and(|deadline| deadline <= now)
        };
        let mut over = Vec::new();
        {
            let mut queue = self.waiting.borrow_mut();
            let mut index = 0;
            while index < queue.len() {
                if is_over(&queue[index]) {
                    over.extend(queue.remove(index));
                } else {
                    index += 1;
                }
            }
        }
        for waiting in over.into_iter().filter(|waiting| !waiting.exchange.is_cancelled()) {
            waiting.exchange.end(End::Failed(Failure::Timeout, None));
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
            loop {
                let deadline = {
                    let waiting = endpoint.waiting.borrow();
                    waiting.iter().filter_map(|waiting| waiting.exchange.deadline()).min()
                };
                let Some(deadline) = deadline else { break };
                tokio::select! {
                    () = sleep_until(deadline) => endpoint.expire(local.tick()),
                    () = endpoint.more_waits.notified() => {}
                }
            }
            endpoint.watched.set(false);
        });
    }

    /// Ends every exchange whose client has gone.
    pub(super) fn sweep_cancelled(&self) {
        if let Some(cluster) = self.cluster.upgrade() {
            self.expire(cluster.local().now());
        }
        let connections = self.connections.borrow().clone();
        for connection in connections {
            connection.sweep_cancelled();
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Some(cluster) = self.cluster.upgrade() {
            let local = cluster.local();
            local.telemetry().forget_endpoint(local.worker(), &self.key, &self.series);
        }
    }
}
