//! Strangers, and peers that speak in another way than was agreed.

use codec_api::{Attribute, Codec, Decoded, Found, LocalReply, Out, Outgoing, Raw, Side};
use codec_thrift::ThriftCodec;
use proptest::prelude::*;

use crate::proxy::{FORMS, codec, properties, recorded, settings, vector};
use crate::writer::{Head, Tree, message};

/// Does with whatever comes of these bytes all that the proxy would.
fn survives(side: Side, options: &[(&str, &str)], bytes: &[u8]) {
    let mut reader = ThriftCodec::new(side, settings(options));
    let other = if side == Side::Downstream { Side::Upstream } else { Side::Downstream };
    let mut writer = ThriftCodec::new(other, settings(options));
    let mut at = 0;
    for _ in 0..100 {
        match reader.decode(&bytes[at..]) {
            Ok(Decoded::Message(message)) => {
                assert!(message.len > 0 && message.len <= bytes.len() - at);
                let whole = &bytes[at..at + message.len];
                let wanted = [Attribute::new(properties(), "tier"), Attribute::new(properties(), "method")];
                let mut found = Found::default();
                found.reset(wanted.len());
                reader.attributes(&message, whole, &wanted, &mut found);
                let mut out = Out::new();
                let edit = [codec_api::Edit { name: "tier", value: "tin" }];
                let outgoing = Outgoing { message: &message, bytes: Raw::Slice(whole), id: 77 };
                for edits in [&edit[..], &[]] {
                    let _ = writer.write(&outgoing, edits, &mut out);
                }
                writer.encode(&outgoing, &mut out);
                at += message.len;
            }
            Ok(Decoded::Reject(rejected)) => {
                if let Some(answer) = rejected.answer {
                    let mut out = Out::new();
                    reader.local_reply(
                        answer,
                        LocalReply { cause: rejected.cause, text: &rejected.text },
                        &mut out,
                    );
                    assert!(!out.is_empty());
                }
                match usize::try_from(rejected.skip) {
                    Ok(skip) if skip > 0 && skip <= bytes.len() - at => at += skip,
                    _ => return,
                }
            }
            Ok(Decoded::Need { total }) => {
                assert!(total > bytes.len() - at);
                return;
            }
            Err(error) => {
                assert!(!error.reason.is_empty());
                return;
            }
        }
    }
}

const OPTIONS: [&[(&str, &str)]; 4] = [
    &[],
    &[("transport", "buffered"), ("maxMessageBytes", "4096")],
    &[("transport", "header"), ("protocol", "compact"), ("sharing", "shared(1)")],
    &[("protocol", "binary")],
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), start in 0_usize..6) {
        let starts: [&[u8]; 6] =
            [b"", b"\x80\x01\0\x01", b"\x82\x21", b"\0\0\0\x40\x0f\xff", b"\0\0\0\x40\x80\x01\0\x01", b"\0\0\0\x04"];
        let bytes = [starts[start], &bytes].concat();
        for side in [Side::Downstream, Side::Upstream] {
            for options in OPTIONS {
                survives(side, options, &bytes);
            }
        }
    }

    #[test]
    fn changed_messages_do_no_harm(
        which in 0_usize..120,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        second in 0_usize..120,
    ) {
        let messages: Vec<Vec<u8>> = recorded().into_values().collect();
        let mut bytes = messages[which].clone();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.extend(&messages[second]);
        for side in [Side::Downstream, Side::Upstream] {
            for options in OPTIONS {
                survives(side, options, &bytes);
            }
        }
    }
}

fn error(side: Side, options: &[(&str, &str)], bytes: &[u8]) -> String {
    match ThriftCodec::new(side, settings(options)).decode(bytes) {
        Err(error) => error.reason,
        other => panic!("{options:?}: {other:?}"),
    }
}

#[test]
fn a_fixed_transport_takes_no_other() {
    for form in FORMS {
        let own = form.split_once('-').unwrap().0.replace("zlib", "header");
        for fixed in ["framed", "buffered", "header"] {
            let bytes = vector("call", form);
            if fixed == own {
                let mut codec = ThriftCodec::new(Side::Downstream, settings(&[("transport", fixed)]));
                assert!(matches!(codec.decode(&bytes), Ok(Decoded::Message(_))), "{form}");
            } else {
                // Five bytes are enough: no client waits for an answer that does not come.
                let text = error(Side::Downstream, &[("transport", fixed)], &bytes[..5]);
                assert_eq!(text, format!("a {own} message, where each is {fixed} (option `transport`)"));
            }
        }
    }
}

#[test]
fn a_fixed_protocol_takes_no_other() {
    for form in FORMS {
        let own = if form.ends_with("compact") { "compact" } else { "binary" };
        for fixed in ["binary", "compact"] {
            let bytes = vector("reply", form);
            if fixed == own {
                let mut codec = ThriftCodec::new(Side::Upstream, settings(&[("protocol", fixed)]));
                assert!(matches!(codec.decode(&bytes), Ok(Decoded::Message(_))), "{form}");
            } else {
                let text = error(Side::Upstream, &[("protocol", fixed)], &bytes);
                assert_eq!(
                    text,
                    format!("a message in the {own} protocol, where each is {fixed} (option `protocol`)")
                );
            }
        }
    }
}

#[test]
fn nobody_speaks_in_the_wrong_direction() {
    for form in FORMS {
        let text = error(Side::Downstream, &[], &vector("reply", form));
        assert_eq!(text, "a client sent a response (sequence id 1)", "{form}");
        let text = error(Side::Upstream, &[], &vector("call", form));
        assert_eq!(text, "an endpoint sent a call (sequence id 1)", "{form}");
    }
}

#[test]
fn a_frame_that_ends_in_its_head_is_an_error() {
    let text = error(Side::Downstream, &[], b"\0\0\0\x06\x80\x01\0\x01\0\0");
    assert_eq!(text, "a frame of 6 bytes ends in its head");
    let text = error(Side::Downstream, &[], b"\0\0\0\x06\x0f\xff\0\0\0\0");
    assert_eq!(text, "a frame of 6 bytes ends in its THeader");
    let text = error(Side::Downstream, &[], b"\0\0\0\x06\x0f\x00\0\0\0\0");
    assert!(text.contains("0f"), "{text}");
}

#[test]
fn a_client_cannot_make_the_codec_keep_requests_without_end() {
    let request = message("framed-strict", &Head::call("again", 1), &Tree::Struct(vec![]));
    let mut codec = codec(Side::Downstream);
    let taken = (0..100_000).take_while(|_| codec.decode(&request).is_ok()).count();
    assert_eq!(taken, 65_536);
}
