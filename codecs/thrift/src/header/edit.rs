//! Writes a `THeader`'s block with keys set: replaced where they are, else added.

use std::ops::Range;

use codec_api::Edit;

use super::{Info, KEYS, MAX_WORDS, begin_block, blocks, end_block};
use crate::form::Encoding;
use crate::format::put_varint;

/// A block for a payload in `encoding`, with the info blocks that stand at `info` in `frame` and the edits made to
/// them. A key is replaced wherever it stands, whatever its case; its spelling stays. A new one is added to the first
/// block of keys that do not travel on. What is not understood is kept as it is, behind all else.
///
/// `None`: it would be longer than a `THeader` can say.
pub(crate) fn block(
    encoding: Encoding,
    compressed: bool,
    frame: &[u8],
    info: &Range<usize>,
    edits: &[Edit<'_>],
) -> Option<Vec<u8>> {
    let mut block = begin_block(encoding, compressed);
    let (infos, rest) = blocks(frame, info);
    let is_missing = |edit: &&Edit<'_>| !infos.iter().any(|info| has(frame, info, edit.name));
    let mut added: Vec<&Edit<'_>> = edits.iter().filter(is_missing).collect();
    if !added.is_empty() && !infos.iter().any(|info| info.id == KEYS) {
        // In front: a reader of Apache's knows no other info, and stops at the first that it does not know.
        put_info(&mut block, frame, &Info { id: KEYS, pairs: Vec::new() }, edits, &mut added);
    }
    for info in &infos {
        let mut none = Vec::new();
        let added = if info.id == KEYS { &mut added } else { &mut none };
        put_info(&mut block, frame, info, edits, added);
    }
    block.extend_from_slice(&frame[rest]);
    end_block(&mut block);
    (block.len() / 4 <= MAX_WORDS).then_some(block)
}

fn has(frame: &[u8], info: &Info, name: &str) -> bool {
    info.pairs.iter().any(|pair| frame[pair.name.clone()].eq_ignore_ascii_case(name.as_bytes()))
}

/// Writes one block of keys, with all of `added`, which is then empty.
fn put_info(block: &mut Vec<u8>, frame: &[u8], info: &Info, edits: &[Edit<'_>], added: &mut Vec<&Edit<'_>>) {
    put_varint(block, info.id.into());
    put_varint(block, (info.pairs.len() + added.len()) as u64);
    for pair in &info.pairs {
        let name = &frame[pair.name.clone()];
        let edit = edits.iter().rev().find(|edit| name.eq_ignore_ascii_case(edit.name.as_bytes()));
        put_text(block, name);
        put_text(block, edit.map_or(&frame[pair.value.clone()], |edit| edit.value.as_bytes()));
    }
    for edit in added.drain(..) {
        put_text(block, edit.name.as_bytes());
        put_text(block, edit.value.as_bytes());
    }
}

fn put_text(block: &mut Vec<u8>, text: &[u8]) {
    put_varint(block, text.len() as u64);
    block.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::super::{BLOCK_AT, put, read};
    use super::*;

    /// A frame whose block holds these info bytes.
    fn frame(info: &[u8]) -> Vec<u8> {
        let mut block = begin_block(Encoding::Compact, false);
        block.extend_from_slice(info);
        end_block(&mut block);
        let mut frame = Vec::new();
        put(&mut frame, [0, 0], 7, &block, 3);
        frame.extend(b"xyz");
        frame
    }

    fn edited(info: &[u8], edits: &[(&str, &str)]) -> Vec<u8> {
        let frame = frame(info);
        let header = read(&frame, frame.len()).unwrap();
        let edits: Vec<_> = edits.iter().map(|(name, value)| Edit { name, value }).collect();
        let block = block(Encoding::Compact, false, &frame, &header.info, &edits).unwrap();
        assert_eq!(block.len() % 4, 0);
        block[2..].to_vec()
    }

    #[test]
    fn keys_are_replaced_where_they_stand_whatever_their_case() {
        let info = b"\x01\x02\x04Tier\x04gold\x04user\x03ann";
        assert_eq!(edited(info, &[("tier", "tin")]), b"\x01\x02\x04Tier\x03tin\x04user\x03ann\0\0");
        let kept = b"\x02\x01\x04Tier\x04gold\x01\x01\x04tier\x04iron";
        assert_eq!(edited(kept, &[("TIER", "")])[..18], *b"\x02\x01\x04Tier\0\x01\x01\x04tier\0\0\0");
    }

    #[test]
    fn new_keys_are_added_to_the_keys_that_do_not_travel_on() {
        assert_eq!(edited(b"", &[("a", "b")]), b"\x01\x01\x01a\x01b");
        assert_eq!(edited(b"\x01\x01\x01x\x01y", &[("a", "b")])[..10], *b"\x01\x02\x01x\x01y\x01a\x01b");
        assert_eq!(
            edited(b"\x02\x01\x01x\x01y", &[("a", "b")])[..12],
            *b"\x01\x01\x01a\x01b\x02\x01\x01x\x01y"
        );
    }

    #[test]
    fn what_is_not_understood_is_kept() {
        let unknown = b"\x01\x01\x01x\x01y\x09\x05zzz";
        assert_eq!(edited(unknown, &[("a", "b")])[..15], *b"\x01\x02\x01x\x01y\x01a\x01b\x09\x05zzz");
        let malformed = b"\x01\x05\x01x\x01y";
        assert_eq!(edited(malformed, &[("a", "b")])[..12], *b"\x01\x01\x01a\x01b\x01\x05\x01x\x01y");
    }

    #[test]
    fn a_block_longer_than_a_theader_can_say_is_refused() {
        let frame = frame(b"");
        let header = read(&frame, frame.len()).unwrap();
        assert_eq!(header.payload, BLOCK_AT + 4);
        for (length, fits) in [(4 * MAX_WORDS - 11, true), (4 * MAX_WORDS - 8, false)] {
            let edits = [Edit { name: "a", value: &"b".repeat(length) }];
            let block = block(Encoding::Strict, false, &frame, &header.info, &edits);
            assert_eq!(block.is_some(), fits, "{length}");
        }
    }
}
