//! What Apache's own library wrote is understood, awaited where it is cut, and written back.

use codec_api::{Codec, Decoded, Kind, Out, Outgoing, Raw, Side, Status};

use crate::proxy::{FORMS, codec, decode, look_up, recorded};

fn side(name: &str) -> Side {
    if name.starts_with("call") || name.starts_with("oneway") { Side::Downstream } else { Side::Upstream }
}

#[test]
fn every_message_was_recorded_in_every_form() {
    let names = recorded();
    assert_eq!(names.len(), 12 * FORMS.len());
    assert!(names.keys().all(|name| FORMS.contains(&name.split_once('.').unwrap().1)));
}

#[test]
fn recorded_messages_say_what_they_are() {
    let rows = [
        ("call", Kind::Request, 1, Status::Ok, None, "add"),
        ("call-empty", Kind::Request, 127, Status::Ok, None, "ping"),
        ("call-everything", Kind::Request, 300, Status::Ok, None, "everything"),
        ("call-multiplexed", Kind::Request, 2_147_483_647, Status::Ok, Some("Cart"), "add"),
        ("call-large", Kind::Request, 0, Status::Ok, None, "put"),
        ("oneway", Kind::Oneway, 2, Status::Ok, None, "note"),
        ("reply", Kind::Response, 1, Status::Ok, None, ""),
        ("reply-void", Kind::Response, 127, Status::Ok, None, ""),
        ("reply-everything", Kind::Response, 300, Status::Ok, None, ""),
        ("reply-declared", Kind::Response, 1, Status::ApplicationError, None, ""),
        ("exception-internal", Kind::Response, 1, Status::ServerError, None, ""),
        ("exception-unknown-method", Kind::Response, 1, Status::ServerError, None, ""),
    ];
    let messages = recorded();
    for (name, kind, id, status, service, method) in rows {
        for form in FORMS {
            let bytes = &messages[&format!("{name}.{form}")];
            let message = decode(&mut codec(side(name)), bytes);
            assert_eq!((message.kind, message.id, message.status), (kind, id, status), "{name}.{form}");
            if kind != Kind::Response {
                let kind = if kind == Kind::Request { "call" } else { "oneway" };
                let expected = [service, Some(method), Some(kind)].map(|value| value.map(str::to_owned));
                assert_eq!(look_up(bytes, &["service", "Method", "type"]), expected, "{name}.{form}");
            }
        }
    }
}

#[test]
fn a_recorded_message_is_awaited_wherever_it_is_cut() {
    for (name, bytes) in recorded() {
        let mut resumed = codec(side(&name));
        for cut in 0..bytes.len() {
            let mut fresh = codec(side(&name));
            for codec in [&mut resumed, &mut fresh] {
                let answer = codec.decode(&bytes[..cut]);
                let Ok(Decoded::Need { total }) = answer else { panic!("{name} cut at {cut}: {answer:?}") };
                assert!(
                    total > cut && total <= bytes.len(),
                    "{name} cut at {cut}: {total} of {}",
                    bytes.len()
                );
            }
        }
        let whole = decode(&mut codec(side(&name)), &bytes);
        assert_eq!(resumed.decode(&bytes), Ok(Decoded::Message(whole)), "{name}");
    }
}

#[test]
fn recorded_messages_of_all_forms_come_out_of_one_connection_one_by_one() {
    for expected in [Side::Downstream, Side::Upstream] {
        let messages: Vec<_> = recorded().into_iter().filter(|(name, _)| side(name) == expected).collect();
        let stream: Vec<u8> = messages.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let mut codec = codec(expected);
        let mut at = 0;
        for (name, bytes) in &messages {
            let answer = codec.decode(&stream[at..]);
            let Ok(Decoded::Message(message)) = answer else { panic!("{name}: {answer:?}") };
            assert_eq!(message.len, bytes.len(), "{name}");
            at += bytes.len();
        }
        assert_eq!(at, stream.len());
    }
}

#[test]
fn an_untouched_message_is_written_byte_for_byte() {
    for (name, bytes) in recorded() {
        let mut codec = codec(side(&name));
        let message = decode(&mut codec, &bytes);
        let outgoing = Outgoing { message: &message, bytes: Raw::Slice(&bytes), id: message.id };
        let (mut encoded, mut written) = (Out::new(), Out::new());
        codec.encode(&outgoing, &mut encoded);
        codec.write(&outgoing, &[], &mut written).unwrap();
        assert_eq!(encoded.to_vec(), bytes, "{name}");
        assert_eq!(written.to_vec(), bytes, "{name}");
    }
}
