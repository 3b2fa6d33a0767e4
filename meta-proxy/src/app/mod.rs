//! The composition root: starts workers, listeners and the admin port, puts updates in force, and stops in order.
//!
//! The only module that knows all others. It runs on a thread of its own; a request never passes through it.

mod dns;
mod listeners;
mod overview;
mod publish;
mod secrets;
#[cfg(test)]
mod tests;
mod workers;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::xds::{Rejection, ResourceType, Update};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::bootstrap::Bootstrap;
use crate::model::Service;
use crate::snapshot::Snapshot;
use crate::telemetry::{AccessLog, Telemetry};
use crate::tls::{Certificate, Files};
use crate::xds::ads::{self, Contact};
use crate::xds::{Applied, Codecs, State};

use dns::Resolver;
use listeners::Listeners;
use overview::published;
use publish::publish;
use workers::Workers;

pub use crate::admin::Overview;
pub use crate::xds::Delivery;

/// How often a listener that could not be bound is tried again.
const BIND_AGAIN: Duration = Duration::from_secs(1);
/// How often the files of certificates and keys are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a proxy tells the one who started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The admin port is open.
    Admin(SocketAddr),
    /// A service can be connected to.
    Listening {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
        /// Where its listener is bound.
        address: SocketAddr,
    },
    /// The first update is in force and every listener is bound.
    Ready,
    /// Something that was refused is in force without another update. Whoever delivers updates is to deliver an empty one: its
    /// answer tells what is refused and named now.
    Mended,
}

/// Why a proxy could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket, a file or a thread could not be had.
    #[error("{what}: {error}")]
    Io {
        /// What it was for.
        what: String,
        /// What the system said.
        error: io::Error,
    },
}

/// What becomes of new listeners.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// They are opened.
    Now,
    /// They wait for what they name.
    Waits,
    /// They wait until whoever delivers was told what is in force now: it may name what has not come.
    IsAsked,
}

/// A proxy at work.
struct Proxy {
    bootstrap: Bootstrap,
    codecs: Codecs,
    state: State,
    files: Files,
    /// Certificates that were warned of.
    complained: Vec<Certificate>,
    telemetry: Arc<Telemetry>,
    workers: Workers,
    listeners: Listeners,
    resolver: Resolver,
    overview: Arc<Overview>,
    tell: Box<dyn Fn(Event)>,
    /// The services that it was told of, and where they are bound.
    told: BTreeSet<(String, u16, SocketAddr)>,
    /// Whether everything that its resources name has come once.
    is_whole: bool,
    opening: Opening,
    is_ready: bool,
}

/// Runs a proxy that its controllers tell, until `stop` is cancelled and what was under way has ended, or its time to
/// drain is over.
pub async fn run_by_controllers(
    bootstrap: Bootstrap,
    options: ads::Options,
    codecs: Codecs,
    stop: CancellationToken,
    tell: Box<dyn Fn(Event)>,
) -> Result<(), StartError> {
    let contact = Arc::new(Contact::default());
    let told = Arc::clone(&contact);
    let tell = Box::new(move |event| match event {
        Event::Mended => told.mended(),
        event => tell(event),
    });
    let (proxy, resolved) = Proxy::start(bootstrap, codecs, tell, Some(Arc::clone(&contact))).await?;
    let (deliveries, delivered) = mpsc::channel(1);
    let client = tokio::spawn(ads::run(options, deliveries, contact));
    proxy.serve(delivered, resolved, stop).await;
    client.abort();
    Ok(())
}

/// Runs a proxy until `stop` is cancelled and what was under way has ended, or its time to drain is over.
pub async fn run(
    bootstrap: Bootstrap,
    codecs: Codecs,
    deliveries: mpsc::Receiver<Delivery>,
    stop: CancellationToken,
    tell: Box<dyn Fn(Event)>,
) -> Result<(), StartError> {
    let (proxy, resolved) = Proxy::start(bootstrap, codecs, tell, None).await?;
    proxy.serve(deliveries, resolved, stop).await;
    Ok(())
}

impl Proxy {
    async fn start(
        bootstrap: Bootstrap,
        codecs: Codecs,
        tell: Box<dyn Fn(Event)>,
        contact: Option<Arc<Contact>>,
    ) -> Result<(Self, mpsc::Receiver<dns::Found>), StartError> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |error| StartError::Io { what, error }
        };
        let trace_limit = bootstrap.trace_look_limit;
        let open = |target| {
            AccessLog::open(target, trace_limit).map_err(failed(&format!("the access log {target}")))
        };
        let access_log = bootstrap.access_log.as_ref().map(open).transpose()?;
        let telemetry = Arc::new(Telemetry::new(access_log));
        let workers = Workers::start(&bootstrap, &telemetry).map_err(failed("a worker's thread"))?;
        let overview = Arc::new(Overview::new(telemetry.clone(), contact));
        if let Some(address) = bootstrap.admin {
            let what = format!("the admin port {address}");
            let bound = admin::serve(address, overview.clone()).await.map_err(failed(&what))?;
            tell(Event::Admin(bound));
        }
        let (resolver, found) = Resolver::new();
        let listeners = Listeners::new(bootstrap.connections_per_listener, telemetry.clone());
        let state = State::default();
        let proxy = Self {
            bootstrap,
            codecs,
            state,
            files: Files::default(),
            complained: Vec::new(),
            telemetry,
            workers,
            listeners,
            resolver,
            overview,
            tell,
            told: BTreeSet::new(),
            is_whole: false,
            opening: Opening::Waits,
            is_ready: false,
        };
        Ok((proxy, found))
    }

    /// Serves until `stop` is cancelled, and then what is under way.
    async fn serve(
        mut self,
        mut deliveries: mpsc::Receiver<Delivery>,
        mut resolved: mpsc::Receiver<dns::Found>,
        stop: CancellationToken,
    ) {
        let mut bind_again = interval(BIND_AGAIN);
        bind_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look_again = interval(LOOK_AGAIN);
        look_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(delivery) = deliveries.recv() => {
                    let applied = self.apply(&delivery.update, delivery.is_whole).await;
                    let _ = delivery.answer.send(applied);
                }
                Some(found) = resolved.recv() => {
                    if self.resolver.keep(found) {
                        self.put_in_force().await;
                    }
                }
                _ = bind_again.tick() => if self.listeners.has_unbound() {
                    self.bind();
                },
                _ = look_again.tick() => if self.look_at_files() {
                    self.opening = Opening::IsAsked;
                    self.put_in_force().await;
                    (self.tell)(Event::Mended);
                },
            }
        }
        self.drain().await;
    }

    /// Puts an update in force and tells what of it is not.
    async fn apply(&mut self, update: &Update, is_whole: bool) -> Applied {
        let mut ack = self.state.apply(update, &self.codecs, &mut self.files);
        self.resolver.follow(&self.state);
        // Who does not know what is named now cannot know that it is all there, and has to look again.
        let knows = self.opening != Opening::IsAsked;
        if is_whole && !knows {
            (self.tell)(Event::Mended);
        }
        let is_whole = is_whole && knows;
        self.is_whole |= is_whole;
        self.opening = if is_whole { Opening::Now } else { Opening::Waits };
        let unbound = self.put_in_force().await;
        for (name, error) in unbound {
            let is_new =
                |(kind, changed): (ResourceType, &str)| kind == ResourceType::Listener && changed == name;
            if update.changed.iter().any(|resource| is_new((resource.kind, &resource.name))) {
                ack.rejected.push(not_bound(&name, &error));
            }
        }
        for rejection in &ack.rejected {
            tracing::debug!(%rejection, "refused");
        }
        let unbound = self.listeners.unbound().map(|(name, error)| not_bound(name, error));
        let refused = self.state.rejections().cloned().chain(unbound).collect();
        Applied { ack, refused, references: self.state.references() }
    }

    /// Publishes what is known now. Returns the listeners that could not be bound.
    async fn put_in_force(&mut self) -> Vec<(String, String)> {
        let snapshot = publish(&self.bootstrap, &self.state, &self.resolver, &self.overview.snapshot());
        self.show(&snapshot);
        self.listeners.retain(&snapshot);
        self.workers.apply(&snapshot).await;
        self.bind()
    }

    /// Binds every listener that is not bound. Returns those that could not be.
    fn bind(&mut self) -> Vec<(String, String)> {
        let snapshot = self.overview.snapshot();
        let (mut failed, mut is_mended) = (Vec::new(), false);
        for spec in snapshot.listeners.values() {
            if self.listeners.is_bound(&spec.model.name) {
                continue;
            }
            let had_failed = self.listeners.is_unbound(&spec.model.name);
            match self.listeners.bind(spec, self.bootstrap.elsewhere(&spec.model), &self.workers) {
                Ok(_) => is_mended |= had_failed,
                Err(error) => failed.push((spec.model.name.clone(), error)),
            }
        }
        if is_mended {
            (self.tell)(Event::Mended);
        }
        if self.opening == Opening::Now {
            self.listeners.open();
        }
        self.announce(&snapshot);
        self.show(&snapshot);
        failed
    }

    fn show(&self, snapshot: &Arc<Snapshot>) {
        self.overview.set(published(&self.state, snapshot, self.listeners.addresses(), self.is_whole));
    }

    /// Tells what has become reachable.
    fn announce(&mut self, snapshot: &Snapshot) {
        let mut reachable = BTreeSet::new();
        let addresses = self.listeners.addresses();
        for spec in snapshot.listeners.values() {
            let Some(Ok(address)) = addresses.get(&spec.model.name) else { continue };
            if !self.listeners.is_open(&spec.model.name) {
                continue;
            }
            let place = |service: &Service| (service.host.clone(), spec.model.address.port(), *address);
            reachable.extend(spec.model.services.iter().map(place));
        }
        for (host, port, address) in reachable.difference(&self.told) {
            (self.tell)(Event::Listening { host: host.clone(), port: *port, address: *address });
        }
        self.told = reachable;
        if self.is_whole && !self.is_ready && !self.listeners.has_unbound() {
            self.is_ready = true;
            self.warn_of_unknown_services();
            (self.tell)(Event::Ready);
        }
    }

    /// Says which services are to be bound elsewhere and do not exist.
    fn warn_of_unknown_services(&self) {
        let is_known =
            |host: &String, port: u16| self.told.iter().any(|told| (&told.0, told.1) == (host, port));
        for ((host, port), address) in &self.bootstrap.listen {
            if !is_known(host, *port) {
                let known: Vec<_> =
                    self.told.iter().map(|(host, port, _)| format!("{host}:{port}")).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                tracing::warn!(
                    "nothing listens on {address} for {host}:{port} yet; services that can be reached: {known}"
                );
            }
        }
    }

    /// Accepts no more, lets what is under way end, and stops.
    async fn drain(mut self) {
        let end = Instant::now() + self.bootstrap.drain;
        tracing::info!(window = ?self.bootstrap.drain, "draining");
        self.overview.set_draining();
        self.listeners.close();
        self.workers.drain();
        tokio::select! {
            () = self.workers.are_idle() => tracing::info!("drained"),
            () = sleep_until(end) => tracing::warn!(connections = self.workers.load(), "not drained in time"),
        }
        self.workers.stop();
        self.overview.close();
    }
}

/// The refusal of a listener that cannot be bound.
fn not_bound(name: &str, error: &str) -> Rejection {
    let (field, message) = ("address".to_owned(), error.to_owned());
    Rejection { kind: ResourceType::Listener, name: name.to_owned(), field, message }
}
