//! Providers that fail, and calls that are sent again.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::calls::{after, calling, provider, started, status};
use e2e::eventually::{SOON, eventually_eq};
use e2e::objects::{Route, Router, Rule, Service};
use e2e::scene::{Scene, Setup};
use peers::dubbo::{Behaviour, Client, OnAccept, Provider, Refusing, Thrown};
use serde_json::Value;

const MS: Duration = Duration::from_millis(1);
/// `Response.SERVICE_ERROR`: the framework failed, not the application.
const SERVICE_ERROR: u8 = 70;

fn at(addresses: impl IntoIterator<Item = SocketAddr>) -> Service {
    addresses.into_iter().fold(Service::orders(), |service, address| service.endpoint("any", address))
}

async fn routed(service: Service, route: Route) -> Scene {
    Setup::new().put("service", service).put("router", Router::routes([route])).start().await
}

async fn failing() -> Provider {
    started(Provider::builder("p").otherwise(Behaviour::Status(SERVICE_ERROR, "it failed".into()))).await
}

/// How many of 40 calls succeed.
async fn succeeding(client: &Client) -> usize {
    let mut good = 0;
    for _call in 0..40 {
        good += usize::from(client.call(&calling("who"), SOON).await.is_ok());
    }
    good
}

#[tokio::test]
async fn half_of_the_endpoints_refuse_and_calls_succeed() {
    let good = [provider("p").await, provider("p").await];
    let bad = [Refusing::new().unwrap(), Refusing::new().unwrap()];
    let addresses = good.iter().map(Provider::address).chain(bad.iter().map(Refusing::address));
    let scene = routed(at(addresses), Route::to("").retries("attempts: 2, idempotent: true")).await;
    assert_eq!(succeeding(&scene.client().await).await, 40);
    scene.end().await;
}

#[tokio::test]
async fn half_of_the_endpoints_are_bad_and_calls_that_are_idempotent_succeed() {
    let who = |behaviour| Provider::builder("bad").on("who", behaviour);
    let bad_ways = [
        ("closes", who(Behaviour::Close)),
        ("error", who(Behaviour::Status(SERVICE_ERROR, "it failed".into()))),
        ("slow", who(after(400 * MS, Behaviour::Who))),
        ("never", who(Behaviour::Silent)),
    ];
    for (way, builder) in bad_ways {
        let good = [provider("p").await, provider("p").await];
        let bad = [started(builder.clone()).await, started(builder).await];
        let service = at(good.iter().chain(&bad).map(Provider::address));
        // What is slow or never answers is left after its try's time; without one, the call ends at its own.
        let route = Route::to("").timeout("300ms");
        let retries = "attempts: 2, perTryTimeout: 90ms, idempotent: true";
        let scene = routed(service.clone(), route.clone().retries(retries)).await;
        let good = succeeding(&scene.client().await).await;
        assert!(good >= 38, "{way}: {good} of 40 calls");
        let again = scene.admin().metrics().await.count("meta_proxy_retries_total", &[]);
        assert!(again >= 5, "{way}: {again}");
        scene.end().await;
        let scene = routed(service, route).await;
        let good = succeeding(&scene.client().await).await;
        assert!(good < 38, "{way}: {good} of 40 calls without retries, so that this shows nothing");
        scene.end().await;
    }
}

#[tokio::test]
async fn half_of_the_endpoints_reset_what_they_accept_and_calls_that_are_idempotent_succeed() {
    let good = [provider("p").await, provider("p").await];
    let resets = || started(Provider::builder("bad").accepting(OnAccept::Reset));
    let bad = [resets().await, resets().await];
    let service = at(good.iter().chain(&bad).map(Provider::address));
    let scene = routed(service, Route::to("").retries("attempts: 2, idempotent: true")).await;
    let succeeded = succeeding(&scene.client().await).await;
    assert!(succeeded >= 38, "{succeeded} of 40 calls");
    // They are passed over before long, so that few calls would fail without retries; but they were met.
    let metrics = scene.admin().metrics().await;
    let met = |one: &Provider| {
        let endpoint = one.address().to_string();
        let of = |name| metrics.count(name, &[("endpoint", &*endpoint)]);
        of("meta_proxy_upstream_connections_total") + of("meta_proxy_upstream_connect_failures_total")
    };
    assert!(bad.iter().any(|one| met(one) > 0), "{:?}", bad.each_ref().map(met));
    scene.end().await;
}

#[tokio::test]
async fn a_call_is_tried_as_often_as_its_route_says_and_told_the_last_outcome() {
    for attempts in [1, 2] {
        let providers = [failing().await, failing().await, failing().await, failing().await];
        let retries = format!("attempts: {attempts}, idempotent: true");
        let route = Route::to("").named("retried").retries(&retries);
        let scene = routed(at(providers.iter().map(Provider::address)), route).await;
        let answer = scene.client().await.call(&calling("order"), SOON).await;
        assert_eq!(status(&answer), (SERVICE_ERROR, "it failed"));
        let sent: u64 = providers.iter().map(|one| one.counts().requests).sum();
        assert_eq!(sent, attempts + 1);
        eventually_eq("a line", 1, async || scene.exchanges().len()).await;
        let line = &scene.exchanges()[0];
        let fields = ["route", "status", "flags", "tries"].map(|field| line[field].clone());
        let expected =
            [Value::from("retried"), Value::from("server_error"), Value::from("URX"), Value::from(sent)];
        assert_eq!(fields, expected);
        let metrics = scene.admin().metrics().await;
        assert_eq!(metrics.count("meta_proxy_retries_total", &[]), attempts);
        let labels = [("response_code", "server_error"), ("response_flags", "URX")];
        assert_eq!(metrics.count("istio_requests_total", &labels), 1);
        scene.end().await;
    }
}

#[tokio::test]
async fn only_calls_that_are_declared_idempotent_are_sent_again() {
    let retries = "attempts: 1, idempotent: [{attributes: {method: {prefix: get}}}, {attributes: {safe: {exact: 'yes'}}}]";
    let providers = [failing().await, failing().await];
    let route = Route::to("").retries(retries);
    let scene = routed(at(providers.iter().map(Provider::address)), route).await;
    let client = scene.client().await;
    let mut expected = 0;
    let calls = [
        (calling("getOrder"), 2),
        (calling("order"), 1),
        (calling("order").attachment("safe", "yes"), 2),
        (calling("order").attachment("safe", "no"), 1),
    ];
    for (call, sends) in calls {
        assert_eq!(status(&client.call(&call, SOON).await).0, SERVICE_ERROR);
        expected += sends;
        let sent: u64 = providers.iter().map(|one| one.counts().requests).sum();
        assert_eq!(sent, expected, "{call:?}");
    }
    scene.end().await;
}

#[tokio::test]
async fn an_exception_of_the_application_is_an_answer() {
    let throwing = || Provider::builder("p").otherwise(Behaviour::Throw(Thrown::rpc(3, "a biz error")));
    let providers = [started(throwing()).await, started(throwing()).await];
    let route = Route::to("").retries("attempts: 3, idempotent: true");
    let scene = routed(at(providers.iter().map(Provider::address)), route).await;
    let client = scene.client().await;
    for _call in 0..5 {
        client.call(&calling("order"), SOON).await;
    }
    let sent: u64 = providers.iter().map(|one| one.counts().requests).sum();
    assert_eq!(sent, 5);
    scene.end().await;
}

#[tokio::test]
async fn where_every_endpoint_fails_it_gets_a_quarter_more_calls_at_most() {
    let closing = || Provider::builder("p").on("get", after(300 * MS, Behaviour::Close));
    let providers = [started(closing()).await, started(closing()).await, started(closing()).await];
    let route = Route::to("").retries("attempts: 3, idempotent: true");
    let scene = routed(at(providers.iter().map(Provider::address)), route).await;
    let mut clients = Vec::new();
    for _client in 0..10 {
        clients.push(scene.client().await);
    }
    let pending: Vec<_> =
        clients.iter().flat_map(|client| (0..10).map(|_| client.send(&calling("get")))).collect();
    for pending in pending {
        assert_eq!(status(&pending.answer(SOON).await).0, 50);
    }
    let sent: u64 = providers.iter().map(|one| one.counts().requests).sum();
    assert!(sent > 100 && sent <= 125, "{sent} of 100 calls");
    let metrics = scene.admin().metrics().await;
    assert!(metrics.count("meta_proxy_retries_over_budget_total", &[]) > 0);
    assert!(metrics.count("istio_requests_total", &[("response_flags", "UC,URX")]) > 0);
    scene.end().await;
}

#[tokio::test]
async fn a_rule_bounds_how_many_are_tried_again_at_once() {
    let failing = || {
        let error = Behaviour::Status(SERVICE_ERROR, "it failed".into());
        Provider::builder("p").on("get", after(300 * MS, error))
    };
    let providers = [started(failing()).await, started(failing()).await];
    let service = at(providers.iter().map(Provider::address));
    let rule = Rule::subsets(&[]).policy("connectionPool: {http: {maxRetries: 1}}");
    let route = Route::to("").retries("attempts: 1, idempotent: true");
    let setup = Setup::new().put("service", service).put("rule", rule);
    let scene = setup.put("router", Router::routes([route])).start().await;
    // Of two workers: the limit is one of the process.
    let clients = [scene.client().await, scene.client().await];
    let pending: Vec<_> =
        clients.iter().flat_map(|client| [0, 1].map(|_| client.send(&calling("get")))).collect();
    for pending in pending {
        assert_eq!(status(&pending.answer(SOON).await).0, SERVICE_ERROR);
    }
    let sent: u64 = providers.iter().map(|one| one.counts().requests).sum();
    assert_eq!(sent, 5, "four calls, one of them twice");
    scene.end().await;
}

#[tokio::test]
async fn no_try_goes_beyond_the_time_that_a_call_gives_itself() {
    let silent = || Provider::builder("p").otherwise(Behaviour::Silent);
    let providers = [started(silent()).await, started(silent()).await];
    let route = Route::to("").timeout("10s").retries("attempts: 10, perTryTimeout: 200ms, idempotent: true");
    let router = Router::routes([route]).options("downstream: {deadline: attachment}");
    let setup = Setup::new().put("service", at(providers.iter().map(Provider::address)));
    let scene = setup.put("router", router).start().await;
    let client = scene.client().await;
    let answer = client.call(&calling("get").attachment("timeout", "500"), SOON).await;
    assert_eq!(status(&answer).0, 31);
    assert!(answer.after >= 500 * MS && answer.after < 900 * MS, "{:?}", answer.after);
    let sent: u64 = providers.iter().map(|one| one.counts().requests).sum();
    assert!((2..=3).contains(&sent), "{sent}");
    scene.end().await;
}
