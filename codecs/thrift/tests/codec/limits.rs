//! What is too long, too deep or too much is refused before it is awaited.

use codec_api::{Cause, Codec, Decoded, RequestHead, Side};
use codec_thrift::{DEFAULT_MAX_MESSAGE_BYTES, ThriftCodec};

use crate::proxy::{FORMS, Proxy, codec, decode, settings, vector};
use crate::writer::{Head, Tree, block_frame, frame, message};

const LIMIT: usize = 2048;

fn small(side: Side) -> ThriftCodec {
    ThriftCodec::new(side, settings(&[("maxMessageBytes", "2048")]))
}

fn error(bytes: &[u8]) -> String {
    match codec(Side::Downstream).decode(bytes) {
        Err(error) => error.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_frame_that_is_too_long_is_refused_as_soon_as_its_head_is_there() {
    for form in FORMS.into_iter().filter(|form| !form.starts_with("buffered")) {
        let request = vector("call-large", form);
        // Under zlib this one is small.
        let request = if form.starts_with("zlib") { incompressible(form) } else { request };
        let mut codec = small(Side::Downstream);
        let mut shown = 5;
        let rejected = loop {
            match codec.decode(&request[..shown]) {
                Ok(Decoded::Need { total }) if total > shown => shown = total,
                Ok(Decoded::Reject(rejected)) => break rejected,
                other => panic!("{other:?}"),
            }
            assert!(shown < 700, "{form} awaits {shown} bytes");
        };
        assert_eq!((rejected.skip, rejected.cause), (request.len() as u64, Cause::TooLarge), "{form}");
        assert_eq!(rejected.answer.map(|answer: RequestHead| answer.id), Some(0), "{form}");
        assert!(rejected.text.contains("longer than maxMessageBytes, 2048"), "{}", rejected.text);
    }
}

/// A compressed call of more than the limit; its zlib data is not compressed.
fn incompressible(form: &str) -> Vec<u8> {
    let encoding = form.split_once('-').unwrap().1;
    let body = Tree::Struct(vec![(1, Tree::Text(vec![b'x'; 3000]))]);
    let payload = message(&format!("buffered-{encoding}"), &Head::call("put", 0), &body);
    let length = payload.len() as u16;
    let adler = {
        let (a, b) = payload.iter().fold((1_u32, 0_u32), |(a, b), byte| {
            let a = (a + u32::from(*byte)) % 65_521;
            (a, (b + a) % 65_521)
        });
        b << 16 | a
    };
    let mut stored = vec![0x78, 0x01, 0x01];
    stored.extend(length.to_le_bytes());
    stored.extend((!length).to_le_bytes());
    stored.extend(payload);
    stored.extend(adler.to_be_bytes());
    block_frame(if encoding == "compact" { b"\x02\x01\x01\0" } else { b"\0\x01\x01\0" }, 0, &stored)
}

#[test]
fn a_frame_of_just_the_limit_is_served() {
    for (length, fits) in [(LIMIT - 31, true), (LIMIT - 30, false)] {
        let body = Tree::Struct(vec![(1, Tree::Text(vec![b'x'; length]))]);
        for form in ["framed-strict", "buffered-strict"] {
            let bytes = message(form, &Head::call("put_it_here", 1), &body);
            let is_served = matches!(small(Side::Downstream).decode(&bytes), Ok(Decoded::Message(_)));
            let without_frame = bytes.len() - if form == "framed-strict" { 4 } else { 0 };
            assert_eq!((without_frame <= LIMIT, is_served), (fits, fits), "{form}");
        }
    }
}

#[test]
fn a_oneway_that_is_too_long_is_not_answered() {
    let body = Tree::Struct(vec![(1, Tree::Text(vec![b'x'; 3000]))]);
    let head = Head { kind: 4, name: "note".to_owned(), id: 3 };
    let bytes = message("framed-compact", &head, &body);
    let Ok(Decoded::Reject(rejected)) = small(Side::Downstream).decode(&bytes) else {
        panic!("it is refused")
    };
    assert_eq!(rejected.answer, None);
}

#[test]
fn a_response_that_is_too_long_ends_its_exchange() {
    let body = Tree::Struct(vec![(0, Tree::Text(vec![b'x'; 3000]))]);
    let bytes = message("framed-strict", &Head::reply("put", 9), &body);
    let Ok(Decoded::Reject(rejected)) = small(Side::Upstream).decode(&bytes) else { panic!("it is refused") };
    assert_eq!(rejected.answer.map(|answer| answer.id), Some(9));
}

#[test]
fn an_answer_to_what_is_refused_takes_its_turn() {
    let mut codec = small(Side::Downstream);
    let long = Tree::Struct(vec![(1, Tree::Text(vec![b'x'; 3000]))]);
    let Ok(Decoded::Reject(_)) = codec.decode(&message("framed-strict", &Head::call("long", 1), &long))
    else {
        panic!("it is refused")
    };
    decode(&mut codec, &message("framed-compact", &Head::call("short", 2), &Tree::Struct(vec![])));
    for name in ["long", "short"] {
        let mut out = codec_api::Out::new();
        let reply = codec_api::LocalReply { cause: Cause::TooLarge, text: "" };
        codec.local_reply(RequestHead { id: 1, context: 0 }, reply, &mut out);
        assert!(out.to_vec().windows(name.len()).any(|bytes| bytes == name.as_bytes()), "{name}");
    }
}

#[test]
fn a_buffered_message_that_cannot_fit_is_refused_at_once() {
    assert_eq!(DEFAULT_MAX_MESSAGE_BYTES, 2 * 4_194_304);
    let head = b"\x80\x01\0\x01\0\0\0\x01x\0\0\0\x01";
    let rows: [(&[u8], &str); 6] = [
        // A text, a list of texts, a list of doubles, a map, each longer than any message.
        (b"\x0b\0\x01\x7f\xff\xff\xff", "2147483647 values"),
        (b"\x0f\0\x01\x0b\x00\x40\x00\x00", "4194304 values of at least 4 bytes"),
        (b"\x0f\0\x01\x04\x00\x20\x00\x00", "2097152 values of at least 8 bytes"),
        (b"\x0d\0\x01\x0b\x0c\x00\x40\x00\x00", "4194304 values of at least 5 bytes"),
        (b"\x0b\0\x01\xff\xff\xff\xff", "negative: -1"),
        (b"\x05\0\x01", "type 5"),
    ];
    for (body, words) in rows {
        let text = error(&[&head[..], body].concat());
        assert!(text.contains(words), "{text}");
    }
    // A list of 2^28 texts in eleven bytes.
    let text = error(b"\x82\x21\0\x01x\x19\xf8\x80\x80\x80\x80\x01");
    assert!(text.contains("268435456 values of at least 1 bytes"), "{text}");
}

#[test]
fn a_message_in_small_parts_ends_at_the_limit() {
    let body = Tree::Struct((0..900).map(|id| (id, Tree::I8(1))).collect());
    let bytes = message("buffered-strict", &Head::call("put", 1), &body);
    let mut codec = small(Side::Downstream);
    let mut shown = 5;
    loop {
        match codec.decode(&bytes[..shown]) {
            Ok(Decoded::Need { total }) => shown = total,
            Err(error) => {
                assert!(error.reason.contains("longer than 2048 bytes"), "{error}");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(shown <= LIMIT + 4, "{shown} bytes were awaited");
}

#[test]
fn structs_may_be_open_64_deep() {
    for (encoding, other) in [("strict", "compact"), ("compact", "binary")] {
        for (depth, fits) in [(63, true), (64, false)] {
            let nested = (0..depth).fold(Tree::Struct(vec![]), |inner, _| Tree::Struct(vec![(1, inner)]));
            let bytes = message(&format!("buffered-{encoding}"), &Head::call("deep", 1), &nested);
            let decoded = codec(Side::Downstream).decode(&bytes);
            assert_eq!(matches!(decoded, Ok(Decoded::Message(_))), fits, "{encoding}, {depth}");
            if let Err(error) = decoded {
                assert!(error.reason.contains("more than 64 structs and containers are open"), "{error}");
            }
            // A frame is not looked into, until it has to be.
            assert!(Proxy::new(1, &[]).up_with(&frame(&bytes), &[]).is_ok());
            for options in [("transport", "buffered"), ("protocol", other)] {
                let sent = Proxy::new(1, &[options]).up_with(&frame(&bytes), &[]);
                assert_eq!(sent.is_ok(), fits, "{encoding}, {depth}, {options:?}");
            }
        }
    }
}

#[test]
fn a_bomb_is_refused_and_costs_no_more_than_the_limit() {
    // 32 MiB of zeros behind a head, in 32 KiB.
    let mut payload = message("buffered-strict", &Head::call("boom", 1), &Tree::Struct(vec![]));
    payload.resize(32 << 20, 0);
    let deflated = miniz_oxide::deflate::compress_to_vec_zlib(&payload, 9);
    let request = block_frame(b"\0\x01\x01\0", 1, &deflated);
    assert!(request.len() < 64 << 10);
    let mut proxy = Proxy::new(1, &[("transport", "framed")]);
    let refusal = proxy.up_with(&request, &[]).unwrap_err();
    assert_eq!(refusal.cause, Cause::TooLarge);
}

#[test]
fn names_have_a_limit() {
    for (length, fits) in [(1024, true), (1025, false)] {
        for form in
            ["framed-strict", "framed-lenient", "framed-compact", "buffered-strict", "buffered-compact"]
        {
            let bytes = message(form, &Head::call(&"n".repeat(length), 1), &Tree::Struct(vec![]));
            let is_served = matches!(codec(Side::Downstream).decode(&bytes), Ok(Decoded::Message(_)));
            assert_eq!(is_served, fits, "{form}");
        }
    }
    assert!(
        error(&message("framed-strict", &Head::call(&"n".repeat(1025), 1), &Tree::Struct(vec![])))
            .contains("1025")
    );
}

#[test]
fn frames_of_a_gibibyte_are_garbage() {
    let text = error(b"\x40\0\0\0\x80\x01\0\x01");
    assert!(text.contains("not Thrift"), "{text}");
}
