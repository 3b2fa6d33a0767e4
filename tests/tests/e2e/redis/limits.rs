//! Rate limits as clients of Redis see them: an error in their protocol, and transactions that are done whole or not at
//! all.

use e2e::objects::{Route, Router};
use e2e::redis::{Servers, ask, ask_all, behind, connect, error};
use e2e::scene::Scene;
use peers::redis::Reply;

/// One server, and a bucket that is never filled again for commands whose name begins so.
async fn limited(prefix: &str, tokens: u32) -> (Scene, Servers) {
    let servers = Servers::start(1).await;
    let limit = format!(
        "conditions: [{{match: {{attributes: {{command: {{prefix: '{prefix}'}}}}}}, \
         tokenBucket: {{maxTokens: {tokens}, fillInterval: 720h}}}}]"
    );
    let router = Router::routes([Route::to("")]).limit(&limit);
    let scene = behind(&servers).put("router", router).start().await;
    (scene, servers)
}

const LIMITED: &str = "RATELIMITED the rate limit of this service is reached";

#[tokio::test]
async fn a_command_without_a_token_gets_an_error_in_its_turn() {
    let (scene, servers) = limited("SET", 2).await;
    let mut client = connect(scene.address()).await;
    let answers = ask_all(&mut client, &["SET a 1", "SET b 2", "GET a", "SET c 3", "GET b", "PING"]).await;
    assert_eq!(error(&answers[3]), LIMITED);
    assert_eq!((&answers[2], &answers[4]), (&Reply::from("1"), &Reply::from("2")));
    assert_eq!(error(&ask(&mut client, "SET d 4").await), LIMITED);
    assert_eq!(ask(&mut servers.direct(0).await, "DBSIZE").await, Reply::Integer(2));
    scene.end().await;
}

#[tokio::test]
async fn a_transaction_is_done_whole_or_not_at_all() {
    // MULTI itself takes no token: it is sent with the first command.
    for (tokens, executes) in [(0, false), (1, false), (2, false), (3, true)] {
        let (scene, servers) = limited("SET", tokens + 1).await;
        let mut client = connect(scene.address()).await;
        assert!(ask(&mut client, "SET before 0").await.is_ok());
        let commands = ["MULTI", "SET a 1", "SET b 2", "SET c 3", "EXEC"];
        let answers = ask_all(&mut client, &commands).await;
        assert_eq!(answers[4].items().map(<[_]>::len), executes.then_some(3), "{tokens}: {answers:?}");
        if !executes {
            assert!(error(&answers[4]).starts_with("EXECABORT"), "{answers:?}");
        }
        let keys = if executes { 4 } else { 1 };
        assert_eq!(ask(&mut servers.direct(0).await, "DBSIZE").await, Reply::Integer(keys), "{tokens}");
        assert_eq!(ask(&mut client, "GET before").await, Reply::from("0"), "the connection lives");
        scene.end().await;
    }
}

#[tokio::test]
async fn what_begins_and_ends_a_transaction_under_watch_is_never_refused() {
    let (scene, servers) = limited("", 3).await;
    let mut client = connect(scene.address()).await;
    // Three tokens: for WATCH, MULTI and SET. EXEC finds none.
    let answers = ask_all(&mut client, &["WATCH a", "MULTI", "SET a 1", "EXEC"]).await;
    assert_eq!(answers[3].items().map(<[_]>::len), Some(1), "{answers:?}");
    assert_eq!(error(&ask(&mut client, "GET a").await), LIMITED);
    // WATCH would begin to hold something; nothing was left to give it.
    let answers = ask_all(&mut client, &["WATCH a", "MULTI", "SET a 2", "EXEC"]).await;
    assert_eq!(error(&answers[0]), LIMITED);
    assert!(error(&answers[3]).starts_with("EXECABORT"), "{answers:?}");
    assert_eq!(ask(&mut servers.direct(0).await, "GET a").await, Reply::from("1"));
    scene.end().await;
}

#[tokio::test]
async fn a_transaction_on_a_connection_that_is_held_for_more_ends_without_a_token() {
    let (scene, servers) = limited("", 3).await;
    let mut client = connect(scene.address()).await;
    assert!(ask(&mut client, "CLIENT NO-EVICT ON").await.is_ok());
    let answers = ask_all(&mut client, &["MULTI", "SET a 1", "EXEC", "GET a"]).await;
    assert_eq!(answers[2].items().map(<[_]>::len), Some(1), "{answers:?}");
    assert_eq!(error(&answers[3]), LIMITED, "on a connection of one's own too");
    assert_eq!(ask(&mut servers.direct(0).await, "GET a").await, Reply::from("1"));
    scene.end().await;
}

#[tokio::test]
async fn a_pipelined_transaction_under_watch_that_runs_out_of_tokens_does_nothing() {
    let (scene, servers) = limited("", 2).await;
    let mut client = connect(scene.address()).await;
    // The first command holds an answer back, so that all others are read before anything is refused.
    let answers = ask_all(&mut client, &["WATCH a", "GET a", "MULTI", "SET a 1", "SET b 1", "EXEC"]).await;
    assert_eq!(error(&answers[3]), LIMITED);
    assert!(error(&answers[5]).starts_with("EXECABORT"), "{answers:?}");
    assert_eq!(ask(&mut servers.direct(0).await, "DBSIZE").await, Reply::Integer(0));
    scene.end().await;
}

#[tokio::test]
async fn a_subscription_can_be_ended_without_a_token() {
    let (scene, _servers) = limited("", 1).await;
    let mut client = connect(scene.address()).await;
    assert!(ask(&mut client, "SUBSCRIBE news").await.items().is_some());
    let ended = ask(&mut client, "UNSUBSCRIBE news").await;
    assert_eq!(ended.items().map(<[_]>::len), Some(3), "{ended:?}");
    assert_eq!(error(&ask(&mut client, "GET a").await), LIMITED);
    scene.end().await;
}
