//! The little hessian2 that local replies and edits are written in: texts, small numbers, one class.

/// A text that takes longer to read than this is cut; in UTF-16 units. Everything fits in one chunk.
pub(crate) const MAX_TEXT: usize = 4096;

/// The most units that one chunk can count.
const MAX_CHUNK: usize = 0xffff;

/// The small number `value`, from -16 to 47, in the form of one byte.
pub(crate) const fn small_int(value: i8) -> u8 {
    (0x90_u8).wrapping_add_signed(value)
}

/// Null.
pub(crate) const NULL: u8 = b'N';

/// The first [`MAX_TEXT`] units of `text`, or one fewer where that would cut a character.
pub(crate) fn shortened(text: &str) -> &str {
    if text.len() <= MAX_TEXT {
        // A unit takes a byte at least.
        return text;
    }
    let (mut units, mut end) = (0, 0);
    for char in text.chars() {
        if units + char.len_utf16() > MAX_TEXT {
            break;
        }
        units += char.len_utf16();
        end += char.len_utf8();
    }
    &text[..end]
}

/// Whether `text` can be written in one chunk.
pub(crate) fn fits(text: &str) -> bool {
    text.encode_utf16().count() <= MAX_CHUNK
}

/// Writes a text that [`fits`], each unit on its own as Java does.
pub(crate) fn put_text(text: &str, out: &mut Vec<u8>) {
    let is_ascii = text.is_ascii();
    let units = if is_ascii { text.len() } else { text.encode_utf16().count() };
    match units {
        0..=31 => out.push(units as u8),
        32..=1023 => out.extend_from_slice(&[0x30 + (units >> 8) as u8, units as u8]),
        _ => out.extend_from_slice(&[b'S', (units >> 8) as u8, units as u8]),
    }
    if is_ascii {
        return out.extend_from_slice(text.as_bytes());
    }
    for char in text.chars() {
        if char.len_utf16() == 1 {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let tail = |shift: u16| 0x80 | (*unit >> shift & 0x3f) as u8;
                out.extend_from_slice(&[0xe0 | (*unit >> 12) as u8, tail(6), tail(0)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_shortest_head_that_counts_them() {
        let rows: [(String, &[u8]); 5] = [
            (String::new(), &[0]),
            ("hi".into(), &[2, b'h', b'i']),
            ("x".repeat(32), &[0x30, 32]),
            ("x".repeat(1023), &[0x33, 0xff]),
            ("x".repeat(1024), &[b'S', 4, 0]),
        ];
        for (text, head) in rows {
            let mut out = Vec::new();
            put_text(&text, &mut out);
            assert_eq!(&out[..head.len()], head);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let mut out = Vec::new();
        put_text(shortened(&format!("x{}", "😀".repeat(MAX_TEXT))), &mut out);
        let units = MAX_TEXT - 1;
        assert_eq!(&out[..3], &[b'S', (units >> 8) as u8, units as u8], "the last pair would not fit");
        assert_eq!(out.len(), 3 + 1 + (units - 1) * 3);
    }
}
