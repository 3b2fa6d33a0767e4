//! How a message stands in bytes.
//!
//! ```text
//! 0           4     5       9              10      10 + m                 12 + m      12 + m + a
//! length (4)  kind  id (4)  method length  method  attributes length (2)  attributes  body
//! ```
//!
//! Numbers are big-endian. The first length is that of all that follows it. An attribute is a name and a value, each
//! behind one byte of length.

use codec_api::{DecodeError, Kind, Span, Status};

/// Place of the method in [`Properties::head`](codec_api::Properties::head).
pub(crate) const METHOD: usize = 0;
/// Bytes up to the method.
pub(crate) const HEAD: usize = 10;
/// Where the id stands, in four bytes.
pub(crate) const ID_AT: usize = 5;
/// The longest name or value of an attribute, and the longest method.
pub(crate) const MAX_TEXT: usize = u8::MAX as usize;

/// The first bytes of a message.
pub(crate) struct Head {
    /// Length of the whole message.
    pub(crate) len: usize,
    pub(crate) kind: Kind,
    pub(crate) status: Status,
    pub(crate) id: u32,
    method: usize,
}

impl Head {
    /// Reads the head at the start of `input`. `None`: it has not all arrived.
    pub(crate) fn read(input: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Some(head) = input.first_chunk::<HEAD>() else { return Ok(None) };
        let [l0, l1, l2, l3, kind, i0, i1, i2, i3, method] = *head;
        let (kind, status) = match kind {
            b'q' => (Kind::Request, Status::Ok),
            b'n' => (Kind::Oneway, Status::Ok),
            b'r' => (Kind::Response, Status::Ok),
            b'x' => (Kind::Response, Status::ApplicationError),
            b'e' => (Kind::Response, Status::ServerError),
            b'b' => (Kind::Response, Status::Overloaded),
            b'p' => (Kind::Ping, Status::Ok),
            b'o' => (Kind::Pong, Status::Ok),
            b'g' => (Kind::GoingAway, Status::Ok),
            other => return Err(DecodeError::new(format!("no message is of kind {other:#04x}"))),
        };
        let len = 4 + u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let method = usize::from(method);
        if len < HEAD + method + 2 {
            return Err(DecodeError::new(format!("{len} bytes are too few for a method of {method}")));
        }
        Ok(Some(Self { len, kind, status, id: u32::from_be_bytes([i0, i1, i2, i3]), method }))
    }

    /// Where the method stands.
    pub(crate) fn method(&self) -> Span {
        Span::new(HEAD, HEAD + self.method)
    }
}

/// Where the attributes of a whole message begin and end. `None`: not inside the message.
pub(crate) fn attributes_at(message: &[u8]) -> Option<(usize, usize)> {
    let start = HEAD + usize::from(*message.get(HEAD - 1)?) + 2;
    let length: &[u8; 2] = message.get(start - 2..)?.first_chunk()?;
    let end = start + usize::from(u16::from_be_bytes(*length));
    (end <= message.len()).then_some((start, end))
}

/// Name and value of each attribute of a whole message, up to the first that makes no sense.
pub(crate) fn attributes(message: &[u8]) -> impl Iterator<Item = (Span, Span)> {
    let (mut at, end) = attributes_at(message).unwrap_or_default();
    let mut text = move || {
        let start = at + 1;
        at = start + usize::from(*message.get(at).filter(|_| at < end)?);
        (at <= end).then(|| Span::new(start, at))
    };
    std::iter::from_fn(move || Some((text()?, text()?)))
}

/// Writes a message of these parts.
pub(crate) fn write(kind: u8, id: u32, method: &[u8], attributes: &[u8], body: &[u8]) -> Vec<u8> {
    let len = HEAD - 4 + method.len() + 2 + attributes.len() + body.len();
    let mut bytes = Vec::with_capacity(4 + len);
    bytes.extend_from_slice(&(len as u32).to_be_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.push(method.len() as u8);
    bytes.extend_from_slice(method);
    bytes.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
    bytes.extend_from_slice(attributes);
    bytes.extend_from_slice(body);
    bytes
}
