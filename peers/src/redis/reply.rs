//! A reply of any type of RESP2 and RESP3, as a value.
//!
//! Null has three spellings (`$-1`, `*-1`, `_`), which are told apart here, since a proxy must not change one into
//! another. Numbers that are no integers stay as they are written.

use super::length::{count, length, line};
use super::malformed::Malformed;

/// Containers in containers.
const DEPTH: usize = 64;

/// What a server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+`: a line of text.
    Simple(String),
    /// `-` or `!`: an error, without its sign; the first word says which.
    Error(String),
    /// `:`
    Integer(i64),
    /// `$`: a string of any bytes.
    Bulk(Vec<u8>),
    /// `$-1`
    NullBulk,
    /// `*-1`
    NullArray,
    /// `_`
    Null,
    /// `*`
    Array(Vec<Reply>),
    /// `,`: a floating-point number as it is written.
    Double(String),
    /// `#`
    Boolean(bool),
    /// `(`: an integer of any size as it is written.
    BigNumber(String),
    /// `=`: its format (`txt`, `mkd`) and its text.
    Verbatim(String, Vec<u8>),
    /// `%`
    Map(Vec<(Reply, Reply)>),
    /// `~`
    Set(Vec<Reply>),
    /// `>`: a message that answers nothing, or a confirmation of SUBSCRIBE and its like.
    Push(Vec<Reply>),
    /// `|`: what is said about a reply, and the reply.
    Attributed(Vec<(Reply, Reply)>, Box<Reply>),
}

impl Reply {
    /// The message at the front and its length; `None` if it is not whole.
    pub fn read(received: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let Some(length) = length(received)? else { return Ok(None) };
        let mut rest = &received[..length];
        Ok(Some((value(&mut rest, DEPTH)?, length)))
    }

    /// The text, if it is one: a simple, bulk or verbatim string in UTF-8.
    pub fn text(&self) -> Option<&str> {
        match self {
            Reply::Simple(text) => Some(text),
            Reply::Bulk(bytes) | Reply::Verbatim(_, bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The number, if it is an integer.
    pub fn integer(&self) -> Option<i64> {
        if let Reply::Integer(number) = self { Some(*number) } else { None }
    }

    /// The error's text, if it is one.
    pub fn error(&self) -> Option<&str> {
        if let Reply::Error(text) = self { Some(text) } else { None }
    }

    /// The values, if it is an array, a set or a push.
    pub fn items(&self) -> Option<&[Reply]> {
        match self {
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => Some(items),
            _ => None,
        }
    }

    /// The value of this key, if it is a map, or an array in which keys and values take turns.
    pub fn get(&self, key: &str) -> Option<&Reply> {
        match self {
            Reply::Map(pairs) => {
                pairs.iter().find(|(known, _)| known.text() == Some(key)).map(|(_, value)| value)
            }
            Reply::Array(items) => {
                items.chunks_exact(2).find(|pair| pair[0].text() == Some(key)).map(|pair| &pair[1])
            }
            _ => None,
        }
    }

    /// Whether it is null, in any spelling.
    pub fn is_null(&self) -> bool {
        matches!(self, Reply::Null | Reply::NullBulk | Reply::NullArray)
    }

    /// Whether it is `+OK`.
    pub fn is_ok(&self) -> bool {
        matches!(self, Reply::Simple(text) if text == "OK")
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Reply::Bulk(text.into())
    }
}

impl From<i64> for Reply {
    fn from(number: i64) -> Self {
        Reply::Integer(number)
    }
}

impl From<Vec<Reply>> for Reply {
    fn from(items: Vec<Reply>) -> Self {
        Reply::Array(items)
    }
}

/// One value off the front of a whole message.
fn value(rest: &mut &[u8], depth: usize) -> Result<Reply, Malformed> {
    let deeper =
        depth.checked_sub(1).ok_or_else(|| Malformed::new(format!("more than {DEPTH} containers deep")))?;
    let (line, end) = line(rest)?.ok_or_else(short)?;
    *rest = &rest[end..];
    let (kind, line) = line.split_first().ok_or_else(short)?;
    Ok(match kind {
        b'+' => Reply::Simple(text(line)?),
        b'-' => Reply::Error(text(line)?),
        b':' => Reply::Integer(text(line)?.parse().map_err(|_| Malformed::new("an integer that is none"))?),
        b',' => Reply::Double(text(line)?),
        b'(' => Reply::BigNumber(text(line)?),
        b'#' => match line {
            b"t" => Reply::Boolean(true),
            b"f" => Reply::Boolean(false),
            _ => return Err(Malformed::new("a boolean that is neither t nor f")),
        },
        b'_' => Reply::Null,
        b'$' | b'!' | b'=' => string(*kind, line, rest)?,
        b'%' => Reply::Map(pairs(line, rest, deeper)?),
        b'|' => Reply::Attributed(pairs(line, rest, deeper)?, Box::new(value(rest, deeper)?)),
        _ => {
            let Some(count) = count(line)? else { return Ok(Reply::NullArray) };
            let items = (0..count).map(|_| value(rest, deeper)).collect::<Result<_, _>>()?;
            match kind {
                b'~' => Reply::Set(items),
                b'>' => Reply::Push(items),
                _ => Reply::Array(items),
            }
        }
    })
}

fn string(kind: u8, line: &[u8], rest: &mut &[u8]) -> Result<Reply, Malformed> {
    let Some(count) = count(line)? else { return Ok(Reply::NullBulk) };
    let (bytes, behind) = rest.split_at_checked(count).ok_or_else(short)?;
    *rest = behind.strip_prefix(b"\r\n").ok_or_else(short)?;
    match kind {
        b'!' => text(bytes).map(Reply::Error),
        b'=' => match bytes.split_at_checked(3) {
            Some((format, [b':', bytes @ ..])) => Ok(Reply::Verbatim(text(format)?, bytes.to_vec())),
            _ => Err(Malformed::new("a verbatim string without a format of three letters")),
        },
        _ => Ok(Reply::Bulk(bytes.to_vec())),
    }
}

fn pairs(line: &[u8], rest: &mut &[u8], deeper: usize) -> Result<Vec<(Reply, Reply)>, Malformed> {
    let count = count(line)?.ok_or_else(|| Malformed::new("a map of -1 pairs"))?;
    (0..count).map(|_| Ok((value(rest, deeper)?, value(rest, deeper)?))).collect()
}

fn text(bytes: &[u8]) -> Result<String, Malformed> {
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned).map_err(|_| Malformed::new("a line that is no text"))
}

fn short() -> Malformed {
    Malformed::new("a message that ends within a value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Reply, Malformed> {
        let (reply, length) = Reply::read(text.as_bytes())?.expect("it is whole");
        assert_eq!(length, text.len());
        Ok(reply)
    }

    #[test]
    fn every_type_is_read_as_what_it_is() {
        let ok = || Reply::Simple("OK".to_owned());
        for (text, expected) in [
            ("+OK\r\n", ok()),
            ("-MOVED 1 b\r\n", Reply::Error("MOVED 1 b".to_owned())),
            ("!6\r\nERR \r\n\r\n", Reply::Error("ERR \r\n".to_owned())),
            (":-9223372036854775808\r\n", i64::MIN.into()),
            ("$4\r\na\r\nb\r\n", "a\r\nb".into()),
            ("$-1\r\n", Reply::NullBulk),
            ("*-1\r\n", Reply::NullArray),
            ("_\r\n", Reply::Null),
            (",inf\r\n", Reply::Double("inf".to_owned())),
            ("#f\r\n", Reply::Boolean(false)),
            ("(12345678901234567890\r\n", Reply::BigNumber("12345678901234567890".to_owned())),
            ("=5\r\nmkd:x\r\n", Reply::Verbatim("mkd".to_owned(), b"x".to_vec())),
            ("*2\r\n*0\r\n:1\r\n", vec![Vec::new().into(), 1.into()].into()),
            (
                "%1\r\n+a\r\n~1\r\n#t\r\n",
                Reply::Map(vec![(Reply::Simple("a".to_owned()), Reply::Set(vec![Reply::Boolean(true)]))]),
            ),
            (">1\r\n+OK\r\n", Reply::Push(vec![ok()])),
            (
                "|1\r\n+ttl\r\n:3\r\n+OK\r\n",
                Reply::Attributed(vec![(Reply::Simple("ttl".to_owned()), 3.into())], Box::new(ok())),
            ),
        ] {
            assert_eq!(read(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn values_are_found_by_what_they_are() {
        let hello = read("*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:2\r\n").unwrap();
        assert_eq!(hello.get("proto").and_then(Reply::integer), Some(2));
        let map = read("%1\r\n$5\r\nproto\r\n:3\r\n").unwrap();
        assert_eq!(map.get("proto").and_then(Reply::integer), Some(3));
        assert_eq!((map.get("id"), hello.items().map(<[_]>::len)), (None, Some(4)));
        assert!(read("+OK\r\n").unwrap().is_ok() && read("*-1\r\n").unwrap().is_null());
        assert_eq!(read("-ERR no\r\n").unwrap().error(), Some("ERR no"));
    }

    #[test]
    fn what_is_whole_may_still_be_wrong() {
        let deep = "*1\r\n".repeat(DEPTH) + ":1\r\n";
        for wrong in [":1x\r\n", ":\r\n", "#x\r\n", "=2\r\nab\r\n", "=4\r\nabcd\r\n", "%-1\r\n", &deep] {
            assert!(Reply::read(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(Reply::read(b"+\xff\r\n").is_err());
    }
}
