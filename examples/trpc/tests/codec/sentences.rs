//! What the codec does with single frames.

#![allow(clippy::unwrap_used, clippy::panic, reason = "functions of tests, which may fail")]

use codec_api::{
    Attribute, Cause, Codec, Decoded, Edit, Edited, Edits, Found, Kind, LocalReply, Message, Options, Out,
    Outgoing, Protocol, Raw, Refusal, Rejected, Side, Status,
};
use codec_trpc::{DEFAULT_MAX_MESSAGE_BYTES, Trpc, ret};
use proptest::prelude::*;

use crate::laws::{field, frame, vector};

fn codec(side: Side) -> Box<dyn Codec> {
    Trpc.configure(side, &Options::default()).unwrap().codec()
}

fn decoded(side: Side, bytes: &[u8]) -> Message {
    match codec(side).decode(bytes) {
        Ok(Decoded::Message(message)) if message.len == bytes.len() => message,
        other => panic!("{other:?} of {bytes:02x?}"),
    }
}

fn rejected(side: Side, bytes: &[u8]) -> Rejected {
    match codec(side).decode(bytes) {
        Ok(Decoded::Reject(rejected)) => rejected,
        other => panic!("{other:?} of {bytes:02x?}"),
    }
}

fn attribute(side: Side, bytes: &[u8], name: &str) -> Option<String> {
    let wanted = [Attribute::new(Trpc.properties(), name)];
    let (message, mut found) = (decoded(side, bytes), Found::default());
    found.reset(1);
    codec(side).attributes(&message, bytes, &wanted, &mut found);
    found.get(0, &wanted[0], &message, bytes).map(|value| String::from_utf8(value.to_vec()).unwrap())
}

/// What the other side's codec writes.
fn written(from: Side, bytes: &[u8], id: u64, edits: &[Edit<'_>]) -> Result<Vec<u8>, Refusal> {
    let (message, mut out) = (decoded(from, bytes), Out::new());
    let outgoing = Outgoing { message: &message, bytes: Raw::Slice(bytes), id };
    let edited = codec(from).write(&outgoing, edits, &mut out)?;
    assert_eq!(edited, Edited::Done);
    Ok(out.to_vec())
}

#[test]
fn routes_see_who_calls_what_and_what_is_transmitted() {
    let bytes = vector("request-keys");
    let rows = [
        ("caller", Some("trpc.example.client.Caller")),
        ("Callee", Some("trpc.example.greeter.Greeter")),
        ("func", Some("/example.Greeter/Greet")),
        ("tier", Some("batch")),
        ("X", Some("y")),
        ("region", None),
    ];
    for (name, value) in rows {
        assert_eq!(attribute(Side::Downstream, &bytes, name).as_deref(), value, "{name}");
    }
    assert_eq!(attribute(Side::Upstream, &vector("response-keys"), "tier").as_deref(), Some("batch"));
}

#[test]
fn an_edit_replaces_what_has_its_name_and_leaves_the_rest() {
    let edits = [Edit { name: "Tier", value: "gold" }, Edit { name: "zone", value: "z" }];
    for (side, name) in [(Side::Downstream, "request-keys"), (Side::Upstream, "response-keys")] {
        assert_eq!(Trpc.configure(side, &Options::default()).unwrap().conduct().edits, Edits::Always);
        let bytes = written(side, &vector(name), 300, &edits).unwrap();
        let see = |name| attribute(side, &bytes, name);
        assert_eq!([see("tier"), see("zone"), see("x")].map(Option::unwrap), ["gold", "z", "y"]);
        assert!(!bytes.windows(5).any(|window| window == b"batch" && side == Side::Downstream), "it is gone");
        assert_eq!(written(side, &bytes, 300, &edits).unwrap(), bytes, "again changes nothing");
    }
}

#[test]
fn what_makes_a_head_too_long_is_refused_and_nothing_is_written() {
    let bytes = vector("request-greet");
    let value = "v".repeat(65_500);
    let edits = [Edit { name: "key", value: &value }];
    let refusal = written(Side::Downstream, &bytes, 1, &edits).unwrap_err();
    assert_eq!(refusal.cause, Cause::TooLarge);
    assert!(refusal.text.contains("may have 65535"), "{}", refusal.text);
}

#[test]
fn the_stream_id_follows_the_request_id_where_it_repeats_it() {
    let follows = frame(0, 0, 7, b"\x18\x07\xf8\x01\x05", b"body");
    let expected = frame(0, 0, 300, b"\x18\xac\x02\xf8\x01\x05", b"body");
    assert_eq!(written(Side::Downstream, &follows, 300, &[]).unwrap(), expected);
    let differs = frame(0, 0, 9, b"\x18\x07", b"body");
    assert_eq!(
        written(Side::Downstream, &differs, 300, &[]).unwrap(),
        frame(0, 0, 9, b"\x18\xac\x02", b"body")
    );
    let has_none = frame(0, 0, 9, b"", b"body");
    let numbered = written(Side::Upstream, &has_none, 5, &[]).unwrap();
    assert_eq!(numbered, frame(0, 0, 9, b"\x18\x05", b"body"));
    assert_eq!(written(Side::Upstream, &numbered, 0, &[]).unwrap(), has_none, "0 is not written");
}

proptest! {
    #[test]
    fn ids_of_every_width_replace_each_other(first: u32, second: u32) {
        let (first, second) = (u64::from(first), u64::from(second));
        let bytes = written(Side::Downstream, &vector("request-keys"), first, &[]).unwrap();
        prop_assert_eq!(decoded(Side::Downstream, &bytes).id, first);
        let other = written(Side::Downstream, &bytes, second, &[]).unwrap();
        prop_assert_eq!(decoded(Side::Downstream, &other).id, second);
        prop_assert_eq!(written(Side::Downstream, &other, first, &[]).unwrap(), bytes);
    }
}

#[test]
fn codes_have_their_status() {
    let rows: [(&[u8], Status); 8] = [
        (b"", Status::Ok),
        (b"\x28\x2a", Status::ApplicationError),
        (b"\x20\x29", Status::ApplicationError),
        (b"\x20\x0c\x28\x01", Status::ServerError),
        (b"\x20\xe7\x07", Status::ServerError),
        (b"\x20\x16", Status::Overloaded),
        (b"\x20\x17", Status::Overloaded),
        (b"\x20\x7c", Status::Overloaded),
    ];
    for (head, status) in rows {
        assert_eq!(decoded(Side::Upstream, &frame(0, 0, 0, head, b"")).status, status, "{head:02x?}");
    }
}

#[test]
fn each_local_reply_has_a_code_of_its_own_and_its_text() {
    let mut codes: Vec<_> = Cause::ALL.into_iter().map(ret).collect();
    let request = decoded(Side::Downstream, &frame(0, 0, 7, b"\x18\x07", b""));
    for cause in Cause::ALL {
        let (mut out, text) = (Out::new(), "größer, als es sein darf");
        codec(Side::Downstream).local_reply(request.request_head(), LocalReply { cause, text }, &mut out);
        let (bytes, message) = (out.to_vec(), decoded(Side::Upstream, &out.to_vec()));
        assert_eq!((message.kind, message.id), (Kind::Response, 7));
        assert!(!matches!(message.status, Status::Ok), "{cause:?}");
        assert_eq!(bytes[10..15], [0, 0, 0, 7, 1], "stream id and version are the request's");
        assert!(bytes.windows(text.len()).any(|window| window == text.as_bytes()));
    }
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Cause::ALL.len());
}

#[test]
fn a_oneway_awaits_nothing() {
    assert_eq!(decoded(Side::Downstream, &vector("oneway-note")).kind, Kind::Oneway);
    let mut long = vector("oneway-note");
    long[4..8].copy_from_slice(&(DEFAULT_MAX_MESSAGE_BYTES as u32 + 1).to_be_bytes());
    let refused = rejected(Side::Downstream, &long);
    assert_eq!((refused.cause, refused.answer), (Cause::TooLarge, None));
}

#[test]
fn too_long_a_message_is_refused_as_soon_as_its_id_is_there() {
    let mut bytes = frame(0, 0, 7, b"\x18\x07", b"body");
    let total = DEFAULT_MAX_MESSAGE_BYTES as u32 + 1;
    bytes[4..8].copy_from_slice(&total.to_be_bytes());
    assert_eq!(codec(Side::Downstream).decode(&bytes[..17]), Ok(Decoded::need(18)));
    let refused = rejected(Side::Downstream, &bytes[..18]);
    assert_eq!((refused.skip, refused.cause), (total.into(), Cause::TooLarge));
    assert_eq!(refused.answer.map(|head| head.id), Some(7));
}

#[test]
fn a_stream_is_refused_when_it_is_opened_and_the_rest_is_dropped() {
    let open = vector("open-stream");
    let refused = rejected(Side::Downstream, &open);
    assert_eq!((refused.skip, refused.cause), (open.len() as u64, Cause::Unsupported));
    let mut out = Out::new();
    let reply = LocalReply { cause: refused.cause, text: &refused.text };
    codec(Side::Downstream).local_reply(refused.answer.expect("it is answered"), reply, &mut out);
    let text = field(0x12, b"streams are not served here");
    let mut expected = frame(1, 1, 100, b"", &field(0x12, &[b"\x08\x0c", &text[..]].concat()));
    expected[14] = 0;
    assert_eq!(out.to_vec(), expected, "INIT with a ret, in the version of the client");
    for what in [2, 3, 4] {
        let later = frame(1, what, 100, b"", b"data");
        assert_eq!(decoded(Side::Downstream, &later).kind, Kind::Notice, "{what}");
    }
}

#[test]
fn what_is_not_trpc_is_called_so() {
    let mut head_beyond = frame(0, 0, 0, b"", b"");
    head_beyond[9] = 1;
    let rows: [(&[u8], &str); 4] = [
        (b"GET / HTTP/1.1\r\n", "not with 09 30"),
        (&frame(2, 0, 0, b"", b""), "type 2"),
        (&head_beyond, "16 bytes, head to 17"),
        (&frame(0, 0, 0, b"\x0b\x00", b""), "no protocol buffer"),
    ];
    for (bytes, words) in rows {
        let error = codec(Side::Downstream).decode(bytes).unwrap_err();
        assert!(error.reason.contains(words), "{error}");
    }
}

#[test]
fn mistakes_in_options_are_all_told() {
    use codec_api::OptionValue;
    let options = [("maxMessageBytes", OptionValue::Integer(5)), ("colour", OptionValue::Null)];
    let options = Options(options.map(|(name, value)| (name.to_owned(), value)).into());
    let errors = Trpc.configure(Side::Upstream, &options).err().unwrap();
    let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["colour", "maxMessageBytes"]);
}
