//! Requests that take tokens, and what becomes of those that find none.

use std::time::Duration;

use codec_api::Order;
use meta_proxy::model::{AttributeMatcher, ConditionalBucket, Matcher, RateLimit, TokenBucket, ValueMatcher};
use tokio::time::advance;

use crate::support::{Actor, Frame, World, run};
use crate::{Accepted, next};

/// A bucket that holds this many, and gets one more every second.
fn bucket(max_tokens: u32) -> TokenBucket {
    TokenBucket { max_tokens, tokens_per_fill: 1, fill_interval: Duration::from_secs(1) }
}

fn when(name: &str, matcher: ValueMatcher, bucket: TokenBucket) -> ConditionalBucket {
    let matchers = vec![AttributeMatcher { name: name.to_owned(), matcher: Matcher::Is(matcher) }];
    ConditionalBucket { matchers, bucket }
}

fn method(prefix: &str, max_tokens: u32) -> ConditionalBucket {
    when("method", ValueMatcher::Prefix(prefix.to_owned()), bucket(max_tokens))
}

/// All requests take from one bucket.
fn of(max_tokens: u32) -> RateLimit {
    RateLimit { conditions: vec![], default: Some(bucket(max_tokens)) }
}

/// A worker whose requests all go to one endpoint, which answers them.
fn limited(limit: RateLimit) -> World {
    let mut world = World::new();
    world.serving("all", 1);
    world.route(None, "all");
    world.rate_limit = Some(limit);
    world.apply();
    world
}

/// Asks once; whether the endpoint answered.
async fn passes(client: &mut Actor, id: u64, method: &str) -> bool {
    client.asks(id, method).await;
    let frame = client.receive().await.expect("a response");
    let text = String::from_utf8_lossy(&frame.payload).into_owned();
    assert_eq!((frame.kind, frame.id), (b'r', id));
    assert!(frame.status == 0 || text == "RateLimited: the rate limit of this service is reached", "{text}");
    frame.status == 0
}

/// Asks so often; how many were answered by the endpoint.
async fn passed(client: &mut Actor, count: u64, method: &str) -> usize {
    let mut passed = 0;
    for id in 0..count {
        passed += usize::from(passes(client, id, method).await);
    }
    passed
}

#[test]
fn a_request_without_a_token_is_answered_and_its_client_lives_on() {
    run(async {
        let world = limited(of(3));
        let mut client = world.client();
        assert_eq!(passed(&mut client, 5, "get").await, 3);
        assert_eq!((world.count("RL"), world.count("-")), (2, 3));
        advance(Duration::from_millis(999)).await;
        assert!(!passes(&mut client, 6, "get").await, "a fill comes whole");
        advance(Duration::from_millis(1)).await;
        assert_eq!(passed(&mut client, 2, "get").await, 1);
        advance(Duration::from_mins(1)).await;
        assert_eq!(passed(&mut client, 5, "get").await, 3, "never more than the bucket holds");
    });
}

#[test]
fn the_first_condition_that_holds_decides() {
    run(async {
        let conditions = vec![method("get", 1), method("g", 2), method("", 1)];
        let world = limited(RateLimit { conditions, default: Some(bucket(9)) });
        let mut client = world.client();
        // A bucket that is empty is not made up for by the next one that would fit.
        for (method, count) in [("get", 1), ("go", 2), ("put", 1)] {
            assert_eq!(passed(&mut client, 3, method).await, count, "{method}");
        }
    });
}

#[test]
fn what_no_condition_matches_takes_from_the_default_bucket_or_is_not_limited() {
    run(async {
        for (default, expected) in [(Some(bucket(2)), 2), (None, 5)] {
            let world = limited(RateLimit { conditions: vec![method("get", 1)], default });
            let mut client = world.client();
            assert_eq!(passed(&mut client, 5, "put").await, expected);
            assert_eq!(passed(&mut client, 5, "get").await, 1);
        }
    });
}

#[test]
fn conditions_on_late_attributes_hold_as_those_of_routes_do() {
    run(async {
        let size = Frame::request(0, "get").encode().len().to_string();
        let condition = when("size", ValueMatcher::Exact(size), bucket(1));
        let world = limited(RateLimit { conditions: vec![condition], default: None });
        let mut client = world.client();
        assert_eq!(passed(&mut client, 3, "get").await, 1);
        assert_eq!(passed(&mut client, 3, "longer").await, 3);
    });
}

#[test]
fn all_workers_take_from_the_same_buckets() {
    run(async {
        let mut world = limited(of(5));
        world.another_worker();
        world.apply();
        let (mut here, mut there) = (world.client(), world.client_of_worker(1));
        let mut count = 0;
        for id in 0..5 {
            count += usize::from(passes(&mut here, id, "get").await);
            count += usize::from(passes(&mut there, id, "get").await);
        }
        assert_eq!(count, 5);
    });
}

#[test]
fn buckets_keep_their_fill_while_routes_change() {
    run(async {
        let mut world = limited(of(3));
        let mut client = world.client();
        assert_eq!(passed(&mut client, 2, "get").await, 2);
        world.serving("other", 2);
        world.routes.clear();
        world.route(None, "other");
        world.apply();
        client.asks(7, "get").await;
        assert_eq!(client.gets(7).await, "get@2", "the new route is in force");
        assert!(!passes(&mut client, 8, "get").await, "and the old bucket");
        world.rate_limit = Some(of(4));
        world.apply();
        assert_eq!(passed(&mut client, 5, "get").await, 4, "another bucket is full at first");
        world.rate_limit = None;
        world.apply();
        assert_eq!(passed(&mut client, 5, "get").await, 5);
    });
}

#[test]
fn a_token_is_taken_before_a_route_is_looked_for() {
    run(async {
        let mut world = limited(of(1));
        world.routes.clear();
        world.route(Some("get"), "all");
        world.apply();
        let mut client = world.client();
        client.asks(1, "unknown").await;
        client.gets_refusal(1, "NoRoute").await;
        assert!(!passes(&mut client, 2, "get").await);
    });
}

#[test]
fn oneway_requests_without_a_token_are_dropped_and_counted() {
    run(async {
        let mut world = World::new();
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all");
        world.rate_limit = Some(of(1));
        world.apply();
        let mut client = world.client();
        client.send(&Frame::new(b'1', 1, "first", b"")).await;
        client.send(&Frame::new(b'1', 2, "second", b"")).await;
        let mut endpoint = next(&mut accepted).await;
        endpoint.hears("first").await;
        endpoint.hears_nothing().await;
        client.hears_nothing().await;
        assert_eq!(world.count("RL"), 1);
    });
}

#[test]
fn pings_own_answers_and_copies_take_no_token() {
    run(async {
        let mut world = World::new();
        world.serving("all", 1);
        world.serving("copies", 2);
        world.mirrored("all", "copies");
        world.rate_limit = Some(of(2));
        world.apply();
        let mut client = world.client();
        for id in 0..5 {
            client.send(&Frame::new(b'p', id, "", b"")).await;
            assert_eq!(client.receive().await.unwrap().kind, b'o');
            client.asks(id, "own").await;
            assert_eq!(client.gets(id).await, "own");
        }
        assert_eq!(passed(&mut client, 3, "get").await, 2);
        assert_eq!(world.copies(), (2, 0), "what is refused is not copied");
    });
}

/// A worker whose clients and one endpoint want answers in order; requests take tokens.
fn in_order(max_tokens: u32) -> (World, Accepted) {
    let mut world = crate::ordered();
    assert_eq!(world.upstream_order, Order::InOrder);
    let accepted = world.accepting("all", 1);
    world.route(None, "all");
    world.rate_limit = Some(of(max_tokens));
    world.apply();
    (world, accepted)
}

#[test]
fn a_refusal_waits_for_its_turn() {
    run(async {
        let (world, mut accepted) = in_order(1);
        let mut client = world.client();
        client.asks(1, "get").await;
        client.asks(2, "get").await;
        let mut endpoint = next(&mut accepted).await;
        endpoint.hears("get").await;
        client.hears_nothing().await;
        endpoint.answers_oldest().await;
        client.gets(1).await;
        client.gets_refusal(2, "RateLimited").await;
    });
}

#[test]
fn what_would_pin_its_client_is_refused_and_does_not() {
    run(async {
        let (world, mut accepted) = in_order(1);
        let mut client = world.client();
        client.asks(1, "get").await;
        let mut shared = next(&mut accepted).await;
        shared.answers("get").await;
        client.gets(1).await;
        client.asks(2, "pin").await;
        client.gets_refusal(2, "RateLimited").await;
        advance(Duration::from_secs(1)).await;
        client.asks(3, "get").await;
        shared.answers("get").await;
        client.gets(3).await;
        crate::nobody_connects(&mut accepted).await;
    });
}

#[test]
fn on_a_pin_requests_are_limited_but_for_those_about_the_pin_itself() {
    run(async {
        let (world, mut accepted) = in_order(2);
        let mut client = world.client();
        client.asks(1, "pin").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("pin").await;
        client.gets(1).await;
        client.asks(2, "get").await;
        pin.answers("get").await;
        client.gets(2).await;
        client.asks(3, "get").await;
        client.gets_refusal(3, "RateLimited").await;
        for (id, method) in [(4, "pin"), (5, "unpin")] {
            client.asks(id, method).await;
            pin.answers(method).await;
            client.gets(id).await;
        }
        client.asks(6, "get").await;
        client.gets_refusal(6, "RateLimited").await;
        assert_eq!(world.count("RL"), 2);
    });
}

#[test]
fn a_bucket_can_be_that_of_one_address() {
    run(async {
        let matcher = ValueMatcher::Exact("10.0.0.1".to_owned());
        let conditions = vec![when("source.address", matcher, bucket(2))];
        let world = limited(RateLimit { conditions, default: None });
        for (address, expected) in [([10, 0, 0, 1], 2), ([10, 0, 0, 2], 5)] {
            let mut client = world.client_from((address, 1).into());
            assert_eq!(passed(&mut client, 5, "get").await, expected, "{address:?}");
        }
    });
}
