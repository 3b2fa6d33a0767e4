//! `THeader`: what stands between a frame's length and its payload.
//!
//! ```text
//! 0        4      6      8      12            14
//! length   0f ff  flags  seqid  words (2)     block: words × 4 bytes          payload
//!
//! block: protocol id, count of transforms, their ids (varints); info blocks; zeros up to a multiple of four
//! info block: its id, a count (varints), as many pairs of texts (a varint length and its bytes)
//! ```
//!
//! Protocol ids are 0, binary, and 2, compact. Of the transforms only 1, zlib, is served. Info 1 holds keys and values;
//! so does info 2, which fbthrift added for keys that travel on to further calls. A reader stops at an info id that it
//! does not know. Source: Apache Thrift, `doc/specs/HeaderFormat.md`; for info 2, fbthrift's `THeader.h`.

pub(crate) mod edit;

use std::ops::Range;

use crate::form::Encoding;
use crate::format::{Stuck, array, put_varint, varint_32};

/// The bytes behind the length.
pub(crate) const MAGIC: [u8; 2] = [0x0f, 0xff];
/// Where the magic number stands.
pub(crate) const MAGIC_AT: usize = 4;
/// Where the sequence id stands, in four bytes.
pub(crate) const SEQID_AT: usize = 8;
/// Where the block begins.
pub(crate) const BLOCK_AT: usize = 14;
/// Most words of four bytes that a block can have.
pub(crate) const MAX_WORDS: usize = u16::MAX as usize;

const BINARY: u32 = 0;
const COMPACT: u32 = 2;
const ZLIB: u32 = 1;
/// Keys and values.
pub(crate) const KEYS: u32 = 1;
/// Keys and values that travel on.
pub(crate) const KEPT_KEYS: u32 = 2;

/// What a `THeader` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) flags: [u8; 2],
    pub(crate) seqid: u32,
    /// The payload's protocol; strict and lenient binary are one.
    pub(crate) encoding: Encoding,
    pub(crate) compressed: bool,
    /// Where the info blocks stand, padding included.
    pub(crate) info: Range<usize>,
    /// Where the payload begins.
    pub(crate) payload: usize,
}

/// Why a `THeader` cannot be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// So many bytes are worth another look.
    Need(usize),
    /// It does not begin as a `THeader` does.
    NotOne,
    /// The block is malformed.
    Bad(String),
    /// A transform that is not served.
    Transform(u32),
    /// A protocol that is not served.
    Protocol(u32),
}

impl From<Stuck> for Fault {
    /// A block is read when it is there, so what it awaits stands beyond its end.
    fn from(stuck: Stuck) -> Self {
        match stuck {
            Stuck::Need(at) => Self::Bad(format!("it ends before byte {at}")),
            Stuck::Bad(text) => Self::Bad(text),
        }
    }
}

/// The sequence id of a `THeader` frame, as far as it is one.
pub(crate) fn seqid(frame: &[u8]) -> Result<u32, Fault> {
    if frame.get(MAGIC_AT..MAGIC_AT + 2).is_some_and(|magic| magic != MAGIC) {
        return Err(Fault::NotOne);
    }
    match array::<4>(frame, SEQID_AT) {
        Ok((seqid, _)) if frame.len() >= BLOCK_AT => Ok(u32::from_be_bytes(seqid)),
        _ => Err(Fault::Need(BLOCK_AT)),
    }
}

/// Reads the header of a frame of which the beginning is there, and which ends at `end`.
pub(crate) fn read(frame: &[u8], end: usize) -> Result<Header, Fault> {
    let seqid = seqid(frame)?;
    let payload = BLOCK_AT + 4 * usize::from(u16::from_be_bytes([frame[12], frame[13]]));
    if payload > end {
        return Err(Fault::Bad(format!("it is to end at byte {payload} and its frame ends at byte {end}")));
    }
    let Some(block) = frame.get(..payload) else { return Err(Fault::Need(payload)) };
    let (protocol, at) = varint_32(block, BLOCK_AT)?;
    let encoding = match protocol {
        BINARY => Encoding::Strict,
        COMPACT => Encoding::Compact,
        other => return Err(Fault::Protocol(other)),
    };
    let (transforms, mut at) = varint_32(block, at)?;
    let mut compressed = false;
    for _ in 0..transforms {
        let (transform, next) = varint_32(block, at)?;
        // Zlib over zlib helps nobody.
        if transform != ZLIB || compressed {
            return Err(Fault::Transform(transform));
        }
        compressed = true;
        at = next;
    }
    let flags = [frame[6], frame[7]];
    Ok(Header { flags, seqid, encoding, compressed, info: at..payload, payload })
}

/// The protocol of a frame's header that cannot be read whole, for its answer.
pub(crate) fn guess_encoding(frame: &[u8]) -> Encoding {
    match varint_32(frame, BLOCK_AT) {
        Ok((COMPACT, _)) => Encoding::Compact,
        _ => Encoding::Strict,
    }
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// A block of keys and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) id: u32,
    pub(crate) pairs: Vec<Pair>,
}

/// Gives each key and value to `see`.
pub(crate) fn each(frame: &[u8], info: &Range<usize>, mut see: impl FnMut(&[u8], Range<usize>)) {
    let mut at = info.start;
    while let Ok((Some((_, pairs)), next)) = info_begins(frame, at, info.end) {
        at = next;
        for _ in 0..pairs {
            let Ok((pair, next)) = pair(frame, at, info.end) else { return };
            see(&frame[pair.name], pair.value);
            at = next;
        }
    }
}

/// The blocks that are understood, and where what is not understood begins, if anything but padding is left.
pub(crate) fn blocks(frame: &[u8], info: &Range<usize>) -> (Vec<Info>, Range<usize>) {
    let (mut blocks, mut at) = (Vec::new(), info.start);
    while let Ok((Some((id, count)), next)) = info_begins(frame, at, info.end) {
        let (mut pairs, mut end) = (Vec::new(), next);
        for _ in 0..count {
            let Ok((pair, next)) = pair(frame, end, info.end) else { return (blocks, at..info.end) };
            pairs.push(pair);
            end = next;
        }
        blocks.push(Info { id, pairs });
        at = end;
    }
    let is_padding = frame[at..info.end].iter().all(|byte| *byte == 0);
    (blocks, if is_padding { info.end..info.end } else { at..info.end })
}

/// The id and count of the info block at `at`; `None`: only padding, or blocks that are not understood, are left.
fn info_begins(frame: &[u8], at: usize, end: usize) -> Result<(Option<(u32, u32)>, usize), Stuck> {
    let block = &frame[..end];
    if at == end {
        return Ok((None, at));
    }
    match varint_32(block, at)? {
        (id @ (KEYS | KEPT_KEYS), next) => {
            let (count, next) = varint_32(block, next)?;
            Ok((Some((id, count)), next))
        }
        _ => Ok((None, at)),
    }
}

fn pair(frame: &[u8], at: usize, end: usize) -> Result<(Pair, usize), Stuck> {
    let (name, next) = text(frame, at, end)?;
    let (value, next) = text(frame, next, end)?;
    Ok((Pair { name, value }, next))
}

fn text(frame: &[u8], at: usize, end: usize) -> Result<(Range<usize>, usize), Stuck> {
    let (length, start) = varint_32(&frame[..end], at)?;
    match start + length as usize {
        next if next <= end => Ok((start..next, next)),
        next => Err(Stuck::Need(next)),
    }
}

/// Writes the part of a frame before its block and payload, whose lengths are given.
pub(crate) fn put(out: &mut Vec<u8>, flags: [u8; 2], seqid: u32, block: &[u8], payload: usize) {
    let length = BLOCK_AT - MAGIC_AT + block.len() + payload;
    out.extend((length as u32).to_be_bytes());
    out.extend(MAGIC);
    out.extend(flags);
    out.extend(seqid.to_be_bytes());
    out.extend(((block.len() / 4) as u16).to_be_bytes());
    out.extend_from_slice(block);
}

/// The beginning of a block: protocol and transforms.
pub(crate) fn begin_block(encoding: Encoding, compressed: bool) -> Vec<u8> {
    let mut block = Vec::with_capacity(64);
    put_varint(&mut block, if encoding == Encoding::Compact { COMPACT } else { BINARY }.into());
    put_varint(&mut block, compressed.into());
    if compressed {
        put_varint(&mut block, ZLIB.into());
    }
    block
}

/// The end of a block: zeros.
pub(crate) fn end_block(block: &mut Vec<u8>) {
    block.resize(block.len().next_multiple_of(4), 0);
}
