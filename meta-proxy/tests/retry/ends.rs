//! After which ends a request is sent again, and where to.

use std::time::Duration;

use codec_api::{Conduct, Order, Sharing, Status};
use meta_proxy::error::Flag;
use meta_proxy::model::{LoadBalancing, Retries};
use meta_proxy::telemetry::Outcome;
use tokio::time::{Instant, advance};

use crate::support::{Behaviour, run};
use crate::{Act, Stage, answer, any, ask, call, each, only};

/// Ends of a try that another endpoint may do better than.
const BAD: [Act; 4] = [Act::HangUp, Act::Answer(2), Act::Answer(3), Act::Silence];

#[test]
fn a_try_that_fails_is_followed_by_one_elsewhere() {
    for bad in BAD {
        run(async {
            let stage = Stage::new(&[bad, Act::Answer(0)], Some(each(100, any(1))));
            let mut client = stage.world.client();
            for id in 0..20 {
                assert_eq!(call(&mut client, id, "get").await, (0, "2".to_owned()), "{bad:?}");
                let heard = stage.heard(&id.to_string());
                assert!(heard == [2] || heard == [1, 2], "{bad:?}: {heard:?}");
            }
            let (retried, _) = stage.retries();
            assert!(retried >= 3, "{bad:?}: {retried}");
            assert_eq!(stage.world.count("-"), 20, "{bad:?}: each request has one record");
        });
    }
}

#[test]
fn what_is_not_declared_idempotent_is_sent_once() {
    for (retries, bad) in [(None, BAD[0]), (None, BAD[1]), (Some(only(3, "method", "get")), BAD[0])] {
        run(async {
            let stage = Stage::new(&[bad, bad], retries.clone());
            let mut client = stage.world.client();
            for id in 0..10 {
                let (status, _) = call(&mut client, id, "put").await;
                assert_ne!(status, 0);
                assert_eq!(stage.heard(&id.to_string()).len(), 1, "{retries:?} {bad:?}");
            }
            assert_eq!(stage.retries(), (0, 0));
        });
    }
}

#[test]
fn conditions_say_which_requests_are_idempotent() {
    // The attribute `size` is one that the codec must look for: the length of the whole message.
    let of_twenty = |method| {
        [only(2, "method", method), only(2, "size", "20")]
            .into_iter()
            .flat_map(|one| one.idempotent)
            .flatten()
    };
    let by_size =
        Retries { idempotent: ["get", "find"].map(|method| of_twenty(method).collect()).to_vec(), ..any(2) };
    let rows = [
        (only(2, "method", "get"), "get", true),
        (only(2, "METHOD", "get"), "get", true),
        (only(2, "method", "get"), "put", false),
        (by_size.clone(), "get", false),
        (by_size.clone(), "find", true),
        (by_size, "make", false),
    ];
    for (retries, method, is_tried_again) in rows {
        run(async {
            let stage = Stage::new(&[Act::HangUp, Act::HangUp], Some(retries.clone()));
            let mut client = stage.world.client();
            call(&mut client, 7, method).await;
            assert_eq!(stage.heard("7").len() > 1, is_tried_again, "{retries:?} {method}");
        });
    }
}

#[test]
fn what_the_application_says_is_final() {
    run(async {
        let stage = Stage::new(&[Act::Answer(1), Act::Answer(1)], Some(any(3)));
        let mut client = stage.world.client();
        for id in 0..10 {
            assert_eq!(call(&mut client, id, "get").await.0, 1);
            assert_eq!(stage.heard(&id.to_string()).len(), 1);
        }
        assert_eq!(stage.exhausted(Outcome::Responded(Status::ApplicationError)), 0);
    });
}

#[test]
fn an_endpoint_that_has_too_much_to_do_is_not_asked_again() {
    run(async {
        let stage = Stage::new(&[Act::Answer(3), Act::Answer(3)], Some(any(5)));
        let mut client = stage.world.client();
        assert_eq!(call(&mut client, 1, "get").await.0, 3, "its own answer");
        let mut heard = stage.heard("1");
        heard.sort_unstable();
        assert_eq!(heard, [1, 2]);
        assert_eq!(stage.exhausted(Outcome::Responded(Status::Overloaded)), 0, "tries were left");
    });
}

#[test]
fn a_late_answer_to_the_first_try_reaches_nobody() {
    run(async {
        let stage = Stage::new(&[Act::After(250, 0), Act::After(20, 0)], Some(each(100, any(1))));
        let mut client = stage.world.client();
        let mut id = 0;
        while stage.heard(&id.to_string()) != [1, 2] {
            id += 1;
            let began = Instant::now();
            assert_eq!(call(&mut client, id, "get").await, (0, "2".to_owned()));
            assert!(began.elapsed() < Duration::from_millis(130), "{:?}", began.elapsed());
        }
        let connections = || -> u64 {
            let all = stage.world.telemetry.all_endpoints();
            all.values().flatten().map(|one| one.connects.get()).sum()
        };
        let (before, timeouts) = (connections(), stage.world.count("-"));
        advance(Duration::from_millis(500)).await;
        client.hears_nothing().await;
        let late: u64 =
            stage.world.telemetry.all_endpoints().values().flatten().map(|one| one.late.get()).sum();
        assert!(late >= 1, "it came");
        assert_eq!(timeouts, id, "one record for each request");
        id += 1;
        assert_eq!(call(&mut client, id, "get").await.0, 0);
        assert_eq!(connections(), before, "no connection was closed for it");
    });
}

#[test]
fn the_last_outcome_is_told_with_what_the_endpoint_said() {
    run(async {
        let stage = Stage::new(&[Act::Answer(2), Act::Answer(2), Act::Answer(2)], Some(any(2)));
        let mut client = stage.world.client();
        let (status, endpoint) = call(&mut client, 1, "get").await;
        let heard = stage.heard("1");
        assert_eq!((status, heard.len()), (2, 3));
        assert_eq!(endpoint, heard[2].to_string(), "the last answer");
        assert_eq!(stage.exhausted(Outcome::Responded(Status::ServerError)), 1);

        let stage = Stage::new(&[Act::HangUp, Act::HangUp], Some(any(1)));
        let mut client = stage.world.client();
        let (status, text) = call(&mut client, 1, "get").await;
        assert_eq!((status, stage.heard("1").len()), (9, 2));
        assert!(text.starts_with("ConnectionLost"), "{text}");
        assert_eq!(stage.exhausted(Outcome::Failed(Flag::UpstreamConnectionTermination)), 1);
    });
}

#[test]
fn an_endpoint_that_cannot_be_understood_is_left() {
    run(async {
        let mut stage = Stage::empty();
        let mut accepted = stage.world.accepting("all", 1);
        tokio::task::spawn_local(async move {
            while let Some(mut connection) = accepted.recv().await {
                connection.receive().await;
                let _ = connection.try_send_bytes(b"no message at all").await;
            }
        });
        stage.endpoint(2, |_| Act::Answer(0));
        stage.route(10_000, Some(any(1)));
        let mut client = stage.world.client();
        for id in 0..10 {
            assert_eq!(call(&mut client, id, "get").await, (0, "2".to_owned()));
        }
        assert!(stage.retries().0 >= 1);
    });
}

#[test]
fn endpoints_that_cannot_be_connected_to_are_passed_over_in_each_try() {
    run(async {
        let mut stage = Stage::new(&[Act::HangUp, Act::Answer(0)], None);
        for number in 3..9 {
            stage.world.endpoint("all", number, Behaviour::Refuse);
        }
        stage.world.routes.clear();
        stage.route(10_000, Some(any(2)));
        let mut client = stage.world.client();
        for id in 0..40 {
            assert_eq!(call(&mut client, id, "get").await, (0, "2".to_owned()));
        }
    });
}

#[test]
fn requests_that_share_an_attribute_go_on_to_the_same_next_endpoint() {
    run(async {
        let mut stage = Stage::empty();
        stage.world.balancing =
            LoadBalancing::RingHash { attribute: "method".to_owned(), minimum_ring_size: None };
        for number in 1..=4 {
            stage.endpoint(number, |_| Act::Answer(2));
        }
        stage.route(10_000, Some(any(3)));
        let mut client = stage.world.client();
        for method in ["a", "b", "c"] {
            let mut ways = Vec::new();
            for id in 0..5 {
                call(&mut client, id, method).await;
                ways.push(stage.heard(&id.to_string()));
                stage.heard.borrow_mut().clear();
            }
            ways.dedup();
            let [way] = ways.as_slice() else { panic!("{method}: {ways:?}") };
            let mut distinct = way.clone();
            distinct.sort_unstable();
            assert_eq!(distinct, [1, 2, 3, 4], "{method}");
        }
    });
}

#[test]
fn answers_keep_the_order_of_their_requests() {
    run(async {
        let mut stage = Stage::empty();
        let mut conduct = Conduct::default();
        conduct.order = Order::InOrder;
        (stage.world.conduct, stage.world.upstream_order) = (conduct, Order::InOrder);
        for (number, bad) in [(1, true), (2, false), (3, true)] {
            stage.endpoint(number, move |frame| match frame.method.as_str() {
                "first" if bad => Act::After(300, 0),
                _ => Act::Answer(0),
            });
        }
        stage.route(10_000, Some(each(100, any(2))));
        for round in 0..10 {
            let mut client = stage.world.client();
            let id = round * 2;
            ask(&mut client, id, "first").await;
            ask(&mut client, id + 1, "second").await;
            assert_eq!(answer(&mut client, id).await, (0, "2".to_owned()));
            assert_eq!(answer(&mut client, id + 1).await.0, 0);
        }
    });
}

#[test]
fn where_a_connection_carries_one_request_at_a_time_they_are_tried_again_as_well() {
    run(async {
        let mut stage = Stage::empty();
        stage.world.conduct.sharing = Some(Sharing::Exclusive);
        stage.endpoint(1, |_| Act::HangUp);
        stage.endpoint(2, |_| Act::Answer(0));
        stage.route(10_000, Some(any(1)));
        let mut client = stage.world.client();
        for id in 0..20 {
            assert_eq!(call(&mut client, id, "get").await, (0, "2".to_owned()));
        }
        assert!(stage.retries().0 >= 1);
    });
}
