//! Rate limits as a Dubbo consumer and an operator see them.

use e2e::calls::{calling, label, provider, until_answered_by, who};
use e2e::eventually::{SOON, eventually_eq};
use e2e::objects::{HOST, Route, Router, Rule, Service};
use e2e::scene::{Scene, Setup};
use peers::dubbo::{Client, Outcome, Provider, Thrown, frame};

/// So long that no fill comes while a scenario runs.
const NEVER: &str = "fillInterval: 720h";

async fn limited(limit: &str, labels: &[&str]) -> (Scene, Vec<Provider>) {
    let mut providers = Vec::new();
    let mut service = Service::orders();
    for label in labels {
        let provider = provider(label).await;
        service = service.endpoint(label, provider.address());
        providers.push(provider);
    }
    let router = Router::routes([Route::to(labels[0])]).limit(limit);
    let setup = Setup::new().put("service", service).put("rule", Rule::subsets(labels)).put("router", router);
    (setup.start().await, providers)
}

/// Calls so often; how many were answered by a provider. The others were refused as limited.
async fn passed(clients: &[&Client], method: &str, count: usize) -> usize {
    let mut passed = 0;
    for client in clients.iter().cycle().take(count) {
        let answer = client.call(&calling(method), SOON).await;
        let refused = Outcome::Exception(Thrown::rpc(7, "the rate limit of this service is reached"));
        if answer.outcome != refused {
            label(&answer);
            passed += 1;
        }
    }
    passed
}

#[tokio::test]
async fn each_bucket_gives_what_it_holds_to_all_consumers_together() {
    let limit = format!(
        "tokenBucket: {{maxTokens: 5, {NEVER}}}, conditions: [\
         {{match: {{attributes: {{method: {{exact: pay}}}}}}, tokenBucket: {{maxTokens: 2, {NEVER}}}}}, \
         {{match: {{attributes: {{batchJob: {{exact: 'true'}}}}}}, tokenBucket: {{maxTokens: 1, {NEVER}}}}}]"
    );
    let (scene, providers) = limited(&limit, &["p"]).await;
    // Of two workers: the limit is one of the process.
    let clients = [scene.client().await, scene.client().await];
    let both = [&clients[0], &clients[1]];
    assert_eq!(passed(&both, "pay", 6).await, 2);
    let job = calling("get").attachment("batchJob", "true");
    assert_eq!(who(&clients[0], &job).await, "p");
    let refused = clients[1].call(&job, SOON).await;
    assert!(matches!(refused.outcome, Outcome::Exception(_)), "{refused:?}");
    // Nobody sees what it asks for, so that only the bucket for all others is left.
    let opaque = calling("pay").serialization(frame::PROTOBUF).opaque(&b"\x92 any bytes"[..]);
    assert!(matches!(clients[0].call(&opaque, SOON).await.outcome, Outcome::Opaque(_)));
    assert_eq!(passed(&both, "get", 9).await, 4);
    assert_eq!(providers[0].counts().requests, 8);
    let limited = [("destination_service", HOST), ("response_flags", "RL"), ("route", "-")];
    let metrics = scene.admin().metrics().await;
    assert_eq!(metrics.count("istio_requests_total", &limited), 10);
    eventually_eq("all are logged", 10, async || {
        scene.exchanges().iter().filter(|line| line["flags"] == "RL").count()
    })
    .await;
    let page = &scene.admin().json("/routes").await[0];
    assert_eq!((&page["limited"], &page["unmatched"]), (&10.into(), &0.into()), "{page}");
    let left = |bucket: &serde_json::Value| bucket["tokens"].as_u64();
    let conditions = page["rate_limit"]["conditions"].as_array().unwrap();
    let all: Vec<_> = conditions.iter().map(|condition| left(&condition["bucket"])).collect();
    assert_eq!((all, left(&page["rate_limit"]["bucket"])), (vec![Some(0), Some(0)], Some(0)));
    scene.end().await;
}

#[tokio::test]
async fn what_is_refused_passes_once_the_bucket_is_filled() {
    let (scene, _providers) = limited("tokenBucket: {maxTokens: 1, fillInterval: 300ms}", &["p"]).await;
    let client = scene.client().await;
    assert_eq!(passed(&[&client], "get", 3).await, 1);
    until_answered_by("p", &client, &calling("get")).await;
    scene.end().await;
}

#[tokio::test]
async fn a_change_of_routes_fills_no_bucket_and_a_change_of_the_limit_does() {
    let limit = |tokens: u32| {
        let bucket = format!("tokenBucket: {{maxTokens: {tokens}, {NEVER}}}");
        format!("conditions: [{{match: {{attributes: {{method: {{exact: pay}}}}}}, {bucket}}}]")
    };
    let (scene, _providers) = limited(&limit(3), &["v1", "v2"]).await;
    let client = scene.client().await;
    assert_eq!(passed(&[&client], "pay", 2).await, 2);
    scene.folder().put("router", Router::routes([Route::to("v2")]).limit(&limit(3)));
    until_answered_by("v2", &client, &calling("get")).await;
    assert_eq!(passed(&[&client], "pay", 3).await, 1);
    scene.folder().put("router", Router::routes([Route::to("v1")]).limit(&limit(4)));
    until_answered_by("v1", &client, &calling("get")).await;
    assert_eq!(passed(&[&client], "pay", 6).await, 4);
    scene.folder().put("router", Router::routes([Route::to("v2")]));
    until_answered_by("v2", &client, &calling("get")).await;
    assert_eq!(passed(&[&client], "pay", 6).await, 6);
    scene.end().await;
}
