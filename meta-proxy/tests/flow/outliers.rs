//! Endpoints whose requests fail, and who gets requests then.

use std::rc::Rc;
use std::time::Duration;

use meta_proxy::model::{Health, LoadBalancing, OutlierDetection};
use tokio::time::{Instant, advance};

use crate::ordered;
use crate::spread::{apart, keyed};
use crate::support::{Actor, Behaviour, Frame, Manner, Part, World, run};

const S: Duration = Duration::from_secs(1);

fn policy() -> OutlierDetection {
    OutlierDetection {
        consecutive_errors: Some(5),
        consecutive_gateway_errors: None,
        interval: 10 * S,
        base_ejection_time: 30 * S,
        max_ejection_time: 300 * S,
        max_ejection_percent: 100,
        always_eject_one: true,
    }
}

fn judged(outliers: OutlierDetection, panic_threshold: u32) -> Health {
    Health { outliers: Some(outliers), checks: None, panic_threshold }
}

/// This many endpoints, numbered from 1, in turn.
fn cluster(count: u16, health: Health) -> (World, Vec<Rc<Part>>) {
    let mut world = World::new();
    let parts = (1..=count).map(|number| world.playing("all", number)).collect();
    (world.health, world.balancing) = (health, LoadBalancing::RoundRobin);
    world.route(None, "all").timeout = Some(S);
    world.apply();
    (world, parts)
}

/// Asks one after the other; the statuses of the answers.
async fn ask(client: &mut Actor, count: u64) -> Vec<u8> {
    let mut statuses = Vec::new();
    for id in 0..count {
        client.asks(id, "get").await;
        statuses.push(client.receive().await.expect("an answer").status);
    }
    statuses
}

/// How many each has had since it was asked last.
fn requests(parts: &[Rc<Part>]) -> Vec<usize> {
    parts.iter().map(|part| part.take_requests()).collect()
}

fn bad(statuses: &[u8]) -> usize {
    statuses.iter().filter(|status| **status > 1).count()
}

#[test]
fn half_of_the_endpoints_answer_errors_and_get_no_more_than_it_takes_to_find_out() {
    for status in [2, 3] {
        run(async move {
            let (world, parts) = cluster(4, judged(policy(), 0));
            parts[1].manner.set(Manner::Answers(status));
            parts[3].manner.set(Manner::Answers(status));
            let mut client = world.client();
            assert_eq!(bad(&ask(&mut client, 40).await), 10, "five of each");
            assert_eq!(bad(&ask(&mut client, 200).await), 0);
            assert_eq!(requests(&parts), [115, 5, 115, 5], "who is left shares evenly");
        });
    }
}

#[test]
fn exceptions_of_the_application_eject_nobody() {
    run(async {
        let (world, parts) = cluster(2, judged(policy(), 0));
        parts[0].manner.set(Manner::Answers(1));
        let mut client = world.client();
        ask(&mut client, 200).await;
        assert_eq!(parts[0].take_requests(), 100);
        // They also end a row of failures.
        for _ in 0..20 {
            for status in [2, 2, 2, 2, 1] {
                parts[0].manner.set(Manner::Answers(status));
                ask(&mut client, 2).await;
            }
        }
        assert_eq!(parts[0].take_requests(), 100);
    });
}

#[test]
fn an_ejected_endpoint_comes_back_after_its_time_and_the_next_time_later() {
    run(async {
        let (world, parts) = cluster(2, judged(policy(), 0));
        let mut client = world.client();
        for time in [30 * S, 60 * S, 90 * S] {
            parts[0].manner.set(Manner::Answers(2));
            let start = Instant::now();
            assert_eq!(bad(&ask(&mut client, 10).await), 5);
            advance(time.saturating_sub(start.elapsed() + S / 10)).await;
            parts[0].take_requests();
            ask(&mut client, 10).await;
            assert_eq!(parts[0].take_requests(), 0, "not before {time:?}");
            parts[0].manner.set(Manner::Answers(0));
            advance(S / 5).await;
            assert_eq!(bad(&ask(&mut client, 10).await), 0);
            assert_eq!(parts[0].take_requests(), 5, "after {time:?}");
        }
        // Three intervals of good conduct make it good.
        advance(31 * S).await;
        parts[0].manner.set(Manner::Answers(2));
        ask(&mut client, 10).await;
        parts[0].take_requests();
        advance(31 * S).await;
        ask(&mut client, 10).await;
        assert_eq!(parts[0].take_requests(), 5, "the first time again");
    });
}

#[test]
fn no_answer_a_lost_connection_and_none_at_all_are_failures_too() {
    run(async {
        let (world, parts) = cluster(2, judged(policy(), 0));
        let mut client = world.client();
        for manner in [Manner::Silent, Manner::HangsUp] {
            parts[0].manner.set(manner);
            assert_eq!(bad(&ask(&mut client, 40).await), 5);
            assert_eq!(parts[0].take_requests(), 5);
            parts[0].manner.set(Manner::Answers(0));
            advance(200 * S).await;
            assert_eq!(bad(&ask(&mut client, 10).await), 0, "it is back");
            parts[0].take_requests();
        }
    });
    run(async {
        let (mut world, _parts) = cluster(1, judged(policy(), 0));
        world.endpoint("all", 7, Behaviour::Refuse);
        world.apply();
        let mut client = world.client();
        // They are connected to elsewhere: each attempt comes after a pause that grows.
        for _ in 0..20 {
            assert_eq!(bad(&ask(&mut client, 10).await), 0);
            advance(S / 2).await;
        }
        let attempts = world.attempts();
        for _ in 0..20 {
            ask(&mut client, 10).await;
            advance(S / 2).await;
        }
        assert_eq!(world.attempts(), attempts, "it is not tried while it is ejected");
    });
}

#[test]
fn gateway_errors_are_those_without_any_answer() {
    let gateway =
        OutlierDetection { consecutive_errors: None, consecutive_gateway_errors: Some(3), ..policy() };
    run(async move {
        let (world, parts) = cluster(2, judged(gateway, 0));
        let mut client = world.client();
        parts[0].manner.set(Manner::Answers(2));
        assert_eq!(bad(&ask(&mut client, 40).await), 20, "each of its answers");
        parts[0].manner.set(Manner::HangsUp);
        assert_eq!(bad(&ask(&mut client, 40).await), 3);
    });
}

#[test]
fn no_more_are_ejected_than_may_be_and_in_panic_all_get_requests() {
    run(async {
        let half = OutlierDetection { max_ejection_percent: 50, ..policy() };
        let (world, parts) = cluster(4, judged(half, 0));
        let mut client = world.client();
        for part in &parts {
            part.manner.set(Manner::Answers(2));
        }
        ask(&mut client, 200).await;
        requests(&parts);
        ask(&mut client, 100).await;
        assert_eq!(requests(&parts), [0, 0, 50, 50]);
    });
    run(async {
        let (world, parts) = cluster(4, judged(policy(), 50));
        let mut client = world.client();
        for part in &parts[..2] {
            part.manner.set(Manner::Answers(2));
        }
        ask(&mut client, 100).await;
        assert_eq!(parts[0].take_requests(), 5, "half of them are healthy: no panic");
        parts[2].manner.set(Manner::Answers(2));
        ask(&mut client, 100).await;
        requests(&parts);
        ask(&mut client, 100).await;
        assert_eq!(requests(&parts), [25; 4], "panic");
    });
}

#[test]
fn where_all_are_ejected_the_client_learns_which_and_why() {
    run(async {
        let (world, parts) = cluster(2, judged(policy(), 0));
        let mut client = world.client();
        parts[0].manner.set(Manner::Answers(2));
        parts[1].manner.set(Manner::HangsUp);
        ask(&mut client, 10).await;
        client.asks(1, "get").await;
        let told = String::from_utf8(client.receive().await.unwrap().payload).unwrap();
        assert!(told.starts_with(
            "NoEndpoint: no endpoint of the cluster is healthy (192.0.2.1:1: ejected for another "
        ));
        assert!(
            told.contains(" s after 5 errors in a row, the last one: a server error; 192.0.2.1:2: "),
            "{told}"
        );
        assert_eq!(world.count("UH"), 1);
        advance(31 * S).await;
        for part in &parts {
            part.manner.set(Manner::Answers(0));
        }
        assert_eq!(bad(&ask(&mut client, 10).await), 0);
    });
}

#[test]
fn workers_count_together() {
    run(async {
        let (mut world, parts) = cluster(2, judged(policy(), 0));
        world.another_worker();
        world.apply();
        parts[0].manner.set(Manner::Answers(2));
        let mut clients = [world.client_of_worker(0), world.client_of_worker(1)];
        // Each worker takes turns of its own.
        for round in 0..10 {
            ask(&mut clients[round % 2], 2).await;
        }
        assert_eq!(parts[0].take_requests(), 5);
        advance(31 * S).await;
        parts[0].manner.set(Manner::Answers(0));
        for client in &mut clients {
            ask(client, 2).await;
        }
        assert_eq!(parts[0].take_requests(), 2, "it is back for both");
    });
}

#[test]
fn a_new_configuration_forgets_nothing_but_what_is_taken_away() {
    run(async {
        let (mut world, parts) = cluster(3, judged(policy(), 0));
        let mut client = world.client();
        parts[0].manner.set(Manner::Answers(2));
        ask(&mut client, 30).await;
        world.remove("all", 3);
        world.apply();
        parts[0].take_requests();
        assert_eq!(bad(&ask(&mut client, 20).await), 0);
        assert_eq!(parts[0].take_requests(), 0, "it stays out");
        world.health = Health::default();
        world.apply();
        ask(&mut client, 20).await;
        assert_eq!(parts[0].take_requests(), 10, "nobody is judged any more");
    });
}

#[test]
fn a_keys_home_that_is_ejected_is_not_taken_over_by_another() {
    run(async {
        let [key, other, _] = apart().await;
        let mut world = keyed();
        let parts: Vec<_> = (1..=3).map(|number| world.playing("all", number)).collect();
        world.health = judged(policy(), 0);
        world.route(None, "all").timeout = Some(S);
        world.apply();
        let mut client = world.client();
        parts[0].manner.set(Manner::Answers(2));
        for id in 0..5 {
            client.asks(id, &format!("keys:{key}")).await;
            assert_eq!(client.receive().await.unwrap().status, 2);
        }
        client.asks(5, &format!("keys:{key}")).await;
        client
            .gets_refusal(5, "NoEndpoint: the endpoint that it belongs to is not healthy (192.0.2.1:1: ")
            .await;
        client.asks(6, &format!("keys:{other}")).await;
        client.gets(6).await;
        // Of a request with keys of several, the others' shares are served.
        client.asks(7, &format!("keys:{other},{key}")).await;
        let merged = String::from_utf8(client.receive().await.unwrap().payload).unwrap();
        assert!(merged.contains("NoEndpoint"), "{merged}");
        assert_eq!(requests(&parts), [5, 2, 0]);
    });
}

#[test]
fn a_hash_goes_on_to_the_next_on_the_ring_and_returns() {
    run(async {
        let mut world = ordered();
        let parts: Vec<_> = (1..=3).map(|number| world.playing("all", number)).collect();
        world.balancing = LoadBalancing::RingHash { attribute: "method".to_owned(), minimum_ring_size: None };
        world.health = judged(policy(), 0);
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        ask(&mut client, 1).await;
        let home = parts.iter().position(|part| part.take_requests() == 1).unwrap();
        parts[home].manner.set(Manner::Answers(2));
        assert_eq!(bad(&ask(&mut client, 10).await), 5);
        let requests = requests(&parts);
        assert_eq!(
            (requests[home], requests.iter().max()),
            (5, Some(&5)),
            "all went to one other: {requests:?}"
        );
        assert_eq!(requests.iter().filter(|count| **count == 5).count(), 2);
        parts[home].manner.set(Manner::Answers(0));
        advance(31 * S).await;
        ask(&mut client, 10).await;
        assert_eq!(parts[home].take_requests(), 10);
    });
}

#[test]
fn where_nobody_is_judged_failures_change_nothing() {
    run(async {
        let (world, parts) = cluster(2, Health::default());
        parts[0].manner.set(Manner::Answers(2));
        let mut client = world.client();
        client.send(&Frame::request(0, "get")).await;
        client.receive().await.unwrap();
        assert_eq!(bad(&ask(&mut client, 99).await), 49);
        assert_eq!(parts[0].take_requests(), 50);
    });
}
