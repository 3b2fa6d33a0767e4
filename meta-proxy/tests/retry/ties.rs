//! What is tied to a connection, an endpoint or nobody's answer is never sent again.

use std::time::Duration;

use codec_api::Order;
use meta_proxy::model::{LoadBalancing, Mirror};
use tokio::time::advance;

use crate::support::{Actor, Frame, run};
use crate::{Act, Stage, answer, any, ask, call};

/// Three endpoints on which all requests fail, but what sets a connection up.
fn failing(act: Act) -> Stage {
    let mut stage = Stage::empty();
    for number in 1..=3 {
        stage.endpoint(number, move |frame| if frame.method == "hello" { Act::Answer(0) } else { act });
    }
    stage.route(10_000, Some(any(3)));
    stage
}

#[test]
fn what_ties_its_client_to_a_connection_is_sent_once() {
    for method in ["pin", "alone", "private", "session:a", "home", "write+last"] {
        for act in [Act::HangUp, Act::Answer(2)] {
            run(async {
                let stage = failing(act);
                let mut client = stage.world.client();
                ask(&mut client, 1, method).await;
                assert_ne!(client.receive().await.map_or(9, |frame| frame.status), 0);
                advance(Duration::from_secs(1)).await;
                assert_eq!(stage.heard("1").len(), 1, "{method} {act:?}");
                assert_eq!(stage.retries(), (0, 0), "{method} {act:?}");
            });
        }
    }
}

#[test]
fn what_changes_data_is_sent_once_where_its_client_counts_on_an_order() {
    for (order, method, is_tried_again) in
        [(Order::ById, "write", true), (Order::InOrder, "write", false), (Order::InOrder, "get", true)]
    {
        run(async {
            let mut stage = Stage::empty();
            stage.world.conduct.order = order;
            for number in 1..=2 {
                stage.endpoint(number, |_| Act::HangUp);
            }
            stage.route(10_000, Some(any(3)));
            let mut client = stage.world.client();
            call(&mut client, 1, method).await;
            assert_eq!(stage.retries().0 > 0, is_tried_again, "{order:?} {method}");
        });
    }
}

#[test]
fn what_a_pinned_client_asks_is_sent_once() {
    run(async {
        let mut stage = Stage::empty();
        for number in 1..=3 {
            stage.endpoint(
                number,
                |frame| if frame.method == "pin" { Act::Answer(0) } else { Act::Answer(2) },
            );
        }
        stage.route(10_000, Some(any(3)));
        let mut client = stage.world.client();
        assert_eq!(call(&mut client, 1, "pin").await.0, 0);
        for (id, method) in [(2, "get"), (3, "put"), (4, "get")] {
            assert_eq!(call(&mut client, id, method).await.0, 2, "inside of a transaction");
            assert_eq!(stage.heard(&id.to_string()).len(), 1);
        }
        assert_eq!(stage.retries(), (0, 0));
    });
}

#[test]
fn what_is_set_up_for_a_session_is_tried_again_on_connections_of_that_session() {
    run(async {
        let mut stage = Stage::empty();
        for number in 1..=2 {
            stage.endpoint(number, move |frame| match frame.method.as_str() {
                "hello" | "session:a" => Act::Answer(0),
                _ if number == 1 => Act::Answer(2),
                _ => Act::Answer(0),
            });
        }
        stage.route(10_000, Some(any(1)));
        let mut client = stage.world.client();
        assert_eq!(call(&mut client, 1, "session:a").await.0, 0);
        for id in 2..20 {
            assert_eq!(call(&mut client, id, "get").await, (0, "2".to_owned()));
        }
        assert!(stage.retries().0 >= 1);
        let greeted = stage.heard.borrow().iter().filter(|one| one.method == "hello").count();
        assert_eq!(greeted, 2, "each connection was set up");
    });
}

#[test]
fn what_goes_to_each_endpoint_or_to_where_its_keys_live_is_sent_once() {
    for method in ["all", "keys:k0", "keys:k0,k1,k2", "home"] {
        run(async {
            let mut stage = Stage::empty();
            stage.world.conduct.keys = Some("key");
            stage.world.balancing =
                LoadBalancing::RingHash { attribute: "key".to_owned(), minimum_ring_size: None };
            for number in 1..=3 {
                stage.endpoint(number, |_| Act::HangUp);
            }
            stage.route(10_000, Some(any(3)));
            let mut client = stage.world.client();
            call(&mut client, 1, method).await;
            let mut heard = stage.heard("1");
            let all = heard.len();
            heard.sort_unstable();
            heard.dedup();
            assert_eq!(heard.len(), all, "{method}: each endpoint once");
            assert_eq!(stage.retries(), (0, 0), "{method}");
        });
    }
}

#[test]
fn where_no_endpoint_owns_keys_they_tie_a_request_to_none() {
    run(async {
        let stage = Stage::new(&[Act::HangUp, Act::Answer(0)], Some(any(1)));
        let mut client = stage.world.client();
        for id in 0..20 {
            assert_eq!(call(&mut client, id, "keys:k0,k1").await, (0, "2".to_owned()));
        }
        assert!(stage.retries().0 >= 1);
    });
}

#[test]
fn a_client_with_connections_of_its_own_is_told_that_one_was_lost() {
    run(async {
        let mut stage = Stage::empty();
        stage.world.dedicated = true;
        for number in 1..=3 {
            stage.endpoint(number, |_| Act::HangUp);
        }
        stage.route(10_000, Some(any(3)));
        let mut client = stage.world.client();
        let (status, text) = call(&mut client, 1, "get").await;
        assert!(status == 9 && text.starts_with("ConnectionLost"), "{status} {text}");
        assert_eq!(stage.heard("1").len(), 1);
    });
}

#[test]
fn what_wants_no_answer_is_sent_once() {
    run(async {
        let stage = failing(Act::HangUp);
        let mut client = stage.world.client();
        client.send(&Frame::new(b'1', 0, "tell", b"1")).await;
        advance(Duration::from_secs(1)).await;
        assert_eq!(stage.heard("1").len(), 1);
        assert_eq!(stage.retries(), (0, 0));
    });
}

#[test]
fn copies_are_sent_once() {
    run(async {
        let mut stage = Stage::empty();
        stage.world.serving("good", 9);
        for number in 1..=3 {
            stage.endpoint(number, |_| Act::HangUp);
        }
        let route = stage.world.route(None, "good");
        route.retries = Some(any(3));
        route.mirror = Some(Mirror { cluster: "all".to_owned(), millionths: 1_000_000, writes_only: false });
        stage.world.apply();
        let mut client: Actor = stage.world.client();
        for id in 0..10 {
            assert_eq!(call(&mut client, id, "get").await.0, 0);
            assert_eq!(stage.heard(&id.to_string()).len(), 1);
        }
        assert_eq!(stage.retries(), (0, 0));
    });
}

#[test]
fn a_request_without_retries_beside_one_with_them_fails_at_once() {
    run(async {
        let mut stage = Stage::empty();
        for number in 1..=2 {
            stage.endpoint(number, |_| Act::HangUp);
        }
        stage.world.route(Some("put"), "all");
        stage.route(10_000, Some(any(1)));
        let mut client = stage.world.client();
        ask(&mut client, 1, "put").await;
        assert_eq!(answer(&mut client, 1).await.0, 9);
        assert_eq!(stage.heard("1").len(), 1);
        call(&mut client, 2, "get").await;
        assert_eq!(stage.heard("2").len(), 2);
    });
}
