//! Every way in which an exchange can end: one line in the access log and one count, with the right words.

use std::collections::BTreeMap;

use bytes::Bytes;
use e2e::calls::{calling, started, who};
use e2e::eventually::{SOON, eventually_eq};
use e2e::objects::{Route, Router, Rule, Service, exact};
use e2e::scene::{Scene, Setup};
use e2e::wire::Wire;
use peers::dubbo::{Behaviour, Provider, Refusing, Thrown, status};
use serde_json::Value;

/// What a method's call comes to: status, flags, number of endpoints tried.
const ENDINGS: [(&str, &str, &str, u64); 14] = [
    ("who", "ok", "-", 1),
    ("throw", "application_error", "-", 1),
    ("break", "server_error", "-", 1),
    ("busy", "overloaded", "-", 1),
    ("oneway", "sent", "-", 1),
    ("never", "failed", "UT", 1),
    ("close", "failed", "UC", 1),
    ("unrouted", "failed", "NR", 0),
    ("mistaken", "failed", "NC", 0),
    ("empty", "failed", "UH", 0),
    ("refused", "failed", "UF", 1),
    ("limited", "failed", "UO", 0),
    ("left", "failed", "DC", 1),
    ("-", "failed", "DPE", 0),
];

fn rule() -> String {
    let subsets = Rule::subsets(&["p", "refused", "empty"]).to_string();
    let limit = "trafficPolicy: {connectionPool: {http: {http2MaxRequests: 1}}}";
    format!("{subsets}  - {{name: limited, labels: {{subset: limited}}, {limit}}}\n")
}

fn router() -> Router {
    let on = |subset: &str, method: &str| Route::to(subset).named(method).when("method", exact(method));
    Router::routes([
        on("p", "never").timeout("100ms"),
        on("mistaken", "mistaken"),
        on("empty", "empty"),
        on("refused", "refused"),
        on("limited", "limited"),
        on("limited", "left"),
        on("p", "who"),
        on("p", "throw"),
        on("p", "break"),
        on("p", "busy"),
        on("p", "close"),
        on("p", "oneway"),
    ])
}

/// Makes each call of [`ENDINGS`] once.
async fn each_once(scene: &Scene, limited: &Provider) {
    let client = scene.client().await;
    for method in ["throw", "break", "busy", "never", "close", "unrouted", "mistaken", "empty", "refused"] {
        let answer = client.call(&calling(method), SOON).await;
        assert!(!answer.is_ok() && answer.header.is_some(), "{method}: {answer:?}");
    }
    client.oneway(&calling("oneway"));
    let long = calling("who").opaque(Bytes::from(vec![7; (8 << 20) + 1]));
    assert_eq!(e2e::calls::status(&client.call(&long, SOON).await).0, status::CLIENT_ERROR);
    // The one call that the subset may have outstanding is that of a client which then leaves.
    let mut leaving = Wire::to(scene.address()).await;
    leaving.send(&calling("unread").oneway(1)).await;
    leaving.send(&calling("left").request(2)).await;
    eventually_eq("it is outstanding", 1, async || limited.counts().requests).await;
    assert!(!client.call(&calling("limited"), SOON).await.is_ok());
    leaving.reset();
    assert_eq!(who(&client, &calling("who")).await, "p");
}

#[tokio::test]
async fn each_ending_has_one_line_and_one_count() {
    let builder = Provider::builder("p")
        .otherwise(Behaviour::Who)
        .on("throw", Behaviour::Throw(Thrown::rpc(3, "no")))
        .on("break", Behaviour::Status(status::SERVICE_ERROR, "no".into()))
        .on("busy", Behaviour::Status(status::THREADPOOL_EXHAUSTED, "no".into()))
        .on("never", Behaviour::Silent)
        .on("close", Behaviour::Close);
    let provider = started(builder).await;
    let limited = started(Provider::builder("limited").otherwise(Behaviour::Silent)).await;
    let refusing = Refusing::new().unwrap();
    let service = Service::orders()
        .endpoint("p", provider.address())
        .endpoint("limited", limited.address())
        .endpoint("refused", refusing.address());
    let scene = Setup::new()
        .put("service", service)
        .put("rule", rule())
        .put("router", router())
        .announce("subset empty selects no endpoint")
        .announce("defines no subset mistaken")
        .start()
        .await;
    each_once(&scene, &limited).await;

    let mut expected: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for (method, status, flags, tries) in ENDINGS {
        expected.insert((method.into(), status.into(), flags.into()), tries);
    }
    // The call before the one that is left behind was for no route either, and wanted no answer.
    expected.insert(("unread".into(), "failed".into(), "NR".into()), 0);
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let endings = async || {
        let lines = scene.exchanges();
        let key = |line: &Value| (text(line, "method"), text(line, "status"), text(line, "flags"));
        let found: BTreeMap<_, _> =
            lines.iter().map(|line| (key(line), line["tries"].as_u64().unwrap())).collect();
        (lines.len(), found)
    };
    eventually_eq("a line each", (15, expected.clone()), endings).await;
    for line in scene.exchanges() {
        let has = |field: &str| line.get(field).is_some();
        assert!(
            ["time_us", "duration_us", "client", "request_bytes", "response_bytes"].into_iter().all(has),
            "{line}"
        );
        assert_eq!(
            (text(&line, "listener"), text(&line, "service")),
            ("127.0.0.1_20880".into(), "orders.shop.example".into())
        );
        assert_eq!(text(&line, "endpoint").is_empty(), line["tries"] == 0, "{line}");
        let (method, flags) = (text(&line, "method"), text(&line, "flags"));
        let has_route = !matches!(&*method, "unrouted" | "unread" | "-");
        assert_eq!(text(&line, "route"), if has_route { &*method } else { "-" }, "{line}");
        // Whoever has left is told nothing.
        assert_eq!(has("detail"), flags != "-" && flags != "DC", "{line}");
    }
    let metrics = scene.admin().metrics().await;
    assert_eq!(metrics.count("istio_requests_total", &[]), 15);
    for (method, status, flags) in expected.keys() {
        let labels = [("method", &**method), ("response_code", status), ("response_flags", flags)];
        assert_eq!(metrics.count("istio_requests_total", &labels), 1, "{labels:?}");
    }
    scene.end().await;
}
