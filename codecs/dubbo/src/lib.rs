//! Dubbo 2 over TCP as a codec: framing, heads and attachments in hessian2 and fastjson2, local replies.
//!
//! # What routes see
//!
//! `interface`, `method`, `version` and `dubbo` (the protocol's version) come from the head of each request and cost
//! next to nothing. Any other name, such as `group` or `remote.application`, is looked for among the attachments, which
//! stand behind the arguments: only where a rule names one, and by walking over the arguments (in fastjson2 by skipping
//! them), not by building them ([`attachments`]). Whole numbers and booleans count as their text. A generic call
//! (`$invoke`, `$invokeAsync`) has the method that it means as `method`, and `generic` = `true`. Names and values of head
//! fields in hessian2 are compared as the bytes that stand in the message; no Java identifier in use needs more.
//!
//! Hessian2 and fastjson2 are read. A request in another serialization is carried all the same, and answered in its place
//! where need be, but its attributes are hidden and the message says so ([`codec_api::Message::opaque`]).
//!
//! A head that is none, or has a hessian2 text in several chunks (longer than 65,535 UTF-16 units), is rejected with
//! status 40: a provider could not read the former, and no caller writes the latter.
//!
//! # What routes set
//!
//! Attachments of requests and of results are set in place: replaced where there is one of that name, whatever its case
//! (the spelling stays), else added. All other bytes stay as they are. A list, map or object that is to be replaced stays
//! too, and its new value is added behind it, which is the one that Java's reader keeps. A result without attachments
//! gets some only on a connection whose every request so far had a protocol version from 2.0.2 to 2.0.99; older consumers
//! would not read it. No place for edits have: other serializations, fields of the head, `generic` of a generic call,
//! responses with a status other than 20, bodies that cannot be walked over, and messages that would become longer
//! than [`MAX_MESSAGE_BYTES`]; they are written unedited.
//!
//! # Options
//!
//! | option | value | |
//! |---|---|---|
//! | [`MAX_MESSAGE_BYTES`] | 1,024 to 1 GiB; 8 MiB | longest body |
//! | [`CALLBACKS`] | `pin`, `refuse` | what becomes of requests with callback arguments |
//! | [`DEADLINE`] | `attachment` | requests say how long they may take: the least of `timeout` and `_TO`, in milliseconds |
//!
//! The last two make a listener walk over each request, and mean nothing upstream. With `callbacks: pin` such a request
//! travels on a private connection ([`codec_api::Affinity::Private`]), and a client may answer what the provider asks.
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
//! | unsupported, scattered | 20 | `RpcException`, code 0 (unknown) |
//!
//! Consumers retry each status but 20, so what a retry would make worse, or cannot help, is a result. It is in the
//! request's own serialization, for consumers refuse another one; where that is neither hessian2 nor fastjson2 it cannot
//! be written, and status 100 with a text takes its place. The class is the one that the consumer has, of `org.apache` or, for
//! Dubbo 2.6, of `com.alibaba`: the attachments of its connection's first request tell. (A consumer of Dubbo 2.7 throws the `RpcException` as it is.
//! One of 3.3 throws another one, code 0, around it: the code of the table is found further down its causes, as it is
//! for exceptions that a provider's own filters throw.)
//!
//! A status 20 from a provider is an application error if its body is an exception, whichever it is; that is seen
//! for hessian2 and fastjson2, and otherwise taken for success.

mod settings;
mod codec;
mod reply;
mod edit;
pub mod attachments;
mod body;
mod head;
mod descriptor;
mod status;
mod frame;
mod sniff;
mod serialization;
mod said;
mod jsonb;
mod hessian;
mod nest;

use std::sync::Arc;
use std::time::Duration;

use codec_api::{Codec, Conduct, Edits, Factory, OptionError, Options, Properties, Protocol, Sharing, Side};

pub use codec::DubboCodec;
pub use settings::{CALLBACKS, Callbacks, DEADLINE, DEFAULT_MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES, Settings};

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
        let settings = Settings::read(options)?;
        Ok(Arc::new(Connections { side, settings }))
    }
}

/// The codecs of one side of a listener or cluster.
#[derive(Debug)]
struct Connections {
    side: Side,
    settings: Settings,
}

impl Factory for Connections {
    fn codec(&self) -> Box<dyn Codec> {
        Box::new(DubboCodec::new(self.side, self.settings))
    }

    fn conduct(&self) -> Conduct {
        let mut conduct = Conduct::default();
        conduct.edits = Edits::Sometimes;
        conduct
    }
}
