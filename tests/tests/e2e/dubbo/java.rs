//! Apache Dubbo 3 on both sides of `metactl`: what its consumers see is what its users will see.

use e2e::dubbo::{Consumed, DubboProvider, Library, consumer};
use e2e::objects::{Route, Router, Rule, Service, exact};
use e2e::scene::{Scene, Setup};
use serde_json::Value;

/// A consumer's words for one scenario with these options.
fn scenario<'a>(name: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    ["--scenario", name].into_iter().chain(options.iter().flat_map(|option| ["--option", option])).collect()
}

async fn start(label: &str) -> DubboProvider {
    DubboProvider::start(Library::Dubbo3, label, &[]).await
}

async fn behind(providers: &[(&str, &DubboProvider)], router: Router) -> Scene {
    let service = providers
        .iter()
        .fold(Service::orders(), |service, (subset, provider)| service.endpoint(subset, provider.address()));
    let subsets: Vec<_> = providers.iter().map(|(subset, _)| *subset).collect();
    let setup = Setup::new().put("service", service).put("rule", Rule::subsets(&subsets));
    setup.put("router", router).start().await
}

async fn consume(scene: &Scene, words: impl IntoIterator<Item = Vec<&str>>) -> Consumed {
    consumer(Library::Dubbo3, scene.address(), &words.into_iter().flatten().collect::<Vec<_>>()).await
}

/// The code of an `RpcException` and the text anywhere among an error and its causes.
fn shows(error: &Value, code: i64, text: &str) -> bool {
    let causes = error["causes"].as_array().into_iter().flatten();
    let mut all = std::iter::once(error).chain(causes);
    let says = |one: &Value| one["message"].as_str().is_some_and(|message| message.contains(text));
    all.clone().any(|one| one["code"] == code) && all.any(says)
}

#[tokio::test]
async fn every_kind_of_call_arrives_and_returns_as_it_was() {
    let provider = start("user-1").await;
    let scene = behind(&[("user", &provider)], Router::routes([Route::to("user")])).await;
    let consumed = consume(&scene, []).await;
    for name in ["pojo", "list", "map", "business-exception", "null", "void", "oneway", "async", "generic"] {
        assert!(consumed.ok().contains(&name), "{name}: {consumed:?}");
    }
    for name in ["generic-async", "attachments", "payload-4m", "group-version", "concurrent"] {
        assert!(consumed.ok().contains(&name), "{name}: {consumed:?}");
    }
    let failed = scene.admin().metrics().await.count("istio_requests_total", &[("response_code", "failed")]);
    assert_eq!(failed, 0);
    scene.end().await;
}

#[tokio::test]
async fn calls_are_routed_by_method_and_by_attachment() {
    let (user, batch) = (start("user-1"), start("batch-1"));
    let (user, batch) = (user.await, batch.await);
    let router = Router::routes([
        Route::to("batch").when("batchJob", exact("true")),
        Route::to("batch").when("method", exact("sleep")),
        Route::to("batch").when("generic", exact("true")).when("method", exact("whoAmI")),
        Route::to("user"),
    ]);
    let scene = behind(&[("user", &user), ("batch", &batch)], router).await;
    let words = [
        scenario("who", &["expect=user-1"]),
        scenario("who", &["expect=batch-1", "attachment=batchJob=true"]),
        scenario("who", &["expect=user-1", "attachment=batchJob=false"]),
        scenario("call-error", &["method=sleep", "argument=1"]),
        scenario("call-error", &["method=whoAmI", "generic=true"]),
        scenario("call-error", &["method=whoAmI"]),
    ];
    let consumed = consume(&scene, words).await;
    assert_eq!(consumed.ok().len(), 6);
    let replies: Vec<_> = consumed.told("call-error").iter().map(|told| told["reply"].to_string()).collect();
    assert_eq!(replies, [r#""batch-1""#, r#""batch-1""#, r#""user-1""#]);
    scene.end().await;
}

#[tokio::test]
async fn a_consumer_can_tell_why_the_proxy_did_not_serve_it() {
    let provider = start("user-1").await;
    let service =
        Service::orders().endpoint("user", provider.address()).endpoint("narrow", provider.address());
    let narrow = "  - {name: narrow, labels: {subset: narrow}, trafficPolicy: {connectionPool: {http: {http2MaxRequests: 1}}}}";
    let rule = format!("{}{narrow}\n", Rule::subsets(&["user", "empty"]));
    let router = Router::routes([
        Route::to("narrow").when("method", exact("sleep")).when("lane", exact("narrow")),
        Route::to("user").when("method", exact("sleep")).timeout("300ms"),
        Route::to("empty").when("method", exact("echoText")),
        Route::to("user").when("method", exact("whoAmI")),
    ]);
    let setup = Setup::new().put("service", service).put("rule", rule).put("router", router);
    let scene = setup.announce("subset empty selects no endpoint").start().await;
    let words = [
        scenario("call-error", &["method=sleep", "argument=5000"]),
        scenario("call-error", &["method=unknown"]),
        scenario("call-error", &["method=echoText", "argument=x"]),
        scenario("call-error", &["method=sleep", "argument=700", "attachment=lane=narrow", "parallel=4"]),
        scenario("who", &["expect=user-1"]),
    ];
    let consumed = consume(&scene, words).await;
    assert_eq!(consumed.ok().len(), 5);
    let told = consumed.told("call-error");
    let text = format!("no response in time: {} did not respond within 300ms", provider.address());
    assert!(shows(&told[0], 2, &text), "{:#}", told[0]);
    assert!(told[0]["millis"].as_u64().is_some_and(|millis| (300..3000).contains(&millis)), "{:#}", told[0]);
    assert!(shows(&told[1], 1, "no route matches") && shows(&told[1], 1, "method=unknown"), "{:#}", told[1]);
    assert!(shows(&told[1], 1, "method is \"unknown\", needs exact \"sleep\""), "{:#}", told[1]);
    assert!(shows(&told[2], 1, "the cluster has no endpoint"), "{:#}", told[2]);
    assert!(shows(&told[2], 1, "subset empty selects none"), "{:#}", told[2]);
    let is_served = |ending: &&Value| ending["reply"] == "user-1";
    let overload = "the cluster's limit on outstanding requests is reached: 1 for outbound|20880|narrow|";
    let is_refused = |ending: &&Value| shows(ending, 7, overload);
    let endings = &told[3..];
    let counts = (endings.iter().filter(is_served).count(), endings.iter().filter(is_refused).count());
    assert_eq!(counts, (1, 3), "{endings:#?}");
    scene.end().await;
}

/// The routes by which calls of real consumers were logged, and the traces.
async fn logged(scene: &Scene, count: usize) -> Vec<(String, String)> {
    e2e::eventually::eventually_eq("a line each", count, async || scene.exchanges().len()).await;
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    scene.exchanges().iter().map(|line| (text(line, "route"), text(line, "trace_id"))).collect()
}

#[tokio::test]
async fn callers_are_told_apart_by_what_dubbo_itself_attaches() {
    let (user, batch) = (start("user-1"), start("batch-1"));
    let (user, batch) = (user.await, batch.await);
    let router = Router::routes([
        Route::to("batch")
            .named("by-application")
            .when("remote.application", exact("interop-consumer"))
            .when("method", exact("whoAmI")),
        Route::to("user").named("by-group").when("group", exact("interop")).when("version", exact("1.2.0")),
        Route::to("user")
            .named("by-number-and-flag")
            .when("x-number", exact("7"))
            .when("x-flag", exact("true")),
        Route::to("user").named("rest"),
    ]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for serialization in ["hessian2", "fastjson2"] {
        let scene = behind(&[("user", &user), ("batch", &batch)], router.clone()).await;
        let attached = format!("attachment=traceparent=00-{trace}-00f067aa0ba902b7-01");
        let words = [
            vec!["--serialization", serialization],
            scenario("who", &["expect=batch-1", "calls=1", &attached]),
            scenario("group-version", &[]),
            scenario("attachments", &[]),
        ];
        assert_eq!(consume(&scene, words).await.ok(), ["who", "group-version", "attachments"]);
        let lines = logged(&scene, 4).await;
        let expected =
            [("by-application", trace), ("by-group", ""), ("by-number-and-flag", ""), ("rest", "")];
        assert_eq!(
            lines,
            expected.map(|(route, trace)| (route.to_owned(), trace.to_owned())),
            "{serialization}"
        );
        scene.end().await;
    }
}

#[tokio::test]
async fn fastjson2_is_read_like_hessian2() {
    let (user, batch) = (start("user-1"), start("batch-1"));
    let (user, batch) = (user.await, batch.await);
    let conditional = || Route::to("batch").when("method", exact("whoAmI"));
    let router = Router::routes([
        Route::to("batch").when("batchJob", exact("true")),
        conditional(),
        Route::to("user"),
    ]);
    let scene = behind(&[("user", &user), ("batch", &batch)], router).await;
    let mut words = vec![vec!["--serialization", "fastjson2"], scenario("who", &["expect=batch-1"])];
    words.extend(
        ["pojo", "list", "map", "attachments", "payload-4m", "concurrent"].map(|name| scenario(name, &[])),
    );
    assert_eq!(consume(&scene, words).await.ok().len(), 7);

    scene.folder().put("router", Router::routes([conditional()]));
    let client = scene.client().await;
    e2e::eventually::eventually("the change is in force", async || {
        let answer = client.call(&e2e::calls::calling("other"), e2e::eventually::SOON).await;
        let is_unrouted = matches!(answer.outcome, peers::dubbo::Outcome::Status(60, _));
        if is_unrouted { Ok(()) } else { Err(answer) }
    })
    .await;
    let words =
        [vec!["--serialization", "fastjson2"], scenario("call-error", &["method=sleep", "argument=1"])];
    let told = consume(&scene, words).await.told("call-error");
    assert!(shows(&told[0], 1, "no route matches") && shows(&told[0], 1, "method=sleep"), "{told:#?}");
    scene.end().await;
}

#[tokio::test]
async fn a_provider_calls_the_objects_back_that_a_consumer_hands_it() {
    let provider = start("user-1").await;
    let router = Router::routes([Route::to("user")]).options("downstream: {callbacks: pin}");
    let scene = behind(&[("user", &provider)], router).await;
    for serialization in ["hessian2", "fastjson2"] {
        let words =
            [vec!["--serialization", serialization], scenario("callback", &[]), scenario("pojo", &[])];
        assert_eq!(consume(&scene, words).await.ok(), ["callback", "pojo"]);
    }
    scene.end().await;
}

#[tokio::test]
async fn callbacks_that_are_not_wanted_are_refused_and_nothing_else_is() {
    let provider = start("user-1").await;
    let router = Router::routes([Route::to("user")]).options("downstream: {callbacks: refuse}");
    let scene = behind(&[("user", &provider)], router).await;
    let consumed = consume(&scene, [scenario("callback", &[]), scenario("pojo", &[])]).await;
    let why = consumed.failed("callback").expect("it is refused");
    assert!(why.contains("WatchService.watch takes a callback argument"), "{why}");
    assert_eq!(consumed.failed("pojo"), None);
    scene.end().await;
}

#[tokio::test]
async fn a_provider_that_goes_out_of_service_in_order_costs_no_call() {
    let (going, staying) = (start("user-1"), start("user-2"));
    let (going, staying) = (going.await, staying.await);
    let scene = behind(&[("user", &going), ("other", &staying)], Router::routes([Route::to("")])).await;
    let address = scene.address();
    let words = scenario("who", &["calls=3000"]);
    let consumed = consumer(Library::Dubbo3, address, &words);
    let stop = async {
        let ok =
            async || scene.admin().metrics().await.count("istio_requests_total", &[("response_code", "ok")]);
        e2e::eventually::eventually("calls are made", async || {
            let calls = ok().await;
            if calls >= 500 { Ok(()) } else { Err(calls) }
        })
        .await;
        going.terminate();
    };
    let (consumed, ()) = tokio::join!(consumed, stop);
    assert_eq!(consumed.ok(), ["who"]);
    let counts = &consumed.told("who")[0];
    assert!(counts["user-1"].as_u64() > Some(100) && counts["user-2"].as_u64() > Some(1500), "{counts}");
    scene.end().await;
}
