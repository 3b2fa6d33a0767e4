//! The codec: one per connection.
//!
//! Decoding looks at the header, then at the head of a request, by offset; it copies nothing and allocates nothing.
//! Between calls a codec keeps no trace of a message: the header alone says how much is awaited, and looking at it
//! again costs nothing.

use codec_api::{
    Attribute, Cause, Codec, DecodeError, Decoded, Found, Kind, LocalReply, Message, Out, Outgoing, Rejected,
    RequestHead, Side,
};

use crate::attachments::{self, Walker};
use crate::frame::{EVENT, HEADER, Header, ID_AT, REQUEST, TWO_WAY};
use crate::head::{self, Context};
use crate::serialization::{self, Event, HESSIAN2};
use crate::{reply, status};

/// Dubbo on one connection.
#[derive(Debug)]
pub struct DubboCodec {
    side: Side,
    max_body: u32,
    walker: Walker,
    walked: u64,
}

impl DubboCodec {
    /// A codec that faces `side` and takes bodies of up to `max_body` bytes.
    pub fn new(side: Side, max_body: u32) -> Self {
        Self { side, max_body, walker: Walker::default(), walked: 0 }
    }

    /// Bytes that this codec has walked over in search of late attributes.
    pub fn bytes_walked(&self) -> u64 {
        self.walked
    }

    /// What to do with a message that is longer than it may be.
    fn too_large(&self, header: Header) -> Decoded {
        let text = format!(
            "the {} of {} bytes is longer than maxMessageBytes, {}",
            if header.is(REQUEST) { "request" } else { "response" },
            header.body,
            self.max_body,
        );
        self.reject(header, Cause::TooLarge, text)
    }

    /// Refuses a message. Who awaits something: of a client's requests, the client; of a provider's responses, the
    /// exchange with that id, which would else wait for its timeout. A provider's own requests are skipped in silence.
    fn reject(&self, header: Header, cause: Cause, text: String) -> Decoded {
        let awaited = match self.side {
            Side::Downstream => header.is(REQUEST | TWO_WAY),
            Side::Upstream => !header.is(REQUEST),
        };
        let context = Context { serialization: header.serialization(), generic: false, descriptor: 0 };
        let answer = RequestHead { id: header.id, context: context.into() };
        let answer = (awaited && !header.is(EVENT)).then_some(answer);
        Decoded::Reject(Rejected { skip: header.total() as u64, answer, cause, text })
    }

    /// A request, all of whose bytes are there.
    fn request(&self, header: Header, bytes: &[u8]) -> Decoded {
        let kind = if header.is(TWO_WAY) { Kind::Request } else { Kind::Oneway };
        let mut message = Message::new(kind, header.total());
        message.id = header.id;
        let mut context = Context { serialization: header.serialization(), generic: false, descriptor: 0 };
        if context.serialization == HESSIAN2 {
            let head = match head::read(bytes) {
                Ok(head) => head,
                Err(text) => return self.reject(header, Cause::BadMessage, text),
            };
            message.head[..head.fields.len()].copy_from_slice(&head.fields);
            context.generic = head.generic;
            context.descriptor = head.descriptor as u32;
        } else {
            message.opaque = Some(serialization::name(context.serialization));
        }
        message.context = context.into();
        Decoded::Message(message)
    }
}

impl Codec for DubboCodec {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        let Some(header) = Header::read(input)? else { return Ok(Decoded::need(HEADER)) };
        if self.side == Side::Downstream && !header.is(REQUEST) && !header.is(EVENT) {
            let reason = format!(
                "a client sent a response (id {}, status {})",
                header.id.cast_signed(),
                header.status
            );
            return Err(DecodeError::new(reason));
        }
        if header.body > self.max_body {
            return Ok(self.too_large(header));
        }
        let Some(bytes) = input.get(..header.total()) else { return Ok(Decoded::need(header.total())) };
        if header.is(EVENT) {
            return Ok(Decoded::Message(event(header, &bytes[HEADER..])));
        }
        if !header.is(REQUEST) {
            return Ok(Decoded::Message(response(header, &bytes[HEADER..])));
        }
        Ok(self.request(header, bytes))
    }

    fn attributes(&mut self, message: &Message, bytes: &[u8], wanted: &[Attribute], found: &mut Found) {
        if matches!(message.kind, Kind::Request | Kind::Oneway) {
            self.walked += attachments::offer(message, bytes, wanted, found, &mut self.walker) as u64;
        }
    }

    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        let Some(start) = message.bytes.as_slice().first_chunk::<ID_AT>() else { return };
        let mut head = [0; ID_AT + 8];
        head[..ID_AT].copy_from_slice(start);
        head[ID_AT..].copy_from_slice(&message.id.to_be_bytes());
        out.put(&head);
        message.bytes.put_from(head.len(), out);
    }

    fn local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        reply::local_reply(request, reply, out);
    }

    fn pong(&mut self, ping: &Outgoing<'_>, out: &mut Out) {
        reply::pong(ping.bytes.as_slice(), ping.id, out);
    }

    fn ping(&mut self, id: u64, out: &mut Out) {
        reply::ping(id, out);
    }

    fn going_away(&mut self, out: &mut Out) {
        reply::read_only(out);
    }
}

/// A heartbeat or a notice.
fn event(header: Header, body: &[u8]) -> Message {
    let said = serialization::event(header.serialization(), body);
    let kind = match (header.is(REQUEST), said) {
        // Dubbo takes each response that is an event for the answer to a heartbeat.
        (false, _) => Kind::Pong,
        (true, Event::ReadOnly) => Kind::GoingAway,
        (true, Event::Writable) => Kind::ComeBack,
        (true, Event::Null) if header.is(TWO_WAY) => Kind::Ping,
        (true, Event::Null | Event::Other) => Kind::Notice,
    };
    let mut message = Message::new(kind, header.total());
    message.id = header.id;
    message
}

fn response(header: Header, body: &[u8]) -> Message {
    let mut message = Message::new(Kind::Response, header.total());
    message.id = header.id;
    message.status = status::of(header.status, header.serialization(), body);
    message
}
