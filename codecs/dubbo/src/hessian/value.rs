//! Single hessian2 values, parsed with nom where their bytes are complete: texts, ints, longs.
//!
//! Which byte begins what is the Hessian 2.0 serialization specification's bytecode map. A parser tells only that
//! something is wrong; what that means, its caller knows.

use nom::bytes::complete::take;
use nom::number::complete::{be_i32, be_i64, be_u8, be_u16};
use nom::{Err, IResult, Parser};

use super::text::measure;

/// A parser's answer.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, ()>;

/// A text, or null in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    Null,
    /// The text's bytes, all in one piece.
    Whole(&'a [u8]),
    /// Several chunks, each behind its head; [`join`] puts them together.
    Chunks(&'a [u8]),
}

/// One chunk of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Chunk<'a> {
    text: &'a [u8],
    last: bool,
}

const WRONG: Err<()> = Err::Error(());

/// A text or null.
#[inline]
pub(crate) fn text(input: &[u8]) -> Parsed<'_, Text<'_>> {
    if let Some((b'N', rest)) = input.split_first() {
        return Ok((rest, Text::Null));
    }
    let (rest, first) = chunk(input)?;
    if first.last {
        return Ok((rest, Text::Whole(first.text)));
    }
    more_chunks(input, rest)
}

/// The chunks behind the first, which ends before `rest`.
fn more_chunks<'a>(input: &'a [u8], mut rest: &'a [u8]) -> Parsed<'a, Text<'a>> {
    loop {
        let (behind, next) = chunk(rest)?;
        rest = behind;
        if next.last {
            return Ok((rest, Text::Chunks(&input[..input.len() - rest.len()])));
        }
    }
}

/// Puts the chunks of a text together.
pub(crate) fn join(mut chunks: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(chunks.len());
    while let Ok((rest, next)) = chunk(chunks) {
        whole.extend_from_slice(next.text);
        chunks = rest;
    }
    whole
}

/// A chunk: 0 to 31 units, 0 to 1,023, or up to 65,535; of the last form, one that is not the last.
#[inline]
fn chunk(input: &[u8]) -> Parsed<'_, Chunk<'_>> {
    let (rest, tag) = be_u8(input)?;
    let (rest, units, last) = match tag {
        0x00..=0x1f => (rest, usize::from(tag), true),
        0x30..=0x33 => {
            let (rest, low) = be_u8(rest)?;
            (rest, usize::from(tag - 0x30) << 8 | usize::from(low), true)
        }
        b'S' | b'R' => {
            let (rest, units) = be_u16(rest)?;
            (rest, usize::from(units), tag == b'S')
        }
        _ => return Err(WRONG),
    };
    let len = measure(rest, units).ok_or(WRONG)?;
    take(len).map(|text| Chunk { text, last }).parse_complete(rest)
}

/// An int, in any of its four forms.
#[inline]
pub(crate) fn int(input: &[u8]) -> Parsed<'_, i32> {
    let (rest, tag) = be_u8(input)?;
    let lead = i32::from(tag);
    match tag {
        0x80..=0xbf => Ok((rest, lead - 0x90)),
        0xc0..=0xcf => be_u8.map(|low| ((lead - 0xc8) << 8) + i32::from(low)).parse_complete(rest),
        0xd0..=0xd7 => be_u16.map(|low| ((lead - 0xd4) << 16) + i32::from(low)).parse_complete(rest),
        b'I' => be_i32(rest),
        _ => Err(WRONG),
    }
}

/// A long, in any of its five forms.
pub(crate) fn long(input: &[u8]) -> Parsed<'_, i64> {
    let (rest, tag) = be_u8(input)?;
    let lead = i64::from(tag);
    match tag {
        0xd8..=0xef => Ok((rest, lead - 0xe0)),
        0xf0..=0xff => be_u8.map(|low| ((lead - 0xf8) << 8) + i64::from(low)).parse_complete(rest),
        0x38..=0x3f => be_u16.map(|low| ((lead - 0x3c) << 16) + i64::from(low)).parse_complete(rest),
        b'Y' => be_i32.map(i64::from).parse_complete(rest),
        b'L' => be_i64(rest),
        _ => Err(WRONG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ints_have_four_forms() {
        let rows: [(&[u8], i32); 12] = [
            (&[0x80], -16),
            (&[0x90], 0),
            (&[0xbf], 47),
            (&[0xc0, 0x00], -2048),
            (&[0xc7, 0x00], -256),
            (&[0xc8, 0x30], 48),
            (&[0xcf, 0xff], 2047),
            (&[0xd0, 0, 0], -0x40000),
            (&[0xd4, 0x08, 0x00], 2048),
            (&[0xd7, 0xff, 0xff], 0x3ffff),
            (&[b'I', 0x80, 0, 0, 0], i32::MIN),
            (&[b'I', 0x7f, 0xff, 0xff, 0xff], i32::MAX),
        ];
        for (bytes, value) in rows {
            assert_eq!(int(bytes), Ok((&[][..], value)));
            assert!(int(&bytes[..bytes.len() - 1]).is_err(), "{bytes:02x?} cut short");
        }
        assert!(int(&[0xe0]).is_err(), "a long is not an int");
    }

    #[test]
    fn longs_have_five_forms() {
        let rows: [(&[u8], i64); 11] = [
            (&[0xd8], -8),
            (&[0xe0], 0),
            (&[0xef], 15),
            (&[0xf0, 0], -2048),
            (&[0xf8, 0x10], 16),
            (&[0xff, 0xff], 2047),
            (&[0x38, 0, 0], -0x40000),
            (&[0x3f, 0xff, 0xff], 0x3ffff),
            (&[b'Y', 0x80, 0, 0, 0], i64::from(i32::MIN)),
            (&[b'L', 0x80, 0, 0, 0, 0, 0, 0, 0], i64::MIN),
            (&[b'L', 0, 0, 0, 1, 0, 0, 0, 0], 1 << 32),
        ];
        for (bytes, value) in rows {
            assert_eq!(long(bytes), Ok((&[][..], value)));
            assert!(long(&bytes[..bytes.len() - 1]).is_err(), "{bytes:02x?} cut short");
        }
        assert!(long(&[0x90]).is_err(), "an int is not a long");
    }

    #[test]
    fn texts_have_four_forms_and_come_in_chunks() {
        assert_eq!(text(b"\x02hi."), Ok((&b"."[..], Text::Whole(b"hi"))));
        assert_eq!(text(b"\x30\x02hi."), Ok((&b"."[..], Text::Whole(b"hi"))));
        assert_eq!(text(b"S\x00\x02hi."), Ok((&b"."[..], Text::Whole(b"hi"))));
        assert_eq!(text(b"N."), Ok((&b"."[..], Text::Null)));
        let chunks = b"R\x00\x02hi\x31\x00";
        let whole = [&chunks[..], &[b'x'; 256]].concat();
        let input = [&whole[..], b"."].concat();
        assert_eq!(text(&input), Ok((&b"."[..], Text::Chunks(&whole))));
        assert_eq!(join(&whole).len(), 258);
        assert_eq!(join(b"R\x00\x01aR\x00\x01bS\x00\x01c"), b"abc");
        for cut in 0..whole.len() {
            assert!(text(&input[..cut]).is_err(), "cut at {cut}");
        }
        assert!(text(b"\x90").is_err());
    }
}
