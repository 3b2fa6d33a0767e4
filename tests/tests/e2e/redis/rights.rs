//! Who may do what: users of the servers, and users of the proxy.

use std::fs;

use e2e::eventually::{eventually, off_thread};
use e2e::objects::{Route, Router};
use e2e::redis::{Servers, ask, ask_all, behind, connect, error, sharded};
use peers::redis::{Client, Reply};
use tokio::task::JoinSet;

/// Rules of the servers' users: what begins with their name is theirs, what begins with `all:` is everybody's.
const USERS: [&str; 3] = [
    "ACL SETUSER alice on >secret-of-alice ~alice:* ~all:* +@all",
    "ACL SETUSER bob on >secret-of-bob ~bob:* ~all:* +@all",
    "ACL SETUSER default on nopass resetkeys ~all:* +@all",
];

/// A server that knows alice and bob, and whose other clients may do little.
async fn server_with_users() -> Servers {
    let servers = Servers::start(1).await;
    let mut direct = servers.direct(0).await;
    for rule in USERS {
        assert!(ask(&mut direct, rule).await.is_ok(), "{rule}");
    }
    servers
}

/// Fails unless a client has the rights of this user, whatever others do meanwhile.
async fn has_rights_of(client: &mut Client, user: &str, rounds: usize) {
    for round in 0..rounds {
        for owner in ["alice", "bob", "all"] {
            let is_allowed = owner == user || owner == "all";
            let key = format!("{owner}:{round}");
            let commands =
                [format!("SET {key} {round}"), "MULTI".into(), format!("GET {key}"), "EXEC".into()];
            let answers = ask_all(client, &commands.each_ref().map(String::as_str)).await;
            let codes: Vec<_> = answers
                .iter()
                .map(|answer| answer.error().map(|text| text.split(' ').next().unwrap()))
                .collect();
            let expected = if is_allowed {
                [None; 4]
            } else {
                [Some("NOPERM"), None, Some("NOPERM"), Some("EXECABORT")]
            };
            assert_eq!(codes, expected, "{user} and {key}: {answers:?}");
        }
    }
}

#[tokio::test]
async fn auth_of_one_client_never_authenticates_another() {
    let servers = server_with_users().await;
    let scene = behind(&servers).start().await;
    let mut running = JoinSet::new();
    for number in 0..12 {
        let mut client = connect(scene.address()).await;
        running.spawn(async move {
            let user = ["alice", "bob", "default"][number % 3];
            has_rights_of(&mut client, "default", 5).await;
            let refused = ask(&mut client, &format!("AUTH {user} wrong")).await;
            if user == "default" {
                assert!(refused.is_ok(), "any password is right: {refused:?}");
            } else {
                assert!(error(&refused).starts_with("WRONGPASS "), "{refused:?}");
                has_rights_of(&mut client, "default", 2).await;
                let words =
                    if number % 2 == 0 { format!("AUTH {user}") } else { format!("HELLO 3 AUTH {user}") };
                let greeted = ask(&mut client, &format!("{words} secret-of-{user}")).await;
                assert!(greeted.error().is_none(), "{greeted:?}");
            }
            has_rights_of(&mut client, user, 30).await;
            let refused = ask(&mut client, "AUTH alice wrong").await;
            assert!(error(&refused).starts_with("WRONGPASS "), "{refused:?}");
            has_rights_of(&mut client, user, 5).await;
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    let mut late = connect(scene.address()).await;
    has_rights_of(&mut late, "default", 5).await;
    scene.end().await;
}

#[tokio::test]
async fn rights_begin_and_end_where_a_pipeline_says_so() {
    let servers = server_with_users().await;
    let scene = behind(&servers).start().await;
    let mut client = connect(scene.address()).await;
    let commands = [
        "SET alice:1 1",
        "AUTH alice secret-of-alice",
        "SET alice:1 2",
        "AUTH bob secret-of-bob",
        "GET alice:1",
        "AUTH bob wrong",
        "SET bob:1 3",
        "RESET",
        "GET bob:1",
    ];
    let answers = ask_all(&mut client, &commands).await;
    let told = |answer: &Reply| answer.error().or(answer.text()).unwrap_or_default()[..2].to_owned();
    let told: Vec<_> = answers.iter().map(told).collect();
    assert_eq!(told, ["NO", "OK", "OK", "OK", "NO", "WR", "OK", "RE", "NO"], "{answers:?}");
    scene.end().await;
}

/// A folder with these secrets, each in a file of its name.
fn secrets(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, secret) in files {
        fs::write(folder.path().join(name), secret).unwrap();
    }
    folder
}

#[tokio::test]
async fn the_proxy_authenticates_itself_where_its_clients_do_not() {
    let secrets = secrets(&[("password", "open sesame\n"), ("alice", "secret-of-alice")]);
    let file = |name: &str| secrets.path().join(name).display().to_string();

    let servers = Servers::with(&[&["--requirepass", "open sesame"][..]; 3]).await;
    let router =
        Router::routes([Route::to("")]).options(&format!("upstream: {{passwordFile: {}}}", file("password")));
    let scene = sharded(&servers).put("router", router).start().await;
    let mut client = connect(scene.address()).await;
    for number in 0..30 {
        assert!(ask(&mut client, &format!("SET key-{number} {number}")).await.is_ok());
    }
    assert_eq!(ask(&mut client, "DBSIZE").await, Reply::Integer(30));
    let answers = ask_all(&mut client, &["MULTI", "GET key-7", "EXEC", "SELECT 4", "GET key-7"]).await;
    assert_eq!((&answers[2], &answers[4]), (&Reply::from(vec!["7".into()]), &Reply::NullBulk));
    scene.end().await;

    let servers = server_with_users().await;
    let options = format!("upstream: {{user: alice, passwordFile: {}}}", file("alice"));
    let scene =
        behind(&servers).put("router", Router::routes([Route::to("")]).options(&options)).start().await;
    let mut client = connect(scene.address()).await;
    has_rights_of(&mut client, "alice", 3).await;
    assert!(ask(&mut client, "AUTH bob secret-of-bob").await.is_ok());
    has_rights_of(&mut client, "bob", 3).await;
    has_rights_of(&mut connect(scene.address()).await, "alice", 3).await;
    scene.end().await;
}

#[tokio::test]
async fn a_password_that_the_servers_refuse_is_told_to_each_client() {
    let secrets = secrets(&[("password", "wrong")]);
    let servers = Servers::with(&[&["--requirepass", "right"][..]]).await;
    let options = format!("upstream: {{passwordFile: {}}}", secrets.path().join("password").display());
    let scene =
        behind(&servers).put("router", Router::routes([Route::to("")]).options(&options)).start().await;
    for _ in 0..3 {
        let mut client = connect(scene.address()).await;
        for _ in 0..3 {
            let refused = ask(&mut client, "GET key").await;
            assert!(error(&refused).starts_with("WRONGPASS "), "{refused:?}");
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_named() {
    let missing = tempfile::tempdir().unwrap().path().join("nowhere");
    let servers = Servers::start(1).await;
    let options = format!("upstream: {{passwordFile: {}}}", missing.display());
    let setup = behind(&servers).put("router", Router::routes([Route::to("")]).options(&options));
    let missing = missing.display().to_string();
    let scene = setup.announce(&missing).start().await;
    eventually("the file is named", async || {
        let logged = scene.logged(&missing);
        if logged.is_empty() { Err("nothing is logged") } else { Ok(()) }
    })
    .await;
    scene.end().await;
}

#[tokio::test]
async fn the_proxy_asks_its_clients_for_a_password_where_it_is_told_to() {
    let secrets = secrets(&[("carol", "hers"), ("default", "everybodys")]);
    let file = |name: &str| secrets.path().join(name).display().to_string();
    let servers = Servers::start(1).await;
    let options = format!(
        "downstream: {{auth: {{users: [{{name: carol, passwordFile: {}}}, {{name: default, passwordFile: {}}}]}}}}",
        file("carol"),
        file("default")
    );
    let routes = [Route::to("").when("user", e2e::objects::exact("carol")), Route::to("")];
    let scene = behind(&servers).put("router", Router::routes(routes).options(&options)).start().await;
    let mut client = connect(scene.address()).await;
    for words in ["GET key", "MULTI", "SELECT 1", "SUBSCRIBE channel", "PING", "NO-SUCH-COMMAND"] {
        let refused = ask(&mut client, words).await;
        assert_eq!(refused.error(), Some("NOAUTH Authentication required."), "{words}");
    }
    for words in ["AUTH carol his", "AUTH hers", "AUTH dave hers", "HELLO 3 AUTH carol his"] {
        let refused = ask(&mut client, words).await;
        assert!(error(&refused).starts_with("WRONGPASS "), "{words}: {refused:?}");
        assert!(error(&ask(&mut client, "GET key").await).starts_with("NOAUTH "), "{words}");
    }
    assert!(ask(&mut client, "AUTH carol hers").await.is_ok());
    assert!(ask(&mut client, "SET key 1").await.is_ok());
    let mut other = connect(scene.address()).await;
    assert!(error(&ask(&mut other, "GET key").await).starts_with("NOAUTH "));
    assert!(matches!(ask(&mut other, "HELLO 3 AUTH default everybodys").await, Reply::Map(_)));
    assert_eq!(ask(&mut other, "GET key").await, Reply::from("1"));
    let mut third = connect(scene.address()).await;
    assert!(ask(&mut third, "AUTH everybodys").await.is_ok());
    assert_eq!(ask(&mut third, "GET key").await, Reply::from("1"));
    assert_eq!(ask(&mut third, "RESET").await, Reply::Simple("RESET".to_owned()));
    assert!(error(&ask(&mut third, "GET key").await).starts_with("NOAUTH "));
    scene.end().await;
}

#[tokio::test]
async fn the_real_client_authenticates_as_it_is_used_to() {
    let servers = server_with_users().await;
    let scene = behind(&servers).start().await;
    let address = scene.address();
    let run = move || {
        let mut command = std::process::Command::new("redis-cli");
        command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()]);
        command.args([
            "--no-auth-warning",
            "--user",
            "alice",
            "--pass",
            "secret-of-alice",
            "SET",
            "alice:1",
            "1",
        ]);
        e2e::command::run(command, e2e::eventually::SOON)
    };
    let ran = off_thread(run).await;
    assert_eq!((ran.code, ran.stdout.trim(), &*ran.stderr), (Some(0), "OK", ""));
    scene.end().await;
}
