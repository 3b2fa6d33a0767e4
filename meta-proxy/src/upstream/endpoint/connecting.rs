//! Connections of an endpoint: when one more is needed, the attempts to make it, and what becomes of those who wait for
//! one that fails or ends.

use std::io;
use std::rc::Rc;

use codec_api::{Message, Raw, Sharing};
use tokio::time::timeout;

use crate::error::Failure;
use crate::exchange::End;
use crate::tls::HandshakeError;
use crate::upstream::cluster::{Call, Cluster};
use crate::upstream::connection::{Connection, Purpose, Role};
use crate::upstream::limits::Permit;
use crate::upstream::standing::Evidence;
use crate::upstream::waiting::{Need, Waiting};
use crate::upstream::why;
use crate::wire::BoxStream;

use super::{Endpoint, POOL_LIMIT, address_of};

/// Shared connections to an endpoint, from which on none is made for a session of its own.
const SESSIONS_LIMIT: usize = 1024;

impl Endpoint {
    /// Lets a request wait for a connection, and connects if none is on its way.
    pub(super) fn wait(self: &Rc<Self>, cluster: &Rc<Cluster>, need: Need, call: Call<'_>) {
        let purpose = need.purpose(&call.exchange);
        if let Some(purpose) = &purpose
            && self.is_avoided(cluster, purpose)
        {
            return cluster.try_next(call, self);
        }
        let Some(slot) = cluster.permit_pending() else {
            return cluster.refuse(call.exchange, Failure::TooManyPending);
        };
        if let Some(purpose) = &purpose
            && !self.sees_to(cluster, purpose, 1)
        {
            return cluster.refuse(call.exchange, Failure::TooManyConnections);
        }
        let Call { exchange, message, bytes, tried, permit, place } = call;
        let (message, bytes) = (*message, bytes.to_bytes());
        self.waiting.push(Waiting { exchange, message, bytes, need, place, tried, permit, _slot: slot });
        self.watch(cluster);
    }

    /// Whether a request would need one more attempt to connect, and none may be made now.
    fn is_avoided(&self, cluster: &Cluster, purpose: &Purpose) -> bool {
        let is_trying = !self.connecting.borrow().is_empty();
        self.health.is_avoided(cluster.local().now(), is_trying)
            && self.lacks(cluster, purpose, 1)
            && !(is_exclusive(cluster, purpose) && self.may_become_free(cluster, purpose))
    }

    /// Whether there are too few connections and attempts for all that wait for one like this, and `more`.
    fn lacks(&self, cluster: &Cluster, purpose: &Purpose, more: usize) -> bool {
        let is_for_one = purpose.role == Role::Private && purpose.owner.is_none();
        let wanted = if is_for_one || is_exclusive(cluster, purpose) {
            self.waiting.wanting(purpose) + more
        } else {
            // What waits although there is one that takes everybody's requests waits for something else.
            let is_there = |connection: &Rc<Connection>| {
                connection.is_usable() && !connection.is_hindered() && connection.serves(purpose)
            };
            usize::from(!self.shared.borrow().iter().any(is_there))
        };
        wanted > 0 && self.attempts(purpose) < wanted
    }

    /// Whether a connection that there is may come to serve for this.
    fn may_become_free(&self, cluster: &Cluster, purpose: &Purpose) -> bool {
        match purpose.role {
            Role::Shared => {
                let is_exclusive = is_exclusive(cluster, purpose);
                self.shared.borrow().iter().any(|connection| is_exclusive || connection.serves(purpose))
            }
            Role::Private => purpose.owner.is_none() && !self.private.borrow().is_empty(),
            Role::Own => false,
        }
    }

    /// Sees to it that there are connections or attempts for all that wait for one like this, and `more`. `false`: the
    /// cluster's limit forbids it, and none can become free.
    fn sees_to(self: &Rc<Self>, cluster: &Rc<Cluster>, purpose: &Purpose, more: usize) -> bool {
        !self.lacks(cluster, purpose, more)
            || self.connect(cluster, purpose.clone()).is_some()
            || self.attempts(purpose) > 0
            || self.may_become_free(cluster, purpose)
    }

    /// Attempts to connect for this purpose, and connections that are being set up.
    fn attempts(&self, purpose: &Purpose) -> usize {
        let connecting = self.connecting.borrow().iter().filter(|other| other.is(purpose)).count();
        let is_coming =
            |connection: &&Rc<Connection>| connection.is_setting_up() && connection.serves(purpose);
        let connections = if purpose.role == Role::Shared { &self.shared } else { &self.private };
        connecting + connections.borrow().iter().filter(is_coming).count()
    }

    /// Starts a connection attempt; `None`: the cluster's limit forbids it.
    pub(super) fn connect(self: &Rc<Self>, cluster: &Rc<Cluster>, purpose: Purpose) -> Option<()> {
        let is_one_more = purpose.role == Role::Shared && purpose.session.is_some();
        if is_one_more && self.shared.borrow().len() + self.connecting.borrow().len() >= SESSIONS_LIMIT {
            return None;
        }
        let permit = cluster.permit_connection()?;
        self.connecting.borrow_mut().push(purpose.clone());
        let limit = cluster.settings().model.connect_timeout;
        let (what, attempt) = (cluster.connector().what(), cluster.connector().connect(self.address));
        let attempt = timeout(limit, attempt);
        let (endpoint, cluster) = (self.clone(), cluster.clone());
        tokio::task::spawn_local(async move {
            let stream = match attempt.await {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(error),
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no {what} within {limit:?}"))),
            };
            cluster.local().tick();
            let place = endpoint.connecting.borrow().iter().position(|other| other.is(&purpose));
            place.map(|place| endpoint.connecting.borrow_mut().swap_remove(place));
            match stream {
                Ok(stream) => endpoint.connected(&cluster, stream, purpose, permit),
                Err(error) => {
                    drop(permit);
                    cluster.connection_ended();
                    if HandshakeError::is_cause_of(&error) {
                        endpoint.series.tls_failures.inc();
                    }
                    endpoint.failed_to_connect(&cluster, &purpose, &error.to_string());
                }
            }
        });
        Some(())
    }

    fn connected(
        self: &Rc<Self>,
        cluster: &Rc<Cluster>,
        stream: BoxStream,
        purpose: Purpose,
        permit: Permit,
    ) {
        self.series.connects.inc();
        self.series.connections.inc();
        let role = purpose.role;
        let connection = Connection::start(cluster, self, stream, purpose, permit);
        match role {
            Role::Shared => self.shared.borrow_mut().push(connection.clone()),
            Role::Private | Role::Own => self.private.borrow_mut().push(connection.clone()),
        }
        if let Some(owner) = connection.owner() {
            self.kept.borrow_mut().insert(address_of(&owner), connection.clone());
        }
        if connection.is_usable() {
            self.is_set_up(&connection);
        }
    }

    /// Lets a connection carry its first request, or the first one after what had to be answered before it.
    pub(in crate::upstream) fn is_set_up(self: &Rc<Self>, connection: &Rc<Connection>) {
        if self.health.connected() {
            self.tell_standing();
        }
        connection.has_begun();
        let Some(cluster) = self.cluster.upgrade() else { return connection.wind_up() };
        if connection.is_free() {
            self.pool.borrow_mut().push(connection.clone());
        }
        self.serve_waiting(&cluster, connection);
        connection.settle();
        if connection.is_free() && self.pool.borrow().len() > POOL_LIMIT {
            self.take_from_pool(connection);
            connection.wind_up();
        }
    }

    fn failed_to_connect(self: &Rc<Self>, cluster: &Rc<Cluster>, purpose: &Purpose, why: &str) {
        self.series.connect_failures.inc();
        self.health.failed(why, cluster.local());
        self.judge(Evidence::Mute("it could not be connected to"));
        self.tell_standing();
        tracing::debug!(cluster = %cluster.name(), endpoint = %self.address, why, "connect failed");
        let attempts = self.attempts(purpose);
        let mut surplus = if purpose.role == Role::Private && purpose.owner.is_none() {
            // Whoever has the others may keep them for ever.
            self.waiting.wanting(purpose).saturating_sub(attempts)
        } else {
            let is_ours = |connection: &Rc<Connection>| connection.is_usable() && connection.serves(purpose);
            if attempts > 0 || self.connections().iter().any(is_ours) { 0 } else { usize::MAX }
        };
        let wants_it = |waiting: &Waiting| waiting.purpose().is_some_and(|wanted| wanted.is(purpose));
        let mut ours = Vec::new();
        while surplus > 0
            && let Some(waiting) = self.waiting.take_first(wants_it)
        {
            ours.push(waiting);
            surplus -= 1;
        }
        cluster.try_elsewhere(ours, self);
    }

    /// Ends what waits for a connection whose set-up its endpoint has refused, with the endpoint's own words.
    pub(in crate::upstream) fn refused_set_up(
        &self,
        connection: &Rc<Connection>,
        message: &Message,
        bytes: Raw<'_>,
    ) {
        let is_meant = |waiting: &Waiting| match &waiting.need {
            Need::This(this) => Rc::ptr_eq(this, connection),
            _ => waiting.purpose().is_some_and(|purpose| connection.serves(&purpose)),
        };
        for waiting in self.waiting.take_all(is_meant) {
            waiting.end(End::Response { message, bytes });
        }
    }

    /// Takes note of a connection's end; what waits gets another one.
    pub(in crate::upstream) fn disconnected(
        self: &Rc<Self>,
        cluster: &Rc<Cluster>,
        connection: &Rc<Connection>,
        why: &str,
    ) {
        for list in [&self.shared, &self.private, &self.pool] {
            list.borrow_mut().retain(|known| !Rc::ptr_eq(known, connection));
        }
        self.kept.borrow_mut().retain(|_, known| !Rc::ptr_eq(known, connection));
        self.series.connections.dec();
        cluster.connection_ended();
        let is_for_it =
            |waiting: &Waiting| matches!(&waiting.need, Need::This(this) if Rc::ptr_eq(this, connection));
        for waiting in self.waiting.take_all(is_for_it) {
            waiting.end(End::Failed(Failure::ConnectionLost, Some(&why::lost(self.address))));
        }
        if connection.is_new() {
            // It never carried a request: as good as no connection.
            self.failed_to_connect(cluster, &connection.purpose(), why);
        }
        self.serve_shared(cluster);
        self.see_to_all(cluster);
    }

    /// Connects for all that still waits, as far as the cluster's limit allows it.
    fn see_to_all(self: &Rc<Self>, cluster: &Rc<Cluster>) {
        let mut purposes: Vec<Purpose> = Vec::new();
        for purpose in self.waiting.purposes() {
            if !purposes.iter().any(|known| known.is(&purpose)) {
                purposes.push(purpose);
            }
        }
        for purpose in &purposes {
            let may_try = || self.lacks(cluster, purpose, 0) && !self.is_avoided(cluster, purpose);
            while may_try() && self.connect(cluster, purpose.clone()).is_some() {}
            if self.sees_to(cluster, purpose, 0) {
                continue;
            }
            let is_meant = |waiting: &Waiting| waiting.purpose().is_some_and(|wanted| wanted.is(purpose));
            for waiting in self.waiting.take_all(is_meant) {
                cluster.refuse(waiting.exchange, Failure::TooManyConnections);
            }
        }
    }
}

/// Whether a connection for this carries one request at a time.
fn is_exclusive(cluster: &Cluster, purpose: &Purpose) -> bool {
    purpose.role == Role::Shared && cluster.sharing() == Sharing::Exclusive
}
