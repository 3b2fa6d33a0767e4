//! A stream between a controller that a test plays and a proxy that puts everything in force: what travels, and when.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::xds::envoy::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use ::xds::{Rejection, Resource, ResourceType, wire};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, advance, sleep};
use tokio_stream::wrappers::ReceiverStream;

use super::stream::{Client, FIRST_RESPONSE_TIME, Over};
use super::{Contact, Options};
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
    requests: mpsc::Receiver<DeltaDiscoveryRequest>,
    responses: mpsc::Sender<Result<DeltaDiscoveryResponse, tonic::Status>>,
    /// How often the client was woken.
    turns: Arc<AtomicUsize>,
    client: JoinHandle<(Over, Client)>,
    contact: Arc<Contact>,
    /// What cannot be in force now, though there is nothing wrong with it.
    wrong: Arc<Mutex<Vec<Rejection>>>,
}

impl Scene {
    fn start(state: Option<PathBuf>) -> Self {
        let (deliveries, mut delivered) = mpsc::channel::<Delivery>(1);
        let (contact, wrong) = (Arc::<Contact>::default(), Arc::<Mutex<Vec<Rejection>>>::default());
        let known = Arc::clone(&wrong);
        tokio::spawn(async move {
            let (mut state, codecs, mut files) = (State::default(), codecs(), Files::default());
            while let Some(Delivery { update, answer, .. }) = delivered.recv().await {
                let mut ack = state.apply(&update, &codecs, &mut files);
                let refused = known.lock().unwrap().clone();
                let is_told = |one: &&Rejection| update.changed.iter().any(|told| told.name == one.name);
                ack.rejected.extend(refused.iter().filter(is_told).cloned());
                answer.send(Applied { ack, refused, references: state.references() }).unwrap();
            }
        });
        let options = Options { state, ..Options::default() };
        let mut client = Client::new(&options, deliveries, Arc::clone(&contact));
        let (requests_in, requests) = mpsc::channel(16);
        let (responses, responses_out) = mpsc::channel(16);
        let turns = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&turns);
        let client = tokio::spawn(async move {
            let talk = (requests_in, ReceiverStream::new(responses_out));
            let silent_at = Instant::now() + FIRST_RESPONSE_TIME;
            let over = {
                let mut following = pin!(client.follow("c:1", silent_at, talk));
                let counting = std::future::poll_fn(|context| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    following.as_mut().poll(context)
                });
                counting.await
            };
            (over, client)
        });
        Self { requests, responses, turns, client, contact, wrong }
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

    /// From now on the cluster cannot be in force, or can.
    fn cluster_is_wrong(&self, is: bool) {
        let (field, message) = ("f".to_owned(), "is not there yet".to_owned());
        let rejection = Rejection { kind: CDS, name: "c".to_owned(), field, message };
        *self.wrong.lock().unwrap() = if is { vec![rejection] } else { Vec::new() };
    }

    /// What the client has asked and answered since this was asked last: nonce, whether it refuses, names.
    fn asked(&mut self) -> Vec<(String, bool, Vec<String>)> {
        let one = |request: DeltaDiscoveryRequest| {
            (request.response_nonce, request.error_detail.is_some(), request.resource_names_subscribe)
        };
        std::iter::from_fn(|| self.requests.try_recv().ok()).map(one).collect()
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
    let (Over::Broken(error), _) = scene.client.await.unwrap() else { panic!("the proxy was not stopped") };
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

/// Whether the cluster is in this file.
fn has_cluster(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    let url = CDS.type_url().as_bytes();
    bytes.windows(url.len()).any(|window| window == url)
}

/// A cluster was refused, all else is there, and the file is written.
async fn refused(path: &Path) -> Scene {
    let mut scene = Scene::start(Some(path.to_owned()));
    scene.cluster_is_wrong(true);
    scene.say(CDS, &clusters()).await;
    assert_eq!(scene.asked()[0], ("n".to_owned(), true, vec![]));
    scene.say(EDS, &endpoints()).await;
    scene.say(LDS, &[]).await;
    until("the file is written", || path.exists()).await;
    assert!(!has_cluster(path));
    scene.asked();
    scene
}

#[tokio::test(start_paused = true)]
async fn what_has_mended_itself_is_written_and_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut scene = refused(&path).await;
    scene.contact.mended();
    scene.rests().await;
    assert_eq!(scene.asked(), [], "it is still refused");
    scene.cluster_is_wrong(false);
    scene.contact.mended();
    scene.rests().await;
    assert_eq!(scene.asked(), [(String::new(), false, vec!["c".to_owned()])]);
    until("it is written", || has_cluster(&path)).await;
    scene.say(CDS, &clusters()).await;
    assert_eq!(scene.asked(), [("n".to_owned(), false, vec![])], "so that this can be told");
}

#[tokio::test(start_paused = true)]
async fn what_has_mended_itself_is_written_while_no_controller_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let Scene { responses, client, contact, wrong, .. } = refused(&path).await;
    drop(responses);
    let (_, mut client) = client.await.unwrap();
    wrong.lock().unwrap().clear();
    contact.mended();
    client.pause(Duration::from_secs(1)).await.unwrap();
    assert!(has_cluster(&path));
}
