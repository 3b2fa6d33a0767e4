//! Private connections that go from client to client.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use codec_api::Sharing;
use meta_proxy::model::Limits;

use crate::support::{Actor, Behaviour, Frame, World, run};
use crate::{Accepted, next, nobody_connects, one_endpoint, one_hasty_endpoint, ordered};

/// An endpoint that takes half a second to accept.
fn late() -> (World, Accepted) {
    let mut world = ordered();
    let (sender, accepted) = mpsc::unbounded_channel();
    world.endpoint("all", 1, Behaviour::AcceptLate(sender, Duration::from_millis(500)));
    world.route(Some("hasty+pin"), "all").timeout = Some(Duration::from_millis(200));
    world.route(Some("hasty+private"), "all").timeout = Some(Duration::from_millis(200));
    world.route(None, "all");
    world.apply();
    (world, accepted)
}

async fn pins_and_unpins(world: &World, pin: &mut Actor) {
    let mut client = world.client();
    client.asks(1, "pin").await;
    client.asks(2, "unpin").await;
    pin.answers("pin").await;
    pin.answers("unpin").await;
    client.gets(1).await;
    client.gets(2).await;
}

#[test]
fn a_hundred_pins_one_after_the_other_take_one_connection() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "alone").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("alone").await;
        client.gets(1).await;
        for _ in 0..100 {
            pins_and_unpins(&world, &mut pin).await;
        }
        assert_eq!(world.attempts(), 1);
    });
}

#[test]
fn two_pins_at_once_take_two_connections() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut clients = [world.client(), world.client()];
        for client in &mut clients {
            client.asks(1, "pin").await;
        }
        for _ in 0..2 {
            next(&mut accepted).await.echo(|_| false);
        }
        for client in &mut clients {
            client.gets(1).await;
        }
        assert_eq!(world.attempts(), 2);
    });
}

#[test]
fn a_connection_whose_client_went_in_the_middle_is_closed() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "pin").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("pin").await;
        client.gets(1).await;
        drop(client);
        pin.sees_the_end().await;
        let mut other = world.client();
        other.asks(1, "pin").await;
        next(&mut accepted).await.answers("pin").await;
        other.gets(1).await;
    });
}

#[test]
fn a_connection_on_which_a_session_changed_is_not_given_back() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        let mut pin = {
            client.asks(1, "pin").await;
            next(&mut accepted).await
        };
        for (id, method) in [(2, "session:a"), (3, "unpin")] {
            client.asks(id, method).await;
        }
        for (id, method) in [(1, "pin"), (2, "session:a"), (3, "unpin")] {
            pin.answers(method).await;
            client.gets(id).await;
        }
        pin.sees_the_end().await;
        client.asks(4, "get").await;
        let mut shared = next(&mut accepted).await;
        assert_eq!(shared.hears("hello").await.payload, b"a", "it goes on in its new session");
        shared.answers_oldest().await;
        shared.answers("get").await;
        client.gets(4).await;
    });
}

#[test]
fn a_connection_on_which_a_request_timed_out_is_not_given_back() {
    run(async {
        let (world, mut accepted) = one_hasty_endpoint(1000);
        let mut client = world.client();
        client.asks(1, "alone").await;
        let mut alone = next(&mut accepted).await;
        alone.hears("alone").await;
        client.gets_refusal(1, "Timeout").await;
        alone.sees_the_end().await;
        client.asks(2, "alone").await;
        next(&mut accepted).await.answers("alone").await;
        client.gets(2).await;
    });
}

#[test]
fn the_pool_is_bounded() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut clients: Vec<_> = (0..130).map(|_| world.client()).collect();
        for client in &mut clients {
            client.asks(1, "alone").await;
        }
        let mut connections = Vec::new();
        for _ in 0..130 {
            connections.push(next(&mut accepted).await);
        }
        for connection in &mut connections {
            connection.answers("alone").await;
        }
        for client in &mut clients {
            client.gets(1).await;
        }
        assert_eq!(open(connections).await, 100);
    });
}

#[test]
fn the_pool_is_bounded_though_nobody_waits_any_more_for_what_comes() {
    run(async {
        let (world, mut accepted) = late();
        let mut clients: Vec<_> = (0..130).map(|_| world.client()).collect();
        for client in &mut clients {
            client.asks(1, "timed:9+pin").await;
        }
        nobody_connects(&mut accepted).await;
        for client in clients {
            client.vanishes().await;
        }
        let mut connections = Vec::new();
        for _ in 0..130 {
            connections.push(next(&mut accepted).await);
        }
        assert_eq!(open(connections).await, 100);
    });
}

/// How many of these are open.
async fn open(connections: Vec<Actor>) -> usize {
    let mut open = 0;
    for mut connection in connections {
        let heard = tokio::time::timeout(Duration::from_micros(100), connection.receive()).await;
        assert!(!matches!(heard, Ok(Some(_))), "{heard:?}");
        open += usize::from(heard.is_err());
    }
    open
}

#[test]
fn a_pooled_connection_that_nobody_wants_is_closed_after_a_minute() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "alone").await;
        let mut alone = next(&mut accepted).await;
        alone.answers("alone").await;
        client.gets(1).await;
        let began = Instant::now();
        alone.sees_the_end().await;
        assert_eq!(began.elapsed().as_secs(), 60);
    });
}

#[test]
fn a_pooled_connection_with_something_left_to_say_waits_for_its_endpoint() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut other) = (world.client(), world.client());
        // More than the pipe holds.
        for _ in 0..8 {
            client.send(&Frame::new(b'1', 0, "alone", &vec![7; 60 * 1024])).await;
        }
        let mut alone = next(&mut accepted).await;
        client.hears_nothing().await;
        tokio::time::advance(Duration::from_secs(70)).await;
        other.asks(1, "own").await;
        other.gets(1).await;
        for _ in 0..8 {
            alone.hears("alone").await;
        }
        alone.sees_the_end().await;
    });
}

#[test]
fn a_pooled_connection_that_its_endpoint_closes_is_not_used() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "alone").await;
        let mut alone = next(&mut accepted).await;
        alone.answers("alone").await;
        client.gets(1).await;
        drop(alone);
        client.hears_nothing().await;
        client.asks(2, "alone").await;
        next(&mut accepted).await.answers("alone").await;
        client.gets(2).await;
    });
}

#[test]
fn what_is_sent_unasked_on_a_pooled_connection_reaches_nobody() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "alone").await;
        let mut alone = next(&mut accepted).await;
        alone.answers("alone").await;
        client.gets(1).await;
        alone.send(&Frame::new(b'u', 0, "", b"news")).await;
        client.hears_nothing().await;
    });
}

#[test]
fn what_needs_no_answer_gives_its_connection_back() {
    for method in ["alone+unwritable", "alone"] {
        run(async {
            let (world, mut accepted) = one_endpoint();
            let mut client = world.client();
            let kind = if method == "alone" { b'1' } else { b'q' };
            for id in 0..5 {
                client.send(&Frame::new(kind, id, method, b"")).await;
                if kind == b'q' {
                    client.gets_refusal(id, "Unsupported").await;
                }
            }
            client.asks(5, "alone").await;
            let mut alone = next(&mut accepted).await;
            while alone.receive().await.unwrap().kind == b'1' {}
            nobody_connects(&mut accepted).await;
        });
    }
}

#[test]
fn a_response_that_is_refused_gives_its_connection_back() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "alone").await;
        let mut alone = next(&mut accepted).await;
        alone.hears("alone").await;
        // No client would take 9 MiB.
        alone.send(&Frame::new(b'r', 0, "", &vec![1; 9 << 20])).await;
        client.gets_refusal(1, "ConnectionLost").await;
        let mut other = world.client();
        other.asks(1, "pin").await;
        alone.answers("pin").await;
        other.gets(1).await;
    });
}

#[test]
fn what_must_be_answered_first_is_awaited_and_swallowed() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "prepared+pin").await;
        client.asks(2, "get").await;
        let mut pin = next(&mut accepted).await;
        pin.hears("prepare").await;
        pin.hears_nothing().await;
        pin.answers_oldest().await;
        pin.answers("prepared+pin").await;
        client.gets(1).await;
        pin.answers("get").await;
        client.gets(2).await;
    });
}

#[test]
fn what_refuses_to_be_prepared_answers_the_request_and_is_closed() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "prepared+pin").await;
        let mut pin = next(&mut accepted).await;
        let prepare = pin.hears("prepare").await;
        pin.send(&Frame { status: 1, payload: b"no".to_vec(), ..Frame::response_to(&prepare) }).await;
        let answer = client.receive().await.unwrap();
        assert_eq!((answer.id, answer.status, &*answer.payload), (1, 1, &b"no"[..]));
        pin.sees_the_end().await;
        client.asks(2, "get").await;
        next(&mut accepted).await.answers("get").await;
        client.gets(2).await;
    });
}

#[test]
fn a_connection_that_is_lost_while_it_is_prepared_says_nothing_of_its_endpoint() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "prepared+pin").await;
        let mut pin = next(&mut accepted).await;
        pin.hears("prepare").await;
        drop(pin);
        client.gets_refusal(1, "ConnectionLost").await;
        client.asks(2, "prepared+pin").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("prepare").await;
        pin.answers("prepared+pin").await;
        client.gets(2).await;
    });
}

#[test]
fn a_connection_prepared_for_a_request_out_of_time_is_closed() {
    run(async {
        let (world, mut accepted) = one_hasty_endpoint(1000);
        let mut client = world.client();
        client.asks(1, "prepared+alone").await;
        let mut alone = next(&mut accepted).await;
        alone.hears("prepare").await;
        let began = Instant::now();
        client.gets_refusal(1, "Timeout").await;
        alone.sees_the_end().await;
        assert_eq!(began.elapsed().as_secs(), 1);
    });
}

#[test]
fn a_connection_that_comes_too_late_for_its_request_serves_others() {
    for method in ["hasty+pin", "hasty+private"] {
        run(async {
            let (world, mut accepted) = late();
            let mut client = world.client();
            client.asks(1, method).await;
            client.gets_refusal(1, "Timeout").await;
            let mut private = next(&mut accepted).await;
            private.hears_nothing().await;
            let mut other = world.client();
            other.asks(1, "pin").await;
            private.answers("pin").await;
            other.gets(1).await;
            client.hears_nothing().await;
        });
    }
}

#[test]
fn of_several_attempts_one_fails_and_its_request_is_told() {
    run(async {
        let mut world = ordered();
        let _ = world.accepting("all", 1);
        world.route(None, "all");
        world.apply();
        let (mut one, mut other) = (world.client(), world.client());
        let (sender, mut late) = mpsc::unbounded_channel();
        world.behave(1, Behaviour::AcceptLate(sender, Duration::from_millis(500)));
        one.asks(1, "timed:0+pin").await;
        one.hears_nothing().await;
        world.behave(1, Behaviour::Refuse);
        other.asks(1, "timed:0+pin").await;
        // The first to wait is the first to be told.
        one.gets_refusal(1, "ConnectFailure").await;
        next(&mut late).await.answers("timed:0+pin").await;
        other.gets(1).await;
    });
}

#[test]
fn where_connections_are_limited_the_next_pin_waits_for_one_that_ends() {
    run(async {
        let mut world = ordered();
        world.limits = Limits { max_connections: Some(2), ..Limits::default() };
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all");
        world.apply();
        let mut clients = [world.client(), world.client(), world.client()];
        for client in &mut clients {
            client.asks(1, "timed:0+pin").await;
        }
        let (mut first, _second) = (next(&mut accepted).await, next(&mut accepted).await);
        first.hears("timed:0+pin").await;
        nobody_connects(&mut accepted).await;
        drop(first);
        clients[0].gets_refusal(1, "ConnectionLost").await;
        next(&mut accepted).await.answers("timed:0+pin").await;
        clients[2].gets(1).await;
    });
}

#[test]
fn exclusive_requests_wait_for_connections_that_are_there_while_no_more_can_be_made() {
    run(async {
        let mut world = ordered();
        world.conduct.sharing = Some(Sharing::Exclusive);
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all");
        world.apply();
        let mut clients = [world.client(), world.client(), world.client()];
        clients[0].asks(1, "get").await;
        let mut connection = next(&mut accepted).await;
        connection.hears("get").await;
        world.behave(1, Behaviour::Refuse);
        for client in &mut clients[1..] {
            client.asks(1, "get").await;
            client.hears_nothing().await;
        }
        connection.answers_oldest().await;
        clients[0].gets(1).await;
        for client in &mut clients[1..] {
            connection.answers("get").await;
            client.gets(1).await;
        }
    });
}
