//! The consumer against the provider, over sockets and over in-memory pipes with a paused clock.

use bytes::Bytes;
use peers::dubbo::provider::Builder;
use peers::dubbo::{
    Behaviour, Call, Client, Header, Notice, OnAccept, Outcome, Provider, Refusing, Reply, Thrown, Value,
    status,
};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(10);
const MS: Duration = Duration::from_millis(1);

fn call(method: &str) -> Call {
    Call::new("com.acme.Orders", method)
}

async fn pair(builder: Builder) -> (Provider, Client) {
    let provider = builder.start().await.expect("a loopback port");
    let client = Client::connect(provider.address()).await.expect("it listens");
    (provider, client)
}

/// A provider and a consumer joined by a pipe: no socket, so that the paused clock runs by itself.
fn piped(builder: Builder) -> (Provider, Client) {
    let provider = builder.off_network();
    let (here, there) = tokio::io::duplex(1 << 20);
    provider.serve(there);
    (provider, Client::over(here))
}

async fn bounded<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, what).await.expect("not within 10 s")
}

#[tokio::test]
async fn a_payload_comes_back_and_the_label_is_told() {
    let (provider, client) = pair(Provider::builder("user")).await;
    let pojo = Value::object("com.acme.Order", [("id", Value::Long(1)), ("note", Value::Null)]);
    for argument in [Value::from("text"), Value::Bytes(vec![0; 100]), pojo, Value::Null] {
        let answer = client.call(&call("echo").argument(argument.clone()), SOON).await;
        assert_eq!(answer.outcome, Outcome::Value(argument));
    }
    assert_eq!(client.call(&call("who"), SOON).await.text(), Some("user"));
    assert_eq!(provider.counts().requests, 5);
    assert_eq!(provider.counts().answered, 5);
}

#[tokio::test]
async fn four_mebibytes_come_back() {
    let (_provider, client) = pair(Provider::builder("p")).await;
    let payload = Value::Bytes((0..4 << 20).map(|n: u32| n as u8).collect());
    let answer = client.call(&call("echo").argument(payload.clone()), SOON).await;
    assert!(answer.outcome == Outcome::Value(payload));
}

#[tokio::test]
async fn each_kind_of_failure_is_told_apart() {
    let thrown = Thrown::rpc(7, "too many");
    let (_provider, client) = pair(
        Provider::builder("p")
            .on("throw", Behaviour::Throw(thrown.clone()))
            .on("missing", Behaviour::Status(status::SERVICE_NOT_FOUND, "no such service".into()))
            .on("void", Behaviour::Answer(Value::Null))
            .on("close", Behaviour::Close),
    )
    .await;
    assert_eq!(client.call(&call("throw"), SOON).await.outcome, Outcome::Exception(thrown));
    let missing = client.call(&call("missing"), SOON).await;
    assert_eq!(missing.outcome, Outcome::Status(60, "no such service".into()));
    assert!(client.call(&call("void"), SOON).await.is_ok());
    let closed = client.call(&call("close"), SOON).await;
    assert_eq!(closed.outcome, Outcome::Closed("the other side closed".into()));
    assert!(client.is_closed());
    assert!(matches!(client.call(&call("void"), SOON).await.outcome, Outcome::Closed(_)));
}

#[tokio::test(start_paused = true)]
async fn neighbours_end_before_a_slow_call_on_the_same_connection() {
    let slow = Behaviour::After(2000 * MS, Box::new(Behaviour::Echo));
    let (_provider, client) = piped(Provider::builder("p").on("slow", slow).on("never", Behaviour::Silent));
    let (never, slow) = (client.send(&call("never")), client.send(&call("slow")));
    let quick: Vec<_> = (0..10).map(|_| client.send(&call("who"))).collect();
    for (nth, quick) in quick.into_iter().enumerate() {
        let answer = quick.answer(SOON).await;
        assert_eq!((answer.text(), answer.arrival), (Some("p"), Some(nth as u64)));
        assert_eq!(answer.after, Duration::ZERO);
    }
    let slow = slow.answer(SOON).await;
    assert!(slow.is_ok() && slow.after >= 2000 * MS && slow.after < 2010 * MS, "{:?}", slow.after);
    assert_eq!(client.outstanding(), 1);
    assert_eq!(never.answer(3000 * MS).await.outcome, Outcome::TimedOut);
    assert_eq!(client.outstanding(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_the_timeout_is_late_and_a_second_one_is_a_stray() {
    let after = |delay| Behaviour::After(delay, Box::new(Behaviour::Echo));
    let (_provider, client) =
        piped(Provider::builder("p").on("slow", after(100 * MS)).on("slower", after(200 * MS)));
    let answer = client.call(&call("slow"), 50 * MS).await;
    assert_eq!((answer.outcome, answer.after), (Outcome::TimedOut, 50 * MS));
    assert!(client.call(&call("slower"), SOON).await.is_ok());
    assert_eq!((client.received().late, client.received().strays), (1, 0));
    client.write(call("who").request(answer.id));
    assert!(client.call(&call("slower"), SOON).await.is_ok());
    assert_eq!((client.received().late, client.received().strays), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_workers_wait_their_turn() {
    let (provider, client) = piped(Provider::builder("p").workers(3, 10 * MS));
    let began = Instant::now();
    let pending: Vec<_> = (0..9).map(|n| (n, client.send(&call("echo").argument(n)))).collect();
    let mut after = Vec::new();
    for (nth, pending) in pending {
        let answer = pending.answer(SOON).await;
        assert_eq!((answer.outcome, answer.arrival), (Outcome::Value(Value::Int(nth)), Some(nth as u64)));
        after.push((answer.after.as_millis() / 10) as usize);
    }
    // tokio's timer may be a millisecond late at each of the three steps.
    assert_eq!(after, [1, 1, 1, 2, 2, 2, 3, 3, 3]);
    assert!(began.elapsed() < 40 * MS);
    let counts = provider.counts();
    assert_eq!(counts.worked, 9);
    assert!(counts.work_time >= 90 * MS && counts.work_time <= 99 * MS, "{:?}", counts.work_time);
}

#[tokio::test]
async fn what_was_sent_is_seen() {
    let (provider, client) = pair(Provider::builder("p").remember(2)).await;
    client.call(&call("forgotten"), SOON).await;
    client.oneway(&call("notify").attachment("batchJob", "true").attachment("retries", 3).version("1.1"));
    let opaque = call("").serialization(21).opaque(&b"\x08\x01"[..]);
    let answer = client.call(&opaque, SOON).await;
    assert_eq!(answer.outcome, Outcome::Opaque(Bytes::from_static(b"\x08\x01")));
    let seen = provider.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!((&*seen[0].method, &*seen[0].version, seen[0].two_way), ("notify", "1.1", false));
    assert_eq!(seen[0].attachment("batchJob").and_then(Value::text), Some("true"));
    assert_eq!(seen[0].attachment("retries"), Some(&Value::Int(3)));
    assert_eq!((&*seen[1].method, seen[1].serialization), ("", 21));
    assert_eq!((provider.counts().requests, provider.counts().oneways), (3, 1));
}

#[tokio::test]
async fn attachments_are_answered_only_to_those_who_understand_them() {
    let (_provider, client) = pair(Provider::builder("p").attachment("served-by", "p")).await;
    let answer = client.call(&call("who"), SOON).await;
    assert_eq!((answer.text(), answer.attachment("served-by")), (Some("p"), Some(&"p".into())));
    let old = client.call(&call("who").dubbo("2.0.1"), SOON).await;
    assert_eq!((old.text(), old.attachments.len()), (Some("p"), 0));
}

#[tokio::test]
async fn heartbeats_and_notices_pass_both_ways() {
    let (provider, client) = pair(Provider::builder("p")).await;
    assert!(client.heartbeat(SOON).await);
    assert_eq!(provider.announce(Notice::Heartbeat), 1);
    assert_eq!(provider.announce(Notice::ReadOnly), 1);
    assert_eq!(provider.announce(Notice::Writable), 1);
    // The answer comes behind the notices on the same connection.
    client.call(&call("who"), SOON).await;
    let received = client.received();
    assert_eq!((received.heartbeats, received.notices), (1, vec![Notice::ReadOnly, Notice::Writable]));
    client.call(&call("who"), SOON).await;
    assert_eq!((provider.counts().heartbeats, provider.counts().responses), (1, 1));
}

#[tokio::test]
async fn an_unreadable_body_gets_status_40_and_garbage_ends_the_connection() {
    let (provider, client) = pair(Provider::builder("p")).await;
    let answer = client.call(&call("").opaque(&b"\xff\xff"[..]), SOON).await;
    assert!(matches!(answer.outcome, Outcome::Status(status::BAD_REQUEST, _)), "{answer:?}");
    client.write(Bytes::from_static(b"GET / HTTP/1.1\r\n"));
    assert!(client.closed(SOON).await.is_some());
    assert_eq!(provider.counts().malformed, 2);
}

#[tokio::test]
async fn connections_are_refused_closed_reset_or_ignored_as_asked() {
    let refusing = Refusing::new().unwrap();
    let error = Client::connect(refusing.address()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);

    let (_closing, client) = pair(Provider::builder("p").accepting(OnAccept::Close)).await;
    assert_eq!(client.closed(SOON).await.as_deref(), Some("the other side closed"));

    let resetting = Provider::builder("p").accepting(OnAccept::Reset).start().await.unwrap();
    // The reset may come before `connect` has set up the socket.
    if let Ok(client) = Client::connect(resetting.address()).await {
        assert!(client.closed(SOON).await.unwrap().contains("reset"));
    }

    let (_ignoring, client) = pair(Provider::builder("p").accepting(OnAccept::Ignore)).await;
    assert_eq!(client.call(&call("who"), 20 * MS).await.outcome, Outcome::TimedOut);
    assert!(!client.is_closed());
}

#[tokio::test]
async fn a_close_can_be_made_a_reset() {
    let (_provider, client) =
        pair(Provider::builder("p").on("close", Behaviour::Close).reset_on_close()).await;
    let Outcome::Closed(why) = client.call(&call("close"), SOON).await.outcome else { panic!("still open") };
    assert!(why.contains("reset"), "{why}");
}

#[tokio::test]
async fn severed_connections_may_come_back_and_a_stopped_provider_is_gone() {
    let (provider, client) = pair(Provider::builder("p")).await;
    client.call(&call("who"), SOON).await;
    provider.sever();
    assert!(client.closed(SOON).await.is_some());
    let again = Client::connect(provider.address()).await.unwrap();
    assert!(again.call(&call("who"), SOON).await.is_ok());
    assert_eq!((provider.counts().connections, provider.counts().open), (2, 1));
    bounded(provider.stop()).await;
    assert!(again.closed(SOON).await.is_some());
    assert!(Client::connect(provider.address()).await.is_err());
    assert_eq!(provider.counts().open, 0);
}

#[tokio::test]
async fn a_dropped_client_closes_its_connection() {
    let (here, mut there): (DuplexStream, _) = tokio::io::duplex(1024);
    let client = Client::over(here);
    client.write(Bytes::from_static(b"x"));
    let mut byte = [0];
    bounded(there.read_exact(&mut byte)).await.unwrap();
    drop(client);
    assert_eq!(bounded(there.read(&mut byte)).await.unwrap(), 0);
}

#[tokio::test]
async fn a_message_in_pieces_is_one_message() {
    let (here, mut there) = tokio::io::duplex(1024);
    let client = Client::over(here);
    let pending = client.send(&call("m"));
    let reply = Reply::Value("whole".into()).frame(&Header::request(pending.id()), &[]);
    for byte in &reply[..] {
        there.write_all(&[*byte]).await.unwrap();
        there.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(pending.answer(SOON).await.text(), Some("whole"));
}
