//! Thrift for the load engine: framed binary calls of `echo` whose answer must be their own argument, in order.
//!
//! The call is encoded once; per call only the sequence id and a stamp in the payload (connection and id, in hex) are
//! written anew. Replies must come in the order of the calls, each with its own sequence id and payload: one that
//! belongs to another call, of this client or of another one, is noticed, even if all calls bear the same id. Behind a
//! proxy that keeps no order, `in_any_order` tells them by their sequence ids.

use super::dialect::Dialect;
use super::message::Message;
use super::value::Value;
use crate::load::{Cut, Workload};
use bytes::BytesMut;
use std::collections::VecDeque;

/// Bytes of the payload that say whose it is: 8 digits of the connection, 16 of the id.
const STAMP: usize = 24;
/// Longest reply.
const FRAME: usize = 64 << 20;
/// Where the sequence id is in a call, and in its reply, for a name of 4 bytes.
const SEQID: usize = 16;
/// Where the payload is.
const PAYLOAD: usize = 27;

/// Calls that ask for an echo.
#[derive(Clone, Debug)]
pub struct EchoLoad {
    call: Vec<u8>,
    reply: Vec<u8>,
    constant: Option<i32>,
    any_order: bool,
    /// What each connection waits for: sequence id and id of the load, oldest first.
    waiting: Vec<Waiting>,
}

#[derive(Clone, Debug, Default)]
struct Waiting {
    last: i32,
    calls: VecDeque<(i32, u64)>,
}

impl EchoLoad {
    /// Calls with a text of `payload` bytes (24 at least). Sequence ids count up on each connection.
    pub fn new(payload: usize) -> Self {
        let text = "payload.".chars().cycle().skip(STAMP).take(payload.saturating_sub(STAMP));
        let text: String = std::iter::repeat_n('#', STAMP).chain(text).collect();
        let message = Message::call("echo", [Value::from(&*text)]);
        let bytes = |message: Message| {
            let mut out = BytesMut::new();
            Dialect::FRAMED_BINARY.write(&message.into(), &mut out);
            out.to_vec()
        };
        let reply = bytes(message.answer(vec![(0, Value::from(&*text))]));
        EchoLoad { call: bytes(message), reply, constant: None, any_order: false, waiting: Vec::new() }
    }

    /// Gives all calls this sequence id, as some clients do.
    #[must_use]
    pub fn with_constant_seqid(mut self, seqid: i32) -> Self {
        self.constant = Some(seqid);
        self
    }

    /// Takes replies in any order and knows them by their sequence ids, as clients do that have calls of many callers on
    /// one connection.
    #[must_use]
    pub fn in_any_order(mut self) -> Self {
        self.any_order = true;
        self
    }

    fn waiting(&mut self, connection: u32) -> &mut Waiting {
        let place = connection as usize;
        if place >= self.waiting.len() {
            self.waiting.resize_with(place + 1, Waiting::default);
        }
        &mut self.waiting[place]
    }

    /// The call that a whole reply belongs to: the oldest that waits, or the one of its sequence id.
    fn asked(&mut self, connection: u32, reply: &[u8]) -> Option<(i32, u64)> {
        let any_order = self.any_order;
        let calls = &mut self.waiting(connection).calls;
        if !any_order {
            return calls.pop_front();
        }
        let seqid = i32::from_be_bytes(reply.get(SEQID..)?.first_chunk().copied()?);
        let place = calls.iter().position(|(known, _)| *known == seqid)?;
        calls.remove(place)
    }

    /// Checks a whole reply against its call.
    fn verdict(&mut self, (seqid, id): (i32, u64), connection: u32, reply: &[u8]) -> Result<(), String> {
        self.reply[SEQID..SEQID + 4].copy_from_slice(&seqid.to_be_bytes());
        stamp(&mut self.reply[PAYLOAD..], connection, id);
        if reply == self.reply {
            return Ok(());
        }
        Err(match Dialect::FRAMED_BINARY.cut(&mut BytesMut::from(reply)) {
            Ok(Some(envelope)) if envelope.message.seqid != seqid => {
                format!("the reply to call {seqid} bears number {}", envelope.message.seqid)
            }
            Ok(Some(envelope)) => match envelope.message.application() {
                Some((code, text)) => format!("exception {code}: {text}"),
                None => format!("another reply came than was asked for: {:.200?}", envelope.message),
            },
            Ok(None) => "an empty reply".to_owned(),
            Err(malformed) => format!("a reply that cannot be read: {malformed}"),
        })
    }
}

impl Workload for EchoLoad {
    fn request(&mut self, connection: u32, id: u64, out: &mut BytesMut) {
        let constant = self.constant;
        let waiting = self.waiting(connection);
        waiting.last = waiting.last.wrapping_add(1);
        let seqid = constant.unwrap_or(waiting.last);
        waiting.calls.push_back((seqid, id));
        self.call[SEQID..SEQID + 4].copy_from_slice(&seqid.to_be_bytes());
        stamp(&mut self.call[PAYLOAD..], connection, id);
        out.extend_from_slice(&self.call);
    }

    fn cut(&mut self, connection: u32, received: &[u8]) -> Result<Cut, String> {
        let Some(length) = received.first_chunk() else { return Ok(Cut::Need) };
        let length = u32::from_be_bytes(*length) as usize;
        if length > FRAME {
            return Err(format!("a frame of {length} bytes"));
        }
        let length = 4 + length;
        let Some(reply) = received.get(..length) else { return Ok(Cut::Need) };
        let Some(asked) = self.asked(connection, reply) else {
            let verdict = Err("a reply to a call that does not wait for one".to_owned());
            return Ok(Cut::Reply { length, id: None, verdict });
        };
        let id = self.any_order.then_some(asked.1);
        Ok(Cut::Reply { length, id, verdict: self.verdict(asked, connection, reply) })
    }

    fn in_order(&self) -> bool {
        !self.any_order
    }
}

/// Writes connection and id as 24 hex digits.
fn stamp(out: &mut [u8], connection: u32, id: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (place, digit) in out.iter_mut().zip(0..STAMP) {
        let nibble =
            if digit < 8 { connection >> (28 - 4 * digit) } else { (id >> (60 - 4 * (digit - 8))) as u32 };
        *place = DIGITS[(nibble & 0xf) as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(load: &mut EchoLoad, connection: u32, id: u64) -> Message {
        let mut out = BytesMut::new();
        load.request(connection, id, &mut out);
        Dialect::FRAMED_BINARY.cut(&mut out).unwrap().unwrap().message
    }

    fn verdict(load: &mut EchoLoad, connection: u32, reply: Message) -> Result<(), String> {
        let mut out = BytesMut::new();
        Dialect::FRAMED_BINARY.write(&reply.into(), &mut out);
        match load.cut(connection, &out) {
            Ok(Cut::Reply { verdict, length, .. }) if length == out.len() => verdict,
            other => panic!("{other:?}"),
        }
    }

    fn echo(call: &Message) -> Message {
        call.answer(vec![(0, call.fields[0].1.clone())])
    }

    #[test]
    fn the_constants_are_where_the_bytes_are() {
        let load = EchoLoad::new(100);
        assert_eq!(load.call[PAYLOAD..PAYLOAD + STAMP], [b'#'; STAMP]);
        let differ: Vec<_> =
            (0..load.call.len()).filter(|place| load.call[*place] != load.reply[*place]).collect();
        assert_eq!(differ, [7, 22], "the kind and the number of the field");
    }

    #[test]
    fn the_payload_says_whose_it_is() {
        let mut load = EchoLoad::new(100);
        let text = |call: &Message| call.fields[0].1.text().unwrap().to_owned();
        let first = call(&mut load, 0x0a, 0x0123_4567_89ab_cdef);
        assert_eq!((first.seqid, text(&first).len()), (1, 100));
        assert_eq!(&text(&first)[..24], "0000000a0123456789abcdef");
        assert_eq!(call(&mut load, 0x0a, 5).seqid, 2);
        assert_eq!(call(&mut load, 0x0b, 5).seqid, 1);
    }

    #[test]
    fn only_the_calls_own_payload_in_its_turn_is_right() {
        for constant in [None, Some(0)] {
            let mut load = EchoLoad { constant, ..EchoLoad::new(24) };
            let calls = [1, 2, 3, 4].map(|id| call(&mut load, 3, id));
            let other = call(&mut load, 4, 1);
            assert_eq!(verdict(&mut load, 3, echo(&calls[0])), Ok(()));
            let overtaking = verdict(&mut load, 3, echo(&calls[2])).unwrap_err();
            assert!(
                overtaking.contains(if constant.is_none() { "number 3" } else { "another" }),
                "{overtaking}"
            );
            assert!(verdict(&mut load, 3, Message { seqid: 3, ..echo(&other) }).is_err());
            assert_eq!(verdict(&mut load, 3, echo(&calls[3])), Ok(()));
            assert!(verdict(&mut load, 3, echo(&calls[3])).is_err(), "twice");
        }
    }

    #[test]
    fn in_any_order_a_reply_is_known_by_its_number_and_must_still_be_its_calls_own() {
        let mut load = EchoLoad::new(24).in_any_order();
        let calls = [1, 2, 3].map(|id| call(&mut load, 3, id));
        assert!(!load.in_order());
        assert_eq!(verdict(&mut load, 3, echo(&calls[2])), Ok(()));
        assert!(verdict(&mut load, 3, echo(&calls[2])).is_err(), "twice");
        assert!(verdict(&mut load, 3, Message { seqid: 2, ..echo(&calls[0]) }).is_err(), "of another call");
        assert_eq!(verdict(&mut load, 3, echo(&calls[0])), Ok(()));
    }

    #[test]
    fn an_exception_is_told_in_its_words() {
        let mut load = EchoLoad::new(24);
        let asked = call(&mut load, 0, 1);
        assert_eq!(
            verdict(&mut load, 0, asked.exception(1, "no route")),
            Err("exception 1: no route".to_owned())
        );
    }

    #[test]
    fn half_a_reply_is_needed_whole() {
        let mut load = EchoLoad::new(24);
        let asked = call(&mut load, 0, 1);
        let mut out = BytesMut::new();
        Dialect::FRAMED_BINARY.write(&echo(&asked).into(), &mut out);
        for cut in [0, 3, 4, out.len() - 1] {
            assert_eq!(load.cut(0, &out[..cut]), Ok(Cut::Need));
        }
        assert!(load.cut(0, b"HTTP/1.1 400").is_err());
    }
}
