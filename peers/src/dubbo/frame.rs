//! The 16-byte header, frames, statuses and events.
//!
//! Header: magic 0xdabb; flags (0x80 request, 0x40 wants an answer, 0x20 event, low five bits the serialization);
//! status (responses); request id, 8 bytes; length of the body, 4 bytes; numbers in network order.

use super::hessian::Value;
use super::malformed::Malformed;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes before the body.
pub const HEADER: usize = 16;
/// Longest body that these peers accept: 64 MiB. Apache Dubbo's own default is 8 MiB.
pub const MAX_BODY: usize = 64 << 20;
/// Serialization id of hessian2, the only one whose bodies are read here.
pub const HESSIAN2: u8 = 2;
/// Serialization id of fastjson2.
pub const FASTJSON2: u8 = 23;
/// Serialization id of protobuf, which the proxy does not look into.
pub const PROTOBUF: u8 = 22;

const MAGIC: [u8; 2] = [0xda, 0xbb];
const REQUEST: u8 = 0x80;
const TWO_WAY: u8 = 0x40;
const EVENT: u8 = 0x20;
const SERIALIZATION: u8 = 0x1f;

/// Statuses of responses, as Apache Dubbo's `Response` numbers them.
pub mod status {
    /// Answered; the body says whether with a value or an exception.
    pub const OK: u8 = 20;
    /// The sender could not write its answer.
    pub const SERIALIZATION_ERROR: u8 = 25;
    /// The consumer gave up waiting.
    pub const CLIENT_TIMEOUT: u8 = 30;
    /// The provider, or a proxy before it, gave up waiting.
    pub const SERVER_TIMEOUT: u8 = 31;
    /// The connection was closed.
    pub const CHANNEL_INACTIVE: u8 = 35;
    /// The request could not be read.
    pub const BAD_REQUEST: u8 = 40;
    /// The response could not be read.
    pub const BAD_RESPONSE: u8 = 50;
    /// There is no such service.
    pub const SERVICE_NOT_FOUND: u8 = 60;
    /// The service failed.
    pub const SERVICE_ERROR: u8 = 70;
    /// The server failed.
    pub const SERVER_ERROR: u8 = 80;
    /// The consumer failed.
    pub const CLIENT_ERROR: u8 = 90;
    /// The server has no thread left.
    pub const THREADPOOL_EXHAUSTED: u8 = 100;
}

/// What stands before the body, but for its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// A request, else a response.
    pub request: bool,
    /// The sender of this request wants an answer.
    pub two_way: bool,
    /// A heartbeat or a notice, not a call.
    pub event: bool,
    /// Serialization of the body; 0 to 31.
    pub serialization: u8,
    /// Status of a response; 0 in requests.
    pub status: u8,
    /// Chosen by the requester, repeated in the response.
    pub id: u64,
}

impl Header {
    /// A hessian2 call that wants an answer.
    pub fn request(id: u64) -> Self {
        Header { request: true, two_way: true, event: false, serialization: HESSIAN2, status: 0, id }
    }

    /// A hessian2 response.
    pub fn response(id: u64, status: u8) -> Self {
        Header { request: false, two_way: false, event: false, serialization: HESSIAN2, status, id }
    }

    /// Appends header and body.
    pub fn frame_into(&self, body: &[u8], out: &mut BytesMut) {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.reserve(HEADER + body.len());
        out.put_slice(&MAGIC);
        out.put_u8(
            flag(self.request, REQUEST)
                | flag(self.two_way, TWO_WAY)
                | flag(self.event, EVENT)
                | (self.serialization & SERIALIZATION),
        );
        out.put_u8(self.status);
        out.put_u64(self.id);
        out.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
        out.put_slice(body);
    }

    /// Header and body as one frame.
    pub fn frame(&self, body: &[u8]) -> Bytes {
        let mut out = BytesMut::new();
        self.frame_into(body, &mut out);
        out.freeze()
    }

    /// Reads a header and the length of its body; `None` when fewer than 16 bytes are there.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
        let present = bytes.len().min(2);
        if bytes[..present] != MAGIC[..present] {
            return Err(Malformed::new(format!(
                "a message begins with {:02x?}, not with dabb",
                &bytes[..present]
            )));
        }
        let Some(mut rest) = bytes.get(2..HEADER) else { return Ok(None) };
        let flags = rest.get_u8();
        let header = Header {
            request: flags & REQUEST != 0,
            two_way: flags & TWO_WAY != 0,
            event: flags & EVENT != 0,
            serialization: flags & SERIALIZATION,
            status: rest.get_u8(),
            id: rest.get_u64(),
        };
        let length = rest.get_u32() as usize;
        if length > MAX_BODY {
            return Err(Malformed::new(format!("a body of {length} bytes; at most {MAX_BODY} are read")));
        }
        Ok(Some((header, length)))
    }
}

/// One whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What stands before the body.
    pub header: Header,
    /// The body.
    pub body: Bytes,
}

/// Takes the first whole message out of what has been received; `None` when it is not whole yet.
pub fn cut(received: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
    let Some((header, length)) = Header::parse(received)? else { return Ok(None) };
    if received.len() < HEADER + length {
        return Ok(None);
    }
    received.advance(HEADER);
    Ok(Some(Frame { header, body: received.split_to(length).freeze() }))
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Are you there? Wants an answer.
    Heartbeat,
    /// Send no new calls on this connection: the sender will stop.
    ReadOnly,
    /// New calls are welcome again.
    Writable,
}

impl Notice {
    /// The request frame that carries it.
    pub fn frame(self, id: u64) -> Bytes {
        let body = match self {
            Notice::Heartbeat => Value::Null,
            Notice::ReadOnly => Value::from("R"),
            Notice::Writable => Value::from("W"),
        };
        let header = Header { event: true, two_way: self == Notice::Heartbeat, ..Header::request(id) };
        header.frame(&body.encoded())
    }

    /// What the event in this frame says; unknown ones count as heartbeats, as in Apache Dubbo.
    pub fn of(frame: &Frame) -> Notice {
        match &frame.body[..] {
            [1, b'R'] => Notice::ReadOnly,
            [1, b'W'] => Notice::Writable,
            _ => Notice::Heartbeat,
        }
    }
}

/// The answer to a heartbeat.
pub fn heartbeat_answer(to: &Header) -> Bytes {
    let header =
        Header { event: true, serialization: to.serialization, ..Header::response(to.id, status::OK) };
    header.frame(&Value::Null.encoded())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_writing_and_reading() {
        let header = Header { serialization: 23, event: true, ..Header::request(0x0102_0304_0506_0708) };
        let bytes = header.frame(b"body");
        assert_eq!(bytes[..16], [0xda, 0xbb, 0xf7, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 4]);
        assert_eq!(Header::parse(&bytes), Ok(Some((header, 4))));
    }

    #[test]
    fn a_cut_header_is_not_a_message() {
        let bytes = Header::request(7).frame(b"body");
        for end in 0..bytes.len() {
            let mut received = BytesMut::from(&bytes[..end]);
            assert_eq!(cut(&mut received), Ok(None), "{end} bytes");
            assert_eq!(received.len(), end);
        }
    }

    #[test]
    fn several_messages_in_one_buffer_are_cut_one_by_one() {
        let mut received = BytesMut::new();
        for id in 1..=3 {
            Header::request(id).frame_into(&[id as u8], &mut received);
        }
        for id in 1..=3 {
            let frame = cut(&mut received).unwrap().unwrap();
            assert_eq!((frame.header.id, &frame.body[..]), (id, &[id as u8][..]));
        }
        assert!(received.is_empty());
    }

    #[test]
    fn what_is_not_dubbo_is_refused_at_its_first_byte() {
        assert!(Header::parse(b"G").is_err());
        assert!(Header::parse(b"\xda\x00").is_err());
        let mut oversize = Header::request(1).frame(b"").to_vec();
        oversize[12..16].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(Header::parse(&oversize).is_err());
    }

    #[test]
    fn notices_are_told_apart() {
        for notice in [Notice::Heartbeat, Notice::ReadOnly, Notice::Writable] {
            let frame = cut(&mut BytesMut::from(&notice.frame(9)[..])).unwrap().unwrap();
            assert!(frame.header.event && frame.header.request);
            assert_eq!(frame.header.two_way, notice == Notice::Heartbeat);
            assert_eq!(Notice::of(&frame), notice);
        }
    }
}
