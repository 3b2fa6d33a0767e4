//! Clients that have upstream connections of their own.

use std::time::Duration;

use crate::support::{Behaviour, Frame, World, run};
use crate::{Accepted, next, nobody_connects, ordered};

fn dedicated() -> (World, Accepted) {
    let mut world = ordered();
    world.dedicated = true;
    let accepted = world.accepting("all", 1);
    world.route(None, "all").timeout = Some(Duration::from_secs(2));
    world.apply();
    (world, accepted)
}

#[test]
fn each_dedicated_client_has_one_connection_for_all_that_it_asks() {
    run(async {
        let (world, mut accepted) = dedicated();
        let (mut one, mut other) = (world.client(), world.client());
        let methods = ["get", "pin", "get", "unpin", "alone", "private", "write", "last"];
        one.asks(0, "get").await;
        let mut ones = next(&mut accepted).await;
        other.asks(0, "get").await;
        let mut others = next(&mut accepted).await;
        for (client, connection) in [(&mut one, &mut ones), (&mut other, &mut others)] {
            connection.answers("get").await;
            client.gets(0).await;
            for (id, method) in (1..).zip(methods) {
                client.asks(id, method).await;
                connection.answers(method).await;
                client.gets(id).await;
            }
        }
        nobody_connects(&mut accepted).await;
        one.say_no_more().await;
        ones.sees_the_end().await;
        others.hears_nothing().await;
    });
}

#[test]
fn what_comes_unasked_on_a_dedicated_connection_is_for_its_client() {
    run(async {
        let (world, mut accepted) = dedicated();
        let mut client = world.client();
        client.asks(1, "private").await;
        let mut own = next(&mut accepted).await;
        own.answers("private").await;
        client.gets(1).await;
        own.send(&Frame::new(b'u', 0, "", b"news")).await;
        assert_eq!(client.receive().await.unwrap().payload, b"news");
        client.asks(2, "get").await;
        own.answers("get").await;
        client.gets(2).await;
        drop(own);
        client.sees_the_end().await;
    });
}

#[test]
fn a_dedicated_connection_that_was_reset_in_the_middle_is_closed() {
    run(async {
        let (world, mut accepted) = dedicated();
        let mut client = world.client();
        client.asks(1, "pin").await;
        let mut own = next(&mut accepted).await;
        own.answers("pin").await;
        client.gets(1).await;
        client.asks(2, "reset").await;
        client.gets(2).await;
        own.sees_the_end().await;
        client.asks(3, "get").await;
        next(&mut accepted).await.answers("get").await;
        client.gets(3).await;
    });
}

#[test]
fn a_dedicated_connection_that_is_lost_is_replaced() {
    run(async {
        let (world, mut accepted) = dedicated();
        let mut client = world.client();
        client.asks(1, "get").await;
        let mut own = next(&mut accepted).await;
        own.hears("get").await;
        drop(own);
        client.gets_refusal(1, "ConnectionLost").await;
        client.asks(2, "get").await;
        next(&mut accepted).await.answers("get").await;
        client.gets(2).await;
    });
}

#[test]
fn a_dedicated_connection_on_which_a_request_timed_out_is_closed_and_replaced() {
    run(async {
        let (world, mut accepted) = dedicated();
        let mut client = world.client();
        client.asks(1, "get").await;
        let mut own = next(&mut accepted).await;
        own.hears("get").await;
        client.gets_refusal(1, "Timeout").await;
        own.sees_the_end().await;
        client.asks(2, "get").await;
        next(&mut accepted).await.answers("get").await;
        client.gets(2).await;
    });
}

#[test]
fn a_dedicated_client_changes_its_session_on_its_own_connection() {
    run(async {
        let (world, mut accepted) = dedicated();
        let mut client = world.client();
        client.asks(1, "get").await;
        let mut own = next(&mut accepted).await;
        own.answers("get").await;
        client.gets(1).await;
        client.asks(2, "session:a").await;
        own.answers("session:a").await;
        client.gets(2).await;
        client.asks(3, "get").await;
        own.answers("get").await;
        client.gets(3).await;
        nobody_connects(&mut accepted).await;
        client.asks(4, "session:b").await;
        let request = own.hears("session:b").await;
        own.send(&Frame { status: 1, ..Frame::response_to(&request) }).await;
        assert_eq!(client.receive().await.unwrap().status, 1);
        client.asks(5, "get").await;
        // It may be in either session now.
        own.sees_the_end().await;
        let mut own = next(&mut accepted).await;
        assert_eq!(own.hears("hello").await.payload, b"a");
        own.answers_oldest().await;
        own.answers("get").await;
        client.gets(5).await;
    });
}

#[test]
fn a_dedicated_client_that_went_before_it_was_connected_leaves_nothing_behind() {
    run(async {
        let (world, _) = dedicated();
        let (sender, mut accepted) = tokio::sync::mpsc::unbounded_channel();
        world.behave(1, Behaviour::AcceptLate(sender, Duration::from_millis(500)));
        let mut client = world.client();
        client.asks(1, "get").await;
        client.vanishes().await;
        next(&mut accepted).await.sees_the_end().await;
    });
}

#[test]
fn a_connection_that_is_not_kept_carries_no_requests_of_its_endpoint() {
    run(async {
        let (world, mut accepted) = dedicated();
        let mut client = world.client();
        client.asks(0, "get").await;
        let mut own = next(&mut accepted).await;
        own.answers("get").await;
        client.gets(0).await;
        own.send(&Frame::request(77, "back")).await;
        let refusal = own.receive().await.unwrap();
        assert_eq!((refusal.kind, refusal.id), (b'r', 77));
        client.hears_nothing().await;
    });
}
