//! Transactions: WATCH protects, they cost no connections, and what cannot be part of one spoils it.

use e2e::eventually::eventually_eq;
use e2e::redis::{Servers, answer, ask, ask_all, behind, connect, error, info, sharded, tell};
use peers::redis::{Client, Reply};
use tokio::task::JoinSet;

/// Clients that increment one counter.
const CLIENTS: usize = 100;
/// How often each does.
const INCREMENTS: usize = 3;
/// Tries that a client may need for all of its increments; each that is in vain means that another one was not.
const TRIES: usize = CLIENTS * INCREMENTS + INCREMENTS;

/// Increments as a client does that lets nobody come between; how many tries that took.
async fn increment(client: &mut Client, times: usize) -> usize {
    let (mut done, mut tries) = (0, 0);
    while done < times {
        tries += 1;
        assert!(tries <= TRIES, "more tries than others had success");
        let answers = ask_all(client, &["WATCH counter", "GET counter"]).await;
        let seen: usize = answers[1].text().map_or(0, |text| text.parse().unwrap());
        let set = format!("SET counter {}", seen + 1);
        let answers = ask_all(client, &["MULTI", &set, "EXEC"]).await;
        match &answers[2] {
            Reply::NullArray => {}
            Reply::Array(results) if results.len() == 1 && results[0].is_ok() => done += 1,
            other => panic!("EXEC: {other:?}"),
        }
    }
    tries
}

#[tokio::test]
async fn watch_protects_what_a_hundred_clients_increment() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut running = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = connect(scene.address()).await;
        running.spawn(async move { increment(&mut client, INCREMENTS).await });
    }
    let mut tries = 0;
    while let Some(ended) = running.join_next().await {
        tries += ended.unwrap();
    }
    assert!(tries > CLIENTS * INCREMENTS, "nobody came between, so that nothing was shown");
    let mut client = connect(scene.address()).await;
    assert_eq!(ask(&mut client, "GET counter").await, Reply::from(&*(CLIENTS * INCREMENTS).to_string()));
    scene.end().await;
}

#[tokio::test]
async fn what_is_watched_may_be_changed_by_anybody_on_any_connection() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut client = connect(scene.address()).await;
    let mut other = connect(scene.address()).await;
    for (changed_by_another, unwatched, executes) in
        [(false, false, true), (true, false, false), (true, true, true)]
    {
        assert!(ask(&mut client, "WATCH key").await.is_ok());
        if changed_by_another {
            assert!(ask(&mut other, "SET key theirs").await.is_ok());
        }
        if unwatched {
            assert!(ask(&mut client, "UNWATCH").await.is_ok());
        }
        let answers = ask_all(&mut client, &["MULTI", "SET key mine", "EXEC"]).await;
        assert_eq!(!answers[2].is_null(), executes, "{answers:?}");
    }
    scene.end().await;
}

#[tokio::test]
async fn a_thousand_transactions_cost_no_connection() {
    const TOGETHER: usize = 8;
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut clients = Vec::new();
    for _ in 0..TOGETHER {
        let mut client = connect(scene.address()).await;
        // All are inside of one at the same time, so that there are as many connections as will ever be needed.
        ask_all(&mut client, &["GET key", "WATCH key", "MULTI", "INCR key"]).await;
        clients.push(client);
    }
    for client in &mut clients {
        ask(client, "DISCARD").await;
    }
    let mut direct = servers.direct(0).await;
    let before = info(&mut direct, "total_connections_received").await;
    let mut running = JoinSet::new();
    for mut client in clients {
        running.spawn(async move {
            for number in 0..1000 / TOGETHER {
                let watch = if number % 2 == 0 { "WATCH key" } else { "GET key" };
                let end = if number % 5 == 0 { "DISCARD" } else { "EXEC" };
                let answers = ask_all(&mut client, &[watch, "MULTI", "INCR key", "GET other", end]).await;
                assert!(answers.iter().all(|answer| answer.error().is_none()), "{answers:?}");
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    assert_eq!(info(&mut direct, "total_connections_received").await - before, 0);
    scene.end().await;
}

#[tokio::test]
async fn a_connection_is_given_back_clean() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).workers(1).start().await;
    let mut first = connect(scene.address()).await;
    let mut second = connect(scene.address()).await;
    // What one client leaves half done, another one must not find.
    ask_all(&mut first, &["WATCH key", "MULTI", "SET key 1"]).await;
    drop(first);
    let mut direct = servers.direct(0).await;
    eventually_eq("the half transaction is gone", false, async || {
        let list = ask(&mut direct, "CLIENT LIST").await;
        list.text().unwrap().lines().any(|line| line.contains(" multi=1"))
    })
    .await;
    for _ in 0..20 {
        let answers = ask_all(&mut second, &["WATCH other", "GET key", "MULTI", "GET key", "EXEC"]).await;
        assert_eq!(answers[1], Reply::NullBulk);
        assert_eq!(answers[4], Reply::from(vec![Reply::NullBulk]), "{answers:?}");
    }
    scene.end().await;
}

#[tokio::test]
async fn a_transaction_is_one_server_s_own() {
    let servers = Servers::start(3).await;
    let scene = sharded(&servers).start().await;
    let keys = servers.keys(scene.address(), 2).await;
    let mut client = connect(scene.address()).await;
    for (here, there) in [(0, 1), (1, 2), (2, 0)] {
        let (here, also_here, there) = (&keys[here][0], &keys[here][1], &keys[there][0]);
        let within = [
            format!("SET {here} 1"),
            format!("MSET {also_here} 2 {here} 3"),
            format!("MGET {here} {also_here}"),
        ];
        let answers = ask_all(&mut client, &["MULTI", &within[0], &within[1], &within[2], "EXEC"]).await;
        let results = answers[4].items().unwrap_or_else(|| panic!("{answers:?}"));
        assert_eq!(results[2], Reply::from(vec!["3".into(), "2".into()]));

        let across = [format!("SET {here} 7"), format!("SET {there} 7"), format!("GET {here}")];
        let answers = ask_all(&mut client, &["MULTI", &across[0], &across[1], &across[2], "EXEC"]).await;
        assert!(answers[0].is_ok());
        assert_eq!(answers[1].text(), Some("QUEUED"));
        assert!(error(&answers[2]).starts_with("CROSSSLOT "), "{answers:?}");
        assert_eq!(answers[4].error(), Some("EXECABORT Transaction discarded because of previous errors."));
        assert_eq!(ask(&mut client, &format!("GET {here}")).await, Reply::from("3"), "nothing was executed");
        assert_eq!(ask(&mut client, &format!("GET {there}")).await, Reply::NullBulk);

        // A watch binds to a server as well.
        let watched =
            [format!("WATCH {here}"), format!("GET {there}"), "UNWATCH".to_owned(), format!("GET {there}")];
        let answers = ask_all(&mut client, &watched.each_ref().map(String::as_str)).await;
        assert!(error(&answers[1]).starts_with("CROSSSLOT "), "{answers:?}");
        assert!(answers[2].is_ok() && answers[3].is_null(), "{answers:?}");
        ask(&mut client, &format!("DEL {here} {also_here}")).await;
    }
    scene.end().await;
}

#[tokio::test]
async fn what_cannot_be_part_of_a_transaction_spoils_it() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut client = connect(scene.address()).await;
    for is_first in [true, false] {
        for refused in
            ["SELECT 3", "AUTH default x", "HELLO 3", "SUBSCRIBE channel", "MONITOR", "NO-SUCH-COMMAND"]
        {
            assert!(ask(&mut client, "MULTI").await.is_ok());
            if !is_first {
                assert_eq!(ask(&mut client, "SET key 1").await.text(), Some("QUEUED"));
            }
            let told = ask(&mut client, refused).await;
            assert!(error(&told).starts_with("ERR "), "{refused}: {told:?}");
            let answers = ask_all(&mut client, &["SET key 2", "EXEC", "GET key"]).await;
            assert_eq!(
                answers[1].error(),
                Some("EXECABORT Transaction discarded because of previous errors."),
                "{refused}: {answers:?}"
            );
            assert_eq!(answers[2], Reply::NullBulk, "{refused}: nothing was executed");
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn a_transaction_that_waits_for_its_client_holds_up_nobody() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut slow = connect(scene.address()).await;
    ask_all(&mut slow, &["MULTI", "INCR counter"]).await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(connect(scene.address()).await);
    }
    for other in &mut others {
        assert_eq!(increment(other, 5).await, 5, "nobody comes between");
    }
    tell(&mut slow, "EXEC").await;
    assert_eq!(answer(&mut slow).await, Reply::from(vec![21.into()]));
    scene.end().await;
}
