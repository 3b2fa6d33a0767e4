//! How requests share upstream connections, and in which order clients get their answers, on pipes and a paused clock.

mod support;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use codec_api::{Conduct, Order, Sharing};
use support::{Actor, Behaviour, Frame, World, run};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

fn in_order() -> Conduct {
    let mut conduct = Conduct::default();
    conduct.order = Order::InOrder;
    conduct
}

fn shared(sharing: Sharing) -> Conduct {
    let mut conduct = Conduct::default();
    conduct.sharing = Some(sharing);
    conduct
}

/// A world that reads its conduct before anything is served, so that pools and clients are made by it.
fn fresh(conduct: Conduct) -> (World, UnboundedReceiver<Actor>) {
    let mut world = World::new();
    world.conduct = conduct;
    let accepted = world.accepting("all", 1);
    world.route(None, "all");
    world.apply();
    (world, accepted)
}

#[test]
fn early_answers_wait_for_their_turn() {
    run(async {
        let (world, mut accepted) = fresh(in_order());
        let mut client = world.client();
        for id in [5, 5, 5] {
            client.send(&Frame::request(id, "get")).await;
        }
        let mut endpoint = accepted.recv().await.unwrap();
        let mut asked = Vec::new();
        for place in 0..3u8 {
            let request = endpoint.receive().await.unwrap();
            asked.push(Frame { payload: vec![place], ..Frame::response_to(&request) });
        }
        for answer in asked.iter().rev() {
            endpoint.send(answer).await;
        }
        for place in 0..3u8 {
            let answer = client.receive().await.unwrap();
            assert_eq!((answer.id, answer.payload), (5, vec![place]), "in the order of the requests");
        }
    });
}

#[test]
fn a_slow_request_ends_at_its_timeout_and_lets_those_behind_it_go() {
    run(async {
        let (world, mut accepted) = fresh(in_order());
        let mut client = world.client();
        client.send(&Frame::request(1, "slow")).await;
        client.send(&Frame::request(2, "get")).await;
        let mut endpoint = accepted.recv().await.unwrap();
        let _slow = endpoint.receive().await.unwrap();
        let quick = endpoint.receive().await.unwrap();
        let began = Instant::now();
        endpoint.send(&Frame::response_to(&quick)).await;
        let first = client.receive().await.unwrap();
        assert!(String::from_utf8_lossy(&first.payload).starts_with("Timeout"), "{first:?}");
        assert!(began.elapsed() >= Duration::from_secs(14), "{:?}", began.elapsed());
        assert_eq!(client.receive().await.unwrap().id, 2);
    });
}

#[test]
fn one_refused_endpoint_never_disturbs_the_replies_of_another_cluster() {
    run(async {
        let mut world = World::new();
        world.conduct = in_order();
        world.endpoint("down", 1, Behaviour::Refuse);
        world.echoing("up", 2, |_| false);
        world.route(Some("bad"), "down");
        world.route(None, "up");
        world.apply();
        let mut client = world.client();
        for id in 0..20 {
            client.send(&Frame::request(id, if id % 3 == 0 { "bad" } else { "good" })).await;
        }
        for id in 0..20 {
            let answer = client.receive().await.unwrap();
            let expected = if id % 3 == 0 { 9 } else { 0 };
            assert_eq!((answer.id, answer.status), (id, expected));
        }
    });
}

#[test]
fn oneway_requests_take_no_turn() {
    run(async {
        let (world, mut accepted) = fresh(in_order());
        let mut client = world.client();
        client.send(&Frame::new(b'1', 0, "tell", b"")).await;
        client.send(&Frame::request(2, "get")).await;
        let mut endpoint = accepted.recv().await.unwrap();
        assert_eq!(endpoint.receive().await.unwrap().kind, b'1');
        let request = endpoint.receive().await.unwrap();
        endpoint.send(&Frame::response_to(&request)).await;
        assert_eq!(client.receive().await.unwrap().id, 2);
    });
}

#[test]
fn an_exclusive_connection_carries_one_request_at_a_time() {
    run(async {
        let (world, mut accepted) = fresh(shared(Sharing::Exclusive));
        let mut client = world.client();
        client.send(&Frame::request(1, "get")).await;
        client.send(&Frame::request(2, "get")).await;
        let (mut first, mut second) = (accepted.recv().await.unwrap(), accepted.recv().await.unwrap());
        let (one, other) = (first.receive().await.unwrap(), second.receive().await.unwrap());
        second.send(&Frame::response_to(&other)).await;
        assert_eq!(client.receive().await.unwrap().id, 2);
        client.send(&Frame::request(3, "get")).await;
        let third = second.receive().await.unwrap();
        second.send(&Frame::response_to(&third)).await;
        assert_eq!(client.receive().await.unwrap().id, 3, "the free connection is used again");
        first.send(&Frame::response_to(&one)).await;
        assert_eq!(client.receive().await.unwrap().id, 1);
    });
}

#[test]
fn a_request_that_timed_out_keeps_its_exclusive_connection_until_the_answer_comes() {
    run(async {
        let (world, mut accepted) = fresh(shared(Sharing::Exclusive));
        let mut client = world.client();
        client.send(&Frame::request(1, "slow")).await;
        let mut first = accepted.recv().await.unwrap();
        let slow = first.receive().await.unwrap();
        assert_eq!(client.receive().await.unwrap().status, 9);
        client.send(&Frame::request(2, "get")).await;
        let mut second = accepted.recv().await.unwrap();
        let request = second.receive().await.unwrap();
        first.send(&Frame { payload: b"late".to_vec(), ..Frame::response_to(&slow) }).await;
        second.send(&Frame::response_to(&request)).await;
        let answer = client.receive().await.unwrap();
        assert_eq!((answer.id, &*answer.payload), (2, &b"payload"[..]), "the late answer reaches nobody");
    });
}

#[test]
fn per_downstream_each_client_has_a_connection_that_goes_with_it() {
    run(async {
        let (world, mut accepted) = fresh(shared(Sharing::PerDownstream));
        let (mut one, mut other) = (world.client(), world.client());
        one.send(&Frame::request(1, "get")).await;
        one.send(&Frame::request(2, "get")).await;
        let mut ones = accepted.recv().await.unwrap();
        other.send(&Frame::request(3, "get")).await;
        let mut others = accepted.recv().await.unwrap();
        for id in [1, 2] {
            let request = ones.receive().await.unwrap();
            ones.send(&Frame::response_to(&request)).await;
            assert_eq!(one.receive().await.unwrap().id, id, "both of one client on its one connection");
        }
        drop(one);
        assert_eq!(ones.receive().await, None, "its connection goes with it");
        let request = others.receive().await.unwrap();
        others.send(&Frame::response_to(&request)).await;
        assert_eq!(other.receive().await.unwrap().id, 3, "and nobody else's");
    });
}

#[test]
fn per_downstream_a_client_whose_connection_fails_is_answered_alone() {
    run(async {
        let mut world = World::new();
        world.conduct = shared(Sharing::PerDownstream);
        world.endpoint("down", 1, Behaviour::Refuse);
        world.route(None, "down");
        world.apply();
        let mut clients = [world.client(), world.client()];
        for client in &mut clients {
            client.send(&Frame::request(1, "get")).await;
        }
        for client in &mut clients {
            let answer = client.receive().await.unwrap();
            assert!(String::from_utf8_lossy(&answer.payload).starts_with("ConnectFailure"), "{answer:?}");
        }
    });
}

#[test]
fn four_shared_connections_are_opened_and_no_fifth() {
    run(async {
        let (world, mut accepted) = fresh(shared(Sharing::Shared(4)));
        let opened = Rc::new(Cell::new(0));
        let count = opened.clone();
        tokio::task::spawn_local(async move {
            while let Some(connection) = accepted.recv().await {
                count.set(count.get() + 1);
                connection.echo(|_| false);
            }
        });
        let mut client = world.client();
        for id in 0..40 {
            client.send(&Frame::request(id, "get")).await;
            assert_eq!(client.receive().await.unwrap().id, id);
        }
        assert_eq!(opened.get(), 4);
    });
}

#[test]
fn what_a_client_is_owed_early_counts_against_what_it_may_ask() {
    run(async {
        let (world, mut accepted) = fresh(in_order());
        let mut client = world.client();
        client.send(&Frame::request(0, "slow")).await;
        let mut endpoint = accepted.recv().await.unwrap();
        let _slow = endpoint.receive().await.unwrap();
        let large = vec![0; 300 * 1024];
        for id in 1..=4 {
            client.send(&Frame::request(id, "get")).await;
            let request = endpoint.receive().await.unwrap();
            endpoint.send(&Frame { payload: large.clone(), ..Frame::response_to(&request) }).await;
        }
        client.send(&Frame::request(5, "get")).await;
        // More than 1 MiB waits for its turn: the sixth request is read only when the first has ended.
        assert!(String::from_utf8_lossy(&client.receive().await.unwrap().payload).starts_with("Timeout"));
        for id in 1..=4 {
            let answer = client.receive().await.unwrap();
            assert_eq!((answer.id, answer.payload.len()), (id, large.len()));
        }
        let request = endpoint.receive().await.unwrap();
        endpoint.send(&Frame::response_to(&request)).await;
        assert_eq!(client.receive().await.unwrap().id, 5);
    });
}

#[test]
fn a_pipelining_client_takes_no_more_exclusive_connections_than_it_gains_by() {
    run(async {
        let mut conduct = in_order();
        conduct.sharing = Some(Sharing::Exclusive);
        let (world, mut accepted) = fresh(conduct);
        let opened = Rc::new(Cell::new(0));
        let count = opened.clone();
        tokio::task::spawn_local(async move {
            while let Some(connection) = accepted.recv().await {
                count.set(count.get() + 1);
                connection.echo(|_| false);
            }
        });
        let mut client = world.client();
        let requests: Vec<u8> = (0..1000).flat_map(|id| Frame::request(id, "get").encode()).collect();
        client.send_bytes(&requests).await;
        for id in 0..1000 {
            assert_eq!(client.receive().await.unwrap().id, id);
        }
        assert!((1..=16).contains(&opened.get()), "{} connections", opened.get());
    });
}
