//! The Rust library `redis`, unmodified: its multiplexed connections, its connections of one thread, its subscriptions.
//!
//! Each test does with the proxy what it does with a server, in both versions of the protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use e2e::eventually::{SOON, eventually, off_thread};
use e2e::redis::{Servers, ask, behind};
use redis_rs::aio::MultiplexedConnection;
use redis_rs::streams::{StreamReadOptions, StreamReadReply};
use redis_rs::{
    AsyncCommands, AsyncConnectionConfig, Client, Commands, Connection, ConnectionAddr, Direction, ErrorKind,
    FromRedisValue, IntoConnectionInfo, ProtocolVersion, PushKind, RedisConnectionInfo, RedisError,
    RedisResult, Script, ServerErrorKind, Value, cmd, pipe,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How long a blocking command waits for what will come, in seconds.
const PATIENCE: f64 = 20.0;

/// The library at an address.
#[derive(Clone)]
struct At {
    address: SocketAddr,
    protocol: ProtocolVersion,
    way: &'static str,
}

impl At {
    fn client_with(&self, settings: RedisConnectionInfo) -> Client {
        let address = ConnectionAddr::Tcp(self.address.ip().to_string(), self.address.port());
        let info = address.into_connection_info().unwrap();
        Client::open(info.set_redis_settings(settings.set_protocol(self.protocol))).unwrap()
    }

    fn client(&self) -> Client {
        self.client_with(RedisConnectionInfo::default())
    }

    async fn connect(&self) -> MultiplexedConnection {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(SOON));
        self.client().get_multiplexed_async_connection_with_config(&config).await.unwrap()
    }

    fn key(&self, name: &str) -> String {
        format!("rust:{}:{name}", self.way)
    }

    fn is_resp3(&self) -> bool {
        self.protocol == ProtocolVersion::RESP3
    }
}

/// Does something directly and through the proxy, in both versions of the protocol.
async fn both_ways(works: impl AsyncFn(At)) {
    let servers = Servers::start(1).await;
    let rule = "ACL SETUSER tester on >secret ~* &* +@all -flushdb -flushall";
    assert!(ask(&mut servers.direct(0).await, rule).await.is_ok());
    let scene = behind(&servers).start().await;
    for (way, address) in [("direct", servers.address(0)), ("proxied", scene.address())] {
        for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
            eprintln!("{way}, {protocol:?}");
            works(At { address, protocol, way }).await;
            let left = ask(&mut servers.direct(0).await, "INFO keyspace").await;
            assert_eq!(left.text(), Some("# Keyspace\r\n"), "{way}, {protocol:?}: keys are left");
        }
    }
    scene.end().await;
}

/// Runs words as they are.
async fn raw<T: FromRedisValue>(db: &mut MultiplexedConnection, words: &str) -> RedisResult<T> {
    let mut words = words.split(' ');
    let mut command = cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    command.query_async(db).await
}

fn code<T: std::fmt::Debug>(result: Result<T, RedisError>) -> String {
    result.unwrap_err().code().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn values_of_all_kinds_come_back() {
    both_ways(async |at| {
        let mut db = at.connect().await;
        let (a, b) = (at.key("a"), at.key("b"));
        let bytes: Vec<u8> = (0..=255).chain(*b"\r\n$5\r\n*1\r\n").collect();
        for value in [bytes.clone(), Vec::new(), b"\r\n".to_vec(), vec![0; 1 << 20]] {
            db.set::<_, _, ()>(&a, &value).await.unwrap();
            assert!(db.get::<_, Vec<u8>>(&a).await.unwrap() == value, "{} bytes", value.len());
        }
        let large = bytes.repeat((16 << 20) / bytes.len());
        db.set::<_, _, ()>(&a, &large).await.unwrap();
        assert!(db.get::<_, Vec<u8>>(&a).await.unwrap() == large);
        assert_eq!(db.get::<_, Option<String>>(&b).await.unwrap(), None);
        assert_eq!(db.mget::<_, Vec<Option<i64>>>(&[&b, &b]).await.unwrap(), [None, None]);
        assert_eq!(db.del::<_, i64>(&[&a, &b]).await.unwrap(), 1);
        assert_eq!(db.hset_multiple::<_, _, _, ()>(&a, &[("x", 1), ("y", 2)]).await, Ok(()));
        let hash: BTreeMap<String, i64> = db.hgetall(&a).await.unwrap();
        assert_eq!(hash, BTreeMap::from([("x".into(), 1), ("y".into(), 2)]));
        assert_eq!(db.sadd::<_, _, i64>(&b, &["p", "q"]).await, Ok(2));
        assert_eq!(db.smembers::<_, BTreeSet<String>>(&b).await.unwrap().len(), 2);
        assert_eq!(code(db.get::<_, String>(&b).await), "WRONGTYPE");
        assert_eq!(code(raw::<()>(&mut db, "NO-SUCH-COMMAND").await), "ERR");
        assert_eq!(db.del::<_, i64>(&[&a, &b]).await, Ok(2));
        assert_eq!(db.zadd_multiple::<_, _, _, i64>(&a, &[(1.0, "one"), (2.5, "two")]).await, Ok(2));
        let scores: Vec<(String, f64)> = db.zrange_withscores(&a, 0, -1).await.unwrap();
        assert_eq!(scores, [("one".into(), 1.0), ("two".into(), 2.5)]);
        assert_eq!(db.pfadd::<_, _, bool>(&b, &["x", "y"]).await, Ok(true));
        assert_eq!(db.pfcount::<_, i64>(&b).await, Ok(2));
        assert_eq!(db.object_encoding::<_, String>(&a).await.unwrap(), "listpack");
        assert_eq!(db.expire::<_, bool>(&a, 100).await, Ok(true));
        assert!((95..=100).contains(&db.ttl::<_, i64>(&a).await.unwrap()));
        assert_eq!(db.del::<_, i64>(&[&a, &b]).await, Ok(2));
        assert_eq!(db.geo_add::<_, _, i64>(&a, (13.5, 38.25, "Palermo")).await, Ok(1));
        assert_eq!(db.geo_pos::<_, _, Vec<Vec<f64>>>(&a, "Palermo").await.unwrap()[0].len(), 2);
        assert_eq!(db.del::<_, i64>(&a).await, Ok(1));
    })
    .await;
}

#[tokio::test]
async fn pipelines_and_scans_answer_in_order() {
    both_ways(async |at| {
        let mut db = at.connect().await;
        let keys: Vec<_> = (0..1000).map(|number| at.key(&format!("{number}"))).collect();
        let (mut sets, mut gets) = (pipe(), pipe());
        for (number, key) in keys.iter().enumerate() {
            sets.set(key, number).ignore();
            gets.get(key);
        }
        sets.exec_async(&mut db).await.unwrap();
        let came: Vec<usize> = gets.query_async(&mut db).await.unwrap();
        assert_eq!(came, (0..1000).collect::<Vec<_>>());
        let mut found = BTreeSet::new();
        let mut scan = db.scan_match::<_, String>(at.key("*")).await.unwrap();
        while let Some(key) = scan.next_item().await {
            found.insert(key.unwrap());
        }
        drop(scan);
        assert_eq!(found, keys.iter().cloned().collect());
        let tasks: Vec<_> = (0..50)
            .map(|task| {
                let (mut db, key) = (db.clone(), keys[task].clone());
                tokio::spawn(async move {
                    for number in 0..20_usize {
                        db.set::<_, _, ()>(&key, number).await.unwrap();
                        assert_eq!(db.get::<_, usize>(&key).await, Ok(number));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(db.del::<_, i64>(&keys).await, Ok(1000));
    })
    .await;
}

/// Adds one to a number, as the library's guide does it; the tries that it took.
fn add_one(db: &mut Connection, key: &str, mut meanwhile: impl FnMut(usize)) -> (usize, i64) {
    let mut tries = 0;
    let (sum,): (i64,) = redis_rs::transaction(db, &[key], |db, pipe| {
        let value: i64 = db.get(key)?;
        meanwhile(tries);
        tries += 1;
        pipe.set(key, value + 1).ignore().get(key).query(db)
    })
    .unwrap();
    (tries, sum)
}

#[tokio::test]
async fn transactions_are_whole_and_watch_protects() {
    both_ways(async |at| {
        let (mut other, key) = (at.connect().await, at.key("watched"));
        let (a, b): (i64, i64) =
            pipe().atomic().incr(&key, 1).incr(&key, 1).query_async(&mut other).await.unwrap();
        assert_eq!((a, b), (1, 2));
        let mut wrong = pipe();
        wrong.atomic().incr(&key, 1).cmd("SET").arg(&key);
        assert_eq!(code(wrong.exec_async(&mut other).await), "EXECABORT");
        let at = at.clone();
        off_thread(move || {
            let mut db = at.client().get_connection().unwrap();
            let mut other = at.client().get_connection().unwrap();
            let conflict = |tries| {
                if tries == 0 {
                    other.set::<_, _, ()>(&key, 10).unwrap();
                }
            };
            assert_eq!(add_one(&mut db, &key, conflict), (2, 11), "the first try was in vain");
            assert_eq!(add_one(&mut db, &key, |_| {}), (1, 12));
            for (words, answer) in [("MULTI", "OK"), ("INCR", "QUEUED"), ("DISCARD", "OK")] {
                let mut command = cmd(words);
                if words == "INCR" {
                    command.arg(&key);
                }
                assert_eq!(command.query::<String>(&mut db).unwrap(), answer);
            }
            assert_eq!(db.get_del::<_, i64>(&key), Ok(12));
        })
        .await;
    })
    .await;
}

/// The text of the next push of this kind.
async fn pushed(pushes: &mut UnboundedReceiver<redis_rs::PushInfo>, kind: PushKind) -> Vec<Value> {
    loop {
        let next = tokio::time::timeout(SOON, pushes.recv()).await.expect("something is pushed");
        let push = next.expect("the connection lives");
        assert_ne!(push.kind, PushKind::Disconnection);
        if push.kind == kind {
            return push.data;
        }
    }
}

#[tokio::test]
async fn what_is_published_arrives() {
    both_ways(async |at| {
        let channel = at.key("news");
        let again = (at.clone(), channel.clone());
        off_thread(move || published(&again.0, &again.1)).await;
        if at.is_resp3() {
            shared_with_subscriptions(&at, &channel).await;
        }
    })
    .await;
}

/// Subscribes on a connection of its own, which is of use for commands afterwards.
fn published(at: &At, channel: &str) {
    let (mut db, mut listening) =
        (at.client().get_connection().unwrap(), at.client().get_connection().unwrap());
    listening.set_read_timeout(Some(SOON)).unwrap();
    let pattern = at.key("pat.*");
    let mut sub = listening.as_pubsub();
    sub.subscribe(channel).unwrap();
    sub.psubscribe(&pattern).unwrap();
    for number in 0..3 {
        assert_eq!(db.publish::<_, _, i64>(channel, number), Ok(1));
    }
    assert_eq!(db.publish::<_, _, i64>(at.key("pat.x"), "p"), Ok(1));
    for number in 0..3 {
        let message = sub.get_message().unwrap();
        assert_eq!((message.get_channel_name(), message.get_payload()), (channel, Ok(number)));
    }
    let message = sub.get_message().unwrap();
    assert_eq!((message.get_pattern(), message.get_payload()), (Ok(pattern.clone()), Ok("p".to_owned())));
    sub.unsubscribe(channel).unwrap();
    sub.punsubscribe(&pattern).unwrap();
    assert_eq!(db.publish::<_, _, i64>(channel, "late"), Ok(0));
    drop(sub);
    listening.set::<_, _, ()>(channel, "x").unwrap();
    assert_eq!(listening.get_del::<_, String>(channel).as_deref(), Ok("x"));
}

/// In RESP3 one connection has commands and subscriptions, plain and sharded, at the same time.
async fn shared_with_subscriptions(at: &At, channel: &str) {
    let (push, mut pushes) = unbounded_channel();
    let config = AsyncConnectionConfig::new().set_push_sender(push).set_response_timeout(Some(SOON));
    let mut db = at.client().get_multiplexed_async_connection_with_config(&config).await.unwrap();
    db.subscribe(channel).await.unwrap();
    cmd("SSUBSCRIBE").arg(channel).exec_async(&mut db).await.unwrap();
    for number in 0..20 {
        let key = at.key("between");
        db.set::<_, _, ()>(&key, number).await.unwrap();
        assert_eq!(db.publish::<_, _, i64>(channel, number).await, Ok(1));
        assert_eq!(db.spublish::<_, _, i64>(channel, number).await, Ok(1));
        assert_eq!(db.get_del::<_, i64>(&key).await, Ok(number));
        for kind in [PushKind::Message, PushKind::SMessage] {
            let data = pushed(&mut pushes, kind).await;
            assert_eq!(redis_rs::from_redis_value_ref::<i64>(&data[1]), Ok(number));
        }
    }
    db.unsubscribe(channel).await.unwrap();
    cmd("SUNSUBSCRIBE").arg(channel).exec_async(&mut db).await.unwrap();
    assert_eq!(db.publish::<_, _, i64>(channel, "late").await, Ok(0));
}

#[tokio::test]
async fn blocking_commands_wait_on_their_own_connection() {
    both_ways(async |at| {
        let (mut db, mut other) = (at.connect().await, at.connect().await);
        let (a, b, stream) = (at.key("a"), at.key("b"), at.key("stream"));
        let popped = {
            let (mut db, a) = (db.clone(), a.clone());
            tokio::spawn(async move { db.blpop::<_, (String, i64)>(&a, PATIENCE).await })
        };
        assert_eq!(other.blpop::<_, Option<(String, i64)>>(&b, 0.05).await, Ok(None));
        assert!(!popped.is_finished());
        other.rpush::<_, _, ()>(&a, 7).await.unwrap();
        assert_eq!(popped.await.unwrap(), Ok((a.clone(), 7)));
        other.rpush::<_, _, ()>(&a, 8).await.unwrap();
        assert_eq!(db.blmove::<_, _, i64>(&a, &b, Direction::Left, Direction::Right, PATIENCE).await, Ok(8));
        let id: String = db.xadd(&stream, "*", &[("n", 1)]).await.unwrap();
        let options = || StreamReadOptions::default().block(20_000);
        let read: StreamReadReply = db.xread_options(&[&stream], &["0"], &options()).await.unwrap();
        assert_eq!(read.keys[0].ids[0].id, id);
        db.xgroup_create::<_, _, _, ()>(&stream, "group", "0").await.unwrap();
        let mine = options().group("group", "me").count(1);
        let read: StreamReadReply = db.xread_options(&[&stream], &[">"], &mine).await.unwrap();
        assert_eq!(read.keys[0].ids[0].map["n"], Value::BulkString(b"1".to_vec()));
        assert_eq!(db.xack::<_, _, _, i64>(&stream, "group", &[&id]).await, Ok(1));
        assert_eq!(db.del::<_, i64>(&[&a, &b, &stream]).await, Ok(2));
    })
    .await;
}

#[tokio::test]
async fn scripts_and_functions_run() {
    both_ways(async |at| {
        let (mut db, key) = (at.connect().await, at.key("script"));
        let script = Script::new(&format!(
            "return redis.call('INCRBY', KEYS[1], ARGV[1]) -- {} {:?}",
            at.way, at.protocol
        ));
        for expected in [2, 4] {
            assert_eq!(script.key(&key).arg(2).invoke_async::<i64>(&mut db).await, Ok(expected));
        }
        let unknown = raw::<i64>(&mut db, &format!("EVALSHA {} 0", "f".repeat(40))).await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::Server(ServerErrorKind::NoScript));
        let name = format!("rust_{}", at.way);
        let code =
            format!("#!lua name={name}\nredis.register_function('{name}', function(keys) return #keys end)");
        let load = || cmd("FUNCTION").arg("LOAD").arg("REPLACE").arg(&code).clone();
        assert_eq!(load().query_async::<String>(&mut db).await.as_ref(), Ok(&name));
        assert_eq!(raw::<i64>(&mut db, &format!("FCALL {name} 1 {key}")).await, Ok(1));
        assert_eq!(db.del::<_, i64>(&key).await, Ok(1));
    })
    .await;
}

#[tokio::test]
async fn databases_names_and_users_are_each_connections_own() {
    both_ways(async |at| {
        let key = at.key("select");
        let settings = RedisConnectionInfo::default();
        let mut all = Vec::new();
        for number in [1, 2, 0] {
            let client = at.client_with(settings.clone().set_db(number));
            all.push(client.get_multiplexed_async_connection().await.unwrap());
        }
        for (number, db) in all.iter_mut().enumerate() {
            db.set::<_, _, ()>(&key, number).await.unwrap();
        }
        for (number, db) in all.iter_mut().enumerate() {
            assert_eq!(db.get_del::<_, usize>(&key).await, Ok(number));
        }
        raw::<()>(&mut all[0], "CLIENT SETNAME first").await.unwrap();
        let names = [
            raw::<Option<String>>(&mut all[0], "CLIENT GETNAME").await.unwrap(),
            raw(&mut all[1], "CLIENT GETNAME").await.unwrap(),
        ];
        assert_eq!(names[0].as_deref(), Some("first"));
        assert_ne!(names[1].as_deref(), Some("first"));
        let login = settings.clone().set_username("tester").set_password("secret");
        let mut user = at.client_with(login.clone()).get_multiplexed_async_connection().await.unwrap();
        assert_eq!(raw::<String>(&mut user, "ACL WHOAMI").await.as_deref(), Ok("tester"));
        assert_eq!(code(raw::<()>(&mut user, "FLUSHDB").await), "NOPERM");
        assert_eq!(raw::<String>(&mut all[2], "ACL WHOAMI").await.as_deref(), Ok("default"));
        let wrong = at.client_with(login.set_password("wrong")).get_multiplexed_async_connection().await;
        let refused = wrong.err().unwrap().to_string();
        assert!(
            refused.contains(if at.is_resp3() { "WRONGPASS" } else { "AuthenticationFailed" }),
            "{refused}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_cached_is_forgotten_when_another_writes_it() {
    both_ways(async |at| {
        if !at.is_resp3() {
            return;
        }
        let (mut other, key) = (at.connect().await, at.key("cached"));
        other.set::<_, _, ()>(&key, "old").await.unwrap();
        let config = AsyncConnectionConfig::new()
            .set_cache_config(redis_rs::caching::CacheConfig::new())
            .set_response_timeout(Some(Duration::from_secs(20)));
        let mut db = at.client().get_multiplexed_async_connection_with_config(&config).await.unwrap();
        for _ in 0..2 {
            assert_eq!(db.get::<_, String>(&key).await.as_deref(), Ok("old"));
        }
        assert_eq!(db.get_cache_statistics().unwrap().hit, 1);
        other.set::<_, _, ()>(&key, "new").await.unwrap();
        eventually("the new value is seen", async || match db.clone().get::<_, String>(&key).await {
            Ok(seen) if seen == "new" => Ok(()),
            seen => Err(seen),
        })
        .await;
        other.del::<_, ()>(&key).await.unwrap();
    })
    .await;
}
