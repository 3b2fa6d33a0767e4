//! A controller whose objects a test makes, and a proxy without workers.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use codec_dubbo::Dubbo;
use codec_redis::Redis;
use controller::ads::{self, Proxy, ServeOptions};
use controller::source::{Batch, Source, folder};
use controller::{Controller, Following, Status};
use meta_proxy::model::RouteAction;
use meta_proxy::tls::Files;
use meta_proxy::xds::ads::{Contact, Options};
use meta_proxy::xds::{Applied, Codecs, Delivery, State};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// Only a failing test waits this long.
const LIMIT: Duration = Duration::from_secs(20);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(2);

const HOST: &str = "orders.shop.svc.cluster.local";

/// A service with two subsets, all of whose requests go to one of them.
pub fn everything(subset: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: orders, namespace: shop}}
spec:
  hosts: [{HOST}]
  addresses: [10.0.0.1]
  ports: [{{number: 20880, name: tcp-metaprotocol-dubbo, protocol: TCP}}]
  resolution: STATIC
  endpoints:
  - {{address: 10.1.0.1, labels: {{version: v1}}}}
  - {{address: 10.1.0.2, labels: {{version: v2}}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: orders, namespace: shop}}
spec:
  host: {HOST}
  subsets: [{{name: {subset}, labels: {{version: {subset}}}}}]
---
apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: {{name: orders, namespace: shop}}
spec:
  hosts: [{HOST}]
  routes: [{{route: [{{destination: {{host: {HOST}, subset: {subset}}}}}]}}]
"
    )
}

/// The clusters that its routes lead to.
pub fn routes_to(subset: &str) -> BTreeSet<String> {
    BTreeSet::from([format!("outbound|20880|{subset}|{HOST}")])
}

struct Scripted(mpsc::Receiver<Batch>);

impl Source for Scripted {
    async fn next(&mut self) -> Option<Batch> {
        self.0.recv().await
    }

    fn report(&mut self, _: &Status) {}
}

/// A controller.
pub struct Server {
    pub address: SocketAddr,
    batches: mpsc::Sender<Batch>,
    following: Following,
    _stop: watch::Sender<bool>,
}

/// What the controller has sent in the stream of its only proxy.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub sent_bytes: u64,
    /// Which stream it is.
    pub connected: u64,
}

impl Server {
    pub async fn start(objects: &str) -> Self {
        let (batches, batches_out) = mpsc::channel(1);
        let following = Controller::follow(Scripted(batches_out), &controller::Options::default());
        let (stop, stopped) = watch::channel(false);
        let options = ServeOptions {
            address: ([127, 0, 0, 1], 0).into(),
            tls: None,
            streams: 10,
            drain: Duration::from_millis(10),
        };
        let catalogue = following.catalogue.clone();
        let (address, _) =
            ads::serve(options, catalogue, Arc::clone(&following.registry), stopped).await.unwrap();
        let server = Self { address, batches, following, _stop: stop };
        server.objects(objects).await;
        server
    }

    pub async fn objects(&self, text: &str) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.yaml"), text).unwrap();
        self.batches.send(folder::read_once(&[folder.path().to_owned()]).unwrap()).await.unwrap();
    }

    /// Waits until the proxies are so.
    pub async fn until<T>(&self, are: impl Fn(&[Proxy]) -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        loop {
            let proxies = self.following.registry.proxies();
            if let Some(seen) = are(&proxies) {
                return seen;
            }
            assert!(Instant::now() < end, "seen last: {proxies:#?}");
            sleep(LOOK).await;
        }
    }

    /// Waits until the only proxy is synced.
    pub async fn synced(&self) -> Sent {
        self.until(synced).await
    }

    /// The same, in another stream than this one.
    pub async fn reconnected(&self, before: u64) -> Sent {
        self.until(|proxies| synced(proxies).filter(|sent| sent.connected != before)).await
    }
}

fn synced(proxies: &[Proxy]) -> Option<Sent> {
    let [proxy] = proxies else { return None };
    let port = proxy.peer.rsplit(':').next()?.parse().ok()?;
    let is_synced = proxy.types.iter().all(|one| one.state == "synced");
    is_synced.then_some(Sent { sent_bytes: proxy.sent_bytes, connected: port })
}

/// The client of a proxy.
pub struct Client {
    state: Arc<Mutex<(State, bool)>>,
    deliveries: Arc<AtomicUsize>,
    tasks: [JoinHandle<()>; 2],
}

impl Client {
    pub fn start(controllers: &[SocketAddr]) -> Self {
        let options = Options {
            controllers: controllers.iter().map(ToString::to_string).collect(),
            node_id: "p".to_owned(),
            seed: Some(1),
            ..Options::default()
        };
        let (deliveries_in, mut delivered) = mpsc::channel::<Delivery>(1);
        let (state, deliveries) = (Arc::<Mutex<(State, bool)>>::default(), Arc::<AtomicUsize>::default());
        let (shared, count) = (Arc::clone(&state), Arc::clone(&deliveries));
        let applying = tokio::spawn(async move {
            let (codecs, mut files) = (Codecs::new(vec![Arc::new(Dubbo), Arc::new(Redis)]), Files::default());
            while let Some(delivery) = delivered.recv().await {
                let mut state = shared.lock().unwrap();
                let ack = state.0.apply(&delivery.update, &codecs, &mut files);
                state.1 = delivery.is_whole;
                count.fetch_add(1, Ordering::Relaxed);
                let refused = state.0.rejections().cloned().collect();
                delivery.answer.send(Applied { ack, refused, references: state.0.references() }).unwrap();
            }
        });
        let client =
            tokio::spawn(meta_proxy::xds::ads::run(options, deliveries_in, Arc::new(Contact::default())));
        Self { state, deliveries, tasks: [applying, client] }
    }

    /// Updates that were put in force.
    pub fn deliveries(&self) -> usize {
        self.deliveries.load(Ordering::Relaxed)
    }

    /// Waits until all requests go to this subset, and everything is there that they need.
    pub async fn has(&self, subset: &str) {
        self.has_among(subset, 1).await;
    }

    /// Waits until all requests go to this subset, and there are so many of them.
    pub async fn has_among(&self, subset: &str, subsets: usize) {
        self.until(|state| (seen(state), state.endpoints().len()) == (routes_to(subset), subsets)).await;
    }

    /// Waits until there is nothing.
    pub async fn has_nothing(&self) {
        let is_empty = |state: &State| {
            [state.listeners().len(), state.routes().len(), state.clusters().len(), state.endpoints().len()]
                == [0; 4]
        };
        self.until(is_empty).await;
    }

    async fn until(&self, is: impl Fn(&State) -> bool) {
        let looking = async {
            loop {
                let has = {
                    let state = self.state.lock().unwrap();
                    state.1 && is(&state.0)
                };
                if has {
                    return;
                }
                sleep(LOOK).await;
            }
        };
        let has = timeout(LIMIT, looking).await.is_ok();
        assert!(has, "seen last: {:?}", seen(&self.state.lock().unwrap().0));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// The clusters that are there and that routes lead to.
fn seen(state: &State) -> BTreeSet<String> {
    let there: BTreeSet<_> = state.clusters().map(|entry| entry.value.model.name.clone()).collect();
    let routes = state.routes().flat_map(|entry| entry.value.model.routes.clone());
    let named = routes.flat_map(|route| match route.action {
        RouteAction::Clusters(targets) => targets.into_iter().map(|target| target.name.clone()).collect(),
        RouteAction::Misconfigured(_) => Vec::new(),
    });
    named.filter(|name| there.contains(name)).collect()
}
