//! How many requests are tried again at once.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use meta_proxy::error::Flag;
use meta_proxy::model::Limits;
use meta_proxy::telemetry::Outcome;
use tokio::time::{sleep, timeout};

use crate::support::{Actor, Frame, run};
use crate::{Act, Stage, any, ask, call};

/// Three endpoints that close their connections once they have heard a hundred requests together, and from then on as
/// soon as they have heard any.
fn failing_together(stage: &mut Stage) -> Rc<Cell<usize>> {
    let count = Rc::new(Cell::new(0));
    for number in 1..=3u16 {
        let mut accepted = stage.world.accepting("all", number);
        let count = count.clone();
        tokio::task::spawn_local(async move {
            while let Some(mut connection) = accepted.recv().await {
                let count = count.clone();
                tokio::task::spawn_local(async move {
                    loop {
                        // One after the other, so that what is sent elsewhere is heard there.
                        let patience = Duration::from_millis(number.into());
                        let heard = timeout(patience, connection.receive()).await;
                        match heard {
                            Ok(Some(_)) => count.set(count.get() + 1),
                            Ok(None) => return,
                            Err(_) if count.get() >= 100 => return,
                            Err(_) => {}
                        }
                    }
                });
            }
        });
    }
    count
}

#[test]
fn where_every_endpoint_fails_what_it_gets_is_a_quarter_more_at_most() {
    for attempts in [1, 2, 3] {
        run(async {
            let mut stage = Stage::empty();
            let count = failing_together(&mut stage);
            stage.route(10_000, Some(any(attempts)));
            let mut clients: Vec<Actor> = (0..10).map(|_| stage.world.client()).collect();
            for client in &mut clients {
                for id in 0..10 {
                    ask(client, id, "get").await;
                }
            }
            for client in &mut clients {
                for _ in 0..10 {
                    assert_eq!(client.receive().await.unwrap().status, 9);
                }
            }
            let sent = count.get();
            assert!(sent > 110, "{attempts}: {sent}: some were tried again");
            assert!(sent <= 125, "{attempts}: {sent}");
            let (_, refused) = stage.retries();
            assert!(refused > 0, "{attempts}");
            assert!(stage.exhausted(Outcome::Failed(Flag::UpstreamConnectionTermination)) >= refused);
        });
    }
}

#[test]
fn under_lasting_load_of_a_hundred_calls_it_is_a_quarter_more_at_most() {
    run(async {
        let mut stage = Stage::empty();
        let heard = Rc::new(Cell::new(0u32));
        for number in 1..=3 {
            let mut accepted = stage.world.accepting("all", number);
            let heard = heard.clone();
            tokio::task::spawn_local(async move {
                while let Some(connection) = accepted.recv().await {
                    tokio::task::spawn_local(failing(connection, heard.clone()));
                }
            });
        }
        stage.route(10_000, Some(any(3)));
        let clients = (0..100).map(|_| {
            let mut client = stage.world.client();
            tokio::task::spawn_local(async move {
                for id in 0..20 {
                    assert_eq!(call(&mut client, id, "get").await.0, 2);
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        let sent = heard.get();
        assert!(sent > 2000 + 200 && sent <= 2500, "{sent} of 2000 calls");
    });
}

/// Answers each request with a failure after 5 milliseconds.
async fn failing(mut connection: Actor, heard: Rc<Cell<u32>>) {
    let (answers, mut due) = tokio::sync::mpsc::unbounded_channel::<Frame>();
    loop {
        tokio::select! {
            request = connection.receive() => {
                let Some(request) = request else { return };
                heard.set(heard.get() + 1);
                let answers = answers.clone();
                tokio::task::spawn_local(async move {
                    sleep(Duration::from_millis(5)).await;
                    let _ = answers.send(Frame { status: 2, ..Frame::response_to(&request) });
                });
            }
            Some(answer) = due.recv() => connection.send(&answer).await,
        }
    }
}

#[test]
fn a_rule_may_allow_fewer_at_once() {
    run(async {
        let mut stage = Stage::empty();
        stage.world.limits = Limits { max_retries: Some(1), ..Limits::default() };
        stage.endpoint(1, |_| Act::HangUp);
        stage.route(10_000, Some(any(1)));
        let mut client = stage.world.client();
        for id in 0..3 {
            ask(&mut client, id, "get").await;
        }
        for _ in 0..3 {
            assert_eq!(client.receive().await.unwrap().status, 9);
        }
        assert_eq!(stage.retries(), (1, 2));
    });
}

#[test]
fn each_cluster_has_its_own() {
    run(async {
        let mut stage = Stage::empty();
        let mut other = stage.world.accepting("other", 9);
        tokio::task::spawn_local(async move {
            while let Some(connection) = other.recv().await {
                connection.serve_as(9);
            }
        });
        stage.endpoint(1, |_| Act::Answer(2));
        let slow = stage.world.route(Some("slow"), "other");
        slow.retries = Some(any(1));
        stage.route(10_000, Some(any(1)));
        let mut client = stage.world.client();
        for id in 0..3 {
            ask(&mut client, id, "get").await;
        }
        ask(&mut client, 3, "slow").await;
        let mut statuses = Vec::new();
        for _ in 0..4 {
            let answer = client.receive().await.unwrap();
            statuses.push((answer.id, answer.status));
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [(0, 2), (1, 2), (2, 2), (3, 0)]);
        assert_eq!(stage.retries(), (3, 0));
    });
}
