//! Requests that follow the last writes of their client.

use std::time::Duration;

use codec_api::Order;
use tokio::time::{Instant, advance};

use crate::support::{Actor, World, run};
use crate::{Accepted, next, nobody_connects, one_endpoint, ordered};

/// A client that has written, and the connection on which it has.
async fn writer(world: &World, accepted: &mut Accepted) -> (Actor, Actor) {
    let mut client = world.client();
    client.asks(0, "write").await;
    let mut shared = next(accepted).await;
    shared.answers("write").await;
    client.gets(0).await;
    (client, shared)
}

#[test]
fn it_goes_on_the_connection_of_the_write_and_nobody_joins_it_meanwhile() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut shared) = writer(&world, &mut accepted).await;
        client.asks(1, "timed:0+last").await;
        shared.hears("timed:0+last").await;
        let mut other = world.client();
        other.asks(1, "get").await;
        let mut second = next(&mut accepted).await;
        second.answers("get").await;
        other.gets(1).await;
        shared.hears_nothing().await;
        shared.answers_oldest().await;
        client.gets(1).await;
        other.asks(2, "get").await;
        shared.answers("get").await;
        other.gets(2).await;
        nobody_connects(&mut accepted).await;
    });
}

#[test]
fn those_who_are_on_that_connection_are_answered_and_their_next_requests_wait_for_that() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut shared) = writer(&world, &mut accepted).await;
        let mut other = world.client();
        other.asks(1, "get").await;
        shared.hears("get").await;
        client.asks(1, "last").await;
        shared.hears("last").await;
        for id in 2..6 {
            other.asks(id, "get").await;
            other.hears_nothing().await;
        }
        shared.hears_nothing().await;
        shared.answers_oldest().await;
        other.gets(1).await;
        let mut second = next(&mut accepted).await;
        for id in 2..6 {
            second.answers("get").await;
            other.gets(id).await;
        }
        nobody_connects(&mut accepted).await;
        shared.answers_oldest().await;
        client.gets(1).await;
    });
}

#[test]
fn the_connection_serves_all_again_when_the_request_is_out_of_time_and_something_is_read() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut shared) = writer(&world, &mut accepted).await;
        client.asks(1, "timed:1+last").await;
        shared.hears("timed:1+last").await;
        client.gets_refusal(1, "Timeout").await;
        shared.answers_oldest().await;
        client.hears_nothing().await;
        client.asks(2, "get").await;
        shared.answers("get").await;
        client.gets(2).await;
    });
}

#[test]
fn the_connection_serves_all_again_when_the_client_has_gone() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut shared) = writer(&world, &mut accepted).await;
        client.asks(1, "timed:0+last").await;
        shared.hears("timed:0+last").await;
        drop(client);
        shared.hears_nothing().await;
        let mut other = world.client();
        other.asks(1, "get").await;
        shared.hears("get").await;
        shared.answers_oldest().await;
        shared.answers_oldest().await;
        other.gets(1).await;
    });
}

#[test]
fn after_the_loss_of_that_connection_it_is_an_error_until_the_next_write() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, shared) = writer(&world, &mut accepted).await;
        drop(shared);
        client.hears_nothing().await;
        client.asks(1, "last").await;
        client.gets_refusal(1, "ConnectionLost: the connection of the client's last write").await;
        client.asks(2, "write").await;
        let mut shared = next(&mut accepted).await;
        shared.answers("write").await;
        client.gets(2).await;
        client.asks(3, "last").await;
        shared.answers("last").await;
        client.gets(3).await;
    });
}

#[test]
fn without_a_write_it_goes_anywhere() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "last").await;
        next(&mut accepted).await.answers("last").await;
        client.gets(1).await;
    });
}

#[test]
fn over_two_endpoints_it_goes_to_both_and_is_merged() {
    run(async {
        let mut world = ordered();
        world.serving("a", 1);
        world.serving("b", 2);
        world.route(Some("write+b"), "b");
        world.route(None, "a");
        world.apply();
        let mut client = world.client();
        client.asks(1, "write").await;
        client.asks(2, "write+b").await;
        client.asks(3, "last").await;
        client.asks(4, "get").await;
        client.gets(1).await;
        client.gets(2).await;
        assert_eq!(client.gets(3).await, "last@1|last@2");
        assert_eq!(client.gets(4).await, "get@1");
        assert_eq!(world.attempts(), 2);
    });
}

#[test]
fn it_follows_a_write_on_a_pin_that_is_over() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        for (id, method) in [(1, "pin"), (2, "write"), (3, "unpin"), (4, "last"), (5, "get")] {
            client.asks(id, method).await;
        }
        let mut pin = next(&mut accepted).await;
        for (id, method) in [(1, "pin"), (2, "write"), (3, "unpin"), (4, "last")] {
            pin.answers(method).await;
            client.gets(id).await;
        }
        next(&mut accepted).await.answers("get").await;
        client.gets(5).await;
        let mut other = world.client();
        other.asks(1, "pin").await;
        other.asks(2, "unpin").await;
        pin.answers("pin").await;
        other.gets(1).await;
        pin.answers("unpin").await;
        other.gets(2).await;
        client.asks(6, "last").await;
        pin.answers("last").await;
        client.gets(6).await;
    });
}

#[test]
fn a_pooled_connection_on_which_somebody_has_just_written_is_left_to_what_may_follow() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut other) = (world.client(), world.client());
        client.asks(1, "write+alone").await;
        let mut first = next(&mut accepted).await;
        first.answers("write+alone").await;
        client.gets(1).await;
        other.asks(1, "pin").await;
        let mut second = next(&mut accepted).await;
        second.answers("pin").await;
        other.gets(1).await;
        client.asks(2, "last").await;
        first.answers("last").await;
        client.gets(2).await;
    });
}

/// A client that has written on a connection that now is the pin of another, and that one's connections.
async fn in_other_hands(world: &World, accepted: &mut Accepted) -> (Actor, Actor, Actor, Vec<Actor>) {
    let mut pool = Vec::new();
    let mut clients: Vec<_> = (0..16).map(|_| world.client()).collect();
    for client in &mut clients {
        client.asks(1, "write+alone").await;
        pool.push(next(accepted).await);
    }
    for (client, connection) in clients.iter_mut().zip(&mut pool) {
        connection.answers("write+alone").await;
        client.gets(1).await;
    }
    let mut other = world.client();
    other.asks(1, "pin").await;
    let mut taken = None;
    for (place, connection) in pool.iter_mut().enumerate() {
        let heard = tokio::time::timeout(Duration::from_micros(100), connection.receive()).await;
        if let Ok(Some(request)) = heard {
            connection.send(&crate::support::Frame::response_to(&request)).await;
            taken = Some(place);
        }
    }
    other.gets(1).await;
    let place = taken.expect("the pin takes a pooled connection where there are many");
    let pin = pool.swap_remove(place);
    (clients.swap_remove(place), other, pin, pool)
}

#[test]
fn where_that_connection_is_in_the_hands_of_another_client_it_waits() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut other, mut pin, _pool) = in_other_hands(&world, &mut accepted).await;
        client.asks(2, "last").await;
        client.asks(3, "own").await;
        pin.hears_nothing().await;
        other.asks(2, "get").await;
        pin.answers("get").await;
        other.gets(2).await;
        pin.hears_nothing().await;
        other.asks(3, "unpin").await;
        pin.answers("unpin").await;
        other.gets(3).await;
        pin.answers("last").await;
        client.gets(2).await;
        client.gets(3).await;
        nobody_connects(&mut accepted).await;
    });
}

#[test]
fn where_the_other_client_takes_that_connection_with_it_it_is_an_error() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, other, mut pin, _pool) = in_other_hands(&world, &mut accepted).await;
        client.asks(2, "timed:0+last").await;
        pin.hears_nothing().await;
        let began = Instant::now();
        drop(other);
        pin.sees_the_end().await;
        client.gets_refusal(2, "ConnectionLost").await;
        assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
    });
}

#[test]
fn one_that_waits_ends_with_its_time_and_leaves_the_connection_alone() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut other, mut pin, _pool) = in_other_hands(&world, &mut accepted).await;
        client.asks(2, "timed:1+last").await;
        client.gets_refusal(2, "Timeout").await;
        other.asks(2, "get").await;
        pin.answers("get").await;
        other.gets(2).await;
    });
}

#[test]
fn connections_that_are_no_longer_needed_after_it_are_closed() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut shared) = writer(&world, &mut accepted).await;
        let mut other = world.client();
        client.asks(1, "last").await;
        shared.hears("last").await;
        other.asks(1, "get").await;
        let mut second = next(&mut accepted).await;
        second.answers("get").await;
        other.gets(1).await;
        shared.answers_oldest().await;
        client.gets(1).await;
        for id in 2..5 {
            advance(Duration::from_secs(30)).await;
            client.asks(id, "get").await;
            shared.hears_past_pings("get").await;
            shared.answers_oldest().await;
            client.gets(id).await;
        }
        second.sees_the_end_past_pings().await;
    });
}

#[test]
fn endpoints_with_ids_know_it_too() {
    run(async {
        let mut world = ordered();
        world.upstream_order = Order::ById;
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all");
        world.apply();
        let (mut client, mut shared) = writer(&world, &mut accepted).await;
        client.asks(1, "last").await;
        shared.answers("last").await;
        client.gets(1).await;
    });
}
