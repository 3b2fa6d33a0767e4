//! Clients that say no more, or go, while something holds up their requests.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Frame, run};
use crate::{next, one_endpoint};

#[test]
fn the_end_of_a_gated_client_is_noticed_and_its_request_given_up() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "timed:0+alone").await;
        client.asks(2, "get").await;
        let mut alone = next(&mut accepted).await;
        alone.hears("timed:0+alone").await;
        alone.hears_nothing().await;
        let began = Instant::now();
        drop(client);
        alone.sees_the_end().await;
        assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
        assert_eq!(world.count("DC"), 1);
    });
}

#[test]
fn a_lingering_request_whose_client_half_closes_is_given_up() {
    for method in ["timed:0+alone", "timed:60+alone", "timed:0+pin", "timed:0+private"] {
        run(async {
            let (world, mut accepted) = one_endpoint();
            let mut client = world.client();
            client.asks(1, method).await;
            let mut private = next(&mut accepted).await;
            private.hears(method).await;
            let began = Instant::now();
            client.say_no_more().await;
            private.sees_the_end().await;
            client.sees_the_end().await;
            assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
        });
    }
}

#[test]
fn a_client_that_half_closes_while_another_request_is_alone_still_gets_its_answer() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "alone").await;
        client.asks(2, "get").await;
        client.asks(3, "pin").await;
        client.say_no_more().await;
        let mut alone = next(&mut accepted).await;
        alone.answers("alone").await;
        client.gets(1).await;
        next(&mut accepted).await.answers("get").await;
        client.gets(2).await;
        alone.answers("pin").await;
        client.gets(3).await;
        client.sees_the_end().await;
        alone.sees_the_end().await;
    });
}

#[test]
fn a_half_closed_client_whose_last_request_is_answered_at_once_ends() {
    for last in ["reset", "own+session:x", "own+alone"] {
        run(async {
            let (world, mut accepted) = one_endpoint();
            let mut client = world.client();
            client.asks(1, "alone").await;
            client.asks(2, last).await;
            client.say_no_more().await;
            let mut alone = next(&mut accepted).await;
            alone.hears("alone").await;
            client.hears_nothing().await;
            alone.answers_oldest().await;
            client.gets(1).await;
            client.gets(2).await;
            let began = Instant::now();
            client.sees_the_end().await;
            assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
        });
    }
}

#[test]
fn a_subscriber_that_half_closes_lets_its_connection_go() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "timed:0+pin").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("timed:0+pin").await;
        client.gets(1).await;
        client.say_no_more().await;
        pin.sees_the_end().await;
        client.sees_the_end().await;
    });
}

#[test]
fn a_client_that_vanishes_while_its_request_is_postponed_leaves_nothing_behind() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "get").await;
        client.asks(2, "pin").await;
        let mut shared = next(&mut accepted).await;
        let get = shared.hears("get").await;
        shared.hears_nothing().await;
        client.vanishes().await;
        shared.hears_nothing().await;
        shared.send(&Frame::response_to(&get)).await;
        let mut pooled = next(&mut accepted).await;
        pooled.hears_nothing().await;
        let mut other = world.client();
        other.asks(1, "pin").await;
        pooled.answers("pin").await;
        other.gets(1).await;
    });
}

#[test]
fn a_request_that_lingers_has_its_own_time_and_a_second() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        let began = Instant::now();
        client.asks(1, "timed:20+alone").await;
        let mut alone = next(&mut accepted).await;
        alone.hears("timed:20+alone").await;
        client.gets_refusal(1, "Timeout").await;
        assert_eq!(began.elapsed().as_secs(), 21);
        alone.sees_the_end().await;
        client.asks(2, "get").await;
        next(&mut accepted).await.answers("get").await;
        client.gets(2).await;
    });
}
