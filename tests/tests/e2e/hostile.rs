//! Clients that mean harm, or do not know what they do: each hurts its own connection only, and memory stays bounded.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use e2e::calls::{calling, label, provider, started, who};
use e2e::eventually::{SOON, eventually_eq};
use e2e::objects::{Route, Router, Rule, Service, exact};
use e2e::scene::{Scene, Setup};
use e2e::wire::{Ended, Wire};
use peers::dubbo::{Behaviour, Header, Outcome, Provider, Reply, Value, status};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const MIB: usize = 1 << 20;

/// Two providers and a router that looks at attachments, so that every call is walked over.
async fn scene() -> (Scene, [Provider; 2]) {
    let [user, batch] = [provider("user").await, provider("batch").await];
    let service = Service::orders().endpoint("user", user.address()).endpoint("batch", batch.address());
    let router = Router::routes([Route::to("batch").when("batchJob", exact("true")), Route::to("user")]);
    let setup = Setup::new().put("service", service).put("rule", Rule::subsets(&["user", "batch"]));
    (setup.put("router", router).start().await, [user, batch])
}

/// A well-behaved client, which calls all the time while others do what they do.
struct Neighbour {
    stop: oneshot::Sender<()>,
    calling: JoinHandle<(usize, Duration)>,
}

impl Neighbour {
    async fn of(scene: &Scene) -> Self {
        let client = scene.client().await;
        let (stop, mut stopped) = oneshot::channel();
        let calling = tokio::spawn(async move {
            let (mut calls, mut slowest) = (0, Duration::ZERO);
            while stopped.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
                let answer = client.call(&calling("any").argument("text"), SOON).await;
                assert_eq!(label(&answer), "user");
                (calls, slowest) = (calls + 1, slowest.max(answer.after));
            }
            assert_eq!((client.is_closed(), client.received().strays), (false, 0));
            (calls, slowest)
        });
        Self { stop, calling }
    }

    /// Fails if one of its calls did not end well; how many there were, and the slowest of them.
    async fn end(self) -> (usize, Duration) {
        // Whether it still waits for the word or has failed shows in the next line.
        let _ = self.stop.send(());
        let (calls, slowest) =
            self.calling.await.unwrap_or_else(|error| panic!("a neighbour suffered: {error}"));
        assert!(calls > 0, "the neighbour never called");
        (calls, slowest)
    }
}

async fn protocol_errors(scene: &Scene) -> u64 {
    scene.admin().metrics().await.count("meta_proxy_downstream_protocol_errors_total", &[])
}

#[tokio::test]
async fn what_is_not_dubbo_ends_its_own_connection() {
    let (scene, _providers) = scene().await;
    let neighbour = Neighbour::of(&scene).await;
    let response = Reply::Value("mine".into()).frame(&Header::request(7), &[]);
    let mut negative = calling("any").request(1).to_vec();
    negative[12..16].copy_from_slice(&(-5_i32).to_be_bytes());
    let mut hello = vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    hello.resize(517, 0xaa);
    let rows: [(&str, Vec<u8>); 8] = [
        ("which looks like a TLS ClientHello", hello),
        (
            "which looks like an HTTP request",
            b"GET /orders HTTP/1.1\r\nHost: orders.shop.example\r\n\r\n".to_vec(),
        ),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("plain text", b"ls -l\r\n".to_vec()),
        ("this one with 00 00 00", vec![0; 4096]),
        ("this one with da bc", b"\xda\xbc\x02\x14".to_vec()),
        ("a client sent a response", response.to_vec()),
        ("a body of -5 bytes is announced", negative),
    ];
    for (number, (reason, bytes)) in (1..).zip(&rows) {
        let mut wire = Wire::to(scene.address()).await;
        wire.send(bytes).await;
        let Ended { received, .. } = wire.ended().await;
        assert_eq!(received, b"", "{reason}");
        eventually_eq(reason, 1, async || scene.logged(reason).len()).await;
        eventually_eq(reason, number, async || protocol_errors(&scene).await).await;
    }
    neighbour.end().await;
    scene.end().await;
}

#[tokio::test]
async fn garbage_behind_good_calls_ends_the_connection_after_their_answers() {
    let (scene, _providers) = scene().await;
    let mut wire = Wire::to(scene.address()).await;
    wire.send(&calling("who").request(1)).await;
    assert_eq!(wire.frame().await.header.id, 1);
    wire.send(b"garbage").await;
    assert_eq!(wire.ended().await.received, b"");
    scene.end().await;
}

#[tokio::test]
async fn half_a_message_is_no_message() {
    let (scene, [user, batch]) = scene().await;
    let neighbour = Neighbour::of(&scene).await;
    let active =
        async || scene.admin().metrics().await.count("meta_proxy_downstream_connections_active", &[]);
    let call = calling("half").argument(vec![7; 10_000]).request(1);
    for end in [1, 2, 15, 16, 17, 100, 5000, call.len() - 1] {
        let mut wire = Wire::to(scene.address()).await;
        wire.send(&call[..end]).await;
        wire.shut().await;
        assert_eq!(wire.ended().await.received, b"", "{end} bytes");
    }
    eventually_eq("only the neighbour is connected", 1, active).await;
    neighbour.end().await;
    let halves = |provider: &Provider| provider.seen().iter().filter(|seen| seen.method == "half").count();
    assert_eq!(halves(&user) + halves(&batch), 0);
    scene.end().await;
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_and_its_connection_lives() {
    let (scene, [user, _batch]) = scene().await;
    let neighbour = Neighbour::of(&scene).await;
    let client = scene.client().await;
    let before = scene.resident_bytes();
    for _call in 0..5 {
        let long = calling("long").argument(vec![7; 9 * MIB]);
        let answer = client.call(&long, SOON).await;
        let Outcome::Status(status::CLIENT_ERROR, text) = &answer.outcome else {
            panic!("{:?}", answer.outcome)
        };
        assert!(
            text.starts_with("the request of 943") && text.ends_with("longer than maxMessageBytes, 8388608"),
            "{text}"
        );
        assert_eq!(who(&client, &calling("who")).await, "user");
    }
    let grown = scene.resident_bytes().saturating_sub(before);
    assert!(grown < 4 * MIB, "what is refused is not kept: {} KiB more", grown >> 10);
    assert!(user.seen().iter().all(|seen| seen.method != "long"));
    neighbour.end().await;
    scene.end().await;
}

#[tokio::test]
async fn announced_bytes_take_no_memory_before_they_come() {
    let (scene, _providers) = scene().await;
    let neighbour = Neighbour::of(&scene).await;
    let before = scene.resident_bytes();
    let mut announced = calling("any").request(1).to_vec();
    announced[12..16].copy_from_slice(&(8 * MIB as u32).to_be_bytes());
    let mut wires = Vec::new();
    for _connection in 0..200 {
        let mut wire = Wire::to(scene.address()).await;
        assert!(wire.send(&announced).await);
        wires.push(wire);
    }
    let received = async || {
        let bytes = scene.admin().metrics().await.count("meta_proxy_downstream_received_bytes_total", &[]);
        bytes >= 200 * announced.len() as u64
    };
    eventually_eq("all have come", true, received).await;
    let grown = scene.resident_bytes().saturating_sub(before);
    assert!(grown < 16 * MIB, "1,600 MiB are announced, {} KiB taken", grown >> 10);
    neighbour.end().await;
    scene.end().await;
}

/// A request whose arguments are these bytes; the descriptor names one object.
fn with_argument(bytes: Vec<u8>) -> Bytes {
    calling("bomb").argument(Value::Raw(bytes)).request(1)
}

#[tokio::test]
async fn hessian_that_is_made_to_hurt_is_carried_or_refused_and_hurts_nobody() {
    let (scene, [user, _batch]) = scene().await;
    let neighbour = Neighbour::of(&scene).await;
    let deep = |open: &[u8], depth: usize| open.repeat(depth);
    let definitions = |count: usize| b"C\x01a\x90".repeat(count);
    let rows: [(&str, Vec<u8>); 12] = [
        ("untyped lists in lists", deep(b"\x57", 200_000)),
        ("lists of one in lists of one", deep(b"\x79", 200_000)),
        ("maps in maps", deep(b"H\x90", 200_000)),
        ("typed maps in maps", deep(b"M\x01a\x90", 100_000)),
        ("objects in objects", [b"C\x01a\x91\x01b".to_vec(), deep(b"\x60", 200_000)].concat()),
        ("a list of two billion", b"\x58I\x7f\xff\xff\xff".to_vec()),
        ("a list of minus one", b"\x58I\xff\xff\xff\xff".to_vec()),
        ("a class of two billion fields", b"C\x01aI\x7f\xff\xff\xff".to_vec()),
        ("a hundred thousand classes", definitions(100_000)),
        ("a text that is longer than its message", b"S\xff\xffabc".to_vec()),
        ("a text that never ends", b"R\x00\x01a".repeat(50_000)),
        ("an object of a class that was not defined", b"O\xd4\x00".to_vec()),
    ];
    let before = scene.resident_bytes();
    for (what, bytes) in rows {
        let mut wire = Wire::to(scene.address()).await;
        assert!(wire.send(&with_argument(bytes)).await, "{what}");
        let frame = wire.frame().await;
        // The provider cannot read it, and says so; the proxy has only to carry it.
        assert_eq!((frame.header.id, frame.header.status), (1, status::BAD_REQUEST), "{what}");
        wire.send(&calling("who").request(2)).await;
        assert_eq!(wire.frame().await.header.id, 2, "{what}: the connection lives");
    }
    let grown = scene.resident_bytes().saturating_sub(before);
    assert!(grown < 16 * MIB, "{} KiB more", grown >> 10);
    assert_eq!(user.counts().malformed, 12);
    neighbour.end().await;
    scene.end().await;
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_answered_and_its_connection_lives() {
    let (scene, [user, _batch]) = scene().await;
    let client = scene.client().await;
    for body in [&b""[..], b"\x05", b"\xff\xff\xff\xff", b"\x052.0.2\x01"] {
        let answer = client.call(&calling("").opaque(body.to_vec()), SOON).await;
        assert!(matches!(answer.outcome, Outcome::Status(status::BAD_REQUEST, _)), "{body:?}: {answer:?}");
    }
    assert_eq!(user.counts().requests, 0);
    assert_eq!(who(&client, &calling("who")).await, "user");
    scene.end().await;
}

#[tokio::test]
async fn bytes_that_come_one_by_one_are_the_same_message() {
    let (scene, [user, _batch]) = scene().await;
    let neighbour = Neighbour::of(&scene).await;
    let call = calling("slow").argument(vec![7; 10_000]).attachment("batchJob", "false").request(1);
    let mut wire = Wire::to(scene.address()).await;
    for byte in &call {
        assert!(wire.send(&[*byte]).await);
        tokio::task::yield_now().await;
    }
    let (reply, _) = Reply::read(&wire.frame().await).unwrap();
    assert_eq!(reply, Reply::Value("user".into()));
    assert_eq!(user.seen().iter().filter(|seen| seen.method == "slow").count(), 1);
    neighbour.end().await;
    scene.end().await;
}

#[tokio::test]
async fn ten_thousand_calls_in_one_write_are_all_answered() {
    let (scene, _providers) = scene().await;
    let neighbour = Neighbour::of(&scene).await;
    let client = scene.client().await;
    let pending: Vec<_> = (0..10_000).map(|_| client.send(&calling("any"))).collect();
    for pending in pending {
        assert_eq!(label(&pending.answer(SOON).await), "user");
    }
    neighbour.end().await;
    scene.end().await;
}

/// Looks at the memory of the process until a connection has been cut off; the most there was.
async fn most_memory_until_cut_off(scene: &Scene) -> usize {
    let mut most = 0;
    let stalled = async || {
        most = most.max(scene.resident_bytes());
        scene.admin().metrics().await.count("meta_proxy_downstream_stalled_total", &[])
    };
    eventually_eq("the client is cut off", 1, stalled).await;
    most
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_and_hurts_nobody() {
    let (scene, _providers) = scene_of_echo().await;
    let neighbour = Neighbour::of(&scene).await;
    let before = scene.resident_bytes();
    let mut wire = Wire::to(scene.address()).await;
    let call = calling("echo").argument(vec![7; 64 << 10]).request(1);
    let flood = async {
        let mut sent = 0;
        while wire.send(&call).await {
            sent += 1;
        }
        sent
    };
    let (most, sent) = tokio::join!(most_memory_until_cut_off(&scene), flood);
    // The requests that one client may have outstanding are 32 MiB at most, their buffers up to twice that.
    assert!(most - before < 96 * MIB, "{sent} calls of 64 KiB: {} KiB more", (most - before) >> 10);
    let (calls, slowest) = neighbour.end().await;
    assert!(slowest < Duration::from_secs(1), "{calls} calls, the slowest {slowest:?}");
    scene.end().await;
}

#[tokio::test]
async fn a_client_that_asks_for_much_and_never_reads_is_cut_off_and_hurts_nobody() {
    let (scene, _providers) = scene_of_echo().await;
    let neighbour = Neighbour::of(&scene).await;
    let before = scene.resident_bytes();
    let mut wire = Wire::to(scene.address()).await;
    let mut calls = BytesMut::new();
    for id in 0..4000 {
        calls.put_slice(&calling("big").request(id));
    }
    assert!(wire.send(&calls).await);
    let most = most_memory_until_cut_off(&scene).await;
    assert!(most - before < 300 * MIB, "1,000 MiB are asked for at once: {} KiB more", (most - before) >> 10);
    neighbour.end().await;
    scene.end().await;
}

/// Like [`scene`], with a provider that echoes, and answers 256 KiB to `big`.
async fn scene_of_echo() -> (Scene, Provider) {
    let builder = Provider::builder("user")
        .otherwise(Behaviour::Who)
        .on("echo", Behaviour::Echo)
        .on("big", Behaviour::Answer(Value::Bytes(vec![7; 256 << 10])))
        .remember(0);
    let user = started(builder).await;
    let service = Service::orders().endpoint("any", user.address());
    (Setup::new().put("service", service).start().await, user)
}

#[tokio::test]
async fn a_thousand_connections_come_and_go_and_leave_nothing() {
    let (scene, [user, batch]) = scene().await;
    let neighbour = Neighbour::of(&scene).await;
    let active =
        async || scene.admin().metrics().await.count("meta_proxy_downstream_connections_active", &[]);
    let mut after_the_first = 0;
    for round in 0..10 {
        for _connection in 0..100 {
            let mut wire = Wire::to(scene.address()).await;
            wire.send(&calling("any").attachment("batchJob", "true").request(1)).await;
        }
        eventually_eq("only the neighbour is connected", 1, active).await;
        if round == 0 {
            after_the_first = scene.resident_bytes();
        }
    }
    let grown = scene.resident_bytes().saturating_sub(after_the_first);
    assert!(grown < 8 * MIB, "{} KiB more", grown >> 10);
    assert!(user.counts().connections <= 2 && batch.counts().connections <= 2, "one of each worker");
    neighbour.end().await;
    scene.end().await;
}

#[tokio::test]
async fn bytes_at_random_and_calls_with_a_few_wrong_bytes_never_end_the_proxy() {
    let (scene, _providers) = scene().await;
    let neighbour = Neighbour::of(&scene).await;
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let good =
        calling("any").argument(Value::map([("a", Value::list([1.into()]))])).attachment("batchJob", "true");
    for _connection in 0..500 {
        let mut bytes = good.request(1).to_vec();
        for _wrong in 0..random.usize(1..8) {
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
        }
        if random.u8(..) < 50 {
            bytes.resize(random.usize(1..2000), 0);
            random.fill(&mut bytes);
        }
        let mut wire = Wire::to(scene.address()).await;
        wire.send(&bytes).await;
        wire.shut().await;
        let Ended { .. } = wire.ended().await;
    }
    let client = scene.client().await;
    assert_eq!(who(&client, &calling("who")).await, "user", "seed {seed}");
    neighbour.end().await;
    scene.end().await;
}
