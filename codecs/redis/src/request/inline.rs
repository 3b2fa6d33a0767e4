//! Inline commands: words on a line, as people type them, with quotes and escapes as Redis understands them.

use std::borrow::Cow;
use std::ops::Range;

/// One word of an inline command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Where it stands, without the quotes around it.
    pub(crate) place: Range<usize>,
    /// What it means.
    pub(crate) text: Cow<'a, [u8]>,
}

impl Piece<'_> {
    /// Whether it stands in the line as it is meant.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.text, Cow::Borrowed(_))
    }
}

/// The words of a line. `None`: its quotes do not match.
pub(crate) fn split(line: &[u8]) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    loop {
        at += line[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if at == line.len() {
            return Some(pieces);
        }
        let (piece, end) = word(line, at)?;
        pieces.push(piece);
        at = end;
    }
}

fn word(line: &[u8], start: usize) -> Option<(Piece<'_>, usize)> {
    let quoted = matches!(line[start], b'"' | b'\'').then(|| quote(line, start)).flatten();
    if let Some((text, end)) = quoted
        && ends(line, end)
    {
        let place = start + 1..end - 1;
        let text =
            if text == line[place.clone()] { Cow::Borrowed(&line[place.clone()]) } else { Cow::Owned(text) };
        return Some((Piece { place, text }, end));
    }
    let mut text = Vec::new();
    let mut at = start;
    while !ends(line, at) {
        if matches!(line[at], b'"' | b'\'') {
            let (inner, end) = quote(line, at)?;
            if !ends(line, end) {
                return None;
            }
            text.extend(inner);
            at = end;
        } else {
            text.push(line[at]);
            at += 1;
        }
    }
    let text = if text == line[start..at] { Cow::Borrowed(&line[start..at]) } else { Cow::Owned(text) };
    Some((Piece { place: start..at, text }, at))
}

/// Whether a word ends here.
fn ends(line: &[u8], at: usize) -> bool {
    line.get(at).is_none_or(u8::is_ascii_whitespace)
}

/// What stands between the quote at `start` and the next, and what follows that.
fn quote(line: &[u8], start: usize) -> Option<(Vec<u8>, usize)> {
    let mark = line[start];
    let mut text = Vec::new();
    let mut at = start + 1;
    loop {
        match (*line.get(at)?, line.get(at + 1)) {
            (byte, _) if byte == mark => return Some((text, at + 1)),
            (b'\\', Some(b'\'')) if mark == b'\'' => {
                text.push(b'\'');
                at += 2;
            }
            (b'\\', Some(b'x')) if mark == b'"' && hex(line, at + 2).is_some() => {
                text.extend(hex(line, at + 2));
                at += 4;
            }
            (b'\\', Some(escaped)) if mark == b'"' => {
                text.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                at += 2;
            }
            (byte, _) => {
                text.push(byte);
                at += 1;
            }
        }
    }
}

/// The byte that two hexadecimal digits stand for.
fn hex(line: &[u8], at: usize) -> Option<u8> {
    let digits = line.get(at..at + 2)?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(digits[0])? << 4 | digit(digits[1])?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let pieces = split(line.as_bytes())?;
        for piece in pieces.iter().filter(|piece| piece.is_plain()) {
            assert_eq!(line.as_bytes()[piece.place.clone()], *piece.text, "{line}");
        }
        Some(pieces.iter().map(|piece| String::from_utf8_lossy(&piece.text).into_owned()).collect())
    }

    #[test]
    fn a_line_is_split_as_redis_splits_it() {
        for (line, expected) in [
            ("get a\r\n", &["get", "a"][..]),
            ("  set \t k  v \r\n", &["set", "k", "v"]),
            ("set k \"a b\"\n", &["set", "k", "a b"]),
            ("set k 'a b'\n", &["set", "k", "a b"]),
            ("set k \"\"\n", &["set", "k", ""]),
            ("set k \"a\\x41\\n\\t\\\"\"\n", &["set", "k", "aA\n\t\""]),
            ("set k 'it\\'s \\n'\n", &["set", "k", "it's \\n"]),
            ("set k a\"b c\"\n", &["set", "k", "ab c"]),
            ("set k \"\\xg1\"\n", &["set", "k", "xg1"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        for line in ["set k \"a\n", "set k 'a\n", "set k \"a\"b\n", "set k a\"b\"c\n", "\"", "set k \"\\"] {
            assert_eq!(words(line), None, "{line}");
        }
    }
}
