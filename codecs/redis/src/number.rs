//! Numbers as Redis writes them: the lengths of its frames, and the integers among its arguments.

/// Most digits of a length. No length that is in range has more.
const MOST_DIGITS: usize = 10;

/// What stands where a line with a number is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// This number, and where the next line begins.
    Number(i64, usize),
    /// It has not all arrived.
    Cut,
    /// Something else.
    Bad,
}

/// Reads a number and the line's end from `at` on. Strict: no sign but one minus, no leading zero, no blanks, so that
/// every reader of these bytes sees the same length.
#[inline]
pub(crate) fn line(input: &[u8], at: usize) -> Line {
    // Nearly all lengths have one to three digits.
    let number = |digits: &[u8]| digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    match input.get(at..) {
        Some([a @ b'0'..=b'9', b'\r', b'\n', ..]) => Line::Number(number(&[*a]), at + 3),
        Some([a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', ..]) => Line::Number(number(&[*a, *b]), at + 4),
        Some([a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b'\r', b'\n', ..]) => {
            Line::Number(number(&[*a, *b, *c]), at + 5)
        }
        _ => long(input, at),
    }
}

#[cold]
/// The length that a bulk string begins with, if it has at most three digits, and where its bytes begin. `None`: it has
/// more, is none, or fewer bytes are there than the shortest bulk string has.
#[inline]
pub(crate) fn short(input: &[u8], at: usize) -> Option<(usize, usize)> {
    let head: [u8; 6] = *input.get(at..)?.first_chunk()?;
    let digit = |place: usize| usize::from(head[place].wrapping_sub(b'0'));
    let (one, two, three) = (digit(1), digit(2), digit(3));
    if head[0] != b'$' || one > 9 {
        return None;
    }
    if head[2..4] == *b"\r\n" {
        Some((one, at + 4))
    } else if head[3..5] == *b"\r\n" && two <= 9 && one > 0 {
        Some((10 * one + two, at + 5))
    } else if head[4..6] == *b"\r\n" && two <= 9 && three <= 9 && one > 0 {
        Some((100 * one + 10 * two + three, at + 6))
    } else {
        None
    }
}

#[cold]
fn long(input: &[u8], at: usize) -> Line {
    let is_negative = input.get(at) == Some(&b'-');
    let start = at + usize::from(is_negative);
    let mut value = 0_i64;
    let mut place = start;
    loop {
        match input.get(place) {
            None => return Line::Cut,
            Some(digit @ b'0'..=b'9') if place - start < MOST_DIGITS => {
                value = value * 10 + i64::from(digit - b'0');
                place += 1;
            }
            Some(b'\r') => break,
            Some(_) => return Line::Bad,
        }
    }
    let has_zero = input.get(start) == Some(&b'0') && (place - start > 1 || is_negative);
    if place == start || has_zero {
        return Line::Bad;
    }
    match input.get(place + 1) {
        None => Line::Cut,
        Some(b'\n') => Line::Number(if is_negative { -value } else { value }, place + 2),
        Some(_) => Line::Bad,
    }
}

/// The integer that an argument is, as Redis understands one.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    // Neither `+1` nor `01` nor `-0`.
    let mut buffer = Digits::default();
    (buffer.write(number) == text).then_some(number)
}

/// Room for the digits of a number.
#[derive(Default)]
pub(crate) struct Digits([u8; 20]);

impl Digits {
    /// The number in decimal.
    pub(crate) fn write(&mut self, number: i64) -> &[u8] {
        let mut left = number.unsigned_abs();
        let mut at = self.0.len();
        loop {
            at -= 1;
            self.0[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        if number < 0 {
            at -= 1;
            self.0[at] = b'-';
        }
        &self.0[at..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_strictly() {
        for (text, expected) in [
            ("0\r\n", Line::Number(0, 3)),
            ("7\r\n", Line::Number(7, 3)),
            ("12\r\nx", Line::Number(12, 4)),
            ("-1\r\n", Line::Number(-1, 4)),
            ("4294967296\r\n", Line::Number(1 << 32, 12)),
            ("", Line::Cut),
            ("7", Line::Cut),
            ("7\r", Line::Cut),
            ("-", Line::Cut),
            ("\r\n", Line::Bad),
            ("-\r\n", Line::Bad),
            ("-0\r\n", Line::Bad),
            ("01\r\n", Line::Bad),
            ("+1\r\n", Line::Bad),
            (" 1\r\n", Line::Bad),
            ("1 \r\n", Line::Bad),
            ("1\rx", Line::Bad),
            ("1\n", Line::Bad),
            ("12345678901\r\n", Line::Bad),
        ] {
            assert_eq!(line(text.as_bytes(), 0), expected, "{text:?}");
        }
    }

    #[test]
    fn a_short_length_is_what_a_length_is() {
        for length in 0..1200 {
            let text = format!("x${length}\r\n");
            let expected = (length < 1000).then_some((length, text.len()));
            assert_eq!(short((text + "\r\n").as_bytes(), 1), expected);
        }
        for text in ["$01\r\n", "$1\r", "$", "$-1\r\n", "$\r\n", ":1\r\n", "$1\n\n"] {
            assert_eq!(short(text.as_bytes(), 0), None, "{text:?}");
        }
    }

    #[test]
    fn an_integer_is_written_as_it_is_read() {
        for number in [0, 1, -1, 10, i64::MAX, i64::MIN] {
            let mut digits = Digits::default();
            let text = digits.write(number);
            assert_eq!(text, number.to_string().as_bytes());
            assert_eq!(integer(text), Some(number));
        }
        for text in ["", "+1", "01", "-0", "1.0", " 1", "9223372036854775808"] {
            assert_eq!(integer(text.as_bytes()), None, "{text:?}");
        }
    }
}
