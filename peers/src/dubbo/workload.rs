//! Dubbo for the load engine: calls whose answer must be their own first argument.
//!
//! The frame is encoded once; per call only the id and a stamp in the payload (connection and id, in hex) are
//! written anew. A reply that belongs to another call, of this client or of another one, is therefore noticed.

use super::call::Call;
use super::frame::{self, Frame, HEADER, Header, status};
use super::hessian::Value;
use super::reply::Reply;
use crate::load::{Cut, Workload};
use bytes::{Bytes, BytesMut};

/// Bytes of the payload that say whose it is: 8 digits of the connection, 16 of the id.
const STAMP: usize = 24;
/// First bytes of a response body that holds a value, without and with attachments behind it.
const VALUE: u8 = 0x91;
const VALUE_AND_ATTACHMENTS: u8 = 0x94;

/// Calls that ask for an echo.
#[derive(Clone, Debug)]
pub struct EchoLoad {
    frame: Vec<u8>,
    /// Where the stamp is in the frame.
    stamp: usize,
    /// The payload as it is encoded, with the stamp at `expected_stamp`.
    expected: Vec<u8>,
    expected_stamp: usize,
}

impl EchoLoad {
    /// Calls like this one, with a text of `payload` bytes (24 at least) before its arguments.
    pub fn new(call: Call, payload: usize) -> Self {
        let text = "payload.".chars().cycle().skip(STAMP).take(payload.saturating_sub(STAMP));
        let text: String = std::iter::repeat_n('#', STAMP).chain(text).collect();
        let frame = call.first_argument(&*text).request(0).to_vec();
        let find = |bytes: &[u8]| {
            let all_hashes = |window: &[u8]| window == [b'#'; STAMP];
            bytes.windows(STAMP).position(all_hashes).expect("the text with the stamp was put in above")
        };
        let expected = Value::Text(text).encoded();
        EchoLoad { stamp: find(&frame), expected_stamp: find(&expected), frame, expected }
    }

    /// Checks a whole reply.
    fn verdict(&mut self, connection: u32, header: Header, body: &[u8]) -> Result<(), String> {
        stamp(&mut self.expected[self.expected_stamp..], connection, header.id);
        let expected = &*self.expected;
        match body.split_first() {
            _ if header.status != status::OK => {}
            Some((&VALUE, value)) if value == expected => return Ok(()),
            Some((&VALUE_AND_ATTACHMENTS, value)) if value.starts_with(expected) => return Ok(()),
            _ => {}
        }
        Err(match Reply::read(&Frame { header, body: Bytes::copy_from_slice(body) }) {
            Ok((Reply::Value(value), _)) => format!("another payload came back than was sent: {value:.100?}"),
            Ok((Reply::Status(status, text), _)) => format!("status {status}: {text}"),
            Ok((Reply::Exception(thrown), _)) => format!("exception: {thrown:?}"),
            Ok((Reply::Opaque(_), _)) => format!("an answer in serialization {}", header.serialization),
            Err(malformed) => format!("an answer that cannot be read: {malformed}"),
        })
    }
}

impl Workload for EchoLoad {
    fn request(&mut self, connection: u32, id: u64, out: &mut BytesMut) {
        self.frame[4..12].copy_from_slice(&id.to_be_bytes());
        stamp(&mut self.frame[self.stamp..], connection, id);
        out.extend_from_slice(&self.frame);
    }

    fn cut(&mut self, connection: u32, received: &[u8]) -> Result<Cut, String> {
        let Some((header, length)) = Header::parse(received).map_err(|malformed| malformed.to_string())?
        else {
            return Ok(Cut::Need);
        };
        let Some(body) = received.get(HEADER..HEADER + length) else { return Ok(Cut::Need) };
        let length = HEADER + length;
        if header.request || header.event {
            return Ok(Cut::Skip { length });
        }
        let verdict = if header.serialization == frame::HESSIAN2 {
            self.verdict(connection, header, body)
        } else {
            Err(format!("an answer in serialization {}", header.serialization))
        };
        Ok(Cut::Reply { length, id: Some(header.id), verdict })
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
    use crate::dubbo::call::Request;
    use crate::dubbo::frame::cut;

    fn request(load: &mut EchoLoad, connection: u32, id: u64) -> Request {
        let mut out = BytesMut::new();
        load.request(connection, id, &mut out);
        Request::read(&cut(&mut out).unwrap().unwrap()).unwrap()
    }

    fn verdict(load: &mut EchoLoad, connection: u32, reply: &[u8]) -> Result<(), String> {
        match load.cut(connection, reply) {
            Ok(Cut::Reply { verdict, length, .. }) if length == reply.len() => verdict,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_payload_says_whose_it_is() {
        let mut load = EchoLoad::new(Call::new("i", "echo").attachment("batchJob", "true"), 100);
        let request = request(&mut load, 0x0a, 0x0123_4567_89ab_cdef);
        assert_eq!(request.header.id, 0x0123_4567_89ab_cdef);
        let text = request.arguments[0].text().unwrap();
        assert_eq!((text.len(), &text[..24]), (100, "0000000a0123456789abcdef"));
        assert_eq!(request.attachment("batchJob"), Some(&"true".into()));
    }

    #[test]
    fn only_the_calls_own_payload_is_right() {
        for payload in [0, 24, 100, 5000] {
            let mut load = EchoLoad::new(Call::new("i", "echo"), payload);
            let request = request(&mut load, 3, 9);
            let reply = Reply::Value(request.arguments[0].clone());
            let right = reply.frame(&request.header, &[]);
            assert_eq!(verdict(&mut load, 3, &right), Ok(()));
            assert_eq!(
                verdict(&mut load, 3, &reply.frame(&request.header, &[("a".into(), 1.into())])),
                Ok(())
            );
            assert!(verdict(&mut load, 4, &right).is_err(), "a reply to another client");
            assert!(
                verdict(&mut load, 3, &reply.frame(&Header::request(8), &[])).is_err(),
                "to another call"
            );
        }
    }

    #[test]
    fn an_error_is_told_in_its_words() {
        let mut load = EchoLoad::new(Call::new("i", "echo"), 24);
        let frame =
            Reply::Status(status::SERVICE_NOT_FOUND, "no route".into()).frame(&Header::request(1), &[]);
        assert_eq!(verdict(&mut load, 0, &frame), Err("status 60: no route".to_owned()));
    }

    #[test]
    fn half_a_reply_is_needed_whole_and_a_notice_is_skipped() {
        let mut load = EchoLoad::new(Call::new("i", "echo"), 24);
        let notice = frame::Notice::ReadOnly.frame(1);
        assert_eq!(load.cut(0, &notice), Ok(Cut::Skip { length: notice.len() }));
        assert_eq!(load.cut(0, &notice[..17]), Ok(Cut::Need));
        assert!(load.cut(0, b"HTTP/1.1 400").is_err());
    }
}
