//! `RequestProtocol` and `ResponseProtocol`, which stand between a frame's head and its body: what is read of them.
//! Which of the two it is shows only in the direction in which it travels.

use codec_api::{Attribute, DecodeError, Found, Kind, Message, Span, Status, Value};

use crate::wire::{entry, fields};

/// Attributes of the head: fields 5 to 7 of a request.
pub(crate) const NAMES: [&str; 3] = ["caller", "callee", "func"];

pub(crate) const ID: u64 = 0x18;
pub(crate) const RET: u64 = 0x20;
pub(crate) const ERROR_MSG: u64 = 0x32;

/// The tag of the map `trans_info`.
pub(crate) fn trans_info(kind: Kind) -> u64 {
    if kind == Kind::Response { 0x42 } else { 0x4a }
}

/// Reads what stands in `bytes` from `start` on into `message`, and tells where the id's field stands after `start`,
/// and its length.
pub(crate) fn read(bytes: &[u8], start: usize, message: &mut Message) -> Result<(usize, usize), DecodeError> {
    let head = &bytes[start..];
    let (mut id_at, mut rets) = ((head.len(), 0), [0; 2]);
    let is_request = message.kind != Kind::Response;
    for field in fields(head) {
        let field = field.ok_or_else(|| DecodeError::new("a message whose head is no protocol buffer"))?;
        match field.tag {
            ID => (message.id, id_at) = (u64::from(field.number as u32), (field.from, field.whole.len())),
            RET | 0x28 if !is_request => rets[(field.tag >> 3) as usize - 4] = field.number as u32,
            0x10 if is_request && field.number == 1 => message.kind = Kind::Oneway,
            0x2a | 0x32 | 0x3a if is_request => {
                message.head[(field.tag >> 3) as usize - 5] = span(bytes, field.bytes);
            }
            _ => {}
        }
    }
    message.status = status(rets);
    Ok(id_at)
}

/// How a response ended; the table stands in the crate's documentation.
fn status(rets: [u32; 2]) -> Status {
    match rets {
        [0, 0] => Status::Ok,
        [0 | 41 | 51, _] => Status::ApplicationError,
        [22 | 23 | 123 | 124, _] => Status::Overloaded,
        _ => Status::ServerError,
    }
}

fn span(message: &[u8], part: &[u8]) -> Span {
    let start = part.as_ptr().addr() - message.as_ptr().addr();
    Span::new(start, start + part.len())
}

/// Offers what is transmitted with the message. Of several entries of one key the last is meant, as in every map.
pub(crate) fn offer(kind: Kind, bytes: &[u8], start: usize, wanted: &[Attribute], found: &mut Found) {
    let head = fields(bytes.get(start..).unwrap_or_default()).flatten();
    let map = head.filter(|field| field.tag == trans_info(kind));
    let entries: Vec<_> = map.filter_map(|field| entry(field.bytes)).collect();
    for (name, value) in entries.into_iter().rev() {
        found.offer(wanted, name, || Value::Span(span(bytes, value)));
    }
}
