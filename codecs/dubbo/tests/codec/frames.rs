//! Framing: kinds of messages, limits, and bytes that are no message.

use codec_api::{Cause, Codec, Decoded, Kind, OptionValue, Options, Protocol, Side, Status};
use codec_dubbo::{Dubbo, DubboCodec, MAX_MESSAGE_BYTES, Settings};

use crate::conversation::{codec, decode, head};
use crate::writer::{Call, Tree, frame, text};

#[test]
fn a_request_shows_its_head() {
    let bytes = Call::new(vec![text("x")], vec![]).frame();
    for side in [Side::Downstream, Side::Upstream] {
        let message = decode(side, &bytes);
        assert_eq!((message.kind, message.id, message.opaque), (Kind::Request, 0x1122_3344_5566_7788, None));
        assert_eq!(head(&message, &bytes, "interface"), Some("com.acme.Orders"));
        assert_eq!(head(&message, &bytes, "method"), Some("place"));
        assert_eq!(head(&message, &bytes, "version"), Some("1.4.0"));
        assert_eq!(head(&message, &bytes, "dubbo"), Some("2.0.2"));
    }
    let oneway = Call { two_way: false, ..Call::new(vec![], vec![]) }.frame();
    assert_eq!(decode(Side::Downstream, &oneway).kind, Kind::Oneway);
}

#[test]
fn an_unversioned_service_has_no_version() {
    let mut call = Call::new(vec![], vec![]);
    call.head[2] = Tree::Null;
    let bytes = call.frame();
    let message = decode(Side::Downstream, &bytes);
    assert_eq!(head(&message, &bytes, "version"), None);
    assert_eq!(head(&message, &bytes, "method"), Some("place"));
}

#[test]
fn the_flags_and_the_body_tell_the_kind() {
    let rows: [(Side, u8, &[u8], Kind); 17] = [
        (Side::Downstream, 0xe2, b"N", Kind::Ping),
        (Side::Downstream, 0xe2, b"", Kind::Ping),
        (Side::Downstream, 0xf7, b"\0\0\0\x01\xaf", Kind::Ping),
        (Side::Downstream, 0xe8, b"\0", Kind::Ping),
        (Side::Upstream, 0xe2, b"N", Kind::Ping),
        (Side::Downstream, 0xa2, b"N", Kind::Notice),
        (Side::Downstream, 0x22, b"N", Kind::Pong),
        (Side::Upstream, 0x22, b"N", Kind::Pong),
        (Side::Upstream, 0xa2, b"\x01R", Kind::GoingAway),
        (Side::Upstream, 0xe2, b"\x01R", Kind::GoingAway),
        (Side::Upstream, 0xa2, b"\x01W", Kind::ComeBack),
        (Side::Upstream, 0xb7, b"\0\0\0\x02\x4aR", Kind::GoingAway),
        (Side::Upstream, 0xb7, b"\0\0\0\x02\x4aW", Kind::ComeBack),
        (Side::Upstream, 0xa2, b"\x05other", Kind::Notice),
        (Side::Upstream, 0xa2, b"\x90", Kind::Notice),
        (Side::Upstream, 0xa2, b"\xff\xff\xff", Kind::Notice),
        (Side::Upstream, 0x02, b"\x92", Kind::Response),
    ];
    for (side, flags, body, kind) in rows {
        let message = decode(side, &frame(flags, 20, 9, body));
        assert_eq!((message.kind, message.id), (kind, 9), "flags {flags:#04x}, body {body:02x?}");
    }
}

#[test]
fn a_response_tells_how_it_ended() {
    let rows: [(u8, u8, &[u8], Status); 6] = [
        (2, 20, b"\x94\x02hi", Status::Ok),
        (2, 20, b"\x93C", Status::ApplicationError),
        (23, 20, b"\0\0\0\x02\xbd\x03", Status::ApplicationError),
        (2, 31, b"\x07timeout", Status::ServerError),
        (2, 100, b"\x04full", Status::Overloaded),
        (2, 77, b"", Status::ServerError),
    ];
    for (flags, status, body, expected) in rows {
        assert_eq!(decode(Side::Upstream, &frame(flags, status, 1, body)).status, expected);
    }
}

#[test]
fn other_serializations_hide_attributes_but_not_the_request() {
    for (serialization, name) in
        [(21, "protobuf-json"), (22, "protobuf"), (10, "native-hessian"), (30, "does not know")]
    {
        let call = Call { serialization, ..Call::new(vec![], vec![]) };
        let message = decode(Side::Downstream, &call.frame());
        assert_eq!(message.kind, Kind::Request);
        assert!(message.opaque.unwrap().contains(name));
        assert!(message.head.iter().all(|field| field.is_none()));
    }
}

#[test]
fn a_message_that_is_too_long_is_refused_by_its_header() {
    let rows: [(Side, u8, bool); 6] = [
        (Side::Downstream, 0xc2, true),
        (Side::Downstream, 0x82, false),
        (Side::Downstream, 0xe2, false),
        (Side::Upstream, 0x02, true),
        (Side::Upstream, 0xc2, false),
        (Side::Upstream, 0x22, false),
    ];
    for (side, flags, awaited) in rows {
        let mut codec = DubboCodec::new(side, Settings { max_body: 1024, ..Settings::default() });
        let long = frame(flags, 20, 5, &[0; 1025]);
        let Ok(Decoded::Reject(refused)) = codec.decode(&long[..16]) else { panic!("{side:?} {flags:#04x}") };
        assert_eq!((refused.skip, refused.cause), (16 + 1025, Cause::TooLarge));
        assert_eq!(refused.answer.map(|answer| answer.id), awaited.then_some(5));
        assert!(
            refused.text.contains("1025") && refused.text.contains("maxMessageBytes, 1024"),
            "{}",
            refused.text
        );
        let longest = frame(flags, 20, 5, &[b'N'; 1024]);
        assert_eq!(
            codec.decode(&longest[..16]),
            Ok(Decoded::Need { total: 16 + 1024 }),
            "the limit itself is served"
        );
    }
}

#[test]
fn a_body_without_a_head_is_refused() {
    let rows: [(&[u8], &str); 4] = [
        (b"", "ends before the head's dubbo"),
        (b"\x052.0.2", "ends before the head's interface"),
        (b"\x90\x91", "the head's dubbo, at byte 16, begins with 0x90"),
        (b"\x052.0.2R\x00\x01aS\x00\x01b", "interface is written in several chunks"),
    ];
    for (body, words) in rows {
        let bytes = frame(0xc2, 0, 5, body);
        let Ok(Decoded::Reject(refused)) = codec(Side::Downstream).decode(&bytes) else {
            panic!("{body:02x?}")
        };
        assert_eq!((refused.skip, refused.cause), (bytes.len() as u64, Cause::BadMessage));
        assert_eq!(refused.answer.map(|answer| answer.id), Some(5));
        assert!(refused.text.contains(words), "{}", refused.text);
        let oneway = frame(0x82, 0, 5, body);
        let Ok(Decoded::Reject(refused)) = codec(Side::Downstream).decode(&oneway) else {
            panic!("{body:02x?}")
        };
        assert_eq!(refused.answer, None);
    }
}

#[test]
fn bytes_that_are_no_message_are_an_error() {
    let response = frame(0x02, 20, 7, b"\x92");
    let negative = [&frame(0xc2, 0, 1, b"")[..12], &[0xff; 4]].concat();
    let absurd = [&frame(0xc2, 0, 1, b"")[..12], &[0x7f; 4]].concat();
    let rows: [(&[u8], &str); 7] = [
        (&response, "a client sent a response (id 7, status 20)"),
        (&negative, "-1 bytes"),
        (&absurd, "2139062143 bytes"),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", "TLS ClientHello"),
        (b"GET /metrics HTTP/1.1\r\n\r\n", "an HTTP request"),
        (b"\xda\xbc\xc2\x00", "begins with da bb, this one with da bc c2 00"),
        (b"\x00", "this one with 00"),
    ];
    for (bytes, words) in rows {
        let error = codec(Side::Downstream).decode(bytes).unwrap_err();
        assert!(error.reason.contains(words), "{error}");
    }
}

#[test]
fn options_are_checked_and_hold() {
    let option = |name: &str, value| Options([(name.to_owned(), value)].into());
    let made = Dubbo
        .configure(Side::Downstream, &option(MAX_MESSAGE_BYTES, OptionValue::Integer(2048)))
        .ok()
        .unwrap();
    let mut codec = made.codec();
    assert!(matches!(codec.decode(&frame(0xc2, 0, 1, &[0; 2049])), Ok(Decoded::Reject(_))));
    assert!(matches!(codec.decode(&frame(0xc2, 0, 1, &[0; 2048])[..16]), Ok(Decoded::Need { .. })));

    let mut default = Dubbo.configure(Side::Upstream, &Options::default()).ok().unwrap().codec();
    let header = |length: u32| [&frame(0x02, 20, 1, b"")[..12], &length.to_be_bytes()].concat();
    assert!(matches!(default.decode(&header(8 << 20)), Ok(Decoded::Need { .. })));
    assert!(matches!(default.decode(&header((8 << 20) + 1)), Ok(Decoded::Reject(_))));

    for wrong in [1023, (1 << 30) + 1, -1] {
        let wrong = option(MAX_MESSAGE_BYTES, OptionValue::Integer(wrong));
        let errors = Dubbo.configure(Side::Downstream, &wrong).err().unwrap();
        assert_eq!(errors[0].path, MAX_MESSAGE_BYTES);
        assert!(errors[0].message.contains("1024 to 1073741824"), "{}", errors[0]);
    }
    let mut both = option(MAX_MESSAGE_BYTES, OptionValue::Bool(true));
    both.0.insert("multiplexing".to_owned(), OptionValue::Bool(true));
    let errors = Dubbo.configure(Side::Downstream, &both).err().unwrap();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].to_string().contains("multiplexing: unknown option"), "{}", errors[0]);
}
