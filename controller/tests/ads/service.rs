//! Subscribing, unsubscribing, refusing, coming back: by both protocols.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use controller::Status;
use tokio::sync::watch;
use tokio::time::timeout;
use xds::ResourceType::{Cluster, Endpoints, Listener, Routes};
use xds::envoy::envoy::config::core::v3::Node;
use xds::envoy::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use xds::envoy::google::rpc;

use crate::probe::{Delta, LIMIT, Server, World, about, names, node};
use crate::support::{ORDERS, SUBSETS, documents, router};

const V1: &str = "outbound|20880|v1|orders.shop.svc.cluster.local";
const V2: &str = "outbound|20880|v2|orders.shop.svc.cluster.local";
const ROUTES: &str = "orders.shop.svc.cluster.local_20880";

fn objects(subsets: &[&str]) -> String {
    let weight = 100 / subsets.len();
    let to = |subset: &&str| format!("{{destination: {{host: orders, subset: {subset}}}, weight: {weight}}}");
    let all: Vec<_> = subsets.iter().map(to).collect();
    documents(&[ORDERS, SUBSETS, &router(&format!("routes: [{{route: [{}]}}]", all.join(", ")))])
}

#[tokio::test]
async fn a_probe_gets_what_it_asks_for_and_what_changes() {
    let server = Server::with(&objects(&["v1"])).await;
    let mut probe = Delta::open(server.address).await;
    probe.subscribe(Cluster, &[]).await;
    let clusters = probe.take().await;
    assert_eq!(names(&clusters), [V1, V2], "a wildcard");
    probe.subscribe(Endpoints, &[V1]).await;
    assert_eq!(names(&probe.take().await), [V1]);
    probe.subscribe(Listener, &["*"]).await;
    assert_eq!(probe.take().await.resources.len(), 1);
    probe.subscribe(Routes, &[ROUTES]).await;
    let routes = probe.take().await;
    assert_eq!(names(&routes), [ROUTES]);
    assert!(routes.resources[0].metadata.is_some(), "it says where it came from");
    probe.nothing_more().await;

    server.objects(&objects(&["v2"])).await;
    let changed = probe.take().await;
    assert_eq!(
        (names(&changed), changed.type_url.as_str()),
        (vec![ROUTES], Routes.type_url()),
        "nothing else"
    );
    let request =
        DeltaDiscoveryRequest { resource_names_unsubscribe: vec![ROUTES.to_owned()], ..about(Routes) };
    probe.send(request).await;
    probe.nothing_more().await;
    server.objects(&objects(&["v1"])).await;
    probe.nothing_more().await;
    probe.subscribe(Routes, &[ROUTES]).await;
    assert_eq!(names(&probe.take().await), [ROUTES], "again");

    server.objects("").await;
    let gone = [probe.take().await, probe.take().await, probe.take().await, probe.take().await];
    let types: Vec<_> = gone.iter().map(|response| response.type_url.as_str()).collect();
    assert_eq!(types, [Routes, Listener, Endpoints, Cluster].map(xds::ResourceType::type_url));
    assert_eq!(gone[3].removed_resources, [V1, V2]);
    server.stop().await;
}

#[tokio::test]
async fn who_comes_back_to_another_replica_is_told_what_it_lacks() {
    let [first, second] = [Server::with(&objects(&["v1"])).await, Server::with(&objects(&["v1"])).await];
    let mut probe = Delta::open(first.address).await;
    probe.subscribe(Cluster, &[]).await;
    let clusters = probe.take().await;
    let known: HashMap<_, _> =
        clusters.resources.iter().map(|one| (one.name.clone(), one.version.clone())).collect();
    drop(probe);
    let mut probe = Delta::open(second.address).await;
    probe.send(DeltaDiscoveryRequest { initial_resource_versions: known.clone(), ..about(Cluster) }).await;
    let greeting = probe.take().await;
    assert!(greeting.resources.is_empty() && greeting.removed_resources.is_empty());
    drop(probe);
    let mut known = known;
    known.insert(V1.to_owned(), "old".to_owned());
    known.insert("gone".to_owned(), "1".to_owned());
    let mut probe = Delta::open(second.address).await;
    probe.send(DeltaDiscoveryRequest { initial_resource_versions: known, ..about(Cluster) }).await;
    assert_eq!(names(&probe.take().await), [V1]);
    assert_eq!(probe.take().await.removed_resources, ["gone"]);
    first.stop().await;
    second.stop().await;
}

/// Waits until so many proxies want the routes, and so many of them have them in force.
async fn until_programmed(status: &mut watch::Receiver<Arc<Status>>, expected: (u32, u32)) {
    let is_so = |status: &Arc<Status>| {
        status.progress.values().all(|one| (one.proxies, one.programmed) == expected)
            && status.progress.len() == 1
    };
    timeout(LIMIT, status.wait_for(is_so)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_refused_resource_is_told_of_and_waits_for_other_content() {
    let server = Server::with(&objects(&["v1"])).await;
    let mut status = server.following.status.clone();
    let mut probe = Delta::open(server.address).await;
    probe.subscribe(Routes, &[ROUTES]).await;
    let response = probe.next().await;
    let message = format!("{ROUTES}: I do not like it");
    let error = rpc::Status { code: 3, message, details: Vec::new() };
    let (type_url, response_nonce) = (response.type_url, response.nonce);
    let nack =
        DeltaDiscoveryRequest { type_url, response_nonce, error_detail: Some(error), ..Default::default() };
    probe.send(nack).await;
    let refused = status.wait_for(|status| !status.refusals.is_empty());
    let refusal = timeout(LIMIT, refused).await.unwrap().unwrap().refusals[0].to_string();
    assert!(refusal.starts_with("MetaRouter shop/orders"), "{refusal}");
    assert!(
        refusal.contains("proxy probe refused routes") && refusal.ends_with("I do not like it"),
        "{refusal}"
    );
    until_programmed(&mut status, (1, 0)).await;
    probe.nothing_more().await;
    server.objects(&objects(&["v2"])).await;
    probe.take().await;
    timeout(LIMIT, status.wait_for(|status| status.refusals.is_empty())).await.unwrap().unwrap();
    probe.nothing_more().await;
    until_programmed(&mut status, (1, 1)).await;
    drop(probe);
    until_programmed(&mut status, (0, 0)).await;
    server.stop().await;
}

#[tokio::test]
async fn a_proxy_that_may_not_see_the_routes_of_a_router_gets_those_of_the_service() {
    let scoped = |namespaces: &str| {
        let route = "[{destination: {host: orders, subset: v1}}]";
        let router = router(&format!("exportTo: [{namespaces}]\nroutes: [{{route: {route}}}]"));
        documents(&[ORDERS, SUBSETS, &router])
    };
    let server = Server::with(&scoped("web")).await;
    let mut status = server.following.status.clone();
    let channel = async || crate::probe::channel(server.address).await;
    let mut web = Delta::over(channel().await, node("web", "web")).await;
    let mut shop = Delta::over(channel().await, node("shop", "shop")).await;
    let mut seen = Vec::new();
    for probe in [&mut web, &mut shop] {
        probe.subscribe(Routes, &[ROUTES]).await;
        let response = probe.take().await;
        assert_eq!(names(&response), [ROUTES]);
        seen.push(response.resources[0].version.clone());
    }
    assert_ne!(seen[0], seen[1], "one of them has the routes of the service itself");
    until_programmed(&mut status, (1, 1)).await;

    server.objects(&scoped("., web")).await;
    assert_eq!(shop.take().await.resources[0].version, seen[0]);
    web.nothing_more().await;
    until_programmed(&mut status, (2, 2)).await;
    server.objects(&scoped(".")).await;
    assert_eq!(web.take().await.resources[0].version, seen[1]);
    shop.nothing_more().await;
    until_programmed(&mut status, (1, 1)).await;
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_told_before_everything_was_read_once() {
    let server = Server::start(None).await;
    let mut probe = Delta::open(server.address).await;
    probe.subscribe(Cluster, &[]).await;
    let early = timeout(Duration::from_millis(200), probe.next()).await;
    assert!(early.is_err(), "an empty set would take everything away from a proxy: {early:?}");
    server.objects(&objects(&["v1"])).await;
    assert_eq!(names(&probe.next().await), [V1, V2]);
    server.stop().await;
}

#[tokio::test]
async fn the_state_of_the_world_is_told_and_told_again_when_it_changes() {
    let server = Server::with(&objects(&["v1"])).await;
    let mut probe = World::open(server.address).await;
    probe.ask(Cluster, &[], None).await;
    let clusters = probe.next().await;
    assert_eq!(clusters.resources.len(), 2);
    probe.ask(Cluster, &[], Some(&clusters)).await;
    probe.ask(Endpoints, &[V1], None).await;
    let endpoints = probe.next().await;
    assert_eq!(endpoints.resources.len(), 1);
    probe.ask(Endpoints, &[V1, V2], Some(&endpoints)).await;
    let more = probe.next().await;
    assert_eq!(more.resources.len(), 1, "what is new");
    probe.ask(Endpoints, &[V1, V2], Some(&more)).await;

    let without_v2 = objects(&["v1"]).replace("  - {name: v2, labels: {version: v2}}\n", "");
    server.objects(&without_v2).await;
    let fewer = probe.next().await;
    assert_eq!((fewer.type_url.as_str(), fewer.resources.len()), (Cluster.type_url(), 1));
    probe.ask(Cluster, &[], Some(&fewer)).await;
    drop(probe);
    let mut again = World::open(server.address).await;
    again.ask(Cluster, &[], Some(&fewer)).await;
    again.ask(Endpoints, &[V1], None).await;
    let next = again.next().await;
    assert_eq!(next.type_url, Endpoints.type_url(), "it knows the clusters by their version");
    server.stop().await;
}

#[tokio::test]
async fn a_stream_that_says_no_node_or_too_much_is_ended_with_words() {
    let server = Server::with("").await;
    let mut probe = Delta::over(crate::probe::channel(server.address).await, Node::default()).await;
    probe.subscribe(Cluster, &[]).await;
    let status = probe.ended().await;
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(status.message().contains("node.id must not be empty"), "{status}");
    let mut probe = Delta::open(server.address).await;
    probe.subscribe(Cluster, &[&"x".repeat(2000)]).await;
    let status = probe.ended().await;
    assert!(status.message().contains("a name has 2000 bytes, at most 1024 are taken"), "{status}");
    server.stop().await;
}

#[tokio::test]
async fn a_controller_that_stops_ends_its_streams_with_words() {
    let server = Server::with(&objects(&["v1"])).await;
    let mut probe = Delta::open(server.address).await;
    probe.subscribe(Cluster, &[]).await;
    probe.take().await;
    let stopped = tokio::spawn(server.stop());
    let status = probe.ended().await;
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert!(status.message().starts_with("the controller stops"), "{status}");
    drop(probe);
    timeout(LIMIT, stopped).await.unwrap().unwrap();
}
