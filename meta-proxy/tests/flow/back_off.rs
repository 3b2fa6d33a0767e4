//! Endpoints that cannot be connected to, under constant load.

use std::time::Duration;

use codec_api::Sharing;
use tokio::sync::mpsc;
use tokio::time::{Instant, advance};

use crate::support::{Behaviour, World, run};
use crate::{next, ordered};

/// Asks once every 5 milliseconds for this long; answers how many were answered well, and when the first one was.
async fn load(world: &World, method: &str, time: Duration) -> (usize, Option<Duration>) {
    let began = Instant::now();
    let (mut served, mut first) = (0, None);
    while began.elapsed() < time {
        let mut client = world.client();
        client.asks(1, method).await;
        advance(Duration::from_millis(5)).await;
        // Whoever has to wait for an attempt is not waited for.
        let heard = tokio::time::timeout(Duration::from_micros(100), client.receive()).await;
        if let Ok(Some(answer)) = heard
            && answer.status == 0
        {
            served += 1;
            first = first.or(Some(began.elapsed()));
        }
    }
    (served, first)
}

fn one(behaviour: Behaviour) -> World {
    let mut world = ordered();
    world.endpoint("all", 1, behaviour);
    world.route(None, "all");
    world.apply();
    world
}

#[test]
fn an_endpoint_that_refuses_gets_few_attempts() {
    for method in ["get", "alone", "pin", "private", "session:a"] {
        run(async {
            let world = one(Behaviour::Refuse);
            let (served, _) = load(&world, method, Duration::from_secs(10)).await;
            assert_eq!(served, 0);
            let attempts = world.attempts();
            assert!((20..=60).contains(&attempts), "{attempts} attempts in ten seconds for {method}");
        });
    }
}

#[test]
fn an_endpoint_that_hangs_gets_few_attempts() {
    for method in ["get", "alone", "pin", "private"] {
        run(async {
            let world = one(Behaviour::Hang);
            // Nothing is known of it until the first attempt has failed.
            let mut client = world.client();
            client.asks(1, method).await;
            client.gets_refusal(1, "ConnectFailure").await;
            load(&world, method, Duration::from_secs(10)).await;
            let attempts = world.attempts();
            assert!((6..=20).contains(&attempts), "{attempts} attempts in ten seconds for {method}");
        });
    }
}

#[test]
fn an_endpoint_that_accepts_again_is_found_within_a_second() {
    for method in ["get", "alone", "pin", "private"] {
        run(async {
            let world = one(Behaviour::Refuse);
            load(&world, method, Duration::from_secs(20)).await;
            let (sender, mut accepted) = mpsc::unbounded_channel();
            world.behave(1, Behaviour::Accept(sender));
            tokio::task::spawn_local(async move {
                while let Some(actor) = accepted.recv().await {
                    actor.echo(|_| false);
                }
            });
            let (served, first) = load(&world, method, Duration::from_secs(5)).await;
            assert!(first.is_some_and(|first| first < Duration::from_secs(1)), "{method}: {first:?}");
            assert!(served > 500, "{method}: {served}");
        });
    }
}

#[test]
fn requests_fail_at_once_while_their_only_endpoint_is_left_alone() {
    run(async {
        let world = one(Behaviour::Refuse);
        let mut client = world.client();
        let began = Instant::now();
        for id in 0..100 {
            client.asks(id, "get").await;
            client.gets_refusal(id, "ConnectFailure: no endpoint could be connected to (192.0.2.1:1: ").await;
        }
        assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    });
}

#[test]
fn others_are_unaffected_and_take_its_requests() {
    run(async {
        let mut world = ordered();
        world.endpoint("all", 1, Behaviour::Refuse);
        world.serving("all", 2);
        world.route(None, "all");
        world.apply();
        let (served, _) = load(&world, "get", Duration::from_secs(10)).await;
        assert_eq!(served, 2000);
        assert!(world.attempts() <= 61, "{}", world.attempts());
    });
}

#[test]
fn a_connection_that_is_there_goes_on_while_no_further_one_can_be_made() {
    run(async {
        let mut world = World::new();
        world.conduct.sharing = Some(Sharing::Shared(4));
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        client.asks(1, "get").await;
        let mut only = next(&mut accepted).await;
        world.behave(1, Behaviour::Refuse);
        only.answers("get").await;
        client.gets(1).await;
        only.echo(|_| false);
        let (served, _) = load(&world, "get", Duration::from_secs(10)).await;
        assert_eq!(served, 2000);
        assert!(world.attempts() <= 61, "{}", world.attempts());
    });
}
