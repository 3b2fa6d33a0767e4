//! A proxy that a test tells: what it says of what it refuses, and when it opens.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use ::xds::{Resource, ResourceType, Update};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Delivery, Event, run};
use crate::bootstrap::Bootstrap;
use crate::xds::Applied;
use crate::xds::fixtures::{codecs, listener, meta_proxy, resource};

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
