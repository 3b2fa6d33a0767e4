//! Providers that answer badly or not at all, and who gets calls then.

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::calls::{calling, provider, started, status, until_answered_by, who};
use e2e::eventually::{SOON, eventually, eventually_eq};
use e2e::objects::{HOST, Route, Router, Rule, Service, exact};
use e2e::redis::{Servers, ask, connect, error, sharded};
use e2e::scene::{Scene, Setup};
use peers::dubbo::{Behaviour, OnAccept, Provider, Refusing, Thrown};
use peers::redis::Reply;
use serde_json::Value;

/// What the log says of each ejection.
const EJECTED: &str = "endpoint ejected";
/// What it says when pings fail.
const UNHEALTHY: &str = "endpoint unhealthy";

async fn answering(label: &str, behaviour: Behaviour) -> Provider {
    started(Provider::builder(label).otherwise(behaviour.clone()).on("who", behaviour)).await
}

fn framework_error() -> Behaviour {
    Behaviour::Status(80, "the server is unwell".to_owned())
}

/// How each endpoint stands, by its address.
async fn standings(scene: &Scene) -> BTreeMap<String, Value> {
    let clusters = scene.admin().json("/clusters").await;
    let endpoints = clusters.as_array().unwrap().iter().flat_map(|one| one["endpoints"].as_array().unwrap());
    endpoints.map(|one| (one["address"].as_str().unwrap().to_owned(), one["health"].clone())).collect()
}

#[tokio::test]
async fn half_of_the_providers_answer_framework_errors_and_soon_nobody_notices() {
    let good = [provider("good").await, provider("good").await];
    let bad = [answering("bad", framework_error()).await, answering("bad", framework_error()).await];
    let all = [&good[0], &bad[0], &good[1], &bad[1]];
    let service = all.iter().fold(Service::orders(), |service, one| service.endpoint("any", one.address()));
    let rule = Rule::subsets(&[]).policy(
        "loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: {consecutive5xxErrors: 3, baseEjectionTime: 1h, maxEjectionPercent: 50}",
    );
    let scene = Setup::new().put("service", service).put("rule", rule).announce(EJECTED).start().await;
    // Of two workers, which count together.
    let clients = [scene.client().await, scene.client().await];
    let mut errors = 0;
    for call in 0..40 {
        let answer = clients[call % 2].call(&calling("who"), SOON).await;
        errors += usize::from(!answer.is_ok());
    }
    assert_eq!(errors, 6, "three of each");
    for call in 0..100 {
        assert_eq!(who(&clients[call % 2], &calling("who")).await, "good");
    }
    assert_eq!(bad.each_ref().map(|one| one.counts().requests), [3, 3]);
    let standings = standings(&scene).await;
    for one in &good {
        assert_eq!(standings[&one.address().to_string()]["state"], "healthy");
    }
    for one in &bad {
        let standing = &standings[&one.address().to_string()];
        assert_eq!((&standing["state"], &standing["ejections"]), (&"ejected".into(), &1.into()));
        let (why, left) = (standing["why"].as_str().unwrap(), standing["back_in_ms"].as_u64().unwrap());
        assert!(why.contains("after 3 errors in a row, the last one: a server error"), "{why}");
        assert!(left > 3_000_000 && left <= 3_600_000, "{left}");
        let endpoint = one.address().to_string();
        let metrics = scene.admin().metrics().await;
        let count = |name| metrics.count(name, &[("endpoint", &*endpoint)]);
        assert_eq!(count("meta_proxy_upstream_ejected"), 1);
        assert_eq!(count("meta_proxy_upstream_ejections_total"), 1);
    }
    assert_eq!(scene.admin().metrics().await.count("meta_proxy_upstream_ejected", &[]), 2);
    assert_eq!(scene.logged(EJECTED).len(), 2, "a line for each");
    scene.end().await;
}

#[tokio::test]
async fn exceptions_of_the_application_eject_nobody() {
    let thrown = Thrown { class: "com.example.shop.OutOfStock".to_owned(), ..Thrown::rpc(0, "sold out") };
    let throwing = answering("p", Behaviour::Throw(thrown)).await;
    let rule = Rule::subsets(&[]).policy("outlierDetection: {consecutive5xxErrors: 1}");
    let service = Service::orders().endpoint("any", throwing.address());
    let scene = Setup::new().put("service", service).put("rule", rule).start().await;
    let client = scene.client().await;
    for _call in 0..20 {
        client.call(&calling("who"), SOON).await;
    }
    assert_eq!(throwing.counts().requests, 20);
    assert_eq!(scene.admin().metrics().await.count("meta_proxy_upstream_ejections_total", &[]), 0);
    scene.end().await;
}

#[tokio::test]
async fn a_subset_has_the_policy_of_its_host_but_for_what_it_says_itself() {
    let [one, other] = [answering("1", framework_error()).await, answering("2", framework_error()).await];
    let service = Service::orders().endpoint("v1", one.address()).endpoint("v2", other.address());
    let rule = Rule::subsets(&["v1"])
        .policy("outlierDetection: {consecutive5xxErrors: 2, baseEjectionTime: 1h}")
        .subset("v2", "outlierDetection: {consecutive5xxErrors: 4}");
    let router = Router::routes([Route::to("v2").when("method", exact("second")), Route::to("v1")]);
    let setup = Setup::new().put("service", service).put("rule", rule).put("router", router);
    let scene = setup.announce(EJECTED).start().await;
    let client = scene.client().await;
    for (method, provider, most) in [("first", &one, 2), ("second", &other, 4)] {
        for call in 1..=10 {
            let answer = client.call(&calling(method), SOON).await;
            let (code, text) = status(&answer);
            let is_told = text.starts_with("no endpoint of the cluster is healthy (127.0.0.1:");
            assert_eq!(
                (code, is_told),
                if call <= most { (80, false) } else { (70, true) },
                "{call}: {text}"
            );
        }
        assert_eq!(provider.counts().requests, most);
    }
    let all = standings(&scene).await;
    assert!(
        all.values().all(|one| one["back_in_ms"].as_u64() > Some(3_000_000)),
        "both for an hour: {all:?}"
    );
    let flagged = [("response_flags", "UH")];
    assert_eq!(scene.admin().metrics().await.count("istio_requests_total", &flagged), 14);
    scene.end().await;
}

#[tokio::test]
async fn an_ejected_provider_comes_back_by_itself() {
    let [bad, good] = [answering("bad", framework_error()).await, provider("good").await];
    let service = Service::orders().endpoint("any", bad.address()).endpoint("any", good.address());
    let rule = Rule::subsets(&[])
        .policy("outlierDetection: {consecutiveErrors: 1, baseEjectionTime: 200ms, interval: 1h}");
    let setup = Setup::new().put("service", service).put("rule", rule).announce(EJECTED);
    let scene = setup.start().await;
    let client = scene.client().await;
    eventually("it is ejected, comes back, and is ejected again", async || {
        client.call(&calling("who"), SOON).await;
        let count = scene.admin().metrics().await.count("meta_proxy_upstream_ejections_total", &[]);
        if count >= 2 { Ok(()) } else { Err(count) }
    })
    .await;
    let requests = bad.counts().requests;
    eventually_eq("one each time", requests, async || scene.logged(EJECTED).len() as u64).await;
    assert!(!scene.logged("an ejected endpoint is back").is_empty());
    scene.end().await;
}

#[tokio::test]
async fn providers_that_answer_no_heartbeats_get_no_calls_until_they_do() {
    let good = provider("good").await;
    let deaf = started(Provider::builder("deaf").accepting(OnAccept::Ignore)).await;
    let refusing = Refusing::new().unwrap();
    let endpoints = [good.address(), deaf.address(), refusing.address()];
    let service = endpoints.iter().fold(Service::orders(), |service, one| service.endpoint("any", *one));
    let check = "interval: 100ms, timeout: 100ms, unhealthyThreshold: 2, healthyThreshold: 2";
    let router = Router::routes([Route::to("")]).health_check(check);
    let setup = Setup::new().put("service", service).put("router", router).announce(UNHEALTHY);
    let scene = setup.start().await;
    let unhealthy = async || scene.admin().metrics().await.count("meta_proxy_upstream_unhealthy", &[]);
    eventually_eq("two are found out before anybody calls", 2, unhealthy).await;
    let client = scene.client().await;
    for _call in 0..40 {
        assert_eq!(who(&client, &calling("who")).await, "good");
    }
    assert!(good.counts().heartbeats > 0);
    let all = standings(&scene).await;
    let why = |address: &std::net::SocketAddr| all[&address.to_string()]["why"].as_str().unwrap().to_owned();
    assert_eq!(why(&deaf.address()), "its last ping failed: no answer within 100ms");
    assert!(why(&refusing.address()).contains("efused"), "{}", why(&refusing.address()));
    let address = deaf.address();
    deaf.stop().await;
    let well = started(Provider::builder("well").otherwise(Behaviour::Who).listen(address)).await;
    until_answered_by("well", &client, &calling("who")).await;
    eventually_eq("one is left", 1, unhealthy).await;
    drop(well);
    scene.end().await;
}

#[tokio::test]
async fn a_redis_server_that_stands_still_is_found_out_and_its_keys_fail_at_once() {
    let servers = Servers::with(&[&["--requirepass", "sesame"], &["--requirepass", "sesame"]]).await;
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "sesame").unwrap();
    let options = format!("upstream: {{passwordFile: {}}}", password.display());
    // Time enough for the one that is well, however busy the machine.
    let check = "interval: 1s, timeout: 1s, unhealthyThreshold: 2";
    let router = Router::routes([Route::to("").timeout("10s")]).options(&options).health_check(check);
    let scene = sharded(&servers).put("router", router).announce(UNHEALTHY).start().await;
    // Its subset is a cluster of its own.
    let cluster = format!("outbound|20880||{HOST}");
    let of = async |name: &str, server: usize| {
        let endpoint = servers.address(server).to_string();
        scene.admin().metrics().await.count(name, &[("cluster", &cluster), ("endpoint", &endpoint)])
    };
    for server in 0..2 {
        let is_answered = async || of("meta_proxy_upstream_pings_answered_total", server).await > 0;
        eventually_eq("it answers pings: they are authenticated", true, is_answered).await;
    }
    let mut client = connect(scene.address()).await;
    servers[0].pause().unwrap();
    eventually_eq("it is found out", 1, async || of("meta_proxy_upstream_unhealthy", 0).await).await;
    let (mut told, mut served) = (0, 0);
    for key in 0..40 {
        let begun = std::time::Instant::now();
        let answer = ask(&mut client, &format!("SET key-{key} 1")).await;
        assert!(begun.elapsed() < Duration::from_secs(5), "nobody waits for it");
        if answer == Reply::from("OK") || answer.is_ok() {
            served += 1;
        } else {
            let text = error(&answer);
            assert!(text.contains("the endpoint that it belongs to is not healthy"), "{text}");
            told += 1;
        }
    }
    assert!(told > 5 && served > 5, "{told} and {served} of 40");
    servers[0].resume().unwrap();
    eventually_eq("it answers again", 0, async || of("meta_proxy_upstream_unhealthy", 0).await).await;
    for key in 0..40 {
        assert!(ask(&mut client, &format!("SET key-{key} 1")).await.is_ok());
    }
    scene.end().await;
}

#[tokio::test]
async fn protocols_without_a_ping_refuse_health_checks_and_say_so() {
    let service = Service::orders().speaking("thrift").endpoint("any", ([127, 0, 0, 1], 1).into());
    let router = Router::routes([Route::to("")]).health_check("interval: 1s");
    let folder = e2e::folder::Folder::new();
    folder.put("service", service);
    folder.put("router", router);
    let words = ["validate".into(), folder.path().as_os_str().to_owned()];
    let ran = e2e::command::metactl(words).await;
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, Some(1), "{said}");
    assert!(
        said.contains("health_check: thrift has no ping, so that endpoints cannot be checked; remove it"),
        "{said}"
    );
}

#[tokio::test]
async fn what_endpoints_are_judged_by_is_explained_and_dumped() {
    let at = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let folder = e2e::folder::Folder::new();
    let policy = "loadBalancer: {simple: RANDOM}, outlierDetection: {consecutiveGatewayErrors: 3, maxEjectionPercent: 40, minHealthPercent: 30}";
    folder.put("service", Service::orders().endpoint("v1", at(4001)));
    folder.put("rule", Rule::subsets(&[]).policy(policy));
    folder.put("router", Router::routes([Route::to("")]).health_check("interval: 5s, unhealthyThreshold: 3"));
    let words = ["explain".into(), folder.path().as_os_str().to_owned(), "--host".into(), HOST.into()];
    let ran = e2e::command::metactl(words).await;
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    let expected = "
          drawn at random
          ejected after 5 errors or 3 gateway errors in a row, for 30s and longer each time; at most 40 %, but always one
          pinged each 5s; without requests after 3 without an answer in 1s, until 1 with one
          all get requests when fewer than 30 % are healthy
          127.0.0.1:4001
";
    assert!(ran.stdout.contains(expected), "{}", ran.stdout);
}

#[tokio::test]
async fn at_random_all_get_calls_and_a_split_by_a_hash_keeps_its_users() {
    let [one, other, canary] = [provider("1").await, provider("2").await, provider("canary").await];
    let service = Service::orders()
        .endpoint("stable", one.address())
        .endpoint("stable", other.address())
        .endpoint("canary", canary.address());
    let by_user = "loadBalancer: {consistentHash: {httpHeaderName: user}}";
    let rule = |policy| Rule::subsets(&["stable", "canary"]).policy(policy);
    let router = Router::routes([
        Route::to("stable").when("method", exact("stable")),
        Route::split(&[("stable", 70), ("canary", 30)]),
    ]);
    let setup = Setup::new().put("service", service).put("router", router);
    let scene = setup.put("rule", rule("loadBalancer: {simple: RANDOM}")).start().await;
    let client = scene.client().await;
    let mut calls = BTreeMap::<String, usize>::new();
    for _call in 0..100 {
        *calls.entry(who(&client, &calling("stable")).await).or_default() += 1;
    }
    assert!(calls["1"] > 25 && calls["2"] > 25, "{calls:?}");
    scene.folder().put("rule", rule(by_user));
    let of =
        async |user: usize| who(&client, &calling("split").attachment("user", format!("user-{user}"))).await;
    eventually("users have homes", async || {
        let homes = [
            of(1).await,
            of(1).await,
            of(1).await,
            of(1).await,
            of(1).await,
            of(1).await,
            of(1).await,
            of(1).await,
        ];
        if homes.iter().all(|home| *home == homes[0]) { Ok(()) } else { Err(homes) }
    })
    .await;
    let mut homes = Vec::new();
    for user in 0..100 {
        homes.push(of(user).await);
    }
    for (user, home) in homes.iter().enumerate() {
        assert_eq!(of(user).await, *home, "user {user}");
    }
    let on_canary = homes.iter().filter(|home| **home == "canary").count();
    assert!((15..=45).contains(&on_canary), "{on_canary} of 100");
    scene.end().await;
}
