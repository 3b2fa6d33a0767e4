//! The codec: one per connection.
//!
//! Decoding looks at the header, then at the head of a request, by offset; it copies nothing and allocates nothing.
//! Between calls a codec keeps no trace of a message: the header alone says how much is awaited, and looking at it
//! again costs nothing.

use std::time::Duration;

use codec_api::{
    Affinity, Attribute, Cause, Codec, DecodeError, Decoded, Edit, Edited, Found, Kind, LocalReply, Message,
    Out, Outgoing, Refusal, Rejected, RequestHead, Side,
};

use crate::attachments::{self, Walker};
use crate::body;
use crate::edit::{Editor, Patches};
use crate::frame::{EVENT, HEADER, Header, ID_AT, REQUEST, TWO_WAY};
use crate::head::{self, Context, DUBBO};
use crate::reply::Era;
use crate::serialization::{self, Event, HESSIAN2};
use crate::settings::{Callbacks, Settings};
use crate::{reply, status};

/// How the names of attachments begin that stand for callback arguments; a number follows. Source: Dubbo's
/// `CallbackServiceCodec`.
const CALLBACK: &[u8] = b"sys_callback_arg-";
/// The attachment in which consumers of Dubbo 2.7 and later say which application they are. Source: Dubbo's
/// `ConsumerContextFilter`.
const APPLICATION: &[u8] = b"remote.application";
/// Attachments that hold the time that is left for a call, in milliseconds, as a text or a number. Dubbo 3 always writes
/// the first; the second is there where calls inherit the time of the call that they serve, in 2.7 too. Source: Dubbo's
/// `DubboInvoker` and `RpcUtils`.
const TIMES: [&[u8]; 2] = [b"timeout", b"_TO"];

/// Dubbo on one connection.
#[derive(Debug)]
pub struct DubboCodec {
    side: Side,
    settings: Settings,
    walker: Walker,
    walked: u64,
    /// Whether all callers on this connection so far can read attachments of responses; `None`: there were none.
    attaches: Option<bool>,
    /// Whose classes the caller has.
    era: Era,
}

impl DubboCodec {
    /// A codec that faces `side`.
    pub fn new(side: Side, settings: Settings) -> Self {
        Self { side, settings, walker: Walker::default(), walked: 0, attaches: None, era: Era::Apache }
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
            self.settings.max_body,
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
    fn request(&mut self, header: Header, bytes: &[u8]) -> Decoded {
        let kind = if header.is(TWO_WAY) { Kind::Request } else { Kind::Oneway };
        let mut message = Message::new(kind, header.total());
        message.id = header.id;
        let mut context = Context { serialization: header.serialization(), generic: false, descriptor: 0 };
        if serialization::is_read(context.serialization) {
            let head = match head::read(bytes, context.serialization) {
                Ok(head) => head,
                Err(text) => return self.reject(header, Cause::BadMessage, text),
            };
            message.head[..head.fields.len()].copy_from_slice(&head.fields);
            context.generic = head.generic;
            context.descriptor = head.descriptor as u32;
            if self.side == Side::Downstream {
                if self.attaches.is_none() {
                    self.era = self.era_of(bytes, context);
                }
                let attaches = head.fields[DUBBO].of(bytes).is_some_and(head::reads_attachments);
                self.attaches = Some(attaches && self.attaches != Some(false));
            }
        } else {
            message.opaque = Some(serialization::name(context.serialization));
        }
        message.context = context.into();
        if self.side == Side::Downstream
            && self.settings.looks()
            && let Some(text) = self.look(bytes, context, &mut message)
        {
            return self.reject(header, Cause::Unsupported, text);
        }
        Decoded::Message(message)
    }

    /// Whose classes the caller of a connection's first request has. A consumer of Dubbo 2.7 or later says which
    /// application it is; this walk, once for a connection, is the only way to tell it from one of 2.6.
    #[cold]
    fn era_of(&mut self, bytes: &[u8], context: Context) -> Era {
        if context.serialization != HESSIAN2 {
            return Era::Apache;
        }
        let mut names_itself = false;
        let (attachments, _) = body::request(bytes, context, &mut self.walker.scratch, |entry| {
            names_itself |= entry.name.text().as_deref() == Some(APPLICATION);
        });
        if names_itself || attachments.is_none() { Era::Apache } else { Era::Alibaba }
    }

    /// Looks at a request's attachments for what the settings ask of them. `Some`: why it is refused.
    fn look(&mut self, bytes: &[u8], context: Context, message: &mut Message) -> Option<String> {
        let mut callback = None;
        let mut time: Option<i64> = None;
        let (_, walked) = body::request(bytes, context, &mut self.walker.scratch, |entry| {
            let Some(name) = entry.name.text() else { return };
            if name.starts_with(CALLBACK) {
                callback = Some(name.into_owned());
            } else if TIMES.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                let said = entry.value.number().filter(|millis| *millis > 0);
                time = time.into_iter().chain(said).min();
            }
        });
        self.walked += walked as u64;
        if self.settings.deadline && message.kind == Kind::Request {
            let time = time.and_then(|millis| u64::try_from(millis).ok()).filter(|millis| *millis > 0);
            message.flow.time = time.map(Duration::from_millis);
            message.flow.is_deadline = true;
        }
        match (self.settings.callbacks?, callback?) {
            (Callbacks::Pin, _) => {
                message.flow.affinity = Affinity::Private;
                None
            }
            (Callbacks::Refuse, name) => Some(refusal(&name, message, bytes)),
        }
    }

    /// What is written where to make the edits; with the length of the body that this gives. `None`: the message has no
    /// place for them, or would be too long.
    fn patches(&mut self, message: &Message, bytes: &[u8], edits: &[Edit<'_>]) -> Option<(Patches, u32)> {
        let header = Header::read(bytes).ok()??;
        let mut editor = Editor::new(edits, header.serialization())?;
        let attachments = match message.kind {
            Kind::Request | Kind::Oneway => {
                let context = Context::from(message.context);
                let is_hidden = |edit: &Edit<'_>| edit.name.eq_ignore_ascii_case("generic");
                if context.generic && edits.iter().any(is_hidden) {
                    return None;
                }
                body::request(bytes, context, &mut self.walker.scratch, |entry| editor.see(&entry)).0?
            }
            Kind::Response => {
                let see = |entry| editor.see(&entry);
                body::response(bytes, header.serialization(), &mut self.walker.scratch, see)?
            }
            _ => return None,
        };
        let patches = editor.patches(attachments, bytes, self.attaches == Some(true))?;
        let body = patches.length(header.body).filter(|body| *body <= self.settings.max_body)?;
        Some((patches, body))
    }
}

impl Codec for DubboCodec {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        let Some(header) = Header::read(input)? else { return Ok(Decoded::need(HEADER)) };
        let is_answer = !header.is(REQUEST) && !header.is(EVENT);
        if self.side == Side::Downstream && is_answer && self.settings.callbacks != Some(Callbacks::Pin) {
            let reason = format!(
                "a client sent a response (id {}, status {})",
                header.id.cast_signed(),
                header.status
            );
            return Err(DecodeError::new(reason));
        }
        if header.body > self.settings.max_body {
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
        match message.kind {
            Kind::Request | Kind::Oneway => {
                self.walked += attachments::offer(message, bytes, wanted, found, &mut self.walker) as u64;
            }
            Kind::Response => {
                let serialization = bytes.get(2).map_or(0, |flags| flags & serialization::MASK);
                attachments::offer_of_response(serialization, bytes, wanted, found, &mut self.walker);
            }
            _ => {}
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
        if let Some((patches, body)) = self.patches(message.message, message.bytes.as_slice(), edits) {
            patches.put(message, body, out);
            return Ok(Edited::Done);
        }
        self.encode(message, out);
        Ok(Edited::Impossible)
    }

    fn local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        reply::local_reply(request, self.era, reply, out);
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

/// Why a request with a callback argument is not served.
fn refusal(name: &[u8], message: &Message, bytes: &[u8]) -> String {
    let field =
        |place: usize| String::from_utf8_lossy(message.head[place].of(bytes).unwrap_or(b"?")).into_owned();
    format!(
        "{}.{} takes a callback argument (attachment {}), and this listener refuses them (callbacks: refuse)",
        field(head::INTERFACE),
        field(head::METHOD),
        String::from_utf8_lossy(name),
    )
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
