//! Both ends of the discovery service over loopback, with faults between them: a controller, and the client of a proxy
//! that puts resources in force as a proxy does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

mod relay;
mod world;

use controller::ads::Proxy;
use relay::Relay;
use world::{Client, Server, everything, routes_to};

#[tokio::test]
async fn a_proxy_has_what_the_controller_has() {
    let server = Server::start(&everything("v1")).await;
    let client = Client::start(&[server.address]);
    client.has("v1").await;
    server.objects(&everything("v2")).await;
    client.has("v2").await;
    server.objects("").await;
    client.has_nothing().await;
    server.objects(&everything("v1")).await;
    client.has("v1").await;
}

#[tokio::test]
async fn a_stream_that_is_cut_at_any_byte_is_begun_again_and_nothing_is_lost() {
    let server = Server::start(&everything("v1")).await;
    for cut in [300, 700, 1500, 2500] {
        let relay = Relay::start(server.address, Some(cut)).await;
        let client = Client::start(&[relay.address]);
        client.has("v1").await;
        assert!(relay.connections() > 1 || cut > 700, "cut at {cut}: there were {}", relay.connections());
    }
}

#[tokio::test]
async fn a_broken_stream_changes_nothing_and_nothing_is_sent_twice() {
    let server = Server::start(&everything("v1")).await;
    let relay = Relay::start(server.address, None).await;
    let client = Client::start(&[relay.address]);
    client.has("v1").await;
    let first = server.synced().await;
    for _ in 0..3 {
        let deliveries = client.deliveries();
        relay.cut();
        let again = server.reconnected(first.connected).await;
        assert!(
            again.sent_bytes * 3 < first.sent_bytes,
            "{} of {} bytes",
            again.sent_bytes,
            first.sent_bytes
        );
        assert_eq!(client.deliveries(), deliveries, "nothing is put in force");
    }
    relay.cut();
    server.objects(&everything("v2")).await;
    client.has("v2").await;
}

#[tokio::test]
async fn what_is_refused_is_named_by_field_and_mended_by_other_content() {
    let server = Server::start(&everything("v1")).await;
    let client = Client::start(&[server.address]);
    client.has("v1").await;
    let wrong = everything("v2") + "  options: {downstream: {nonsense: 1}}\n";
    server.objects(&wrong).await;
    let refused = |proxies: &[Proxy]| proxies.first().and_then(|proxy| proxy.refused.first().cloned());
    let refusal = server.until(refused).await;
    assert_eq!(
        (refusal.kind.as_str(), refusal.field.as_str()),
        ("listener", "options.nonsense"),
        "{refusal:?}"
    );
    // The listener in force may lead to the other one still.
    client.has_among("v2", 2).await;
    server.objects(&everything("v1")).await;
    let mended =
        |proxies: &[Proxy]| proxies.first().is_some_and(|proxy| proxy.refused.is_empty()).then_some(());
    server.until(mended).await;
    client.has("v1").await;
}

#[tokio::test]
async fn what_is_refused_beside_another_resource_is_mended_by_that_one() {
    // Routes do not say their protocol.
    let over = |protocol: &str| {
        let all = everything("v1").replace("metaprotocol-dubbo", &format!("metaprotocol-{protocol}"));
        all.replace("subset: v1}}]}]", "subset: v1}}], requestMutation: [{key: a, value: b}]}]")
    };
    let server = Server::start(&over("redis")).await;
    let client = Client::start(&[server.address]);
    let refused = |proxies: &[Proxy]| proxies.first().and_then(|proxy| proxy.refused.first().cloned());
    let refusal = server.until(refused).await;
    let seen = (refusal.kind.as_str(), refusal.field.as_str());
    assert_eq!(seen, ("routes", "routes[0].request_mutation"), "{refusal:?}");
    server.objects(&over("dubbo")).await;
    server.synced().await;
    client.has("v1").await;
}

#[tokio::test]
async fn of_two_controllers_the_other_one_is_taken() {
    let [first, second] = [Server::start(&everything("v1")).await, Server::start(&everything("v1")).await];
    let relay = Relay::start(first.address, None).await;
    let client = Client::start(&[relay.address, second.address]);
    client.has("v1").await;
    relay.stop().await;
    let connected = |proxies: &[Proxy]| (!proxies.is_empty()).then_some(());
    second.until(connected).await;
    second.objects(&everything("v2")).await;
    client.has("v2").await;
    assert_eq!(routes_to("v2").len(), 1);
}
