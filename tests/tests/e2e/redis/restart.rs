//! One of three servers dies and comes back under load.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use e2e::eventually::eventually;
use e2e::redis::{Servers, ask, connect, sharded};
use peers::redis::Reply;
use tokio::task::JoinSet;

/// Clients under load, of two workers.
const CLIENTS: usize = 8;
/// From here on after its return, everything is answered.
const GRACE: Duration = Duration::from_secs(1);
/// How long the server is away.
const AWAY: Duration = Duration::from_millis(1500);

/// What one command met.
struct Seen {
    server: usize,
    begun: Instant,
    answer: Reply,
}

/// Sends commands for all keys in turn until it is told to end.
async fn load(
    proxy: SocketAddr,
    keys: Vec<Vec<String>>,
    done: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
) -> Vec<Seen> {
    let mut client = connect(proxy).await;
    let mut seen = Vec::new();
    while !ends.load(Ordering::Relaxed) {
        for (server, keys) in keys.iter().enumerate() {
            for key in keys {
                for command in [format!("SET {key} 1"), format!("GET {key}")] {
                    let begun = Instant::now();
                    let answer = ask(&mut client, &command).await;
                    done.fetch_add(1, Ordering::Relaxed);
                    seen.push(Seen { server, begun, answer });
                }
            }
        }
    }
    seen
}

#[tokio::test]
async fn only_the_keys_of_a_server_that_is_away_fail() {
    let mut servers = Servers::start(3).await;
    let scene = sharded(&servers).start().await;
    let keys = servers.keys(scene.address(), 3).await;
    let (done, ends) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut running = JoinSet::new();
    for _ in 0..CLIENTS {
        running.spawn(load(scene.address(), keys.clone(), Arc::clone(&done), Arc::clone(&ends)));
    }
    let more_than = async |count: u64, since: Instant, span: Duration| {
        let before = done.load(Ordering::Relaxed);
        eventually("the load goes on", async || {
            let more = done.load(Ordering::Relaxed) - before;
            if more > count && since.elapsed() > span { Ok(()) } else { Err(more) }
        })
        .await;
    };
    more_than(2000, Instant::now(), Duration::ZERO).await;

    let killed = Instant::now();
    servers[1].kill().unwrap();
    more_than(500, killed, AWAY).await;
    let labels = [("endpoint", &*servers.address(1).to_string())];
    let attempts = async |name: &str| scene.admin().metrics().await.count(name, &labels);
    let failed = attempts("meta_proxy_upstream_connect_failures_total").await;
    let away = killed.elapsed();
    servers[1].restart().unwrap();
    let back = Instant::now();
    more_than(2000, back, 2 * GRACE).await;
    ends.store(true, Ordering::Relaxed);

    let mut failures = 0;
    let mut texts = BTreeSet::new();
    while let Some(ended) = running.join_next().await {
        for Seen { server, begun, answer } in ended.unwrap() {
            let is_right = answer.is_ok() || answer == Reply::from("1") || (server == 1 && answer.is_null());
            if is_right {
                continue;
            }
            failures += 1;
            texts.extend(answer.error().map(str::to_owned));
            assert_eq!(server, 1, "a key of another server: {answer:?}");
            assert!(answer.error().is_some(), "{answer:?}");
            // It was on its way when the server was killed, or later.
            assert!(begun + GRACE > killed, "failed {:?} before the kill: {answer:?}", killed - begun);
            assert!(begun < back + GRACE, "failed {:?} after the return: {answer:?}", begun - back);
        }
    }
    assert!(failures > 0, "nobody noticed that a server was killed");
    assert!(texts.len() <= 4, "{texts:#?}");
    // Per worker at most one attempt in 10 ms.
    let most = 2 * (away.as_millis() as u64 / 10 + 2);
    assert!(failed <= most, "{failed} attempts in {away:?}");
    let made = attempts("meta_proxy_upstream_connections_total").await;
    assert!(made <= 2 * CLIENTS as u64, "{made} connections to one server");
    scene.end().await;
}
