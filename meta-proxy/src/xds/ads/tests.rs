//! A stream between a controller that a test plays and a proxy that puts everything in force: what travels, and when.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::xds::envoy::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use ::xds::{Resource, ResourceType, wire};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, advance, sleep};
use tokio_stream::wrappers::ReceiverStream;

use super::Options;
use super::stream::{Client, FIRST_RESPONSE_TIME, Over};
use crate::tls::Files;
use crate::xds::fixtures::{assignment, cluster, codecs, resource};
use crate::xds::{Applied, Delivery, State};

const CDS: ResourceType = ResourceType::Cluster;
const EDS: ResourceType = ResourceType::Endpoints;
const LDS: ResourceType = ResourceType::Listener;

/// How often other tasks get their turn before a task that is still busy counts as one that never rests.
const TURNS: usize = 1000;

/// A stream and both of its ends.
struct Scene {
    _requests: mpsc::Receiver<DeltaDiscoveryRequest>,
    responses: mpsc::Sender<Result<DeltaDiscoveryResponse, tonic::Status>>,
    /// How often the client was woken.
    turns: Arc<AtomicUsize>,
    client: JoinHandle<Over>,
}

impl Scene {
    fn start(state: Option<PathBuf>) -> Self {
        let (deliveries, mut delivered) = mpsc::channel::<Delivery>(1);
        tokio::spawn(async move {
            let (mut state, codecs, mut files) = (State::default(), codecs(), Files::default());
            while let Some(delivery) = delivered.recv().await {
                let ack = state.apply(&delivery.update, &codecs, &mut files);
                delivery.answer.send(Applied { ack, references: state.references() }).unwrap();
            }
        });
        let options = Options { state, ..Options::default() };
        let mut client = Client::new(&options, deliveries, Arc::default());
        let (requests_in, requests) = mpsc::channel(16);
        let (responses, responses_out) = mpsc::channel(16);
        let turns = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&turns);
        let client = tokio::spawn(async move {
            let talk = (requests_in, ReceiverStream::new(responses_out));
            let silent_at = Instant::now() + FIRST_RESPONSE_TIME;
            let mut following = pin!(client.follow("c:1", silent_at, talk));
            std::future::poll_fn(|context| {
                counted.fetch_add(1, Ordering::Relaxed);
                following.as_mut().poll(context)
            })
            .await
        });
        Self { _requests: requests, responses, turns, client }
    }

    /// The controller says this, and the client has nothing to do any more.
    async fn say(&self, kind: ResourceType, resources: &[Resource]) {
        let response = DeltaDiscoveryResponse {
            type_url: kind.type_url().to_owned(),
            nonce: "n".to_owned(),
            resources: resources.iter().map(wire::encode).collect(),
            ..Default::default()
        };
        self.responses.send(Ok(response)).await.unwrap();
        self.rests().await;
    }

    /// Waits until the client waits.
    async fn rests(&self) {
        let before = self.turns.load(Ordering::Relaxed);
        for _ in 0..TURNS {
            yield_now().await;
        }
        let turns = self.turns.load(Ordering::Relaxed) - before;
        assert!(turns < TURNS / 10, "it was woken {turns} times while nothing happened");
    }
}

/// Waits for what comes about within a while.
async fn until(what: &str, is: impl Fn() -> bool) {
    for _ in 0..TURNS {
        if is() {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("never: {what}");
}

fn clusters() -> [Resource; 1] {
    [resource(CDS, "c", &cluster("c"))]
}

fn endpoints() -> [Resource; 1] {
    [resource(EDS, "c", &assignment("c", vec![]))]
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_keeps_no_file_rests_between_responses() {
    let scene = Scene::start(None);
    scene.say(CDS, &clusters()).await;
    scene.say(EDS, &endpoints()).await;
    scene.say(LDS, &[]).await;
    advance(Duration::from_secs(1)).await;
    scene.rests().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_whole_is_written_once_it_is_and_until_then_the_proxy_rests() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let scene = Scene::start(Some(path.clone()));
    scene.say(CDS, &clusters()).await;
    scene.say(LDS, &[]).await;
    advance(Duration::from_secs(1)).await;
    scene.rests().await;
    assert!(!path.exists(), "its endpoints are missing");
    scene.say(EDS, &endpoints()).await;
    until("it is written", || path.exists()).await;
    scene.rests().await;
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_says_nothing_is_given_up_and_the_reason_is_told() {
    let scene = Scene::start(None);
    scene.rests().await;
    advance(FIRST_RESPONSE_TIME * 9 / 10).await;
    scene.rests().await;
    assert!(!scene.client.is_finished(), "it may be starting");
    advance(FIRST_RESPONSE_TIME / 10).await;
    scene.rests().await;
    assert!(scene.client.is_finished(), "it is still waited for");
    let Over::Broken(error) = scene.client.await.unwrap() else { panic!("the proxy was not stopped") };
    assert_eq!(error, "the controller has said nothing for 15s: it has not read everything yet, or is stuck");
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_has_nothing_more_to_say_is_kept() {
    let scene = Scene::start(None);
    scene.say(LDS, &[]).await;
    advance(FIRST_RESPONSE_TIME * 100).await;
    scene.rests().await;
    assert!(!scene.client.is_finished());
}
