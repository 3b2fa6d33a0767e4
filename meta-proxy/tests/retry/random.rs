//! Endpoints that do anything, and clients that ask for anything: how often a request is sent, and that it is answered.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, advance};

use crate::support::{Actor, Behaviour, Frame, run};
use crate::{Act, Stage, each, only};

/// How many clients there are in one scene, and how much each of them asks.
const CLIENTS: u64 = 6;
const REQUESTS: u64 = 20;
/// What one request may take.
const TIME: Duration = Duration::from_secs(1);

fn act(random: &mut Rng) -> Act {
    match random.u32(0..20) {
        0 | 1 => Act::HangUp,
        2 | 3 => Act::Silence,
        4 => Act::After(random.u64(1..400), 0),
        5..8 => Act::Answer(2),
        8 | 9 => Act::Answer(3),
        10 => Act::Answer(1),
        _ => Act::Answer(0),
    }
}

/// Asks one after the other; whatever happens, each is answered, and in time.
async fn client(mut client: Actor, number: u64, mut random: Rng) {
    for id in 0..REQUESTS {
        let method = if random.bool() { "get" } else { "put" };
        let began = Instant::now();
        client.send(&Frame::new(b'q', id, method, format!("{number}/{id}").as_bytes())).await;
        let answer = client.receive().await.expect("an answer");
        assert_eq!((answer.kind, answer.id), (b'r', id));
        assert!(began.elapsed() <= TIME + Duration::from_millis(5), "{:?}", began.elapsed());
    }
}

async fn scene(seed: u64) -> u64 {
    let mut random = Rng::with_seed(seed);
    let attempts = random.u32(1..5);
    let mut stage = Stage::empty();
    let count = random.u16(1..5);
    for number in 1..=count {
        let random = Rc::new(RefCell::new(random.fork()));
        stage.endpoint(number, move |_| act(&mut random.borrow_mut()));
    }
    if random.bool() {
        stage.world.endpoint("all", 9, Behaviour::Refuse);
    }
    stage.route(TIME.as_millis() as u64, Some(each(random.u64(50..400), only(attempts, "method", "get"))));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::task::spawn_local(client(stage.world.client(), number, random.fork())))
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    for number in 0..CLIENTS {
        for id in 0..REQUESTS {
            let payload = format!("{number}/{id}");
            let sent = stage.heard(&payload).len();
            let is_get = || {
                let heard = stage.heard.borrow();
                heard.iter().any(|one| one.payload == payload && one.method == "get")
            };
            let most = if is_get() { attempts as usize + 1 } else { 1 };
            assert!(sent <= most, "seed {seed}: {payload} was sent {sent} times, {most} are allowed");
        }
    }
    advance(Duration::from_mins(1)).await;
    let all = stage.world.telemetry.all_endpoints();
    let active: u64 = all.values().flatten().map(|one| one.active.get()).sum();
    assert_eq!(active, 0, "seed {seed}: nothing is left under way");
    stage.retries().0
}

#[test]
fn nothing_is_sent_more_often_than_it_may_be_and_everything_is_answered_in_time() {
    let mut retried = 0;
    for seed in 0..80 {
        run(async {
            retried += scene(seed).await;
        });
    }
    assert!(retried > 500, "{retried}");
}
