//! The protocol of these tests.

use std::sync::Arc;
use std::time::Duration;

use codec_api::{
    Attribute, Cause, Codec, Conduct, DecodeError, Decoded, Factory, Found, Kind, LocalReply, Message,
    OptionError, Options, Out, Outgoing, Properties, Protocol, Rejected, RequestHead, Sharing, Side, Span,
    Status, Value,
};

const METHOD: usize = 0;
const LIMIT: usize = 8 << 20;
const HEAD: usize = 15;

pub static PROPERTIES: Properties = Properties {
    head: &["method"],
    service: None,
    operation: Some(METHOD),
    id_bits: 64,
    sharing: Sharing::Shared(1),
    request_timeout: Duration::from_secs(15),
    heartbeat: Some(Duration::from_mins(1)),
};

/// A small protocol, which shares connections and finds responses by their ids unless its conduct says otherwise.
#[derive(Clone, Copy, Default)]
pub struct Tiny {
    pub conduct: Conduct,
}

impl Protocol for Tiny {
    fn name(&self) -> &'static str {
        "tiny"
    }

    fn properties(&self) -> &'static Properties {
        &PROPERTIES
    }

    fn configure(&self, _: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>> {
        options.only(&[])?;
        Ok(Arc::new(*self))
    }
}

impl Factory for Tiny {
    fn codec(&self) -> Box<dyn Codec> {
        Box::new(*self)
    }

    fn conduct(&self) -> Conduct {
        self.conduct
    }
}

/// A message as the actors of a test write and read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub status: u8,
    pub id: u64,
    pub method: String,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn new(kind: u8, id: u64, method: &str, payload: &[u8]) -> Self {
        Self { kind, status: 0, id, method: method.to_owned(), payload: payload.to_vec() }
    }

    pub fn request(id: u64, method: &str) -> Self {
        Self::new(b'q', id, method, b"payload")
    }

    pub fn response_to(request: &Self) -> Self {
        Self::new(b'r', request.id, "", &request.payload)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = ((HEAD - 4 + self.method.len() + self.payload.len()) as u32).to_be_bytes().to_vec();
        bytes.extend([self.kind, self.status]);
        bytes.extend(self.id.to_be_bytes());
        bytes.push(self.method.len() as u8);
        bytes.extend(self.method.as_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// Takes the first whole frame out of `bytes`.
    pub fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let length = u32::from_be_bytes(bytes.first_chunk::<4>().copied()?) as usize;
        let whole = bytes.get(4..4 + length)?.to_vec();
        bytes.drain(..4 + length);
        let method = usize::from(whole[10]);
        Some(Self {
            kind: whole[0],
            status: whole[1],
            id: u64::from_be_bytes(*whole[2..].first_chunk().unwrap()),
            method: String::from_utf8(whole[11..11 + method].to_vec()).unwrap(),
            payload: whole[11 + method..].to_vec(),
        })
    }
}

fn status(byte: u8) -> Status {
    match byte {
        0 => Status::Ok,
        1 => Status::ApplicationError,
        2 => Status::ServerError,
        _ => Status::Overloaded,
    }
}

impl Codec for Tiny {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        let Some(head) = input.first_chunk::<HEAD>() else { return Ok(Decoded::need(HEAD)) };
        let len = 4 + u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let id = u64::from_be_bytes(*head[6..].first_chunk().unwrap());
        let kind = match head[4] {
            b'q' => Kind::Request,
            b'1' => Kind::Oneway,
            b'r' => Kind::Response,
            b'p' => Kind::Ping,
            b'o' => Kind::Pong,
            b'g' => Kind::GoingAway,
            other => return Err(DecodeError::new(format!("kind {other:#04x} is unknown"))),
        };
        if len < HEAD {
            return Err(DecodeError::new(format!("{len} bytes are no message")));
        }
        if len > LIMIT {
            let answer = (kind == Kind::Request).then_some(RequestHead { id, context: 0 });
            let text = format!("{len} bytes are more than {LIMIT}");
            return Ok(Decoded::Reject(Rejected { skip: len as u64, answer, cause: Cause::TooLarge, text }));
        }
        if input.len() < len {
            return Ok(Decoded::need(len));
        }
        let mut message = Message::new(kind, len);
        (message.id, message.status) = (id, status(head[5]));
        message.head[METHOD] = Span::new(HEAD, HEAD + usize::from(head[14]));
        Ok(Decoded::Message(message))
    }

    fn attributes(&mut self, message: &Message, bytes: &[u8], wanted: &[Attribute], found: &mut Found) {
        found.offer(wanted, b"size", || Value::Text(bytes.len().to_string().into()));
        let _ = message;
    }

    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        out.put(&message.bytes.as_slice()[..6]);
        out.put(&message.id.to_be_bytes());
        message.bytes.put_from(14, out);
    }

    fn local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        let payload = format!("{:?}: {}", reply.cause, reply.text);
        out.put(&Frame { status: 9, ..Frame::new(b'r', request.id, "", payload.as_bytes()) }.encode());
    }

    fn pong(&mut self, ping: &Outgoing<'_>, out: &mut Out) {
        out.put(&Frame::new(b'o', ping.id, "", b"").encode());
    }

    fn ping(&mut self, id: u64, out: &mut Out) {
        out.put(&Frame::new(b'p', id, "", b"").encode());
    }

    fn going_away(&mut self, out: &mut Out) {
        out.put(&Frame::new(b'g', 0, "", b"").encode());
    }
}
