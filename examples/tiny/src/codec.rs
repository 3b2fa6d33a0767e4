//! The codec: one per connection.
//!
//! It looks at bytes and says what they are; it does no I/O, never waits, and never panics, whatever the bytes.

use codec_api::{
    Attribute, Cause, Codec, DecodeError, Decoded, Edit, Edited, Found, Kind, LocalReply, Message, Out,
    Outgoing, Refusal, Rejected, RequestHead, Value,
};

use crate::MAX_MESSAGE_BYTES;
use crate::frame::{self, HEAD, Head, ID_AT, MAX_TEXT, METHOD};

/// Bytes that a local reply tells of its reason.
const MAX_REASON: usize = 500;

/// Tiny on one connection.
pub(crate) struct TinyCodec {
    limit: usize,
}

impl TinyCodec {
    /// A codec that takes messages of up to `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit }
    }

    /// Refuses a message by its head; the connection lives on.
    fn too_large(&self, head: &Head) -> Decoded {
        let is_awaited = head.kind == Kind::Request;
        let text = format!("{} bytes are more than {MAX_MESSAGE_BYTES}, {}", head.len, self.limit);
        Decoded::Reject(Rejected {
            skip: head.len as u64,
            answer: is_awaited.then_some(RequestHead { id: head.id.into(), context: 0 }),
            cause: Cause::TooLarge,
            text,
        })
    }
}

impl Codec for TinyCodec {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        let Some(head) = Head::read(input)? else { return Ok(Decoded::need(HEAD)) };
        if head.len > self.limit {
            return Ok(self.too_large(&head));
        }
        let Some(bytes) = input.get(..head.len) else { return Ok(Decoded::need(head.len)) };
        if frame::attributes_at(bytes).is_none() {
            return Err(DecodeError::new("the attributes are longer than their message"));
        }
        let mut message = Message::new(head.kind, head.len);
        message.id = head.id.into();
        message.status = head.status;
        message.head[METHOD] = head.method();
        Ok(Decoded::Message(message))
    }

    fn attributes(&mut self, _: &Message, bytes: &[u8], wanted: &[Attribute], found: &mut Found) {
        for (name, value) in frame::attributes(bytes) {
            found.offer(wanted, name.of(bytes).unwrap_or_default(), || Value::Span(value));
        }
    }

    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        let Some(start) = message.bytes.as_slice().get(..ID_AT) else { return };
        out.put(start);
        out.put(&(message.id as u32).to_be_bytes());
        message.bytes.put_from(ID_AT + 4, out);
    }

    fn write(
        &mut self,
        message: &Outgoing<'_>,
        edits: &[Edit<'_>],
        out: &mut Out,
    ) -> Result<Edited, Refusal> {
        if edits.is_empty() {
            self.encode(message, out);
            return Ok(Edited::Done);
        }
        let edited = edited(message, edits).map_err(|text| Refusal { cause: Cause::BadMessage, text })?;
        out.put(&edited);
        Ok(Edited::Done)
    }

    fn local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        let (kind, word) = word(reply.cause);
        let reason = format!("{word}: {}", reply.text);
        let reason = &reason.as_bytes()[..reason.len().min(MAX_REASON)];
        out.put(&frame::write(kind, request.id as u32, b"", b"", reason));
    }

    fn pong(&mut self, ping: &Outgoing<'_>, out: &mut Out) {
        out.put(&frame::write(b'o', ping.id as u32, b"", b"", b""));
    }

    fn ping(&mut self, id: u64, out: &mut Out) {
        out.put(&frame::write(b'p', id as u32, b"", b"", b""));
    }

    fn going_away(&mut self, out: &mut Out) {
        out.put(&frame::write(b'g', 0, b"", b"", b""));
    }
}

/// What a client is told for each cause: kind of the response, and the word by which a program tells it from others.
fn word(cause: Cause) -> (u8, &'static str) {
    match cause {
        Cause::NoRoute => (b'e', "no-route"),
        Cause::Misconfigured => (b'e', "misconfigured"),
        Cause::NoEndpoint => (b'e', "no-endpoint"),
        Cause::ConnectFailure => (b'e', "connect-failure"),
        Cause::ConnectionLost => (b'e', "connection-lost"),
        Cause::Timeout => (b'e', "timeout"),
        Cause::Overload => (b'b', "overload"),
        Cause::RateLimited => (b'b', "rate-limited"),
        Cause::Denied => (b'e', "denied"),
        Cause::TooLarge => (b'e', "too-large"),
        Cause::BadMessage => (b'e', "bad-message"),
        Cause::Unsupported => (b'e', "unsupported"),
        Cause::Scattered => (b'e', "scattered"),
    }
}

/// The message with these attributes set, and its body as it was. The error is a sentence for the client.
fn edited(message: &Outgoing<'_>, edits: &[Edit<'_>]) -> Result<Vec<u8>, String> {
    let bytes = message.bytes.as_slice();
    let (_, end) = frame::attributes_at(bytes).ok_or("the message has no room for attributes")?;
    let part = |span: codec_api::Span| span.of(bytes).unwrap_or_default();
    let mut method = part(message.message.head[METHOD]);
    let mut all: Vec<(&[u8], &[u8])> =
        frame::attributes(bytes).map(|(name, value)| (part(name), part(value))).collect();
    for Edit { name, value } in edits {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        let is_it = |known: &[u8]| known.eq_ignore_ascii_case(name);
        if is_it(b"method") {
            method = value;
        } else if let Some((_, old)) = all.iter_mut().find(|(known, _)| is_it(known)) {
            *old = value;
        } else {
            all.push((name, value));
        }
    }
    let mut section = Vec::new();
    for text in all.into_iter().flat_map(|(name, value)| [name, value]) {
        if text.len() > MAX_TEXT {
            return Err(format!("an attribute of {} bytes is longer than {MAX_TEXT}", text.len()));
        }
        section.push(text.len() as u8);
        section.extend_from_slice(text);
    }
    if section.len() > usize::from(u16::MAX) || method.len() > MAX_TEXT {
        return Err("the message has no room for another attribute".to_owned());
    }
    Ok(frame::write(bytes[4], message.id as u32, method, &section, &bytes[end..]))
}
