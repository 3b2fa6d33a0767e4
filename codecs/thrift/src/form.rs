//! In what form a message is written, and what of that travels with it.

use crate::format::{VARINT_32, put_varint};

/// How messages are cut out of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Not at all: a message ends where its struct ends. Also called unframed.
    Buffered,
    /// By a length of four bytes before each.
    Framed,
    /// By a length and a `THeader`: keys and values, and transforms of the payload.
    Header,
}

/// The protocol in which a message's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Binary, with a version at the beginning of each message.
    Strict,
    /// Binary without a version, as libraries before 2008 wrote it and many can still be told to.
    Lenient,
    /// Compact.
    Compact,
}

impl Transport {
    /// What options call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Buffered => "buffered",
            Self::Framed => "framed",
            Self::Header => "header",
        }
    }
}

impl Encoding {
    /// Whether values are written in the same way. Strict and lenient binary differ in the head of a message only, and
    /// who reads one reads the other.
    pub(crate) fn is_like(self, other: Self) -> bool {
        (self == Self::Compact) == (other == Self::Compact)
    }

    /// What options call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Strict | Self::Lenient => "binary",
            Self::Compact => "compact",
        }
    }

    /// Appends a sequence id.
    pub(crate) fn put_seqid(self, seqid: u32, out: &mut Vec<u8>) {
        match self {
            Self::Strict | Self::Lenient => out.extend(seqid.to_be_bytes()),
            Self::Compact => put_varint(out, seqid.into()),
        }
    }

    /// A sequence id's bytes, and how many there are.
    pub(crate) fn seqid(self, seqid: u32) -> ([u8; VARINT_32], usize) {
        let mut bytes = [0; VARINT_32];
        if self != Self::Compact {
            bytes[..4].copy_from_slice(&seqid.to_be_bytes());
            return (bytes, 4);
        }
        let (mut left, mut length) = (seqid, 1);
        for byte in &mut bytes {
            *byte = left as u8 & 0x7f;
            left >>= 7;
            if left == 0 {
                break;
            }
            *byte |= 0x80;
            length += 1;
        }
        (bytes, length)
    }
}

/// Transport and protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub(crate) transport: Transport,
    pub(crate) encoding: Encoding,
}

/// What of a message the codec of the other side must know, and who answers a request without its bytes. Travels as
/// [`codec_api::Message::context`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) form: Form,
    /// Whether the payload is under zlib.
    pub(crate) compressed: bool,
    /// Why a request cannot be served, where its answer has a type for that.
    pub(crate) unserved: Unserved,
    /// Where the sequence id stands in the message; under zlib that id itself, for it has no place.
    pub(crate) seqid: u32,
    /// How many bytes the sequence id takes.
    pub(crate) width: u8,
}

/// What a `THeader` asks for that is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unserved {
    Nothing,
    Transform,
    Protocol,
}

impl Context {
    /// A context without places.
    pub(crate) fn bare(form: Form) -> Self {
        Self { form, compressed: false, unserved: Unserved::Nothing, seqid: 0, width: 0 }
    }
}

impl From<Context> for u64 {
    fn from(context: Context) -> Self {
        let transport = match context.form.transport {
            Transport::Buffered => 0,
            Transport::Framed => 1,
            Transport::Header => 2,
        };
        let encoding = match context.form.encoding {
            Encoding::Strict => 0,
            Encoding::Lenient => 1,
            Encoding::Compact => 2,
        };
        let unserved = match context.unserved {
            Unserved::Nothing => 0,
            Unserved::Transform => 1,
            Unserved::Protocol => 2,
        };
        Self::from(context.seqid)
            | Self::from(context.width) << 32
            | transport << 40
            | encoding << 42
            | unserved << 44
            | Self::from(context.compressed) << 46
    }
}

impl From<u64> for Context {
    fn from(context: u64) -> Self {
        let transport = match context >> 40 & 3 {
            0 => Transport::Buffered,
            1 => Transport::Framed,
            _ => Transport::Header,
        };
        let encoding = match context >> 42 & 3 {
            0 => Encoding::Strict,
            1 => Encoding::Lenient,
            _ => Encoding::Compact,
        };
        let unserved = match context >> 44 & 3 {
            0 => Unserved::Nothing,
            1 => Unserved::Transform,
            _ => Unserved::Protocol,
        };
        Self {
            form: Form { transport, encoding },
            compressed: context >> 46 & 1 == 1,
            unserved,
            seqid: context as u32,
            width: (context >> 32) as u8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_comes_out_as_it_went_in() {
        for transport in [Transport::Buffered, Transport::Framed, Transport::Header] {
            for encoding in [Encoding::Strict, Encoding::Lenient, Encoding::Compact] {
                for unserved in [Unserved::Nothing, Unserved::Transform, Unserved::Protocol] {
                    let form = Form { transport, encoding };
                    for (compressed, seqid, width) in [(false, 17, 4), (true, u32::MAX, 0)] {
                        let context = Context { form, compressed, unserved, seqid, width };
                        assert_eq!(Context::from(u64::from(context)), context);
                    }
                }
            }
        }
    }

    #[test]
    fn a_sequence_id_is_the_same_in_both_ways_of_writing_it() {
        for seqid in [0, 1, 127, 128, 16_383, 16_384, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            for encoding in [Encoding::Strict, Encoding::Lenient, Encoding::Compact] {
                let mut written = Vec::new();
                encoding.put_seqid(seqid, &mut written);
                let (bytes, length) = encoding.seqid(seqid);
                assert_eq!(bytes[..length], written);
            }
        }
    }
}
