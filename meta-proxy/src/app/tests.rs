//! A proxy that a test tells: what it says of what it refuses, and when it opens.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use ::xds::envoy::envoy::config::core::v3::{
    DataSource, TransportSocket, data_source::Specifier, transport_socket::ConfigType,
};
use ::xds::envoy::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, DownstreamTlsContext, TlsCertificate,
};
use ::xds::{Resource, ResourceType, Update};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Delivery, Event, run};
use crate::bootstrap::Bootstrap;
use crate::xds::Applied;
use crate::xds::fixtures::{any, codecs, listener, meta_proxy, resource};

/// Only a failing test waits this long. Workers are threads, so that the clock cannot be paused.
const LIMIT: Duration = Duration::from_secs(20);

struct Scene {
    deliveries: mpsc::Sender<Delivery>,
    events: mpsc::UnboundedReceiver<Event>,
    stop: CancellationToken,
}

impl Scene {
    /// A proxy whose only service is bound here.
    fn start(address: SocketAddr) -> Self {
        let listen = [(("orders.shop".to_owned(), 20880), address)].into();
        let bootstrap = Bootstrap { listen, ..Bootstrap::default() };
        let (deliveries, delivered) = mpsc::channel(1);
        let (events_in, events) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let tell = Box::new(move |event| drop(events_in.send(event)));
        tokio::task::spawn_local(run(bootstrap, codecs(), delivered, stop.clone(), tell));
        Self { deliveries, events, stop }
    }

    async fn deliver(&self, changed: Vec<Resource>, is_whole: bool) -> Applied {
        let (answer, answered) = oneshot::channel();
        let update = Update { changed, removed: Vec::new() };
        self.deliveries.send(Delivery { update, is_whole, answer }).await.unwrap();
        timeout(LIMIT, answered).await.unwrap().unwrap()
    }

    async fn event(&mut self) -> Event {
        timeout(LIMIT, self.events.recv()).await.unwrap().unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What is refused now.
fn refused(applied: &Applied) -> Vec<String> {
    applied.refused.iter().map(|one| format!("{} {}: {}", one.kind, one.name, one.field)).collect()
}

#[tokio::test(flavor = "local")]
async fn a_listener_whose_address_becomes_free_is_told_to_be_mended() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut scene = Scene::start(taken.local_addr().unwrap());
    let message = listener("l", &meta_proxy());
    let applied = scene.deliver(vec![resource(ResourceType::Listener, "l", &message)], true).await;
    assert_eq!((applied.ack.rejected.len(), refused(&applied)), (1, vec!["listener l: address".to_owned()]));
    let applied = scene.deliver(Vec::new(), true).await;
    assert_eq!((applied.ack.rejected.len(), refused(&applied).len()), (0, 1), "it is still refused");
    drop(taken);
    assert_eq!(scene.event().await, Event::Mended);
    assert_eq!(refused(&scene.deliver(Vec::new(), true).await), [""; 0]);
}

/// A listener whose connections are encrypted by `own.crt` and `own.key` in this folder.
fn encrypted(folder: &Path) -> Resource {
    let file = |name: &str| {
        let specifier = Specifier::Filename(folder.join(name).display().to_string());
        Some(DataSource { specifier: Some(specifier), ..Default::default() })
    };
    let (certificate_chain, private_key) = (file("own.crt"), file("own.key"));
    let certificate = TlsCertificate { certificate_chain, private_key, ..Default::default() };
    let common = CommonTlsContext { tls_certificates: vec![certificate], ..Default::default() };
    let context = DownstreamTlsContext { common_tls_context: Some(common), ..Default::default() };
    let config_type = Some(ConfigType::TypedConfig(any(&context)));
    let socket = TransportSocket { name: "envoy.transport_sockets.tls".to_owned(), config_type };
    let mut message = listener("l", &meta_proxy());
    message.filter_chains[0].transport_socket = Some(socket);
    resource(ResourceType::Listener, "l", &message)
}

#[tokio::test(flavor = "local")]
async fn a_listener_that_its_files_have_mended_opens_once_its_routes_are_known_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::start(([127, 0, 0, 1], 0).into());
    let applied = scene.deliver(vec![encrypted(folder.path())], true).await;
    assert!(refused(&applied)[0].starts_with("listener l: "), "{:?}", applied.refused);
    assert!(applied.references.routes.is_empty());
    assert_eq!(scene.event().await, Event::Ready);
    let issued = peers::tls::Authority::new("ours").unwrap().issue(&["orders.shop"]).unwrap();
    issued.write(folder.path(), "own").unwrap();
    assert_eq!(scene.event().await, Event::Mended, "it is bound, and not open");

    // This was on its way, by one who did not know that the listener names routes.
    let applied = scene.deliver(Vec::new(), true).await;
    assert_eq!(applied.references.routes.len(), 1);
    assert_eq!(scene.event().await, Event::Mended, "whether they are there is asked once more");
    scene.deliver(Vec::new(), false).await;
    assert!(scene.events.try_recv().is_err(), "they are not");
    scene.deliver(Vec::new(), true).await;
    assert!(matches!(scene.event().await, Event::Listening { .. }));
}
