//! What a client is told of why its request was not served.

use std::time::Duration;

use meta_proxy::model::{AttributeMatcher, Limits, Matcher, Retries, RouteAction, ValueMatcher};

use crate::support::{Behaviour, World, run};
use crate::{next, ordered};

#[test]
fn a_timeout_tells_who_did_not_answer_and_within_which_time() {
    run(async {
        let mut world = World::new();
        world.echoing("all", 1, |method| method == "never");
        world.route(None, "all").timeout = Some(Duration::from_millis(300));
        world.apply();
        let mut client = world.client();
        client.asks(1, "never").await;
        let text = "Timeout: no response in time: 192.0.2.1:1 did not respond within 300ms";
        assert_eq!(client.is_told(1).await, text);
    });
}

#[test]
fn a_request_that_was_never_sent_is_told_that_it_waited_for_a_connection() {
    run(async {
        let mut world = World::new();
        world.endpoint("all", 1, Behaviour::Hang);
        world.route(None, "all").timeout = Some(Duration::from_millis(300));
        world.apply();
        let mut client = world.client();
        client.asks(1, "get").await;
        let text = "Timeout: no response in time: there was no connection to 192.0.2.1:1 for it within 300ms";
        assert_eq!(client.is_told(1).await, text);
    });
}

#[test]
fn an_overload_tells_which_limit_of_which_cluster_is_reached() {
    let limits = |max_connections, max_pending, max_requests| Limits {
        max_connections,
        max_pending,
        max_requests,
        ..Limits::default()
    };
    for (limits, text) in [
        (limits(None, None, Some(1)), "outstanding requests is reached: 1 for all"),
        (limits(None, Some(1), None), "waiting requests is reached: 1 for all"),
    ] {
        run(async move {
            let mut world = World::new();
            world.endpoint("all", 1, Behaviour::Hang);
            world.route(None, "all");
            world.limits = limits;
            world.apply();
            let mut client = world.client();
            for id in 1..=2 {
                client.asks(id, "get").await;
            }
            assert_eq!(client.is_told(2).await, format!("Overload: the cluster's limit on {text}"));
        });
    }
}

#[test]
fn a_cluster_without_endpoints_is_named_and_so_is_one_that_is_not_known() {
    run(async {
        let mut world = World::new();
        world.forget("outbound|1|v3|shop.example");
        world.forget("all");
        world.route(Some("subset"), "outbound|1|v3|shop.example");
        world.route(Some("all"), "all");
        world.route(Some("unknown"), "nowhere");
        world.route(Some("mistaken"), "all").action = RouteAction::Misconfigured("no subset v4".to_owned());
        world.apply();
        let mut client = world.client();
        for (id, method, text) in [
            (
                1,
                "subset",
                "NoEndpoint: the cluster has no endpoint: outbound|1|v3|shop.example (subset v3 selects none of shop.example's)",
            ),
            (2, "all", "NoEndpoint: the cluster has no endpoint: all"),
            (3, "unknown", "Misconfigured: the route's cluster is not known: nowhere"),
            (4, "mistaken", "Misconfigured: no subset v4"),
        ] {
            client.asks(id, method).await;
            assert_eq!(client.is_told(id).await, text);
        }
    });
}

#[test]
fn a_lost_connection_is_told_with_its_endpoint() {
    run(async {
        let (world, mut accepted) = World::with_endpoint();
        let mut client = world.client();
        client.asks(1, "get").await;
        let mut endpoint = next(&mut accepted).await;
        endpoint.hears("get").await;
        drop(endpoint);
        let text = client.is_told(1).await;
        let begin = "ConnectionLost: the upstream connection was lost before the response came: 192.0.2.1:1 ";
        assert!(text.starts_with(begin), "{text}");
    });
}

#[test]
fn a_request_that_no_route_matches_is_told_which_comes_nearest() {
    run(async {
        let mut world = ordered();
        let is = |name: &str, value: &str| AttributeMatcher {
            name: name.to_owned(),
            matcher: Matcher::Is(ValueMatcher::Exact(value.to_owned())),
        };
        world.serving("all", 1);
        world.route(Some("list"), "all").name = "first".to_owned();
        world.route(None, "all").matchers = vec![is("method", "get+zone:us+token:secret"), is("zone", "eu")];
        world.apply();
        let mut client = world.client();
        client.asks(1, "get+zone:us+token:secret").await;
        let text = client.is_told(1).await;
        assert_eq!(
            text,
            "NoRoute: no route matches for method=get+zone:us+token:secret (2 routes of shop; nearest is routes[1] \
             \"to-all\": zone is \"us\", needs exact \"eu\")"
        );
        let long = "x".repeat(250);
        client.asks(2, &long).await;
        let text = client.is_told(2).await;
        let cut = "x".repeat(200);
        assert_eq!(
            text,
            format!(
                "NoRoute: no route matches for method={cut}… (2 routes of shop; nearest is routes[0] \"first\": method is \
                 \"{cut}\"…, needs exact \"list\")"
            )
        );
    });
}

#[test]
fn a_try_that_has_less_time_than_its_request_is_told_with_its_own() {
    run(async {
        let mut world = World::new();
        world.echoing("all", 1, |method| method == "never");
        let route = world.route(None, "all");
        route.timeout = Some(Duration::from_secs(5));
        let per_try_timeout = Some(Duration::from_millis(200));
        route.retries = Some(Retries { attempts: 1, per_try_timeout, idempotent: vec![Vec::new()] });
        world.apply();
        let mut client = world.client();
        client.asks(1, "never").await;
        let text = "Timeout: no response in time: 192.0.2.1:1 did not respond within 200ms";
        assert_eq!(client.is_told(1).await, text);
    });
}

#[test]
fn whoever_asks_for_nothing_there_is_without_end_gets_plainer_answers() {
    run(async {
        let mut world = World::new();
        world.serving("all", 1);
        world.route(Some("list"), "all");
        world.apply();
        let mut client = world.client();
        let mut nearest = Vec::new();
        for _second in 0..2 {
            let mut told = 0;
            for id in 0..150 {
                client.asks(id, "get").await;
                let text = client.is_told(id).await;
                assert!(
                    text.starts_with("NoRoute: no route matches for method=get (1 routes of shop"),
                    "{text}"
                );
                told += usize::from(text.contains("nearest is routes[0]"));
            }
            nearest.push(told);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(nearest, [100, 100]);
    });
}
