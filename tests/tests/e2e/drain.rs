//! The end of a proxy: nothing that was asked of it is lost, and its clients learn that they should go elsewhere.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use e2e::calls::{after, calling, provider, started, who};
use e2e::eventually::{SOON, eventually, eventually_eq};
use e2e::objects::Service;
use e2e::scene::{Scene, Setup};
use peers::dubbo::{Behaviour, Client, Notice, Provider};

const MS: Duration = Duration::from_millis(1);

async fn behind(provider: &Provider, drain: &str) -> Scene {
    let service = Service::orders().endpoint("any", provider.address());
    Setup::new().put("service", service).flag("--drain", drain).start().await
}

async fn slow() -> Provider {
    started(Provider::builder("p").on("slow", after(300 * MS, Behaviour::Who)).on("never", Behaviour::Silent))
        .await
}

#[tokio::test]
async fn calls_in_flight_at_the_end_are_all_answered() {
    let provider = slow().await;
    let mut scene = behind(&provider, "10").await;
    let mut clients = Vec::new();
    let mut pending = Vec::new();
    for _client in 0..4 {
        let client = scene.client().await;
        pending.extend((0..5).map(|_| client.send(&calling("slow"))));
        clients.push(client);
    }
    eventually_eq("all are in flight", 20, async || provider.counts().requests).await;
    let began = Instant::now();
    scene.terminate();
    for pending in pending {
        let answer = pending.answer(SOON).await;
        assert!(answer.is_ok(), "{:?}", answer.outcome);
    }
    for client in &clients {
        let why = client.closed(SOON).await;
        assert_eq!(why.as_deref(), Some("the other side closed"));
        assert_eq!((client.received().notices, client.received().strays), (vec![Notice::ReadOnly], 0));
    }
    assert_eq!(scene.wait(SOON).await.code(), Some(0));
    assert!(began.elapsed() < 8000 * MS, "long before its window ends: {:?}", began.elapsed());
    assert_eq!(scene.exchanges().len(), 20);
    scene.end().await;
}

#[tokio::test]
async fn a_client_is_told_to_go_elsewhere_and_new_ones_are_refused() {
    let provider = slow().await;
    let mut scene = behind(&provider, "10").await;
    let client = scene.client().await;
    assert_eq!(who(&client, &calling("who")).await, "p");
    scene.terminate();
    eventually_eq("READONLY comes", vec![Notice::ReadOnly], async || client.received().notices).await;
    let refused = Client::connect(scene.address()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let ready = scene.admin().get("/ready").await;
    assert_eq!((ready.status, &*ready.body), (503, "draining\n"));
    // A client that does not listen is served as long as it asks, within the window.
    assert_eq!(who(&client, &calling("who")).await, "p");
    drop(client);
    assert_eq!(scene.wait(SOON).await.code(), Some(0));
    scene.end().await;
}

#[tokio::test]
async fn an_idle_client_is_disconnected_and_nobody_waits_for_the_window() {
    let provider = provider("p").await;
    let mut scene = behind(&provider, "3600").await;
    let client = scene.client().await;
    assert!(client.heartbeat(SOON).await);
    scene.terminate();
    assert_eq!(client.closed(SOON).await.as_deref(), Some("the other side closed"));
    assert_eq!(scene.wait(SOON).await.code(), Some(0));
    scene.end().await;
}

#[tokio::test]
async fn what_is_never_answered_ends_with_the_window() {
    let provider = slow().await;
    let mut scene = behind(&provider, "0.5").await;
    let client = scene.client().await;
    let never = client.send(&calling("never"));
    eventually_eq("it is in flight", 1, async || provider.counts().requests).await;
    scene.announce("not drained in time");
    let began = Instant::now();
    scene.terminate();
    assert_eq!(scene.wait(SOON).await.code(), Some(0));
    assert!(began.elapsed() >= 500 * MS && began.elapsed() < 3000 * MS, "{:?}", began.elapsed());
    let answer = never.answer(SOON).await;
    assert!(!answer.is_ok() && client.is_closed(), "{answer:?}");
    assert_eq!(client.received().strays, 0);
    assert_eq!(scene.exchanges().len(), 1, "it is logged all the same");
    scene.end().await;
}

#[tokio::test]
async fn without_clients_the_end_comes_at_once_and_a_second_signal_does_not_wait() {
    let provider = slow().await;
    let mut scene = behind(&provider, "30").await;
    let began = Instant::now();
    scene.terminate();
    assert_eq!(scene.wait(SOON).await.code(), Some(0));
    assert!(began.elapsed() < 2000 * MS, "{:?}", began.elapsed());
    scene.end().await;

    let mut scene = behind(&provider, "30").await;
    let client = scene.client().await;
    let _never = client.send(&calling("never"));
    eventually_eq("it is in flight", 1, async || provider.counts().requests).await;
    scene.terminate();
    eventually("it drains", async || scene.logged("draining").pop().ok_or("not yet")).await;
    scene.terminate();
    assert_eq!(scene.wait(SOON).await.code(), Some(130));
    scene.end().await;
}
