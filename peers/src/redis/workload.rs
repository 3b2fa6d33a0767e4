//! Redis for the load engine: GET of one key after another, whose value must be that key's, in order.
//!
//! Each connection walks through the keys from a place of its own, so that what is outstanding at one time is asked for
//! once: a reply that belongs to another command, of this client or of another one, is noticed.

use super::length::length;
use super::reply::Reply;
use super::stock::{self, KEY, KEYS};
use crate::load::{Cut, Workload};
use bytes::BytesMut;
use std::collections::VecDeque;

/// The command up to its key.
const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$16\r\n";
/// How far apart connections begin: prime to the number of keys, and more than one has outstanding.
const APART: u32 = 617;

/// Reads of keys in stock.
#[derive(Clone, Debug)]
pub struct GetLoad {
    length: usize,
    command: Vec<u8>,
    expected: BytesMut,
    /// Each connection's next key, and those that it waits for, oldest first.
    places: Vec<Place>,
}

#[derive(Clone, Debug, Default)]
struct Place {
    next: u32,
    waiting: VecDeque<u32>,
}

impl GetLoad {
    /// Reads of values of so many bytes (16 at least, 99,999 at most).
    pub fn new(length: usize) -> Self {
        let command = [GET, &stock::key(length, 0), b"\r\n"].concat();
        GetLoad { length, command, expected: BytesMut::new(), places: Vec::new() }
    }

    fn place(&mut self, connection: u32) -> &mut Place {
        let place = connection as usize;
        for number in self.places.len()..=place {
            let next = (number as u32).wrapping_mul(APART) % KEYS;
            self.places.push(Place { next, ..Place::default() });
        }
        &mut self.places[place]
    }

    /// Checks a whole reply against the key that was asked for.
    fn verdict(&mut self, number: u32, reply: &[u8]) -> Result<(), String> {
        let key = stock::key(self.length, number);
        self.expected.clear();
        // The key is one in stock.
        let _ = stock::reply(&key, &mut self.expected);
        if self.expected == reply {
            return Ok(());
        }
        let key = String::from_utf8_lossy(&key).into_owned();
        Err(match Reply::read(reply) {
            Ok(Some((Reply::Error(text), _))) => text,
            Ok(Some((other, _))) => {
                format!("the value of {key} was asked for, and another reply came: {other:.100?}")
            }
            Ok(None) | Err(_) => "a reply that cannot be read".to_owned(),
        })
    }
}

impl Workload for GetLoad {
    fn request(&mut self, connection: u32, _: u64, out: &mut BytesMut) {
        let length = self.length;
        let place = self.place(connection);
        let number = place.next;
        place.next = (number + 1) % KEYS;
        place.waiting.push_back(number);
        self.command[GET.len()..GET.len() + KEY].copy_from_slice(&stock::key(length, number));
        out.extend_from_slice(&self.command);
    }

    fn cut(&mut self, connection: u32, received: &[u8]) -> Result<Cut, String> {
        let Some(length) = length(received).map_err(|malformed| malformed.to_string())? else {
            return Ok(Cut::Need);
        };
        let verdict = match self.place(connection).waiting.pop_front() {
            Some(number) => self.verdict(number, &received[..length]),
            None => Err("a reply to nothing".to_owned()),
        };
        Ok(Cut::Reply { length, id: None, verdict })
    }

    fn in_order(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of these commands.
    fn keys(out: &BytesMut) -> Vec<[u8; KEY]> {
        let key = |command: &[u8]| command[GET.len()..GET.len() + KEY].try_into().unwrap();
        out.chunks_exact(GET.len() + KEY + 2).map(key).collect()
    }

    fn verdict(load: &mut GetLoad, connection: u32, reply: &[u8]) -> Result<(), String> {
        match load.cut(connection, reply) {
            Ok(Cut::Reply { verdict, length, id: None }) if length == reply.len() => verdict,
            other => panic!("{other:?}"),
        }
    }

    fn reply(key: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        stock::reply(key, &mut out).unwrap();
        out
    }

    #[test]
    fn only_the_value_of_the_key_in_its_turn_is_right() {
        let mut load = GetLoad::new(100);
        let mut out = BytesMut::new();
        (0..4).for_each(|id| load.request(3, id, &mut out));
        load.request(4, 0, &mut out);
        let keys = keys(&out);
        assert_eq!((keys.len(), &keys[0]), (5, b"00100:0000001851"));
        assert_eq!(verdict(&mut load, 3, &reply(&keys[0])), Ok(()));
        assert!(verdict(&mut load, 3, &reply(&keys[2])).unwrap_err().contains("0000001852"));
        assert!(verdict(&mut load, 3, &reply(&keys[4])).is_err(), "another client's");
        assert_eq!(verdict(&mut load, 3, b"-ERR no route\r\n"), Err("ERR no route".to_owned()));
        assert!(verdict(&mut load, 3, b"$-1\r\n").is_err(), "nobody waits for it");
    }

    #[test]
    fn keys_come_round_again_and_stay_in_stock() {
        let mut load = GetLoad::new(16);
        let mut out = BytesMut::new();
        (0..=u64::from(KEYS)).for_each(|id| load.request(2, id, &mut out));
        let keys = keys(&out);
        assert_eq!(keys.first(), keys.last());
        assert!(
            keys.iter().all(|key| (0..KEYS).contains(&String::from_utf8_lossy(&key[6..]).parse().unwrap()))
        );
    }

    #[test]
    fn half_a_reply_is_needed_whole_and_what_is_no_reply_ends_the_connection() {
        let mut load = GetLoad::new(100);
        assert_eq!(load.cut(0, b"$100\r\nx"), Ok(Cut::Need));
        assert!(load.cut(0, b"HTTP/1.1 400\r\n").is_err());
    }
}
