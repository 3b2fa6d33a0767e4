//! Single JSONB values: texts and whole numbers, and the element of a body that a value is in.

use nom::bytes::complete::take;
use nom::number::complete::{be_i8, be_i16, be_i32, be_i64, be_u8, be_u16, be_u32};
use nom::{Err, IResult, Parser};

/// A parser's answer.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, ()>;

/// Null.
pub(crate) const NULL: u8 = 0xaf;
/// The first byte of an empty text; the longer ones, up to 47 bytes, follow.
pub(crate) const SHORT_TEXT: u8 = 0x49;
/// The longest such text.
pub(crate) const LONGEST_SHORT_TEXT: u8 = 47;
/// A text of any length in Latin-1, which fastjson2 calls ASCII.
pub(crate) const LATIN1: u8 = 0x79;
/// A text in UTF-8.
pub(crate) const UTF8: u8 = 0x7a;

const WRONG: Err<()> = Err::Error(());

/// A text, or null in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    Null,
    Latin1(&'a [u8]),
    Utf8(&'a [u8]),
    /// UTF-16, and whether the high byte of each unit comes first.
    Utf16(&'a [u8], bool),
    /// In GB 18030, which is not read here.
    Unread,
}

/// The next element of a body: its JSONB, without the length before it.
#[inline]
pub(crate) fn element(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, length) = be_u32(input)?;
    take(length).parse_complete(rest)
}

/// A text or null.
pub(crate) fn text(input: &[u8]) -> Parsed<'_, Text<'_>> {
    let (rest, tag) = be_u8(input)?;
    let (rest, length) = match tag {
        NULL => return Ok((rest, Text::Null)),
        SHORT_TEXT..=0x78 => (rest, usize::from(tag - SHORT_TEXT)),
        LATIN1..=0x7e => length(rest)?,
        _ => return Err(WRONG),
    };
    let (rest, bytes) = take(length).parse_complete(rest)?;
    let text = match tag {
        UTF8 => Text::Utf8(bytes),
        // Without a mark of its own, "UTF-16" has the high byte first.
        0x7b => match bytes.strip_prefix(b"\xff\xfe") {
            Some(text) => Text::Utf16(text, false),
            None => Text::Utf16(bytes.strip_prefix(b"\xfe\xff").unwrap_or(bytes), true),
        },
        0x7c => Text::Utf16(bytes, false),
        0x7d => Text::Utf16(bytes, true),
        0x7e => Text::Unread,
        _ => Text::Latin1(bytes),
    };
    Ok((rest, text))
}

/// How many bytes follow, or items.
pub(crate) fn length(input: &[u8]) -> Parsed<'_, usize> {
    let (rest, number) = number(input)?;
    let length = i32::try_from(number).ok().and_then(|number| usize::try_from(number).ok());
    length.map(|length| (rest, length)).ok_or(WRONG)
}

/// A whole number of 8 to 64 bits, in any of its forms.
pub(crate) fn number(input: &[u8]) -> Parsed<'_, i64> {
    let (rest, tag) = be_u8(input)?;
    let lead = i64::from(tag);
    match tag {
        0x00..=0x2f => Ok((rest, lead)),
        0xf0..=0xff => Ok((rest, lead - 0x100)),
        0x30..=0x3f => be_u8.map(|low| ((lead - 0x38) << 8) + i64::from(low)).parse_complete(rest),
        0x40..=0x47 => be_u16.map(|low| ((lead - 0x44) << 16) + i64::from(low)).parse_complete(rest),
        0x48 | 0xbf => be_i32.map(i64::from).parse_complete(rest),
        0xd8..=0xef => Ok((rest, lead - 0xe0)),
        0xc8..=0xd7 => be_u8.map(|low| ((lead - 0xd0) << 8) + i64::from(low)).parse_complete(rest),
        0xc0..=0xc7 => be_u16.map(|low| ((lead - 0xc4) << 16) + i64::from(low)).parse_complete(rest),
        0xbc => be_i16.map(i64::from).parse_complete(rest),
        0xbd => be_i8.map(i64::from).parse_complete(rest),
        0xbe => be_i64(rest),
        _ => Err(WRONG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_forms() {
        let rows: [(&[u8], i64); 21] = [
            (&[0x00], 0),
            (&[0x2f], 47),
            (&[0xf0], -16),
            (&[0xff], -1),
            (&[0x38, 0x30], 48),
            (&[0x30, 0x00], -2048),
            (&[0x3f, 0xff], 2047),
            (&[0x40, 0, 0], -0x40000),
            (&[0x47, 0xff, 0xff], 0x3ffff),
            (&[0x48, 0x80, 0, 0, 0], i32::MIN as i64),
            (&[0xd8], -8),
            (&[0xef], 15),
            (&[0xc8, 0], -2048),
            (&[0xd7, 0xff], 2047),
            (&[0xc0, 0, 0], -0x40000),
            (&[0xc7, 0xff, 0xff], 0x3ffff),
            (&[0xbf, 0x7f, 0xff, 0xff, 0xff], i32::MAX as i64),
            (&[0xbe, 0x80, 0, 0, 0, 0, 0, 0, 0], i64::MIN),
            (&[0xbc, 0xff, 0xfe], -2),
            (&[0xbd, 0x80], -128),
            (&[0xbd, 0x04], 4),
        ];
        for (bytes, value) in rows {
            assert_eq!(number(bytes), Ok((&[][..], value)), "{bytes:02x?}");
            assert!(number(&bytes[..bytes.len() - 1]).is_err(), "{bytes:02x?} cut short");
        }
        assert!(number(&[0x49]).is_err(), "a text is not a number");
    }

    #[test]
    fn texts_have_five_encodings() {
        let rows: [(&[u8], Text<'_>); 10] = [
            (b"\x49", Text::Latin1(b"")),
            (b"\x4bhi", Text::Latin1(b"hi")),
            (b"\x79\x02hi", Text::Latin1(b"hi")),
            (b"\x7a\x02\xc3\xb6", Text::Utf8(b"\xc3\xb6")),
            (b"\x7b\x02\x67\x71", Text::Utf16(b"\x67\x71", true)),
            (b"\x7b\x04\xff\xfe\x71\x67", Text::Utf16(b"\x71\x67", false)),
            (b"\x7c\x02\x71\x67", Text::Utf16(b"\x71\x67", false)),
            (b"\x7d\x02\x67\x71", Text::Utf16(b"\x67\x71", true)),
            (b"\x7e\x02\xb6\xab", Text::Unread),
            (b"\xaf", Text::Null),
        ];
        for (bytes, expected) in rows {
            assert_eq!(text(bytes), Ok((&[][..], expected)), "{bytes:02x?}");
            for cut in 0..bytes.len() {
                assert!(text(&bytes[..cut]).is_err(), "{bytes:02x?} cut at {cut}");
            }
        }
        for wrong in [&b"\x79\xff"[..], b"\x79\x48\x7f\xff\xff\xffx", b"\x05", b"\x7f\x4ax\x01"] {
            assert!(text(wrong).is_err(), "{wrong:02x?}");
        }
    }

    #[test]
    fn an_element_has_its_length() {
        assert_eq!(element(b"\0\0\0\x02\x4ax."), Ok((&b"."[..], &b"\x4ax"[..])));
        for wrong in [&b"\0\0\0"[..], b"\0\0\0\x02\x4a", b"\xff\xff\xff\xff\x4ax"] {
            assert!(element(wrong).is_err(), "{wrong:02x?}");
        }
    }
}
