//! What endpoints send, RESP2 and RESP3: where a reply ends, found by a scan that goes on where it stopped.
//!
//! How deep a reply is nested does not matter: it is over when no element of it is missing, whichever array that belongs
//! to. So nothing grows with the depth.

use crate::number::{Line, line, short};
use crate::request::MAX_BULK;

/// Bytes of the shortest element, `_\r\n`.
const SHORTEST: usize = 3;

/// What stands at the start of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// Not all of a reply; at least so many bytes belong to it.
    Need(usize),
    /// A reply of so many bytes.
    Whole(usize),
    /// A single string of so many bytes in all, which are more than allowed.
    TooLong(u64),
    /// Not Redis, or a reply that is too long and cannot be skipped.
    Garbage(String),
}

/// How far a connection's current reply has been looked at.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Where the next element begins.
    at: usize,
    /// Where the end of its line has not been found before.
    seen: usize,
    /// Elements that are still to come.
    left: u64,
}

impl Default for Scan {
    fn default() -> Self {
        Self { at: 0, seen: 0, left: 1 }
    }
}

/// How much of a line is searched for its end without noting how far.
const SHORT_LINE: usize = 64;

impl Scan {
    /// Most replies are a short line or a short string, and all there: its length. `None`: this one may be anything else.
    #[inline]
    pub(crate) fn quick(&self, input: &[u8]) -> Option<usize> {
        if self.at != 0 || self.seen != 0 {
            return None;
        }
        match input.first()? {
            b'$' => {
                let (length, start) = short(input, 0)?;
                let end = start + length;
                let [b'\r', b'\n', ..] = input.get(end..)? else { return None };
                Some(end + 2)
            }
            b'+' | b':' => {
                let start = &input[..input.len().min(SHORT_LINE)];
                let end = start.iter().position(|byte| *byte == b'\n')?;
                (input[end - 1] == b'\r').then_some(end + 1)
            }
            _ => None,
        }
    }

    /// Looks at the input from where it stopped.
    #[inline]
    pub(crate) fn look(&mut self, input: &[u8], limit: usize) -> Scanned {
        let scanned = self.go_on(input, limit);
        if !matches!(scanned, Scanned::Need(_)) {
            *self = Self::default();
        }
        scanned
    }

    #[inline]
    fn go_on(&mut self, input: &[u8], limit: usize) -> Scanned {
        while self.left > 0 {
            let Some(mark) = input.get(self.at) else { return self.need(0, input, limit) };
            let end = match mark {
                b'$' | b'!' | b'=' => match line(input, self.at + 1) {
                    Line::Number(-1, end) if *mark == b'$' => end,
                    Line::Number(length @ 0.., start) if length as u64 <= MAX_BULK => {
                        let end = start + length as usize + 2;
                        if end > limit {
                            return self.too_long(end);
                        }
                        if input.len() < end {
                            return self.need(end, input, limit);
                        }
                        if input[end - 2..end] != *b"\r\n" {
                            return garbage("a string does not end where its length says", input, end - 2);
                        }
                        end
                    }
                    Line::Cut => return self.need(0, input, limit),
                    _ => return garbage("no length of a string", input, self.at + 1),
                },
                b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => match self.line(input) {
                    Ok(Some(end)) => end,
                    Ok(None) => return self.need(0, input, limit),
                    Err(at) => return garbage("a line ends without a carriage return", input, at),
                },
                b'*' | b'~' | b'>' | b'%' | b'|' => match line(input, self.at + 1) {
                    Line::Number(-1, end) if *mark == b'*' => end,
                    Line::Number(count @ 0.., end) => {
                        let count = count as u64;
                        self.left += match mark {
                            b'%' => 2 * count,
                            // What it is said of follows.
                            b'|' => 2 * count + 1,
                            _ => count,
                        };
                        end
                    }
                    Line::Cut => return self.need(0, input, limit),
                    _ => return garbage("no number of elements", input, self.at + 1),
                },
                _ => return garbage("no type of a reply", input, self.at),
            };
            self.at = end;
            self.seen = end;
            self.left -= 1;
            if self.left as u128 * SHORTEST as u128 + end as u128 > limit as u128 {
                return garbage("a reply is longer than is allowed", &[], end);
            }
        }
        Scanned::Whole(self.at)
    }

    /// The end of the line that begins at the current element. `Err`: where it ends wrongly.
    #[inline]
    fn line(&mut self, input: &[u8]) -> Result<Option<usize>, usize> {
        let from = self.seen.max(self.at + 1);
        match memchr::memchr(b'\n', input.get(from..).unwrap_or_default()) {
            Some(place) if input[from + place - 1] == b'\r' => Ok(Some(from + place + 1)),
            Some(place) => Err(from + place),
            None => {
                self.seen = input.len();
                Ok(None)
            }
        }
    }

    /// Awaits the current element up to `end`, or one byte more than there is, and those that follow it.
    fn need(&self, end: usize, input: &[u8], limit: usize) -> Scanned {
        let end = end.max(self.at + SHORTEST);
        let total = (end + (self.left - 1) as usize * SHORTEST).max(input.len() + 1);
        if total > limit {
            return garbage("a reply is longer than is allowed", &[], self.at);
        }
        Scanned::Need(total)
    }

    fn too_long(&self, end: usize) -> Scanned {
        if self.at == 0 {
            return Scanned::TooLong(end as u64);
        }
        garbage("a reply is longer than is allowed", &[], self.at)
    }
}

/// The elements of a whole reply that is an array, as they stand in it. `None`: it is no array.
pub(crate) fn elements(reply: &[u8]) -> Option<Vec<&[u8]>> {
    let Line::Number(count @ 0.., mut at) = line(reply, 1) else { return None };
    if !matches!(reply.first(), Some(b'*' | b'~')) {
        return None;
    }
    let mut elements = Vec::new();
    for _ in 0..count {
        let Scanned::Whole(len) = Scan::default().look(reply.get(at..)?, usize::MAX) else { return None };
        elements.push(&reply[at..at + len]);
        at += len;
    }
    Some(elements)
}

/// The integer that a reply is.
pub(crate) fn integer(reply: &[u8]) -> Option<i64> {
    let text = reply.strip_prefix(b":")?.strip_suffix(b"\r\n")?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cold]
fn garbage(reason: &str, input: &[u8], at: usize) -> Scanned {
    let found = match input.get(at) {
        Some(byte) => format!(", but '{}'", byte.escape_ascii()),
        None => String::new(),
    };
    Scanned::Garbage(format!("{reason}{found}, at byte {at} of the reply"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 16;

    #[test]
    fn every_type_ends_where_it_ends() {
        for reply in [
            "+OK\r\n",
            "-ERR no\r\n",
            ":-7\r\n",
            "$0\r\n\r\n",
            "$4\r\na\r\nb\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "*0\r\n",
            "*2\r\n*1\r\n:1\r\n$-1\r\n",
            "_\r\n",
            "#t\r\n",
            ",1.5\r\n",
            "(123456789012345678901234567890\r\n",
            "!5\r\nERR x\r\n",
            "=7\r\ntxt:abc\r\n",
            "~2\r\n:1\r\n:2\r\n",
            "%1\r\n+k\r\n*1\r\n:1\r\n",
            ">2\r\n+message\r\n+x\r\n",
            "|1\r\n+ttl\r\n:9\r\n*1\r\n:1\r\n",
        ] {
            let mut scan = Scan::default();
            for cut in 1..reply.len() {
                let looked = scan.look(&reply.as_bytes()[..cut], LIMIT);
                let Scanned::Need(total) = looked else { panic!("{reply:?} cut at {cut}: {looked:?}") };
                assert!(total > cut && total <= reply.len(), "{reply:?} cut at {cut}: {total}");
            }
            let behind = format!("{reply}+x");
            assert_eq!(scan.look(behind.as_bytes(), LIMIT), Scanned::Whole(reply.len()), "{reply:?}");
        }
    }

    #[test]
    fn depth_does_not_matter() {
        let deep = "*1\r\n".repeat(10_000) + ":1\r\n";
        assert_eq!(Scan::default().look(deep.as_bytes(), LIMIT), Scanned::Whole(deep.len()));
    }

    #[test]
    fn what_is_no_reply_is_garbage() {
        for text in [
            "x",
            "$x\r\n",
            "$-2\r\n",
            "*-2\r\n",
            "*$1\r\n",
            "+a\n",
            "$1\r\nabc",
            "$999999999999\r\n",
            "*99999999\r\n",
        ] {
            let looked = Scan::default().look(text.as_bytes(), LIMIT);
            assert!(matches!(looked, Scanned::Garbage(_)), "{text:?}: {looked:?}");
        }
    }

    #[test]
    fn a_string_that_is_too_long_can_be_skipped_and_more_than_that_cannot() {
        let head = format!("${LIMIT}\r\n");
        let len = (head.len() + LIMIT + 2) as u64;
        assert_eq!(Scan::default().look(head.as_bytes(), LIMIT), Scanned::TooLong(len));
        let nested = format!("*1\r\n{head}");
        assert!(matches!(Scan::default().look(nested.as_bytes(), LIMIT), Scanned::Garbage(_)));
    }
}
