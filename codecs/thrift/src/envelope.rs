//! The head of a message: the method's name, what kind of message it is, its sequence id.
//!
//! ```text
//! strict binary    80 01 .. type | name: length (4), bytes | seqid (4)          | struct
//! lenient binary   name: length (4), bytes | type (1)      | seqid (4)          | struct
//! compact          82 | type (3 bits), version 1 (5 bits)  | seqid, name length (varints), name | struct
//! ```
//!
//! The first byte tells them apart: a lenient name is not so long that its length's first byte would not be 0.
//! Source: Apache Thrift, `doc/specs/thrift-binary-protocol.md` and `thrift-compact-protocol.md`.

use std::ops::Range;

use crate::form::Encoding;
use crate::format::{Binary, Compact, Format, Stuck, array, varint_32};

/// Longest name of a method, its service's included, in bytes.
pub(crate) const MAX_NAME: usize = 1024;

/// The first byte of strict binary.
pub(crate) const STRICT: u8 = 0x80;
/// The second byte of strict binary.
pub(crate) const STRICT_VERSION: u8 = 0x01;
/// The first byte of compact.
pub(crate) const COMPACT: u8 = 0x82;
/// The low five bits of the second byte of compact.
pub(crate) const COMPACT_VERSION: u8 = 0x01;
/// The low five bits.
pub(crate) const COMPACT_VERSION_MASK: u8 = 0x1f;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Call,
    Reply,
    Exception,
    Oneway,
}

impl Type {
    fn read(code: u8, at: usize) -> Result<Self, Stuck> {
        match code {
            1 => Ok(Self::Call),
            2 => Ok(Self::Reply),
            3 => Ok(Self::Exception),
            4 => Ok(Self::Oneway),
            _ => Err(Stuck::Bad(format!(
                "message type {code} at byte {at} is none of call (1), reply (2), exception (3), oneway (4)"
            ))),
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Call => 1,
            Self::Reply => 2,
            Self::Exception => 3,
            Self::Oneway => 4,
        }
    }
}

/// The head of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) encoding: Encoding,
    pub(crate) kind: Type,
    pub(crate) name: Range<usize>,
    pub(crate) seqid: u32,
    /// Where the sequence id stands.
    pub(crate) seqid_at: usize,
    /// How many bytes it takes.
    pub(crate) width: usize,
    /// Where the struct begins.
    pub(crate) end: usize,
}

impl Envelope {
    /// Reads the head that begins at `at`. Looks at its fixed parts only, not at the name's bytes.
    #[inline]
    pub(crate) fn read(input: &[u8], at: usize) -> Result<Self, Stuck> {
        let ([first], _) = array::<1>(input, at)?;
        match first {
            STRICT => Self::strict(input, at),
            COMPACT => Self::compact(input, at),
            0..STRICT => Self::lenient(input, at),
            other => Err(Stuck::Bad(format!(
                "byte {at} is {other:02x}; a Thrift message begins with 80 or 00 (binary) or 82 (compact)"
            ))),
        }
    }

    fn strict(input: &[u8], at: usize) -> Result<Self, Stuck> {
        let ([_, version, _, code], next) = array::<4>(input, at)?;
        if version != STRICT_VERSION {
            return Err(Stuck::Bad(format!(
                "binary protocol version {version} at byte {at}; only 1 is known"
            )));
        }
        let kind = Type::read(code, next - 1)?;
        let (length, start) = Binary::length(input, next)?;
        let seqid_at = start + name(length, next)?;
        let (seqid, end) = array(input, seqid_at)?;
        let seqid = u32::from_be_bytes(seqid);
        Ok(Self { encoding: Encoding::Strict, kind, name: start..seqid_at, seqid, seqid_at, width: 4, end })
    }

    fn lenient(input: &[u8], at: usize) -> Result<Self, Stuck> {
        let (length, start) = Binary::length(input, at)?;
        let code_at = start + name(length, at)?;
        let ([code, seqid @ ..], end) = array::<5>(input, code_at)?;
        let kind = Type::read(code, code_at)?;
        let seqid = u32::from_be_bytes(seqid);
        let (encoding, seqid_at) = (Encoding::Lenient, code_at + 1);
        Ok(Self { encoding, kind, name: start..code_at, seqid, seqid_at, width: 4, end })
    }

    fn compact(input: &[u8], at: usize) -> Result<Self, Stuck> {
        let ([_, second], seqid_at) = array::<2>(input, at)?;
        if second & COMPACT_VERSION_MASK != COMPACT_VERSION {
            let version = second & COMPACT_VERSION_MASK;
            return Err(Stuck::Bad(format!(
                "compact protocol version {version} at byte {at}; only 1 is known"
            )));
        }
        let kind = Type::read(second >> 5, seqid_at - 1)?;
        let (seqid, next) = varint_32(input, seqid_at)?;
        let (length, start) = Compact::length(input, next)?;
        let end = start + name(length, next)?;
        if input.len() < end {
            return Err(Stuck::Need(end));
        }
        let (encoding, width) = (Encoding::Compact, next - seqid_at);
        Ok(Self { encoding, kind, name: start..end, seqid, seqid_at, width, end })
    }

    /// Whether a request or a response, of a connection's two directions.
    pub(crate) fn is_request(&self) -> bool {
        matches!(self.kind, Type::Call | Type::Oneway)
    }
}

fn name(length: u32, at: usize) -> Result<usize, Stuck> {
    match length as usize {
        length if length <= MAX_NAME => Ok(length),
        length => Err(Stuck::Bad(format!(
            "a method's name of {length} bytes is announced at byte {at}; at most {MAX_NAME} are served"
        ))),
    }
}

/// Writes the head of a message.
pub(crate) fn put(out: &mut Vec<u8>, encoding: Encoding, kind: Type, name: &[u8], seqid: u32) {
    let length = name.len() as u32;
    match encoding {
        Encoding::Strict => {
            out.extend([STRICT, STRICT_VERSION, 0, kind.code()]);
            Binary::put_length(out, length);
            out.extend_from_slice(name);
            encoding.put_seqid(seqid, out);
        }
        Encoding::Lenient => {
            Binary::put_length(out, length);
            out.extend_from_slice(name);
            out.push(kind.code());
            encoding.put_seqid(seqid, out);
        }
        Encoding::Compact => {
            out.extend([COMPACT, kind.code() << 5 | COMPACT_VERSION]);
            encoding.put_seqid(seqid, out);
            Compact::put_length(out, length);
            out.extend_from_slice(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written_and_awaited_where_it_is_cut() {
        for encoding in [Encoding::Strict, Encoding::Lenient, Encoding::Compact] {
            for kind in [Type::Call, Type::Reply, Type::Exception, Type::Oneway] {
                for seqid in [0, 300, u32::MAX] {
                    let mut bytes = vec![7, 7];
                    put(&mut bytes, encoding, kind, b"Cart:add", seqid);
                    let read = Envelope::read(&bytes, 2).unwrap();
                    assert_eq!((read.encoding, read.kind, read.seqid), (encoding, kind, seqid));
                    assert_eq!((&bytes[read.name.clone()], read.end), (&b"Cart:add"[..], bytes.len()));
                    assert_eq!(bytes[read.seqid_at..][..read.width], encoding.seqid(seqid).0[..read.width]);
                    for cut in 2..bytes.len() {
                        let Err(Stuck::Need(need)) = Envelope::read(&bytes[..cut], 2) else {
                            panic!("cut at {cut}")
                        };
                        assert!(need > cut && need <= bytes.len(), "cut at {cut}: {need}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_head_says_why() {
        let rows: [(&[u8], &str); 6] = [
            (b"\x81\x01\0\x01", "byte 0 is 81"),
            (b"\x80\x02\0\x01", "version 2"),
            (b"\x80\x01\0\x05", "message type 5"),
            (b"\x82\x22\0\0", "compact protocol version 2"),
            (b"\x80\x01\0\x01\0\0\x04\x01", "1025 bytes"),
            (b"\x80\x01\0\x01\xff\0\x04\x01", "negative"),
        ];
        for (bytes, word) in rows {
            let Err(Stuck::Bad(text)) = Envelope::read(bytes, 0) else { panic!("{bytes:02x?}") };
            assert!(text.contains(word), "{text}");
        }
    }
}
