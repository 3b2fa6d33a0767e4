//! The keys of measurements and the value of each, which follows from the key: whoever has it can check the value.
//!
//! A key is the length of its value in 5 digits, a colon, and its number in 10; the value begins with the key and is
//! filled up. The echo server has all of them; a real server gets those that a load asks for.

use super::request::request;
use bytes::{BufMut, BytesMut};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Bytes of a key, and the shortest value.
pub const KEY: usize = 16;
/// Longest value.
pub const LONGEST: usize = 99_999;
/// Keys of a load: it asks for these and no others.
pub const KEYS: u32 = 1 << 16;

/// Digits of the length.
const LENGTH: usize = 5;
/// Keys that a server is given at a time.
const AT_ONCE: usize = 1024;
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// What it answers for each.
const OK: &[u8] = b"+OK\r\n";
/// What values are filled up with.
static FILLER: [u8; LONGEST] = [b'.'; LONGEST];

/// The key of this number, whose value has this length (taken within the bounds).
pub fn key(length: usize, number: u32) -> [u8; KEY] {
    let mut key = [b':'; KEY];
    write(&mut key[..LENGTH], length.clamp(KEY, LONGEST) as u32);
    write(&mut key[LENGTH + 1..], number);
    key
}

/// Appends the reply to GET of this key; `None` if there is no such key.
pub(super) fn reply(key: &[u8], out: &mut BytesMut) -> Option<()> {
    let (digits, rest) = key.split_at_checked(LENGTH)?;
    let length = read(digits)?;
    if key.len() != KEY || !(KEY..=LONGEST).contains(&length) || rest.first() != Some(&b':') {
        return None;
    }
    read(&rest[1..])?;
    let mut header = *b"$00000\r\n";
    header[1..=LENGTH].copy_from_slice(digits);
    // Servers write no leading zeros.
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    out.reserve(header.len() + length + 2);
    out.put_u8(b'$');
    out.put_slice(&header[1 + zeros..]);
    out.put_slice(key);
    out.put_slice(&FILLER[KEY..length]);
    out.put_slice(b"\r\n");
    Some(())
}

/// The value of this key; `None` if there is no such key.
pub fn value(key: &[u8]) -> Option<Vec<u8>> {
    let mut out = BytesMut::new();
    reply(key, &mut out)?;
    let begin = out.iter().position(|byte| *byte == b'\n')? + 1;
    Some(out[begin..out.len() - 2].to_vec())
}

/// Gives a server all keys that loads of values of this length ask for. Blocks.
pub fn fill(address: SocketAddr, length: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    let numbers: Vec<_> = (0..KEYS).collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let mut out = BytesMut::new();
        for key in numbers.iter().map(|number| key(length, *number)) {
            request(&[b"SET".as_slice(), &key, &value(&key).unwrap_or_default()], &mut out);
        }
        stream.write_all(&out)?;
        let mut answers = vec![0; OK.len() * numbers.len()];
        stream.read_exact(&mut answers)?;
        if answers.chunks_exact(OK.len()).any(|answer| answer != OK) {
            let text = String::from_utf8_lossy(&answers);
            return Err(io::Error::other(format!("the server does not take what it is given: {text:.100}")));
        }
    }
    Ok(())
}

fn write(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn read(digits: &[u8]) -> Option<usize> {
    digits
        .iter()
        .try_fold(0usize, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + usize::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_says_which_key_it_belongs_to() {
        assert_eq!(&key(100, 4711), b"00100:0000004711");
        assert_eq!(&key(0, u32::MAX), b"00016:4294967295");
        for length in [16, 17, 100, 16 << 10, LONGEST] {
            let value = value(&key(length, 7)).unwrap();
            assert_eq!((value.len(), &value[..KEY]), (length, &key(length, 7)[..]));
        }
    }

    #[test]
    fn other_keys_have_no_value() {
        for other in
            ["", "00100:00000047110", "00015:0000000001", "00100:000000000x", "00100-0000000001", "key"]
        {
            assert_eq!(value(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_length_is_written_as_servers_write_it() {
        let mut out = BytesMut::new();
        reply(&key(16, 1), &mut out).unwrap();
        assert_eq!(&out[..], b"$16\r\n00016:0000000001\r\n");
    }
}
