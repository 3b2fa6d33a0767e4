//! `TApplicationException`: what a server says that could not run a method, and so what the proxy says.
//!
//! A struct with field 1, the text, and field 2, one of the types below. Types 0 to 10 are those of Apache Thrift
//! (`TApplicationException.h`). 11 and 12 are those of its descendant fbthrift; Apache's libraries hand a type that
//! they do not know to the application as its number.

use codec_api::{Cause, Status};

use crate::envelope::{self, Type as MessageType};
use crate::form::Encoding;
use crate::format::{Binary, Compact, Field, Format, STOP, Scalar, Type};

/// Longest text of a local reply, in bytes.
pub(crate) const MAX_TEXT: usize = 4096;

const UNKNOWN: i32 = 0;
const UNKNOWN_METHOD: i32 = 1;
const INTERNAL_ERROR: i32 = 6;
const PROTOCOL_ERROR: i32 = 7;
const INVALID_TRANSFORM: i32 = 8;
const INVALID_PROTOCOL: i32 = 9;
const UNSUPPORTED_CLIENT_TYPE: i32 = 10;
const LOADSHEDDING: i32 = 11;
const TIMEOUT: i32 = 12;

/// The type of the local reply to a cause, and the words that its text begins with; the table stands in the crate's
/// documentation.
pub(crate) fn reply(cause: Cause) -> (i32, &'static str) {
    match cause {
        Cause::NoRoute => (UNKNOWN_METHOD, "no route"),
        Cause::Misconfigured => (INTERNAL_ERROR, "misconfigured"),
        Cause::NoEndpoint => (INTERNAL_ERROR, "no endpoint"),
        Cause::ConnectFailure => (INTERNAL_ERROR, "connect failure"),
        Cause::ConnectionLost => (INTERNAL_ERROR, "connection lost"),
        Cause::Timeout => (TIMEOUT, "timeout"),
        Cause::Overload => (LOADSHEDDING, "overload"),
        Cause::RateLimited => (LOADSHEDDING, "rate limited"),
        Cause::Denied => (UNKNOWN, "denied"),
        Cause::TooLarge => (PROTOCOL_ERROR, "too large"),
        Cause::BadMessage => (PROTOCOL_ERROR, "bad message"),
        Cause::Unsupported => (UNSUPPORTED_CLIENT_TYPE, "unsupported"),
        Cause::Scattered => (UNSUPPORTED_CLIENT_TYPE, "scattered"),
    }
}

/// The type for a `THeader` that asks for a transform that is not served.
pub(crate) const UNSERVED_TRANSFORM: i32 = INVALID_TRANSFORM;
/// The type for a `THeader` that names a protocol that is not served.
pub(crate) const UNSERVED_PROTOCOL: i32 = INVALID_PROTOCOL;

/// Writes an exception message, from its head to its end.
pub(crate) fn put(out: &mut Vec<u8>, encoding: Encoding, name: &[u8], seqid: u32, (kind, text): (i32, &str)) {
    envelope::put(out, encoding, MessageType::Exception, name, seqid);
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    match encoding {
        Encoding::Strict | Encoding::Lenient => put_struct::<Binary>(out, kind, text),
        Encoding::Compact => put_struct::<Compact>(out, kind, text),
    }
}

fn put_struct<F: Format>(out: &mut Vec<u8>, kind: i32, text: &str) {
    F::put_field(out, Field { kind: Type::Text, id: 1, known: None }, 0);
    F::put_length(out, text.len() as u32);
    out.extend_from_slice(text.as_bytes());
    F::put_field(out, Field { kind: Type::I32, id: 2, known: None }, 1);
    F::put_scalar(out, Type::I32, Scalar::Int(kind.into()));
    out.push(STOP);
}

/// How a response ended, by the struct behind its head, of which the beginning is enough.
///
/// | message | struct | status |
/// |---|---|---|
/// | reply | empty, or field 0 is set first | ok |
/// | reply | another field is set first: an exception that the method declares | application error |
/// | exception | type 11, load shedding | overloaded |
/// | exception | any other type, or none that can be seen | server error |
///
/// Each type but 11 says that the endpoint could not decode, find or run what was asked, so it is its failure: 6 is
/// what servers say when the method threw what it does not declare, 1 that it is not there (an endpoint of another
/// version), 7 and the others that it could not read or carry the call.
pub(crate) fn status(kind: MessageType, encoding: Encoding, result: &[u8]) -> Status {
    match encoding {
        Encoding::Strict | Encoding::Lenient => read_status::<Binary>(kind, result),
        Encoding::Compact => read_status::<Compact>(kind, result),
    }
}

fn read_status<F: Format>(kind: MessageType, result: &[u8]) -> Status {
    if kind != MessageType::Exception {
        return match F::field(result, 0, 0) {
            Ok((None | Some(Field { id: 0, .. }), _)) => Status::Ok,
            Ok((Some(_), _)) => Status::ApplicationError,
            Err(_) => Status::ServerError,
        };
    }
    match exception_type::<F>(result) {
        Some(LOADSHEDDING) => Status::Overloaded,
        _ => Status::ServerError,
    }
}

/// The type of an exception: field 2, behind nothing but texts and numbers.
fn exception_type<F: Format>(result: &[u8]) -> Option<i32> {
    let (mut at, mut last) = (0, 0);
    loop {
        let (field, next) = F::field(result, at, last).ok()?;
        let field = field?;
        (at, last) = (next, field.id);
        at = match field.kind {
            Type::Text => {
                let (length, next) = F::length(result, at).ok()?;
                next + length as usize
            }
            _ if field.known.is_some() => at,
            kind => {
                let (scalar, next) = F::scalar(result, at, kind).ok()?;
                if let (2, Scalar::Int(kind)) = (field.id, scalar) {
                    return i32::try_from(kind).ok();
                }
                next
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;
    use crate::walk::Walk;

    #[test]
    fn an_exception_is_read_as_it_is_written() {
        for encoding in [Encoding::Strict, Encoding::Lenient, Encoding::Compact] {
            for kind in 0..13 {
                let mut bytes = Vec::new();
                put(&mut bytes, encoding, b"add", 300, (kind, "nö"));
                let envelope = Envelope::read(&bytes, 0).unwrap();
                assert_eq!((envelope.kind, envelope.seqid), (MessageType::Exception, 300));
                let expected = if kind == 11 { Status::Overloaded } else { Status::ServerError };
                assert_eq!(status(envelope.kind, encoding, &bytes[envelope.end..]), expected);
                let mut walk = Walk::default();
                walk.begin(envelope.end);
                let end = match encoding {
                    Encoding::Compact => walk.go::<Compact>(&bytes, bytes.len()),
                    _ => walk.go::<Binary>(&bytes, bytes.len()),
                };
                assert_eq!(end, Ok(bytes.len()));
            }
        }
    }

    #[test]
    fn a_long_text_is_cut_between_two_letters() {
        let mut bytes = Vec::new();
        put(&mut bytes, Encoding::Strict, b"add", 1, (6, &"ö".repeat(5000)));
        assert!(bytes.len() < MAX_TEXT + 50);
    }

    #[test]
    fn the_first_field_of_a_reply_tells_how_it_ended() {
        let rows: [(&[u8], &[u8], Status); 4] = [
            (b"\0", b"\0", Status::Ok),
            (b"\x08\0\0\0\0\0\x01\0", b"\x05\0\x02\0", Status::Ok),
            (b"\x0c\0\x01\0\0", b"\x1c\0\0", Status::ApplicationError),
            (b"", b"", Status::ServerError),
        ];
        for (binary, compact, expected) in rows {
            assert_eq!(status(MessageType::Reply, Encoding::Strict, binary), expected);
            assert_eq!(status(MessageType::Reply, Encoding::Compact, compact), expected);
        }
    }
}
