//! `RpcMeta`, which stands between a message's header and its payload: what is read of it, and what is edited.

use codec_api::{Attribute, Edit, Found, Kind, Message, Span, Status, Value};

use crate::wire::{Field, entry, fields, put_bytes, set};

/// Attributes of the head.
pub(crate) const NAMES: [&str; 4] = ["service", "method", "request_id", "log_id"];

// Tags of RpcMeta,
const REQUEST: u64 = 0x0a;
pub(crate) const RESPONSE: u64 = 0x12;
pub(crate) const ID: u64 = 0x20;
const CHUNK: u64 = 0x32;
const STREAM: u64 = 0x42;
const USER_FIELDS: u64 = 0x4a;
// and of the request that it holds. The last is a text in bRPC, and a repeated entry in brpc-java.
const LOG_ID: u64 = 0x18;
const EXT_FIELDS: u64 = 0x3a;

/// Shows the fields of a meta, each with its tag, and those of its request and response with both. `None`: it is none.
fn walk<'a>(meta: &'a [u8], mut see: impl FnMut((u64, u64), Field<'a>)) -> Option<()> {
    for field in fields(meta) {
        let field = field?;
        let inner = if matches!(field.tag, REQUEST | RESPONSE) { field.bytes } else { &[] };
        for part in fields(inner) {
            let part = part?;
            see((field.tag, part.tag), part);
        }
        see((0, field.tag), field);
    }
    Some(())
}

/// Reads the meta that stands in `bytes` from `start` on into `message`. `None`: it is none. `Some(false)`: it is more
/// than a call.
pub(crate) fn read(bytes: &[u8], start: usize, message: &mut Message) -> Option<bool> {
    let (mut is_call, mut id_at, mut has_ext) = (true, (bytes.len(), 0), false);
    walk(bytes.get(start..)?, |path, field| match path {
        (0, REQUEST) => message.kind = Kind::Request,
        (0, ID) => (message.id, id_at) = (field.number, (start + field.at, field.bytes.len())),
        (0, CHUNK | STREAM) => is_call = false,
        (RESPONSE, 0x08) => message.status = status(field.number as u32),
        (REQUEST, 0x0a) => message.head[0] = span(bytes, field.bytes),
        (REQUEST, 0x12) => message.head[1] = span(bytes, field.bytes),
        (REQUEST, LOG_ID) => message.head[3] = Span::LATE,
        (REQUEST, EXT_FIELDS) if entry(field.bytes).is_some() => has_ext = true,
        (REQUEST, EXT_FIELDS) => message.head[2] = span(bytes, field.bytes),
        _ => {}
    })?;
    message.context = (id_at.0 as u64) << 8 | u64::from(has_ext) << 7 | id_at.1 as u64;
    Some(is_call)
}

/// How a response ended; the table stands in the crate's documentation.
fn status(error_code: u32) -> Status {
    match error_code {
        0 => Status::Ok,
        1011 | 2004 => Status::Overloaded,
        110..=113 | 1001..=1017 | 2001..=2006 | 3001..=3005 => Status::ServerError,
        _ => Status::ApplicationError,
    }
}

fn span(message: &[u8], part: &[u8]) -> Span {
    let start = part.as_ptr().addr() - message.as_ptr().addr();
    Span::new(start, start + part.len())
}

/// Offers what users attached, and the log id. Of several entries of one key the last is meant, as in every map.
pub(crate) fn offer(bytes: &[u8], start: usize, wanted: &[Attribute], found: &mut Found) {
    let mut entries = Vec::new();
    let _ = walk(bytes.get(start..).unwrap_or_default(), |path, field| match path {
        (0, USER_FIELDS) | (REQUEST, EXT_FIELDS) => entries.extend(entry(field.bytes)),
        (REQUEST, LOG_ID) => {
            let text = || Value::Text(field.number.cast_signed().to_string().into());
            found.offer(wanted, NAMES[3].as_bytes(), text);
        }
        _ => {}
    });
    for (name, value) in entries.into_iter().rev() {
        found.offer(wanted, name, || Value::Span(span(bytes, value)));
    }
}

/// The meta with these edits, in the `ext_fields` of its request or in its `user_fields`.
pub(crate) fn edited(meta: &[u8], edits: &[Edit<'_>], has_ext: bool) -> Vec<u8> {
    if !has_ext {
        return set(meta, USER_FIELDS, edits);
    }
    let mut made = Vec::new();
    for field in fields(meta).flatten() {
        match field.tag {
            REQUEST => put_bytes(REQUEST, &set(field.bytes, EXT_FIELDS, edits), &mut made),
            _ => made.extend_from_slice(field.whole),
        }
    }
    made
}
