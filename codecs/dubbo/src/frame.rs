//! The sixteen bytes before each message's body.
//!
//! ```text
//! 0      2      3      4              12             16
//! da bb  flags  status id (8, signed) length (4)     body
//! ```
//!
//! Flags: 0x80 request, 0x40 two-way (a response is awaited), 0x20 event, low five bits the serialization. The status
//! counts in responses only. The length is that of the body. Source: Dubbo's `ExchangeCodec`.

use codec_api::DecodeError;

use crate::{serialization, sniff};

/// Length of the header.
pub(crate) const HEADER: usize = 16;
/// Where the id stands, in eight bytes.
pub(crate) const ID_AT: usize = 4;
/// Lengths beyond this are taken for garbage, not for a message that could be skipped: 1 GiB.
pub(crate) const MAX_SKIP: u32 = 1 << 30;
/// How every message begins.
pub(crate) const MAGIC: [u8; 2] = [0xda, 0xbb];

/// Set in requests.
pub(crate) const REQUEST: u8 = 0x80;
/// Set in requests that await a response.
pub(crate) const TWO_WAY: u8 = 0x40;
/// Set in heartbeats and notices.
pub(crate) const EVENT: u8 = 0x20;

/// A message's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) flags: u8,
    pub(crate) status: u8,
    pub(crate) id: u64,
    /// Length of the body.
    pub(crate) body: u32,
}

impl Header {
    /// Reads the header at the start of `input`. `None`: it has not all arrived.
    pub(crate) fn read(input: &[u8]) -> Result<Option<Self>, DecodeError> {
        let start = &input[..input.len().min(MAGIC.len())];
        if start != &MAGIC[..start.len()] {
            return Err(DecodeError::new(sniff::describe(input)));
        }
        let Some(header) = input.first_chunk::<HEADER>() else { return Ok(None) };
        let [_, _, flags, status, id @ .., l0, l1, l2, l3] = header;
        let body = u32::from_be_bytes([*l0, *l1, *l2, *l3]);
        if body > MAX_SKIP {
            let reason =
                format!("a body of {} bytes is announced; at most {MAX_SKIP} make sense", body.cast_signed());
            return Err(DecodeError::new(reason));
        }
        Ok(Some(Self { flags: *flags, status: *status, id: u64::from_be_bytes(*id), body }))
    }

    /// The header's bytes.
    pub(crate) fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..2].copy_from_slice(&MAGIC);
        bytes[2] = self.flags;
        bytes[3] = self.status;
        bytes[ID_AT..ID_AT + 8].copy_from_slice(&self.id.to_be_bytes());
        bytes[12..].copy_from_slice(&self.body.to_be_bytes());
        bytes
    }

    /// Whether all bits of `flag` are set.
    pub(crate) fn is(&self, flag: u8) -> bool {
        self.flags & flag == flag
    }

    /// In what the body is written.
    pub(crate) fn serialization(&self) -> u8 {
        self.flags & serialization::MASK
    }

    /// Length of the message: header and body.
    pub(crate) fn total(&self) -> usize {
        HEADER + self.body as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_written_as_it_was_read() {
        let bytes = *b"\xda\xbb\xc2\x14\x80\x01\x02\x03\x04\x05\x06\x07\x00\x00\x01\x00";
        let header = Header::read(&bytes).unwrap().unwrap();
        assert_eq!(
            (header.flags, header.status, header.id, header.body),
            (0xc2, 20, 0x8001_0203_0405_0607, 256)
        );
        assert_eq!(header.bytes(), bytes);
        assert_eq!(header.total(), 272);
        for cut in 0..HEADER {
            assert_eq!(Header::read(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn absurd_lengths_are_errors() {
        for (length, shown) in
            [(-1, "-1 bytes"), (i32::MIN, "-2147483648 bytes"), ((1 << 30) + 1, "1073741825 bytes")]
        {
            let header = Header { flags: 0xc2, status: 0, id: 1, body: length.cast_unsigned() };
            let error = Header::read(&header.bytes()).unwrap_err();
            assert!(error.reason.contains(shown), "{error}");
        }
    }
}
