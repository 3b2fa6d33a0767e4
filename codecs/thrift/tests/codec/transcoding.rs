//! A message in one form comes out in another as Apache's library would have written it there.

use codec_api::{Cause, Side};
use proptest::prelude::*;

use crate::proxy::{FORMS, Proxy, codec, decode, recorded};
use crate::writer::{Head, Tree, body, frame, header_frame, message};

const CALLS: [&str; 5] = ["call", "call-empty", "call-everything", "call-multiplexed", "call-large"];

/// The options that ask for a form, and the form that comes out for a client with this encoding.
type Target = (&'static [(&'static str, &'static str)], &'static str, Option<&'static str>);
const TARGETS: [Target; 9] = [
    (&[("transport", "framed")], "framed", None),
    (&[("transport", "buffered")], "buffered", None),
    (&[("transport", "header")], "header", None),
    (&[("transport", "framed"), ("protocol", "binary")], "framed", Some("strict")),
    (&[("transport", "framed"), ("protocol", "compact")], "framed", Some("compact")),
    (&[("transport", "unframed"), ("protocol", "binary")], "buffered", Some("strict")),
    (&[("transport", "unframed"), ("protocol", "compact")], "buffered", Some("compact")),
    (&[("transport", "header"), ("protocol", "binary")], "header", Some("strict")),
    (&[("transport", "header"), ("protocol", "compact")], "header", Some("compact")),
];

/// The encoding of a form that is asked for one.
fn encoding(form: &str, asked: Option<&'static str>) -> &'static str {
    let own = ["strict", "lenient", "compact"].into_iter().find(|own| form.ends_with(own)).unwrap();
    match asked {
        // Who speaks lenient binary speaks binary.
        Some("strict") if own == "lenient" => own,
        Some(asked) => asked,
        None => own,
    }
}

/// A message without its frame and `THeader`.
fn payload<'a>(bytes: &'a [u8], transport: &str) -> &'a [u8] {
    match transport {
        "buffered" => bytes,
        "framed" => &bytes[4..],
        _ => &bytes[14 + 4 * usize::from(bytes[13])..],
    }
}

/// The types of the one empty map among everything, which the compact protocol does not write.
fn without_types(bytes: &[u8], from: &str) -> Vec<u8> {
    let (with, without) = (b"\x0d\0\x13\x0b\x0b\0\0\0\0", b"\x0d\0\x13\0\0\0\0\0\0");
    let mut bytes = bytes.to_vec();
    if let Some(at) = bytes.windows(9).position(|window| window == with).filter(|_| from.ends_with("compact"))
    {
        bytes[at..at + 9].copy_from_slice(without);
    }
    bytes
}

#[test]
fn every_form_is_written_in_every_other_as_the_library_writes_it() {
    let messages = recorded();
    let mut compared = 0;
    for form in FORMS {
        for (options, transport, asked) in TARGETS {
            for name in CALLS {
                let request = &messages[&format!("{name}.{form}")];
                let id = decode(&mut codec(Side::Downstream), request).id;
                let mut proxy = Proxy::new(id, options);
                let sent = proxy.up(request);
                let encoding = encoding(form, asked);
                // No THeader says that it is lenient; the library has no such.
                let like = if transport == "header" && encoding == "lenient" {
                    format!("{name}.buffered-lenient")
                } else {
                    format!("{name}.{transport}-{encoding}")
                };
                let like_transport = if like.contains("buffered") { "buffered" } else { transport };
                let expected = without_types(payload(&messages[&like], like_transport), form);
                if form.starts_with("zlib")
                    && transport == "header"
                    && asked.is_none_or(|asked| form.ends_with(asked))
                {
                    assert_eq!(&sent, request, "{name}.{form} stays compressed");
                } else {
                    assert_eq!(payload(&sent, transport), expected, "{name}.{form} to {like}");
                }
                if transport == "framed" {
                    assert_eq!(sent[..4], (expected.len() as u32).to_be_bytes());
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, FORMS.len() * TARGETS.len() * CALLS.len());
}

#[test]
fn a_response_goes_the_way_back() {
    let messages = recorded();
    for form in FORMS.into_iter().filter(|form| !form.starts_with("zlib")) {
        let own = form.split_once('-').unwrap().0;
        for (options, transport, asked) in TARGETS {
            for name in ["reply", "reply-declared", "exception-internal"] {
                let mut proxy = Proxy::new(1, options);
                proxy.up(&messages[&format!("call.{form}")]);
                let like = match (transport, encoding(form, asked)) {
                    ("header", "lenient") => format!("{name}.header-strict"),
                    (transport, encoding) => format!("{name}.{transport}-{encoding}"),
                };
                let received = proxy.down(&messages[&like]);
                let expected = payload(&messages[&format!("{name}.{form}")], own);
                let received = payload(&received, own);
                // An endpoint that is strict is understood by a lenient client, and is not translated for it.
                if form.ends_with("lenient") {
                    let strict = payload(&messages[&format!("{name}.buffered-strict")], "buffered");
                    assert!(received == expected || received == strict, "{name} from {like} to {form}");
                } else {
                    assert_eq!(received, expected, "{name} from {like} to {form}");
                }
            }
        }
    }
}

#[test]
fn a_client_with_a_theader_gets_one_without_keys_from_an_endpoint_that_has_none() {
    let messages = recorded();
    for encoding in ["strict", "compact"] {
        for own in ["strict", "compact"] {
            let mut proxy = Proxy::new(1, &[("transport", "framed"), ("protocol", binary_or(encoding))]);
            proxy.up(&messages[&format!("call.header-{own}")]);
            let received = proxy.down(&messages[&format!("reply.framed-{encoding}")]);
            let payload = &messages[&format!("reply.buffered-{own}")];
            assert_eq!(received, header_frame(own, 1, payload));
        }
    }
}

fn binary_or(encoding: &str) -> &str {
    if encoding == "strict" { "binary" } else { encoding }
}

#[test]
fn keys_of_a_response_survive_the_change_of_its_protocol() {
    let messages = recorded();
    let mut proxy = Proxy::new(1, &[("transport", "header"), ("protocol", "compact")]);
    proxy.up(&messages["call.header-strict"]);
    let received = proxy.down(&messages["reply.header-compact"]);
    assert_eq!(received, messages["reply.header-strict"]);
}

#[test]
fn more_than_a_struct_in_a_frame_is_not_let_out_of_it() {
    let body = Tree::Struct(vec![(1, Tree::I32(1))]);
    let hidden = message("buffered-strict", &Head::call("transfer", 2), &body);
    for encoding in ["strict", "lenient", "compact"] {
        let mut payload = message(&format!("buffered-{encoding}"), &Head::call("add", 1), &body);
        payload.extend(&hidden);
        for options in [
            &[("transport", "buffered")][..],
            &[("protocol", if encoding == "compact" { "binary" } else { "compact" })],
        ] {
            for request in [frame(&payload), header_frame(encoding, 1, &payload)] {
                let refusal = Proxy::new(1, options).up_with(&request, &[]).unwrap_err();
                assert_eq!(refusal.cause, Cause::BadMessage);
                assert!(refusal.text.contains("bytes follow its struct in the frame"), "{}", refusal.text);
            }
        }
    }
}

#[test]
fn a_struct_that_ends_early_or_is_none_is_refused_and_nothing_is_written() {
    let messages = recorded();
    let whole = payload(&messages["call-everything.framed-strict"], "framed");
    let head = 4 + 4 + "everything".len() + 4;
    for cut in head..whole.len() {
        for options in [&[("transport", "buffered")][..], &[("protocol", "compact")]] {
            let refusal = Proxy::new(1, options).up_with(&frame(&whole[..cut]), &[]).unwrap_err();
            assert_eq!(refusal.cause, Cause::BadMessage, "cut at {cut}");
        }
    }
    let mut wrong = whole.to_vec();
    wrong[head] = 99;
    let refusal = Proxy::new(1, &[("protocol", "compact")]).up_with(&frame(&wrong), &[]).unwrap_err();
    assert!(refusal.text.contains("type 99"), "{}", refusal.text);
}

#[test]
fn a_response_that_cannot_be_transcoded_leaves_its_request_to_be_answered() {
    let messages = recorded();
    let mut proxy = Proxy::new(1, &[("protocol", "compact")]);
    proxy.up(&messages["call.framed-strict"]);
    let mut broken = messages["reply.framed-compact"].clone();
    broken.pop();
    broken[3] -= 1;
    assert_eq!(proxy.try_down(&broken).unwrap_err().cause, Cause::BadMessage);
    let text = Tree::Text(b"bad message: so it is".to_vec());
    let body = Tree::Struct(vec![(1, text), (2, Tree::I32(7))]);
    let expected = message("framed-strict", &Head { kind: 3, name: "add".to_owned(), id: 1 }, &body);
    assert_eq!(proxy.answer(1, Cause::BadMessage), expected);
}

#[test]
fn what_would_be_longer_than_the_limit_is_refused() {
    // Booleans take four times their bytes in binary.
    let fields = (1..600).map(|id| (id, Tree::Bool(true))).collect();
    let request = message("framed-compact", &Head::call("add", 1), &Tree::Struct(fields));
    assert!(request.len() < 700);
    let options = [("protocol", "binary"), ("maxMessageBytes", "2048")];
    let refusal = Proxy::new(1, &options).up_with(&request, &[]).unwrap_err();
    assert_eq!(refusal.cause, Cause::TooLarge);
    assert!(Proxy::new(1, &options[..1]).up_with(&request, &[]).is_ok());
}

proptest! {
    #[test]
    fn any_struct_is_transcoded_there_and_back(body in body(), id: u32) {
        let head = Head::call("any", id);
        for (from, to, options) in [
            ("framed-strict", "framed-compact", [("transport", "framed"), ("protocol", "compact")]),
            ("framed-compact", "buffered-strict", [("transport", "buffered"), ("protocol", "binary")]),
            ("buffered-lenient", "buffered-compact", [("transport", "auto"), ("protocol", "compact")]),
            ("buffered-compact", "framed-compact", [("transport", "framed"), ("protocol", "auto")]),
            ("framed-lenient", "buffered-lenient", [("transport", "buffered"), ("protocol", "binary")]),
        ] {
            let request = message(from, &head, &body);
            prop_assert_eq!(Proxy::new(id.into(), &options).up(&request), message(to, &head, &body));
        }
    }
}
