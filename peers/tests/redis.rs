//! The Redis client, the echo server and the load, beside a real server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

use bytes::BytesMut;
use peers::load::{self, Plan};
use peers::process::RedisServer;
use peers::redis::{Client, GetLoad, Reply, echo, request, stock};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

const SHORTLY: Duration = Duration::from_millis(100);

fn ok() -> Reply {
    Reply::Simple("OK".to_owned())
}

fn server() -> RedisServer {
    RedisServer::start::<&str>(&[]).unwrap()
}

/// The echo server, on a thread of its own for as long as the test process lives.
fn echo_server() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build_local(tokio::runtime::LocalOptions::default()).unwrap();
        runtime.block_on(async {
            listener.set_nonblocking(true).unwrap();
            echo::serve(tokio::net::TcpListener::from_std(listener).unwrap()).await
        })
    });
    address
}

#[tokio::test]
async fn what_a_real_server_answers_is_read_as_what_it_is() {
    let server = RedisServer::start(&["--enable-debug-command", "yes"]).unwrap();
    let mut client = Client::connect(server.address()).await.unwrap();
    assert!(client.call(&["SET", "text", "a\r\nb"]).await.unwrap().is_ok());
    assert_eq!(client.call(&["GET", "text"]).await.unwrap(), "a\r\nb".into());
    assert_eq!(client.call(&["GET", "none"]).await.unwrap(), Reply::NullBulk);
    assert_eq!(client.call(&["BLPOP", "none", "0.001"]).await.unwrap(), Reply::NullArray);
    assert!(client.call(&["FLY"]).await.unwrap().error().unwrap().starts_with("ERR unknown"));
    let hello = client.call(&["HELLO", "3"]).await.unwrap();
    assert_eq!(hello.get("proto"), Some(&3.into()));
    assert_eq!(client.call(&["GET", "none"]).await.unwrap(), Reply::Null);
    let attributed = client.call(&["DEBUG", "PROTOCOL", "attrib"]).await.unwrap();
    assert!(
        matches!(attributed, Reply::Attributed(pairs, reply) if pairs.len() == 1 && reply.text().is_some())
    );
    assert!(
        matches!(client.call(&["INFO", "server"]).await.unwrap(), Reply::Verbatim(format, _) if format == "txt")
    );
    client.call(&["ZADD", "z", "1.5", "a"]).await.unwrap();
    assert_eq!(client.call(&["ZSCORE", "z", "a"]).await.unwrap(), Reply::Double("1.5".to_owned()));
    client.call(&["SADD", "s", "a"]).await.unwrap();
    assert_eq!(client.call(&["SMEMBERS", "s"]).await.unwrap(), Reply::Set(vec!["a".into()]));
}

#[tokio::test]
async fn replies_come_in_the_order_of_commands_whatever_the_split_of_their_bytes() {
    let server = server();
    let mut client = Client::connect(server.address()).await.unwrap();
    let replies = client.pipeline(&[&["SET", "a", "1"][..], &["INCR", "a"], &["GET", "a"]]).await.unwrap();
    assert_eq!(replies, [ok(), 2.into(), "2".into()]);
    let mut out = BytesMut::from("INCR a\r\n");
    request(&["INCRBY", "a", "40"], &mut out);
    for byte in &out {
        client.send_raw(&[*byte]).await.unwrap();
    }
    assert_eq!(client.receive_raw().await.unwrap(), b":3\r\n");
    assert_eq!(client.receive().await.unwrap(), 43.into());
}

#[tokio::test]
async fn pushes_are_set_aside_until_they_are_asked_for() {
    let server = server();
    let mut other = Client::connect(server.address()).await.unwrap();
    let mut client = Client::connect(server.address()).await.unwrap();
    client.call(&["HELLO", "3"]).await.unwrap();
    client.send(&["SUBSCRIBE", "news"]).await.unwrap();
    let confirmed = Reply::Push(vec!["subscribe".into(), "news".into(), 1.into()]);
    assert_eq!(client.receive_any().await.unwrap(), confirmed);
    for number in ["1", "2"] {
        assert_eq!(other.call(&["PUBLISH", "news", number]).await.unwrap(), 1.into());
    }
    assert_eq!(client.call(&["ECHO", "x"]).await.unwrap(), "x".into());
    for number in ["1", "2"] {
        assert_eq!(client.push().await.unwrap(), ["message".into(), "news".into(), number.into()]);
    }
    client.send(&["PING"]).await.unwrap();
    assert_eq!(client.push().await.unwrap_err().kind(), ErrorKind::InvalidData, "a reply is no push");
}

#[tokio::test]
async fn each_way_to_get_nothing_is_told_apart() {
    let mut server = server();
    let client = Client::connect(server.address()).await.unwrap();
    let mut client = client.with_patience(SHORTLY);
    assert_eq!(client.receive().await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(client.ended().await.unwrap_err().kind(), ErrorKind::TimedOut);
    client.send(&["QUIT"]).await.unwrap();
    assert!(client.receive().await.unwrap().is_ok());
    client.ended().await.unwrap();
    let mut client = Client::connect(server.address()).await.unwrap();
    client.half_close().await.unwrap();
    assert_eq!(client.receive().await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    let mut client = Client::connect(server.address()).await.unwrap();
    client.send(&["PING"]).await.unwrap();
    assert_eq!(client.ended().await.unwrap_err().kind(), ErrorKind::InvalidData, "it says something first");
    server.kill().unwrap();
    assert!(Client::connect(server.address()).await.is_err());
    let (here, mut there) = tokio::io::duplex(64);
    tokio::io::AsyncWriteExt::write_all(&mut there, b"HTTP/1.1\r\n").await.unwrap();
    assert_eq!(Client::over(here).receive().await.unwrap_err().kind(), ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_load_of_the_echo_server_and_of_a_real_one_loses_nothing() {
    let server = server();
    stock::fill(server.address(), 100).unwrap();
    for target in [echo_server(), server.address()] {
        let running = load::start(Plan::closed(target, 5, 7), GetLoad::new(100)).unwrap();
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while running.completed() < 20_000 && running.errors() == 0 {
            assert!(std::time::Instant::now() < end, "so many replies within 20 s");
            std::thread::yield_now();
        }
        let report = running.finish().await;
        assert_eq!((report.errors, report.closed, report.first_error), (0, 0, None));
        assert_eq!(report.sent, report.completed);
    }
}

#[tokio::test]
async fn a_key_without_its_value_is_an_error_of_the_load() {
    let server = server();
    let running = load::start(Plan::closed(server.address(), 1, 1), GetLoad::new(100)).unwrap();
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while running.errors() == 0 {
        assert!(std::time::Instant::now() < end, "an error within 20 s");
        std::thread::yield_now();
    }
    let error = running.finish().await.first_error.unwrap();
    assert!(error.contains("00100:0000000000") && error.contains("NullBulk"), "{error}");
}
