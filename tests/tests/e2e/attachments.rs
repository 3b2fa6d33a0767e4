//! Attachments of Dubbo that routes set, and that say how long a call may take.

use std::time::Duration;

use e2e::calls::{after, calling, provider, started};
use e2e::eventually::SOON;
use e2e::objects::{Route, Router, Service};
use e2e::scene::Setup;
use peers::dubbo::{Behaviour, Provider, Value};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_route_sets_attachments_of_calls_and_of_answers() {
    let provider = provider("p").await;
    let route = Route::to("").set("lane", "fast").set("colour", "red").set_response("served-by", "proxy");
    let service = Service::orders().endpoint("any", provider.address());
    let scene = Setup::new().put("service", service).put("router", Router::routes([route])).start().await;
    let client = scene.client().await;
    let call = calling("who").attachment("colour", "blue").attachment("kept", "as it is");
    let answer = client.call(&call, SOON).await;
    let text = |text: &str| Some(Value::from(text));
    let seen = provider.seen().pop().unwrap();
    assert_eq!(seen.attachment("lane").cloned(), text("fast"), "{seen:?}");
    assert_eq!(seen.attachment("colour").cloned(), text("red"), "{seen:?}");
    assert_eq!(seen.attachment("kept").cloned(), text("as it is"), "{seen:?}");
    assert_eq!(answer.attachment("served-by").cloned(), text("proxy"), "{answer:?}");
    scene.end().await;
}

#[tokio::test]
async fn a_call_that_says_how_long_it_may_take_ends_then_where_its_listener_looks_for_that() {
    let slow = started(Provider::builder("p").on("slow", after(1000 * MS, Behaviour::Who))).await;
    for (options, status) in [("downstream: {deadline: attachment}", 31), ("downstream: {}", 20)] {
        let service = Service::orders().endpoint("any", slow.address());
        let router = Router::routes([Route::to("")]).options(options);
        let scene = Setup::new().put("service", service).put("router", router).start().await;
        let client = scene.client().await;
        let answer = client.call(&calling("slow").attachment("timeout", "200"), SOON).await;
        assert_eq!(answer.header.map(|header| header.status), Some(status), "{options}: {answer:?}");
        assert!((status == 31) == (answer.after < 900 * MS), "{options}: {answer:?}");
        scene.end().await;
    }
}
