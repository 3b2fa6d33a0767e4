//! Clients that are pinned to one upstream connection, and how that ends.

use std::time::Duration;

use crate::support::{Frame, run};
use crate::{next, nobody_connects, one_endpoint, one_hasty_endpoint};

#[test]
fn a_pinned_clients_requests_go_nowhere_else_and_nobody_elses_go_there() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut pinned, mut other) = (world.client(), world.client());
        pinned.asks(1, "pin").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("pin").await;
        pinned.gets(1).await;
        other.asks(1, "get").await;
        let mut shared = next(&mut accepted).await;
        shared.answers("get").await;
        other.gets(1).await;
        for id in 2..5 {
            pinned.asks(id, "get").await;
            pin.answers("get").await;
            pinned.gets(id).await;
        }
        pinned.asks(5, "unpin").await;
        pin.answers("unpin").await;
        pinned.gets(5).await;
        pinned.asks(6, "get").await;
        shared.answers("get").await;
        pinned.gets(6).await;
        pin.hears_nothing().await;
    });
}

#[test]
fn a_lost_pin_ends_its_client_after_its_replies() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "pin").await;
        let mut pin = next(&mut accepted).await;
        pin.hears("pin").await;
        for (id, method) in [(2, "get"), (3, "own"), (4, "get")] {
            client.asks(id, method).await;
        }
        pin.hears("get").await;
        pin.hears("get").await;
        pin.answers_oldest().await;
        drop(pin);
        client.gets(1).await;
        client.gets_refusal(2, "ConnectionLost").await;
        client.gets(3).await;
        client.gets_refusal(4, "ConnectionLost").await;
        client.sees_the_end().await;
    });
}

#[test]
fn an_idle_pin_that_is_lost_ends_its_client() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "pin").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("pin").await;
        client.gets(1).await;
        client.hears_nothing().await;
        drop(pin);
        client.sees_the_end().await;
    });
}

#[test]
fn a_pin_whose_end_is_answered_before_its_connection_closes_is_not_lost() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "pin").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("pin").await;
        client.gets(1).await;
        client.asks(2, "unpin").await;
        client.asks(3, "get").await;
        pin.answers("unpin").await;
        drop(pin);
        client.gets(2).await;
        next(&mut accepted).await.answers("get").await;
        client.gets(3).await;
    });
}

#[test]
fn a_request_out_of_time_on_a_pin_is_answered_and_its_client_ends() {
    run(async {
        let (world, mut accepted) = one_hasty_endpoint(1000);
        let mut client = world.client();
        client.asks(1, "pin").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("pin").await;
        client.gets(1).await;
        client.asks(2, "get").await;
        pin.hears("get").await;
        client.gets_refusal(2, "Timeout").await;
        client.sees_the_end().await;
        pin.sees_the_end().await;
    });
}

#[test]
fn an_endpoint_may_end_a_pin_with_an_answer() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "pin").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("pin").await;
        client.gets(1).await;
        client.asks(2, "get").await;
        let request = pin.hears("get").await;
        pin.send(&Frame { method: "unpin".to_owned(), ..Frame::response_to(&request) }).await;
        client.gets(2).await;
        client.asks(3, "get").await;
        next(&mut accepted).await.answers("get").await;
        client.gets(3).await;
        let mut other = world.client();
        other.asks(1, "pin").await;
        pin.answers("pin").await;
        other.gets(1).await;
    });
}

#[test]
fn pushes_on_a_pin_go_to_its_client_at_once() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut other) = (world.client(), world.client());
        client.asks(1, "pin").await;
        other.asks(1, "pin").await;
        let (mut pin, mut others) = (next(&mut accepted).await, next(&mut accepted).await);
        pin.answers("pin").await;
        others.answers("pin").await;
        client.gets(1).await;
        other.gets(1).await;
        client.asks(2, "get").await;
        pin.hears("get").await;
        for text in ["a", "b"] {
            pin.send(&Frame::new(b'u', 0, "", text.as_bytes())).await;
            assert_eq!(client.receive().await.unwrap().payload, text.as_bytes());
        }
        pin.answers_oldest().await;
        client.gets(2).await;
        other.hears_nothing().await;
    });
}

#[test]
fn further_responses_to_one_request_come_before_the_one_that_counts() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "pin").await;
        client.asks(2, "own").await;
        let mut pin = next(&mut accepted).await;
        let request = pin.hears("pin").await;
        for _ in 0..2 {
            pin.send(&Frame { method: "more".to_owned(), ..Frame::response_to(&request) }).await;
        }
        client.gets(1).await;
        client.gets(1).await;
        client.hears_nothing().await;
        pin.answers_oldest().await;
        client.gets(1).await;
        client.gets(2).await;
    });
}

#[test]
fn a_pinned_client_is_never_idle_and_its_connection_neither() {
    run(async {
        let mut world = crate::ordered();
        world.idle_timeout = Some(Duration::from_secs(10));
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all");
        world.apply();
        let (mut client, mut idle) = (world.client(), world.client());
        client.asks(1, "pin").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("pin").await;
        client.gets(1).await;
        idle.sees_the_end().await;
        tokio::time::advance(Duration::from_mins(10)).await;
        pin.send(&Frame::new(b'u', 0, "", b"late news")).await;
        assert_eq!(client.receive().await.unwrap().payload, b"late news");
    });
}

#[test]
fn a_pin_to_an_endpoint_that_leaves_goes_on() {
    run(async {
        let (mut world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "pin").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("pin").await;
        client.gets(1).await;
        world.forget("all");
        world.serving("all", 2);
        world.apply();
        client.asks(2, "get").await;
        pin.answers("get").await;
        client.gets(2).await;
        client.asks(3, "unpin").await;
        pin.answers("unpin").await;
        client.gets(3).await;
        pin.sees_the_end().await;
        client.asks(4, "get").await;
        assert_eq!(client.gets(4).await, "get@2");
        nobody_connects(&mut accepted).await;
    });
}
