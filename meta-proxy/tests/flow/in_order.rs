//! Endpoints that answer in the order of the requests.

use std::time::Duration;

use codec_api::Order;
use tokio::time::{Instant, advance};

use crate::support::{Behaviour, Frame, World, run};
use crate::{Accepted, next, nobody_connects, one_endpoint, one_hasty_endpoint, ordered};

/// `hasty` requests have one second, `patient` ones ten, all others four.
fn hurried() -> (World, Accepted) {
    let mut world = ordered();
    let accepted = world.accepting("all", 1);
    world.route(Some("hasty"), "all").timeout = Some(Duration::from_secs(1));
    world.route(Some("patient"), "all").timeout = Some(Duration::from_secs(10));
    world.route(None, "all").timeout = Some(Duration::from_secs(4));
    world.apply();
    (world, accepted)
}

#[test]
fn responses_find_their_requests_by_their_order() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut clients = [world.client(), world.client(), world.client()];
        for round in 0..10 {
            for (number, client) in (0u64..).zip(&mut clients) {
                let payload = format!("{round} of {number}").into_bytes();
                client.send(&Frame::new(b'q', number * 100 + round, "get", &payload)).await;
            }
        }
        let mut endpoint = next(&mut accepted).await;
        for _ in 0..30 {
            let request = endpoint.answer().await;
            assert_eq!(request.id, 0, "ids mean nothing here");
        }
        for (number, client) in (0u64..).zip(&mut clients) {
            for round in 0..10 {
                assert_eq!(client.gets(number * 100 + round).await, format!("{round} of {number}"));
            }
        }
        nobody_connects(&mut accepted).await;
    });
}

#[test]
fn a_request_out_of_time_keeps_its_place_and_its_late_answer_reaches_nobody() {
    run(async {
        let (world, mut accepted) = hurried();
        let (mut one, mut other) = (world.client(), world.client());
        one.asks(1, "hasty").await;
        let mut endpoint = next(&mut accepted).await;
        let late = endpoint.hears("hasty").await;
        other.asks(2, "patient").await;
        let request = endpoint.hears("patient").await;
        one.gets_refusal(1, "Timeout").await;
        endpoint.send(&Frame { payload: b"late".to_vec(), ..Frame::response_to(&late) }).await;
        endpoint.send(&Frame { payload: b"patient".to_vec(), ..Frame::response_to(&request) }).await;
        assert_eq!(other.gets(2).await, "patient");
        one.hears_nothing().await;
    });
}

#[test]
fn a_stalled_connection_takes_no_new_request_until_something_is_read() {
    run(async {
        let (world, mut accepted) = hurried();
        let (mut one, mut other) = (world.client(), world.client());
        one.asks(1, "hasty").await;
        let mut first = next(&mut accepted).await;
        let late = first.hears("hasty").await;
        one.gets_refusal(1, "Timeout").await;
        other.asks(2, "get").await;
        let mut second = next(&mut accepted).await;
        second.answers("get").await;
        other.gets(2).await;
        one.asks(3, "get").await;
        second.answers("get").await;
        one.gets(3).await;
        first.hears_nothing().await;
        first.send(&Frame::response_to(&late)).await;
        first.hears_nothing().await;
        one.asks(4, "get").await;
        first.answers("get").await;
        one.gets(4).await;
        nobody_connects(&mut accepted).await;
    });
}

#[test]
fn a_client_with_requests_on_a_stalled_connection_waits_for_them() {
    run(async {
        let (world, mut accepted) = hurried();
        let mut client = world.client();
        client.asks(1, "hasty").await;
        client.asks(2, "patient").await;
        let mut first = next(&mut accepted).await;
        let (late, patient) = (first.hears("hasty").await, first.hears("patient").await);
        client.gets_refusal(1, "Timeout").await;
        let mut other = world.client();
        other.asks(1, "get").await;
        let mut second = next(&mut accepted).await;
        second.answers("get").await;
        other.gets(1).await;
        for id in 3..8 {
            client.asks(id, "get").await;
            second.hears_nothing().await;
        }
        first.hears_nothing().await;
        nobody_connects(&mut accepted).await;
        first.send(&Frame::response_to(&late)).await;
        first.send(&Frame::response_to(&patient)).await;
        client.gets(2).await;
        for id in 3..8 {
            first.answers("get").await;
            client.gets(id).await;
        }
    });
}

#[test]
fn what_waits_behind_a_stalled_connection_goes_elsewhere_when_nothing_of_its_client_is_left_there() {
    run(async {
        let (world, mut accepted) = hurried();
        let mut client = world.client();
        client.asks(1, "hasty").await;
        client.asks(2, "get").await;
        let mut first = next(&mut accepted).await;
        let (_, _) = (first.hears("hasty").await, first.hears("get").await);
        client.gets_refusal(1, "Timeout").await;
        advance(Duration::from_secs(2)).await;
        client.asks(3, "get").await;
        client.gets_refusal(2, "Timeout").await;
        let began = Instant::now();
        let mut second = next(&mut accepted).await;
        second.answers("get").await;
        client.gets(3).await;
        assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
        first.hears_nothing().await;
    });
}

#[test]
fn what_waits_behind_a_lost_connection_goes_on_one_that_is_there() {
    run(async {
        let (world, mut accepted) = hurried();
        let (mut client, mut other) = (world.client(), world.client());
        client.asks(1, "hasty").await;
        client.asks(2, "patient").await;
        let mut first = next(&mut accepted).await;
        let (_, _) = (first.hears("hasty").await, first.hears("patient").await);
        client.gets_refusal(1, "Timeout").await;
        other.asks(1, "get").await;
        let mut second = next(&mut accepted).await;
        second.answers("get").await;
        other.gets(1).await;
        client.asks(3, "get").await;
        second.hears_nothing().await;
        world.behave(1, Behaviour::Refuse);
        drop(first);
        client.gets_refusal(2, "ConnectionLost").await;
        second.answers("get").await;
        client.gets(3).await;
    });
}

#[test]
fn a_client_stays_on_its_connection_while_it_has_requests_there() {
    run(async {
        let (world, mut accepted) = hurried();
        let (mut one, mut other) = (world.client(), world.client());
        one.asks(1, "hasty").await;
        let mut first = next(&mut accepted).await;
        let late = first.hears("hasty").await;
        one.gets_refusal(1, "Timeout").await;
        other.asks(2, "write").await;
        let mut second = next(&mut accepted).await;
        let write = second.hears("write").await;
        first.send(&Frame::response_to(&late)).await;
        other.asks(3, "get").await;
        first.hears_nothing().await;
        let get = second.hears("get").await;
        second.send(&Frame::response_to(&write)).await;
        second.send(&Frame::response_to(&get)).await;
        other.gets(2).await;
        other.gets(3).await;
        other.asks(4, "get").await;
        first.answers("get").await;
        other.gets(4).await;
    });
}

#[test]
fn what_waited_for_a_connection_is_not_overtaken_when_another_one_can_be_used_again() {
    run(async {
        let (world, mut accepted) = hurried();
        let (mut one, mut other) = (world.client(), world.client());
        one.asks(1, "hasty").await;
        let mut first = next(&mut accepted).await;
        let late = Frame::response_to(&first.hears("hasty").await).encode();
        one.gets_refusal(1, "Timeout").await;
        world.behave(1, Behaviour::Hang);
        other.asks(2, "write").await;
        first.hears_nothing().await;
        // Not a whole answer: something is read all the same.
        first.send_bytes(&late[..5]).await;
        one.hears_nothing().await;
        other.asks(3, "get").await;
        first.hears("write").await;
        first.hears("get").await;
    });
}

#[test]
fn a_connection_that_owes_answers_and_is_silent_is_closed_and_its_tombstones_go_with_it() {
    run(async {
        let (world, mut accepted) = one_hasty_endpoint(1000);
        let mut client = world.client();
        let began = Instant::now();
        client.asks(1, "get").await;
        let mut first = next(&mut accepted).await;
        first.hears("get").await;
        client.gets_refusal(1, "Timeout").await;
        first.sees_the_end().await;
        assert_eq!(began.elapsed().as_secs(), 2, "twice the longest time");
        client.asks(2, "get").await;
        next(&mut accepted).await.answers("get").await;
        client.gets(2).await;
    });
}

#[test]
fn a_ping_has_its_place_in_the_queue() {
    run(async {
        let mut world = ordered();
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all").timeout = Some(Duration::from_mins(5));
        world.apply();
        let mut client = world.client();
        client.asks(1, "first").await;
        let mut endpoint = next(&mut accepted).await;
        let first = endpoint.hears("first").await;
        let ping = endpoint.receive().await.unwrap();
        assert_eq!(ping.kind, b'p');
        client.asks(2, "second").await;
        let second = endpoint.hears("second").await;
        for (request, text) in [(&first, "1"), (&ping, "pong"), (&second, "2")] {
            endpoint.send(&Frame { payload: text.into(), ..Frame::response_to(request) }).await;
        }
        assert_eq!((client.gets(1).await, client.gets(2).await), ("1".to_owned(), "2".to_owned()));
        assert_eq!(endpoint.receive().await.unwrap().kind, b'p', "the next one, a quiet minute later");
        endpoint.send(&Frame::new(b'r', 0, "", b"pong")).await;
        client.asks(3, "third").await;
        endpoint.answers("third").await;
        client.gets(3).await;
    });
}

#[test]
fn an_endpoint_that_answers_no_ping_is_given_up() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "get").await;
        let mut endpoint = next(&mut accepted).await;
        endpoint.answers("get").await;
        client.gets(1).await;
        for _ in 0..3 {
            assert_eq!(endpoint.receive().await.unwrap().kind, b'p');
        }
        endpoint.sees_the_end().await;
    });
}

#[test]
fn what_a_vanished_client_had_asked_keeps_its_place_and_is_answered_to_nobody() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut gone, mut other) = (world.client(), world.client());
        gone.asks(1, "gone").await;
        let mut endpoint = next(&mut accepted).await;
        let lost = endpoint.hears("gone").await;
        other.asks(2, "get").await;
        let get = endpoint.hears("get").await;
        gone.vanishes().await;
        other.hears_nothing().await;
        assert_eq!(world.count("DC"), 1);
        other.asks(3, "next").await;
        let next = endpoint.hears("next").await;
        for (request, text) in [(&lost, "lost"), (&get, "get"), (&next, "next")] {
            endpoint.send(&Frame { payload: text.into(), ..Frame::response_to(request) }).await;
        }
        assert_eq!((other.gets(2).await, other.gets(3).await), ("get".to_owned(), "next".to_owned()));
        nobody_connects(&mut accepted).await;
    });
}

#[test]
fn an_answer_that_nobody_asked_for_reaches_nobody() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "get").await;
        let mut endpoint = next(&mut accepted).await;
        endpoint.answers("get").await;
        endpoint.send(&Frame::new(b'r', 0, "", b"once more")).await;
        client.gets(1).await;
        client.hears_nothing().await;
        client.asks(2, "get").await;
        endpoint.answers("get").await;
        assert_eq!(client.gets(2).await, "payload");
    });
}

#[test]
fn a_mixed_world_puts_early_answers_of_endpoints_with_ids_into_their_clients_order() {
    run(async {
        let mut world = ordered();
        world.upstream_order = Order::ById;
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        client.asks(1, "first").await;
        client.asks(2, "second").await;
        let mut endpoint = next(&mut accepted).await;
        let (first, second) = (endpoint.hears("first").await, endpoint.hears("second").await);
        endpoint.send(&Frame::response_to(&second)).await;
        client.hears_nothing().await;
        endpoint.send(&Frame::response_to(&first)).await;
        client.gets(1).await;
        client.gets(2).await;
    });
}
