//! A command: an array of bulk strings, or a line.
//!
//! Clients send arrays; people at a terminal send lines, which real servers take too. The echo server reads both.

use super::length::{count, line};
use super::malformed::Malformed;
use bytes::{BufMut, BytesMut};

/// Words of a command.
const WORDS: usize = 1 << 20;
/// Longest word.
const WORD: usize = 512 << 20;

/// Appends a command in the form that clients send.
pub fn request<A: AsRef<[u8]>>(words: &[A], out: &mut BytesMut) {
    let mut header = |sign: char, count: usize| out.put_slice(format!("{sign}{count}\r\n").as_bytes());
    header('*', words.len());
    for word in words {
        let word = word.as_ref();
        out.put_slice(format!("${}\r\n", word.len()).as_bytes());
        out.put_slice(word);
        out.put_slice(b"\r\n");
    }
}

/// The words of the command at the front and its length; `None` if it is not whole. An empty line has no words.
pub(super) fn cut<'a>(received: &'a [u8], words: &mut Vec<&'a [u8]>) -> Result<Option<usize>, Malformed> {
    words.clear();
    let Some((header, mut at)) = line(received)? else { return Ok(None) };
    let Some(header) = header.strip_prefix(b"*") else {
        words.extend(header.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()));
        return Ok(Some(at));
    };
    let wanted = count(header)?.unwrap_or_default();
    if wanted > WORDS {
        return Err(Malformed::new(format!("a command of {wanted} words")));
    }
    for _ in 0..wanted {
        let Some((header, end)) = line(&received[at..])? else { return Ok(None) };
        let header =
            header.strip_prefix(b"$").ok_or_else(|| Malformed::new("a word that is no bulk string"))?;
        let length = count(header)?.ok_or_else(|| Malformed::new("a word that is null"))?;
        if length > WORD {
            return Err(Malformed::new(format!("a word of {length} bytes")));
        }
        let begin = at + end;
        let Some(word) = received.get(begin..begin + length + 2) else { return Ok(None) };
        words.push(word.strip_suffix(b"\r\n").ok_or_else(|| Malformed::new("a word longer than it says"))?);
        at = begin + length + 2;
    }
    Ok(Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_it_was_written() {
        let mut out = BytesMut::new();
        request(&["SET", "k", ""], &mut out);
        assert_eq!(&out[..], b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
        let mut words = Vec::new();
        assert_eq!(cut(&out, &mut words), Ok(Some(out.len())));
        assert_eq!(words, [&b"SET"[..], b"k", b""]);
        for end in 0..out.len() {
            assert_eq!(cut(&out[..end], &mut Vec::new()), Ok(None), "{end} bytes");
        }
    }

    #[test]
    fn a_line_is_a_command_too() {
        let mut words = Vec::new();
        assert_eq!(cut(b"GET  a b\r\nPING\r\n", &mut words), Ok(Some(10)));
        assert_eq!(words, [&b"GET"[..], b"a", b"b"]);
        for empty in ["\r\n", "*0\r\n", "*-1\r\n"] {
            assert_eq!(cut(empty.as_bytes(), &mut words), Ok(Some(empty.len())));
            assert!(words.is_empty());
        }
    }

    #[test]
    fn a_command_of_anything_but_strings_is_refused() {
        for wrong in
            ["*1\r\n:1\r\n", "*1\r\n$-1\r\n", "*1\r\n$1\r\nabc\r\n", "*2000000\r\n", "*1\r\n$600000000\r\n"]
        {
            assert!(cut(wrong.as_bytes(), &mut Vec::new()).is_err(), "{wrong:?}");
        }
    }
}
