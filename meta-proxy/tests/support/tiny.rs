//! The protocol of these tests.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use codec_api::{
    After, Answer, Attribute, Cause, Codec, Conduct, DecodeError, Decoded, Edit, Edited, Factory, Found,
    Kind, LocalReply, Message, OptionError, Options, Out, Outgoing, Properties, Protocol, Refusal, Rejected,
    RequestHead, Shares, Sharing, Side, Span, Status, Value,
};

use super::words;

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
        Box::new(TinyCodec::default())
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

thread_local! {
    static WALKS: Cell<usize> = const { Cell::new(0) };
}

/// How often a codec of this thread has looked for late attributes: the size of a message, and what stands in its
/// method as `NAME:VALUE`.
pub fn walks() -> usize {
    WALKS.get()
}

/// One connection's codec, for either side.
#[derive(Default)]
struct TinyCodec {
    session: Vec<u8>,
    /// The request that changes the session, and the session before it.
    changing: Option<(u64, Vec<u8>)>,
}

impl TinyCodec {
    /// Takes note of what a request does to the session.
    fn begin(&mut self, message: &Message, method: &str) {
        if let Some(name) = words::value(method, "session") {
            let before = std::mem::replace(&mut self.session, name.as_bytes().to_vec());
            self.changing = Some((message.id, before));
        }
    }

    /// Takes note of how the request with this id ended.
    fn end(&mut self, id: u64, is_good: bool) {
        if let Some((_, before)) = self.changing.take_if(|(changing, _)| *changing == id)
            && !is_good
        {
            self.session = before;
        }
    }
}

fn method_of<'a>(message: &Message, bytes: &'a [u8]) -> &'a str {
    message.head[METHOD].of(bytes).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default()
}

impl Codec for TinyCodec {
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
            b'u' => Kind::Push,
            other => return Err(DecodeError::new(format!("kind {other:#04x} is unknown"))),
        };
        if len < HEAD {
            return Err(DecodeError::new(format!("{len} bytes are no message")));
        }
        if len > LIMIT {
            let answer =
                matches!(kind, Kind::Request | Kind::Response).then_some(RequestHead { id, context: 0 });
            let text = format!("{len} bytes are more than {LIMIT}");
            return Ok(Decoded::Reject(Rejected { skip: len as u64, answer, cause: Cause::TooLarge, text }));
        }
        if input.len() < len {
            return Ok(Decoded::need(len));
        }
        let mut message = Message::new(kind, len);
        (message.id, message.status) = (id, status(head[5]));
        message.head[METHOD] = Span::new(HEAD, HEAD + usize::from(head[14]));
        let method = method_of(&message, input);
        words::apply(method, &mut message);
        if matches!(kind, Kind::Request | Kind::Oneway) {
            self.begin(&message, method);
        }
        Ok(Decoded::Message(message))
    }

    fn attributes(&mut self, message: &Message, bytes: &[u8], wanted: &[Attribute], found: &mut Found) {
        WALKS.set(WALKS.get() + 1);
        found.offer(wanted, b"size", || Value::Text(bytes.len().to_string().into()));
        let words = method_of(message, bytes).split('+').filter_map(|word| word.split_once(':'));
        for (name, value) in words {
            found.offer(wanted, name.as_bytes(), || Value::Text(value.into()));
        }
    }

    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        out.put(&message.bytes.as_slice()[..6]);
        out.put(&message.id.to_be_bytes());
        message.bytes.put_from(14, out);
    }

    fn write(&mut self, message: &Outgoing<'_>, _: &[Edit<'_>], out: &mut Out) -> Result<Edited, Refusal> {
        if words::has(method_of(message.message, message.bytes.as_slice()), "unwritable") {
            return Err(Refusal { cause: Cause::Unsupported, text: "it cannot be written".to_owned() });
        }
        if message.message.kind == Kind::Response {
            self.end(message.id, message.message.status == Status::Ok);
        }
        self.encode(message, out);
        Ok(Edited::Done)
    }

    fn local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        self.end(request.id, false);
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

    fn answer(&mut self, request: &Outgoing<'_>, out: &mut Out) -> After {
        let method = method_of(request.message, request.bytes.as_slice());
        out.put(&Frame::new(b'r', request.id, "", b"own").encode());
        if words::has(method, "reset") {
            self.session.clear();
        }
        if words::has(method, "quit") { After::Close } else { After::Stay }
    }

    fn session(&self) -> &[u8] {
        &self.session
    }

    fn prelude(&mut self, session: &[u8], out: &mut Out) -> usize {
        if session.is_empty() {
            return 0;
        }
        out.put(&Frame::new(b'q', 0, "hello", session).encode());
        1
    }

    fn prepare(&mut self, request: &Message, out: &mut Out) -> usize {
        if request.context != words::PREPARED {
            return 0;
        }
        out.put(&Frame::new(b'q', 0, "prepare", b"").encode());
        1
    }

    fn keys(&mut self, message: &Message, bytes: &[u8], keys: &mut Vec<Span>) {
        words::keys(method_of(message, bytes), HEAD, keys);
    }

    fn split(
        &mut self,
        whole: &Outgoing<'_>,
        shares: Shares<'_>,
        share: u16,
        part: &mut Vec<u8>,
    ) -> Result<Message, Refusal> {
        let bytes = whole.bytes.as_slice();
        let method = words::share(method_of(whole.message, bytes), shares, share)?;
        let payload = &bytes[HEAD + usize::from(bytes[14])..];
        part.extend(Frame::new(bytes[4], whole.id, &method, payload).encode());
        match self.decode(part) {
            Ok(Decoded::Message(message)) => Ok(message),
            other => Err(Refusal { cause: Cause::BadMessage, text: format!("{other:?}") }),
        }
    }

    fn merge(&mut self, request: RequestHead, shares: Shares<'_>, answers: &[Answer<'_>], out: &mut Out) {
        self.end(request.id, true);
        let answers: Vec<String> = answers
            .iter()
            .map(|answer| match answer {
                Answer::Response { bytes, .. } => String::from_utf8_lossy(&bytes[HEAD..]).into_owned(),
                Answer::Failed(reply) => format!("!{:?}", reply.cause),
            })
            .collect();
        let merged = words::merge(shares, &answers);
        out.put(&Frame::new(b'r', request.id, "", merged.as_bytes()).encode());
    }
}
