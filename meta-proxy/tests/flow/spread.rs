//! Requests whose keys live on several endpoints, and requests that go to all of them.

use std::time::Duration;

use meta_proxy::model::LoadBalancing;
use tokio::time::Instant;

use crate::support::{Actor, Frame, World, run};
use crate::{Accepted, next, ordered};

/// A cluster of three that hashes by key.
pub fn keyed() -> World {
    let mut world = ordered();
    world.conduct.keys = Some("key");
    world.balancing = LoadBalancing::RingHash { attribute: "key".to_owned(), minimum_ring_size: None };
    world
}

/// Three endpoints that put their numbers into their answers.
pub fn three_serving() -> World {
    let mut world = keyed();
    for number in 1..=3 {
        world.serving("all", number);
    }
    world.route(None, "all").timeout = Some(Duration::from_secs(2));
    world.apply();
    world
}

/// Which of three endpoints each of these keys lives on.
pub async fn owners(keys: &[&str]) -> Vec<String> {
    let world = three_serving();
    let mut client = world.client();
    let mut owners = Vec::new();
    for (id, key) in (0..).zip(keys) {
        client.asks(id, &format!("keys:{key}")).await;
        owners.push(client.gets(id).await.split('@').nth(1).unwrap().to_owned());
    }
    owners
}

/// Three keys, each of which lives on another endpoint: the first on endpoint 1, and so on.
pub async fn apart() -> [String; 3] {
    let keys: Vec<String> = (0..50).map(|number| format!("k{number}")).collect();
    let owners = owners(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
    ["1", "2", "3"].map(|endpoint| {
        let place = owners.iter().position(|owner| owner == endpoint);
        keys[place.expect("each of three owns one of fifty")].clone()
    })
}

/// Two keys of one endpoint.
async fn together() -> (String, String) {
    let keys = ["k0", "k1", "k2", "k3"];
    let owners = owners(&keys).await;
    for (place, owner) in owners.iter().enumerate() {
        if let Some(other) = owners[place + 1..].iter().position(|other| other == owner) {
            return (keys[place].to_owned(), keys[place + 1 + other].to_owned());
        }
    }
    unreachable!("four keys live on three endpoints")
}

/// The same three by hand, with their first connections still to come.
pub fn three() -> (World, [Accepted; 3]) {
    let mut world = keyed();
    let accepted = [1, 2, 3].map(|number| world.accepting("all", number));
    world.route(None, "all").timeout = Some(Duration::from_secs(2));
    world.apply();
    (world, accepted)
}

#[test]
fn keys_of_one_endpoint_go_there_untouched() {
    run(async {
        let (one, other) = together().await;
        let world = three_serving();
        let mut client = world.client();
        let method = format!("whole+keys:{one},{other},{one}");
        client.asks(1, &method).await;
        let answer = client.gets(1).await;
        let number = &answer[answer.len() - 1..];
        assert_eq!(answer, format!("{one}@{number},{other}@{number},{one}@{number}"));
        assert_eq!(world.attempts(), 1);
    });
}

#[test]
fn keys_of_several_endpoints_are_split_and_merged_in_the_order_of_the_request() {
    run(async {
        let [a, b, c] = apart().await;
        let world = three_serving();
        let mut client = world.client();
        client.asks(1, &format!("keys:{a}")).await;
        client.asks(2, &format!("keys:{c},{a},{b},{a},{c}")).await;
        client.asks(3, &format!("keys:{b}")).await;
        client.asks(4, "own").await;
        client.asks(5, &format!("keys:{b},{a}")).await;
        assert_eq!(client.gets(1).await, format!("{a}@1"));
        assert_eq!(client.gets(2).await, format!("{c}@3,{a}@1,{b}@2,{a}@1,{c}@3"));
        assert_eq!(client.gets(3).await, format!("{b}@2"));
        assert_eq!(client.gets(4).await, "own");
        assert_eq!(client.gets(5).await, format!("{b}@2,{a}@1"));
        assert_eq!(world.count("-"), 5, "a request counts once, however many parts it has");
    });
}

#[test]
fn a_request_that_cannot_be_split_is_refused_and_nothing_is_sent() {
    run(async {
        let [a, b, _] = apart().await;
        let world = three_serving();
        let mut client = world.client();
        client.asks(1, &format!("whole+keys:{a},{b}")).await;
        client.gets_refusal(1, "Scattered: it cannot be split").await;
        assert_eq!(world.attempts(), 0);
    });
}

#[test]
fn a_part_without_an_answer_fails_alone() {
    run(async {
        let [a, b, c] = apart().await;
        let (world, [mut one, mut other, mut third]) = three();
        let mut client = world.client();
        client.asks(1, &format!("keys:{a},{b},{c}")).await;
        client.asks(2, &format!("keys:{c}")).await;
        let mut one = next(&mut one).await;
        let mut other = next(&mut other).await;
        let mut third = next(&mut third).await;
        one.answers(&format!("keys:{a}")).await;
        other.hears(&format!("keys:{b}")).await;
        third.hears(&format!("keys:{c}")).await;
        drop(third);
        let began = Instant::now();
        assert_eq!(client.gets(1).await, "payload,!Timeout,!ConnectionLost");
        assert_eq!(began.elapsed().as_secs(), 2);
        client.gets_refusal(2, "ConnectionLost").await;
        assert_eq!(world.count("UT") + world.count("UC"), 2);
    });
}

#[test]
fn parts_of_a_client_that_goes_are_forgotten() {
    run(async {
        let [a, b, _] = apart().await;
        let (world, [mut one, mut other, _]) = three();
        let (mut client, mut neighbour) = (world.client(), world.client());
        client.asks(1, &format!("keys:{a},{b}")).await;
        let (mut one, mut other) = (next(&mut one).await, next(&mut other).await);
        one.hears(&format!("keys:{a}")).await;
        other.hears(&format!("keys:{b}")).await;
        one.answers_oldest().await;
        client.vanishes().await;
        other.hears_nothing().await;
        assert_eq!(world.count("DC") + world.count("UC"), 1);
        other.answers_oldest().await;
        neighbour.asks(1, &format!("keys:{b},{a}")).await;
        one.answers(&format!("keys:{a}")).await;
        other.answers(&format!("keys:{b}")).await;
        assert_eq!(neighbour.gets(1).await, "payload,payload");
    });
}

#[test]
fn more_than_1_mib_of_answers_is_not_merged() {
    run(async {
        let [a, b, c] = apart().await;
        let (world, [mut one, mut other, mut third]) = three();
        let mut client = world.client();
        client.asks(1, &format!("keys:{a},{b},{c}")).await;
        client.asks(2, "own").await;
        let connections = [next(&mut one).await, next(&mut other).await, next(&mut third).await];
        let large = vec![b'x'; 400 * 1024];
        for mut connection in connections {
            let request = connection.receive().await.unwrap();
            connection.send(&Frame { payload: large.clone(), ..Frame::response_to(&request) }).await;
        }
        client.gets_refusal(1, "TooLarge: the answers of 3 endpoints").await;
        client.gets(2).await;
    });
}

#[test]
fn answers_that_wait_for_those_of_other_endpoints_count_against_what_a_client_may_ask() {
    run(async {
        let [a, b, _] = apart().await;
        let (world, [mut one, mut other, _]) = three();
        let mut client = world.client();
        let method = format!("keys:{a},{b}");
        let large = vec![b'x'; 300 * 1024];
        client.asks(0, &method).await;
        let (mut one, mut other) = (next(&mut one).await, next(&mut other).await);
        for id in 1..=4 {
            other.hears(&format!("keys:{b}")).await;
            let request = one.hears(&format!("keys:{a}")).await;
            one.send(&Frame { payload: large.clone(), ..Frame::response_to(&request) }).await;
            client.hears_nothing().await;
            client.asks(id, &method).await;
        }
        one.hears_nothing().await;
        // What waits is 1.2 MiB: the fifth request is read when some of it has gone.
        other.answers_oldest().await;
        assert!(client.gets(0).await.ends_with(",payload"));
        one.hears(&format!("keys:{a}")).await;
    });
}

#[test]
fn a_request_of_more_than_1_mib_is_not_split() {
    run(async {
        let ([a, b, _], (one, other)) = (apart().await, together().await);
        let world = three_serving();
        let mut client = world.client();
        let large = vec![b'x'; (1 << 20) + 1];
        let (split, whole) = (format!("keys:{a},{b}"), format!("keys:{one},{other}"));
        for (id, method) in [(1, &split), (2, &whole)] {
            for piece in Frame::new(b'q', id, method, &large).encode().chunks(64 * 1024) {
                client.send_bytes(piece).await;
            }
        }
        client.gets_refusal(1, "TooLarge: its keys belong to 2 endpoints").await;
        client.gets(2).await;
    });
}

#[test]
fn what_goes_to_all_goes_to_each_endpoint_whole_and_is_merged() {
    for is_keyed in [true, false] {
        run(async {
            let mut world = if is_keyed { keyed() } else { ordered() };
            for number in [3, 1, 2] {
                world.serving("all", number);
            }
            world.serving("one", 4);
            world.route(Some("all+one"), "one");
            world.route(None, "all");
            world.apply();
            let mut client = world.client();
            client.asks(1, "all").await;
            client.asks(2, "all+one").await;
            assert_eq!(client.gets(1).await, "all@1|all@2|all@3");
            assert_eq!(client.gets(2).await, "all+one@4");
        });
    }
}

#[test]
fn home_is_where_an_empty_key_lives_and_elsewhere_the_first_endpoint() {
    run(async {
        let empty = owners(&[""]).await.remove(0);
        let world = three_serving();
        let mut clients = [world.client(), world.client(), world.client()];
        for client in &mut clients {
            client.asks(1, "home").await;
            assert_eq!(client.gets(1).await, format!("home@{empty}"));
        }
        let mut world = ordered();
        for number in [3, 1, 2] {
            world.serving("all", number);
        }
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        for id in 0..10 {
            client.asks(id, "home").await;
            assert_eq!(client.gets(id).await, "home@1");
        }
    });
}

#[test]
fn what_needs_the_only_endpoint_is_refused_where_there_are_several() {
    run(async {
        let world = three_serving();
        let mut client = world.client();
        client.asks(1, "sole").await;
        client.gets_refusal(1, "Scattered").await;
        let mut world = keyed();
        world.serving("all", 1);
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        client.asks(1, "sole").await;
        assert_eq!(client.gets(1).await, "sole@1");
        let mut world = ordered();
        world.serving("all", 1);
        world.serving("all", 2);
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        client.asks(1, "sole").await;
        client.gets(1).await;
    });
}

#[test]
fn where_nothing_is_hashed_keys_are_not_looked_at() {
    run(async {
        let mut world = ordered();
        world.conduct.keys = Some("key");
        world.serving("all", 1);
        world.serving("all", 2);
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        client.asks(1, "whole+keys:a,b,c,d,e").await;
        let answer = client.gets(1).await;
        assert!(answer == "a@1,b@1,c@1,d@1,e@1" || answer == "a@2,b@2,c@2,d@2,e@2", "{answer}");
    });
}

#[test]
fn another_attribute_than_the_key_only_says_where_to_begin() {
    run(async {
        let mut world = keyed();
        world.balancing = LoadBalancing::Maglev { attribute: "method".to_owned(), table_size: 101 };
        let mut accepted = [1, 2, 3].map(|number| world.accepting("all", number));
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        client.asks(1, "whole+keys:a,b,c,d").await;
        let first: Vec<Actor> = {
            let mut first = Vec::new();
            for accepted in &mut accepted {
                first.extend(
                    tokio::time::timeout(Duration::from_micros(100), accepted.recv()).await.ok().flatten(),
                );
            }
            first
        };
        let [mut owner] = <[Actor; 1]>::try_from(first).ok().expect("one endpoint");
        owner.answers("whole+keys:a,b,c,d").await;
        client.gets(1).await;
        client.asks(2, "whole+keys:a,b,c,d").await;
        owner.answers("whole+keys:a,b,c,d").await;
        client.gets(2).await;
        assert_eq!(world.attempts(), 1);
    });
}
