//! Short words for what tests do with a codec.

use codec_api::{Attribute, Codec, Decoded, Found, Kind, Message, Properties, Protocol, Side};
use codec_dubbo::{Dubbo, DubboCodec, Settings};

pub(crate) fn properties() -> &'static Properties {
    Dubbo.properties()
}

/// A codec with the usual limit.
pub(crate) fn codec(side: Side) -> DubboCodec {
    DubboCodec::new(side, Settings::default())
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

/// Asserts that a response has this id and gives it back.
pub(crate) fn response(bytes: &[u8], id: u64) -> Message {
    let message = decode(Side::Upstream, bytes);
    assert_eq!((message.kind, message.id), (Kind::Response, id));
    message
}
