//! Requests that its codec answers itself and that end all ties of their client.

use crate::support::{Frame, run};
use crate::{next, nobody_connects, one_endpoint};

#[test]
fn a_reset_closes_the_pin_and_the_client_goes_on() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        for (id, method) in [(1, "pin"), (2, "get"), (3, "reset"), (4, "get")] {
            client.asks(id, method).await;
        }
        let mut pin = next(&mut accepted).await;
        pin.hears("pin").await;
        pin.hears("get").await;
        client.hears_nothing().await;
        for id in [1, 2] {
            pin.answers_oldest().await;
            client.gets(id).await;
        }
        client.gets(3).await;
        pin.sees_the_end().await;
        next(&mut accepted).await.answers("get").await;
        client.gets(4).await;
    });
}

#[test]
fn a_reset_closes_what_is_kept() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "private").await;
        let mut kept = next(&mut accepted).await;
        kept.answers("private").await;
        client.gets(1).await;
        client.asks(2, "reset").await;
        client.gets(2).await;
        kept.sees_the_end().await;
        client.asks(3, "get").await;
        next(&mut accepted).await.answers("get").await;
        client.gets(3).await;
    });
}

#[test]
fn a_reset_ends_the_session() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "session:a").await;
        let mut old = next(&mut accepted).await;
        old.answers("hello").await;
        old.answers("session:a").await;
        client.gets(1).await;
        client.asks(2, "reset").await;
        client.asks(3, "get").await;
        client.gets(2).await;
        next(&mut accepted).await.answers("get").await;
        client.gets(3).await;
        old.hears_nothing().await;
    });
}

#[test]
fn a_reset_without_ties_is_answered_in_its_turn_like_any_other() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        for (id, method) in [(1, "get"), (2, "reset"), (3, "reset"), (4, "get")] {
            client.asks(id, method).await;
        }
        let mut shared = next(&mut accepted).await;
        shared.answers("get").await;
        for id in [1, 2, 3] {
            client.gets(id).await;
        }
        shared.answers("get").await;
        client.gets(4).await;
        nobody_connects(&mut accepted).await;
    });
}

#[test]
fn a_push_that_comes_while_a_reset_waits_is_still_its_clients() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "pin").await;
        client.asks(2, "reset").await;
        let mut pin = next(&mut accepted).await;
        pin.hears("pin").await;
        pin.send(&Frame::new(b'u', 0, "", b"news")).await;
        assert_eq!(client.receive().await.unwrap().payload, b"news");
        pin.answers_oldest().await;
        client.gets(1).await;
        client.gets(2).await;
        pin.sees_the_end().await;
    });
}
