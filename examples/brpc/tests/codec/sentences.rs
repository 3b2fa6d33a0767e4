//! What the codec does with single messages.

#![allow(clippy::unwrap_used, clippy::panic, reason = "functions of tests, which may fail")]

use codec_api::{
    Attribute, Cause, Codec, Decoded, Edit, Edited, Edits, Found, Kind, LocalReply, Message, Options, Out,
    Outgoing, Protocol, Raw, RequestHead, Side, Span, Status,
};
use codec_brpc::{Brpc, DEFAULT_MAX_MESSAGE_BYTES, error_code};
use proptest::prelude::*;

use crate::laws::{field, message, vector};

fn codec(side: Side) -> Box<dyn Codec> {
    Brpc.configure(side, &Options::default()).unwrap().codec()
}

fn decoded(side: Side, bytes: &[u8]) -> Message {
    match codec(side).decode(bytes) {
        Ok(Decoded::Message(message)) if message.len == bytes.len() => message,
        other => panic!("{other:?} of {bytes:02x?}"),
    }
}

fn attribute(bytes: &[u8], name: &str) -> Option<String> {
    let wanted = [Attribute::new(Brpc.properties(), name)];
    let (message, mut found) = (decoded(Side::Downstream, bytes), Found::default());
    found.reset(1);
    codec(Side::Downstream).attributes(&message, bytes, &wanted, &mut found);
    found.get(0, &wanted[0], &message, bytes).map(|value| String::from_utf8(value.to_vec()).unwrap())
}

fn written(side: Side, bytes: &[u8], id: u64, edits: &[Edit<'_>]) -> Vec<u8> {
    let (message, mut out) = (decoded(side, bytes), Out::new());
    let outgoing = Outgoing { message: &message, bytes: Raw::Slice(bytes), id };
    assert_eq!(codec(side).write(&outgoing, edits, &mut out), Ok(Edited::Done));
    out.to_vec()
}

/// A request with this behind what every request has, and the payload `payload`.
fn request(more: &[u8]) -> Vec<u8> {
    let names = [field(0x0a, b"shop.Orders"), field(0x12, b"Place")].concat();
    message(&[&field(0x0a, &names), more].concat(), b"payload")
}

fn edit<'a>(name: &'a str, value: &'a str) -> Edit<'a> {
    Edit { name, value }
}

#[test]
fn routes_see_the_head_and_what_brpc_java_attaches() {
    let bytes = vector("request-fields");
    let rows = [
        ("service", Some("example.Greeter")),
        ("METHOD", Some("Greet")),
        ("log_id", Some("7")),
        ("tier", Some("batch")),
        ("X", Some("y")),
        ("request_id", None),
        ("region", None),
    ];
    for (name, value) in rows {
        assert_eq!(attribute(&bytes, name).as_deref(), value, "{name}");
    }
    assert_eq!(
        decoded(Side::Downstream, &bytes).head[3],
        Span::LATE,
        "a number is text only where it is wanted"
    );
}

#[test]
fn routes_see_the_user_fields_and_the_request_id_of_brpc() {
    let entry = |value: &[u8]| field(0x4a, &[field(0x0a, b"tier"), field(0x12, value)].concat());
    let id = field(0x0a, &field(0x3a, b"a request id"));
    let bytes = request(&[id, entry(b"first"), entry(b"last")].concat());
    assert_eq!(attribute(&bytes, "service").as_deref(), Some("shop.Orders"), "parts of a message are merged");
    assert_eq!(attribute(&bytes, "request_id").as_deref(), Some("a request id"));
    assert_eq!(attribute(&bytes, "tier").as_deref(), Some("last"), "as a server sees it");
    let negative = request(&field(0x0a, b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    assert_eq!(attribute(&negative, "log_id").as_deref(), Some("-1"));
}

#[test]
fn an_edit_goes_where_the_request_has_its_fields() {
    let java =
        written(Side::Upstream, &vector("request-fields"), 9, &[edit("Tier", "gold"), edit("zone", "z")]);
    assert_eq!(attribute(&java, "tier").as_deref(), Some("gold"));
    assert_eq!(attribute(&java, "zone").as_deref(), Some("z"));
    assert_eq!(attribute(&java, "x").as_deref(), Some("y"), "others stay");
    let added = [field(0x0a, b"zone"), field(0x12, b"z")].concat();
    let is_in = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(is_in(&java, &field(0x3a, &added)));
    let brpc = written(Side::Upstream, &request(b""), 9, &[edit("zone", "z")]);
    assert!(is_in(&brpc, &field(0x4a, &added)));
    assert!(brpc.ends_with(b"payload") && java.ends_with(b"\x0a\x03Bob"));
}

#[test]
fn every_message_has_a_place_for_edits() {
    for side in [Side::Downstream, Side::Upstream] {
        let factory = Brpc.configure(side, &Options::default()).unwrap();
        assert_eq!(factory.conduct().edits, Edits::Always, "{side:?}");
    }
    let response = written(Side::Upstream, &vector("response-greet"), 5, &[edit("served-by", "v1")]);
    let message = decoded(Side::Upstream, &response);
    assert_eq!((message.id, message.status), (5, Status::Ok));
}

#[test]
fn unknown_fields_stay_as_they_are() {
    let unknown =
        [&field(0x7a, b"fifteen")[..], b"\xf8\x01\x05", b"\xf9\x01abcdefgh", b"\xfd\x01wxyz"].concat();
    let bytes = request(&[&unknown[..], b"\x20\x03", &unknown].concat());
    assert_eq!(written(Side::Upstream, &bytes, 3, &[]), bytes);
    let renumbered = written(Side::Upstream, &bytes, 1 << 40, &[]);
    assert_eq!(renumbered, request(&[&unknown[..], b"\x20\x80\x80\x80\x80\x80\x20", &unknown].concat()));
}

#[test]
fn a_message_without_an_id_gets_one() {
    let bytes = request(b"");
    assert_eq!(decoded(Side::Downstream, &bytes).id, 0);
    let numbered = written(Side::Upstream, &bytes, 300, &[]);
    assert_eq!(numbered, request(b"\x20\xac\x02"));
    assert_eq!(decoded(Side::Downstream, &numbered).id, 300);
}

proptest! {
    #[test]
    fn ids_of_every_width_replace_each_other(first: u64, second: u64) {
        let bytes = written(Side::Upstream, &request(&[&b"\x20\x01"[..], &field(0x7a, b"behind")].concat()), first, &[]);
        prop_assert_eq!(decoded(Side::Downstream, &bytes).id, first);
        let other = written(Side::Upstream, &bytes, second, &[]);
        prop_assert_eq!(decoded(Side::Downstream, &other).id, second);
        prop_assert_eq!(written(Side::Upstream, &other, first, &[]), bytes);
    }
}

#[test]
fn error_codes_have_their_status() {
    let rows: [(&[u8], Status); 9] = [
        (b"\x08\x00", Status::Ok),
        (b"", Status::Ok),
        (b"\x08\x05", Status::ApplicationError),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Status::ApplicationError),
        (b"\x08\xe9\x07", Status::ServerError),
        (b"\x08\xd1\x0f", Status::ServerError),
        (b"\x08\x70", Status::ServerError),
        (b"\x08\xd4\x0f", Status::Overloaded),
        (b"\x08\xf3\x07", Status::Overloaded),
    ];
    for (response, status) in rows {
        let bytes = message(&field(0x12, response), b"");
        assert_eq!(decoded(Side::Upstream, &bytes).status, status, "{response:02x?}");
    }
}

#[test]
fn each_local_reply_has_a_code_of_its_own_and_its_text() {
    let mut codes: Vec<_> = Cause::ALL.into_iter().map(error_code).collect();
    for cause in Cause::ALL {
        let (mut out, text) = (Out::new(), "größer, als es sein darf");
        codec(Side::Downstream).local_reply(
            RequestHead { id: 77, context: 0 },
            LocalReply { cause, text },
            &mut out,
        );
        let message = decoded(Side::Upstream, &out.to_vec());
        assert_eq!((message.kind, message.id), (Kind::Response, 77));
        assert!(!matches!(message.status, Status::Ok), "{cause:?}");
        assert!(out.to_vec().windows(text.len()).any(|window| window == text.as_bytes()));
    }
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Cause::ALL.len());
}

#[test]
fn too_long_a_message_is_refused_as_soon_as_its_id_is_there() {
    let mut bytes = request(b"\x20\x2a");
    let meta = bytes.len() - b"payload".len();
    let body = (DEFAULT_MAX_MESSAGE_BYTES + 1) as u32;
    bytes[4..8].copy_from_slice(&body.to_be_bytes());
    let mut client = codec(Side::Downstream);
    assert_eq!(client.decode(&bytes[..20]), Ok(Decoded::need(meta)));
    let Ok(Decoded::Reject(rejected)) = client.decode(&bytes[..meta]) else { panic!("it is refused") };
    assert_eq!((rejected.skip, rejected.cause), (12 + u64::from(body), Cause::TooLarge));
    assert_eq!(rejected.answer.map(|head| head.id), Some(42));
    assert!(rejected.text.contains("maxMessageBytes, 8388608"), "{}", rejected.text);
}

#[test]
fn streams_and_chunks_are_refused_and_answered() {
    for tag in [0x32, 0x42] {
        let bytes = request(&[&field(tag, b"\x08\x01")[..], b"\x20\x05"].concat());
        let Ok(Decoded::Reject(rejected)) = codec(Side::Downstream).decode(&bytes) else { panic!("{tag}") };
        assert_eq!((rejected.cause, rejected.answer.map(|head| head.id)), (Cause::Unsupported, Some(5)));
    }
}

#[test]
fn what_is_not_brpc_is_called_so() {
    let too_long = message(b"", b"").into_iter().chain([0; 4]).collect::<Vec<_>>();
    let rows: [(&[u8], &str); 4] = [
        (b"GET / HTTP/1.1\r\n", "not bRPC"),
        (b"PR0C", "not with PRPC"),
        (b"PRPC\0\0\0\x04\0\0\0\x05", "of which the meta takes 5"),
        (b"PRPC\0\0\0\x02\0\0\0\x02\x0b\x00", "no protocol buffer"),
    ];
    for (bytes, words) in rows {
        let error = codec(Side::Downstream).decode(bytes).unwrap_err();
        assert!(error.reason.contains(words), "{error}");
    }
    assert!(
        matches!(codec(Side::Downstream).decode(&too_long), Ok(Decoded::Reject(_))),
        "nothing is asked for"
    );
}

#[test]
fn mistakes_in_options_are_all_told() {
    use codec_api::OptionValue;
    let options = [("maxMessageBytes", OptionValue::Integer(5)), ("colour", OptionValue::Null)];
    let options = Options(options.map(|(name, value)| (name.to_owned(), value)).into());
    let errors = Brpc.configure(Side::Upstream, &options).err().unwrap();
    let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["colour", "maxMessageBytes"]);
}
