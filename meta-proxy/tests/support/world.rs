//! Clients, endpoints and the worker between them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use codec_api::{Conduct, Options, Order, Sharing};
use meta_proxy::downstream::{Seat, Worker};
use meta_proxy::local::Local;
use meta_proxy::model::{
    AttributeMatcher, Cluster, Discovery, Endpoint, Health, Limits, Listener, LoadBalancing, Matcher, Mirror,
    RateLimit, Route, RouteAction, RouteConfiguration, Service, ValueMatcher, WeightedCluster,
};
use meta_proxy::rate_limit::Buckets;
use meta_proxy::route::Table;
use meta_proxy::snapshot::{ClusterSpec, ListenerSpec, RoutesSpec, ServiceSpec, Snapshot};
use meta_proxy::telemetry::{AccessLog, Outcome, Telemetry};
use meta_proxy::tls::{Downstream, Upstream};
use meta_proxy::upstream::Settings;
use meta_proxy::wire::{BoxStream, Connecting, Connector};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::actor::Actor;
use super::part::Part;
use super::tiny::{PROPERTIES, Tiny};

/// Bytes that a pipe holds before its writer must wait.
const PIPE: usize = 256 * 1024;

/// What an endpoint does with connection attempts.
#[derive(Clone)]
pub enum Behaviour {
    Accept(mpsc::UnboundedSender<Actor>),
    /// After this time.
    AcceptLate(mpsc::UnboundedSender<Actor>, Duration),
    Refuse,
    Hang,
}

#[derive(Default)]
struct Endpoints {
    behaviours: RefCell<HashMap<SocketAddr, Behaviour>>,
    attempts: Cell<usize>,
}

struct Pipes(Rc<Endpoints>);

impl Connector for Pipes {
    fn connect(&self, address: SocketAddr) -> Connecting {
        let behaviour = self.0.behaviours.borrow().get(&address).cloned();
        self.0.attempts.set(self.0.attempts.get() + 1);
        let accept = |accepted: &mpsc::UnboundedSender<Actor>| {
            let (ours, theirs) = tokio::io::duplex(PIPE);
            let refused = |_| io::Error::from(io::ErrorKind::ConnectionRefused);
            accepted.send(Actor::new(theirs)).map_err(refused)?;
            Ok(Box::new(ours) as BoxStream)
        };
        Box::pin(async move {
            match behaviour {
                Some(Behaviour::Accept(accepted)) => accept(&accepted),
                Some(Behaviour::AcceptLate(accepted, late)) => {
                    tokio::time::sleep(late).await;
                    accept(&accepted)
                }
                Some(Behaviour::Hang) => std::future::pending().await,
                Some(Behaviour::Refuse) | None => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }
}

/// A worker and all who talk to it.
pub struct World {
    pub worker: Rc<Worker>,
    pub telemetry: Arc<Telemetry>,
    pub routes: Vec<Route>,
    pub rate_limit: Option<RateLimit>,
    pub limits: Limits,
    pub idle_timeout: Option<Duration>,
    /// How long an upstream connection without requests is kept.
    pub upstream_idle_timeout: Option<Duration>,
    /// How an endpoint is chosen.
    pub balancing: LoadBalancing,
    /// How endpoints are judged.
    pub health: Health,
    /// How clients' connections behave; of upstream ones, all but the order.
    pub conduct: Conduct,
    /// In which order endpoints answer.
    pub upstream_order: Order,
    /// Each client has upstream connections of its own.
    pub dedicated: bool,
    /// What clients' connections are encrypted by.
    pub downstream_tls: Option<Arc<Downstream>>,
    /// What connections to endpoints are encrypted by.
    pub upstream_tls: Option<Arc<Upstream>>,
    endpoints: Rc<Endpoints>,
    clusters: BTreeMap<String, Vec<SocketAddr>>,
    usage: RefCell<HashMap<String, Settings>>,
    buckets: RefCell<Option<Arc<Buckets>>>,
    /// All but the first worker.
    others: Vec<Rc<Worker>>,
}

/// Address of endpoint number `number`.
pub fn endpoint_address(number: u16) -> SocketAddr {
    ([192, 0, 2, 1], number).into()
}

impl World {
    /// A worker without clusters.
    pub fn new() -> Self {
        Self::logging(None)
    }

    /// A worker without clusters that logs exchanges here.
    pub fn logging(access_log: Option<AccessLog>) -> Self {
        let telemetry = Arc::new(Telemetry::new(access_log));
        let local = Rc::new(Local::new(0, 7, 64 << 20, telemetry.clone()));
        let endpoints = Rc::new(Endpoints::default());
        let worker = Worker::new(local, Rc::new(Pipes(endpoints.clone())));
        worker.start_housekeeping();
        Self {
            worker,
            telemetry,
            routes: Vec::new(),
            rate_limit: None,
            limits: Limits::default(),
            idle_timeout: None,
            upstream_idle_timeout: None,
            balancing: LoadBalancing::LeastRequest,
            health: Health::default(),
            conduct: Conduct::default(),
            upstream_order: Order::ById,
            dedicated: false,
            downstream_tls: None,
            upstream_tls: None,
            endpoints,
            clusters: BTreeMap::new(),
            usage: RefCell::default(),
            buckets: RefCell::default(),
            others: Vec::new(),
        }
    }

    /// One more worker of the same process.
    pub fn another_worker(&mut self) {
        let number = self.others.len() + 1;
        let local = Rc::new(Local::new(number, 7 + number as u64, 64 << 20, self.telemetry.clone()));
        let worker = Worker::new(local, Rc::new(Pipes(self.endpoints.clone())));
        worker.start_housekeeping();
        self.others.push(worker);
    }

    /// A worker that sends everything to one endpoint, whose connections come out of the receiver.
    pub fn with_endpoint() -> (Self, mpsc::UnboundedReceiver<Actor>) {
        let mut world = Self::new();
        let accepted = world.accepting("all", 1);
        world.route(None, "all");
        world.apply();
        (world, accepted)
    }

    /// Gives `cluster` one more endpoint.
    pub fn endpoint(&mut self, cluster: &str, number: u16, behaviour: Behaviour) {
        let address = endpoint_address(number);
        self.behave(number, behaviour);
        self.clusters.entry(cluster.to_owned()).or_default().push(address);
    }

    /// From now on endpoint `number` does this.
    pub fn behave(&self, number: u16, behaviour: Behaviour) {
        self.endpoints.behaviours.borrow_mut().insert(endpoint_address(number), behaviour);
    }

    /// How often anybody was connected to, or it was tried.
    pub fn attempts(&self) -> usize {
        self.endpoints.attempts.get()
    }

    /// The same, for an endpoint that accepts; its connections come out of the receiver.
    pub fn accepting(&mut self, cluster: &str, number: u16) -> mpsc::UnboundedReceiver<Actor> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.endpoint(cluster, number, Behaviour::Accept(sender));
        receiver
    }

    /// The same, for an endpoint that answers everything but methods that `is_ignored`.
    pub fn echoing(&mut self, cluster: &str, number: u16, is_ignored: fn(&str) -> bool) {
        let mut accepted = self.accepting(cluster, number);
        tokio::task::spawn_local(async move {
            while let Some(actor) = accepted.recv().await {
                actor.echo(is_ignored);
            }
        });
    }

    /// The same, for an endpoint that puts its number into each answer.
    pub fn serving(&mut self, cluster: &str, number: u16) {
        let mut accepted = self.accepting(cluster, number);
        tokio::task::spawn_local(async move {
            while let Some(actor) = accepted.recv().await {
                actor.serve_as(number);
            }
        });
    }

    /// The same, for an endpoint that behaves as the test says.
    pub fn playing(&mut self, cluster: &str, number: u16) -> Rc<Part> {
        let mut accepted = self.accepting(cluster, number);
        let part = Rc::new(Part::default());
        let played = part.clone();
        tokio::task::spawn_local(async move {
            while let Some(actor) = accepted.recv().await {
                actor.play(played.clone());
            }
        });
        part
    }

    /// Takes endpoint `number` from `cluster`.
    pub fn remove(&mut self, cluster: &str, number: u16) {
        let addresses = self.clusters.get_mut(cluster).expect("there is such a cluster");
        addresses.retain(|address| *address != endpoint_address(number));
    }

    /// Takes `cluster`'s endpoints away.
    pub fn forget(&mut self, cluster: &str) {
        self.clusters.insert(cluster.to_owned(), Vec::new());
    }

    /// A route that goes to `cluster` if the method is `method`.
    pub fn route(&mut self, method: Option<&str>, cluster: &str) -> &mut Route {
        let is = |method: &str| Matcher::Is(ValueMatcher::Exact(method.to_owned()));
        let condition = |method| AttributeMatcher { name: "method".to_owned(), matcher: is(method) };
        let target = WeightedCluster { name: cluster.to_owned(), weight: 100 };
        self.routes.push(Route {
            name: format!("to-{cluster}"),
            matchers: method.map(condition).into_iter().collect(),
            action: RouteAction::Clusters(vec![target]),
            mirror: None,
            timeout: None,
            request_mutation: Vec::new(),
            response_mutation: Vec::new(),
            retries: None,
        });
        self.routes.last_mut().unwrap()
    }

    /// The same, with copies of every request to `copies`.
    pub fn mirrored(&mut self, cluster: &str, copies: &str) {
        let mirror = Mirror { cluster: copies.to_owned(), millionths: 1_000_000, writes_only: false };
        self.route(None, cluster).mirror = Some(mirror);
    }

    /// Lets the worker serve what has been set up.
    pub fn apply(&self) {
        let snapshot = self.snapshot();
        self.worker.apply(&snapshot);
        for other in &self.others {
            other.apply(&snapshot);
        }
    }

    fn snapshot(&self) -> Snapshot {
        let model = Arc::new(RouteConfiguration {
            name: "shop_1".to_owned(),
            routes: self.routes.clone(),
            rate_limit: self.rate_limit.clone(),
        });
        let table = Arc::new(Table::new(&model, &PROPERTIES).unwrap());
        let service = Service { name: None, routes: "shop_1".to_owned(), host: "shop".to_owned() };
        let listener = Listener {
            name: "front".to_owned(),
            address: endpoint_address(1),
            protocol: "tiny".to_owned(),
            options: Options::default(),
            services: vec![service.clone()],
            idle_timeout: self.idle_timeout,
            tls: self.downstream_tls.as_ref().map(|tls| tls.settings().clone()),
        };
        let mut known = self.buckets.borrow_mut();
        let buckets =
            self.rate_limit.as_ref().map(|limit| Buckets::new(limit, known.as_ref(), Instant::now()));
        known.clone_from(&buckets);
        let mut conduct = self.conduct;
        if self.dedicated {
            conduct.sharing = Some(Sharing::PerDownstream);
        }
        let spec = ListenerSpec {
            model: Arc::new(listener),
            protocol: "tiny".into(),
            properties: &PROPERTIES,
            factory: Arc::new(Tiny { conduct }),
            services: vec![ServiceSpec {
                model: service,
                routes: Some(RoutesSpec { model, table, buckets }),
            }],
            tls: self.downstream_tls.clone(),
        };
        let mut snapshot = Snapshot::default();
        snapshot.listeners.insert("front".to_owned(), Arc::new(spec));
        for (name, addresses) in &self.clusters {
            let endpoints: Arc<[_]> =
                addresses.iter().map(|address| Endpoint { address: *address }).collect();
            let settings = self.settings(name);
            settings.usage.roster.enter(&endpoints, &self.health);
            snapshot.clusters.insert(name.clone(), ClusterSpec { settings, endpoints });
        }
        snapshot
    }

    fn settings(&self, name: &str) -> Settings {
        let model = Cluster {
            name: name.to_owned(),
            protocol: "tiny".to_owned(),
            options: Options::default(),
            discovery: Discovery::Assigned(name.to_owned()),
            balancing: self.balancing.clone(),
            connect_timeout: Duration::from_secs(1),
            idle_timeout: self.upstream_idle_timeout,
            limits: self.limits,
            health: self.health.clone(),
            tls: self.upstream_tls.as_ref().map(|tls| tls.settings().clone()),
        };
        let mut conduct = self.conduct;
        conduct.order = self.upstream_order;
        let factory = Arc::new(Tiny { conduct });
        let mut known = self.usage.borrow_mut();
        let usage = known.get(name).map(|settings| settings.usage.clone()).unwrap_or_default();
        let tls = self.upstream_tls.clone();
        let settings = Settings { model: Arc::new(model), factory, properties: &PROPERTIES, usage, tls };
        known.insert(name.to_owned(), settings.clone());
        settings
    }

    /// A client of the listener.
    pub fn client(&self) -> Actor {
        self.client_from(endpoint_address(9))
    }

    /// The same, at this address.
    pub fn client_from(&self, address: SocketAddr) -> Actor {
        Actor::new(Self::connection_of(&self.worker, address, PIPE))
    }

    /// The same, served by worker number `number`, of which the first has the number 0.
    pub fn client_of_worker(&self, number: usize) -> Actor {
        let worker = number.checked_sub(1).map_or(&self.worker, |place| &self.others[place]);
        Actor::new(Self::connection_of(worker, endpoint_address(9), PIPE))
    }

    /// A connection to the listener that holds this many bytes each way.
    pub fn connection(&self, bytes: usize) -> DuplexStream {
        Self::connection_of(&self.worker, endpoint_address(9), bytes)
    }

    fn connection_of(worker: &Rc<Worker>, address: SocketAddr, bytes: usize) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(bytes);
        worker.serve("front", Box::new(theirs), address, Seat::default());
        ours
    }

    /// How many exchanges ended with these flags.
    pub fn count(&self, flags: &str) -> u64 {
        let all = self.telemetry.all_requests();
        let outcomes = || Outcome::all().filter(|outcome| outcome.flags() == flags);
        all.values()
            .flatten()
            .map(|series| outcomes().map(|outcome| series.count(outcome)).sum::<u64>())
            .sum()
    }

    /// Copies sent, and copies that failed.
    pub fn copies(&self) -> (u64, u64) {
        let all = self.telemetry.all_workers();
        (
            all.iter().map(|one| one.mirrored.get()).sum(),
            all.iter().map(|one| one.mirror_failures.get()).sum(),
        )
    }
}

/// Runs a scene on a runtime of its own whose clock jumps to the next timer when nothing else is to be done.
pub fn run<F: Future<Output = ()>>(scene: F) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime =
        builder.enable_all().start_paused(true).build_local(tokio::runtime::LocalOptions::default()).unwrap();
    runtime.block_on(scene);
}
