//! How often, until when, and with which pauses.

use std::time::Duration;

use codec_api::Status;
use meta_proxy::error::Flag;
use meta_proxy::model::Limits;
use meta_proxy::telemetry::Outcome;
use tokio::time::{Instant, advance};

use crate::support::run;
use crate::{Act, Stage, any, ask, call, each};

const MS: Duration = Duration::from_millis(1);

#[test]
fn there_are_as_many_tries_as_are_allowed_and_one() {
    for attempts in 1..=4 {
        run(async {
            let stage = Stage::new(&[Act::Answer(2); 6], Some(any(attempts)));
            let mut client = stage.world.client();
            call(&mut client, 1, "get").await;
            let mut heard = stage.heard("1");
            assert_eq!(heard.len(), attempts as usize + 1);
            heard.sort_unstable();
            heard.dedup();
            assert_eq!(heard.len(), attempts as usize + 1, "each to another endpoint");
        });
    }
}

#[test]
fn no_try_goes_beyond_the_time_of_its_request() {
    run(async {
        let mut stage = Stage::empty();
        for number in 1..=6 {
            stage.endpoint(number, |_| Act::Silence);
        }
        stage.route(1000, Some(each(400, any(10))));
        let mut client = stage.world.client();
        let began = Instant::now();
        let (status, text) = call(&mut client, 1, "get").await;
        assert!(status == 9 && text.starts_with("Timeout"), "{status} {text}");
        let took = began.elapsed();
        assert!(took >= 1000 * MS && took < 1020 * MS, "{took:?}");
        let times: Vec<_> = stage.times().iter().map(|at| (*at - began).as_millis() / 100).collect();
        assert_eq!(times, [0, 4, 8]);
        assert_eq!(stage.world.count("UT"), 1);
        assert_eq!(
            stage.exhausted(Outcome::Failed(Flag::UpstreamTimeout)),
            0,
            "it was out of time, not of tries"
        );
    });
}

#[test]
fn a_try_may_take_its_time_and_the_last_one_too() {
    run(async {
        let stage = Stage::new(&[Act::Silence, Act::Silence], Some(each(300, any(1))));
        let mut client = stage.world.client();
        let began = Instant::now();
        let (status, text) = call(&mut client, 1, "get").await;
        assert!(status == 9 && text.starts_with("Timeout"), "{status} {text}");
        let took = began.elapsed();
        assert!(took >= 600 * MS && took < 620 * MS, "{took:?}");
        assert_eq!(stage.exhausted(Outcome::Failed(Flag::UpstreamTimeout)), 1);
    });
}

#[test]
fn a_request_that_is_sent_once_only_has_all_the_time() {
    run(async {
        let retries = each(100, crate::only(1, "method", "get"));
        let stage = Stage::new(&[Act::After(500, 0)], Some(retries));
        let mut client = stage.world.client();
        assert_eq!(call(&mut client, 1, "put").await.0, 0);
    });
}

#[test]
fn the_only_endpoint_is_asked_again_after_pauses_that_grow() {
    run(async {
        let stage = Stage::new(&[Act::Answer(2)], Some(any(8)));
        let mut client = stage.world.client();
        assert_eq!(call(&mut client, 1, "get").await.0, 2);
        let times = stage.times();
        assert_eq!(times.len(), 9);
        let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (number, pause) in (0u32..).zip(&pauses) {
            let longest = (25 * MS * 2u32.pow(number)).min(250 * MS);
            assert!(*pause + MS >= longest / 2 && *pause <= longest + 2 * MS, "{pauses:?}");
        }
    });
}

#[test]
fn where_all_have_failed_it_is_not_the_last_one_that_is_asked_next() {
    run(async {
        let stage = Stage::new(&[Act::Answer(2), Act::Answer(2)], Some(any(5)));
        let mut client = stage.world.client();
        call(&mut client, 1, "get").await;
        let heard = stage.heard("1");
        assert_eq!(heard.len(), 6);
        assert!(heard.windows(2).all(|pair| pair[0] != pair[1]), "{heard:?}");
        let times = stage.times();
        assert!(times[1] - times[0] < MS, "the other one at once");
        assert!(times[2] - times[1] >= 11 * MS, "the first one after a pause");
    });
}

#[test]
fn where_no_time_is_left_for_a_pause_the_last_answer_is_told() {
    run(async {
        let mut stage = Stage::empty();
        stage.endpoint(1, |_| Act::After(990, 2));
        stage.route(1000, Some(any(3)));
        let mut client = stage.world.client();
        let began = Instant::now();
        assert_eq!(call(&mut client, 1, "get").await, (2, "1".to_owned()), "what the endpoint said");
        assert!(began.elapsed() < 1000 * MS, "{:?}", began.elapsed());
        assert_eq!(stage.heard("1"), [1]);
        assert_eq!(stage.exhausted(Outcome::Responded(Status::ServerError)), 0);
    });
}

#[test]
fn a_client_that_leaves_ends_its_tries() {
    for act in [Act::Answer(2), Act::HangUp, Act::After(50, 2)] {
        run(async {
            let stage = Stage::new(&[act], Some(any(8)));
            let mut client = stage.world.client();
            ask(&mut client, 1, "get").await;
            // The first answer has come, or is to come, and a pause follows.
            advance(5 * MS).await;
            assert_eq!(stage.heard("1").len(), 1);
            client.vanishes().await;
            advance(Duration::from_secs(5)).await;
            tokio::task::yield_now().await;
            assert_eq!(stage.heard("1").len(), 1, "{act:?}");
            assert_eq!(stage.world.count("DC"), 1, "{act:?}");
        });
    }
}

#[test]
fn a_request_that_is_sent_again_takes_the_place_of_its_first_try() {
    run(async {
        let mut stage = Stage::empty();
        stage.world.limits = Limits { max_requests: Some(1), ..Limits::default() };
        stage.endpoint(1, |_| Act::Answer(2));
        stage.endpoint(2, |_| Act::Answer(0));
        stage.route(10_000, Some(any(1)));
        let mut client = stage.world.client();
        for id in 0..20 {
            assert_eq!(call(&mut client, id, "get").await.0, 0);
        }
        assert!(stage.retries().0 >= 1);
    });
}

#[test]
fn large_requests_arrive_whole_each_time() {
    run(async {
        let stage = Stage::new(&[Act::HangUp, Act::Answer(0)], Some(any(1)));
        let mut client = stage.world.client();
        for (id, size) in [(1, 100), (2, 4095), (3, 4096), (4, 100_000)] {
            let payload: Vec<u8> = (0..size).map(|place| b'a' + (place % 23) as u8).collect();
            for _ in 0..6 {
                client.send(&crate::Frame::new(b'q', id, "get", &payload)).await;
                assert_eq!(crate::answer(&mut client, id).await.0, 0);
            }
            let text = String::from_utf8(payload).unwrap();
            let heard = stage.heard(&text);
            assert!(
                heard.contains(&1) && heard.iter().filter(|one| **one == 2).count() == 6,
                "{size}: {heard:?}"
            );
        }
    });
}
