//! Dubbo 2 over TCP as a codec: framing, hessian2 heads and attachments, local replies.
//!
//! # What routes see
//!
//! `interface`, `method`, `version` and `dubbo` (the protocol's version) come from the head of each request and cost
//! next to nothing. Any other name is looked for among the attachments, which stand behind the arguments: only where
//! a rule names one, and by walking over the arguments, not by building them ([`attachments`]). A generic call
//! (`$invoke`, `$invokeAsync`) has the method that it means as `method`, and `generic` = `true`. Names and values of
//! head fields are compared as the bytes that stand in the message; no Java identifier in use needs more.
//!
//! Only hessian2 is read. A request in another serialization is carried all the same, and answered in its place where
//! need be, but its attributes are hidden and the message says so ([`codec_api::Message::opaque`]).
//!
//! A head that is no hessian2, or has a text in several chunks (longer than 65,535 UTF-16 units), is rejected with
//! status 40: a provider could not read the former, and no caller writes the latter.
//!
//! # What clients see when the proxy answers
//!
//! | cause | status | body |
//! |---|---|---|
//! | timeout | 31 | text |
//! | connect failure | 35 | text |
//! | bad message | 40 | text |
//! | connection lost | 50 | text |
//! | no route | 60 | text |
//! | no endpoint | 70 | text |
//! | misconfigured | 80 | text |
//! | too large | 90 | text |
//! | overload, rate limited | 20 | `RpcException`, code 7 (limit exceeded) |
//! | denied | 20 | `RpcException`, code 4 (forbidden) |
//! | unsupported | 20 | `RpcException`, code 0 (unknown) |
//!
//! Consumers retry each status but 20, so what a retry would make worse, or cannot help, is a result. Where the
//! request was not in hessian2 that result cannot be written, and status 100 with a text takes its place. (A consumer
//! of Dubbo 2.7 throws the `RpcException` as it is. One of 3.3 throws another one, code 0, around it: the code of the
//! table is found further down its causes, as it is for exceptions that a provider's own filters throw.)
//!
//! A status 20 from a provider is an application error if its body is an exception, whichever it is; that is seen
//! for hessian2 and fastjson2, and otherwise taken for success.

mod codec;
mod reply;
pub mod attachments;
mod head;
mod descriptor;
mod status;
mod frame;
mod sniff;
mod serialization;
mod hessian;

use std::sync::Arc;
use std::time::Duration;

use codec_api::{Codec, Factory, OptionError, Options, Properties, Protocol, Sharing, Side};

pub use codec::DubboCodec;

/// The option that limits the length of a message's body, in bytes; from 1,024 to 1 GiB. Counted as Dubbo counts its
/// `payload`: without the header.
pub const MAX_MESSAGE_BYTES: &str = "maxMessageBytes";
/// What holds unless [`MAX_MESSAGE_BYTES`] says otherwise: 8 MiB, Dubbo's own default.
pub const DEFAULT_MAX_MESSAGE_BYTES: u32 = 8 << 20;

static PROPERTIES: Properties = Properties {
    head: &head::NAMES,
    service: Some(head::INTERFACE),
    operation: Some(head::METHOD),
    id_bits: 64,
    sharing: Sharing::Shared(1),
    request_timeout: Duration::from_secs(15),
    heartbeat: Some(Duration::from_mins(1)),
};

/// Dubbo 2 over TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dubbo;

impl Protocol for Dubbo {
    fn name(&self) -> &'static str {
        "dubbo"
    }

    fn properties(&self) -> &'static Properties {
        &PROPERTIES
    }

    fn configure(&self, side: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>> {
        let unknown = options.only(&[MAX_MESSAGE_BYTES]).err().unwrap_or_default();
        let range = 1024..=i64::from(frame::MAX_SKIP);
        match options.integer(MAX_MESSAGE_BYTES, range, DEFAULT_MAX_MESSAGE_BYTES.into()) {
            Ok(max_body) if unknown.is_empty() => {
                Ok(Arc::new(Connections { side, max_body: max_body as u32 }))
            }
            Ok(_) => Err(unknown),
            Err(error) => Err(unknown.into_iter().chain([error]).collect()),
        }
    }
}

/// The codecs of one side of a listener or cluster.
#[derive(Debug)]
struct Connections {
    side: Side,
    max_body: u32,
}

impl Factory for Connections {
    fn codec(&self) -> Box<dyn Codec> {
        Box::new(DubboCodec::new(self.side, self.max_body))
    }
}
