//! Tells the transports apart by the first bytes of a message.
//!
//! | bytes 0 … 3 | byte 4 | transport |
//! |---|---|---|
//! | 80 01 | | buffered, strict binary |
//! | 82, version 1 | | buffered, compact |
//! | a length | 80, 82 or 00: strict, compact, lenient binary | framed |
//! | a length | 0f, the first half of `THeader`'s 0f ff | `THeader` |
//! | a length | anything else: the first letter of a name | buffered, lenient binary |
//!
//! So five bytes are enough, and no message is shorter. Each message is looked at anew: a client that changes its
//! transport is still understood, as it is by Apache's own `THeaderTransport`, and it costs two comparisons.

use std::fmt::Write;

use crate::envelope::{COMPACT, COMPACT_VERSION, COMPACT_VERSION_MASK, MAX_NAME, STRICT, STRICT_VERSION};
use crate::form::Transport;
use crate::settings::MAX_FRAME;

/// What has to be there: the length of the shortest message.
pub(crate) const ENOUGH: usize = 5;
/// The first byte behind the length of a `THeader` frame.
const HEADER: u8 = 0x0f;

/// The transport of the message that begins with these bytes, or why they are not Thrift.
#[inline]
pub(crate) fn transport(start: [u8; ENOUGH]) -> Result<Transport, String> {
    let [first, second, _, _, fifth] = start;
    let length = length(start);
    match (first, fifth) {
        (STRICT, _) if second == STRICT_VERSION => Ok(Transport::Buffered),
        (COMPACT, _) if second & COMPACT_VERSION_MASK == COMPACT_VERSION => Ok(Transport::Buffered),
        _ if length > MAX_FRAME => Err(describe(&start)),
        (_, STRICT | COMPACT | 0) => Ok(Transport::Framed),
        (_, HEADER) => Ok(Transport::Header),
        _ if length as usize <= MAX_NAME => Ok(Transport::Buffered),
        _ => Err(describe(&start)),
    }
}

/// The length that a frame begins with.
#[inline]
pub(crate) fn length([a, b, c, d, _]: [u8; ENOUGH]) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

/// How other protocols begin.
const KNOWN: &[(&[u8], &str)] = &[
    (b"\x16\x03", "a TLS ClientHello; this port speaks plain Thrift"),
    (b"PRI *", "HTTP/2"),
    (b"GET ", HTTP),
    (b"POST", HTTP),
    (b"PUT ", HTTP),
    (b"HEAD", HTTP),
    (b"HTTP/", "an HTTP response"),
    (b"PROXY", "a PROXY protocol header"),
    (b"\r\n\r\n\0", "a PROXY protocol header (version 2)"),
    (b"SSH-", "SSH"),
    (b"*1\r\n", "a Redis command"),
    (b"\xda\xbb", "Dubbo"),
    (b"[1,", "Thrift's JSON protocol, which is not served"),
    (b"BIGF", "a Thrift frame of 1 GiB or more, which is not served"),
];
const HTTP: &str = "an HTTP request";

/// Why these bytes are not Thrift, for the person who wonders why a connection was closed.
pub(crate) fn describe(start: &[u8]) -> String {
    let mut text = "not Thrift: a message begins with 80 01, 82, or a length; this one with".to_owned();
    for byte in start {
        // Writing to a String cannot fail.
        let _ = write!(text, " {byte:02x}");
    }
    match KNOWN.iter().find(|(known, _)| start.starts_with(known)) {
        Some((_, what)) => text + ", which looks like " + what,
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_bytes_are_enough() {
        use Transport::{Buffered, Framed, Header};
        let rows: [(&[u8; ENOUGH], Transport); 12] = [
            (b"\x80\x01\0\x01\0", Buffered),
            (b"\x82\x21\0\0\0", Buffered),
            (b"\x82\x21\x01\x04p", Buffered),
            (b"\0\0\0\x04p", Buffered),
            (b"\0\0\0\0\x01", Buffered),
            (b"\0\0\x01\0\xc3", Buffered),
            (b"\0\0\0\x20\x80", Framed),
            (b"\0\0\0\x20\x82", Framed),
            (b"\0\0\0\x20\0", Framed),
            (b"\x01\0\0\0\x80", Framed),
            (b"\0\0\0\x20\x0f", Header),
            (b"\x3f\xff\xff\xff\x0f", Header),
        ];
        for (start, transport) in rows {
            assert_eq!(super::transport(*start), Ok(transport), "{start:02x?}");
        }
    }

    #[test]
    fn other_protocols_are_called_by_name() {
        let rows: [(&[u8; ENOUGH], &str); 8] = [
            (b"\x16\x03\x01\x02\x01", "TLS"),
            (b"GET /", "HTTP"),
            (b"POST ", "HTTP"),
            (b"PRI *", "HTTP/2"),
            (b"*1\r\n$", "Redis"),
            (b"\xda\xbb\xc2\0\0", "Dubbo"),
            (b"[1,\"a", "JSON"),
            (b"\x80\x02\0\x01\0", "80 02 00 01 00"),
        ];
        for (start, word) in rows {
            let text = transport(*start).unwrap_err();
            assert!(text.contains(word), "{text}");
        }
    }
}
