//! Many clients, everything that they may ask, and endpoints that answer late, refuse, fall silent or hang up.
//!
//! Whatever happens: answers come in the order of the requests, one for each until the client is cut off, none is
//! another client's, and when all have gone nothing is left under way and hardly a connection.

use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep};

use crate::Accepted;
use crate::spread::keyed;
use crate::support::{Actor, Frame, World, run};

const METHODS: [&str; 20] = [
    "get",
    "get",
    "write",
    "write+keys:k0,k1",
    "keys:k0,k1,k2",
    "all",
    "home",
    "pin+keys:k0",
    "prepared+pin+keys:k1",
    "unpin",
    "alone+keys:k2",
    "timed:1+alone",
    "private",
    "last",
    "session:a",
    "session:b",
    "session:",
    "own",
    "reset",
    "alone+unwritable",
];

/// How many clients there are in one scene, and how much each of them asks.
const CLIENTS: u64 = 8;
const REQUESTS: u64 = 40;

/// Answers one connection's requests, well for most of the time.
async fn endpoint(mut connection: Actor, mut random: Rng) {
    while let Some(request) = connection.receive().await {
        let mut answer = Frame::response_to(&request);
        match random.u32(0..200) {
            0 => return,
            1 => while connection.receive().await.is_some() {},
            2..10 => sleep(Duration::from_millis(random.u64(1..3000))).await,
            10..20 => answer.status = 1,
            20..25
                if connection.try_send_bytes(&Frame::new(b'u', 0, "", b"push").encode()).await.is_err() =>
            {
                return;
            }
            _ => {}
        }
        if request.method == "unpin" && random.bool() {
            "unpin".clone_into(&mut answer.method);
        }
        if request.kind != b'1' && connection.try_send_bytes(&answer.encode()).await.is_err() {
            return;
        }
    }
}

fn accept(mut accepted: Accepted, mut random: Rng) {
    tokio::task::spawn_local(async move {
        while let Some(connection) = accepted.recv().await {
            tokio::task::spawn_local(endpoint(connection, random.fork()));
        }
    });
}

/// Asks all that it wants, in pieces, and goes in one of several ways; answers how many answers it got.
async fn client(mut client: Actor, number: u64, mut random: Rng) -> u64 {
    let mut methods = Vec::new();
    let mut answered = 0;
    let patience = if random.u32(0..8) == 0 { random.u64(0..REQUESTS) } else { REQUESTS };
    while answered < patience {
        let more = random.u64(1..6).min(REQUESTS - methods.len() as u64);
        for _ in 0..more {
            let (id, method) = (methods.len() as u64, METHODS[random.usize(..METHODS.len())]);
            methods.push(method);
            let frame = Frame::new(b'q', id, method, format!("{number}/{id}").as_bytes());
            if client.try_send_bytes(&frame.encode()).await.is_err() {
                return answered;
            }
        }
        while answered < methods.len() as u64 {
            let Some(answer) = client.receive().await else { return answered };
            if answer.kind == b'u' {
                continue;
            }
            let text = String::from_utf8_lossy(&answer.payload).into_owned();
            let method = methods[answered as usize];
            assert_eq!(answer.id, answered, "client {number}, {method}: {text}");
            let own = format!("{number}/{answered}");
            // An endpoint that echoes says less than one thing for each of several keys, and of what sets its connection
            // up it says the session's name.
            let is_fine =
                |item: &str| item == own || matches!(item, "?" | "a" | "b" | "") || item.starts_with('!');
            let is_own = answer.status == 9 || text == "own" || text.split([',', '|']).all(is_fine);
            assert!(is_own, "client {number}, request {answered}, {method}: {text}");
            answered += 1;
        }
    }
    if random.bool() {
        // It may have been cut off.
        let _ = client.try_send_bytes(b"cut").await;
    }
    answered
}

async fn scene(seed: u64) -> u64 {
    let mut random = Rng::with_seed(seed);
    let mut world: World = keyed();
    for number in 1..=3 {
        let accepted = world.accepting("all", number);
        accept(accepted, random.fork());
    }
    world.route(None, "all").timeout = Some(Duration::from_secs(2));
    world.apply();
    let start = |number| tokio::task::spawn_local(client(world.client(), number, random.fork()));
    let clients: Vec<JoinHandle<u64>> = (0..CLIENTS).map(start).collect();
    let mut answered = 0;
    for client in clients {
        answered += client.await.expect("its answers were in order");
    }
    // What was silent is given up, and what was pooled is closed.
    for _ in 0..300 {
        advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
    let all = world.telemetry.all_endpoints();
    let sum = |of: fn(&meta_proxy::telemetry::EndpointSeries) -> u64| -> u64 {
        all.values().flatten().map(|one| of(one)).sum()
    };
    assert_eq!(sum(|one| one.active.get()), 0, "seed {seed}: requests are left under way");
    assert!(
        sum(|one| one.connections.get()) <= 3,
        "seed {seed}: {} connections",
        sum(|one| one.connections.get())
    );
    answered
}

#[test]
fn whatever_happens_answers_are_in_order_and_nothing_is_left_behind() {
    let scenes = 60;
    let mut answered = 0;
    for seed in 0..scenes {
        run(async {
            answered += scene(seed).await;
        });
    }
    assert!(answered > scenes * CLIENTS * REQUESTS / 3, "{answered} answers");
}
