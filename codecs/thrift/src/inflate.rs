//! What is under a `THeader`'s zlib transform, bounded.
//!
//! Source: RFC 1950, as Apache's libraries write it.

use std::fmt;

use miniz_oxide::inflate::stream::{InflateState, ZeroReset, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

/// Bytes that are inflated to see a message's head: more than the longest name and what is around it.
pub(crate) const HEAD_BYTES: usize = 4096;

/// The state of a decompressor, made when the first compressed message comes (some 40 KiB).
#[derive(Default)]
pub(crate) struct Inflater {
    state: Option<Box<InflateState>>,
}

/// Why a payload could not be inflated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not zlib, or is cut.
    Bad(&'static str),
    /// It holds more than the limit.
    TooLong,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("made", &self.state.is_some()).finish()
    }
}

impl Inflater {
    /// The first bytes of what is under zlib, at most [`HEAD_BYTES`]; fewer where the payload ends, or is cut.
    pub(crate) fn head(&mut self, payload: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut inflated = Vec::new();
        self.run(payload, &mut inflated, HEAD_BYTES).map(|_| inflated)
    }

    /// All that is under zlib, if that is at most `limit` bytes. The memory that it takes grows with what comes out.
    pub(crate) fn all(&mut self, payload: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
        let mut inflated = Vec::new();
        // One byte more, to tell what fits from what does not.
        let ended = self.run(payload, &mut inflated, limit.saturating_add(1))?;
        match (ended, inflated.len() > limit) {
            (_, true) => Err(Fault::TooLong),
            (true, false) => Ok(inflated),
            (false, false) => Err(Fault::Bad("its zlib data is cut")),
        }
    }

    /// Inflates up to `most` bytes, and tells whether the data has come to its end.
    fn run(&mut self, mut payload: &[u8], inflated: &mut Vec<u8>, most: usize) -> Result<bool, Fault> {
        let state = self.state.get_or_insert_with(|| InflateState::new_boxed(DataFormat::Zlib));
        state.reset_as(ZeroReset);
        let mut length = 0;
        loop {
            let room = most.min((2 * length).max(HEAD_BYTES));
            inflated.resize(room, 0);
            let step = inflate(state, payload, &mut inflated[length..], MZFlush::None);
            length += step.bytes_written;
            payload = &payload[step.bytes_consumed..];
            let ended = match step.status {
                Ok(MZStatus::StreamEnd) => Some(true),
                Ok(_) if step.bytes_written == 0 && step.bytes_consumed == 0 => Some(false),
                Err(MZError::Buf) => Some(false),
                Ok(_) => (length == most).then_some(false),
                Err(_) => return Err(Fault::Bad("its payload is not zlib data")),
            };
            if let Some(ended) = ended {
                inflated.truncate(length);
                return Ok(ended);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::deflate::compress_to_vec_zlib;

    #[test]
    fn what_was_deflated_comes_out_again() {
        let mut inflater = Inflater::default();
        for length in [0, 1, 4095, 4096, 4097, 100_000] {
            let plain: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let payload = compress_to_vec_zlib(&plain, 6);
            assert_eq!(inflater.all(&payload, length), Ok(plain.clone()), "{length}");
            assert_eq!(inflater.head(&payload), Ok(plain[..length.min(HEAD_BYTES)].to_vec()), "{length}");
            if length > 0 {
                assert_eq!(inflater.all(&payload, length - 1), Err(Fault::TooLong), "{length}");
            }
        }
    }

    #[test]
    fn a_bomb_is_refused_when_it_reaches_the_limit() {
        let payload = compress_to_vec_zlib(&vec![0; 32 << 20], 9);
        assert!(payload.len() < 64 << 10);
        let mut inflater = Inflater::default();
        assert_eq!(inflater.all(&payload, 1 << 20), Err(Fault::TooLong));
        assert_eq!(inflater.head(&payload), Ok(vec![0; HEAD_BYTES]));
    }

    #[test]
    fn what_is_cut_or_no_zlib_says_so() {
        let payload = compress_to_vec_zlib(&[7; 1000], 6);
        let mut inflater = Inflater::default();
        for cut in 0..payload.len() {
            assert!(matches!(inflater.all(&payload[..cut], 1000), Err(Fault::Bad(_))), "cut at {cut}");
        }
        assert!(matches!(inflater.all(b"\x80\x01\0\x01", 1000), Err(Fault::Bad(_))));
        assert_eq!(inflater.all(&payload, 1000), Ok(vec![7; 1000]), "and it can be used again");
    }
}
