//! No request fails, waits or is answered wrongly because of another.

mod support;

use std::time::Duration;

use meta_proxy::model::Limits;
use support::{Actor, Behaviour, Frame, World, run};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, advance};

#[test]
fn a_call_that_is_never_answered_ends_at_its_timeout_and_its_neighbours_before_it() {
    run(async {
        let mut world = World::new();
        world.echoing("all", 1, |method| method == "silent");
        world.route(None, "all").timeout = Some(Duration::from_secs(2));
        world.apply();
        let mut client = world.client();
        let mut neighbour = world.client();
        let start = Instant::now();
        client.send(&Frame::request(1, "silent")).await;
        for id in 2..50 {
            client.send(&Frame::request(id, "get")).await;
            neighbour.send(&Frame::request(id, "get")).await;
        }
        for id in 2..50 {
            assert_eq!(client.receive().await.unwrap().id, id);
            assert_eq!(neighbour.receive().await.unwrap().id, id);
        }
        assert!(start.elapsed() < Duration::from_millis(100), "neighbours waited {:?}", start.elapsed());
        let late = client.receive().await.unwrap();
        assert_eq!((late.id, late.status), (1, 9));
        assert!(late.payload.starts_with(b"Timeout"), "{late:?}");
        assert!(start.elapsed() >= Duration::from_secs(2) && start.elapsed() < Duration::from_millis(2100));
        neighbour.send(&Frame::request(99, "get")).await;
        assert_eq!(neighbour.receive().await.unwrap().id, 99, "the connection lives on");
        assert_eq!((world.count("UT"), world.count("-")), (1, 97));
    });
}

#[test]
fn a_late_response_reaches_nobody() {
    run(async {
        let mut world = World::new();
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all").timeout = Some(Duration::from_secs(1));
        world.apply();
        let mut client = world.client();
        client.send(&Frame::request(1, "slow")).await;
        let mut endpoint = accepted.recv().await.unwrap();
        let slow = endpoint.receive().await.unwrap();
        assert!(client.receive().await.unwrap().payload.starts_with(b"Timeout"));
        client.send(&Frame::request(2, "next")).await;
        let next = endpoint.receive().await.unwrap();
        assert_ne!(next.id, slow.id, "the id of an unanswered request is not used again");
        endpoint.send(&Frame::response_to(&slow)).await;
        endpoint.send(&Frame::response_to(&next)).await;
        endpoint.send(&Frame::response_to(&next)).await;
        assert_eq!(client.receive().await.unwrap().id, 2);
        client.send(&Frame::request(3, "after")).await;
        let after = endpoint.receive().await.unwrap();
        endpoint.send(&Frame::response_to(&next)).await;
        endpoint.send(&Frame::response_to(&after)).await;
        assert_eq!(client.receive().await.unwrap().id, 3, "a response that comes twice reaches nobody");
    });
}

#[test]
fn half_of_the_endpoints_refuse_and_every_call_succeeds() {
    run(async {
        let mut world = World::new();
        world.endpoint("all", 1, Behaviour::Refuse);
        world.echoing("all", 2, |_| false);
        world.endpoint("all", 3, Behaviour::Refuse);
        world.echoing("all", 4, |_| false);
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        for id in 0..40 {
            client.send(&Frame::request(id, "get")).await;
        }
        let mut answered = Vec::new();
        while answered.len() < 40 {
            let frame = client.receive().await.unwrap();
            assert_eq!(frame.status, 0, "{:?}", String::from_utf8_lossy(&frame.payload));
            answered.push(frame.id);
        }
        answered.sort_unstable();
        assert_eq!(answered, (0..40).collect::<Vec<_>>());
    });
}

#[test]
fn where_all_endpoints_refuse_or_hang_the_client_is_told_so() {
    run(async {
        let mut world = World::new();
        for number in 1..=3 {
            world.endpoint("refusing", number, Behaviour::Refuse);
            world.endpoint("hanging", 10 + number, Behaviour::Hang);
        }
        world.forget("empty");
        world.route(Some("refuse"), "refusing");
        world.route(Some("hang"), "hanging");
        world.route(Some("void"), "empty");
        world.apply();
        let mut client = world.client();
        let start = Instant::now();
        for (id, method) in [(1, "refuse"), (2, "void"), (3, "other"), (4, "hang")] {
            client.send(&Frame::request(id, method)).await;
        }
        let mut replies = Vec::new();
        while replies.len() < 4 {
            let frame = client.receive().await.unwrap();
            let text = String::from_utf8(frame.payload).unwrap();
            replies.push((frame.id, text.split(':').next().unwrap().to_owned()));
        }
        assert!(start.elapsed() < Duration::from_millis(3200), "three attempts of one second each");
        replies.sort();
        let expected = [(1, "ConnectFailure"), (2, "NoEndpoint"), (3, "NoRoute"), (4, "ConnectFailure")];
        assert_eq!(replies, expected.map(|(id, cause)| (id, cause.to_owned())));
    });
}

#[test]
fn a_request_that_waits_for_a_connection_ends_at_its_own_timeout() {
    run(async {
        let mut world = World::new();
        world.endpoint("all", 1, Behaviour::Hang);
        world.route(Some("patient"), "all");
        world.route(None, "all").timeout = Some(Duration::from_millis(200));
        world.apply();
        let mut client = world.client();
        let start = Instant::now();
        client.send(&Frame::request(1, "patient")).await;
        client.send(&Frame::request(2, "hasty")).await;
        assert_eq!(client.receive().await.unwrap().id, 2);
        assert!(start.elapsed() < Duration::from_millis(300));
    });
}

#[test]
fn what_is_under_way_on_a_lost_connection_ends_at_once_and_the_next_call_gets_a_new_one() {
    run(async {
        let (world, mut accepted) = World::with_endpoint();
        let mut client = world.client();
        client.send(&Frame::request(1, "get")).await;
        let mut endpoint = accepted.recv().await.unwrap();
        endpoint.receive().await.unwrap();
        drop(endpoint);
        let lost = client.receive().await.unwrap();
        assert!(lost.payload.starts_with(b"ConnectionLost"), "{lost:?}");
        client.send(&Frame::request(2, "get")).await;
        accepted.recv().await.unwrap().echo(|_| false);
        assert_eq!(client.receive().await.unwrap().id, 2);
    });
}

#[test]
fn an_endpoint_that_owes_responses_and_is_silent_is_given_up() {
    run(async {
        let mut world = World::new();
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all").timeout = Some(Duration::from_secs(1));
        world.apply();
        let mut client = world.client();
        let start = Instant::now();
        client.send(&Frame::request(1, "get")).await;
        let mut endpoint = accepted.recv().await.unwrap();
        endpoint.receive().await.unwrap();
        assert!(endpoint.receive().await.is_none(), "the connection is closed");
        assert!(start.elapsed() >= Duration::from_secs(2) && start.elapsed() < Duration::from_secs(3));
    });
}

#[test]
fn a_quiet_connection_is_pinged_and_given_up_after_three_missed_answers() {
    run(async {
        let (world, mut accepted) = World::with_endpoint();
        let mut client = world.client();
        client.send(&Frame::request(1, "get")).await;
        let mut endpoint = accepted.recv().await.unwrap();
        let request = endpoint.receive().await.unwrap();
        endpoint.send(&Frame::response_to(&request)).await;
        let ping = endpoint.receive().await.unwrap();
        assert_eq!(ping.kind, b'p');
        endpoint.send(&Frame::new(b'o', ping.id, "", b"")).await;
        for _ in 0..3 {
            assert_eq!(endpoint.receive().await.unwrap().kind, b'p');
        }
        assert!(endpoint.receive().await.is_none());
    });
}

#[test]
fn copies_never_delay_or_fail_what_they_copy() {
    run(async {
        let mut world = World::new();
        world.echoing("all", 1, |_| false);
        world.endpoint("copies", 2, Behaviour::Hang);
        world.endpoint("copies", 3, Behaviour::Refuse);
        world.mirrored("all", "copies");
        world.apply();
        let mut client = world.client();
        let start = Instant::now();
        for id in 0..20 {
            client.send(&Frame::request(id, "get")).await;
            let frame = client.receive().await.unwrap();
            assert_eq!((frame.id, frame.status), (id, 0));
        }
        assert!(start.elapsed() < Duration::from_millis(100));
        assert_eq!(world.copies().0, 20);
    });
}

#[test]
fn copies_arrive_and_their_responses_are_dropped() {
    run(async {
        let mut world = World::new();
        world.echoing("all", 1, |_| false);
        let mut copies = world.accepting("copies", 2);
        world.mirrored("all", "copies");
        world.apply();
        let mut client = world.client();
        client.send(&Frame::request(5, "get")).await;
        let mut endpoint = copies.recv().await.unwrap();
        let copy = endpoint.receive().await.unwrap();
        assert_eq!((copy.method.as_str(), copy.payload.as_slice()), ("get", &b"payload"[..]));
        endpoint.send(&Frame::response_to(&copy)).await;
        assert_eq!(client.receive().await.unwrap().id, 5);
        client.send(&Frame::request(6, "get")).await;
        assert_eq!(client.receive().await.unwrap().id, 6, "the copy's response is not seen");
    });
}

#[test]
fn limits_are_kept_and_answered_as_overload() {
    run(async {
        let mut world = World::new();
        let mut accepted = world.accepting("all", 1);
        world.limits = Limits {
            max_requests: Some(2),
            max_pending: Some(1),
            max_connections: Some(1),
            max_retries: None,
        };
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        for id in 1..=3 {
            client.send(&Frame::request(id, "get")).await;
        }
        let pending = client.receive().await.unwrap();
        assert!(
            pending.id == 2 && pending.payload.ends_with(b"waiting requests is reached: 1 for all"),
            "{pending:?}"
        );
        assert!(client.receive().await.unwrap().payload.starts_with(b"Overload"));
        let mut endpoint = accepted.recv().await.unwrap();
        let first = endpoint.receive().await.unwrap();
        for id in 4..=5 {
            client.send(&Frame::request(id, "get")).await;
        }
        let refused = client.receive().await.unwrap();
        assert!(
            refused.id == 5 && refused.payload.ends_with(b"outstanding requests is reached: 2 for all"),
            "{refused:?}"
        );
        endpoint.send(&Frame::response_to(&first)).await;
        assert_eq!(client.receive().await.unwrap().id, 1);
        client.send(&Frame::request(6, "get")).await;
        let fourth = endpoint.receive().await.unwrap();
        let sixth = endpoint.receive().await.unwrap();
        endpoint.send(&Frame::response_to(&sixth)).await;
        endpoint.send(&Frame::response_to(&fourth)).await;
        assert_eq!(client.receive().await.unwrap().id, 6, "responses come in the endpoint's order");
        assert_eq!(client.receive().await.unwrap().id, 4);
    });
}

#[test]
fn endpoints_that_leave_finish_what_they_have() {
    run(async {
        let (mut world, mut accepted) = World::with_endpoint();
        let mut client = world.client();
        client.send(&Frame::request(1, "get")).await;
        let mut old = accepted.recv().await.unwrap();
        let request = old.receive().await.unwrap();
        world.forget("all");
        world.echoing("all", 2, |_| false);
        world.apply();
        client.send(&Frame::request(2, "get")).await;
        assert_eq!(client.receive().await.unwrap().id, 2);
        old.send(&Frame::response_to(&request)).await;
        assert_eq!(client.receive().await.unwrap().id, 1);
        assert!(old.receive().await.is_none(), "then its connection ends");
    });
}

#[test]
fn an_endpoint_that_goes_away_gets_no_more_requests_on_that_connection() {
    run(async {
        let (world, mut accepted) = World::with_endpoint();
        let mut client = world.client();
        client.send(&Frame::request(1, "get")).await;
        let mut first = accepted.recv().await.unwrap();
        let request = first.receive().await.unwrap();
        first.send(&Frame::new(b'g', 0, "", b"")).await;
        first.send(&Frame::response_to(&request)).await;
        assert_eq!(client.receive().await.unwrap().id, 1);
        client.send(&Frame::request(2, "get")).await;
        accepted.recv().await.unwrap().echo(|_| false);
        assert_eq!(client.receive().await.unwrap().id, 2);
    });
}

#[test]
fn an_endpoint_that_goes_away_gets_nothing_while_there_is_another() {
    run(async {
        let mut world = World::new();
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        client.send(&Frame::request(1, "get")).await;
        let mut leaving = accepted.recv().await.unwrap();
        let request = leaving.receive().await.unwrap();
        world.echoing("all", 2, |_| false);
        world.apply();
        leaving.send(&Frame::new(b'g', 0, "", b"")).await;
        leaving.send(&Frame::response_to(&request)).await;
        assert_eq!(client.receive().await.unwrap().id, 1);
        for id in 2..50 {
            client.send(&Frame::request(id, "get")).await;
            assert_eq!(client.receive().await.unwrap().id, id, "answered by the other one");
        }
        drop(leaving);
        for id in 50..100 {
            client.send(&Frame::request(id, "get")).await;
            assert_eq!(client.receive().await.unwrap().id, id, "it has closed, and may still accept");
        }
        assert!(accepted.try_recv().is_err(), "nobody connected to it again");
    });
}

/// A connection of its cluster, of which there may be so many, that owes the answer to a request that is out of time, and since
/// 700 ms later that to another one. Requests have a second.
async fn nearly_silent(max_connections: Option<u32>) -> (World, Actor, UnboundedReceiver<Actor>, Actor) {
    let mut world = World::new();
    let mut accepted = world.accepting("all", 1);
    world.limits.max_connections = max_connections;
    world.route(None, "all").timeout = Some(Duration::from_secs(1));
    world.apply();
    let mut client = world.client();
    client.asks(1, "old").await;
    let mut first = accepted.recv().await.expect("a connection");
    first.hears("old").await;
    client.gets_refusal(1, "Timeout").await;
    advance(Duration::from_millis(700)).await;
    client.asks(2, "young").await;
    first.hears("young").await;
    (world, client, accepted, first)
}

#[test]
fn a_connection_that_is_given_up_for_its_silence_leaves_young_requests_their_time() {
    run(async {
        let (_world, mut client, mut accepted, mut first) = nearly_silent(None).await;
        advance(Duration::from_millis(500)).await;
        // For more than two seconds it has said nothing: others go elsewhere.
        client.asks(3, "new").await;
        let mut second = accepted.recv().await.unwrap();
        second.answers("new").await;
        client.gets(3).await;
        advance(Duration::from_millis(300)).await;
        first.answers_oldest().await;
        first.answers_oldest().await;
        client.gets(2).await;
    });
}

#[test]
fn what_waits_is_not_sent_on_a_connection_that_has_fallen_silent() {
    run(async {
        let (_world, mut client, mut accepted, _first) = nearly_silent(Some(1)).await;
        advance(Duration::from_millis(500)).await;
        client.asks(3, "new").await;
        client.gets_refusal(2, "Timeout").await;
        accepted.recv().await.unwrap().answers("new").await;
        client.gets(3).await;
    });
}

#[test]
fn a_request_that_is_answered_with_a_pong_is_told_so() {
    run(async {
        let mut world = World::new();
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        client.asks(1, "get").await;
        let mut endpoint = accepted.recv().await.unwrap();
        let request = endpoint.hears("get").await;
        endpoint.send(&Frame::new(b'o', request.id, "", b"")).await;
        let told = client.is_told(1).await;
        assert!(told.contains("a request was answered with a pong"), "{told}");
    });
}

#[test]
fn a_connection_that_stays_silent_is_closed_when_its_last_request_is_out_of_time() {
    run(async {
        let start = Instant::now();
        let (_world, mut client, _accepted, mut first) = nearly_silent(None).await;
        client.gets_refusal(2, "Timeout").await;
        first.sees_the_end().await;
        let silence = start.elapsed();
        assert!(
            silence >= Duration::from_millis(2600) && silence < Duration::from_millis(2800),
            "{silence:?}"
        );
    });
}

#[test]
fn a_connection_without_requests_closes_after_its_clusters_idle_time() {
    run(async {
        let mut world = World::new();
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all");
        world.upstream_idle_timeout = Some(Duration::from_secs(10));
        world.apply();
        let mut client = world.client();
        client.asks(1, "get").await;
        let mut endpoint = accepted.recv().await.unwrap();
        endpoint.hears("get").await;
        advance(Duration::from_secs(8)).await;
        endpoint.answers_oldest().await;
        client.gets(1).await;
        // It counts from the response.
        let start = Instant::now();
        endpoint.sees_the_end().await;
        let idle = start.elapsed();
        assert!(idle >= Duration::from_secs(9) && idle <= Duration::from_secs(12), "{idle:?}");
        client.asks(2, "get").await;
        accepted.recv().await.unwrap().answers("get").await;
        client.gets(2).await;
    });
}
