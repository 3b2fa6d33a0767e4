//! The contract between a protocol and the proxy.
//!
//! Whoever has a protocol of his own implements three traits and has routing, load balancing, limits, timeouts,
//! mirroring, statistics and all else that the proxy does:
//!
//! - [`Protocol`] says what the protocol is called and how it behaves, and checks the options of a user;
//! - [`Factory`] makes one codec for each connection;
//! - [`Codec`] turns bytes into [`Message`]s and back, and writes replies in the client's own protocol when the proxy
//!   could not serve a request.
//!
//! A codec does no I/O, never waits, and never panics, whatever bytes it is given.
//!
//! # A whole codec
//!
//! A protocol whose messages are a length (4 bytes, big-endian, of what follows), a kind (`q` request, `r` response,
//! `p` ping, `o` pong), an id (4 bytes), a method (1 byte of length, then the name) and a payload:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use codec_api::*;
//!
//! const METHOD: usize = 0;
//! static PROPERTIES: Properties = Properties {
//!     head: &["method"],
//!     service: None,
//!     operation: Some(METHOD),
//!     id_bits: 32,
//!     sharing: Sharing::Shared(1),
//!     request_timeout: Duration::from_secs(15),
//!     heartbeat: None,
//! };
//! const LIMIT: usize = 1 << 20;
//!
//! struct Tiny;
//! impl Protocol for Tiny {
//!     fn name(&self) -> &'static str { "tiny" }
//!     fn properties(&self) -> &'static Properties { &PROPERTIES }
//!     fn configure(&self, _: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>> {
//!         options.only(&[])?;
//!         Ok(Arc::new(Tiny))
//!     }
//! }
//! impl Factory for Tiny {
//!     fn codec(&self) -> Box<dyn Codec> { Box::new(Tiny) }
//! }
//! impl Codec for Tiny {
//!     fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
//!         let Some((length, _)) = input.split_first_chunk() else { return Ok(Decoded::need(10)) };
//!         let len = 4 + u32::from_be_bytes(*length) as usize;
//!         if !(10..=LIMIT).contains(&len) { return Err(DecodeError::new(format!("length {len} is not in 10..={LIMIT}"))) }
//!         if input.len() < len { return Ok(Decoded::need(len)) }
//!         let kind = match input[4] {
//!             b'q' => Kind::Request,
//!             b'r' => Kind::Response,
//!             b'p' => Kind::Ping,
//!             b'o' => Kind::Pong,
//!             other => return Err(DecodeError::new(format!("kind {other:#04x} is unknown"))),
//!         };
//!         let mut message = Message::new(kind, len);
//!         message.id = u32::from_be_bytes([input[5], input[6], input[7], input[8]]).into();
//!         let end = 10 + usize::from(input[9]);
//!         if end > len { return Err(DecodeError::new("the method is longer than its message")) }
//!         message.head[METHOD] = Span::new(10, end);
//!         Ok(Decoded::Message(message))
//!     }
//!     fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
//!         out.put(&message.bytes.as_slice()[..5]);
//!         out.put(&(message.id as u32).to_be_bytes());
//!         message.bytes.put_from(9, out);
//!     }
//!     fn local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
//!         let text = &reply.text.as_bytes()[..reply.text.len().min(500)];
//!         out.put(&(6 + text.len() as u32).to_be_bytes());
//!         out.put(b"r");
//!         out.put(&(request.id as u32).to_be_bytes());
//!         out.put(&[0]);
//!         out.put(text);
//!     }
//!     fn pong(&mut self, ping: &Outgoing<'_>, out: &mut Out) {
//!         out.put(&6u32.to_be_bytes());
//!         out.put(b"o");
//!         out.put(&(ping.id as u32).to_be_bytes());
//!         out.put(&[0]);
//!     }
//! }
//!
//! let frame = b"\0\0\0\x0bq\0\0\0\x07\x03getXY";
//! let mut codec = Tiny;
//! assert!(matches!(codec.decode(&frame[..9]), Ok(Decoded::Need { total: 15 })));
//! let Ok(Decoded::Message(message)) = codec.decode(frame) else { panic!() };
//! assert_eq!(message.head[METHOD].of(frame), Some(&b"get"[..]));
//! let mut out = Out::new();
//! codec.encode(&Outgoing { message: &message, bytes: Raw::Slice(frame), id: 9 }, &mut out);
//! assert_eq!(out.to_vec(), b"\0\0\0\x0bq\0\0\0\x09\x03getXY");
//! ```
//!
//! # A misuse
//!
//! Answering [`Decoded::Need`] with a total that has already arrived would be asked again for ever; the proxy takes it
//! for a broken codec and closes the connection. A codec that does not know how much is missing asks for one byte more
//! than it was shown, and remembers how far it has looked, so that a message which arrives byte by byte costs linear
//! work.

mod attribute;
mod codec;
mod conduct;
mod flow;
#[cfg(feature = "laws")]
pub mod laws;
mod message;
mod options;
mod out;

pub use attribute::{Attribute, Found, Key, SOURCE_ADDRESS, Value};
pub use codec::{
    Codec, DecodeError, Decoded, Factory, Outgoing, Properties, Protocol, Rejected, Sharing, Side,
};
pub use conduct::{Conduct, Edit, Edited, Edits, Order, Refusal};
pub use flow::{Affinity, After, Answer, Flow, Shares, Spread};
pub use message::{Cause, Kind, LocalReply, MAX_HEAD, Message, RequestHead, Span, Status};
pub use options::{OptionError, OptionValue, Options};
pub use out::{COPY_BELOW, Out, Raw};
