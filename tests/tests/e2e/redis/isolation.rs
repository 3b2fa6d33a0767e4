//! What one client or one server does, no other client on a server that answers can tell.

use std::time::{Duration, Instant};

use e2e::eventually::eventually;
use e2e::objects::{Route, Router};
use e2e::redis::{Servers, answer, ask, ask_all, behind, connect, error, sharded, tell};
use e2e::scene::Scene;
use peers::redis::{Client, Reply};

const MS: Duration = Duration::from_millis(1);
/// What is answered at once is answered within this time, on a busy machine too.
const AT_ONCE: Duration = Duration::from_secs(2);
/// Clients that shall notice nothing: more than there are workers.
const NEIGHBOURS: usize = 6;

async fn clients(scene: &Scene) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..NEIGHBOURS {
        clients.push(connect(scene.address()).await);
    }
    clients
}

/// Each client's commands about these keys are answered at once: plain ones, pipelined ones, transactions.
async fn all_goes_on(clients: &mut [Client], keys: &[&str]) {
    for (number, client) in clients.iter_mut().enumerate() {
        for key in keys {
            let begun = Instant::now();
            let set = format!("SET {key} {number}");
            let get = format!("GET {key}");
            let push = format!("RPUSH list-{{{key}}} {number}");
            let pop = format!("BLPOP list-{{{key}}} 0");
            let commands = [&*set, &*get, "PING", "MULTI", &*get, "EXEC", &*push, &*pop, &*get];
            let answers = ask_all(client, &commands).await;
            let value = Reply::from(&*number.to_string());
            assert_eq!((&answers[1], &answers[8]), (&value, &value));
            assert_eq!(answers[5], Reply::from(vec![value.clone()]));
            assert!(begun.elapsed() < AT_ONCE, "client {number} waited {:?} for {key}", begun.elapsed());
        }
    }
}

#[tokio::test]
async fn a_client_that_blocks_blocks_itself_only() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut neighbours = clients(&scene).await;
    let mut blocked = clients(&scene).await;
    for (number, client) in blocked.iter_mut().enumerate() {
        tell(client, "SET mine 1").await;
        tell(client, if number % 2 == 0 { "BLPOP queue 0" } else { "XREAD BLOCK 0 STREAMS stream $" }).await;
        tell(client, "ECHO behind").await;
    }
    servers.until_blocked(0, NEIGHBOURS as u64).await;
    all_goes_on(&mut neighbours, &["key", "other"]).await;
    for number in 0..NEIGHBOURS / 2 {
        assert!(ask(&mut neighbours[0], &format!("RPUSH queue {number}")).await.integer().is_some());
    }
    ask(&mut neighbours[1], "XADD stream 1-1 field value").await;
    for client in &mut blocked {
        assert!(answer(client).await.is_ok());
        let popped = answer(client).await;
        assert!(popped.items().is_some_and(|items| !items.is_empty()), "{popped:?}");
        assert_eq!(answer(client).await, Reply::from("behind"));
    }
    scene.end().await;
}

#[tokio::test]
async fn a_blocking_command_whose_client_has_gone_pops_nothing() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut direct = servers.direct(0).await;
    let commands =
        ["BLPOP queue 0", "BRPOP queue other 0", "BLMOVE queue other LEFT LEFT 0", "BZPOPMIN queue 0"];
    for (round, command) in commands.into_iter().cycle().take(8).enumerate() {
        let mut client = connect(scene.address()).await;
        ask(&mut client, "SET before 1").await;
        tell(&mut client, command).await;
        servers.until_blocked(0, 1).await;
        if round < 4 {
            drop(client);
        } else {
            client.half_close().await.unwrap();
        }
        servers.until_blocked(0, 0).await;
        assert_eq!(ask(&mut direct, "RPUSH queue kept").await, Reply::Integer(1), "{command}");
        assert_eq!(ask(&mut direct, "LPOP queue").await, Reply::from("kept"), "{command}");
    }
    scene.end().await;
}

#[tokio::test]
async fn a_client_that_half_closes_still_gets_what_it_asked() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut client = connect(scene.address()).await;
    for words in ["SET key 1", "MULTI", "INCR key", "EXEC", "GET key"] {
        tell(&mut client, words).await;
    }
    client.half_close().await.unwrap();
    for _ in 0..4 {
        answer(&mut client).await;
    }
    assert_eq!(answer(&mut client).await, Reply::from("2"));
    client.ended().await.unwrap();
    scene.end().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_delays_its_own_keys_only() {
    let servers = Servers::start(3).await;
    let scene = sharded(&servers).start().await;
    let keys = servers.keys(scene.address(), 2).await;
    let [stuck, fine, also_fine] = [0, 1, 2].map(|server| keys[server][0].as_str());
    let mut neighbours = clients(&scene).await;
    let mut waiting = clients(&scene).await;
    all_goes_on(&mut neighbours, &[stuck, fine, also_fine]).await;
    for (number, client) in waiting.iter_mut().enumerate() {
        ask(client, &format!("SET {stuck}-{number} before")).await;
    }
    servers[0].pause().unwrap();
    for (number, client) in waiting.iter_mut().enumerate() {
        for words in [
            format!("GET {fine}"),
            format!("SET {{{stuck}}} {number}"),
            format!("GET {{{stuck}}}"),
            "ECHO end".into(),
        ] {
            tell(client, &words).await;
        }
        let last = Reply::from(&*(NEIGHBOURS - 1).to_string());
        assert_eq!(answer(client).await, last, "what was asked before is answered");
    }
    for _ in 0..5 {
        all_goes_on(&mut neighbours, &[fine, also_fine]).await;
    }
    servers[0].resume().unwrap();
    for client in &mut waiting {
        assert!(answer(client).await.is_ok());
        assert!(answer(client).await.text().is_some());
        assert_eq!(answer(client).await, Reply::from("end"));
    }
    all_goes_on(&mut neighbours, &[stuck, fine]).await;
    scene.end().await;
}

#[tokio::test]
async fn answers_that_come_after_their_timeout_reach_nobody() {
    let servers = Servers::start(3).await;
    let router = Router::routes([Route::to("").timeout("250ms")]);
    let scene = sharded(&servers).put("router", router).start().await;
    let keys = servers.keys(scene.address(), 1).await;
    let [stuck, fine] = [keys[0][0].as_str(), keys[1][0].as_str()];
    let mut neighbours = clients(&scene).await;
    let mut waiting = clients(&scene).await;
    for (number, client) in waiting.iter_mut().enumerate() {
        assert!(ask(client, &format!("SET {{{stuck}}}{number} {number}")).await.is_ok());
    }
    for _ in 0..3 {
        servers[0].pause().unwrap();
        for (number, client) in waiting.iter_mut().enumerate() {
            tell(client, &format!("GET {{{stuck}}}{number}")).await;
            tell(client, "ECHO behind").await;
        }
        all_goes_on(&mut neighbours, &[fine]).await;
        for client in &mut waiting {
            let begun = Instant::now();
            let refused = answer(client).await;
            assert!(error(&refused).contains("in time"), "{refused:?}");
            assert_eq!(answer(client).await, Reply::from("behind"));
            assert!(begun.elapsed() < 250 * MS + AT_ONCE, "{:?}", begun.elapsed());
        }
        servers[0].resume().unwrap();
        for (number, client) in waiting.iter_mut().enumerate() {
            let get = format!("GET {{{stuck}}}{number}");
            let value = Reply::from(&*number.to_string());
            eventually("it is answered again", async || {
                let seen = ask(client, &get).await;
                assert!(seen == value || seen.error().is_some(), "client {number} got {seen:?}");
                if seen == value { Ok(()) } else { Err(seen) }
            })
            .await;
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn a_transaction_that_its_server_does_not_answer_ends_with_its_client_unless_it_had_its_last_command() {
    let servers = Servers::start(1).await;
    let router = Router::routes([Route::to("").timeout("250ms")]);
    let scene = behind(&servers).put("router", router).start().await;
    let mut executing = connect(scene.address()).await;
    let mut watching = connect(scene.address()).await;
    ask_all(&mut executing, &["SET key 1", "MULTI", "INCR key"]).await;
    ask_all(&mut watching, &["WATCH key"]).await;
    servers[0].pause().unwrap();
    let refused = ask(&mut executing, "EXEC").await;
    assert!(error(&refused).contains("in time"), "nobody knows whether it was executed: {refused:?}");
    let refused = ask(&mut watching, "GET key").await;
    assert!(error(&refused).contains("in time"), "{refused:?}");
    watching.ended().await.unwrap();
    servers[0].resume().unwrap();
    eventually("it goes on behind its transaction", async || {
        let seen = ask(&mut executing, "GET key").await;
        if seen.text().is_some() { Ok(()) } else { Err(seen) }
    })
    .await;
    scene.end().await;
}

#[tokio::test]
async fn the_late_answer_to_an_exec_reaches_nobody() {
    let servers = Servers::start(1).await;
    let router = Router::routes([Route::to("").timeout("250ms")]);
    let scene = behind(&servers).put("router", router).workers(1).start().await;
    let mut client = connect(scene.address()).await;
    ask_all(&mut client, &["SET key 1", "MULTI", "INCR key"]).await;
    servers[0].pause().unwrap();
    assert!(error(&ask(&mut client, "EXEC").await).contains("in time"));
    servers[0].resume().unwrap();
    let mine = Reply::from(vec!["mine".into()]);
    for client in [&mut connect(scene.address()).await, &mut client] {
        eventually("it is served again", async || {
            let answers = ask_all(client, &["MULTI", "ECHO mine", "EXEC"]).await;
            assert!(answers[2] == mine || answers[2].error().is_some(), "not its own answer: {answers:?}");
            if answers[2] == mine { Ok(()) } else { Err(answers) }
        })
        .await;
        for _ in 0..20 {
            let answers = ask_all(client, &["MULTI", "ECHO mine", "EXEC", "ECHO after"]).await;
            assert_eq!(answers[2..], [mine.clone(), Reply::from("after")]);
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_nobody_waits_for_it() {
    /// Replies of 1 MiB that it asks for.
    const REPLIES: usize = 100;
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut neighbours = clients(&scene).await;
    let mut large = connect(scene.address()).await;
    let value = "x".repeat(1 << 20);
    assert!(large.call(&["SET", "large", &value]).await.unwrap().is_ok());
    all_goes_on(&mut neighbours, &["key"]).await;
    let before = scene.resident_bytes();
    let mut gone = connect(scene.address()).await;
    for _ in 0..REPLIES {
        tell(&mut gone, "GET large").await;
    }
    let mut most = 0;
    eventually("it is cut off", async || {
        all_goes_on(&mut neighbours, &["key"]).await;
        most = most.max(scene.resident_bytes());
        let stalled = scene.admin().metrics().await.count("meta_proxy_downstream_stalled_total", &[]);
        if stalled == 1 { Ok(()) } else { Err(stalled) }
    })
    .await;
    // 64 MiB may wait for it, and buffers may have room for more than they hold.
    assert!(most < before + (200 << 20), "{} MiB more than before", (most - before) >> 20);
    assert_eq!(ask(&mut large, "STRLEN large").await, Reply::Integer(1 << 20));
    scene.end().await;
}

#[tokio::test]
async fn a_whole_pipeline_may_be_sent_before_its_answers_are_read() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut client = connect(scene.address()).await;
    let value = "x".repeat(100 << 10);
    assert!(client.call(&["SET", "large", &value]).await.unwrap().is_ok());
    for number in 0..300 {
        tell(&mut client, "GET large").await;
        tell(&mut client, &format!("ECHO {number}")).await;
    }
    for number in 0..300 {
        assert_eq!(answer(&mut client).await.text(), Some(&*value));
        assert_eq!(answer(&mut client).await, Reply::from(&*number.to_string()));
    }
    scene.end().await;
}
