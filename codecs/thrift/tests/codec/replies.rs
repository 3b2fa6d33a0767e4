//! What a client sees when the proxy answers in an endpoint's place.

use codec_api::{Cause, Codec, Decoded, Kind, LocalReply, Out, Side, Status};

use crate::proxy::{FORMS, Proxy, TEXT, codec, decode, recorded, vector};
use crate::writer::{Head, Tree, block_frame, header_frame, message};

/// An exception with this type and text, as the writer of the tests has it.
fn exception(form: &str, name: &str, id: u32, (kind, text): (i32, &str)) -> Vec<u8> {
    let head = Head { kind: 3, name: name.to_owned(), id };
    let body = Tree::Struct(vec![(1, Tree::Text(text.into())), (2, Tree::I32(kind))]);
    let (transport, encoding) = form.split_once('-').unwrap();
    match transport {
        "framed" | "buffered" => message(form, &head, &body),
        _ => header_frame(encoding, id, &message(&format!("buffered-{encoding}"), &head, &body)),
    }
}

const TYPES: [(Cause, i32, &str); 13] = [
    (Cause::NoRoute, 1, "no route"),
    (Cause::Misconfigured, 6, "misconfigured"),
    (Cause::NoEndpoint, 6, "no endpoint"),
    (Cause::ConnectFailure, 6, "connect failure"),
    (Cause::ConnectionLost, 6, "connection lost"),
    (Cause::Timeout, 12, "timeout"),
    (Cause::Overload, 11, "overload"),
    (Cause::RateLimited, 11, "rate limited"),
    (Cause::Denied, 0, "denied"),
    (Cause::TooLarge, 7, "too large"),
    (Cause::BadMessage, 7, "bad message"),
    (Cause::Unsupported, 10, "unsupported"),
    (Cause::Scattered, 10, "scattered"),
];

#[test]
fn every_cause_has_a_type_and_words_of_its_own() {
    assert_eq!(TYPES.map(|(cause, ..)| cause), Cause::ALL);
    let mut words = TYPES.map(|(_, _, word)| word);
    words.sort_unstable();
    assert!(words.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn a_reply_is_an_exception_in_the_form_of_the_request_with_its_method_and_id() {
    let messages = recorded();
    for form in FORMS {
        for (cause, kind, word) in TYPES {
            for (call, method) in
                [("call", "add"), ("call-multiplexed", "add"), ("call-everything", "everything")]
            {
                let request = &messages[&format!("{call}.{form}")];
                let id = decode(&mut codec(Side::Downstream), request).id;
                let mut proxy = Proxy::new(9, &[]);
                proxy.up(request);
                let reply = proxy.answer(9, cause);
                let expected = exception(form, method, id as u32, (kind, &format!("{word}: {TEXT}")));
                assert_eq!(reply, expected, "{form}, {cause:?}, {call}");
                let message = decode(&mut codec(Side::Upstream), &reply);
                let status = if word == "overload" || word == "rate limited" {
                    Status::Overloaded
                } else {
                    Status::ServerError
                };
                assert_eq!((message.kind, message.id, message.status), (Kind::Response, id, status));
            }
        }
    }
}

#[test]
fn names_stay_with_their_requests_when_responses_and_replies_alternate() {
    let body = Tree::Struct(vec![]);
    let mut proxy = Proxy::new(20, &[]);
    for (place, method) in ["a", "bb", "ccc", "dddd"].into_iter().enumerate() {
        let form = ["framed-strict", "buffered-compact", "framed-lenient", "framed-compact"][place];
        proxy.up(&message(form, &Head::call(method, 5), &body));
    }
    assert_eq!(
        proxy.answer(20, Cause::Timeout),
        exception("framed-strict", "a", 5, (12, "timeout: so it is"))
    );
    let response = message("buffered-compact", &Head::reply("bb", 21), &body);
    assert_eq!(proxy.down(&response), message("buffered-compact", &Head::reply("bb", 5), &body));
    let reply = proxy.answer(22, Cause::Denied);
    assert_eq!(reply, exception("framed-lenient", "ccc", 5, (0, "denied: so it is")));
    let reply = proxy.answer(23, Cause::NoRoute);
    assert_eq!(reply, exception("framed-compact", "dddd", 5, (1, "no route: so it is")));
}

#[test]
fn a_oneway_takes_no_turn() {
    let mut proxy = Proxy::new(1, &[]);
    proxy.up(&vector("oneway", "framed-strict"));
    proxy.up(&vector("call", "framed-strict"));
    let reply = proxy.answer(2, Cause::NoEndpoint);
    assert_eq!(reply, exception("framed-strict", "add", 1, (6, "no endpoint: so it is")));
}

#[test]
fn a_client_with_two_ids_is_answered_with_both() {
    let body = Tree::Struct(vec![]);
    let request = header_frame("strict", 5, &message("buffered-strict", &Head::call("add", 99), &body));
    let mut proxy = Proxy::new(1, &[]);
    proxy.up(&request);
    let text = Tree::Text(b"timeout: so it is".to_vec());
    let body = Tree::Struct(vec![(1, text), (2, Tree::I32(12))]);
    let head = Head { kind: 3, name: "add".to_owned(), id: 99 };
    assert_eq!(
        proxy.answer(1, Cause::Timeout),
        header_frame("strict", 5, &message("buffered-strict", &head, &body))
    );
}

/// The answer to a message that is refused when it is decoded.
fn refused(bytes: &[u8]) -> (Cause, String, Vec<u8>) {
    let mut codec = codec(Side::Downstream);
    let Ok(Decoded::Reject(rejected)) = codec.decode(bytes) else { panic!("it is not refused") };
    assert_eq!(rejected.skip, bytes.len() as u64);
    let mut out = Out::new();
    let reply = LocalReply { cause: rejected.cause, text: &rejected.text };
    codec.local_reply(rejected.answer.unwrap(), reply, &mut out);
    (rejected.cause, rejected.text, out.to_vec())
}

#[test]
fn what_a_theader_asks_for_in_vain_is_named() {
    let payload = message("buffered-compact", &Head::call("add", 7), &Tree::Struct(vec![]));
    let rows: [(&[u8], i32, Cause, &str); 6] = [
        (b"\x02\x01\x05\0", 8, Cause::Unsupported, "transform 5 is not served"),
        (b"\x02\x02\x01\x01", 8, Cause::Unsupported, "transform 1 is not served; 1, zlib, is, once"),
        (b"\x01\0\0\0", 9, Cause::Unsupported, "protocol 1 is not served"),
        (b"\0\0\0\0", 7, Cause::BadMessage, "another protocol than its THeader says"),
        (b"\x02\x01\x01\0", 7, Cause::BadMessage, "not zlib data"),
        (b"\xff\xff\xff\xff", 7, Cause::BadMessage, "ends before byte 19"),
    ];
    for (block, kind, cause, words) in rows {
        let bytes = block_frame(block, 7, &payload);
        let (said, text, reply) = refused(&bytes);
        assert_eq!(said, cause);
        assert!(text.contains(words), "{text}");
        let form = if block[0] == 2 { "header-compact" } else { "header-strict" };
        let word = if cause == Cause::Unsupported { "unsupported" } else { "bad message" };
        assert_eq!(reply, exception(form, "", 7, (kind, &format!("{word}: {text}"))));
    }
}

#[test]
fn a_theader_longer_than_its_frame_is_refused() {
    let mut bytes = header_frame("strict", 7, b"");
    bytes[13] = 200;
    let (cause, text, _) = refused(&bytes);
    assert_eq!(cause, Cause::BadMessage);
    assert!(text.contains("it is to end at byte 814 and its frame ends at byte 18"), "{text}");
}
