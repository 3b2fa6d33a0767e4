//! The request's way in process: a client, the proxy's worker and an endpoint on pipes, for counting instructions.
//!
//! Does the same work in every run: fixed batches, seeded random choices and hashers, no sockets. Run it under an
//! instruction counter with two numbers of requests; the difference is what the requests cost, the harness included.

mod talk;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use codec_api::{Options, Side};
use meta_proxy::downstream::{Seat, Worker};
use meta_proxy::local::Local;
use meta_proxy::model::{
    AttributeMatcher, Cluster, ConditionalBucket, Discovery, Endpoint, Health, Limits, Listener,
    LoadBalancing, Matcher, OutlierDetection, RateLimit, Retries, Route, RouteAction, RouteConfiguration,
    Service, TokenBucket, ValueMatcher, WeightedCluster,
};
use meta_proxy::rate_limit::Buckets;
use meta_proxy::route::Table;
use meta_proxy::snapshot::{ClusterSpec, ListenerSpec, RoutesSpec, ServiceSpec, Snapshot};
use meta_proxy::telemetry::Telemetry;
use meta_proxy::upstream::{Settings, Usage};
use meta_proxy::wire::{BoxStream, Connecting, Connector};
use talk::Talk;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

// The one that the proxy's own program uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bytes that a pipe holds.
const PIPE: usize = 1 << 20;

/// What to do.
#[derive(Debug, Parser)]
struct Arguments {
    /// What is spoken: dubbo or redis.
    #[arg(long, default_value = "dubbo")]
    protocol: String,
    /// Routes with one exact condition each; the last one is hit.
    #[arg(long, default_value_t = 1)]
    routes: usize,
    /// The attribute that routes are about.
    #[arg(long, default_value = "method")]
    attribute: String,
    /// Each request takes a token.
    #[arg(long)]
    limited: bool,
    /// The endpoint is judged by each request.
    #[arg(long)]
    judged: bool,
    /// Each request may be sent again.
    #[arg(long)]
    retried: bool,
    /// Requests.
    #[arg(long, default_value_t = 16_000)]
    requests: usize,
    /// Requests that come, and are answered, at a time.
    #[arg(long, default_value_t = 16)]
    batch: usize,
}

/// Connects to an endpoint that answers every request alike.
struct Pipes(Talk);

impl Connector for Pipes {
    fn connect(&self, _: SocketAddr) -> Connecting {
        let talk = self.0;
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(PIPE);
            tokio::task::spawn_local(answer(theirs, talk));
            Ok(Box::new(ours) as BoxStream)
        })
    }
}

async fn answer(mut stream: DuplexStream, talk: Talk) {
    let (mut unread, mut answers) = (Vec::with_capacity(PIPE), Vec::with_capacity(PIPE));
    while stream.read_buf(&mut unread).await.unwrap_or(0) > 0 {
        let mut at = 0;
        while let Some(length) = (talk.answer)(&unread[at..], &mut answers) {
            at += length;
        }
        unread.drain(..at);
        if stream.write_all(&answers).await.is_err() {
            return;
        }
        answers.clear();
    }
}

/// A limit that is never reached, with one condition on the routes' attribute that the requests meet.
fn limit(arguments: &Arguments) -> Option<RateLimit> {
    let bucket = TokenBucket {
        max_tokens: u32::MAX,
        tokens_per_fill: u32::MAX,
        fill_interval: Duration::from_secs(1),
    };
    let matcher = Matcher::Is(ValueMatcher::Present(true));
    let matchers = vec![AttributeMatcher { name: arguments.attribute.clone(), matcher }];
    let conditions = vec![ConditionalBucket { matchers, bucket }];
    arguments.limited.then_some(RateLimit { conditions, default: None })
}

/// Retries of any request, of which none is needed.
fn retries() -> Retries {
    Retries { attempts: 2, per_try_timeout: None, idempotent: vec![Vec::new()] }
}

/// An endpoint that fails five times in a row is ejected.
fn outliers() -> OutlierDetection {
    OutlierDetection {
        consecutive_errors: Some(5),
        consecutive_gateway_errors: None,
        interval: Duration::from_secs(10),
        base_ejection_time: Duration::from_secs(30),
        max_ejection_time: Duration::from_mins(5),
        max_ejection_percent: 10,
        always_eject_one: true,
    }
}

fn routes(arguments: &Arguments, talk: Talk) -> RouteConfiguration {
    let route = |number: usize| Route {
        name: format!("r{number}"),
        matchers: vec![AttributeMatcher {
            name: arguments.attribute.clone(),
            matcher: Matcher::Is(ValueMatcher::Exact(value(arguments, talk, number))),
        }],
        action: RouteAction::Clusters(vec![WeightedCluster { name: "all".to_owned(), weight: 100 }]),
        mirror: None,
        timeout: None,
        request_mutation: Vec::new(),
        response_mutation: Vec::new(),
        retries: arguments.retried.then(retries),
    };
    let routes = (1..=arguments.routes).map(route).collect();
    RouteConfiguration { name: "shop_1".to_owned(), routes, rate_limit: limit(arguments) }
}

fn snapshot(arguments: &Arguments, talk: Talk) -> Result<Snapshot, String> {
    let address = SocketAddr::from(([192, 0, 2, 1], 1));
    let properties = talk.protocol.properties();
    let factory =
        |side| talk.protocol.configure(side, &Options::default()).map_err(|errors| format!("{errors:?}"));
    let model = Arc::new(routes(arguments, talk));
    let table = Arc::new(Table::new(&model, properties).map_err(|error| error.to_string())?);
    let limit = model.rate_limit.as_ref();
    let buckets = limit.map(|limit| Buckets::new(limit, None, Instant::now()));
    let service = Service { name: None, routes: "shop_1".to_owned(), host: "shop".to_owned() };
    let listener = Listener {
        name: "front".to_owned(),
        address,
        protocol: talk.protocol.name().to_owned(),
        options: Options::default(),
        services: vec![service.clone()],
        idle_timeout: None,
        tls: None,
    };
    let cluster = Cluster {
        name: "all".to_owned(),
        protocol: talk.protocol.name().to_owned(),
        options: Options::default(),
        discovery: Discovery::Assigned("all".to_owned()),
        balancing: LoadBalancing::LeastRequest,
        connect_timeout: Duration::from_secs(1),
        idle_timeout: None,
        limits: Limits::default(),
        health: Health { outliers: arguments.judged.then(outliers), ..Health::default() },
        tls: None,
    };
    let spec = ListenerSpec {
        model: Arc::new(listener),
        protocol: talk.protocol.name().into(),
        properties,
        factory: factory(Side::Downstream)?,
        services: vec![ServiceSpec { model: service, routes: Some(RoutesSpec { model, table, buckets }) }],
        tls: None,
    };
    let endpoints = [Endpoint { address }];
    let usage = Usage::default();
    usage.roster.enter(&endpoints, &cluster.health);
    let settings = Settings {
        model: Arc::new(cluster),
        factory: factory(Side::Upstream)?,
        properties,
        usage: Arc::new(usage),
        tls: None,
    };
    Ok(Snapshot {
        listeners: BTreeMap::from([("front".to_owned(), Arc::new(spec))]),
        clusters: BTreeMap::from([("all".to_owned(), ClusterSpec { settings, endpoints: endpoints.into() })]),
        ..Snapshot::default()
    })
}

/// The value that a route asks for; only the last one's is ever sent.
fn value(arguments: &Arguments, talk: Talk, number: usize) -> String {
    if number == arguments.routes { (talk.value)(number) } else { format!("value{number}") }
}

async fn work(arguments: &Arguments) -> Result<(), String> {
    let talk = talk::named(&arguments.protocol)?;
    let last = value(arguments, talk, arguments.routes);
    let batch: Vec<u8> =
        (0..arguments.batch as u64).flat_map(|id| (talk.request)(&arguments.attribute, &last, id)).collect();
    let local = Rc::new(Local::new(0, 7, 1 << 26, Arc::new(Telemetry::new(None))));
    let worker = Worker::new(local, Rc::new(Pipes(talk)));
    worker.apply(&snapshot(arguments, talk)?);
    let (mut client, served) = tokio::io::duplex(PIPE);
    worker.serve("front", Box::new(served), SocketAddr::from(([192, 0, 2, 9], 9)), Seat::default());
    let mut responses = vec![0; arguments.batch * talk.response];
    for _ in 0..arguments.requests.div_ceil(arguments.batch) {
        client.write_all(&batch).await.map_err(|error| error.to_string())?;
        client.read_exact(&mut responses).await.map_err(|error| error.to_string())?;
        if !responses.chunks_exact(talk.response).all(talk.is_good) {
            return Err("a request was not answered by the endpoint".to_owned());
        }
    }
    Ok(())
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder
        .enable_time()
        .build_local(tokio::runtime::LocalOptions::default())
        .map_err(|error| error.to_string())?;
    runtime.block_on(work(&arguments))
}
