//! Requests that wait for those before them, and those behind them that wait for their answers.

use std::time::Duration;

use tokio::time::{Instant, advance};

use crate::support::{Behaviour, Frame, run};
use crate::{next, nobody_connects, one_endpoint};

#[test]
fn what_changes_the_way_of_further_requests_waits_for_those_before_it() {
    for method in ["pin", "unpin", "alone", "private", "session:s", "write+last"] {
        run(async {
            let (world, mut accepted) = one_endpoint();
            let mut client = world.client();
            client.asks(1, "write").await;
            client.asks(2, "get").await;
            client.asks(3, method).await;
            let mut shared = next(&mut accepted).await;
            shared.answers("write").await;
            shared.hears("get").await;
            shared.hears_nothing().await;
            nobody_connects(&mut accepted).await;
            shared.answers_oldest().await;
            client.gets(1).await;
            client.gets(2).await;
            let mut next = if method.contains("unpin") || method.contains("last") {
                shared
            } else {
                next(&mut accepted).await
            };
            if method.contains("session") {
                next.answers("hello").await;
            }
            next.answers(method).await;
            client.gets(3).await;
        });
    }
}

#[test]
fn nothing_behind_unpin_alone_session_and_last_write_is_sent_before_they_are_answered() {
    for method in ["unpin", "alone", "session:", "last", "unpin+keys:a"] {
        run(async {
            let (world, mut accepted) = one_endpoint();
            let mut client = world.client();
            client.asks(1, method).await;
            client.asks(2, "get").await;
            client.asks(3, "get").await;
            let mut first = next(&mut accepted).await;
            first.hears(method).await;
            first.hears_nothing().await;
            nobody_connects(&mut accepted).await;
            first.answers_oldest().await;
            client.gets(1).await;
            let mut shared = if method == "alone" { next(&mut accepted).await } else { first };
            for id in [2, 3] {
                shared.answers("get").await;
                client.gets(id).await;
            }
        });
    }
}

#[test]
fn requests_behind_a_pin_are_pipelined_on_it() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        for (id, method) in [(1, "pin"), (2, "get"), (3, "alone"), (4, "private"), (5, "last"), (6, "pin")] {
            client.asks(id, method).await;
        }
        let mut pin = next(&mut accepted).await;
        for method in ["pin", "get", "alone", "private", "last", "pin"] {
            pin.hears(method).await;
        }
        nobody_connects(&mut accepted).await;
        for id in 1..=6 {
            pin.answers_oldest().await;
            client.gets(id).await;
        }
    });
}

#[test]
fn what_follows_a_pin_waits_until_the_pin_is_connected() {
    run(async {
        let mut world = crate::ordered();
        let (sender, mut accepted) = tokio::sync::mpsc::unbounded_channel();
        world.endpoint("all", 1, Behaviour::AcceptLate(sender, Duration::from_millis(500)));
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        client.asks(1, "pin").await;
        client.asks(2, "get").await;
        client.asks(3, "unpin").await;
        client.asks(4, "get").await;
        let mut pin = next(&mut accepted).await;
        for method in ["pin", "get", "unpin"] {
            pin.hears(method).await;
        }
        pin.hears_nothing().await;
        for id in 1..=3 {
            pin.answers_oldest().await;
            client.gets(id).await;
        }
        next(&mut accepted).await.answers("get").await;
        client.gets(4).await;
    });
}

#[test]
fn a_pin_that_cannot_be_made_is_answered_and_what_follows_is_served() {
    run(async {
        let mut world = crate::ordered();
        world.endpoint("down", 1, Behaviour::Refuse);
        world.serving("up", 2);
        world.route(Some("pin"), "down");
        world.route(None, "up");
        world.apply();
        let mut client = world.client();
        for (id, method) in [(1, "pin"), (2, "get"), (3, "pin"), (4, "get")] {
            client.asks(id, method).await;
        }
        for id in [1, 3] {
            client.gets_refusal(id, "ConnectFailure").await;
            assert_eq!(client.gets(id + 1).await, "get@2");
        }
    });
}

#[test]
fn requests_behind_a_shut_gate_are_served_later_and_none_is_lost() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        tokio::task::spawn_local(async move {
            while let Some(connection) = accepted.recv().await {
                connection.echo(|_| false);
            }
        });
        let mut client = world.client();
        let methods =
            ["get", "alone", "own", "pin", "get", "unpin", "session:a", "write", "last", "private", "reset"];
        let mut bytes = Vec::new();
        for id in 0..600u64 {
            let method = methods[id as usize * 7 % methods.len()];
            bytes.extend(Frame::request(id, method).encode());
        }
        client.send_bytes(&bytes).await;
        client.say_no_more().await;
        for id in 0..600 {
            client.gets(id).await;
        }
        client.sees_the_end().await;
    });
}

#[test]
fn more_than_is_read_of_a_gated_client_is_read_when_the_gate_opens() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "alone").await;
        let mut alone = next(&mut accepted).await;
        alone.hears("alone").await;
        let payload = vec![3; 50_000];
        for id in 2..6 {
            client.send(&Frame::new(b'q', id, "put", &payload)).await;
        }
        alone.answers_oldest().await;
        client.gets(1).await;
        let mut shared = next(&mut accepted).await;
        for id in 2..6 {
            shared.answers("put").await;
            assert_eq!(client.gets(id).await.len(), payload.len());
        }
    });
}

#[test]
fn whole_requests_that_wait_behind_a_gate_are_not_taken_for_an_unfinished_message() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "timed:60+alone").await;
        client.asks(2, "get").await;
        let mut alone = next(&mut accepted).await;
        alone.hears("timed:60+alone").await;
        advance(Duration::from_secs(50)).await;
        client.hears_nothing().await;
        alone.answers_oldest().await;
        client.gets(1).await;
        next(&mut accepted).await.answers("get").await;
        client.gets(2).await;
    });
}

#[test]
fn an_unfinished_message_behind_a_gate_is_waited_for_no_longer_than_any_other() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "alone").await;
        client.send_bytes(&Frame::request(2, "cut").encode()[..7]).await;
        let mut alone = next(&mut accepted).await;
        alone.answers("alone").await;
        client.gets(1).await;
        let began = Instant::now();
        client.sees_the_end().await;
        assert!((30..33).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    });
}

#[test]
fn what_its_codec_answers_itself_is_answered_in_its_turn() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        for (id, method) in [(1, "get"), (2, "own"), (3, "get"), (4, "own")] {
            client.asks(id, method).await;
        }
        let mut shared = next(&mut accepted).await;
        shared.hears("get").await;
        shared.hears("get").await;
        client.hears_nothing().await;
        shared.answers_oldest().await;
        client.gets(1).await;
        assert_eq!(client.gets(2).await, "own");
        client.hears_nothing().await;
        shared.answers_oldest().await;
        client.gets(3).await;
        assert_eq!(client.gets(4).await, "own");
        assert_eq!(world.count("-"), 4);
    });
}

#[test]
fn quit_is_answered_in_its_turn_and_then_its_client_ends() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "get").await;
        client.asks(2, "quit").await;
        let mut shared = next(&mut accepted).await;
        shared.hears("get").await;
        client.hears_nothing().await;
        shared.answers_oldest().await;
        client.gets(1).await;
        assert_eq!(client.gets(2).await, "own");
        client.sees_the_end().await;
        shared.hears_nothing().await;
    });
}

#[test]
fn nothing_behind_a_quit_that_is_a_barrier_is_sent() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "get").await;
        client.asks(2, "quit+alone").await;
        client.asks(3, "write").await;
        let mut shared = next(&mut accepted).await;
        shared.answers("get").await;
        client.gets(1).await;
        client.gets(2).await;
        client.sees_the_end().await;
        shared.hears_nothing().await;
    });
}

#[test]
fn a_request_that_is_refused_by_its_head_keeps_its_turn_behind_a_gate() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "alone").await;
        let mut alone = next(&mut accepted).await;
        alone.hears("alone").await;
        // A message of 9 MiB, of which only the head is said.
        let mut long = Frame::new(b'q', 2, "put", &[1; 100]).encode();
        long[..4].copy_from_slice(&(9u32 << 20).to_be_bytes());
        client.send_bytes(&long).await;
        client.hears_nothing().await;
        alone.answers_oldest().await;
        client.gets(1).await;
        client.gets_refusal(2, "TooLarge").await;
    });
}
