//! What leaves: messages of the other side with another id, in another form or with edits; local replies.
//!
//! As long as a message stays in its form, its bytes are copied around the id, large ones without a copy. Everything
//! else is built first and written when nothing can go wrong any more.

use bytes::Bytes;
use codec_api::{
    Cause, Edit, Edited, Kind, LocalReply, Message, Out, Outgoing, Raw, Refusal, RequestHead, Sharing, Side,
};

use crate::ThriftCodec;
use crate::codec::NAMES;
use crate::envelope::{self, Envelope};
use crate::exception::{self, UNSERVED_PROTOCOL, UNSERVED_TRANSFORM};
use crate::form::{Context, Encoding, Form, Transport, Unserved};
use crate::format::{Binary, Compact, Stuck};
use crate::header::{self, Header, edit};
use crate::inflate::Fault;
use crate::recode::recode;
use crate::walk::Walk;

/// How a message is to be written.
#[derive(Debug, Clone, Copy)]
struct Target {
    form: Form,
    /// The id that correlates.
    id: u32,
    /// The id inside the payload; the same one, but for clients that have two.
    inner: u32,
}

/// The payload of a message in its new form: some bytes, then either the rest of the message as received or a rest
/// that was built.
struct Payload {
    start: Vec<u8>,
    rest: Rest,
}

enum Rest {
    /// The received bytes from here on.
    Received(usize),
    Built(Bytes),
}

impl ThriftCodec {
    /// Writes a message as it was received, but for the ids.
    pub(crate) fn put_as_received(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        let context = Context::from(message.message.context);
        let target = Target { form: context.form, ..self.target(message, context) };
        patch(message, context, target, out);
        self.written(message.message, context, target);
    }

    /// Writes a message in the form that its receiver speaks, with edits made to its `THeader`.
    pub(crate) fn put(
        &mut self,
        message: &Outgoing<'_>,
        edits: &[Edit<'_>],
        out: &mut Out,
    ) -> Result<Edited, Refusal> {
        let context = Context::from(message.message.context);
        let target = self.target(message, context);
        let can_edit = target.form.transport == Transport::Header && !edits.iter().any(names_the_head);
        let mut edited = if can_edit || edits.is_empty() { Edited::Done } else { Edited::Impossible };
        let edits = if can_edit { edits } else { &[] };
        let is_as_received = target.form.transport == context.form.transport
            && target.form.encoding.is_like(context.form.encoding)
            && edits.is_empty()
            && (!context.compressed || self.stays_compressed(context, target));
        if is_as_received {
            patch(message, context, target, out);
        } else if self.rebuild(message, context, target, edits, out)? == Edited::Impossible {
            edited = Edited::Impossible;
        }
        self.written(message.message, context, target);
        Ok(edited)
    }

    fn target(&self, message: &Outgoing<'_>, context: Context) -> Target {
        let id = message.id as u32;
        match self.side {
            Side::Upstream => Target { form: self.settings.towards(context.form), id, inner: id },
            Side::Downstream => match self.awaiting.first().filter(|_| is_response(message.message)) {
                Some(asked) if asked.form.transport == Transport::Header => {
                    Target { form: asked.form, id, inner: asked.inner }
                }
                Some(asked) => Target { form: asked.form, id, inner: id },
                None if context.compressed => Target { form: context.form, id, inner: context.seqid },
                None => Target { form: context.form, id, inner: id },
            },
        }
    }

    /// Whether a compressed payload may be sent as it is: its id is right, or this connection has no other call that a
    /// response could be mistaken for.
    fn stays_compressed(&self, context: Context, target: Target) -> bool {
        let is_alone = self.side == Side::Upstream && self.settings.sharing == Sharing::Exclusive;
        target.form.transport == Transport::Header
            && target.form.encoding.is_like(context.form.encoding)
            && (context.seqid == target.inner || is_alone)
    }

    fn written(&mut self, message: &Message, context: Context, target: Target) {
        match self.side {
            Side::Downstream if is_response(message) => self.awaiting.pop(),
            Side::Downstream => {}
            Side::Upstream => {
                let keeps_its_id = context.compressed && self.stays_compressed(context, target);
                self.lone = keeps_its_id.then_some((target.id, context.seqid));
            }
        }
    }

    fn rebuild(
        &mut self,
        message: &Outgoing<'_>,
        context: Context,
        target: Target,
        edits: &[Edit<'_>],
        out: &mut Out,
    ) -> Result<Edited, Refusal> {
        let bytes = message.bytes.as_slice();
        let header = match context.form.transport {
            Transport::Header => Some(
                header::read(bytes, bytes.len()).map_err(|fault| bad(format!("its THeader: {fault:?}")))?,
            ),
            Transport::Framed | Transport::Buffered => None,
        };
        let start = match context.form.transport {
            Transport::Buffered => 0,
            Transport::Framed => header::MAGIC_AT,
            Transport::Header => header.as_ref().map_or(0, |header| header.payload),
        };
        let is_compressed = context.compressed && self.stays_compressed(context, target);
        let payload = if is_compressed {
            Payload { start: Vec::new(), rest: Rest::Received(start) }
        } else if context.compressed {
            let limit = self.settings.max_message as usize;
            let inflated = self.inflater.all(&bytes[start..], limit).map_err(|fault| match fault {
                Fault::Bad(text) => bad(text),
                Fault::TooLong => too_large(limit),
            })?;
            let inflated = Bytes::from(inflated);
            self.payload(context, target, Raw::Shared(&inflated), 0)?
        } else {
            self.payload(context, target, Raw::Slice(bytes), start)?
        };
        let length = payload.start.len()
            + match &payload.rest {
                Rest::Received(from) => bytes.len() - from,
                Rest::Built(rest) => rest.len(),
            };
        let mut frame = Vec::with_capacity(64 + payload.start.len());
        let edited = put_frame(&mut frame, target, length, &Keys { header, bytes, is_compressed, edits });
        frame.extend_from_slice(&payload.start);
        out.put(&frame);
        match payload.rest {
            Rest::Received(from) => message.bytes.put_from(from, out),
            Rest::Built(rest) => out.put_shared(rest),
        }
        Ok(edited)
    }

    /// The payload that begins at `at` in `whole`, which is the received message, or, as shared bytes, what
    /// was under its zlib.
    fn payload(
        &self,
        context: Context,
        target: Target,
        whole: Raw<'_>,
        at: usize,
    ) -> Result<Payload, Refusal> {
        let limit = self.settings.max_message as usize;
        let source = whole.as_slice();
        let envelope = Envelope::read(source, at).map_err(broken)?;
        if !target.form.encoding.is_like(envelope.encoding) {
            let mut body = Vec::with_capacity(source.len() - at);
            let name = &source[envelope.name];
            envelope::put(&mut body, target.form.encoding, envelope.kind, name, target.inner);
            let end = match target.form.encoding {
                Encoding::Compact => recode::<Binary, Compact>(source, envelope.end, &mut body, limit),
                _ => recode::<Compact, Binary>(source, envelope.end, &mut body, limit),
            };
            let end =
                end.map_err(|stuck| if body.len() > limit { too_large(limit) } else { broken(stuck) })?;
            ends(end, source)?;
            return Ok(Payload { start: Vec::new(), rest: Rest::Built(body.into()) });
        }
        if target.form.transport == Transport::Buffered && context.form.transport != Transport::Buffered {
            // A frame may hold more than a struct. Without its frame, what is behind would be a message of its own.
            let mut walk = Walk::default();
            walk.begin(envelope.end);
            let end = match envelope.encoding {
                Encoding::Compact => walk.go::<Compact>(source, source.len()),
                _ => walk.go::<Binary>(source, source.len()),
            };
            ends(end.map_err(broken)?, source)?;
        }
        let mut start = source[at..envelope.seqid_at].to_vec();
        envelope.encoding.put_seqid(target.inner, &mut start);
        let from = envelope.seqid_at + envelope.width;
        let rest = match whole {
            Raw::Shared(inflated) => Rest::Built(inflated.slice(from..)),
            Raw::Slice(_) => Rest::Received(from),
        };
        Ok(Payload { start, rest })
    }

    /// Answers a request in an endpoint's place.
    pub(crate) fn put_local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        let context = Context::from(request.context);
        let id = request.id as u32;
        let (inner, name) = match self.awaiting.take() {
            Some((asked, name)) if asked.form.transport == Transport::Header => (asked.inner, name),
            Some((_, name)) => (id, name),
            None => (id, Vec::new()),
        };
        let (kind, word) = exception::reply(reply.cause);
        let kind = match (reply.cause, context.unserved) {
            (Cause::Unsupported, Unserved::Transform) => UNSERVED_TRANSFORM,
            (Cause::Unsupported, Unserved::Protocol) => UNSERVED_PROTOCOL,
            _ => kind,
        };
        let text = format!("{word}: {}", reply.text);
        let mut payload = Vec::with_capacity(64 + text.len());
        exception::put(&mut payload, context.form.encoding, &name, inner, (kind, &text));
        let mut frame = Vec::with_capacity(32);
        let target = Target { form: context.form, id, inner };
        let keys = Keys { header: None, bytes: &[], is_compressed: false, edits: &[] };
        put_frame(&mut frame, target, payload.len(), &keys);
        out.put(&frame);
        out.put(&payload);
    }
}

fn is_response(message: &Message) -> bool {
    message.kind == Kind::Response
}

/// Whether an edit is meant for what stands in the message's head, which cannot be set.
fn names_the_head(edit: &Edit<'_>) -> bool {
    NAMES.iter().any(|name| name.eq_ignore_ascii_case(edit.name))
}

fn bad(text: impl Into<String>) -> Refusal {
    Refusal { cause: Cause::BadMessage, text: format!("the message cannot be transcoded: {}", text.into()) }
}

fn broken(stuck: Stuck) -> Refusal {
    match stuck {
        Stuck::Need(at) => bad(format!("it ends before byte {at}")),
        Stuck::Bad(text) => bad(text),
    }
}

fn too_large(limit: usize) -> Refusal {
    let text =
        format!("without compression, or transcoded, the message is longer than maxMessageBytes, {limit}");
    Refusal { cause: Cause::TooLarge, text }
}

fn ends(end: usize, source: &[u8]) -> Result<(), Refusal> {
    if end == source.len() {
        return Ok(());
    }
    Err(bad(format!("{} bytes follow its struct in the frame", source.len().saturating_sub(end))))
}

/// Copies a message with other ids. Without a `THeader`, the id inside is the only one. Under zlib it stays as it is.
#[inline]
fn patch(message: &Outgoing<'_>, context: Context, target: Target, out: &mut Out) {
    let bytes = message.bytes.as_slice();
    let is_header = context.form.transport == Transport::Header;
    let seqid_at = if context.compressed { header::BLOCK_AT } else { context.seqid as usize };
    let (Some(head), true) = (bytes.get(..seqid_at), !is_header || seqid_at >= header::BLOCK_AT) else {
        return;
    };
    let inner = if is_header { target.inner } else { target.id };
    let (seqid, width) = if context.compressed { ([0; 5], 0) } else { context.form.encoding.seqid(inner) };
    let was = usize::from(context.width);
    let mut rest = head;
    if context.form.transport != Transport::Buffered {
        let Some((length, behind)) = head.split_first_chunk::<4>() else { return };
        let length = (u32::from_be_bytes(*length) + width as u32).saturating_sub(was as u32);
        out.put(&length.to_be_bytes());
        rest = behind;
    }
    if is_header {
        // Behind the length: magic number and flags, then the id.
        out.put(&rest[..4]);
        out.put(&target.id.to_be_bytes());
        rest = &rest[8..];
    }
    out.put(rest);
    out.put(&seqid[..width]);
    message.bytes.put_from(seqid_at + was, out);
}

/// What a new `THeader` takes over, and what is edited in it.
struct Keys<'a> {
    header: Option<Header>,
    bytes: &'a [u8],
    is_compressed: bool,
    edits: &'a [Edit<'a>],
}

/// Writes what stands before a payload of `length` bytes.
fn put_frame(frame: &mut Vec<u8>, target: Target, length: usize, keys: &Keys<'_>) -> Edited {
    match target.form.transport {
        Transport::Buffered => Edited::Done,
        Transport::Framed => {
            frame.extend((length as u32).to_be_bytes());
            Edited::Done
        }
        Transport::Header => {
            let (flags, info) = match &keys.header {
                Some(header) => (header.flags, header.info.clone()),
                None => ([0; 2], 0..0),
            };
            let block =
                |edits| edit::block(target.form.encoding, keys.is_compressed, keys.bytes, &info, edits);
            let (block, edited) = match block(keys.edits) {
                Some(block) => (block, Edited::Done),
                None => (block(&[]).unwrap_or_default(), Edited::Impossible),
            };
            header::put(frame, flags, target.id, &block, length);
            edited
        }
    }
}
