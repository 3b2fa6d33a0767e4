//! The codec of one connection, which has nothing to remember between messages: `PRPC`, the length of meta and payload,
//! the length of the meta (4 bytes each, big-endian), the meta, the payload with its attachment.

use codec_api::{
    Attribute, Cause, Codec, DecodeError, Decoded, Edit, Edited, Found, Kind, LocalReply, Message, Out,
    Outgoing, Refusal, Rejected, RequestHead, Side,
};

use crate::meta::{self, ID, RESPONSE};
use crate::wire::{put_bytes, put_number};
use crate::{Connections, MAX_MESSAGE_BYTES, error_code};

/// Length of the header.
const HEADER: usize = 12;
/// Metas beyond this are not looked into: 64 KiB.
const MAX_META: usize = 64 << 10;
/// Lengths beyond this are taken for garbage, not for a message that could be skipped: 1 GiB.
const MAX_SKIP: usize = 1 << 30;
/// Longest text of ours; more of it is cut off.
const MAX_TEXT: usize = 4096;

/// The number that stands at `at`, in four bytes.
fn length(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |length| u32::from_be_bytes(*length) as usize)
}

fn put_header(meta: usize, payload: usize, out: &mut Out) {
    out.put(b"PRPC");
    out.put(&((meta + payload) as u32).to_be_bytes());
    out.put(&(meta as u32).to_be_bytes());
}

/// Writes a message with its new id in place of the old one, and with these edits. The payload is not touched.
fn put(message: &Outgoing<'_>, edits: &[Edit<'_>], out: &mut Out) {
    if message.id == message.message.id && edits.is_empty() {
        return message.bytes.put_from(0, out);
    }
    let (bytes, context) = (message.bytes.as_slice(), message.message.context);
    let (at, id_length) = ((context >> 8) as usize, (context & 0x7f) as usize);
    let end = (HEADER + length(bytes, 8)).min(bytes.len());
    let mut meta = bytes.get(HEADER..at).unwrap_or_default().to_vec();
    if id_length == 0 {
        put_number(ID, &mut meta);
    }
    put_number(message.id, &mut meta);
    meta.extend_from_slice(bytes.get(at + id_length..end).unwrap_or_default());
    if !edits.is_empty() {
        meta = meta::edited(&meta, edits, context & 0x80 != 0);
    }
    put_header(meta.len(), bytes.len() - end, out);
    out.put(&meta);
    message.bytes.put_from(end, out);
}

impl Codec for Connections {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        let start = &input[..input.len().min(4)];
        if !b"PRPC".starts_with(start) {
            return Err(DecodeError::new(format!("not bRPC: it begins with {start:02x?}, not with PRPC")));
        }
        if input.len() < HEADER {
            return Ok(Decoded::need(HEADER));
        }
        let (body, meta) = (length(input, 4), length(input, 8));
        if body > MAX_SKIP || meta > MAX_META.min(body).min(self.max_body) {
            return Err(DecodeError::new(format!("not bRPC: {body} bytes, of which the meta takes {meta}")));
        }
        // Too long a message is refused as soon as its id is there.
        let is_large = body > self.max_body;
        let end = HEADER + if is_large { meta } else { body };
        let Some(bytes) = input.get(..end) else { return Ok(Decoded::need(end)) };
        let mut message = Message::new(Kind::Response, HEADER + body);
        let Some(is_call) = meta::read(&bytes[..HEADER + meta], HEADER, &mut message) else {
            return Err(DecodeError::new("a message whose RpcMeta is no protocol buffer"));
        };
        let is_answer = message.kind == Kind::Response;
        let is_from_client = self.side == Side::Downstream;
        let (cause, text) = match () {
            () if is_large => (Cause::TooLarge, format!("more than {MAX_MESSAGE_BYTES}, {}", self.max_body)),
            () if !is_call => (Cause::Unsupported, "streams and chunks are not served here".to_owned()),
            () if is_from_client && is_answer => (Cause::BadMessage, "there is no request in it".to_owned()),
            () => return Ok(Decoded::Message(message)),
        };
        let answer = (is_from_client || is_answer).then_some(message.request_head());
        Ok(Decoded::Reject(Rejected { skip: message.len as u64, answer, cause, text }))
    }

    fn attributes(&mut self, _: &Message, bytes: &[u8], wanted: &[Attribute], found: &mut Found) {
        meta::offer(bytes.get(..HEADER + length(bytes, 8)).unwrap_or_default(), HEADER, wanted, found);
    }

    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        put(message, &[], out);
    }

    fn write(&mut self, call: &Outgoing<'_>, edits: &[Edit<'_>], out: &mut Out) -> Result<Edited, Refusal> {
        put(call, edits, out);
        Ok(Edited::Done)
    }

    fn local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        let (mut response, mut meta) = (vec![0x08], Vec::new());
        put_number(error_code(reply.cause), &mut response);
        put_bytes(0x12, &reply.text.as_bytes()[..reply.text.floor_char_boundary(MAX_TEXT)], &mut response);
        put_bytes(RESPONSE, &response, &mut meta);
        put_number(ID, &mut meta);
        put_number(request.id, &mut meta);
        put_header(meta.len(), 0, out);
        out.put(&meta);
    }
}
