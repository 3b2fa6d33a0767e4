//! Text as hessian2 counts it: in UTF-16 units, written as UTF-8.
//!
//! The length before a text is its number of UTF-16 units, so its length in bytes is known only after looking at it.
//! Java writes each unit on its own, surrogates included: a character outside the basic plane takes two units of
//! three bytes (CESU-8). Writers in other languages may use proper UTF-8 instead, where one sequence of four bytes
//! stands for two units. Both are understood.

use std::borrow::Cow;

/// Any bit that is set in a word of eight bytes means that one of them is not ASCII.
const NOT_ASCII: u64 = 0x8080_8080_8080_8080;
/// A word under this mask equals [`TWO_OF_THREE`] if it begins with two sequences of three bytes.
const TWO_OF_THREE_MASK: u64 = u64::from_le_bytes([0xf0, 0xc0, 0xc0, 0xf0, 0xc0, 0xc0, 0, 0]);
/// See [`TWO_OF_THREE_MASK`].
const TWO_OF_THREE: u64 = u64::from_le_bytes([0xe0, 0x80, 0x80, 0xe0, 0x80, 0x80, 0, 0]);

/// Texts shorter than this are not worth calling the vector code of the standard library.
const LONG: usize = 64;

/// How many bytes the first `units` UTF-16 units of `bytes` take. `None`: they are cut off, or are not UTF-8.
#[inline]
pub(crate) fn measure(bytes: &[u8], units: usize) -> Option<usize> {
    if is_ascii(bytes.get(..units)?) { Some(units) } else { measure_mixed(bytes, units) }
}

/// Whether all bytes are ASCII.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    if bytes.len() >= LONG {
        return bytes.is_ascii();
    }
    // By words, the last of which may overlap the one before.
    let Some(last) = bytes.last_chunk() else {
        return bytes.iter().fold(0, |all, byte| all | byte) < 0x80;
    };
    let mut all = u64::from_le_bytes(*last);
    let mut rest = bytes;
    while let Some((word, behind)) = rest.split_first_chunk() {
        all |= u64::from_le_bytes(*word);
        rest = behind;
    }
    all & NOT_ASCII == 0
}

/// [`measure`] where some byte is not ASCII.
fn measure_mixed(bytes: &[u8], units: usize) -> Option<usize> {
    let (mut rest, mut left) = (bytes, units);
    while left > 0 {
        if let Some(word) = rest.first_chunk().map(|word| u64::from_le_bytes(*word)) {
            let plain = ((word & NOT_ASCII).trailing_zeros() / 8) as usize;
            if plain > 0 {
                let plain = plain.min(left);
                (rest, left) = (&rest[plain..], left - plain);
                continue;
            }
            if word & TWO_OF_THREE_MASK == TWO_OF_THREE && left >= 2 {
                (rest, left) = (&rest[6..], left - 2);
                continue;
            }
        }
        let (len, worth) = sequence(rest)?;
        (rest, left) = (&rest[len..], left.checked_sub(worth)?);
    }
    Some(bytes.len() - rest.len())
}

/// Length in bytes, and in units, of the sequence at the start of `bytes`.
fn sequence(bytes: &[u8]) -> Option<(usize, usize)> {
    let (len, worth) = match bytes.first()? {
        0x00..=0x7f => return Some((1, 1)),
        0xc0..=0xdf => (2, 1),
        0xe0..=0xef => (3, 1),
        0xf0..=0xf7 => (4, 2),
        _ => return None,
    };
    let tail = bytes.get(1..len)?;
    tail.iter().all(|byte| byte & 0xc0 == 0x80).then_some((len, worth))
}

/// The text as proper UTF-8: itself, unless it holds surrogates. One that has lost its other half becomes U+FFFD.
pub(crate) fn proper(text: &[u8]) -> Cow<'_, [u8]> {
    // Of the sequences of three bytes only surrogates start with ed a0 … ed bf.
    let surrogate = |pair: &[u8]| pair[0] == 0xed && pair[1] >= 0xa0;
    if is_ascii(text) || !text.windows(2).any(surrogate) {
        return Cow::Borrowed(text);
    }
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((len, _)) = sequence(rest) {
        let first = u32::from(rest[0]) & (0xff >> if len == 1 { 1 } else { len + 1 });
        let point = rest[1..len].iter().fold(first, |point, byte| point << 6 | u32::from(byte & 0x3f));
        push_units(point, &mut units);
        rest = &rest[len..];
    }
    Cow::Owned(String::from_utf16_lossy(&units).into_bytes())
}

fn push_units(point: u32, units: &mut Vec<u16>) {
    match char::from_u32(point) {
        Some(char) => units.extend_from_slice(char.encode_utf16(&mut [0; 2])),
        // A surrogate, or more than a character can be; the latter has no unit.
        None => units.push(u16::try_from(point).unwrap_or(0xfffd)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hessian::write::put_text;

    /// What a Java client would write for `text`, without its length.
    fn java(text: &str) -> (usize, Vec<u8>) {
        let mut written = Vec::new();
        put_text(text, &mut written);
        let units = text.encode_utf16().count();
        let header = match units {
            0..=31 => 1,
            32..=1023 => 2,
            _ => 3,
        };
        (units, written.split_off(header))
    }

    #[test]
    fn texts_are_measured_in_utf16_units() {
        let rows = [
            "",
            "a",
            "plain ascii, longer than one word",
            "é",
            "größe",
            "订单服务",
            "a订单服务 b",
            "😀",
            "x😀y😀z",
        ];
        for text in rows {
            let (units, mut bytes) = java(text);
            let whole = bytes.len();
            bytes.extend_from_slice(b"\x80 what follows");
            assert_eq!(measure(&bytes, units), Some(whole), "{text}");
            for cut in 0..whole {
                assert_eq!(measure(&bytes[..cut], units), None, "{text} cut at {cut}");
            }
        }
    }

    #[test]
    fn every_alignment_of_wide_characters_is_measured() {
        for lead in 0..20 {
            for wide in ["é", "单", "😀", "é单😀"] {
                let text = format!("{}{}{}", "a".repeat(lead), wide.repeat(9), "b".repeat(11));
                let (units, bytes) = java(&text);
                assert_eq!(measure(&bytes, units), Some(bytes.len()), "{text}");
                assert_eq!(proper(&bytes), text.as_bytes());
                assert_eq!(measure(text.as_bytes(), units), Some(text.len()), "proper UTF-8 of {text}");
            }
        }
    }

    #[test]
    fn half_a_wide_character_is_not_a_text() {
        assert_eq!(measure("😀".as_bytes(), 1), None);
        assert_eq!(measure(b"\xe5\xad", 1), None);
        assert_eq!(measure(b"\xe5abc", 2), None, "a sequence without its tail");
        assert_eq!(measure(b"\x80abc", 2), None, "a tail without its sequence");
        assert_eq!(measure(b"\xffabc", 2), None);
    }

    #[test]
    fn lost_halves_become_replacement_characters() {
        assert_eq!(proper(b"a\xed\xa0\xbdb"), "a\u{fffd}b".as_bytes());
        assert_eq!(proper(b"\xed\xb8\x80\xed\xa0\xbd"), "\u{fffd}\u{fffd}".as_bytes());
        assert_eq!(proper(b"\xed\xa0\xbd\xed\xb8\x80"), "😀".as_bytes());
        assert!(matches!(proper("한국".as_bytes()), Cow::Borrowed(_)), "ed 95 9c is no surrogate");
    }
}
