//! What a call that the proxy does not serve is to each consumer, and how often it then tries.

use e2e::calls::calling;
use e2e::dubbo::{Consumed, DubboProvider, Library, consumer};
use e2e::eventually::SOON;
use e2e::objects::{Route, Router, Rule, Service, exact};
use e2e::scene::{Scene, Setup};
use serde_json::Value;

/// One call of this method passes, and none after it.
const ONE_ECHO: &str = "conditions: [{match: {attributes: {method: {exact: echoText}}}, \
    tokenBucket: {maxTokens: 1, fillInterval: 720h}}]";

/// Requests of this method that were not served.
async fn failed(scene: &Scene, method: &str) -> u64 {
    let labels = [("response_code", "failed"), ("method", method)];
    scene.admin().metrics().await.count("istio_requests_total", &labels)
}

/// Runs a consumer that tries three times, as it does by default, and counts the tries.
async fn tries(scene: &Scene, library: Library, method: &str, options: &[&str]) -> (Consumed, u64) {
    let before = failed(scene, method).await;
    let method_option = format!("method={method}");
    let mut words = vec!["--scenario", "call-error", "--option", "retries=2", "--option", &method_option];
    words.extend(options.iter().flat_map(|option| ["--option", option]));
    let consumed = consumer(library, scene.address(), &words).await;
    consumed.ok();
    (consumed, failed(scene, method).await - before)
}

/// Whether an error, or one of its causes, has this code and says this.
fn shows(error: &Value, code: Option<i64>, text: &str) -> bool {
    let causes = error["causes"].as_array().into_iter().flatten();
    let mut all = std::iter::once(error).chain(causes);
    let says = |one: &Value| one["message"].as_str().is_some_and(|message| message.contains(text));
    all.clone().any(|one| one["code"].as_i64() == code) && all.any(says)
}

#[tokio::test]
async fn each_consumer_reads_why_a_call_was_not_served_and_only_some_reasons_make_it_try_again() {
    let provider = DubboProvider::start(Library::Dubbo3, "user-1", &[]).await;
    let service =
        Service::orders().endpoint("user", provider.address()).endpoint("narrow", provider.address());
    let narrow = "  - {name: narrow, labels: {subset: narrow}, trafficPolicy: {connectionPool: {http: {http2MaxRequests: 1}}}}";
    let rule = format!("{}{narrow}\n", Rule::subsets(&["user"]));
    let router = Router::routes([
        Route::to("narrow").when("method", exact("sleep")).when("lane", exact("narrow")),
        Route::to("user").when("method", exact("sleep")).timeout("300ms"),
        Route::to("user").when("method", exact("echoText")),
    ])
    .limit(ONE_ECHO);
    let setup = Setup::new().put("service", service).put("rule", rule).put("router", router);
    let scene = setup.start().await;
    // The only one that passes.
    scene.client().await.call(&calling("echoText"), SOON).await;
    for library in Library::ALL {
        // dubbo-go knows only texts, and tries again whatever it was told.
        let code = |code| (library != Library::Go).then_some(code);
        let (consumed, count) = tries(&scene, library, "unknown", &[]).await;
        let told = &consumed.told("call-error")[0];
        assert!(shows(told, code(1), "no route matches"), "{library:?}: {told:#}");
        assert_eq!(count, 3, "{library:?}");

        let (consumed, count) = tries(&scene, library, "sleep", &["argument=5000"]).await;
        let told = &consumed.told("call-error")[0];
        eprintln!("{told:#}");
        eprintln!("{:#?}", scene.exchanges());
        assert!(shows(told, code(2), "no response in time"), "{library:?}: {told:#}");
        assert_eq!(count, 3, "{library:?}");

        let options = ["argument=900", "attachment=lane=narrow", "parallel=4"];
        let (consumed, count) = tries(&scene, library, "sleep", &options).await;
        let endings = consumed.told("call-error");
        let overload = "the cluster's limit on outstanding requests is reached";
        let served = endings.iter().filter(|ending| ending["reply"] == "user-1").count();
        let refused = endings.iter().filter(|ending| shows(ending, code(7), overload)).count();
        assert_eq!((served, refused), (1, 3), "{library:?}: {endings:#?}");
        assert_eq!(count, if library == Library::Go { 9 } else { 3 }, "{library:?}");

        let (consumed, count) = tries(&scene, library, "echoText", &["argument=x"]).await;
        let told = &consumed.told("call-error")[0];
        assert!(shows(told, code(7), "rate limit"), "{library:?}: {told:#}");
        assert_eq!(count, if library == Library::Go { 3 } else { 1 }, "{library:?}");
    }
    scene.end().await;
}
