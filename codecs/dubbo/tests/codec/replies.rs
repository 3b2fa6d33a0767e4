//! What the codec says in its own name: local replies, heartbeats, notices.

use codec_api::{Cause, Codec, Kind, LocalReply, Out, Outgoing, Raw, Side, Status};

use crate::conversation::{codec, decode, response};
use crate::jsonb::{self, Json, element, leaf};
use crate::writer::{Call, Length, List, Tree, Writer, frame, text};

fn reply(serialization: u8, cause: Cause, words: &str) -> Vec<u8> {
    let call = Call { serialization, ..Call::new(vec![], vec![]) }.frame();
    let message = decode(Side::Downstream, &call);
    let mut out = Out::new();
    let reply = LocalReply { cause, text: words };
    codec(Side::Downstream).local_reply(message.request_head(), reply, &mut out);
    out.to_vec()
}

/// An `RpcException` result, as a provider would write it.
fn exception(code: i32, words: &str) -> Vec<u8> {
    exception_of("org.apache.dubbo.rpc.RpcException", code, words)
}

fn exception_of(class: &str, code: i32, words: &str) -> Vec<u8> {
    let stack = Tree::List(List::Counted(Some("[java.lang.StackTraceElement".into()), Length::Short), vec![]);
    let fields = [
        ("code", Tree::Int(code, Length::Short)),
        ("detailMessage", text(words)),
        ("suppressedExceptions", Tree::Null),
        ("cause", Tree::Null),
        ("stackTrace", stack),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let mut writer = Writer::default();
    writer.tree(&Tree::Int(0, Length::Short));
    writer.tree(&Tree::Object(class.into(), fields, Length::Short));
    writer.bytes
}

fn written(tree: &Tree) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.tree(tree);
    writer.bytes
}

#[test]
fn each_cause_has_its_reply() {
    let words = "no route matches; größer 😀";
    for cause in Cause::ALL {
        let (status, body) = match cause {
            Cause::Timeout => (31, written(&text(words))),
            Cause::ConnectFailure => (35, written(&text(words))),
            Cause::BadMessage => (40, written(&text(words))),
            Cause::ConnectionLost => (50, written(&text(words))),
            Cause::NoRoute => (60, written(&text(words))),
            Cause::NoEndpoint => (70, written(&text(words))),
            Cause::Misconfigured => (80, written(&text(words))),
            Cause::TooLarge => (90, written(&text(words))),
            Cause::Overload | Cause::RateLimited => (20, exception(7, words)),
            Cause::Denied => (20, exception(4, words)),
            Cause::Unsupported | Cause::Scattered => (20, exception(0, words)),
        };
        let expected = frame(0x02, status, 0x1122_3344_5566_7788, &body);
        assert_eq!(reply(2, cause, words), expected, "{cause:?}");
        let seen = response(&expected, 0x1122_3344_5566_7788).status;
        assert_eq!(
            seen,
            if status == 20 { Status::ApplicationError } else { Status::ServerError },
            "{cause:?}"
        );
    }
}

#[test]
fn a_request_in_another_serialization_is_answered_in_hessian2_with_a_status() {
    for serialization in [0, 1, 3, 8, 22, 31] {
        for cause in Cause::ALL {
            let in_hessian2 = reply(2, cause, "no");
            let bytes = reply(serialization, cause, "no");
            if in_hessian2[3] == 20 {
                assert_eq!(bytes, frame(0x02, 100, 0x1122_3344_5566_7788, b"\x02no"), "{cause:?}");
            } else {
                assert_eq!(bytes, in_hessian2, "{cause:?}");
            }
            response(&bytes, 0x1122_3344_5566_7788);
        }
    }
}

/// An `RpcException` in JSONB, its fields named and numbered as fastjson2 does it.
fn jsonb_exception(code: i32, words: &str) -> Vec<u8> {
    let name = |number: u8, name: &str| leaf(&[&[0x7f][..], &jsonb::text(name).bytes(), &[number]].concat());
    let fields = Json::Map(vec![
        (name(1, "code"), Json::Int(code)),
        (name(2, "detailMessage"), jsonb::text(words)),
        (name(3, "stackTrace"), Json::Array(vec![])),
    ]);
    let exception = Json::Typed("org.apache.dubbo.rpc.RpcException".into(), 0, Box::new(fields));
    [element(&leaf(&[0xbd, 0])), element(&exception)].concat()
}

#[test]
fn a_request_in_fastjson2_is_answered_in_fastjson2() {
    for words in ["no route matches", "größer 😀", &"x".repeat(3000)] {
        for cause in Cause::ALL {
            let status = reply(2, cause, words)[3];
            let body = match cause {
                Cause::Overload | Cause::RateLimited => jsonb_exception(7, words),
                Cause::Denied => jsonb_exception(4, words),
                Cause::Unsupported | Cause::Scattered => jsonb_exception(0, words),
                _ => element(&jsonb::text(words)),
            };
            let call = jsonb::Call::new(vec![], vec![]).frame();
            let head = decode(Side::Downstream, &call).request_head();
            let mut out = Out::new();
            codec(Side::Downstream).local_reply(head, LocalReply { cause, text: words }, &mut out);
            assert_eq!(out.to_vec(), frame(0x17, status, 7, &body), "{cause:?}");
            let seen = response(&out.to_vec(), 7).status;
            assert_eq!(seen, if status == 20 { Status::ApplicationError } else { Status::ServerError });
        }
    }
}

#[test]
fn a_long_text_is_cut_but_still_a_text() {
    for words in ["", "x", &"x".repeat(31), &"x".repeat(1023), &"x".repeat(4096)] {
        assert_eq!(reply(2, Cause::NoRoute, words)[16..], written(&text(words)));
    }
    let cut = reply(2, Cause::NoRoute, &"😀".repeat(1 << 20));
    assert_eq!(cut[16..], written(&text(&"😀".repeat(2048))));
}

#[test]
fn a_heartbeat_is_answered_in_its_own_words() {
    let rows: [(u8, &[u8], &[u8]); 5] = [
        (2, b"N", b"N"),
        (2, b"", b"N"),
        (23, b"\0\0\0\x01\xaf", b"\0\0\0\x01\xaf"),
        (8, b"\0", b"\0"),
        (22, b"", b""),
    ];
    for (serialization, asked, answered) in rows {
        let ping = frame(0xe0 | serialization, 0, 77, asked);
        let message = decode(Side::Downstream, &ping);
        assert_eq!(message.kind, Kind::Ping);
        let mut out = Out::new();
        let outgoing = Outgoing { message: &message, bytes: Raw::Slice(&ping), id: message.id };
        codec(Side::Downstream).pong(&outgoing, &mut out);
        assert_eq!(out.to_vec(), frame(0x20 | serialization, 20, 77, answered));
        assert_eq!(decode(Side::Upstream, &out.to_vec()).kind, Kind::Pong);
    }
}

#[test]
fn the_codec_asks_and_takes_its_leave() {
    let mut out = Out::new();
    codec(Side::Upstream).ping(u64::MAX, &mut out);
    assert_eq!(out.to_vec(), frame(0xe2, 0, u64::MAX, b"N"));
    let asked = decode(Side::Downstream, &out.to_vec());
    assert_eq!((asked.kind, asked.id), (Kind::Ping, u64::MAX));

    let mut out = Out::new();
    codec(Side::Downstream).going_away(&mut out);
    assert_eq!(out.to_vec(), frame(0xa2, 0, 0, b"\x01R"));
    assert_eq!(decode(Side::Upstream, &out.to_vec()).kind, Kind::GoingAway);
}

#[test]
fn a_reply_is_written_whatever_head_it_is_given() {
    // Heads come from the framework; one that no request had must not break anything.
    for context in [0, u64::MAX, 1 << 32] {
        let mut out = Out::new();
        let head = codec_api::RequestHead { id: 3, context };
        codec(Side::Downstream).local_reply(head, LocalReply { cause: Cause::Denied, text: "no" }, &mut out);
        response(&out.to_vec(), 3);
    }
}

#[test]
fn each_consumer_is_sent_an_exception_of_a_class_that_it_has() {
    let rows = [
        (&include_bytes!("../../vectors/request-no-arguments.bin")[..], "org.apache"),
        (include_bytes!("../../vectors/request-2.7-consumer-pojo.bin"), "org.apache"),
        (include_bytes!("../../vectors/request-2.6-consumer-no-arguments.bin"), "com.alibaba"),
        (include_bytes!("../../vectors/request-go-no-arguments.bin"), "com.alibaba"),
    ];
    for (call, packages) in rows {
        let mut codec = codec(Side::Downstream);
        let decoded = codec.decode(call);
        let Ok(codec_api::Decoded::Message(message)) = decoded else { panic!("{decoded:?}") };
        let mut out = Out::new();
        let refusal = LocalReply { cause: Cause::Overload, text: "too many" };
        codec.local_reply(message.request_head(), refusal, &mut out);
        let class = format!("{packages}.dubbo.rpc.RpcException");
        assert_eq!(out.to_vec(), frame(0x02, 20, message.id, &exception_of(&class, 7, "too many")));
    }
}

#[test]
fn the_first_call_on_a_connection_says_whose_classes_its_consumer_has() {
    let old = include_bytes!("../../vectors/request-2.6-consumer-no-arguments.bin");
    let new = include_bytes!("../../vectors/request-no-arguments.bin");
    let mut codec = codec(Side::Downstream);
    for call in [&old[..], new] {
        let Ok(codec_api::Decoded::Message(message)) = codec.decode(call) else { panic!("{call:02x?}") };
        let mut out = Out::new();
        let refusal = LocalReply { cause: Cause::Denied, text: "no" };
        codec.local_reply(message.request_head(), refusal, &mut out);
        let expected = exception_of("com.alibaba.dubbo.rpc.RpcException", 4, "no");
        assert_eq!(out.to_vec(), frame(0x02, 20, message.id, &expected));
    }
}
