//! The admin port: whether the proxy is ready and what is missing, its counts, and what is in force.

use e2e::calls::{calling, provider, started, until_answered_by, who};
use e2e::eventually::{SOON, eventually_eq};
use e2e::objects::{Route, Router, Rule, Service, exact, not, prefix};
use e2e::scene::Setup;
use e2e::wire::Wire;
use peers::dubbo::{Behaviour, Call, Provider, Thrown};
use serde_json::{Value, json};

#[tokio::test]
async fn a_proxy_says_what_it_lacks_until_it_is_ready() {
    let provider = provider("p").await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let host = "taken.shop.example";
    let service = Service::of(host).port(address.port()).endpoint("any", provider.address());
    let cannot = format!("{address} cannot be bound: Address already in use");
    let mut scene = Setup::new()
        .put("service", Service::orders().endpoint("any", provider.address()))
        .put("other", service)
        .announce(&cannot)
        .start_unready()
        .await;
    scene.until_listening("orders.shop.example:20880").await;
    eventually_eq("what is missing", true, async || {
        let page = scene.admin().get("/ready").await;
        page.status == 503
            && page.body.starts_with(&format!("listener 127.0.0.1_{}: {cannot}", address.port()))
    })
    .await;
    assert_eq!(who(&scene.client().await, &calling("who")).await, "p", "the rest serves");

    drop(taken);
    scene.until_listening(&format!("{host}:{}", address.port())).await;
    scene.until_told("ready").await;
    let page = scene.admin().get("/ready").await;
    assert_eq!((page.status, &*page.body), (200, "ready\n"));
    let client = scene.client_of(&format!("{host}:{}", address.port())).await;
    assert_eq!(who(&client, &calling("who")).await, "p");
    scene.end().await;
}

#[tokio::test]
async fn counts_are_exact_and_bear_the_labels_that_dashboards_know() {
    let builder =
        Provider::builder("p").otherwise(Behaviour::Who).on("throw", Behaviour::Throw(Thrown::rpc(0, "no")));
    let provider = started(builder).await;
    let router = Router::routes([
        Route::to("").named("throwing").when("method", exact("throw")),
        Route::to("").named("rest").when("method", not(&exact("unrouted"))),
    ]);
    let service = Service::orders().endpoint("any", provider.address());
    let scene = Setup::new().put("service", service).put("router", router).start().await;
    // Of both workers.
    let clients = [scene.client().await, scene.client().await];
    for (method, calls) in [("who", 30), ("ask", 7), ("throw", 5), ("unrouted", 3)] {
        for call in 0..calls {
            clients[call % 2].call(&calling(method), SOON).await;
        }
    }
    let metrics = scene.admin().metrics().await;
    let count = |labels: &[(&str, &str)]| metrics.count("istio_requests_total", labels);
    assert_eq!(count(&[]), 45);
    for (method, route, code, flags, calls) in [
        ("who", "rest", "ok", "-", 30),
        ("ask", "rest", "ok", "-", 7),
        ("throw", "throwing", "application_error", "-", 5),
        ("unrouted", "-", "failed", "NR", 3),
    ] {
        let labels = [
            ("reporter", "source"),
            ("listener", "127.0.0.1_20880"),
            ("destination_service", "orders.shop.example"),
            ("route", route),
            ("method", method),
            ("request_protocol", "dubbo"),
            ("response_code", code),
            ("response_flags", flags),
        ];
        assert_eq!(count(&labels), calls, "{labels:?}");
    }
    assert_eq!(metrics.count("istio_request_duration_milliseconds_count", &[("method", "who")]), 30);
    assert_eq!(
        metrics.count("istio_request_duration_milliseconds_bucket", &[("method", "who"), ("le", "+Inf")]),
        30
    );
    assert!(metrics.sum("istio_request_duration_milliseconds_sum", &[]) > 0.0);
    assert_eq!(metrics.count("meta_proxy_downstream_connections_total", &[]), 2);
    assert_eq!(metrics.count("meta_proxy_downstream_connections_active", &[]), 2);
    let endpoint = provider.address().to_string();
    let upstream = |status| [("endpoint", &*endpoint), ("status", status)];
    assert_eq!(metrics.count("meta_proxy_upstream_responses_total", &upstream("ok")), 37);
    assert_eq!(metrics.count("meta_proxy_upstream_responses_total", &upstream("application_error")), 5);
    assert_eq!(metrics.count("meta_proxy_upstream_active", &[]), 0);
    scene.end().await;
}

#[tokio::test]
async fn methods_beyond_a_hundred_are_counted_together_and_none_is_lost() {
    let provider = provider("p").await;
    let service = Service::orders().endpoint("any", provider.address());
    let scene = Setup::new().put("service", service).start().await;
    let client = scene.client().await;
    let pending: Vec<_> = (0..300).map(|method| client.send(&calling(&format!("method-{method}")))).collect();
    for pending in pending {
        assert!(pending.answer(SOON).await.is_ok());
    }
    let metrics = scene.admin().metrics().await;
    assert_eq!(metrics.count("istio_requests_total", &[]), 300);
    assert_eq!(metrics.count("istio_requests_total", &[("method", "other")]), 200);
    assert_eq!(metrics.labels("istio_requests_total").len(), 101);
    scene.end().await;
}

#[tokio::test]
async fn strange_names_do_not_break_the_exposition() {
    let provider = provider("p").await;
    let scene =
        Setup::new().put("service", Service::orders().endpoint("any", provider.address())).start().await;
    let client = scene.client().await;
    for method in ["a\"b", "a\\b", "a\nb", "", "größe"] {
        assert_eq!(who(&client, &calling(method)).await, "p");
    }
    let page = scene.admin().get("/metrics").await;
    for expected in [r#"method="a\"b""#, r#"method="a\\b""#, r#"method="a\nb""#, r#"method="größe""#] {
        assert!(page.body.contains(expected), "{expected} is missing in:\n{}", page.body);
    }
    assert!(page.body.lines().all(|line| line.starts_with('#') || line.contains(' ')), "{}", page.body);
    eventually_eq("a line each", 5, async || scene.exchanges().len()).await;
    scene.end().await;
}

#[tokio::test]
async fn the_dumps_show_what_is_in_force() {
    let [v1, v2] = [provider("v1").await, provider("v2").await];
    let service = Service::orders().endpoint("v1", v1.address()).endpoint("v2", v2.address());
    let policy = "loadBalancer: {simple: ROUND_ROBIN}, connectionPool: {tcp: {connectTimeout: 250ms}, http: {http2MaxRequests: 9}}";
    let router = Router::routes([
        Route::split(&[("v1", 75), ("v2", 25)])
            .named("a")
            .when("zone", not(&prefix("x")))
            .timeout("2s")
            .retries("attempts: 2, perTryTimeout: 500ms, idempotent: [{attributes: {method: {exact: get}}}]")
            .mirror("v2", 0.5),
        Route::to("v2").named("b"),
    ]);
    let setup = Setup::new().put("service", service).put("rule", Rule::subsets(&["v1", "v2"]).policy(policy));
    let scene = setup.put("router", router).start().await;
    let client = scene.client().await;
    for _call in 0..8 {
        assert_eq!(who(&client, &calling("who").attachment("zone", "x")).await, "v2");
    }
    let config = scene.admin().json("/config_dump").await;
    let listener = &config["listeners"][0];
    assert_eq!(listener["address"], "127.0.0.1:20880");
    assert_eq!(listener["bound"], scene.address().to_string());
    assert_eq!(
        (&listener["protocol"], &listener["services"][0]["host"]),
        (&json!("dubbo"), &json!("orders.shop.example"))
    );
    let first = &config["routes"][0]["routes"][0];
    let cluster = |subset| format!("outbound|20880|{subset}|orders.shop.example");
    let expected = json!({
        "name": "a",
        "match": [{"attribute": "zone", "is": {"not": {"prefix": "x"}}}],
        "to": [{"cluster": cluster("v1"), "weight": 75}, {"cluster": cluster("v2"), "weight": 25}],
        "mirror": {"cluster": cluster("v2"), "millionths": 5000, "writes_only": false},
        "timeout_ms": 2000,
        "retries": {
            "attempts": 2,
            "per_try_timeout_ms": 500,
            "idempotent": [[{"attribute": "method", "is": {"exact": "get"}}]],
        },
    });
    assert_eq!(*first, expected);
    let origin = config["routes"][0]["origins"][1].as_str().unwrap();
    assert!(
        origin.starts_with("MetaRouter shop/orders (") && origin.ends_with("router.yaml:20)"),
        "{origin}"
    );
    let shown = &config["clusters"][0];
    let fields =
        ["name", "balancing", "connect_timeout_ms", "max_requests"].map(|field| shown[field].clone());
    assert_eq!(fields, [json!(cluster("v1")), json!("round robin"), json!(250), json!(9)]);
    assert!(shown["version"].is_string() && config["refused"] == json!([]), "{config:#}");

    let clusters = scene.admin().json("/clusters").await;
    let endpoint = &clusters[1]["endpoints"][0];
    assert_eq!(
        (&clusters[1]["name"], &endpoint["address"]),
        (&json!(cluster("v2")), &json!(v2.address().to_string()))
    );
    assert_eq!(
        (&endpoint["ok"], &endpoint["active"], &endpoint["connections"]),
        (&json!(8), &json!(0), &json!(1))
    );
    assert_eq!(clusters[1]["limits"]["requests"], json!({"limit": 9, "used": 0}));

    let table = scene.admin().json("/routes").await;
    let counts: Vec<&Value> =
        table[0]["routes"].as_array().unwrap().iter().map(|route| &route["requests"]).collect();
    assert_eq!(counts, [&json!(0), &json!(8)]);
    assert_eq!((&table[0]["service"], &table[0]["unmatched"]), (&json!("orders.shop.example"), &json!(0)));
    scene.end().await;
}

#[tokio::test]
async fn dumps_follow_what_changes_and_counts_go_on() {
    let provider = provider("p").await;
    let service = Service::orders().endpoint("any", provider.address());
    let named = |name: &str| Router::routes([Route::to("").named(name)]);
    let scene = Setup::new().put("service", service).put("router", named("first")).start().await;
    let client = scene.client().await;
    assert_eq!(who(&client, &calling("who")).await, "p");
    let version = async || scene.admin().json("/config_dump").await["routes"][0]["version"].clone();
    let before = version().await;
    scene.folder().put("router", named("second"));
    eventually_eq("the route has another name", json!("second"), async || {
        scene.admin().json("/routes").await[0]["routes"][0]["name"].clone()
    })
    .await;
    assert_ne!(version().await, before);
    until_answered_by("p", &client, &calling("who")).await;
    let metrics = scene.admin().metrics().await;
    let by_route =
        ["first", "second"].map(|route| metrics.count("istio_requests_total", &[("route", route)]));
    assert_eq!(by_route, [1, 1]);
    scene.end().await;
}

#[tokio::test]
async fn pages_that_do_not_exist_and_bytes_that_are_no_http_disturb_nobody() {
    let provider = provider("p").await;
    let scene =
        Setup::new().put("service", Service::orders().endpoint("any", provider.address())).start().await;
    assert_eq!(scene.admin().get("/nothing").await.status, 404);
    assert_eq!(
        scene.admin().get("/").await.body,
        "/ready\n/metrics\n/config_dump\n/clusters\n/routes\n/explain\n/certs\n"
    );
    let mut wire = Wire::to(scene.admin().address()).await;
    wire.send(&Call::new("i", "m").request(1)).await;
    wire.shut().await;
    wire.ended().await;
    assert_eq!(scene.admin().get("/ready").await.status, 200);
    scene.end().await;
}
