//! The codec of one connection, which has nothing to remember between messages.
//!
//! ```text
//! 0      2     3        4       8        10         14       15        16
//! 09 30  type  of what  length  of head  stream id  version  reserved  head, body, attachment
//! ```
//!
//! Type 0 is a call, 1 a frame of a stream: what opens it is 1, and so is the answer to that. The length is the whole
//! frame's. From version 1 on the stream id of a call repeats its request's id.

use codec_api::{
    Attribute, Cause, Codec, DecodeError, Decoded, Edit, Edited, Found, Kind, LocalReply, Message, Out,
    Outgoing, Refusal, Rejected, RequestHead, Side, Status,
};

use crate::head::{self, ERROR_MSG, ID, RET, trans_info};
use crate::wire::{put_bytes, put_number, set};
use crate::{Connections, MAX_MESSAGE_BYTES, ret};

/// Length of a frame's head.
const FRAME: usize = 16;
const MAGIC: [u8; 2] = [0x09, 0x30];
const STREAM: u8 = 1;
const OPEN: u8 = 1;
/// Lengths beyond this are taken for garbage, not for a frame that could be skipped: 1 GiB.
const MAX_SKIP: usize = 1 << 30;
/// Longest head: its length has two bytes.
const MAX_HEAD: usize = 65535;
/// Longest text of ours; more of it is cut off.
const MAX_TEXT: usize = 4096;

/// What a codec keeps of a message: what replies repeat of its frame, and where its id's field stands in its head.
fn context(frame: [u8; FRAME], (id_at, id_length): (usize, usize)) -> u64 {
    let [_, _, kind, _, _, _, _, _, _, _, s0, s1, s2, s3, version, _] = frame;
    let [a0, a1] = (id_at as u16).to_be_bytes();
    u64::from_be_bytes([s0, s1, s2, s3, a0, a1, (id_length as u8) << 3 | kind, version])
}

/// Writes the head of a frame, behind which a head of so many bytes stands, and so many in all.
fn put_frame(context: u64, head: usize, total: usize, out: &mut Out) {
    let [s0, s1, s2, s3, _, _, kind, version] = context.to_be_bytes();
    let [l0, l1, l2, l3] = ((FRAME + total) as u32).to_be_bytes();
    let [h0, h1] = (head as u16).to_be_bytes();
    out.put(&[MAGIC[0], MAGIC[1], kind & 1, kind & 1, l0, l1, l2, l3, h0, h1, s0, s1, s2, s3, version, 0]);
}

/// Writes a message with its new id in place of the old one, and with these edits.
fn put(message: &Outgoing<'_>, edits: &[Edit<'_>], out: &mut Out) -> Result<(), Refusal> {
    let (bytes, mut context) = (message.bytes.as_slice(), message.message.context);
    let (old, new, end) = (message.message.id, message.id, head_end(bytes));
    if context >> 32 == old {
        context = new << 32 | context & 0xffff_ffff;
    }
    if bytes.get(2) == Some(&STREAM) || (old == new && edits.is_empty()) {
        out.put(bytes.get(..10).unwrap_or_default());
        out.put(&((context >> 32) as u32).to_be_bytes());
        message.bytes.put_from(14, out);
        return Ok(());
    }
    let (at, id_length) = (FRAME + (context >> 16 & 0xffff) as usize, (context >> 11 & 0x1f) as usize);
    let mut head = bytes.get(FRAME..at).unwrap_or_default().to_vec();
    if new > 0 {
        put_number(ID, &mut head);
        put_number(new, &mut head);
    }
    head.extend_from_slice(bytes.get(at + id_length..end).unwrap_or_default());
    if !edits.is_empty() {
        head = set(&head, trans_info(message.message.kind), edits);
    }
    if head.len() > MAX_HEAD {
        let text = format!("its head would have {} bytes, and may have {MAX_HEAD}", head.len());
        return Err(Refusal { cause: Cause::TooLarge, text });
    }
    put_frame(context, head.len(), head.len() + bytes.len() - end, out);
    out.put(&head);
    message.bytes.put_from(end, out);
    Ok(())
}

/// Where a frame's body begins.
fn head_end(bytes: &[u8]) -> usize {
    let length = bytes.get(8..).and_then(<[u8]>::first_chunk).map_or(0, |length| u16::from_be_bytes(*length));
    (FRAME + usize::from(length)).min(bytes.len())
}

impl Codec for Connections {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        let start = &input[..input.len().min(MAGIC.len())];
        if !MAGIC.starts_with(start) {
            return Err(DecodeError::new(format!("not tRPC: it begins with {start:02x?}, not with 09 30")));
        }
        let Some(frame) = input.first_chunk::<FRAME>() else { return Ok(Decoded::need(FRAME)) };
        let [_, _, kind, what, l0, l1, l2, l3, h0, h1, ..] = *frame;
        let total = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let head = FRAME + usize::from(u16::from_be_bytes([h0, h1]));
        if kind > STREAM || total > MAX_SKIP || head > total.min(self.max_frame) {
            return Err(DecodeError::new(format!("not tRPC: type {kind}, {total} bytes, head to {head}")));
        }
        let (is_large, is_from_client) = (total > self.max_frame, self.side == Side::Downstream);
        let is_open = kind == STREAM && what == OPEN && is_from_client;
        // What is refused is refused as soon as its id is there.
        let end = if is_large || is_open { head } else { total };
        let Some(bytes) = input.get(..end) else { return Ok(Decoded::need(end)) };
        let answer = if is_from_client { Kind::Request } else { Kind::Response };
        let mut message = Message::new(answer, total);
        message.context = context(*frame, (0, 0));
        if kind == STREAM {
            (message.id, message.status) = (message.context >> 32, Status::ServerError);
            if what != OPEN {
                message.kind = Kind::Notice;
            }
        } else {
            message.context = context(*frame, head::read(&bytes[..head], FRAME, &mut message)?);
        }
        let (cause, text) = match () {
            () if is_open => (Cause::Unsupported, "streams are not served here".to_owned()),
            () if is_large => (Cause::TooLarge, format!("more than {MAX_MESSAGE_BYTES}, {}", self.max_frame)),
            () => return Ok(Decoded::Message(message)),
        };
        let answer = matches!(message.kind, Kind::Request | Kind::Response).then_some(message.request_head());
        Ok(Decoded::Reject(Rejected { skip: total as u64, answer, cause, text }))
    }

    fn attributes(&mut self, message: &Message, bytes: &[u8], wanted: &[Attribute], found: &mut Found) {
        head::offer(message.kind, &bytes[..head_end(bytes)], FRAME, wanted, found);
    }

    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        // What does not fit is not written; the proxy calls `write`, which says so.
        let _ = put(message, &[], out);
    }

    fn write(&mut self, call: &Outgoing<'_>, edits: &[Edit<'_>], out: &mut Out) -> Result<Edited, Refusal> {
        put(call, edits, out).map(|()| Edited::Done)
    }

    fn local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        let text = &reply.text.as_bytes()[..reply.text.floor_char_boundary(MAX_TEXT)];
        let is_stream = request.context >> 8 & 1 == u64::from(STREAM);
        let [ret_tag, text_tag] = if is_stream { [0x08, 0x12] } else { [RET, ERROR_MSG] };
        let mut said = Vec::new();
        put_number(ret_tag, &mut said);
        put_number(ret(reply.cause), &mut said);
        put_bytes(text_tag, text, &mut said);
        if is_stream {
            // TrpcStreamInitMeta.response_meta
            put_bytes(0x12, &std::mem::take(&mut said), &mut said);
        } else {
            put_number(ID, &mut said);
            put_number(request.id, &mut said);
        }
        let head = if is_stream { 0 } else { said.len() };
        put_frame(request.context, head, said.len(), out);
        out.put(&said);
    }
}
