//! Who gets a call: what a `MetaRouter` says of methods, attachments, versions, shares, subsets and copies.

use std::time::Duration;

use bytes::Bytes;
use e2e::calls::{after, calling, label, provider, started, status, until_answered_by, who};
use e2e::eventually::{SOON, eventually_eq};
use e2e::objects::{HOST, INTERFACE, Route, Router, Rule, Service, exact, not, prefix, present, regex};
use e2e::scene::{Scene, Setup};
use peers::dubbo::{Behaviour, Call, Outcome, Provider, Refusing, Thrown, Value, frame};

const MS: Duration = Duration::from_millis(1);

/// A provider and a subset for each label, and these routes between them.
async fn providers(labels: &[&str], router: Option<Router>) -> (Scene, Vec<Provider>) {
    let mut providers = Vec::new();
    for label in labels {
        providers.push(provider(label).await);
    }
    let scene = setup(&providers).put_all(router).start().await;
    (scene, providers)
}

fn setup(providers: &[Provider]) -> Setup {
    let labels: Vec<_> = providers.iter().map(Provider::label).collect();
    let service = providers
        .iter()
        .fold(Service::orders(), |service, provider| service.endpoint(provider.label(), provider.address()));
    Setup::new().put("service", service).put("rule", Rule::subsets(&labels))
}

trait PutAll {
    fn put_all(self, router: Option<Router>) -> Self;
}

impl PutAll for Setup {
    fn put_all(self, router: Option<Router>) -> Self {
        router.into_iter().fold(self, |setup, router| setup.put("router", router))
    }
}

#[tokio::test]
async fn each_condition_means_what_it_says() {
    let router = Router::routes([
        Route::to("exact").when("Zone", exact("eu")),
        Route::to("prefix").when("zone", prefix("us-")),
        Route::to("regex").when("zone", regex("ap-[0-9]+")),
        Route::to("version").when("version", exact("1.2.0")),
        Route::to("method").when("method", exact("create")),
        Route::to("both").when("method", prefix("get")).when("userId", present(true)),
        Route::to("not").when("method", exact("audit")).when("tenant", not(&exact("internal"))),
        Route::to("absent").when("method", exact("anonymous")).when("userId", present(false)),
        Route::to("number").when("shard", exact("7")),
        Route::to("interface").when("interface", exact("com.example.Other")),
        Route::to("rest"),
    ]);
    let labels = [
        "exact",
        "prefix",
        "regex",
        "version",
        "method",
        "both",
        "not",
        "absent",
        "number",
        "interface",
        "rest",
    ];
    let (scene, _providers) = providers(&labels, Some(router)).await;
    let client = scene.client().await;
    let with = |name: &str, value: &str| calling("any").attachment(name, value);
    let rows = [
        ("exact", with("zone", "eu")),
        ("exact", with("ZONE", "eu")),
        ("rest", with("zone", "EU")),
        ("rest", with("zone", "eu-1")),
        ("prefix", with("zone", "us-east")),
        ("rest", with("zone", "us")),
        ("regex", with("zone", "ap-12")),
        ("rest", with("zone", "ap-12b")),
        ("version", calling("any").version("1.2.0")),
        ("method", calling("create")),
        ("rest", calling("Create")),
        ("both", calling("getOrder").attachment("userid", "1")),
        ("rest", calling("getOrder")),
        ("not", calling("audit")),
        ("not", calling("audit").attachment("tenant", "acme")),
        ("rest", calling("audit").attachment("tenant", "internal")),
        ("absent", calling("anonymous")),
        ("rest", calling("anonymous").attachment("userId", "")),
        ("number", calling("any").attachment("shard", 7)),
        ("number", calling("any").attachment("shard", Value::Long(7))),
        ("interface", Call::new("com.example.Other", "any")),
        // The field of the head counts, whatever an attachment says.
        ("rest", with("method", "create")),
        ("rest", calling("any")),
    ];
    for (expected, call) in rows {
        assert_eq!(who(&client, &call).await, expected, "{call:?}");
    }
    scene.end().await;
}

#[tokio::test]
async fn attachments_are_found_behind_arguments_of_every_kind() {
    let router = Router::routes([Route::to("batch").when("batchJob", exact("true")), Route::to("user")]);
    let (scene, providers) = providers(&["user", "batch"], Some(router)).await;
    let client = scene.client().await;
    let order = Value::object("com.example.Order", [("id", Value::Long(7)), ("lines", Value::list([]))]);
    let items = Value::list([order.clone(), order.clone(), Value::Reference(1), Value::Null]);
    let arguments = [
        Value::Null,
        Value::Text("ä€😀".repeat(20_000)),
        Value::Bytes(vec![1; 300_000]),
        Value::Double(0.1),
        Value::Date(1_700_000_000_000),
        items,
        Value::map([("order", order), ("self", Value::Reference(0))]),
        Value::pojo_as_map("com.example.Line", [("sku", "x".into())]),
    ];
    let all = arguments.iter().cloned().fold(calling("create"), Call::argument);
    for call in arguments.into_iter().map(|argument| calling("create").argument(argument)).chain([all]) {
        assert_eq!(who(&client, &call).await, "user");
        assert_eq!(who(&client, &call.clone().attachment("batchJob", "true")).await, "batch");
        assert_eq!(who(&client, &call.clone().attachment("batchJob", true)).await, "batch");
        let seen = providers[1].seen().pop().unwrap();
        assert_eq!(seen.arguments, call.arguments(), "they arrive as they were sent");
    }
    scene.end().await;
}

#[tokio::test]
async fn shares_are_kept_and_a_share_of_nothing_gets_nothing() {
    let router = Router::routes([
        Route::split(&[("v1", 100), ("v2", 0)]).when("method", exact("all")),
        Route::split(&[("v1", 90), ("v2", 10)]),
    ]);
    let (scene, providers) = providers(&["v1", "v2"], Some(router)).await;
    let client = scene.client().await;
    for method in ["split", "all"] {
        for _batch in 0..20 {
            let pending: Vec<_> = (0..100).map(|_| client.send(&calling(method))).collect();
            for pending in pending {
                assert!(pending.answer(SOON).await.is_ok());
            }
        }
        let calls = [providers[0].counts().requests, providers[1].counts().requests];
        // 2,000 calls: five standard deviations of 13.4 around 200.
        assert!(calls[1] > 133 && calls[1] < 267, "{method}: {calls:?}");
        assert_eq!(calls[0] + calls[1], if method == "split" { 2000 } else { 4000 });
    }
    scene.end().await;
}

#[tokio::test]
async fn a_balancer_that_takes_turns_gives_each_endpoint_the_same() {
    let providers = [provider("a").await, provider("b").await, provider("c").await, provider("d").await];
    let service =
        providers.iter().fold(Service::orders(), |service, one| service.endpoint("any", one.address()));
    let rule = Rule::subsets(&[]).policy("loadBalancer: {simple: ROUND_ROBIN}");
    let scene = Setup::new().workers(1).put("service", service).put("rule", rule).start().await;
    let client = scene.client().await;
    for _call in 0..40 {
        who(&client, &calling("who")).await;
    }
    assert_eq!(providers.each_ref().map(|provider| provider.counts().requests), [10; 4]);
    scene.end().await;
}

#[tokio::test]
async fn a_balancer_of_least_requests_leaves_a_busy_endpoint_alone() {
    let busy = started(Provider::builder("busy").otherwise(after(300 * MS, Behaviour::Who))).await;
    let free = provider("free").await;
    let service = Service::orders().endpoint("any", busy.address()).endpoint("any", free.address());
    let scene = Setup::new().workers(1).put("service", service).start().await;
    let client = scene.client().await;
    let mut pending = Vec::new();
    // One after the other, so that the free one is free each time.
    for _call in 0..50 {
        let before = free.counts().answered + busy.counts().requests;
        pending.push(client.send(&calling("any")));
        eventually_eq("it has arrived", before + 1, async || free.counts().answered + busy.counts().requests)
            .await;
    }
    for pending in pending {
        assert!(pending.answer(SOON).await.is_ok());
    }
    // Once the busy one has a call more than the free one, it gets none until that is answered.
    assert!(busy.counts().requests < 15, "{:?}", busy.counts());
    scene.end().await;
}

#[tokio::test]
async fn services_on_one_port_are_told_apart_by_interface() {
    let [orders, carts] = [provider("orders").await, provider("carts").await];
    let cart_interface = "com.example.shop.CartService";
    let cart_host = "carts.shop.example";
    let scene = Setup::new()
        .put("orders", Service::orders().interface(INTERFACE).endpoint("any", orders.address()))
        .put("carts", Service::of(cart_host).interface(cart_interface).endpoint("v1", carts.address()))
        .put("rule", Rule::subsets(&["v1"]).of(cart_host))
        .put("router", Router::routes([Route::to("v1").when("method", exact("who"))]).of(cart_host))
        .start()
        .await;
    let client = scene.client().await;
    assert_eq!(who(&client, &calling("who")).await, "orders");
    assert_eq!(who(&client, &Call::new(cart_interface, "who")).await, "carts");
    assert_eq!(who(&client, &Call::new("COM.example.shop.cartservice", "who")).await, "carts");
    let unknown = client.call(&Call::new("com.example.Unknown", "who"), SOON).await;
    let (code, said) = status(&unknown);
    let begin = "no route matches for interface=com.example.Unknown method=who version=0.0.0 dubbo=2.0.2 (no such service \
                 behind this address; there are ";
    assert!(code == 60 && said.starts_with(begin), "{said}");
    assert!([INTERFACE, cart_interface].iter().all(|one| said.contains(&one.to_lowercase())), "{said}");
    let unrouted = client.call(&Call::new(cart_interface, "pay"), SOON).await;
    let (_, said) = status(&unrouted);
    assert!(said.contains("(1 routes of carts.shop.example; nearest is routes[0] "), "{said}");
    assert!(said.ends_with(": method is \"pay\", needs exact \"who\")"), "{said}");
    let opaque = client.call(&calling("who").serialization(21).opaque(&b"\x08\x01"[..]), SOON).await;
    assert_eq!(status(&opaque).0, 60, "its interface is hidden: {opaque:?}");
    scene.end().await;
}

#[tokio::test]
async fn without_a_router_every_endpoint_serves() {
    let (scene, providers) = providers(&["v1", "v2", "v3"], None).await;
    let client = scene.client().await;
    for _call in 0..60 {
        who(&client, &calling("any")).await;
    }
    assert!(providers.iter().all(|provider| provider.counts().requests > 0));
    scene.end().await;
}

#[tokio::test]
async fn a_serialization_that_hides_attributes_takes_only_routes_without_conditions() {
    let conditional = Route::to("v1").when("method", not(&exact("x")));
    let router = Router::routes([conditional.clone(), Route::to("v2")]);
    let (scene, providers) = providers(&["v1", "v2"], Some(router)).await;
    let client = scene.client().await;
    let opaque = calling("any").serialization(frame::PROTOBUF).opaque(&b"\x92 any bytes"[..]);
    let answer = client.call(&opaque, SOON).await;
    assert_eq!(answer.outcome, Outcome::Opaque(Bytes::from_static(b"v2")));
    assert_eq!(providers[1].seen().pop().unwrap().serialization, frame::PROTOBUF);
    scene.folder().put("router", Router::routes([conditional]));
    until_answered_by("v1", &client, &calling("any")).await;
    eventually_eq("nothing else is left", 60, async || match client.call(&opaque, SOON).await.outcome {
        Outcome::Status(status, _) => status,
        _ => 20,
    })
    .await;
    let answer = client.call(&opaque, SOON).await;
    let text = "no route matches: protobuf hides the attributes; only routes without conditions match";
    assert_eq!(status(&answer), (60, text));
    scene.end().await;
}

#[tokio::test]
async fn a_generic_call_is_routed_by_the_method_that_it_means() {
    let router = Router::routes([
        Route::to("generic").when("generic", exact("true")).when("method", exact("create")),
        Route::to("create").when("method", exact("create")),
        Route::to("invoke").when("method", prefix("$invoke")),
        Route::to("rest"),
    ]);
    let (scene, _providers) = providers(&["generic", "create", "invoke", "rest"], Some(router)).await;
    let client = scene.client().await;
    let generic = |invoke: &str, method: &str| {
        let list = |class: &str, items: &[&str]| {
            let items = items.iter().map(|&item| Value::from(item)).collect();
            Value::List { class: Some(class.to_owned()), items }
        };
        Call::new(INTERFACE, invoke)
            .argument(method)
            .argument(list("[java.lang.String", &["java.lang.String"]))
            .argument(list("[object", &["x"]))
            .descriptor("Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;")
            .attachment("generic", "gson")
    };
    assert_eq!(who(&client, &generic("$invoke", "create")).await, "generic");
    assert_eq!(who(&client, &generic("$invokeAsync", "create")).await, "generic");
    assert_eq!(who(&client, &generic("$invoke", "delete")).await, "rest");
    assert_eq!(who(&client, &calling("create")).await, "create");
    scene.end().await;
}

#[tokio::test]
async fn a_call_that_wants_no_answer_arrives_and_gets_none() {
    let router = Router::routes([Route::to("v2").when("lane", exact("2")), Route::to("v1")]);
    let (scene, providers) = providers(&["v1", "v2"], Some(router)).await;
    let client = scene.client().await;
    for _call in 0..10 {
        client.oneway(&calling("note").attachment("lane", "2").argument("text"));
    }
    // What comes behind them on the connection is not held up.
    assert_eq!(who(&client, &calling("who")).await, "v1");
    eventually_eq("they arrive", 10, async || providers[1].counts().oneways).await;
    assert_eq!(who(&client, &calling("who").attachment("lane", "2")).await, "v2");
    assert_eq!((client.received().strays, client.received().answers), (0, 2));
    let sent =
        async || scene.admin().metrics().await.count("istio_requests_total", &[("response_code", "sent")]);
    eventually_eq("they are counted", 10, sent).await;
    scene.end().await;
}

#[tokio::test]
async fn copies_arrive_and_change_nothing_for_the_caller() {
    let failing =
        started(Provider::builder("v2").otherwise(Behaviour::Throw(Thrown::rpc(3, "a copy's own")))).await;
    let slow = started(Provider::builder("v3").otherwise(after(2000 * MS, Behaviour::Who))).await;
    let refusing = Refusing::new().unwrap();
    let v1 = provider("v1").await;
    let service = Service::orders()
        .endpoint("v1", v1.address())
        .endpoint("v2", failing.address())
        .endpoint("v3", slow.address())
        .endpoint("v4", refusing.address());
    let router = Router::routes([
        Route::to("v1").when("method", exact("all")).mirror("v2", 100.0),
        Route::to("v1").when("method", exact("some")).mirror("v2", 25.0),
        Route::to("v1").when("method", exact("slow")).mirror("v3", 100.0),
        Route::to("v1").when("method", exact("lost")).mirror("v4", 100.0),
    ]);
    let setup = Setup::new().put("service", service).put("rule", Rule::subsets(&["v1", "v2", "v3", "v4"]));
    let scene = setup.put("router", router).start().await;
    let client = scene.client().await;
    for method in ["all", "slow", "lost"] {
        for call in 0..20 {
            let answer = client.call(&calling(method).argument(call), SOON).await;
            assert_eq!(label(&answer), "v1");
            assert!(answer.after < 1000 * MS, "{method}: {:?}", answer.after);
        }
    }
    client.oneway(&calling("all"));
    eventually_eq("the copies arrive", (21, 20), async || {
        (failing.counts().requests, slow.counts().requests)
    })
    .await;
    let copy = &failing.seen()[0];
    assert_eq!((&*copy.method, &copy.arguments[..]), ("all", &[Value::Int(0)][..]));
    for _batch in 0..10 {
        let pending: Vec<_> = (0..100).map(|_| client.send(&calling("some"))).collect();
        for pending in pending {
            assert_eq!(label(&pending.answer(SOON).await), "v1");
        }
    }
    // 1,000 calls: five standard deviations of 13.7 around 250.
    let within = async || {
        let metrics = scene.admin().metrics().await;
        metrics.count("meta_proxy_mirrored_total", &[]) - 61 == failing.counts().requests - 21
    };
    eventually_eq("all copies have arrived", true, within).await;
    let copies = failing.counts().requests - 21;
    assert!(copies > 181 && copies < 319, "{copies}");
    assert_eq!(client.received().strays, 0, "no copy's answer comes back");
    let metrics = scene.admin().metrics().await;
    assert_eq!(
        metrics.count("meta_proxy_mirror_failures_total", &[]),
        20,
        "those to the endpoint that refuses"
    );
    assert_eq!(metrics.count("istio_requests_total", &[]), 1061, "copies are no requests of a client");
    scene.end().await;
}

#[tokio::test]
async fn what_a_provider_answers_comes_back_as_it_is() {
    let thrown = Thrown { class: "com.example.PaymentRefused".into(), code: None, message: "no".into() };
    let builder = Provider::builder("p")
        .on("throw", Behaviour::Throw(thrown.clone()))
        .on("void", Behaviour::Answer(Value::Null))
        .on("busy", Behaviour::Status(frame::status::THREADPOOL_EXHAUSTED, "no thread is left".into()))
        .attachment("served-by", "p");
    let provider = started(builder).await;
    let scene =
        Setup::new().put("service", Service::orders().endpoint("any", provider.address())).start().await;
    let client = scene.client().await;
    let long = Value::Bytes((0..4 << 20).map(|n: u32| n as u8).collect());
    let echoed = client.call(&calling("echo").argument(long.clone()), SOON).await;
    assert!(echoed.outcome == Outcome::Value(long), "4 MiB come back");
    assert_eq!(echoed.attachment("served-by"), Some(&"p".into()));
    assert_eq!(client.call(&calling("throw"), SOON).await.outcome, Outcome::Exception(thrown));
    assert_eq!(client.call(&calling("void"), SOON).await.outcome, Outcome::Value(Value::Null));
    let busy = client.call(&calling("busy"), SOON).await;
    assert_eq!(status(&busy), (100, "no thread is left"));
    let old = client.call(&calling("who").dubbo("2.0.1"), SOON).await;
    assert_eq!((label(&old), old.attachments), ("p".into(), Vec::new()));
    scene.end().await;
}

#[tokio::test]
async fn heartbeats_are_answered_by_the_proxy_itself() {
    let provider = provider("p").await;
    let scene =
        Setup::new().put("service", Service::orders().endpoint("any", provider.address())).start().await;
    let client = scene.client().await;
    assert!(client.heartbeat(SOON).await);
    assert_eq!(who(&client, &calling("who")).await, "p");
    assert_eq!(provider.announce(peers::dubbo::Notice::Heartbeat), 1);
    eventually_eq("the proxy answers", 1, async || provider.counts().responses).await;
    assert_eq!(
        (provider.counts().heartbeats, client.received().heartbeats),
        (0, 0),
        "they stay on their side"
    );
    scene.end().await;
}

#[tokio::test]
async fn endpoints_may_be_names_or_objects_of_their_own() {
    let [named, first, second] = [provider("named").await, provider("first").await, provider("second").await];
    let entry = |host: &str, rest: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n\
             metadata: {{name: {host}, namespace: shop, annotations: {{interface: {host}}}}}\n\
             spec:\n  hosts: [{host}]\n  ports: [{{number: 20880, name: tcp-metaprotocol-dubbo}}]\n  {rest}\n"
        )
    };
    let workload = |name: &str, provider: &Provider| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: {name}, namespace: shop}}\nspec: \
             {{address: 127.0.0.1, labels: {{app: orders}}, ports: {{tcp-metaprotocol-dubbo: {}}}}}\n",
            provider.address().port()
        )
    };
    let port = named.address().port();
    let dns = format!(
        "resolution: DNS\n  endpoints: [{{address: localhost, ports: {{tcp-metaprotocol-dubbo: {port}}}}}]"
    );
    let scene = Setup::new()
        .put("dns", entry("by-name.example", &dns))
        .put("selected", entry(HOST, "resolution: STATIC\n  workloadSelector: {labels: {app: orders}}"))
        .put("first", workload("first", &first))
        .start()
        .await;
    let client = scene.client().await;
    until_answered_by("named", &client, &Call::new("by-name.example", "who")).await;
    assert_eq!(who(&client, &Call::new(HOST, "who")).await, "first");
    scene.folder().put("second", workload("second", &second));
    until_answered_by("second", &client, &Call::new(HOST, "who")).await;
    scene.folder().delete("first");
    eventually_eq("the first is left", 0, async || first.counts().open).await;
    assert_eq!(who(&client, &Call::new(HOST, "who")).await, "second");
    scene.end().await;
}
