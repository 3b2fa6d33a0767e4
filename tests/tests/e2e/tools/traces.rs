//! The access log's `trace_id` and `detail`, of Dubbo and Thrift calls.

use e2e::calls::{calling, provider, who};
use e2e::eventually::{SOON, eventually_eq};
use e2e::objects::{Route, Router, Service, exact};
use e2e::scene::{Scene, Setup};
use serde_json::Value;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

async fn lines(scene: &Scene, count: usize) -> Vec<Value> {
    eventually_eq("a line each", count, async || scene.exchanges().len()).await;
    scene.exchanges()
}

#[tokio::test]
async fn a_call_is_found_by_its_trace_and_a_failure_tells_why() {
    let provider = provider("p").await;
    let router = Router::routes([Route::to("").named("who").when("method", exact("who"))]);
    let scene = Setup::new()
        .put("service", Service::orders().endpoint("any", provider.address()))
        .put("router", router)
        .start()
        .await;
    let client = scene.client().await;
    let traced = calling("who").argument("an argument").attachment("zone", "eu");
    for (name, value) in [
        ("TraceParent", format!("00-{TRACE}-{SPAN}-01")),
        ("b3", format!("{TRACE}-{SPAN}-1")),
        ("X-B3-TraceId", TRACE.to_owned()),
        ("traceparent", format!("00-{TRACE}-{SPAN}")),
    ] {
        assert_eq!(who(&client, &traced.clone().attachment(name, &*value)).await, "p");
    }
    let unrouted = calling("other").attachment("traceparent", &*format!("00-{TRACE}-{SPAN}-00"));
    assert!(!client.call(&unrouted, SOON).await.is_ok());
    let lines = lines(&scene, 5).await;
    let logged: Vec<_> = lines.iter().map(|line| line["trace_id"].as_str()).collect();
    assert_eq!(logged, [Some(TRACE), Some(TRACE), Some(TRACE), None, Some(TRACE)]);
    let detail = lines[4]["detail"].as_str().unwrap();
    assert!(
        detail.ends_with("nearest is routes[0] \"who\": method is \"other\", needs exact \"who\")"),
        "{detail}"
    );
    assert!(lines[..4].iter().all(|line| line.get("detail").is_none()), "{lines:#?}");
    scene.end().await;
}
