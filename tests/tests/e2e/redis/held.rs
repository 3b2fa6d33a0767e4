//! What a server keeps for one connection: its client has that connection to itself, for as long as it lasts.

use std::time::{Duration, Instant};

use e2e::eventually::{eventually, eventually_eq};
use e2e::objects::{Route, Router};
use e2e::redis::{Servers, answer, ask, ask_all, behind, connect, error, info, tell};
use peers::redis::{Client, Reply};

/// The texts in a push.
fn texts(push: &[Reply]) -> Vec<&str> {
    push.iter().filter_map(Reply::text).collect()
}

async fn subscribed(client: &mut Client, command: &str) {
    tell(client, command).await;
    let confirmed = client.receive_any().await.unwrap();
    assert_eq!(confirmed.items().map(<[_]>::len), Some(3), "{confirmed:?}");
}

#[tokio::test]
async fn who_tracks_keys_is_told_when_they_change() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut client = connect(scene.address()).await;
    let mut other = connect(scene.address()).await;
    assert!(error(&ask(&mut client, "CLIENT TRACKING ON").await).starts_with("ERR "), "it needs RESP3");
    assert!(ask(&mut client, "HELLO 3").await.error().is_none());
    assert!(ask(&mut client, "CLIENT TRACKING ON").await.is_ok());
    for round in 0..5 {
        assert!(ask(&mut client, "GET key").await.error().is_none());
        assert!(ask(&mut other, &format!("SET key {round}")).await.is_ok());
        let push = client.push().await.unwrap();
        assert_eq!(texts(&push), ["invalidate"]);
        assert_eq!(push[1].items().map(texts), Some(vec!["key"]));
    }
    assert!(ask(&mut client, "CLIENT TRACKING OFF").await.is_ok());
    assert_eq!(ask(&mut client, "GET key").await, Reply::from("4"));
    assert!(ask(&mut other, "SET key last").await.is_ok());
    assert_eq!(ask(&mut client, "GET key").await, Reply::from("last"));
    tell(&mut client, "QUIT").await;
    assert!(client.receive_any().await.unwrap().is_ok(), "nothing was pushed any more");
    scene.end().await;
}

#[tokio::test]
async fn who_monitors_sees_everything_and_is_seen_by_nobody() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut monitor = connect(scene.address()).await;
    let mut others = [connect(scene.address()).await, connect(scene.address()).await];
    assert!(ask(&mut monitor, "MONITOR").await.is_ok());
    for number in 0..20 {
        let other = &mut others[number % 2];
        assert!(ask(other, &format!("SET key-{number} 1")).await.is_ok());
        let seen = answer(&mut monitor).await;
        assert!(seen.text().is_some_and(|text| text.contains(&format!("\"key-{number}\""))), "{seen:?}");
    }
    let mut direct = servers.direct(0).await;
    let before = info(&mut direct, "connected_clients").await;
    drop(monitor);
    eventually_eq("its connection is closed", before - 1, async || {
        info(&mut direct, "connected_clients").await
    })
    .await;
    assert_eq!(ask(&mut others[0], "GET key-1").await, Reply::from("1"));
    scene.end().await;
}

#[tokio::test]
async fn a_subscriber_of_resp3_does_all_else_meanwhile() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut client = connect(scene.address()).await;
    let mut publisher = connect(scene.address()).await;
    assert!(ask(&mut client, "HELLO 3").await.error().is_none());
    subscribed(&mut client, "SUBSCRIBE news").await;
    for round in 0..10 {
        let set = format!("SET key {round}");
        let answers =
            ask_all(&mut client, &[&set, "MULTI", "GET key", "EXEC", "SELECT 3", "GET key", "SELECT 0"])
                .await;
        assert_eq!(answers[3], Reply::from(vec![Reply::from(&*round.to_string())]));
        assert_eq!(answers[5], Reply::Null);
        let heard = ask(&mut publisher, &format!("PUBLISH news {round}")).await;
        assert_eq!(heard, Reply::Integer(1));
        assert_eq!(texts(&client.push().await.unwrap()), ["message", "news", &*round.to_string()]);
    }
    tell(&mut client, "BLPOP queue 0").await;
    servers.until_blocked(0, 1).await;
    assert_eq!(ask(&mut publisher, "PUBLISH news blocked").await, Reply::Integer(1));
    assert_eq!(texts(&client.push().await.unwrap()), ["message", "news", "blocked"], "while it waits");
    assert_eq!(ask(&mut publisher, "RPUSH queue 1").await, Reply::Integer(1));
    assert_eq!(answer(&mut client).await, Reply::from(vec!["queue".into(), "1".into()]));
    scene.end().await;
}

#[tokio::test]
async fn a_subscription_ends_with_its_client_and_with_nobody_elses() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut publisher = connect(scene.address()).await;
    let mut clients = Vec::new();
    for number in 0..6 {
        let mut client = connect(scene.address()).await;
        if number % 2 == 1 {
            assert!(ask(&mut client, "HELLO 3").await.error().is_none());
        }
        subscribed(&mut client, "SUBSCRIBE news").await;
        clients.push(client);
    }
    for left in (0..6).rev() {
        drop(clients.pop());
        eventually_eq("it is gone", Reply::Integer(left), async || {
            ask(&mut publisher, "PUBLISH news x").await
        })
        .await;
    }
    scene.end().await;
}

#[tokio::test]
async fn a_subscriber_that_reads_nothing_is_cut_off_and_nobody_waits_for_it() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut deaf = connect(scene.address()).await;
    let mut publisher = connect(scene.address()).await;
    subscribed(&mut deaf, "SUBSCRIBE news").await;
    let text = "x".repeat(1 << 20);
    let before = scene.resident_bytes();
    let mut most = 0;
    eventually("nobody listens any more", async || {
        let begun = Instant::now();
        let heard = publisher.call(&["PUBLISH", "news", &*text]).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        most = most.max(scene.resident_bytes());
        if heard == Reply::Integer(0) { Ok(()) } else { Err(heard) }
    })
    .await;
    assert!(most < before + (200 << 20), "{} MiB more than before", (most - before) >> 20);
    scene.end().await;
}

#[tokio::test]
async fn what_blocks_may_take_longer_than_its_route_allows() {
    let servers = Servers::start(1).await;
    let router = Router::routes([Route::to("").timeout("200ms")]);
    let scene = behind(&servers).put("router", router).start().await;
    let mut client = connect(scene.address()).await;
    for command in ["BLPOP nothing 0.6", "XREAD BLOCK 600 STREAMS nothing 0", "BLMPOP 0.6 1 nothing LEFT"] {
        let begun = Instant::now();
        assert!(ask(&mut client, command).await.is_null(), "{command}");
        let waited = begun.elapsed();
        assert!(
            waited >= Duration::from_millis(590) && waited < Duration::from_secs(2),
            "{command}: {waited:?}"
        );
    }
    scene.end().await;
}

#[tokio::test]
async fn a_server_that_is_lost_ends_what_it_kept_for_a_client() {
    let mut servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut inside = connect(scene.address()).await;
    let mut subscriber = connect(scene.address()).await;
    let mut plain = connect(scene.address()).await;
    ask_all(&mut inside, &["WATCH key", "MULTI", "SET key 1"]).await;
    subscribed(&mut subscriber, "SUBSCRIBE news").await;
    assert!(ask(&mut plain, "SET key 0").await.is_ok());
    servers[0].kill().unwrap();
    for client in [&mut inside, &mut subscriber] {
        client.ended().await.unwrap();
    }
    servers[0].restart().unwrap();
    eventually("it is served again", async || {
        let seen = ask(&mut plain, "SET key 2").await;
        if seen.is_ok() { Ok(()) } else { Err(seen) }
    })
    .await;
    scene.end().await;
}
