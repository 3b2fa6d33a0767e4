//! In what a message's body is written: the number in the low five bits of the header's flags.
//!
//! Hessian2 and fastjson2 are read. Of the others only heartbeats are told from other events, by their length. Numbers are
//! those of Dubbo's `org.apache.dubbo.common.serialize.Constants`.

use crate::hessian::value::{Text, int, text};

/// What every Dubbo speaks.
pub(crate) const HESSIAN2: u8 = 2;
/// What Dubbo 3.2 and later prefer where both sides have it.
pub(crate) const FASTJSON2: u8 = 23;
/// The bits of the header's flags that hold the number.
pub(crate) const MASK: u8 = 0x1f;

/// A null of an unknown serialization is not longer than this.
const MAX_NULL: usize = 64;

/// The name of serialization `id`.
pub(crate) fn name(id: u8) -> &'static str {
    match id {
        HESSIAN2 => "hessian2",
        3 => "java",
        4 => "compactedjava",
        6 => "fastjson",
        7 => "nativejava",
        8 => "kryo",
        9 => "fst",
        10 => "native-hessian",
        11 => "avro",
        12 => "protostuff",
        16 => "gson",
        18 => "jackson",
        21 => "protobuf-json",
        22 => "protobuf",
        FASTJSON2 => "fastjson2",
        25 => "kryo2",
        27 => "msgpack",
        28 => "fury",
        31 => "custom-messagepack",
        _ => "a serialization that Dubbo does not know",
    }
}

/// Whether a body in serialization `id` is read and written here.
pub(crate) fn is_read(id: u8) -> bool {
    matches!(id, HESSIAN2 | FASTJSON2)
}

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// Nothing: a heartbeat.
    Null,
    /// "R": send no further requests.
    ReadOnly,
    /// "W": requests are welcome again.
    Writable,
    /// Something else.
    Other,
}

/// Reads the body of an event.
pub(crate) fn event(id: u8, body: &[u8]) -> Event {
    // Fastjson2 writes the length of each value in four bytes, then the value: null is af, a text of one letter 4a.
    let said: Option<&[u8]> = match (id, body) {
        (_, []) | (FASTJSON2, [0, 0, 0, 1, 0xaf]) => None,
        (FASTJSON2, [0, 0, 0, 2, 0x4a, letter]) => Some(std::slice::from_ref(letter)),
        (HESSIAN2, _) => match text(body) {
            Ok(([], Text::Null)) => None,
            Ok(([], Text::Whole(word))) => Some(word),
            _ => return Event::Other,
        },
        // The nulls of other serializations are unknown; most events are heartbeats.
        (other, _) if other != FASTJSON2 && body.len() <= MAX_NULL => None,
        _ => return Event::Other,
    };
    match said {
        None => Event::Null,
        Some(b"R") => Event::ReadOnly,
        Some(b"W") => Event::Writable,
        Some(_) => Event::Other,
    }
}

/// What kind of result the body of a response with status OK begins with; `None` where that cannot be seen.
pub(crate) fn result_kind(id: u8, body: &[u8]) -> Option<i32> {
    match (id, body) {
        (HESSIAN2, _) => int(body).ok().map(|(_, kind)| kind),
        // A byte: its length in four bytes, bd, the byte.
        (FASTJSON2, [0, 0, 0, 2, 0xbd, kind, ..]) => Some((*kind).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_in_both_defaults() {
        let rows: [(u8, &[u8], Event); 14] = [
            (HESSIAN2, b"N", Event::Null),
            (HESSIAN2, b"", Event::Null),
            (HESSIAN2, b"\x01R", Event::ReadOnly),
            (HESSIAN2, b"\x01W", Event::Writable),
            (HESSIAN2, b"\x01X", Event::Other),
            (HESSIAN2, b"\x01RN", Event::Other),
            (HESSIAN2, b"\x02R", Event::Other),
            (HESSIAN2, b"\x90", Event::Other),
            (FASTJSON2, b"\0\0\0\x01\xaf", Event::Null),
            (FASTJSON2, b"\0\0\0\x02\x4aR", Event::ReadOnly),
            (FASTJSON2, b"\0\0\0\x02\x4aW", Event::Writable),
            (FASTJSON2, b"\0\0\0\x03\x4bRW", Event::Other),
            (8, b"\0", Event::Null),
            (8, &[7; 65], Event::Other),
        ];
        for (id, body, said) in rows {
            assert_eq!(event(id, body), said, "serialization {id}, body {body:02x?}");
        }
    }

    #[test]
    fn kinds_of_results_are_read_in_both_defaults() {
        assert_eq!(result_kind(HESSIAN2, b"\x93C"), Some(3));
        assert_eq!(result_kind(HESSIAN2, b"I\0\0\0\x04"), Some(4));
        assert_eq!(result_kind(HESSIAN2, b""), None);
        assert_eq!(result_kind(FASTJSON2, b"\0\0\0\x02\xbd\x00rest"), Some(0));
        assert_eq!(result_kind(FASTJSON2, b"\0\0\0\x02"), None);
        assert_eq!(result_kind(22, b"\x90"), None);
    }
}
