//! The link to a proxy: what is sent, when, and what becomes of refusals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use controller::source::{Batch, Source, folder};
use controller::{Controller, Options, Running, Status};
use support::{ORDERS, SUBSETS, documents, router};
use tokio::sync::mpsc;
use xds::{Ack, Answer, Rejection, ResourceType, Update};

/// Only a failing test waits this long.
const LIMIT: Duration = Duration::from_secs(20);

const HOST: &str = "orders.shop.svc.cluster.local";

/// A source whose batches the test makes.
struct Scripted {
    batches: mpsc::Receiver<Batch>,
    reported: Arc<Mutex<Status>>,
}

impl Source for Scripted {
    async fn next(&mut self) -> Option<Batch> {
        self.batches.recv().await
    }

    fn report(&mut self, status: &Status) {
        *self.reported.lock().unwrap() = status.clone();
    }
}

struct Scene {
    batches: mpsc::Sender<Batch>,
    reported: Arc<Mutex<Status>>,
    running: Running,
}

impl Scene {
    fn start() -> Self {
        let (batches, batches_out) = mpsc::channel(1);
        let reported = Arc::default();
        let source = Scripted { batches: batches_out, reported: Arc::clone(&reported) };
        Self { batches, reported, running: Controller::start_with(source, &Options::default()) }
    }

    /// Hands over objects, and waits until the controller has looked at them.
    async fn objects(&mut self, text: &str) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.yaml"), text).unwrap();
        self.running.status.mark_unchanged();
        self.batches.send(folder::read_once(&[folder.path().to_owned()]).unwrap()).await.unwrap();
        self.looked().await;
    }

    async fn looked(&mut self) {
        tokio::time::timeout(LIMIT, self.running.status.changed()).await.unwrap().unwrap();
    }

    async fn update(&mut self) -> Update {
        tokio::time::timeout(LIMIT, self.running.updates.recv()).await.unwrap().unwrap()
    }

    async fn answer(&mut self, rejected: Vec<Rejection>) {
        self.say(Answer::Update(Ack { rejected })).await;
    }

    async fn say(&mut self, answer: Answer) {
        self.running.status.mark_unchanged();
        self.running.answers.send(answer).await.unwrap();
        self.looked().await;
    }

    /// How many resources are refused, and how many routes of the router are said to be in force.
    fn stands(&self) -> (usize, u32) {
        let reported = self.reported.lock().unwrap();
        (reported.refusals.len(), reported.progress.values().map(|one| one.programmed).sum())
    }
}

fn names(update: &Update) -> (Vec<String>, Vec<String>) {
    let changed =
        update.changed.iter().map(|resource| format!("{} {}", resource.kind, resource.name)).collect();
    (changed, update.removed.iter().map(|(kind, name)| format!("{kind} {name}")).collect())
}

fn all_to(subset: &str) -> String {
    router(&format!("routes: [{{route: [{{destination: {{host: orders, subset: {subset}}}}}]}}]"))
}

#[tokio::test]
async fn the_first_update_carries_everything_and_later_ones_what_changed() {
    let mut scene = Scene::start();
    scene.objects(&documents(&[ORDERS, SUBSETS, &all_to("v1")])).await;
    let (changed, removed) = names(&scene.update().await);
    assert_eq!(changed.len(), 6, "two subsets with their endpoints, a listener, routes: {changed:?}");
    assert!(changed[0].starts_with("cluster ") && changed[5].starts_with("routes "), "{changed:?}");
    assert!(removed.is_empty());
    scene.answer(vec![]).await;

    scene.objects(&documents(&[ORDERS, SUBSETS, &all_to("v2")])).await;
    assert_eq!(names(&scene.update().await), (vec![format!("routes {HOST}_20880")], vec![]));
    scene.answer(vec![]).await;

    scene.objects("").await;
    let (changed, removed) = names(&scene.update().await);
    assert!(changed.is_empty());
    assert_eq!(removed.len(), 6, "{removed:?}");
}

#[tokio::test]
async fn nothing_to_serve_is_an_update_as_well() {
    let mut scene = Scene::start();
    scene.objects("").await;
    assert_eq!(scene.update().await, Update::default());
}

#[tokio::test]
async fn one_update_is_under_way_and_what_changes_meanwhile_is_merged() {
    let mut scene = Scene::start();
    scene.objects(&documents(&[ORDERS, SUBSETS, &all_to("v1")])).await;
    scene.update().await;
    scene.objects(&documents(&[ORDERS, SUBSETS, &all_to("v2")])).await;
    scene.objects(&documents(&[ORDERS, SUBSETS])).await;
    assert!(scene.running.updates.try_recv().is_err(), "the first is not answered yet");
    scene.answer(vec![]).await;
    let (changed, removed) = names(&scene.update().await);
    let all = format!("outbound|20880||{HOST}");
    assert_eq!(
        changed,
        [format!("cluster {all}"), format!("endpoints {all}"), format!("routes {HOST}_20880")]
    );
    assert!(removed.is_empty());
}

#[tokio::test]
async fn a_change_and_its_reversal_are_no_update() {
    let mut scene = Scene::start();
    scene.objects(&documents(&[ORDERS, SUBSETS, &all_to("v1")])).await;
    scene.update().await;
    scene.objects(&documents(&[ORDERS, SUBSETS, &all_to("v2")])).await;
    scene.objects(&documents(&["# moved", ORDERS, SUBSETS, &all_to("v1")])).await;
    scene.answer(vec![]).await;
    scene.objects(&documents(&[ORDERS])).await;
    let (changed, removed) = names(&scene.update().await);
    assert_eq!((changed.len(), removed.len()), (3, 4), "{changed:?} {removed:?}");
}

#[tokio::test]
async fn a_refusal_names_the_route_it_came_from_and_goes_when_something_else_is_sent() {
    let mut scene = Scene::start();
    let spec = "routes:\n- match: {attributes: {a: {exact: b}}}\n  route: [{destination: {host: orders}}]\n\
                - route: [{destination: {host: orders, subset: v1}}]";
    scene.objects(&documents(&[ORDERS, SUBSETS, &router(spec)])).await;
    scene.update().await;
    let rejection = Rejection {
        kind: ResourceType::Routes,
        name: format!("{HOST}_20880"),
        field: "routes[1].clusters".into(),
        message: "no".into(),
    };
    scene.answer(vec![rejection]).await;
    let refusals = scene.reported.lock().unwrap().refusals.clone();
    let origin = refusals[0].origin.as_ref().unwrap();
    assert_eq!((origin.kind.as_str(), origin.source.as_ref().unwrap().line), ("MetaRouter", 34));
    let text = refusals[0].to_string();
    let end = format!(": the proxy refused routes {HOST}_20880: routes[1].clusters: no");
    assert!(text.starts_with("MetaRouter shop/orders (") && text.ends_with(&end), "{text}");

    scene.objects(&documents(&[ORDERS, SUBSETS, &all_to("v1")])).await;
    assert_eq!(
        scene.reported.lock().unwrap().refusals.len(),
        1,
        "until the proxy took what comes in its place"
    );
    scene.update().await;
    scene.answer(vec![]).await;
    assert!(scene.reported.lock().unwrap().refusals.is_empty());
}

#[tokio::test]
async fn a_refusal_that_mends_itself_goes_and_an_update_under_way_stays_so() {
    let mut scene = Scene::start();
    scene.objects(&documents(&[ORDERS, SUBSETS, &all_to("v1")])).await;
    scene.update().await;
    let rejection = |kind, name: &str| {
        let (field, message) = ("address".into(), "is in use".into());
        Rejection { kind, name: name.into(), field, message }
    };
    let routes = rejection(ResourceType::Routes, &format!("{HOST}_20880"));
    scene.answer(vec![routes, rejection(ResourceType::Listener, "l")]).await;
    assert_eq!(scene.stands(), (2, 0));
    scene.say(Answer::Mended(Ack { rejected: vec![rejection(ResourceType::Listener, "l")] })).await;
    assert_eq!(scene.stands(), (1, 1), "what is still refused stays");

    scene.objects(&documents(&[ORDERS, SUBSETS, &all_to("v2")])).await;
    scene.update().await;
    scene.say(Answer::Mended(Ack::default())).await;
    assert_eq!(scene.stands(), (0, 0), "the new routes are not answered yet");
    scene.answer(vec![]).await;
    assert_eq!(scene.stands(), (0, 1));
}

#[tokio::test]
async fn the_controller_ends_with_the_proxy() {
    let scene = Scene::start();
    let Running { updates, answers, mut status, guard } = scene.running;
    drop((updates, answers));
    let ended = async { while status.changed().await.is_ok() {} };
    tokio::time::timeout(LIMIT, ended).await.unwrap();
    drop(guard);
}

#[tokio::test]
async fn a_folder_is_followed_from_end_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    std::fs::write(&path, documents(&[ORDERS, SUBSETS, &all_to("v1")])).unwrap();
    let mut running = Controller::start(&[folder.path().to_owned()], &Options::default()).unwrap();
    let first = tokio::time::timeout(LIMIT, running.updates.recv()).await.unwrap().unwrap();
    assert_eq!(first.changed.len(), 6);
    running.answers.send(Answer::Update(Ack::default())).await.unwrap();
    std::fs::write(&path, documents(&[ORDERS, SUBSETS, &all_to("v2")])).unwrap();
    let second = tokio::time::timeout(LIMIT, running.updates.recv()).await.unwrap().unwrap();
    assert_eq!(names(&second), (vec![format!("routes {HOST}_20880")], vec![]));
}
