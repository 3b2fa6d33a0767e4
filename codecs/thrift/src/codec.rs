//! The codec: one per connection. What arrives is decoded here; what leaves is written in [`crate::outgoing`].
//!
//! A framed message is looked at by its head, by offset. A buffered one is walked over to find its end, and the walk
//! keeps its place between calls. Besides that, a client's codec keeps the requests that await their answers, and both
//! sides keep a decompressor once they have seen a compressed message.

use codec_api::{
    Attribute, Codec, DecodeError, Decoded, Edit, Edited, Found, Kind, LocalReply, Message, Out, Outgoing,
    Refusal, RequestHead, Side, Span, Value,
};

use crate::awaiting::Awaiting;
use crate::detect::{self, ENOUGH};
use crate::envelope::{Envelope, Type};
use crate::exception;
use crate::form::{Context, Encoding, Form, Transport};
use crate::format::{Binary, Compact, Stuck};
use crate::header::{self, Fault, Header};
use crate::inflate::{self, Inflater};
use crate::settings::Settings;
use crate::walk::Walk;

/// Names of the attributes in a message's head.
pub(crate) const NAMES: [&str; 3] = ["service", "method", "type"];
/// Place of the service that a multiplexed call names.
pub(crate) const SERVICE: usize = 0;
/// Place of the method.
pub(crate) const METHOD: usize = 1;
/// Place of the message's type: `call` or `oneway`.
pub(crate) const TYPE: usize = 2;

/// Between the name of a service and that of its method.
const SEPARATOR: u8 = b':';
/// Bytes of a compressed payload that are awaited to learn what it is before it is refused for its length.
const ENOUGH_COMPRESSED: usize = 512;

/// Thrift on one connection.
#[derive(Debug)]
pub struct ThriftCodec {
    pub(crate) side: Side,
    pub(crate) settings: Settings,
    pub(crate) awaiting: Awaiting,
    pub(crate) inflater: Inflater,
    /// The compressed request that was written last, on a connection that carries one at a time: the id that was to be
    /// written, and the one inside, which could not be changed and which the response may repeat in its place.
    pub(crate) lone: Option<(u32, u32)>,
    walk: Walk,
}

/// A whole message whose head has been read.
struct Seen<'a> {
    form: Form,
    kind: Type,
    /// The id that correlates.
    id: u32,
    /// The method's name, and where it stands, unless that is under zlib.
    name: &'a [u8],
    name_at: Option<usize>,
    /// The sequence id inside the payload.
    inner: u32,
    context: Context,
    /// What is known of the struct behind the head.
    result: &'a [u8],
    /// Length of the message.
    total: usize,
}

impl ThriftCodec {
    /// A codec that faces `side`.
    pub fn new(side: Side, settings: Settings) -> Self {
        Self {
            side,
            settings,
            awaiting: Awaiting::default(),
            inflater: Inflater::default(),
            lone: None,
            walk: Walk::default(),
        }
    }

    /// Bytes that this codec has looked at to find where buffered messages end.
    pub fn bytes_walked(&self) -> u64 {
        self.walk.looked()
    }

    /// Bytes of a message that are awaited at most, whatever its frame announces.
    fn most_awaited(&self) -> usize {
        4 + self.limit()
    }

    fn limit(&self) -> usize {
        self.settings.max_message as usize
    }

    /// The transport of the message that begins with these bytes.
    #[inline]
    fn transport(&self, start: [u8; ENOUGH]) -> Result<Transport, DecodeError> {
        let seen = detect::transport(start).map_err(DecodeError::new)?;
        match self.settings.transport.filter(|fixed| *fixed != seen) {
            None => Ok(seen),
            Some(fixed) => Err(DecodeError::new(format!(
                "a {} message, where each is {} (option `transport`)",
                seen.name(),
                fixed.name()
            ))),
        }
    }

    /// A message without a frame.
    fn buffered(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        let limit = self.limit();
        let envelope = match Envelope::read(input, 0) {
            Ok(envelope) => envelope,
            Err(Stuck::Need(total)) => return Ok(Decoded::need(total)),
            Err(Stuck::Bad(text)) => return Err(DecodeError::new(text)),
        };
        self.check(&envelope)?;
        if !self.walk.is_under_way() {
            self.walk.begin(envelope.end);
        }
        let end = match envelope.encoding {
            Encoding::Strict | Encoding::Lenient => self.walk.go::<Binary>(input, limit),
            Encoding::Compact => self.walk.go::<Compact>(input, limit),
        };
        match end {
            Ok(end) => self.plain(Transport::Buffered, &envelope, &input[..end], end),
            Err(Stuck::Need(total)) => Ok(Decoded::need(total)),
            Err(Stuck::Bad(text)) => Err(DecodeError::new(format!("a buffered message: {text}"))),
        }
    }

    /// A message in a frame.
    fn framed(&mut self, input: &[u8], length: u32) -> Result<Decoded, DecodeError> {
        let total = 4 + length as usize;
        let is_too_large = length > self.settings.max_message;
        if input.len() < total && !is_too_large {
            return Ok(Decoded::need(total));
        }
        let frame = &input[..input.len().min(total)];
        let envelope = match Envelope::read(frame, 4) {
            Ok(envelope) => envelope,
            Err(Stuck::Need(need)) if need <= total => return Ok(Decoded::need(need)),
            Err(Stuck::Need(_)) => {
                return Err(DecodeError::new(format!("a frame of {length} bytes ends in its head")));
            }
            Err(Stuck::Bad(text)) => return Err(DecodeError::new(text)),
        };
        self.check(&envelope)?;
        if is_too_large {
            let name = &frame[envelope.name.clone()];
            let form = Form { transport: Transport::Framed, encoding: envelope.encoding };
            let text = self.too_large(&envelope, length as usize);
            return self.reject(total, form, (envelope.kind, envelope.seqid, envelope.seqid, name), text);
        }
        self.plain(Transport::Framed, &envelope, frame, total)
    }

    /// A whole message whose head stands in its bytes.
    fn plain(
        &mut self,
        transport: Transport,
        envelope: &Envelope,
        bytes: &[u8],
        total: usize,
    ) -> Result<Decoded, DecodeError> {
        let form = Form { transport, encoding: envelope.encoding };
        let (seqid, width) = (envelope.seqid_at as u32, envelope.width as u8);
        self.message(&Seen {
            form,
            kind: envelope.kind,
            id: envelope.seqid,
            name: &bytes[envelope.name.clone()],
            name_at: Some(envelope.name.start),
            inner: envelope.seqid,
            context: Context { seqid, width, ..Context::bare(form) },
            result: &bytes[envelope.end..],
            total,
        })
    }

    /// A message in a frame with a `THeader`.
    fn headed(&mut self, input: &[u8], length: u32) -> Result<Decoded, DecodeError> {
        let total = 4 + length as usize;
        let is_too_large = length > self.settings.max_message;
        if input.len() < total && !is_too_large {
            return Ok(Decoded::need(total));
        }
        let frame = &input[..input.len().min(total)];
        let header = match header::read(frame, total) {
            Ok(header) => header,
            Err(Fault::Need(need)) if need > total => {
                return Err(DecodeError::new(format!("a frame of {length} bytes ends in its THeader")));
            }
            Err(Fault::Need(need)) if need > self.most_awaited() => {
                return self.unnamed(total, header::seqid(frame).unwrap_or_default(), Encoding::Strict);
            }
            Err(Fault::Need(need)) => return Ok(Decoded::need(need)),
            Err(Fault::NotOne) => {
                return Err(DecodeError::new("a frame that begins with 0f, but not with 0f ff"));
            }
            Err(fault) => return self.unserved(frame, total, fault),
        };
        if header.compressed {
            self.compressed(frame, total, &header)
        } else {
            self.uncompressed(frame, total, &header)
        }
    }

    fn uncompressed(&mut self, frame: &[u8], total: usize, header: &Header) -> Result<Decoded, DecodeError> {
        let envelope = match Envelope::read(frame, header.payload) {
            Ok(envelope) => envelope,
            Err(Stuck::Need(need)) if need > frame.len() && need <= total => {
                if need > self.most_awaited() {
                    return self.unnamed(total, header.seqid, header.encoding);
                }
                return Ok(Decoded::need(need));
            }
            Err(Stuck::Need(_)) => return self.malformed(total, header, "its payload ends in its head"),
            Err(Stuck::Bad(text)) => return self.malformed(total, header, &text),
        };
        if !envelope.encoding.is_like(header.encoding) {
            return self.malformed(total, header, "its payload is in another protocol than its THeader says");
        }
        self.check(&envelope)?;
        let form = Form { transport: Transport::Header, encoding: envelope.encoding };
        let name = &frame[envelope.name.clone()];
        if frame.len() < total || total - 4 > self.limit() {
            let text = self.too_large(&envelope, total - 4);
            return self.reject(
                total,
                form,
                (envelope.kind, self.id(header.seqid), envelope.seqid, name),
                text,
            );
        }
        let (seqid, width) = (envelope.seqid_at as u32, envelope.width as u8);
        self.message(&Seen {
            form,
            kind: envelope.kind,
            id: self.id(header.seqid),
            name,
            name_at: Some(envelope.name.start),
            inner: envelope.seqid,
            context: Context { seqid, width, ..Context::bare(form) },
            result: &frame[envelope.end..],
            total,
        })
    }

    fn compressed(&mut self, frame: &[u8], total: usize, header: &Header) -> Result<Decoded, DecodeError> {
        let is_too_large = total - 4 > self.limit();
        let enough = total.min(header.payload + ENOUGH_COMPRESSED).min(self.most_awaited());
        if frame.len() < enough {
            return Ok(Decoded::need(enough));
        }
        let head = match self.inflater.head(&frame[header.payload..]) {
            Ok(head) => head,
            Err(inflate::Fault::Bad(text)) => return self.malformed(total, header, text),
            Err(inflate::Fault::TooLong) => Vec::new(),
        };
        let form = Form { transport: Transport::Header, encoding: header.encoding };
        let envelope = match Envelope::read(&head, 0) {
            Ok(envelope) => envelope,
            // So much of it was there, and more is not awaited for a message that is refused anyway.
            Err(Stuck::Need(_)) if is_too_large => {
                return self.unnamed(total, header.seqid, header.encoding);
            }
            Err(Stuck::Need(_)) => {
                return self.malformed(total, header, "what its zlib data holds ends in its head");
            }
            Err(Stuck::Bad(text)) => return self.malformed(total, header, &text),
        };
        if !envelope.encoding.is_like(header.encoding) {
            return self.malformed(total, header, "its payload is in another protocol than its THeader says");
        }
        self.check(&envelope)?;
        let form = Form { encoding: envelope.encoding, ..form };
        let name = &head[envelope.name.clone()];
        if is_too_large {
            let text = self.too_large(&envelope, total - 4);
            return self.reject(
                total,
                form,
                (envelope.kind, self.id(header.seqid), envelope.seqid, name),
                text,
            );
        }
        self.message(&Seen {
            form,
            kind: envelope.kind,
            id: self.id(header.seqid),
            name,
            name_at: None,
            inner: envelope.seqid,
            context: Context { compressed: true, seqid: envelope.seqid, ..Context::bare(form) },
            result: &head[envelope.end..],
            total,
        })
    }

    /// The id of a message with this one in its `THeader`.
    pub(crate) fn id(&self, seqid: u32) -> u32 {
        // An endpoint may repeat what it saw inside.
        self.lone.filter(|(_, inner)| *inner == seqid).map_or(seqid, |(ours, _)| ours)
    }

    /// Whether a message is one that this peer may send.
    fn check(&self, envelope: &Envelope) -> Result<(), DecodeError> {
        if let Some(fixed) = self.settings.protocol.filter(|fixed| !fixed.is(envelope.encoding)) {
            return Err(DecodeError::new(format!(
                "a message in the {} protocol, where each is {} (option `protocol`)",
                envelope.encoding.name(),
                fixed.name()
            )));
        }
        match (self.side, envelope.is_request()) {
            (Side::Downstream, false) => Err(DecodeError::new(format!(
                "a client sent a response (sequence id {})",
                envelope.seqid.cast_signed()
            ))),
            (Side::Upstream, true) => Err(DecodeError::new(format!(
                "an endpoint sent a call (sequence id {})",
                envelope.seqid.cast_signed()
            ))),
            _ => Ok(()),
        }
    }

    fn message(&mut self, seen: &Seen<'_>) -> Result<Decoded, DecodeError> {
        let (service, method) = split(seen.name);
        let kind = match seen.kind {
            Type::Call if self.is_answered(seen.name) => Kind::Request,
            Type::Call | Type::Oneway => Kind::Oneway,
            Type::Reply | Type::Exception => Kind::Response,
        };
        let mut message = Message::new(kind, seen.total);
        message.id = seen.id.into();
        message.context = seen.context.into();
        if kind == Kind::Response {
            message.status = exception::status(seen.kind, seen.form.encoding, seen.result);
            return Ok(Decoded::Message(message));
        }
        if kind == Kind::Request {
            self.expect(seen.form, seen.inner, method)?;
        }
        message.head[TYPE] = Span::LATE;
        if let Some(start) = seen.name_at {
            let end = start + seen.name.len();
            message.head[METHOD] = Span::new(end - method.len(), end);
            message.head[SERVICE] =
                service.map_or(Span::NONE, |service| Span::new(start, start + service.len()));
        } else {
            message.head[METHOD] = Span::LATE;
            message.head[SERVICE] = service.map_or(Span::NONE, |_| Span::LATE);
        }
        Ok(Decoded::Message(message))
    }

    /// Whether a call of this method awaits an answer.
    #[inline]
    pub(crate) fn is_answered(&self, name: &[u8]) -> bool {
        self.settings.oneway.is_empty() || !self.settings.is_oneway(name, split(name).1)
    }

    /// Notes a request that awaits an answer.
    pub(crate) fn expect(&mut self, form: Form, inner: u32, method: &[u8]) -> Result<(), DecodeError> {
        if self.side == Side::Upstream || self.awaiting.push(form, inner, method) {
            return Ok(());
        }
        Err(DecodeError::new("too many calls await their answers"))
    }

    /// Offers the service and the method of a compressed request.
    fn offer_name(&mut self, payload: &[u8], wanted: &[Attribute], found: &mut Found) {
        let Ok(head) = self.inflater.head(payload) else { return };
        let Ok(envelope) = Envelope::read(&head, 0) else { return };
        let (service, method) = split(&head[envelope.name]);
        let owned = |name: &[u8]| Value::Text(String::from_utf8_lossy(name).into());
        found.offer(wanted, NAMES[METHOD].as_bytes(), || owned(method));
        if let Some(service) = service {
            found.offer(wanted, NAMES[SERVICE].as_bytes(), || owned(service));
        }
    }
}

/// The service and the method of a name.
pub(crate) fn split(name: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match name.iter().position(|byte| *byte == SEPARATOR) {
        Some(place) => (Some(&name[..place]), &name[place + 1..]),
        None => (None, name),
    }
}

impl Codec for ThriftCodec {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        let Some(start) = input.first_chunk::<ENOUGH>() else { return Ok(Decoded::need(ENOUGH)) };
        match self.transport(*start)? {
            Transport::Buffered => self.buffered(input),
            Transport::Framed => self.framed(input, detect::length(*start)),
            Transport::Header => self.headed(input, detect::length(*start)),
        }
    }

    fn attributes(&mut self, message: &Message, bytes: &[u8], wanted: &[Attribute], found: &mut Found) {
        let kind = match message.kind {
            Kind::Request => Some("call"),
            Kind::Oneway => Some("oneway"),
            _ => None,
        };
        if let Some(kind) = kind {
            found.offer(wanted, NAMES[TYPE].as_bytes(), || Value::Static(kind));
        }
        let context = Context::from(message.context);
        if context.form.transport != Transport::Header {
            return;
        }
        let Ok(header) = header::read(bytes, bytes.len()) else { return };
        let is_name = |name: &[u8]| NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        if header.compressed
            && kind.is_some()
            && wanted.iter().any(|wanted| is_name(wanted.name().as_bytes()))
        {
            self.offer_name(&bytes[header.payload..], wanted, found);
        }
        header::each(bytes, &header.info, |name, value| {
            if !is_name(name) {
                found.offer(wanted, name, || Value::Span(Span::new(value.start, value.end)));
            }
        });
    }

    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        self.put_as_received(message, out);
    }

    fn write(
        &mut self,
        message: &Outgoing<'_>,
        edits: &[Edit<'_>],
        out: &mut Out,
    ) -> Result<Edited, Refusal> {
        self.put(message, edits, out)
    }

    fn local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        self.put_local_reply(request, reply, out);
    }
}
