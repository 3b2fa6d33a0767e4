//! Which server gets a command: by its name, by its key, by who sends it; and who gets a copy.

use e2e::eventually::{eventually, eventually_eq};
use e2e::objects::{Route, Router, Rule, exact, not, prefix, regex};
use e2e::redis::{BY_KEY, SUBSETS, Servers, ask, ask_all, behind, connect, error, sharded};
use peers::redis::Reply;

async fn has(servers: &Servers, server: usize, key: &str) -> bool {
    ask(&mut servers.direct(server).await, &format!("EXISTS {key}")).await == Reply::Integer(1)
}

#[tokio::test]
async fn commands_go_where_their_name_and_their_key_send_them() {
    let servers = Servers::start(3).await;
    let router = Router::routes([
        Route::to("two").when("command", exact("INCR")),
        Route::to("three").when("key", prefix("session:")).when("command", not(&regex("GET|MGET"))),
        Route::to("two").when("command", prefix("CLUSTER")),
        Route::to("one").when("command", not(&exact("HGETALL"))),
    ]);
    let scene = behind(&servers).put("router", router).start().await;
    let mut client = connect(scene.address()).await;
    for (key, command, server) in [
        ("count", "INCR count", 1),
        ("count-2", "incr count-2", 1),
        ("session:1", "SET session:1 x", 2),
        ("session:2", "*3\r\n$5\r\nrPush\r\n$9\r\nsession:2\r\n$1\r\nx\r\n", 2),
        ("Session:3", "SET Session:3 x", 0),
        ("plain", "set plain x", 0),
        ("inline", "SET inline x\r\n", 0),
    ] {
        let answer = if command.ends_with('\n') {
            client.send_raw(command.as_bytes()).await.unwrap();
            client.receive().await.unwrap()
        } else {
            ask(&mut client, command).await
        };
        assert!(answer.error().is_none(), "{command:?}: {answer:?}");
        assert_eq!(servers.holder(key).await, server, "{command:?}");
    }
    assert_eq!(ask(&mut client, "GET session:1").await, Reply::NullBulk, "GET goes elsewhere");
    let unrouted = ask(&mut client, "HGETALL hash").await;
    for part in ["no route", "HGETALL"] {
        assert!(error(&unrouted).contains(part), "{unrouted:?}");
    }
    assert!(ask(&mut client, "SET plain y").await.is_ok(), "the connection lives");
    // Whatever is inside of a transaction goes where its first command went.
    let answers = ask_all(&mut client, &["MULTI", "SET session:9 x", "GET session:9", "EXEC"]).await;
    assert_eq!(answers[3].items().map(<[_]>::len), Some(2), "{answers:?}");
    assert_eq!(servers.holder("session:9").await, 2);
    scene.end().await;
}

#[tokio::test]
async fn clients_are_told_apart_by_where_they_come_from() {
    let servers = Servers::start(2).await;
    let elsewhere = Route::to("one").when("source.address", not(&prefix("127.")));
    let here = Route::to("two").when("Source.Address", exact("127.0.0.1"));
    let scene = behind(&servers).put("router", Router::routes([elsewhere, here])).start().await;
    let mut client = connect(scene.address()).await;
    assert!(ask(&mut client, "SET key x").await.is_ok());
    assert_eq!(servers.holder("key").await, 1);
    scene.end().await;
}

#[tokio::test]
async fn a_database_can_have_a_server_of_its_own() {
    let servers = Servers::start(2).await;
    let router = Router::routes([Route::to("two").when("db", exact("5")), Route::to("one")]);
    let scene = behind(&servers).put("router", router).start().await;
    let mut client = connect(scene.address()).await;
    let answers = ask_all(&mut client, &["SET key 0", "SELECT 5", "SET key 5", "SELECT 0", "GET key"]).await;
    assert_eq!(answers[4], Reply::from("0"), "{answers:?}");
    let mut direct = servers.direct(1).await;
    let answers = ask_all(&mut direct, &["DBSIZE", "SELECT 5", "GET key"]).await;
    assert_eq!((&answers[0], &answers[2]), (&Reply::Integer(0), &Reply::from("5")));
    scene.end().await;
}

#[tokio::test]
async fn a_change_of_routes_closes_no_connection() {
    let servers = Servers::start(2).await;
    let scene = behind(&servers).put("router", Router::routes([Route::to("one")])).start().await;
    let mut client = connect(scene.address()).await;
    let mut inside = connect(scene.address()).await;
    assert!(ask(&mut client, "SET key one").await.is_ok());
    ask_all(&mut inside, &["MULTI", "SET key inside"]).await;
    scene.folder().put("router", Router::routes([Route::to("two")]));
    eventually("the change is in force", async || {
        let seen = ask(&mut client, "GET key").await;
        if seen.is_null() { Ok(()) } else { Err(seen) }
    })
    .await;
    assert_eq!(ask(&mut inside, "EXEC").await.items().map(<[_]>::len), Some(1));
    assert_eq!(ask(&mut servers.direct(0).await, "GET key").await, Reply::from("inside"));
    scene.end().await;
}

#[tokio::test]
async fn only_what_is_written_is_mirrored_where_that_is_asked_for() {
    let servers = Servers::start(2).await;
    let route = Route::to("one").mirror("two", 100.0).mirror_writes();
    let scene = behind(&servers).put("router", Router::routes([route])).start().await;
    let mut client = connect(scene.address()).await;
    for number in 0..50 {
        let key = format!("key-{number}");
        let commands =
            [format!("SET {key} 1"), format!("GET {key}"), format!("INCR {key}"), format!("STRLEN {key}")];
        let answers = ask_all(&mut client, &commands.each_ref().map(String::as_str)).await;
        assert_eq!(answers[1..3], ["1".into(), Reply::Integer(2)]);
    }
    eventually_eq("all is copied", 50, async || {
        ask(&mut servers.direct(1).await, "DBSIZE").await.integer().unwrap()
    })
    .await;
    let mut copy = servers.direct(1).await;
    let stats = ask(&mut copy, "INFO commandstats").await;
    let stats = stats.text().unwrap().to_owned();
    assert!(stats.contains("cmdstat_set:calls=50,"), "{stats}");
    for read in ["cmdstat_get:", "cmdstat_strlen:"] {
        assert!(!stats.contains(read), "{stats}");
    }
    for number in 0..50 {
        eventually_eq("the copies came in order", Reply::from("2"), async || {
            ask(&mut copy, &format!("GET key-{number}")).await
        })
        .await;
    }
    scene.end().await;
}

#[tokio::test]
async fn all_is_mirrored_where_nothing_else_is_said_but_what_is_pinned() {
    let servers = Servers::start(2).await;
    let scene =
        behind(&servers).put("router", Router::routes([Route::to("one").mirror("two", 100.0)])).start().await;
    let mut client = connect(scene.address()).await;
    let answers =
        ask_all(&mut client, &["SET plain 1", "GET plain", "MULTI", "SET inside 1", "EXEC", "GET plain"])
            .await;
    assert!(answers.iter().all(|answer| answer.error().is_none()), "{answers:?}");
    let mut copy = servers.direct(1).await;
    eventually("the last one is copied", async || {
        let stats = ask(&mut copy, "INFO commandstats").await;
        if stats.text().unwrap().contains("cmdstat_get:calls=2,") { Ok(()) } else { Err(stats) }
    })
    .await;
    assert!(has(&servers, 1, "plain").await && !has(&servers, 1, "inside").await);
    scene.end().await;
}

#[tokio::test]
async fn a_mirror_that_does_not_answer_delays_nothing() {
    let servers = Servers::start(2).await;
    let scene =
        behind(&servers).put("router", Router::routes([Route::to("one").mirror("two", 100.0)])).start().await;
    let mut client = connect(scene.address()).await;
    assert!(ask(&mut client, "SET key 1").await.is_ok());
    servers[1].pause().unwrap();
    let begun = std::time::Instant::now();
    for number in 0..200 {
        assert!(ask(&mut client, &format!("SET key {number}")).await.is_ok());
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(3), "{:?}", begun.elapsed());
    servers[1].resume().unwrap();
    scene.end().await;
}

#[tokio::test]
async fn both_hash_policies_spread_keys_and_keep_them() {
    for policy in
        [BY_KEY, "loadBalancer: {consistentHash: {httpHeaderName: key, ringHash: {minimumRingSize: 1024}}}"]
    {
        let servers = Servers::start(3).await;
        let rule = Rule::subsets(&SUBSETS[..3]).policy(policy);
        let scene = sharded(&servers).put("rule", rule).start().await;
        let mut clients = [connect(scene.address()).await, connect(scene.address()).await];
        for number in 0..300 {
            assert!(ask(&mut clients[number % 2], &format!("SET key-{number} {number}")).await.is_ok());
        }
        for number in 0..300 {
            let value = ask(&mut clients[(number + 1) % 2], &format!("GET key-{number}")).await;
            assert_eq!(value, Reply::from(&*number.to_string()), "{policy}");
        }
        for server in 0..3 {
            let keys = ask(&mut servers.direct(server).await, "DBSIZE").await.integer().unwrap();
            assert!((40..=170).contains(&keys), "{policy}: server {server} has {keys} of 300");
        }
        scene.end().await;
    }
}

#[tokio::test]
async fn a_client_may_have_connections_of_its_own() {
    let servers = Servers::start(1).await;
    let router = Router::routes([Route::to("")]).options("downstream: {dedicated: true}");
    let scene = behind(&servers).put("router", router).start().await;
    let mut direct = servers.direct(0).await;
    let mut clients = Vec::new();
    for number in 0..5 {
        let mut client = connect(scene.address()).await;
        let answers =
            ask_all(&mut client, &["SELECT 3", "SET key 1", "MULTI", "INCR key", "EXEC", "GET key"]).await;
        assert_eq!(answers[5], Reply::from("2"), "{answers:?}");
        clients.push(client);
        let connected = e2e::redis::info(&mut direct, "connected_clients").await;
        assert!(connected > number + 1, "{connected} connections");
    }
    drop(clients);
    eventually_eq("they close with their clients", 1, async || {
        e2e::redis::info(&mut direct, "connected_clients").await
    })
    .await;
    scene.end().await;
}

#[tokio::test]
async fn unknown_commands_are_refused_unless_their_first_word_is_said_to_be_a_key() {
    let servers = Servers::start(3).await;
    let strict = sharded(&servers).start().await;
    let mut client = connect(strict.address()).await;
    let refused = ask(&mut client, "MODULE.GET key").await;
    assert!(error(&refused).contains("MODULE.GET"), "{refused:?}");
    assert!(ask(&mut client, "SET key 1").await.is_ok());
    strict.end().await;

    let router = Router::routes([Route::to("")]).options("downstream: {unknownCommands: first-key}");
    let scene = sharded(&servers).put("router", router).start().await;
    let mut client = connect(scene.address()).await;
    for number in 0..30 {
        let told = ask(&mut client, &format!("MODULE.GET key-{number}")).await;
        assert!(error(&told).starts_with("ERR unknown command"), "the servers' own words: {told:?}");
    }
    for server in 0..3 {
        let stats = ask(&mut servers.direct(server).await, "INFO errorstats").await;
        assert!(stats.text().unwrap().contains("errorstat_ERR:count="), "{stats:?}");
    }
    scene.end().await;
}
