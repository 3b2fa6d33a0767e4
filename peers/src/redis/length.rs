//! Where a message ends: a scan from header to header, without recursion, that reads no value.
//!
//! A message is one value; a container's header says how many values follow, so that one counter of values still to
//! come is enough. All sizes are bounded here, and what reads values relies on that.

use super::malformed::Malformed;

/// Longest line: header, simple string, error, number.
const LINE: usize = 64 << 10;
/// Longest bulk string.
const BULK: usize = 512 << 20;
/// Values of one message, those in its containers included.
const VALUES: usize = 1 << 20;
/// Bytes of a line's end.
const LINE_END: usize = 2;

/// Bytes of the message at the front; `None` if it is not whole.
pub fn length(received: &[u8]) -> Result<Option<usize>, Malformed> {
    let (mut at, mut left, mut all) = (0, 1, 1);
    while left > 0 {
        let Some((line, end)) = line(&received[at..])? else { return Ok(None) };
        let (kind, rest) = line.split_first().ok_or_else(|| Malformed::new("an empty line"))?;
        at += end;
        left -= 1;
        match kind {
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => {}
            b'$' | b'!' | b'=' => {
                let Some(count) = count(rest)? else { continue };
                if count > BULK {
                    return Err(Malformed::new(format!("a string of {count} bytes")));
                }
                let end = at + count;
                match received.get(end..end + LINE_END) {
                    None => return Ok(None),
                    Some(b"\r\n") => at = end + LINE_END,
                    Some(_) => return Err(Malformed::new("a string that is longer than it says")),
                }
            }
            b'*' | b'~' | b'>' | b'%' | b'|' => {
                let count = count(rest)?.unwrap_or_default();
                let each = if matches!(kind, b'%' | b'|') { 2 } else { 1 };
                // What an attribute describes comes behind it.
                let more = count.saturating_mul(each).saturating_add(usize::from(*kind == b'|'));
                all = more.saturating_add(all);
                left += more;
                if all > VALUES {
                    return Err(Malformed::new(format!("more than {VALUES} values")));
                }
            }
            other => return Err(Malformed::new(format!("no type begins with {:?}", char::from(*other)))),
        }
    }
    Ok(Some(at))
}

/// The line at the front without its end, and its length with it; `None` if it is not whole.
pub(super) fn line(received: &[u8]) -> Result<Option<(&[u8], usize)>, Malformed> {
    let window = &received[..received.len().min(LINE)];
    match window.iter().position(|byte| *byte == b'\n') {
        Some(end) if window[..end].ends_with(b"\r") => Ok(Some((&window[..end - 1], end + 1))),
        Some(_) => Err(Malformed::new("a line that ends without a carriage return")),
        None if received.len() > LINE => Err(Malformed::new(format!("a line of more than {LINE} bytes"))),
        None => Ok(None),
    }
}

/// How many: bytes of a string, values of a container. `None` is -1, RESP2's null.
pub(super) fn count(text: &[u8]) -> Result<Option<usize>, Malformed> {
    let wrong = || Malformed::new(format!("{:.20?} is no count", String::from_utf8_lossy(text)));
    match text {
        b"-1" => Ok(None),
        [] => Err(wrong()),
        digits => digits
            .iter()
            .try_fold(0usize, |sum, digit| {
                let digit = digit.is_ascii_digit().then(|| usize::from(digit - b'0')).ok_or_else(wrong)?;
                sum.checked_mul(10).and_then(|sum| sum.checked_add(digit)).ok_or_else(wrong)
            })
            .map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_where_its_last_value_does() {
        for message in [
            "+OK\r\n",
            "-ERR no\r\n",
            ":-7\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "*0\r\n",
            "$0\r\n\r\n",
            "$4\r\na\r\nb\r\n",
            "*2\r\n*1\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n",
            "%2\r\n+a\r\n:1\r\n+b\r\n~2\r\n#t\r\n_\r\n",
            ">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n",
            "|1\r\n+ttl\r\n:3\r\n*1\r\n|1\r\n+a\r\n:1\r\n,1.5\r\n",
            "=5\r\ntxt:x\r\n",
            "(123456789012345678901234567890\r\n",
            "!5\r\nERR x\r\n",
        ] {
            let behind = format!("{message}+next\r\n");
            assert_eq!(length(behind.as_bytes()), Ok(Some(message.len())), "{message:?}");
            for cut in 0..message.len() {
                assert_eq!(length(&message.as_bytes()[..cut]), Ok(None), "{cut} bytes of {message:?}");
            }
        }
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        let long = format!("+{}", "x".repeat(LINE));
        for wrong in [
            "HTTP/1.1 400\r\n",
            "+OK\n",
            "\r\n",
            "$x\r\n",
            "$-2\r\n",
            "$\r\n",
            "$1\r\nab\r\n",
            "*1048577\r\n",
            &long,
        ] {
            assert!(length(wrong.as_bytes()).is_err(), "{wrong:.20?}");
        }
        assert!(length(b"$99999999999999999999999\r\n").is_err() && length(b"$536870913\r\n").is_err());
        assert!(length("*1\r\n".repeat(VALUES + 1).as_bytes()).is_err());
    }
}
