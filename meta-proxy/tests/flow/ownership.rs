//! Private connections that stay their client's, and what comes on them unasked.

use crate::support::{Actor, Frame, World, run};
use crate::{Accepted, next, nobody_connects, one_endpoint};

/// A client and the connection that it keeps.
async fn keeper(world: &World, accepted: &mut Accepted) -> (Actor, Actor) {
    let mut client = world.client();
    client.asks(0, "private").await;
    let mut kept = next(accepted).await;
    kept.answers("private").await;
    client.gets(0).await;
    (client, kept)
}

fn push(text: &str) -> Frame {
    Frame::new(b'u', 0, "", text.as_bytes())
}

#[test]
fn pushes_on_a_kept_connection_go_to_its_client_only_and_its_other_requests_travel_as_before() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut one, mut ones) = keeper(&world, &mut accepted).await;
        let (mut other, mut others) = keeper(&world, &mut accepted).await;
        one.asks(1, "get").await;
        other.asks(1, "get").await;
        let mut shared = next(&mut accepted).await;
        shared.hears("get").await;
        shared.hears("get").await;
        ones.send(&push("to one")).await;
        others.send(&push("to the other")).await;
        assert_eq!(one.receive().await.unwrap().payload, b"to one");
        assert_eq!(other.receive().await.unwrap().payload, b"to the other");
        shared.answers_oldest().await;
        shared.answers_oldest().await;
        one.gets(1).await;
        other.gets(1).await;
        one.hears_nothing().await;
        other.hears_nothing().await;
    });
}

#[test]
fn further_private_requests_use_the_connection_that_is_kept() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut kept) = keeper(&world, &mut accepted).await;
        for id in 1..5 {
            client.asks(id, "private").await;
            kept.answers("private").await;
            client.gets(id).await;
        }
        nobody_connects(&mut accepted).await;
    });
}

#[test]
fn an_unpin_from_the_endpoint_lets_a_kept_connection_go() {
    for is_push in [false, true] {
        run(async {
            let (world, mut accepted) = one_endpoint();
            let (mut client, mut kept) = keeper(&world, &mut accepted).await;
            client.asks(1, "private").await;
            let request = kept.hears("private").await;
            let method = "unpin".to_owned();
            if is_push {
                kept.answers_oldest().await;
                client.gets(1).await;
                kept.send(&Frame { method, ..push("the last") }).await;
                assert_eq!(client.receive().await.unwrap().payload, b"the last");
            } else {
                kept.send(&Frame { method, ..Frame::response_to(&request) }).await;
                client.gets(1).await;
            }
            let mut other = world.client();
            other.asks(1, "pin").await;
            kept.answers("pin").await;
            other.gets(1).await;
            kept.send(&push("to the other")).await;
            assert_eq!(other.receive().await.unwrap().payload, b"to the other");
            client.hears_nothing().await;
        });
    }
}

#[test]
fn the_loss_of_a_kept_connection_ends_its_client_after_its_replies() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, kept) = keeper(&world, &mut accepted).await;
        client.asks(1, "get").await;
        let mut shared = next(&mut accepted).await;
        shared.hears("get").await;
        drop(kept);
        client.hears_nothing().await;
        shared.answers_oldest().await;
        client.gets(1).await;
        client.sees_the_end().await;
    });
}

#[test]
fn a_kept_connection_goes_with_its_client() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (client, mut kept) = keeper(&world, &mut accepted).await;
        drop(client);
        kept.sees_the_end().await;
    });
}

#[test]
fn a_client_may_keep_a_connection_and_be_pinned_to_another() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut kept) = keeper(&world, &mut accepted).await;
        client.asks(1, "pin").await;
        let mut pin = next(&mut accepted).await;
        pin.answers("pin").await;
        client.gets(1).await;
        kept.send(&push("news")).await;
        assert_eq!(client.receive().await.unwrap().payload, b"news");
        client.asks(2, "unpin").await;
        pin.answers("unpin").await;
        client.gets(2).await;
        kept.send(&push("more news")).await;
        assert_eq!(client.receive().await.unwrap().payload, b"more news");
    });
}

#[test]
fn a_subscriber_that_reads_nothing_is_cut_off() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (client, mut kept) = keeper(&world, &mut accepted).await;
        let news = Frame::new(b'u', 0, "", &vec![7; 64 * 1024]).encode();
        let mut sent = 0;
        while kept.try_send_bytes(&news).await.is_ok() {
            sent += news.len();
            assert!(sent < 8 << 20, "more than pipes and limits hold");
        }
        assert!(sent > 1 << 20, "{sent}");
        drop(client);
    });
}

#[test]
fn an_endpoint_may_ask_the_client_that_keeps_its_connection_and_gets_its_answer() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut kept) = keeper(&world, &mut accepted).await;
        kept.send(&Frame::request(77, "back")).await;
        let asked = client.receive().await.unwrap();
        assert_eq!((asked.kind, asked.method.as_str()), (b'q', "back"));
        client.send(&Frame::response_to(&asked)).await;
        let answer = kept.receive().await.unwrap();
        assert_eq!((answer.kind, answer.id, answer.payload), (b'r', 77, asked.payload));
    });
}
