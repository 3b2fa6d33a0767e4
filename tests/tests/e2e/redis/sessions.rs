//! What a client says of itself holds for that client alone: its database, its name, its protocol, its silence.

use std::collections::BTreeMap;

use e2e::redis::{Servers, answer, ask, ask_all, behind, connect, error, sharded, tell};
use fastrand::Rng;
use peers::redis::{Client, Reply};
use tokio::task::JoinSet;

/// Clients, each in a database of its own; database 0 is nobody's.
const CLIENTS: u64 = 10;
/// Commands of each.
const COMMANDS: usize = 1000;
/// Commands that a client sends in one piece.
const AHEAD: usize = 20;
/// Keys, whose names all clients use.
const KEYS: u8 = 12;

/// A client's own idea of what its database holds.
struct Model {
    random: Rng,
    client: u64,
    values: BTreeMap<String, String>,
    written: u64,
}

impl Model {
    fn new(client: u64) -> Self {
        Self { random: Rng::with_seed(client), client, values: BTreeMap::new(), written: 0 }
    }

    fn key(&mut self) -> String {
        format!("key-{}", self.random.u8(0..KEYS))
    }

    fn value(&self, key: &str) -> Reply {
        self.values.get(key).map_or(Reply::NullBulk, |value| Reply::from(&**value))
    }

    /// Commands that belong together, and their answers.
    fn next(&mut self) -> Vec<(String, Reply)> {
        let (key, other) = (self.key(), self.key());
        self.written += 1;
        let value = format!("{}-{}", self.client, self.written);
        let ok = || Reply::Simple("OK".to_owned());
        let queued = || Reply::Simple("QUEUED".to_owned());
        match self.random.u8(0..12) {
            0..4 => {
                self.values.insert(key.clone(), value.clone());
                vec![(format!("SET {key} {value}"), ok())]
            }
            4..7 => vec![(format!("GET {key}"), self.value(&key))],
            7 => {
                let both = vec![self.value(&key), self.value(&other)];
                vec![(format!("MGET {key} {other}"), Reply::Array(both))]
            }
            8 => {
                let removed = self.values.remove(&key).is_some();
                vec![(format!("DEL {key}"), Reply::Integer(removed.into()))]
            }
            9 => vec![(format!("SELECT {}", self.client), ok())],
            10 => {
                let seen = self.value(&key);
                self.values.insert(key.clone(), value.clone());
                let results = Reply::Array(vec![seen, ok()]);
                vec![
                    ("MULTI".to_owned(), ok()),
                    (format!("GET {key}"), queued()),
                    (format!("SET {key} {value}"), queued()),
                    ("EXEC".to_owned(), results),
                ]
            }
            _ => {
                let popped = Reply::from(vec![Reply::from("list"), Reply::from(&*value)]);
                vec![(format!("RPUSH list {value}"), Reply::Integer(1)), ("BLPOP list 0".to_owned(), popped)]
            }
        }
    }
}

/// One client's commands, each answer compared with what it must be.
async fn live(mut client: Client, number: u64) -> Model {
    let mut model = Model::new(number);
    assert!(ask(&mut client, &format!("SELECT {number}")).await.is_ok());
    let mut done = 0;
    while done < COMMANDS {
        let mut ahead = Vec::new();
        while ahead.len() < AHEAD {
            ahead.extend(model.next());
        }
        let commands: Vec<_> = ahead.iter().map(|(command, _)| command.as_str()).collect();
        let answers = ask_all(&mut client, &commands).await;
        for ((command, expected), answer) in ahead.iter().zip(answers) {
            assert_eq!(answer, *expected, "client {number}: {command}");
        }
        done += ahead.len();
    }
    model
}

#[tokio::test]
async fn select_of_one_client_never_moves_another() {
    for count in [1, 3] {
        let servers = Servers::start(count).await;
        let scene = if count == 1 { behind(&servers) } else { sharded(&servers) }.start().await;
        let mut running = JoinSet::new();
        for number in 1..=CLIENTS {
            let client = connect(scene.address()).await;
            running.spawn(live(client, number));
        }
        let mut bystander = connect(scene.address()).await;
        while let Some(ended) = running.join_next().await {
            let model = ended.unwrap();
            let mut keys = 0;
            for server in 0..count {
                let mut direct = servers.direct(server).await;
                assert!(ask(&mut direct, &format!("SELECT {}", model.client)).await.is_ok());
                keys += ask(&mut direct, "DBSIZE").await.integer().unwrap() as usize;
            }
            assert_eq!(keys, model.values.len(), "keys of client {}", model.client);
            assert_eq!(ask(&mut bystander, "GET key-0").await, Reply::NullBulk);
        }
        assert_eq!(ask(&mut bystander, "DBSIZE").await, Reply::Integer(0));
        scene.end().await;
    }
}

#[tokio::test]
async fn a_select_that_the_server_refuses_changes_nothing() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut client = connect(scene.address()).await;
    let commands =
        ["SELECT 3", "SET key three", "SELECT 99", "GET key", "SELECT x", "GET key", "SELECT 0", "GET key"];
    let answers = ask_all(&mut client, &commands).await;
    assert_eq!(answers[2].error(), Some("ERR DB index is out of range"));
    assert!(error(&answers[4]).starts_with("ERR "), "{answers:?}");
    assert_eq!((&answers[3], &answers[5]), (&Reply::from("three"), &Reply::from("three")));
    assert_eq!(answers[7], Reply::NullBulk);
    scene.end().await;
}

#[tokio::test]
async fn reset_takes_back_what_a_client_said_of_itself() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut client = connect(scene.address()).await;
    let mut neighbour = connect(scene.address()).await;
    assert!(ask(&mut neighbour, "SELECT 7").await.is_ok());
    assert!(matches!(ask(&mut client, "HELLO 3 SETNAME one").await, Reply::Map(_)));
    assert!(ask(&mut client, "SELECT 7").await.is_ok());
    assert!(ask(&mut client, "SET key seven").await.is_ok());
    assert_eq!(ask(&mut client, "CLIENT GETNAME").await, Reply::from("one"));
    assert_eq!(ask(&mut client, "GET none").await, Reply::Null, "RESP3");
    for begun in [&["MULTI", "SET key eight"][..], &["WATCH key"], &[]] {
        ask_all(&mut client, begun).await;
        assert_eq!(ask(&mut client, "RESET").await, Reply::Simple("RESET".to_owned()));
        assert_eq!(ask(&mut client, "GET key").await, Reply::NullBulk, "database 0, RESP2");
        assert!(ask(&mut client, "CLIENT GETNAME").await.is_null());
    }
    assert_eq!(ask(&mut neighbour, "GET key").await, Reply::from("seven"));
    scene.end().await;
}

#[tokio::test]
async fn each_client_is_answered_in_the_protocol_that_it_said_hello_in() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut old = connect(scene.address()).await;
    assert_eq!(ask(&mut old, "HSET hash field value").await, Reply::Integer(1));
    let mut clients = Vec::new();
    for number in 0..10 {
        let mut client = connect(scene.address()).await;
        if number % 2 == 1 {
            let hello = ask(&mut client, "HELLO 3").await;
            assert_eq!(hello.get("proto"), Some(&Reply::Integer(3)), "{hello:?}");
        }
        clients.push(client);
    }
    let pair = || (Reply::from("field"), Reply::from("value"));
    for _ in 0..5 {
        for (number, client) in clients.iter_mut().enumerate() {
            let is_new = number % 2 == 1;
            let (field, value) = pair();
            let expected = if is_new { Reply::Map(vec![pair()]) } else { Reply::Array(vec![field, value]) };
            assert_eq!(ask(client, "HGETALL hash").await, expected);
        }
    }
    let refused = ask(&mut clients[1], "HELLO 4").await;
    assert!(error(&refused).starts_with("NOPROTO "), "{refused:?}");
    assert_eq!(ask(&mut clients[1], "GET none").await, Reply::Null, "still RESP3");
    assert_eq!(ask(&mut clients[1], "HELLO 2").await.get("proto"), Some(&Reply::Integer(2)));
    assert_eq!(ask(&mut clients[1], "GET none").await, Reply::NullBulk);
    assert_eq!(ask(&mut clients[3], "GET none").await, Reply::Null);
    scene.end().await;
}

#[tokio::test]
async fn a_name_is_its_clients_own() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(connect(scene.address()).await);
    }
    for (number, client) in clients.iter_mut().enumerate().skip(1) {
        assert!(ask(client, &format!("CLIENT SETNAME client-{number}")).await.is_ok());
        assert!(ask(client, "CLIENT SETINFO lib-name mine").await.is_ok());
    }
    let mut ids = Vec::new();
    for (number, client) in clients.iter_mut().enumerate() {
        let name = ask(client, "CLIENT GETNAME").await;
        if number == 0 {
            assert!(name.is_null(), "{name:?}");
        } else {
            assert_eq!(name, Reply::from(&*format!("client-{number}")));
        }
        ids.push(ask(client, "CLIENT ID").await.integer().unwrap());
        assert_eq!(ids[number], ask(client, "CLIENT ID").await.integer().unwrap(), "it stays the same");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), clients.len(), "ids are the clients' own");
    let refused = clients[1].call(&["CLIENT", "SETNAME", "a b"]).await.unwrap();
    assert!(error(&refused).starts_with("ERR Client names cannot contain spaces"), "{refused:?}");
    assert_eq!(ask(&mut clients[1], "CLIENT GETNAME").await, Reply::from("client-1"));
    scene.end().await;
}

#[tokio::test]
async fn a_client_that_wants_no_answers_silences_nobody_else() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut client = connect(scene.address()).await;
    let mut neighbour = connect(scene.address()).await;
    tell(&mut client, "CLIENT REPLY OFF").await;
    for number in 0..50 {
        tell(&mut client, &format!("SET key-{number} {number}")).await;
        assert_eq!(ask(&mut neighbour, "ECHO heard").await, Reply::from("heard"));
        assert!(ask(&mut neighbour, "SET mine 1").await.is_ok());
    }
    tell(&mut client, "BLPOP nothing 0.01").await;
    for words in ["MULTI", "SET key-0 zero", "EXEC", "PING", "SELECT 0", "GET key-0", "NO-SUCH-COMMAND"] {
        tell(&mut client, words).await;
    }
    tell(&mut client, "CLIENT REPLY ON").await;
    assert!(answer(&mut client).await.is_ok(), "nothing was answered before");
    assert_eq!(ask(&mut client, "MGET key-0 key-49").await, Reply::from(vec!["zero".into(), "49".into()]));
    tell(&mut client, "CLIENT REPLY SKIP").await;
    tell(&mut client, "GET key-0").await;
    assert_eq!(ask(&mut client, "GET key-1").await, Reply::from("1"));
    scene.end().await;
}

#[tokio::test]
async fn quit_is_answered_after_all_that_was_asked_before() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let mut client = connect(scene.address()).await;
    for words in ["SET key 1", "MULTI", "INCR key", "EXEC", "BLPOP nothing 0.05", "GET key", "QUIT"] {
        tell(&mut client, words).await;
    }
    let mut answers = Vec::new();
    for _ in 0..7 {
        answers.push(answer(&mut client).await);
    }
    assert_eq!(answers[3], Reply::from(vec![2.into()]));
    assert_eq!(answers[5], Reply::from("2"));
    assert!(answers[4].is_null() && answers[6].is_ok(), "{answers:?}");
    client.ended().await.unwrap();
    scene.end().await;
}
