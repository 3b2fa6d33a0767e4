//! The little JSONB that local replies and edits are written in: texts, small numbers, names.

use super::value::{LATIN1, LONGEST_SHORT_TEXT, SHORT_TEXT, UTF8};

/// Writes `text`: in one byte a character where it is ASCII, else in UTF-8.
pub(crate) fn put_text(text: &str, out: &mut Vec<u8>) {
    match u8::try_from(text.len()) {
        Ok(length @ 0..=LONGEST_SHORT_TEXT) if text.is_ascii() => out.push(SHORT_TEXT + length),
        _ => {
            out.push(if text.is_ascii() { LATIN1 } else { UTF8 });
            put_length(text.len(), out);
        }
    }
    out.extend_from_slice(text.as_bytes());
}

/// Writes a length, or a number that is not negative, in its shortest form.
pub(crate) fn put_length(length: usize, out: &mut Vec<u8>) {
    let number = length as u32;
    let [_, high, mid, low] = number.to_be_bytes();
    match number {
        0..=0x2f => out.push(low),
        0x30..=0x7ff => out.extend_from_slice(&[0x38 + mid, low]),
        0x800..=0x3_ffff => out.extend_from_slice(&[0x44 + high, mid, low]),
        _ => {
            out.push(0x48);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// Writes an element of a body: what `put` writes, behind its length.
pub(crate) fn put_element(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    put(out);
    let length = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonb::value::{Text, text};

    #[test]
    fn texts_have_the_shortest_head_that_counts_them() {
        let rows: [(String, &[u8]); 8] = [
            (String::new(), &[0x49]),
            ("x".repeat(47), &[0x78]),
            ("x".repeat(48), &[0x79, 0x38, 48]),
            ("x".repeat(2047), &[0x79, 0x3f, 0xff]),
            ("x".repeat(2048), &[0x79, 0x44, 8, 0]),
            ("x".repeat(0x3_ffff), &[0x79, 0x47, 0xff, 0xff]),
            ("x".repeat(0x4_0000), &[0x79, 0x48, 0, 4, 0, 0]),
            ("größe 🛒".into(), &[0x7a, 12]),
        ];
        for (words, head) in rows {
            let mut out = Vec::new();
            put_text(&words, &mut out);
            assert_eq!(&out[..head.len()], head);
            let expected = if words.is_ascii() { Text::Latin1 } else { Text::Utf8 };
            assert_eq!(text(&out), Ok((&[][..], expected(words.as_bytes()))));
        }
    }

    #[test]
    fn an_element_stands_behind_its_length() {
        let mut out = vec![7];
        put_element(&mut out, |out| put_text("hi", out));
        assert_eq!(out, b"\x07\0\0\0\x03\x4bhi");
    }
}
