//! A transport and a protocol, which together make a message bytes.
//!
//! Header transport: length, magic `0fff`, flags, sequence id, length of the header in words, header (protocol,
//! transforms, pairs of texts), message. Transforms are not spoken here; Apache Thrift's own libraries are, in the
//! interoperability tests.

use super::malformed::{Malformed, Unread, take, take_array};
use super::message::Message;
use super::{binary, compact};
use bytes::{Buf, BufMut, BytesMut};

/// Longest frame that is read: 64 MiB.
const FRAME: usize = 64 << 20;
/// Marks a frame of the header transport.
const MAGIC: u16 = 0x0fff;
/// The one known kind of pairs in a header.
const PAIRS: u64 = 1;

/// What stands around a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A length.
    Framed,
    /// Nothing.
    Buffered,
    /// A length and a header.
    Header,
}

/// How a message is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Binary, with a version.
    Binary,
    /// Binary, without a version.
    Lenient,
    /// Compact.
    Compact,
}

/// What a peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What stands around a message.
    pub transport: Transport,
    /// How a message is encoded.
    pub encoding: Encoding,
}

/// A message with the header that came with it, or shall go with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Pairs of the header, in the order on the wire; only the header transport has any.
    pub headers: Vec<(String, String)>,
    /// The message.
    pub message: Message,
}

impl Envelope {
    /// The header's value of exactly this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

impl From<Message> for Envelope {
    fn from(message: Message) -> Self {
        Envelope { headers: Vec::new(), message }
    }
}

impl Dialect {
    /// Framed, binary with a version: what most speak.
    pub const FRAMED_BINARY: Dialect = Dialect { transport: Transport::Framed, encoding: Encoding::Binary };

    /// Every transport with every protocol. The header transport knows no lenient one.
    pub fn all() -> impl Iterator<Item = Dialect> {
        let transports = [Transport::Framed, Transport::Buffered, Transport::Header];
        let encodings = [Encoding::Binary, Encoding::Lenient, Encoding::Compact];
        let pairs = transports.into_iter().flat_map(move |transport| {
            encodings.into_iter().map(move |encoding| Dialect { transport, encoding })
        });
        pairs
            .filter(|dialect| dialect.transport != Transport::Header || dialect.encoding != Encoding::Lenient)
    }

    /// Writes a message.
    pub fn write(self, envelope: &Envelope, out: &mut BytesMut) {
        let mut body = BytesMut::new();
        match self.encoding {
            Encoding::Binary => binary::write_message(&envelope.message, true, &mut body),
            Encoding::Lenient => binary::write_message(&envelope.message, false, &mut body),
            Encoding::Compact => compact::write_message(&envelope.message, &mut body),
        }
        match self.transport {
            Transport::Buffered => {}
            Transport::Framed => out.put_u32(body.len() as u32),
            Transport::Header => {
                let header = self.header(&envelope.headers);
                out.put_u32((10 + header.len() + body.len()) as u32);
                out.put_u16(MAGIC);
                out.put_u16(0);
                out.put_i32(envelope.message.seqid);
                out.put_u16((header.len() / 4) as u16);
                out.put_slice(&header);
            }
        }
        out.put_slice(&body);
    }

    fn header(self, pairs: &[(String, String)]) -> BytesMut {
        let mut header = BytesMut::new();
        header.put_slice(&[if self.encoding == Encoding::Compact { 2 } else { 0 }, 0]);
        if !pairs.is_empty() {
            compact::write_varint(PAIRS, &mut header);
            compact::write_varint(pairs.len() as u64, &mut header);
            for (key, value) in pairs {
                compact::write_bytes(key.as_bytes(), &mut header);
                compact::write_bytes(value.as_bytes(), &mut header);
            }
        }
        header.resize(header.len().next_multiple_of(4), 0);
        header
    }

    /// Takes a whole message off the front, if there is one. What is spoken is not guessed: another transport or
    /// protocol than this one is malformed.
    pub fn cut(self, received: &mut BytesMut) -> Result<Option<Envelope>, Malformed> {
        let mut rest = &received[..];
        let cut = if self.transport == Transport::Buffered {
            self.message(&mut rest).map(Envelope::from)
        } else {
            self.frame(&mut rest)
        };
        match cut {
            Ok(envelope) => {
                let length = received.len() - rest.len();
                received.advance(length);
                Ok(Some(envelope))
            }
            Err(Unread::Short) => Ok(None),
            Err(Unread::Wrong(malformed)) => Err(malformed),
        }
    }

    fn frame(self, rest: &mut &[u8]) -> Result<Envelope, Unread> {
        let length = u32::from_be_bytes(take_array(rest)?) as usize;
        if length > FRAME {
            return Err(Unread::wrong(format!("a frame of {length} bytes")));
        }
        let mut frame = take(rest, length)?;
        let whole = |unread: Unread| Unread::Wrong(unread.in_frame());
        let headers = if self.transport == Transport::Header {
            self.read_header(&mut frame).map_err(whole)?
        } else {
            Vec::new()
        };
        let message = self.message(&mut frame).map_err(whole)?;
        if frame.is_empty() {
            Ok(Envelope { headers, message })
        } else {
            Err(Unread::wrong(format!("{} bytes behind a message in its frame", frame.len())))
        }
    }

    fn message(self, bytes: &mut &[u8]) -> Result<Message, Unread> {
        let is_versioned = bytes.first().is_some_and(|first| first & 0x80 != 0);
        match self.encoding {
            Encoding::Compact => compact::read_message(bytes),
            Encoding::Binary if !is_versioned && !bytes.is_empty() => {
                Err(Unread::wrong("a message without a version"))
            }
            Encoding::Lenient if is_versioned => Err(Unread::wrong("a message with a version")),
            Encoding::Binary | Encoding::Lenient => binary::read_message(bytes),
        }
    }

    fn read_header(self, frame: &mut &[u8]) -> Result<Vec<(String, String)>, Unread> {
        let (magic, _flags) = (take_array(frame)?, take_array::<2>(frame)?);
        if u16::from_be_bytes(magic) != MAGIC {
            return Err(Unread::wrong("a frame without a header"));
        }
        let _seqid = take_array::<4>(frame)?;
        let words = u16::from_be_bytes(take_array(frame)?);
        let mut header = take(frame, usize::from(words) * 4)?;
        let protocol = compact::read_varint(&mut header)?;
        let expected = if self.encoding == Encoding::Compact { 2 } else { 0 };
        if protocol != expected {
            return Err(Unread::wrong(format!("protocol {protocol} in a header, not {expected}")));
        }
        let transforms = compact::read_varint(&mut header)?;
        if transforms > 0 {
            return Err(Unread::wrong("a transform"));
        }
        let mut pairs = Vec::new();
        while !header.is_empty() && compact::read_varint(&mut header)? == PAIRS {
            for _ in 0..compact::read_varint(&mut header)? {
                pairs.push((text(&mut header)?, text(&mut header)?));
            }
        }
        Ok(pairs)
    }
}

fn text(header: &mut &[u8]) -> Result<String, Unread> {
    let text = String::from_utf8(compact::read_bytes(header)?);
    text.map_err(|_| Unread::wrong("a header that is not UTF-8"))
}
