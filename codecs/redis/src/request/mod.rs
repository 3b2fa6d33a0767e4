//! What clients send: arrays of bulk strings, and inline commands. Cut out of the stream by a scan that goes on where it
//! stopped, so that a request which comes byte by byte costs linear work.

mod args;
mod inline;

pub(crate) use args::{Args, put_head, put_request};
pub(crate) use inline::{Piece, split};

use crate::number::{Line, line, short};

/// Longest bulk string that any server takes; what is announced to be longer is garbage.
pub(crate) const MAX_BULK: u64 = 512 << 20;
/// Most elements that can be skipped; what is announced to have more is garbage.
pub(crate) const MAX_COUNT: u32 = i32::MAX as u32;
/// Longest inline command, its end included.
pub(crate) const MAX_INLINE: usize = 64 << 10;
/// Bytes of the shortest element, `$0\r\n\r\n`.
const SHORTEST: usize = 6;

/// What a scan may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of a request.
    pub(crate) message: usize,
    /// Elements of a request.
    pub(crate) elements: u32,
    /// Bytes of one element.
    pub(crate) bulk: usize,
}

/// What stands at the start of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// Not all of a request; at least so many bytes belong to it.
    Need(usize),
    /// A request of so many bytes and arguments; the places of its first two arguments, or of nothing.
    Array { len: usize, count: u32, name: (usize, usize), first: (usize, usize) },
    /// An inline command of so many bytes.
    Inline { len: usize },
    /// Nothing that awaits an answer, so many bytes long.
    Empty(usize),
    /// A request that is longer than the limits allow: so many bytes of it can be skipped at once.
    TooLarge { skip: u64, what: &'static str },
    /// Bytes without an answer that belong to a request which was refused.
    Rest { skip: u64 },
    /// Not Redis.
    Garbage(String),
}

/// How far a connection's current request has been looked at.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Where the next element begins. Inline: where no end has been found yet.
    at: usize,
    /// Elements that are still to come.
    left: u32,
    /// Elements of the request.
    count: u32,
    name: (usize, usize),
    first: (usize, usize),
    /// Elements of a refused request that are to be skipped.
    refused: u32,
}

/// A short request that is all there: its length, the number of its arguments, and the places of the first two.
pub(crate) struct Short {
    pub(crate) len: usize,
    pub(crate) count: u32,
    pub(crate) name: (usize, usize),
    pub(crate) first: (usize, usize),
}

impl Scan {
    /// Most requests are short and all there: at most nine arguments of less than 1,000 bytes each, which no limit
    /// forbids. `None`: this one may be anything else.
    #[inline]
    pub(crate) fn quick(&self, input: &[u8]) -> Option<Short> {
        let [b'*', count @ b'1'..=b'9', b'\r', b'\n', ..] = input else { return None };
        if self.at != 0 || self.refused != 0 {
            return None;
        }
        let count = usize::from(count - b'0');
        let (mut at, mut places) = (4, [(0, 0); 2]);
        for index in 0..count {
            let (length, start) = short(input, at)?;
            let end = start + length;
            let [b'\r', b'\n', ..] = input.get(end..)? else { return None };
            if let Some(place) = places.get_mut(index) {
                *place = (start, end);
            }
            at = end + 2;
        }
        Some(Short { len: at, count: count as u32, name: places[0], first: places[1] })
    }

    /// Looks at the input from where it stopped.
    #[inline]
    pub(crate) fn look(&mut self, input: &[u8], limits: &Limits) -> Scanned {
        if self.refused > 0 {
            return self.skip(input);
        }
        let scanned = if input.first() == Some(&b'*') { self.array(input, limits) } else { self.line(input) };
        if !matches!(scanned, Scanned::Need(_)) {
            let refused = self.refused;
            *self = Self { refused, ..Self::default() };
        }
        scanned
    }

    #[inline]
    fn array(&mut self, input: &[u8], limits: &Limits) -> Scanned {
        if self.at == 0
            && let Some(end) = self.head(input, limits)
        {
            return end;
        }
        while self.left > 0 {
            let end = match bulk(input, self.at) {
                Bulk::At(start, end) if end <= limits.message && end - 2 - start <= limits.bulk => {
                    if input.len() < end {
                        return self.need(end, self.left - 1, limits);
                    }
                    if input[end - 2..end] != *b"\r\n" {
                        return garbage("a bulk string does not end where its length says", input, end - 2);
                    }
                    match self.count - self.left {
                        0 => self.name = (start, end - 2),
                        1 => self.first = (start, end - 2),
                        _ => {}
                    }
                    end
                }
                Bulk::At(_, end) => {
                    self.refused = self.left - 1;
                    return Scanned::TooLarge { skip: end as u64, what: "bytes" };
                }
                Bulk::Cut => {
                    let shortest = self.at + SHORTEST;
                    return self.need(shortest.max(input.len() + 1), self.left - 1, limits);
                }
                Bulk::Bad(reason) => return garbage(reason, input, self.at),
            };
            self.at = end;
            self.left -= 1;
        }
        Scanned::Array { len: self.at, count: self.count, name: self.name, first: self.first }
    }

    /// Reads the number of elements. `None`: they follow.
    #[inline]
    fn head(&mut self, input: &[u8], limits: &Limits) -> Option<Scanned> {
        match line(input, 1) {
            Line::Number(count @ 1.., at) if count <= limits.elements.into() => {
                self.at = at;
                self.count = count as u32;
                self.left = self.count;
                None
            }
            Line::Number(count @ 1.., at) if count <= MAX_COUNT.into() => {
                self.refused = count as u32;
                Some(Scanned::TooLarge { skip: at as u64, what: "elements" })
            }
            Line::Number(1.., _) | Line::Bad => Some(garbage("invalid multibulk length", input, 1)),
            Line::Number(_, at) => Some(Scanned::Empty(at)),
            Line::Cut => Some(Scanned::Need(input.len() + 1)),
        }
    }

    /// Awaits `end` and so many more elements, if that is not too much.
    fn need(&mut self, end: usize, more: u32, limits: &Limits) -> Scanned {
        let total = end + more as usize * SHORTEST;
        if total <= limits.message {
            return Scanned::Need(total);
        }
        self.refused = self.left;
        Scanned::TooLarge { skip: self.at as u64, what: "bytes" }
    }

    /// Looks for the end of an inline command.
    fn line(&mut self, input: &[u8]) -> Scanned {
        match memchr::memchr(b'\n', &input[self.at..]) {
            Some(place) if self.at + place < MAX_INLINE => {
                let len = self.at + place + 1;
                let is_blank = input[..len].iter().all(u8::is_ascii_whitespace);
                if is_blank { Scanned::Empty(len) } else { Scanned::Inline { len } }
            }
            None if input.len() < MAX_INLINE => {
                self.at = input.len();
                Scanned::Need(input.len() + 1)
            }
            _ => Scanned::Garbage("too big inline request".to_owned()),
        }
    }

    /// Goes over elements of a request that was refused.
    fn skip(&mut self, input: &[u8]) -> Scanned {
        let mut at = 0;
        loop {
            match bulk(input, at) {
                _ if self.refused == 0 => return Scanned::Empty(at),
                Bulk::At(_, end) if end <= input.len() => {
                    self.refused -= 1;
                    at = end;
                }
                Bulk::Bad(reason) => return garbage(reason, input, at),
                _ if at > 0 => return Scanned::Empty(at),
                Bulk::At(_, end) => {
                    self.refused -= 1;
                    return Scanned::Rest { skip: end as u64 };
                }
                Bulk::Cut => return Scanned::Need(input.len() + 1),
            }
        }
    }
}

/// What stands where a bulk string is expected.
pub(crate) enum Bulk {
    /// Its bytes are to be from here to two before there, where what follows begins.
    At(usize, usize),
    /// Its length has not all arrived.
    Cut,
    /// Something else.
    Bad(&'static str),
}

/// Reads the head of a bulk string.
#[inline]
pub(crate) fn bulk(input: &[u8], at: usize) -> Bulk {
    match input.get(at) {
        Some(b'$') => match line(input, at + 1) {
            Line::Number(length, start) if u64::try_from(length).is_ok_and(|length| length <= MAX_BULK) => {
                Bulk::At(start, start + length as usize + 2)
            }
            Line::Number(..) | Line::Bad => Bulk::Bad("invalid bulk length"),
            Line::Cut => Bulk::Cut,
        },
        Some(_) => Bulk::Bad("expected '$'"),
        None => Bulk::Cut,
    }
}

/// What was wrong, and at which byte of the request.
#[cold]
fn garbage(reason: &str, input: &[u8], at: usize) -> Scanned {
    let found = match input.get(at) {
        // A length begins as it should, and goes on wrongly.
        Some(byte) if reason.starts_with("expected") => format!(", got '{}'", byte.escape_ascii()),
        _ => String::new(),
    };
    Scanned::Garbage(format!("{reason}{found} at byte {at} of the request"))
}
