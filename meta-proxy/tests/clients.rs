//! What clients do that they should not, and what they get for it.

mod support;

use std::time::Duration;

use support::{Frame, World, run};
use tokio::time::Instant;

fn world_with_echo() -> World {
    let mut world = World::new();
    world.echoing("all", 1, |method| method == "silent");
    world.route(None, "all");
    world.apply();
    world
}

#[test]
fn requests_cut_at_every_byte_are_answered_as_whole_ones() {
    run(async {
        let world = world_with_echo();
        let mut client = world.client();
        let bytes: Vec<u8> = (0..3).flat_map(|id| Frame::request(id, "get").encode()).collect();
        for cut in 1..bytes.len() {
            client.send_bytes(&bytes[..cut]).await;
            tokio::task::yield_now().await;
            client.send_bytes(&bytes[cut..]).await;
            for id in 0..3 {
                assert_eq!(client.receive().await.unwrap().id, id, "cut at {cut}");
            }
        }
        for byte in &bytes {
            client.send_bytes(std::slice::from_ref(byte)).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.receive().await.unwrap().id, 0);
    });
}

#[test]
fn more_requests_than_one_turn_takes_are_all_answered_in_order() {
    run(async {
        let world = world_with_echo();
        let mut client = world.client();
        let all: Vec<u8> = (0..1000).flat_map(|id| Frame::request(id, "get").encode()).collect();
        client.send_bytes(&all).await;
        for id in 0..1000 {
            assert_eq!(client.receive().await.unwrap().id, id);
        }
    });
}

#[test]
fn bytes_of_another_protocol_end_their_connection_and_no_other() {
    run(async {
        let world = world_with_echo();
        let mut neighbour = world.client();
        for bytes in [
            &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03xxxx",
            &[0; 64],
        ] {
            let mut client = world.client();
            client.send_bytes(bytes).await;
            let rest = client.receive().await;
            assert!(rest.is_none(), "{rest:?}");
            neighbour.send(&Frame::request(1, "get")).await;
            assert_eq!(neighbour.receive().await.unwrap().id, 1);
        }
        let mut client = world.client();
        client.send(&Frame::new(b'r', 1, "", b"an answer")).await;
        assert!(client.receive().await.is_none(), "a client has nothing to answer");
        let errors: u64 =
            world.telemetry.all_listeners().values().flatten().map(|one| one.protocol_errors.get()).sum();
        assert_eq!(errors, 4);
    });
}

#[test]
fn a_message_that_is_too_long_is_refused_and_the_connection_lives_on() {
    run(async {
        let world = world_with_echo();
        let mut client = world.client();
        let long = Frame::new(b'q', 1, "put", &vec![1; 9 << 20]).encode();
        let next = Frame::request(2, "get").encode();
        for piece in long.chunks(64 * 1024).chain([&next[..]]) {
            client.send_bytes(piece).await;
        }
        let refused = client.receive().await.unwrap();
        assert!(refused.id == 1 && refused.payload.starts_with(b"TooLarge"), "{}", refused.payload.len());
        assert_eq!(client.receive().await.unwrap().id, 2);
        assert_eq!(world.count("DPE"), 1);
    });
}

#[test]
fn a_client_that_does_not_finish_a_message_is_cut_off() {
    run(async {
        let world = world_with_echo();
        let mut client = world.client();
        let start = Instant::now();
        client.send_bytes(&Frame::request(1, "get").encode()[..10]).await;
        assert!(client.receive().await.is_none());
        assert!((30..33).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    });
}

#[test]
fn an_idle_client_is_disconnected_and_one_that_waits_is_not() {
    run(async {
        let mut world = World::new();
        world.echoing("all", 1, |method| method == "silent");
        world.idle_timeout = Some(Duration::from_secs(10));
        world.route(None, "all").timeout = Some(Duration::from_mins(1));
        world.apply();
        let (mut idle, mut waiting) = (world.client(), world.client());
        let start = Instant::now();
        waiting.send(&Frame::request(1, "silent")).await;
        assert!(idle.receive().await.is_none());
        assert!((10..13).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        assert!(waiting.receive().await.unwrap().payload.starts_with(b"Timeout"));
        assert!(start.elapsed() >= Duration::from_mins(1));
    });
}

#[test]
fn a_client_that_reads_nothing_is_cut_off_and_nobody_waits_for_it() {
    run(async {
        let world = world_with_echo();
        let (mut deaf, mut neighbour) = (world.client(), world.client());
        let request = Frame::new(b'q', 1, "get", &vec![7; 64 * 1024]).encode();
        let start = Instant::now();
        // Far more than pipe, out-buffer and limit hold; it ends because the proxy no longer reads, then hangs up.
        let flood = async {
            for _ in 0..200 {
                if deaf.try_send_bytes(&request).await.is_err() {
                    return true;
                }
            }
            false
        };
        let talk = async {
            for id in 0..100 {
                neighbour.send(&Frame::request(id, "get")).await;
                assert_eq!(neighbour.receive().await.unwrap().id, id);
            }
            assert!(start.elapsed() < Duration::from_secs(1), "the neighbour waited {:?}", start.elapsed());
        };
        let (was_cut_off, ()) = tokio::join!(flood, talk);
        assert!(was_cut_off);
        assert!((5..9).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    });
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answers() {
    run(async {
        let world = world_with_echo();
        let mut client = world.client();
        client.send(&Frame::request(1, "get")).await;
        client.say_no_more().await;
        assert_eq!(client.receive().await.unwrap().id, 1);
        assert!(client.receive().await.is_none());
    });
}

#[test]
fn what_a_vanished_client_had_asked_is_recorded_as_cancelled() {
    run(async {
        let world = world_with_echo();
        let mut client = world.client();
        client.send(&Frame::request(1, "silent")).await;
        client.send(&Frame::new(b'p', 2, "", b"")).await;
        assert_eq!(client.receive().await.unwrap().kind, b'o');
        client.send_bytes(&Frame::request(3, "cut").encode()[..7]).await;
        drop(client);
        let mut other = world.client();
        other.send(&Frame::request(2, "get")).await;
        assert_eq!(other.receive().await.unwrap().id, 2);
        assert_eq!((world.count("DC"), world.count("-")), (1, 1));
    });
}

#[test]
fn pings_are_answered_and_oneway_requests_are_not() {
    run(async {
        let (world, mut accepted) = World::with_endpoint();
        let mut client = world.client();
        client.send(&Frame::new(b'1', 5, "note", b"")).await;
        client.send(&Frame::new(b'p', 6, "", b"")).await;
        let pong = client.receive().await.unwrap();
        assert_eq!((pong.kind, pong.id), (b'o', 6));
        let mut endpoint = accepted.recv().await.unwrap();
        assert_eq!(endpoint.receive().await.unwrap().method, "note");
        assert_eq!(world.count("-"), 1);
    });
}

#[test]
fn a_draining_worker_tells_its_clients_and_answers_what_is_under_way() {
    run(async {
        let (world, mut accepted) = World::with_endpoint();
        let (mut busy, mut quiet) = (world.client(), world.client());
        busy.send(&Frame::request(1, "get")).await;
        let mut endpoint = accepted.recv().await.unwrap();
        let request = endpoint.receive().await.unwrap();
        world.worker.drain();
        assert_eq!(quiet.receive().await.unwrap().kind, b'g');
        assert_eq!(busy.receive().await.unwrap().kind, b'g');
        assert!(quiet.receive().await.is_none());
        busy.send(&Frame::request(2, "get")).await;
        let late = endpoint.receive().await.unwrap();
        endpoint.send(&Frame::response_to(&request)).await;
        endpoint.send(&Frame::response_to(&late)).await;
        assert_eq!(busy.receive().await.unwrap().id, 1);
        assert_eq!(busy.receive().await.unwrap().id, 2, "what comes within the window is served");
        assert!(busy.receive().await.is_none(), "then the connection ends");
    });
}
