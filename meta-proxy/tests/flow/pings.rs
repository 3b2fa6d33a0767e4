//! Endpoints that are pinged, and who gets requests then.

use std::rc::Rc;
use std::time::Duration;

use meta_proxy::model::{Health, HealthCheck, LoadBalancing};
use tokio::time::advance;

use crate::support::{Actor, Behaviour, Part, World, run};

const S: Duration = Duration::from_secs(1);

fn checked(unhealthy_threshold: u32, healthy_threshold: u32) -> Health {
    let checks = HealthCheck { interval: 10 * S, timeout: S, unhealthy_threshold, healthy_threshold };
    Health { outliers: None, checks: Some(checks), panic_threshold: 0 }
}

/// This many endpoints, numbered from 1, in turn.
fn cluster(count: u16, health: Health) -> (World, Vec<Rc<Part>>) {
    let mut world = World::new();
    let parts = (1..=count).map(|number| world.playing("all", number)).collect();
    (world.health, world.balancing) = (health, LoadBalancing::RoundRobin);
    world.route(None, "all");
    world.apply();
    (world, parts)
}

/// Asks one after the other; all are answered well.
async fn ask(client: &mut Actor, count: u64) {
    for id in 0..count {
        client.asks(id, "get").await;
        client.gets(id).await;
    }
}

/// Lets this many intervals go by, so that everything happens that is to happen in them.
async fn intervals(count: u32) {
    for _ in 0..count * 100 {
        advance(S / 10).await;
        tokio::task::yield_now().await;
    }
}

fn requests(parts: &[Rc<Part>]) -> Vec<usize> {
    parts.iter().map(|part| part.take_requests()).collect()
}

#[test]
fn an_endpoint_that_stops_answering_pings_is_passed_over_until_it_answers_again() {
    run(async {
        let (world, parts) = cluster(2, checked(2, 1));
        let mut client = world.client();
        ask(&mut client, 10).await;
        assert_eq!(requests(&parts), [5, 5], "without a verdict all are healthy");
        intervals(3).await;
        parts[0].pongs.set(false);
        intervals(4).await;
        requests(&parts);
        ask(&mut client, 20).await;
        assert_eq!(requests(&parts), [0, 20], "it answers requests, and is not asked");
        parts[0].pongs.set(true);
        intervals(2).await;
        ask(&mut client, 20).await;
        assert_eq!(requests(&parts), [10, 10]);
    });
}

#[test]
fn one_worker_pings_for_all_at_the_interval_and_on_a_connection_of_its_own() {
    run(async {
        let (mut world, parts) = cluster(1, checked(2, 1));
        world.another_worker();
        world.apply();
        intervals(100).await;
        let pings = parts[0].pings.get();
        // Each pause is up to a tenth shorter.
        assert!((99..=112).contains(&pings), "{pings} in a hundred intervals");
        assert_eq!(parts[0].connections.get(), 1);
        parts[0].pongs.set(false);
        intervals(4).await;
        for number in 0..2 {
            let mut client = world.client_of_worker(number);
            client.asks(1, "get").await;
            client.gets_refusal(1, "NoEndpoint: no endpoint of the cluster is healthy (192.0.2.1:1: ").await;
        }
        assert_eq!((world.count("UH"), parts[0].requests.get()), (2, 0));
    });
}

#[test]
fn an_endpoint_that_cannot_be_connected_to_is_unhealthy_before_anybody_asks() {
    run(async {
        let (mut world, parts) = cluster(1, checked(2, 1));
        world.endpoint("all", 7, Behaviour::Refuse);
        world.apply();
        intervals(4).await;
        let attempts = world.attempts();
        let mut client = world.client();
        ask(&mut client, 10).await;
        assert_eq!((requests(&parts), world.attempts()), (vec![10], attempts + 1), "only to the good one");
        world.behave(7, Behaviour::Hang);
        world.remove("all", 1);
        world.apply();
        intervals(2).await;
        client.asks(1, "get").await;
        let why = "NoEndpoint: no endpoint of the cluster is healthy (192.0.2.1:7: its last ping failed: no answer within 1s)";
        client.gets_refusal(1, why).await;
    });
}

#[test]
fn a_connection_that_was_closed_between_two_pings_is_made_anew_and_says_nothing() {
    run(async {
        let (world, parts) = cluster(1, checked(1, 1));
        parts[0].leaves_after_ping.set(true);
        intervals(10).await;
        assert!(parts[0].connections.get() >= 9, "{} connections", parts[0].connections.get());
        ask(&mut world.client(), 5).await;
    });
}

#[test]
fn pings_end_with_the_endpoint_the_policy_and_the_cluster() {
    run(async {
        let (mut world, parts) = cluster(3, checked(1, 1));
        intervals(2).await;
        let seen = || parts.iter().map(|part| part.pings.get()).collect::<Vec<_>>();
        world.remove("all", 1);
        world.apply();
        let before = seen();
        intervals(3).await;
        let after = seen();
        assert_eq!(before[0], after[0], "it has gone");
        assert!(before[1] < after[1] && before[2] < after[2], "the others stay: {before:?} {after:?}");
        world.health = Health::default();
        world.apply();
        intervals(3).await;
        assert_eq!(seen(), after, "nobody is pinged");
    });
}

#[test]
fn in_panic_unhealthy_endpoints_get_requests_as_well() {
    run(async {
        let health = Health { panic_threshold: 60, ..checked(1, 1) };
        let (world, parts) = cluster(3, health);
        let mut client = world.client();
        parts[0].pongs.set(false);
        intervals(3).await;
        ask(&mut client, 12).await;
        assert_eq!(requests(&parts), [0, 6, 6], "two of three are healthy");
        parts[1].pongs.set(false);
        intervals(3).await;
        ask(&mut client, 12).await;
        assert_eq!(requests(&parts), [4, 4, 4], "one of three is");
    });
}

#[test]
fn so_many_answers_in_a_row_make_it_healthy_again() {
    run(async {
        let (world, parts) = cluster(2, checked(1, 3));
        parts[0].pongs.set(false);
        intervals(2).await;
        let (mut client, seen) = (world.client(), parts[0].pings.get());
        parts[0].pongs.set(true);
        while parts[0].pings.get() < seen + 2 {
            intervals(1).await;
        }
        ask(&mut client, 10).await;
        assert_eq!(requests(&parts), [0, 10], "two do not");
        intervals(2).await;
        ask(&mut client, 10).await;
        assert_eq!(requests(&parts), [5, 5]);
    });
}

#[test]
fn an_answer_that_is_an_error_is_none() {
    run(async {
        let (world, parts) = cluster(2, checked(2, 1));
        parts[0].pong_status.set(2);
        intervals(4).await;
        let mut client = world.client();
        ask(&mut client, 10).await;
        assert_eq!(requests(&parts), [0, 10]);
    });
}
