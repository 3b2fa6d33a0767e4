//! Clients with different sessions, and what sets their connections up.

use crate::support::{Actor, Frame, World, run};
use crate::{Accepted, next, nobody_connects, one_endpoint, ordered};

/// A client that has changed to this session, and the connection that was set up for it.
async fn in_session(world: &World, accepted: &mut Accepted, session: &str) -> (Actor, Actor) {
    let mut client = world.client();
    let method = format!("session:{session}");
    client.asks(0, &method).await;
    let mut connection = next(accepted).await;
    assert_eq!(connection.hears("hello").await.payload, session.as_bytes());
    connection.hears_nothing().await;
    connection.answers_oldest().await;
    connection.answers(&method).await;
    client.gets(0).await;
    (client, connection)
}

/// Answers the oldest request that was heard with this status and text.
async fn refuses(connection: &mut Actor, method: &str, text: &str) {
    let request = connection.receive().await.unwrap();
    assert_eq!(request.method, method);
    connection.send(&Frame { status: 1, payload: text.into(), ..Frame::response_to(&request) }).await;
}

async fn is_refused(client: &mut Actor, id: u64, text: &str) {
    let answer = client.receive().await.unwrap();
    let said = String::from_utf8_lossy(&answer.payload).into_owned();
    assert_eq!((answer.id, answer.status, &*said), (id, 1, text));
}

#[test]
fn requests_of_different_sessions_never_share_a_connection() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut plain = world.client();
        plain.asks(1, "get").await;
        let mut shared = next(&mut accepted).await;
        shared.answers("get").await;
        plain.gets(1).await;
        let (mut one, mut ones) = in_session(&world, &mut accepted, "a").await;
        let (mut other, mut others) = in_session(&world, &mut accepted, "b").await;
        let mut third = world.client();
        third.asks(0, "session:a").await;
        ones.answers("session:a").await;
        third.gets(0).await;
        for round in 1..4 {
            let method = format!("get {round}");
            for client in [&mut plain, &mut one, &mut other, &mut third] {
                client.asks(10 + round, &method).await;
            }
            for connection in [&mut shared, &mut others, &mut ones] {
                connection.answers(&method).await;
            }
            ones.answers(&method).await;
            for client in [&mut plain, &mut one, &mut other, &mut third] {
                client.gets(10 + round).await;
            }
        }
        assert_eq!(world.attempts(), 3);
    });
}

#[test]
fn private_connections_are_set_up_for_their_clients_session_and_pooled_by_it() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut one, _ones) = in_session(&world, &mut accepted, "a").await;
        let (mut other, _others) = in_session(&world, &mut accepted, "b").await;
        one.asks(1, "alone").await;
        let mut private = next(&mut accepted).await;
        assert_eq!(private.hears("hello").await.payload, b"a");
        private.answers_oldest().await;
        private.answers("alone").await;
        one.gets(1).await;
        other.asks(1, "alone").await;
        let mut others = next(&mut accepted).await;
        assert_eq!(others.hears("hello").await.payload, b"b");
        one.asks(2, "alone").await;
        private.answers("alone").await;
        one.gets(2).await;
    });
}

#[test]
fn a_refused_prelude_answers_all_who_waited_for_it_and_nobody_else() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut good, mut shared) = in_session(&world, &mut accepted, "good").await;
        let (mut one, mut other, mut fine) = (world.client(), world.client(), world.client());
        one.asks(1, "session:bad").await;
        let mut bad = next(&mut accepted).await;
        other.asks(1, "session:bad").await;
        good.asks(1, "get").await;
        fine.asks(1, "session:fine").await;
        let mut fines = next(&mut accepted).await;
        refuses(&mut bad, "hello", "wrong").await;
        is_refused(&mut one, 1, "wrong").await;
        is_refused(&mut other, 1, "wrong").await;
        bad.sees_the_end().await;
        shared.answers("get").await;
        good.gets(1).await;
        fines.answers("hello").await;
        fines.answers("session:fine").await;
        fine.gets(1).await;
        one.asks(2, "get").await;
        next(&mut accepted).await.answers("get").await;
        one.gets(2).await;
    });
}

#[test]
fn a_refused_prelude_keeps_nobody_from_connecting() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        for round in 0..5 {
            let mut bad = world.client();
            bad.asks(1, "session:bad").await;
            refuses(&mut next(&mut accepted).await, "hello", "wrong").await;
            is_refused(&mut bad, 1, "wrong").await;
            let mut good = world.client();
            good.asks(1, &format!("session:good {round}")).await;
            let mut connection = next(&mut accepted).await;
            connection.answers("hello").await;
            connection.answer().await;
            good.gets(1).await;
        }
    });
}

#[test]
fn a_session_change_that_fails_rolls_back() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let (mut client, mut shared) = in_session(&world, &mut accepted, "a").await;
        client.asks(1, "session:b").await;
        let mut others = next(&mut accepted).await;
        others.answers("hello").await;
        refuses(&mut others, "session:b", "no").await;
        is_refused(&mut client, 1, "no").await;
        client.asks(2, "get").await;
        shared.answers("get").await;
        client.gets(2).await;
        drop(others);
        world.behave(1, crate::support::Behaviour::Refuse);
        client.asks(3, "session:c").await;
        client.gets_refusal(3, "ConnectFailure").await;
        client.asks(4, "get").await;
        shared.answers("get").await;
        client.gets(4).await;
    });
}

#[test]
fn a_session_change_waits_for_what_was_asked_in_the_old_session() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "get").await;
        client.asks(2, "session:a").await;
        client.asks(3, "get").await;
        let mut old = next(&mut accepted).await;
        old.hears("get").await;
        old.hears_nothing().await;
        nobody_connects(&mut accepted).await;
        old.answers_oldest().await;
        client.gets(1).await;
        let mut new = next(&mut accepted).await;
        new.answers("hello").await;
        new.answers("session:a").await;
        client.gets(2).await;
        new.answers("get").await;
        client.gets(3).await;
        old.hears_nothing().await;
    });
}

#[test]
fn a_session_that_its_codec_sets_itself_holds_from_its_answer_on() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "get").await;
        client.asks(2, "own+session:a").await;
        client.asks(3, "get").await;
        let mut old = next(&mut accepted).await;
        old.answers("get").await;
        client.gets(1).await;
        client.gets(2).await;
        let mut new = next(&mut accepted).await;
        assert_eq!(new.hears("hello").await.payload, b"a");
        new.answers_oldest().await;
        new.answers("get").await;
        client.gets(3).await;
    });
}

#[test]
fn copies_travel_in_their_clients_session() {
    run(async {
        let mut world = ordered();
        world.echoing("all", 1, |_| false);
        let mut copies = world.accepting("copies", 2);
        world.mirrored("all", "copies");
        world.apply();
        let mut client = world.client();
        client.asks(1, "session:a").await;
        client.gets(1).await;
        client.asks(2, "get").await;
        client.gets(2).await;
        let mut endpoint = next(&mut copies).await;
        assert_eq!(endpoint.hears("hello").await.payload, b"a");
        endpoint.answers_oldest().await;
        endpoint.answers("get").await;
        client.asks(3, "pin").await;
        client.gets(3).await;
        client.asks(4, "get").await;
        client.gets(4).await;
        endpoint.hears_nothing().await;
        assert_eq!(world.copies(), (1, 0), "what is pinned or changes the session is not copied");
    });
}

#[test]
fn a_connection_that_nobody_set_up_carries_nothing() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "session:a").await;
        let mut silent = next(&mut accepted).await;
        silent.hears("hello").await;
        drop(silent);
        client.gets_refusal(1, "ConnectFailure").await;
        // That was as good as no connection: for a moment nobody tries again.
        client.asks(2, "session:a").await;
        client.gets_refusal(2, "ConnectFailure").await;
        assert_eq!(world.attempts(), 1);
    });
}

#[test]
fn a_set_up_whose_answer_is_refused_ends_its_connection() {
    run(async {
        let (world, mut accepted) = one_endpoint();
        let mut client = world.client();
        client.asks(1, "session:a").await;
        let mut odd = next(&mut accepted).await;
        odd.hears("hello").await;
        let long = Frame::new(b'r', 0, "", &vec![1; 9 << 20]).encode();
        assert!(odd.try_send_bytes(&long).await.is_err(), "it is closed before all of it has come");
        client.gets_refusal(1, "ConnectFailure").await;
    });
}
