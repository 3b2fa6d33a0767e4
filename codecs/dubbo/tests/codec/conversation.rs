//! Short words for what tests do with a codec, and the laws that every message keeps.

use bytes::Bytes;
use codec_api::{
    Attribute, Codec, Decoded, Found, Kind, Message, Out, Outgoing, Properties, Protocol, Raw, Side,
};
use codec_dubbo::{DEFAULT_MAX_MESSAGE_BYTES, Dubbo, DubboCodec};

pub(crate) fn properties() -> &'static Properties {
    Dubbo.properties()
}

/// A codec with the usual limit.
pub(crate) fn codec(side: Side) -> DubboCodec {
    DubboCodec::new(side, DEFAULT_MAX_MESSAGE_BYTES)
}

/// The one message that `bytes` are.
pub(crate) fn decode(side: Side, bytes: &[u8]) -> Message {
    match codec(side).decode(bytes) {
        Ok(Decoded::Message(message)) => {
            assert_eq!(message.len, bytes.len());
            message
        }
        other => panic!("{other:?}"),
    }
}

/// The message's head field called `name`.
pub(crate) fn head<'a>(message: &Message, bytes: &'a [u8], name: &str) -> Option<&'a str> {
    let place = properties().head.iter().position(|known| *known == name).unwrap();
    message.head[place].of(bytes).map(|field| std::str::from_utf8(field).unwrap())
}

/// What the codec finds for these names in a request, and how many bytes it walked over.
pub(crate) fn look_up(bytes: &[u8], names: &[&str]) -> (Vec<Option<String>>, u64) {
    let mut codec = codec(Side::Downstream);
    let Ok(Decoded::Message(message)) = codec.decode(bytes) else { return (vec![None; names.len()], 0) };
    let wanted: Vec<Attribute> = names.iter().map(|name| Attribute::new(properties(), name)).collect();
    let mut found = Found::default();
    found.reset(wanted.len());
    codec.attributes(&message, bytes, &wanted, &mut found);
    let value = |(index, attribute)| {
        found.get(index, attribute, &message, bytes).map(|value| String::from_utf8(value.to_vec()).unwrap())
    };
    (wanted.iter().enumerate().map(value).collect(), codec.bytes_walked())
}

/// One attribute of a request.
pub(crate) fn attribute(bytes: &[u8], name: &str) -> Option<String> {
    look_up(bytes, &[name]).0.remove(0)
}

/// The bytes of `message`, written with this id.
pub(crate) fn encode(message: &Message, bytes: Raw<'_>, id: u64) -> Vec<u8> {
    let mut out = Out::new();
    codec(Side::Downstream).encode(&Outgoing { message, bytes, id }, &mut out);
    out.to_vec()
}

/// What must hold for any message that a peer on `side` may send.
pub(crate) fn keeps_the_laws(side: Side, bytes: &[u8]) -> Message {
    let message = decode(side, bytes);
    a_cut_message_is_awaited(side, bytes, &message);
    several_come_out_one_by_one(side, bytes, &message);
    only_the_id_is_rewritten(bytes, &message);
    message
}

fn a_cut_message_is_awaited(side: Side, bytes: &[u8], whole: &Message) {
    let mut resumed = codec(side);
    for cut in 0..bytes.len() {
        for codec in [&mut resumed, &mut codec(side)] {
            let answer = codec.decode(&bytes[..cut]);
            let Ok(Decoded::Need { total }) = answer else { panic!("cut at {cut}: {answer:?}") };
            assert!(
                total > cut && total <= bytes.len(),
                "cut at {cut}, asked for {total} of {}",
                bytes.len()
            );
        }
    }
    assert_eq!(resumed.decode(bytes), Ok(Decoded::Message(*whole)));
}

fn several_come_out_one_by_one(side: Side, bytes: &[u8], whole: &Message) {
    let stream = bytes.repeat(3);
    let mut codec = codec(side);
    for start in [0, bytes.len(), 2 * bytes.len()] {
        assert_eq!(codec.decode(&stream[start..]), Ok(Decoded::Message(*whole)), "from {start}");
    }
    assert!(matches!(codec.decode(&[]), Ok(Decoded::Need { .. })));
}

fn only_the_id_is_rewritten(bytes: &[u8], message: &Message) {
    let shared = Bytes::copy_from_slice(bytes);
    for raw in [Raw::Slice(bytes), Raw::Shared(&shared)] {
        assert_eq!(encode(message, raw, message.id), bytes, "byte for byte");
        let mut expected = bytes.to_vec();
        expected[4..12].copy_from_slice(&0x0102_0304_0506_0708_u64.to_be_bytes());
        assert_eq!(encode(message, raw, 0x0102_0304_0506_0708), expected);
    }
}

/// Asserts that a response has this id and gives it back.
pub(crate) fn response(bytes: &[u8], id: u64) -> Message {
    let message = keeps_the_laws(Side::Upstream, bytes);
    assert_eq!((message.kind, message.id), (Kind::Response, id));
    message
}
