//! The Thrift client against the Thrift server, in every transport and protocol.

use bytes::BytesMut;
use peers::load::{self, Plan};
use peers::thrift::{
    Behaviour, Client, Dialect, EchoLoad, Encoding, Envelope, Fields, Message, Outcome, Server, Transport,
    Type, Value, echo,
};
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(10);

/// A struct with a field of every type, and containers in containers.
fn everything() -> Value {
    let line = |sku: &str| Value::Struct(vec![(1, sku.into()), (40, Value::I32(-7)), (2, Value::Bool(true))]);
    Value::Struct(vec![
        (1, Value::Bool(true)),
        (2, Value::Bool(false)),
        (3, Value::I8(-128)),
        (4, Value::I16(i16::MIN)),
        (5, Value::I32(i32::MAX)),
        (6, Value::I64(i64::MIN)),
        (7, Value::Double(-0.1)),
        (8, "ä€😀".into()),
        (9, Value::Binary(vec![0xff; 300])),
        (10, Value::Uuid(*b"0123456789abcdef")),
        (27, Value::List(Type::Bool, vec![Value::Bool(true), Value::Bool(false)])),
        (28, Value::Set(Type::I64, (0..40).map(Value::I64).collect())),
        (29, Value::List(Type::Struct, vec![line("a"), line("b")])),
        (-3, Value::Map(Some((Type::I16, Type::Struct)), vec![(Value::I16(1), line("c"))])),
        (30, Value::List(Type::Uuid, Vec::new())),
    ])
}

#[tokio::test]
async fn every_value_comes_back_in_every_dialect() {
    for dialect in Dialect::all() {
        let server = Server::builder("one").speaking(dialect).start().await.unwrap();
        let mut client = Client::connect(server.address(), dialect).await.unwrap();
        let call = Message::call("echo", [everything()]);
        let answer = client.call(call.clone(), SOON).await;
        assert_eq!((answer.outcome, answer.seqid), (Outcome::Value(everything()), Some(1)), "{dialect:?}");
        let mut constant = client.with_constant_seqid(-9);
        assert_eq!(constant.call(Message::call("Shop:whoAmI", []), SOON).await.text(), Some("one"));
        assert_eq!(server.seen()[1].call.message.seqid, -9);
        assert_eq!((server.counts().calls, server.counts().connections), (2, 1));
    }
}

#[tokio::test]
async fn each_way_to_fail_is_told_apart() {
    let refused = Value::Struct(vec![(1, "too much".into())]);
    let server = Server::builder("one")
        .on("declared", Behaviour::Declared(1, refused.clone()))
        .on("internal", Behaviour::Application(6, "broken".into()))
        .on("void", Behaviour::Void)
        .on("close", Behaviour::Close)
        .on("silent", Behaviour::Silent);
    let server = server.start().await.unwrap();
    let mut client = Client::connect(server.address(), Dialect::FRAMED_BINARY).await.unwrap();
    let mut outcome = async |method: &str| client.call(Message::call(method, []), SOON / 100).await.outcome;
    assert_eq!(outcome("declared").await, Outcome::Declared(1, refused));
    assert_eq!(outcome("internal").await, Outcome::Application(6, "broken".into()));
    assert_eq!(outcome("void").await, Outcome::Void);
    assert!(matches!(outcome("close").await, Outcome::Closed(_)));
    let mut client = Client::connect(server.address(), Dialect::FRAMED_BINARY).await.unwrap();
    client.send(Message::call("silent", []).oneway().into()).await.unwrap();
    let mut outcome = async |method: &str| client.call(Message::call(method, []), SOON / 100).await.outcome;
    assert_eq!(outcome("void").await, Outcome::Void, "a oneway call stalls nothing");
    assert_eq!(outcome("silent").await, Outcome::TimedOut);
    assert_eq!(outcome("void").await, Outcome::TimedOut, "one call at a time");
    assert_eq!((server.counts().oneways, server.counts().answered), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn only_a_server_that_was_told_to_answers_out_of_turn() {
    for (at_once, expected) in [(true, [2, 1]), (false, [1, 2])] {
        let slow = Behaviour::After(Duration::from_secs(3), Box::new(Behaviour::Who));
        let builder = Server::builder("one").on("slow", slow);
        let server = if at_once { builder.at_once() } else { builder }.off_network();
        let (here, there) = tokio::io::duplex(1 << 20);
        server.serve(there);
        let mut client = Client::over(here, Dialect::FRAMED_BINARY);
        let begin = Instant::now();
        for method in ["slow", "whoAmI"] {
            client.send(Message::call(method, []).into()).await.unwrap();
        }
        let seqids = [client.next(SOON).await.seqid.unwrap(), client.next(SOON).await.seqid.unwrap()];
        assert_eq!(seqids, expected);
        assert_eq!(begin.elapsed().as_secs(), 3);
    }
}

#[tokio::test]
async fn pairs_of_a_header_reach_the_server() {
    let dialect = Dialect { transport: Transport::Header, encoding: Encoding::Compact };
    let server = Server::builder("one").speaking(dialect).on("headers", Behaviour::Headers);
    let server = server.start().await.unwrap();
    let mut client = Client::connect(server.address(), dialect).await.unwrap();
    let headers = vec![("canary".to_owned(), "true".to_owned()), ("empty".to_owned(), String::new())];
    let call = Envelope { headers, message: Message::call("headers", []) };
    assert_eq!(call.header("canary"), Some("true"));
    let expected = Value::texts([("canary", "true"), ("empty", "")]);
    assert_eq!(client.call(call, SOON).await.outcome, Outcome::Value(expected));
}

#[tokio::test]
async fn what_a_server_does_not_speak_ends_the_connection() {
    let server = Server::builder("one").start().await.unwrap();
    let others = Dialect::all().filter(|dialect| *dialect != Dialect::FRAMED_BINARY);
    let mut malformed = 0;
    for dialect in others.filter(|dialect| dialect.transport != Transport::Buffered) {
        let mut client = Client::connect(server.address(), dialect).await.unwrap();
        let answer = client.call(Message::call("echo", ["x".into()]), SOON).await;
        malformed += 1;
        assert!(matches!(answer.outcome, Outcome::Closed(_)), "{dialect:?}: {answer:?}");
        assert_eq!(server.counts().malformed, malformed);
    }
}

#[tokio::test]
async fn both_echo_servers_satisfy_the_load() {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            for one_by_one in [false, true] {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let served = tokio::task::spawn_local(async move {
                    if one_by_one {
                        echo::serve_one_by_one(listener).await
                    } else {
                        echo::serve(listener).await
                    }
                });
                for load in
                    [EchoLoad::new(100), EchoLoad::new(20_000), EchoLoad::new(30).with_constant_seqid(0)]
                {
                    let running = load::start(Plan::closed(address, 3, 8), load).unwrap();
                    while running.completed() < 500 && running.errors() == 0 {
                        tokio::task::yield_now().await;
                    }
                    let report = running.finish().await;
                    assert_eq!((report.errors, report.closed), (0, 0), "{:?}", report.first_error);
                }
                served.abort();
            }
        })
        .await;
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::I8),
        any::<i16>().prop_map(Value::I16),
        any::<i32>().prop_map(Value::I32),
        any::<i64>().prop_map(Value::I64),
        (-1e300..1e300).prop_map(Value::Double),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Binary),
        any::<[u8; 16]>().prop_map(Value::Uuid),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let fields = proptest::collection::vec((any::<i16>(), inner.clone()), 0..6);
        prop_oneof![
            fields.prop_map(Value::Struct),
            (inner.clone(), 0_usize..20)
                .prop_map(|(value, count)| Value::List(value.kind(), vec![value; count])),
            (inner.clone(), 0_usize..20)
                .prop_map(|(value, count)| Value::Set(value.kind(), vec![value; count])),
            (inner.clone(), inner, 1_usize..4).prop_map(|(key, value, count)| Value::Map(
                Some((key.kind(), value.kind())),
                vec![(key, value); count]
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again_and_no_sooner_than_it_is_whole(
        fields in proptest::collection::vec((any::<i16>(), value()), 0..4),
        seqid in any::<i32>(),
    ) {
        let fields: Fields = fields;
        for dialect in Dialect::all() {
            let message = Message { seqid, fields: fields.clone(), ..Message::call("a:b", []) };
            let mut bytes = BytesMut::new();
            dialect.write(&message.clone().into(), &mut bytes);
            let mut cut = BytesMut::from(&bytes[..bytes.len() - 1]);
            prop_assert_eq!(dialect.cut(&mut cut), Ok(None));
            bytes.extend_from_slice(b"rest");
            prop_assert_eq!(dialect.cut(&mut bytes), Ok(Some(message.into())));
            prop_assert_eq!(&bytes[..], b"rest");
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for dialect in Dialect::all() {
            let mut received = BytesMut::from(&bytes[..]);
            let took = matches!(dialect.cut(&mut received), Ok(Some(_)));
            prop_assert_eq!(received.len() < bytes.len(), took, "only a whole message is taken");
        }
    }
}
