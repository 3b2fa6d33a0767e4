//! Where a request comes from, as something that routes and hashes know.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use meta_proxy::model::{AttributeMatcher, LoadBalancing, Matcher, ValueMatcher};

use crate::support::{World, run, walks};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn condition(name: &str, matcher: ValueMatcher) -> Vec<AttributeMatcher> {
    vec![AttributeMatcher { name: name.to_owned(), matcher: Matcher::Is(matcher) }]
}

#[test]
fn routes_know_a_client_by_its_address_without_the_port_and_in_one_form() {
    run(async {
        let mut world = World::new();
        let rows = [
            ("source.address", ValueMatcher::Exact("10.0.0.7".to_owned())),
            ("Source.Address", ValueMatcher::Prefix("10.".to_owned())),
            ("SOURCE.ADDRESS", ValueMatcher::Exact("2001:db8::1".to_owned())),
        ];
        for (number, (name, matcher)) in (1..).zip(rows) {
            let cluster = format!("c{number}");
            world.serving(&cluster, number);
            world.route(None, &cluster).matchers = condition(name, matcher);
        }
        world.serving("rest", 9);
        world.route(None, "rest");
        world.apply();
        for (from, endpoint) in [
            ("10.0.0.7:1", "1"),
            ("10.0.0.7:2", "1"),
            ("[::ffff:10.0.0.7]:3", "1"),
            ("10.0.0.70:1", "2"),
            ("[2001:db8:0:0:0:0:0:1]:9", "3"),
            ("[2001:db8::2]:9", "9"),
            ("192.0.2.1:1", "9"),
        ] {
            let mut client = world.client_from(address(from));
            client.asks(1, "source.address:10.0.0.7+get").await;
            assert!(client.gets(1).await.ends_with(&format!("@{endpoint}")), "{from}");
        }
        assert_eq!(walks(), 0, "nobody looks into a message for what stands in none");
    });
}

#[test]
fn what_comes_from_one_address_can_stay_on_one_endpoint() {
    run(async {
        let mut world = World::new();
        let attribute = "source.address".to_owned();
        world.balancing = LoadBalancing::RingHash { attribute, minimum_ring_size: None };
        for number in 1..=4 {
            world.serving("all", number);
        }
        world.route(None, "all");
        world.apply();
        let mut endpoints = BTreeSet::new();
        for host in 1..=40 {
            let mut of_host = BTreeSet::new();
            for port in 1..=3 {
                let mut client = world.client_from(([10, 0, 0, host], port).into());
                client.asks(1, "get").await;
                of_host.insert(client.gets(1).await);
            }
            assert_eq!(of_host.len(), 1, "10.0.0.{host}");
            endpoints.extend(of_host);
        }
        assert_eq!((endpoints.len(), walks()), (4, 0));
    });
}
