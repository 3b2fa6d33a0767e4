//! What a change of the objects does to those who call meanwhile: nothing but what was asked for.

use std::time::{Duration, Instant};

use e2e::calls::{after, calling, provider, started, until_answered_by, who};
use e2e::eventually::{SOON, eventually, eventually_eq};
use e2e::objects::{HOST, PORT, Route, Router, Rule, Service, exact};
use e2e::scene::{Scene, Setup};
use peers::dubbo::{Behaviour, Client, EchoLoad, Provider};
use peers::load::{self, Plan};

const MS: Duration = Duration::from_millis(1);

/// Two providers, `v1` and `v2`, a subset for each, and a router.
async fn two(router: Router) -> (Scene, [Provider; 2]) {
    let [v1, v2] = [provider("v1").await, provider("v2").await];
    let service = Service::orders().endpoint("v1", v1.address()).endpoint("v2", v2.address());
    let setup = Setup::new().put("service", service).put("rule", Rule::subsets(&["v1", "v2"]));
    (setup.put("router", router).start().await, [v1, v2])
}

fn all_to(subset: &str) -> Router {
    Router::routes([Route::to(subset)])
}

/// Who answers when a client calls often enough to meet all.
async fn answered_by(client: &Client) -> Vec<String> {
    let mut labels = Vec::new();
    for _call in 0..40 {
        labels.push(who(client, &calling("any")).await);
    }
    labels.sort_unstable();
    labels.dedup();
    labels
}

#[tokio::test]
async fn five_hundred_changes_under_load_lose_no_call_and_no_connection() {
    let slow = |label| Provider::builder(label).on("echo", after(20 * MS, Behaviour::Echo)).remember(0);
    let [v1, v2] = [started(slow("v1")).await, started(slow("v2")).await];
    let service = Service::orders().endpoint("v1", v1.address()).endpoint("v2", v2.address());
    let setup = Setup::new().put("service", service).put("rule", Rule::subsets(&["v1", "v2"]));
    let scene = setup.put("router", all_to("v2")).start().await;

    let load =
        load::start(Plan::closed(scene.address(), 50, 5), EchoLoad::new(calling("echo"), 100)).unwrap();
    let client = scene.client().await;
    for change in 0..500 {
        let subset = ["v1", "v2"][change % 2];
        scene.folder().put("router", all_to(subset));
        until_answered_by(subset, &client, &calling("who")).await;
    }
    let before = [v1.counts().requests, v2.counts().requests];
    let report = load.finish().await;
    assert_eq!((report.errors, report.closed), (0, 0), "{:?}", report.first_error);
    assert_eq!(report.completed, report.sent);
    assert!(before.iter().all(|calls| *calls > 1000), "both were under load: {before:?}");
    scene.end().await;
}

#[tokio::test]
async fn a_change_is_in_force_within_a_second() {
    let (scene, _providers) = two(all_to("v2")).await;
    let client = scene.client().await;
    let mut took = Vec::new();
    for change in 0..10 {
        let subset = ["v1", "v2"][change % 2];
        let began = Instant::now();
        scene.folder().put("router", all_to(subset));
        until_answered_by(subset, &client, &calling("who")).await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    assert!(took[took.len() / 2] < 500 * MS && took[took.len() - 1] < 1000 * MS, "{took:?}");
    scene.end().await;
}

#[tokio::test]
async fn a_file_that_is_no_yaml_keeps_what_it_last_said() {
    let (mut scene, [v1, v2]) = two(all_to("v2")).await;
    let client = scene.client().await;
    scene.announce("router.yaml:4:9: error: unclosed bracket '['; what this file said before stays in force");
    scene.folder().put("router", "kind: MetaRouter\nspec:\n  routes:\n  - to: [");
    eventually("the mistake is told", async || scene.logged(" ERROR ").pop().ok_or("nothing")).await;
    assert_eq!(answered_by(&client).await, ["v2"]);
    // What other files say changes all the same: the subsets change places.
    scene
        .folder()
        .put("service", Service::orders().endpoint("v2", v1.address()).endpoint("v1", v2.address()));
    until_answered_by("v1", &client, &calling("who")).await;
    scene.folder().put("router", all_to("v1"));
    until_answered_by("v2", &client, &calling("who")).await;
    assert_eq!(scene.logged(" ERROR ").len(), 1, "a mistake is told once");
    scene.end().await;
}

#[tokio::test]
async fn an_object_that_makes_no_sense_keeps_what_it_last_said_and_others_change() {
    let (mut scene, [v1, v2]) = two(all_to("v2")).await;
    let client = scene.client().await;
    scene.announce("spec.routes[0].route[1].weight: weights must sum to 100, not 90");
    scene.announce("MetaRouter shop/orders: its last good version stays in force");
    scene.folder().put("router", Router::routes([Route::split(&[("v1", 80), ("v2", 10)])]));
    eventually("the mistake is told", async || {
        scene.logged("weights must sum to 100, not 90").pop().ok_or("nothing")
    })
    .await;
    assert_eq!(answered_by(&client).await, ["v2"]);
    scene
        .folder()
        .put("service", Service::orders().endpoint("v2", v1.address()).endpoint("v1", v2.address()));
    until_answered_by("v1", &client, &calling("who")).await;
    scene.end().await;
}

#[tokio::test]
async fn without_its_router_a_service_has_one_route_to_all_endpoints() {
    let (scene, _providers) = two(all_to("v2")).await;
    let client = scene.client().await;
    assert_eq!(answered_by(&client).await, ["v2"]);
    scene.folder().delete("router");
    until_answered_by("v1", &client, &calling("who")).await;
    assert_eq!(answered_by(&client).await, ["v1", "v2"]);
    scene.folder().put("router", all_to("v1"));
    eventually_eq("the router is back", vec!["v1".to_owned()], async || answered_by(&client).await).await;
    scene.end().await;
}

#[tokio::test]
async fn endpoints_come_and_go_and_no_call_is_lost() {
    let slow = |label| {
        Provider::builder(label).on("slow", after(300 * MS, Behaviour::Who)).otherwise(Behaviour::Who)
    };
    let [v1, v2] = [started(slow("v1")).await, started(slow("v2")).await];
    let only = |provider: &Provider| Service::orders().endpoint("any", provider.address());
    let scene = Setup::new().put("service", only(&v1)).start().await;
    let client = scene.client().await;
    assert_eq!(answered_by(&client).await, ["v1"]);
    scene.folder().put("service", only(&v1).endpoint("any", v2.address()));
    until_answered_by("v2", &client, &calling("who")).await;
    assert_eq!(answered_by(&client).await, ["v1", "v2"]);

    let pending: Vec<_> = (0..20).map(|_| client.send(&calling("slow"))).collect();
    let both = async || v1.counts().requests > 0 && v1.counts().open + v2.counts().open == 2;
    eventually_eq("both are connected to", true, both).await;
    scene.folder().put("service", only(&v2));
    eventually_eq("v1 is left", 0, async || v1.counts().open).await;
    for pending in pending {
        assert!(pending.answer(SOON).await.is_ok());
    }
    assert_eq!(answered_by(&client).await, ["v2"]);
    assert!(!client.is_closed());
    scene.end().await;
}

#[tokio::test]
async fn a_service_that_comes_later_is_listened_for_and_one_that_goes_is_not() {
    let [orders, carts] = [provider("orders").await, provider("carts").await];
    let service = Service::orders().endpoint("any", orders.address());
    let setup = Setup::new().put("service", service).listen("carts.shop.example:20880");
    // Which may be a slip of the pen, until the service comes.
    let mut scene =
        setup.announce("nothing listens on 127.0.0.1:0 for carts.shop.example:20880 yet").start().await;
    let client = scene.client().await;
    assert_eq!(who(&client, &calling("who")).await, "orders");

    let other = Service::of("carts.shop.example").address("127.0.0.2").endpoint("any", carts.address());
    scene.folder().put("other", other);
    scene.until_listening("carts.shop.example:20880").await;
    let other = scene.client_of("carts.shop.example:20880").await;
    assert_eq!(who(&other, &calling("who")).await, "carts");

    scene.folder().delete("other");
    assert!(other.closed(SOON).await.is_some(), "told to go elsewhere, then disconnected");
    assert_eq!(other.received().notices, [peers::dubbo::Notice::ReadOnly]);
    let refused = Client::connect(scene.address_of("carts.shop.example:20880")).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(who(&client, &calling("who")).await, "orders");
    scene.end().await;
}

#[tokio::test]
async fn one_service_more_behind_a_port_disturbs_nobody() {
    let [orders, carts] = [provider("orders").await, provider("carts").await];
    let service = Service::orders().interface(e2e::objects::INTERFACE).endpoint("any", orders.address());
    let mut scene = Setup::new().put("service", service).start().await;
    let client = scene.client().await;
    assert_eq!(who(&client, &calling("who")).await, "orders");
    let other = Service::of("carts.shop.example").interface("com.example.shop.CartService");
    scene.folder().put("other", other.endpoint("any", carts.address()));
    assert_eq!(scene.until_listening("carts.shop.example:20880").await, scene.address());
    until_answered_by("carts", &client, &peers::dubbo::Call::new("com.example.shop.CartService", "who"))
        .await;
    assert_eq!(who(&client, &calling("who")).await, "orders");
    assert_eq!(client.received().notices, []);
    scene.end().await;
}

#[tokio::test]
async fn a_limit_and_a_timeout_change_without_a_new_connection() {
    let never = started(Provider::builder("p").on("never", Behaviour::Silent)).await;
    let service = Service::orders().endpoint("any", never.address());
    let route =
        |timeout: &str| Router::routes([Route::to("").when("method", exact("never")).timeout(timeout)]);
    let setup = Setup::new().put("service", service).put("router", route("10s"));
    let scene = setup.start().await;
    let client = scene.client().await;
    let slow = client.send(&calling("never"));
    scene.folder().put("router", route("100ms"));
    eventually("the timeout is the new one", async || {
        let answer = client.call(&calling("never"), 1000 * MS).await;
        if answer.arrival.is_some() { Ok(()) } else { Err(answer) }
    })
    .await;
    assert_eq!((never.counts().connections, client.outstanding()), (1, 1));
    drop(slow);
    assert_eq!(scene.address(), scene.address_of(&format!("{HOST}:{PORT}")));
    scene.end().await;
}
