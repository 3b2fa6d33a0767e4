//! WAIT tells the truth about replicas, and keeps nobody else waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use e2e::eventually::eventually;
use e2e::redis::{Servers, answer, ask, ask_all, behind, connect, sharded, tell};
use peers::redis::Reply;
use tokio::task::JoinSet;

const MS: Duration = Duration::from_millis(1);
/// What is answered at once is answered within this time, on a busy machine too.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A server and its replica, which has caught up.
async fn with_replica() -> (Servers, Servers) {
    let primary = Servers::with(&[&["--repl-diskless-sync-delay", "0"][..]]).await;
    let port = primary.address(0).port().to_string();
    let ip = primary.address(0).ip().to_string();
    let replica = Servers::with(&[&["--replicaof", &ip, &port][..]]).await;
    let mut direct = primary.direct(0).await;
    eventually("the replica has caught up", async || {
        assert!(ask(&mut direct, "SET caught up").await.is_ok());
        let seen = ask(&mut direct, "WAIT 1 20").await;
        if seen == Reply::Integer(1) { Ok(()) } else { Err(seen) }
    })
    .await;
    (primary, replica)
}

#[tokio::test]
async fn wait_tells_how_many_replicas_have_the_clients_last_write() {
    let (primary, replica) = with_replica().await;
    let scene = behind(&primary).start().await;
    let mut client = connect(scene.address()).await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(connect(scene.address()).await);
    }
    for number in 0..20 {
        assert!(ask(&mut client, &format!("SET key {number}")).await.is_ok());
        assert_eq!(ask(&mut client, "WAIT 1 10000").await, Reply::Integer(1));
        assert_eq!(ask(&mut replica.direct(0).await, "GET key").await, Reply::from(&*number.to_string()));
    }

    replica[0].pause().unwrap();
    assert!(ask(&mut client, "SET key last").await.is_ok());
    let begun = Instant::now();
    tell(&mut client, "WAIT 1 2000").await;
    tell(&mut client, "GET key").await;
    primary.until_blocked(0, 1).await;
    for round in 0..200 {
        let other = &mut others[round % 4];
        let asked = Instant::now();
        assert!(ask(other, &format!("SET other {round}")).await.is_ok());
        assert_eq!(ask(other, "GET other").await, Reply::from(&*round.to_string()));
        assert!(asked.elapsed() < AT_ONCE, "a neighbour waited {:?}", asked.elapsed());
        if begun.elapsed() > 1000 * MS {
            break;
        }
    }
    assert_eq!(answer(&mut client).await, Reply::Integer(0), "the replica does not have it");
    let waited = begun.elapsed();
    assert!(waited >= 2000 * MS && waited < 2000 * MS + 2 * AT_ONCE, "{waited:?}");
    assert_eq!(answer(&mut client).await, Reply::from("last"));

    replica[0].resume().unwrap();
    assert_eq!(ask(&mut client, "WAIT 1 10000").await, Reply::Integer(1));
    scene.end().await;
}

#[tokio::test]
async fn wait_outlives_the_routes_timeout_by_its_own() {
    let (primary, replica) = with_replica().await;
    let router = e2e::objects::Router::routes([e2e::objects::Route::to("").timeout("200ms")]);
    let scene = behind(&primary).put("router", router).start().await;
    let mut client = connect(scene.address()).await;
    replica[0].pause().unwrap();
    assert!(ask(&mut client, "SET key 1").await.is_ok());
    let begun = Instant::now();
    assert_eq!(ask(&mut client, "WAIT 1 600").await, Reply::Integer(0));
    assert!(begun.elapsed() >= 600 * MS, "{:?}", begun.elapsed());
    replica[0].resume().unwrap();
    scene.end().await;
}

#[tokio::test]
async fn wait_over_shards_tells_of_the_worst() {
    let (with, _replica) = with_replica().await;
    let without = Servers::start(1).await;
    let servers = e2e::redis::service(&with).endpoint("two", without.address(0));
    let scene = sharded(&with).put("service", servers).start().await;
    let mut client = connect(scene.address()).await;
    let mut keys: [Option<String>; 2] = [None, None];
    for number in 0..100 {
        let key = format!("key-{number}");
        assert!(ask(&mut client, &format!("SET {key} 1")).await.is_ok());
        let is_elsewhere = ask(&mut without.direct(0).await, &format!("EXISTS {key}")).await;
        keys[is_elsewhere.integer().unwrap() as usize] = Some(key);
    }
    let [replicated, alone] = keys.map(|key| key.expect("each server has some of 100 keys"));
    assert_eq!(ask(&mut client, "WAIT 1 50").await, Reply::Integer(0), "it wrote to both");
    let mut client = connect(scene.address()).await;
    assert!(ask(&mut client, &format!("SET {replicated} 2")).await.is_ok());
    assert_eq!(ask(&mut client, "WAIT 1 10000").await, Reply::Integer(1), "it wrote to one");
    assert!(ask(&mut client, &format!("SET {alone} 2")).await.is_ok());
    assert_eq!(ask(&mut client, "WAIT 1 50").await, Reply::Integer(0));
    scene.end().await;
}

#[tokio::test]
async fn wait_follows_a_transaction_whatever_others_do_with_their_connections() {
    let (primary, _replica) = with_replica().await;
    let scene = behind(&primary).workers(1).start().await;
    let ends = Arc::new(AtomicBool::new(false));
    let mut running = JoinSet::new();
    for other in 0..3 {
        let (address, ends) = (scene.address(), Arc::clone(&ends));
        running.spawn(async move {
            let mut client = connect(address).await;
            let set = format!("SET other-{other} 1");
            let mut rounds = 0;
            while !ends.load(Ordering::Relaxed) {
                let answers = ask_all(&mut client, &["MULTI", &set, "RESET", "MULTI", &set, "EXEC"]).await;
                assert_eq!(answers[1].text(), Some("QUEUED"), "{answers:?}");
                assert_eq!(answers[5].items().map(<[_]>::len), Some(1), "{answers:?}");
                rounds += 1;
            }
            rounds
        });
    }
    let mut client = connect(scene.address()).await;
    for round in 0..300 {
        let set = format!("SET key {round}");
        let answers = ask_all(&mut client, &["MULTI", &set, "EXEC"]).await;
        assert!(answers[2].items().is_some_and(|results| results[0].is_ok()), "{answers:?}");
        assert_eq!(ask(&mut client, "WAIT 1 10000").await, Reply::Integer(1), "round {round}");
    }
    ends.store(true, Ordering::Relaxed);
    while let Some(ended) = running.join_next().await {
        assert!(ended.unwrap() > 0, "nobody was in the way");
    }
    scene.end().await;
}
