//! Clients, endpoints and the worker between them.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use codec_api::{Conduct, Options};
use meta_proxy::downstream::{Seat, Worker};
use meta_proxy::local::Local;
use meta_proxy::model::{
    AttributeMatcher, Cluster, Discovery, Endpoint, Limits, Listener, LoadBalancing, Matcher, Mirror, Route,
    RouteAction, RouteConfiguration, Service, ValueMatcher, WeightedCluster,
};
use meta_proxy::route::Table;
use meta_proxy::snapshot::{ClusterSpec, ListenerSpec, RoutesSpec, ServiceSpec, Snapshot};
use meta_proxy::telemetry::{Outcome, Telemetry};
use meta_proxy::upstream::Settings;
use meta_proxy::wire::{BoxStream, Connecting, Connector};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::tiny::{Frame, PROPERTIES, Tiny};

/// Bytes that a pipe holds before its writer must wait.
const PIPE: usize = 256 * 1024;
/// No step of a test takes longer, on whatever clock.
const PATIENCE: Duration = Duration::from_mins(10);

/// What an endpoint does with connection attempts.
#[derive(Clone)]
pub enum Behaviour {
    Accept(mpsc::UnboundedSender<Actor>),
    Refuse,
    Hang,
}

/// One end of a pipe.
pub struct Actor {
    stream: DuplexStream,
    unread: Vec<u8>,
}

impl Actor {
    fn new(stream: DuplexStream) -> Self {
        Self { stream, unread: Vec::new() }
    }

    pub async fn send(&mut self, frame: &Frame) {
        self.send_bytes(&frame.encode()).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("in time").expect("the pipe is open");
    }

    /// The same, for a pipe that the other side may close.
    pub async fn try_send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("in time")
    }

    /// Sends no more, but goes on reading.
    pub async fn say_no_more(&mut self) {
        self.stream.shutdown().await.expect("the pipe is open");
    }

    /// Waits for the next frame; `None`: the other side has closed.
    pub async fn receive(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::take(&mut self.unread) {
                return Some(frame);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await.expect("in time");
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// Reads `count` bytes into `taken`, which has room for them.
    pub async fn take_into(&mut self, taken: &mut Vec<u8>, count: usize) {
        while taken.len() < count {
            let read = timeout(PATIENCE, self.stream.read_buf(taken)).await.expect("in time");
            assert_ne!(read.expect("the pipe is open"), 0);
        }
    }

    /// Answers everything with its own payload, for ever, but for methods that `is_ignored`.
    pub fn echo(mut self, is_ignored: fn(&str) -> bool) {
        tokio::task::spawn_local(async move {
            while let Some(frame) = self.receive().await {
                if frame.kind == b'q' && !is_ignored(&frame.method) {
                    self.send(&Frame::response_to(&frame)).await;
                }
            }
        });
    }
}

#[derive(Default)]
struct Endpoints(RefCell<HashMap<SocketAddr, Behaviour>>);

struct Pipes(Rc<Endpoints>);

impl Connector for Pipes {
    fn connect(&self, address: SocketAddr) -> Connecting {
        let behaviour = self.0.0.borrow().get(&address).cloned();
        Box::pin(async move {
            match behaviour {
                Some(Behaviour::Accept(accepted)) => {
                    let (ours, theirs) = tokio::io::duplex(PIPE);
                    let refused = |_| io::Error::from(io::ErrorKind::ConnectionRefused);
                    accepted.send(Actor::new(theirs)).map_err(refused)?;
                    Ok(Box::new(ours) as BoxStream)
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
    pub limits: Limits,
    pub idle_timeout: Option<Duration>,
    /// How clients, and endpoints, are spoken to.
    pub conduct: Conduct,
    endpoints: Rc<Endpoints>,
    clusters: BTreeMap<String, Vec<SocketAddr>>,
    usage: RefCell<HashMap<String, Settings>>,
}

/// Address of endpoint number `number`.
pub fn endpoint_address(number: u16) -> SocketAddr {
    ([192, 0, 2, 1], number).into()
}

impl World {
    /// A worker without clusters.
    pub fn new() -> Self {
        let telemetry = Arc::new(Telemetry::new(None));
        let local = Rc::new(Local::new(0, 7, 64 << 20, telemetry.clone()));
        let endpoints = Rc::new(Endpoints::default());
        let worker = Worker::new(local, Rc::new(Pipes(endpoints.clone())));
        worker.start_housekeeping();
        Self {
            worker,
            telemetry,
            routes: Vec::new(),
            limits: Limits::default(),
            idle_timeout: None,
            conduct: Conduct::default(),
            endpoints,
            clusters: BTreeMap::new(),
            usage: RefCell::default(),
        }
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
        self.endpoints.0.borrow_mut().insert(address, behaviour);
        self.clusters.entry(cluster.to_owned()).or_default().push(address);
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
        });
        self.routes.last_mut().unwrap()
    }

    /// The same, with copies of every request to `copies`.
    pub fn mirrored(&mut self, cluster: &str, copies: &str) {
        self.route(None, cluster).mirror = Some(Mirror { cluster: copies.to_owned(), millionths: 1_000_000 });
    }

    /// Lets the worker serve what has been set up.
    pub fn apply(&self) {
        let model = Arc::new(RouteConfiguration { name: "shop_1".to_owned(), routes: self.routes.clone() });
        let table = Arc::new(Table::new(&model, &PROPERTIES).unwrap());
        let service = Service { name: None, routes: "shop_1".to_owned(), host: "shop".to_owned() };
        let listener = Listener {
            name: "front".to_owned(),
            address: endpoint_address(1),
            protocol: "tiny".to_owned(),
            options: Options::default(),
            services: vec![service.clone()],
            idle_timeout: self.idle_timeout,
        };
        let spec = ListenerSpec {
            model: Arc::new(listener),
            protocol: "tiny".into(),
            properties: &PROPERTIES,
            factory: Arc::new(Tiny { conduct: self.conduct }),
            services: vec![ServiceSpec { model: service, routes: Some(RoutesSpec { model, table }) }],
        };
        let mut snapshot = Snapshot::default();
        snapshot.listeners.insert("front".to_owned(), Arc::new(spec));
        for (name, addresses) in &self.clusters {
            let endpoints = addresses.iter().map(|address| Endpoint { address: *address }).collect();
            snapshot.clusters.insert(name.clone(), ClusterSpec { settings: self.settings(name), endpoints });
        }
        self.worker.apply(&snapshot);
    }

    fn settings(&self, name: &str) -> Settings {
        let model = Cluster {
            name: name.to_owned(),
            protocol: "tiny".to_owned(),
            options: Options::default(),
            discovery: Discovery::Assigned(name.to_owned()),
            balancing: LoadBalancing::LeastRequest,
            connect_timeout: Duration::from_secs(1),
            idle_timeout: None,
            limits: self.limits,
        };
        let factory = Arc::new(Tiny { conduct: self.conduct });
        let mut known = self.usage.borrow_mut();
        let usage = known.get(name).map(|settings| settings.usage.clone()).unwrap_or_default();
        let settings = Settings { model: Arc::new(model), factory, properties: &PROPERTIES, usage };
        known.insert(name.to_owned(), settings.clone());
        settings
    }

    /// A client of the listener.
    pub fn client(&self) -> Actor {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        self.worker.serve("front", Box::new(theirs), endpoint_address(9), Seat::default());
        Actor::new(ours)
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
