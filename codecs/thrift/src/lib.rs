//! Apache Thrift as a codec: framed, buffered and `THeader`; binary and compact; transcoding, local replies.
//!
//! # What is understood
//!
//! Three transports (a frame of four bytes before each message; nothing at all, so that a message ends where its struct
//! ends; a frame with a `THeader`) and two protocols (binary, with a version or without; compact). Which one a message is
//! in is seen from its first five bytes, and no message is shorter, so nothing is awaited that will not come. Under a
//! `THeader`, zlib is the one transform that is served.
//!
//! # What routes see
//!
//! `method`; `service`, where a multiplexed call names one (`service:method`); `type`, `call` or `oneway`; and each key
//! of a `THeader`. `method` and `service` cost nothing, unless they are under zlib, where as much is inflated as holds
//! them. The others are looked for only where a rule names them. A `THeader` key called as one of the first three is not
//! seen.
//!
//! # Calls without an answer
//!
//! A oneway call is sent and forgotten. Apache's Go client, though, sends each method as a call that awaits a reply, the
//! oneway ones too, and then does not wait for it: such methods are listed by the option `oneway`. Without it the proxy
//! would wait for a reply that no server gives.
//!
//! # Ids
//!
//! Sequence ids are rewritten on the way up and restored on the way down, the one of the message and that of its
//! `THeader`, so clients that send the same id again and again can share a connection. The payload is not touched. Under
//! zlib the message's own id cannot be reached: on an exclusive connection it stays as it is, only the `THeader`'s is
//! rewritten, and a response that repeats the inner one is understood; on a shared connection the request is sent
//! without its compression.
//!
//! # Transcoding
//!
//! An endpoint is spoken to as the client speaks, unless the cluster's options fix the transport or the protocol.
//! Then the message is put into another frame, or its values are written in the other protocol; the response goes
//! the way back. A struct that cannot be written is refused, and nothing of it is sent. A client with a `THeader` gets its
//! responses in one, in the protocol of its request, with the keys that the endpoint sent, if it sent any. Keys for
//! an endpoint that is spoken to without a `THeader` are lost.
//!
//! # What clients see when the proxy answers
//!
//! A `TApplicationException` in the transport and protocol of the request, with its sequence id and its method's name
//! (without the service). Its text begins with the cause.
//!
//! | cause | type | text begins with |
//! |---|---|---|
//! | no route | 1, unknown method | `no route` |
//! | misconfigured | 6, internal error | `misconfigured` |
//! | no endpoint | 6, internal error | `no endpoint` |
//! | connect failure | 6, internal error | `connect failure` |
//! | connection lost | 6, internal error | `connection lost` |
//! | timeout | 12, timeout | `timeout` |
//! | overload | 11, load shedding | `overload` |
//! | rate limited | 11, load shedding | `rate limited` |
//! | denied | 0, unknown | `denied` |
//! | too large | 7, protocol error | `too large` |
//! | bad message | 7, protocol error | `bad message` |
//! | unsupported | 8, transform; 9, protocol; else 10, client type | `unsupported` |
//!
//! Types 11 and 12 are fbthrift's; Apache's libraries hand them to the application as numbers.
//!
//! # How responses count
//!
//! A reply with field 0, or none, is ok; with another field, an exception that the method declares: an application
//! error. A `TApplicationException` is a failure of the endpoint, but for type 11: overloaded.

mod codec;
mod refused;
mod outgoing;
mod header;
mod recode;
mod walk;
mod exception;
mod inflate;
mod awaiting;
mod detect;
mod envelope;
mod settings;
mod form;
mod format;

use std::sync::Arc;
use std::time::Duration;

use codec_api::{
    Codec, Conduct, Edits, Factory, OptionError, Options, Order, Properties, Protocol, Sharing, Side,
};

pub use codec::ThriftCodec;
pub use form::{Encoding, Transport};
pub use settings::{
    DEFAULT_MAX_MESSAGE_BYTES, Fixed, MAX_MESSAGE_BYTES, ONEWAY, PROTOCOL, SHARING, Settings, TRANSPORT,
};

static PROPERTIES: Properties = Properties {
    head: &codec::NAMES,
    service: Some(codec::SERVICE),
    operation: Some(codec::METHOD),
    id_bits: 32,
    sharing: Sharing::Exclusive,
    request_timeout: Duration::from_secs(15),
    heartbeat: None,
};

/// Apache Thrift.
#[derive(Debug, Clone, Copy, Default)]
pub struct Thrift;

impl Protocol for Thrift {
    fn name(&self) -> &'static str {
        "thrift"
    }

    fn properties(&self) -> &'static Properties {
        &PROPERTIES
    }

    fn configure(&self, side: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>> {
        Ok(Arc::new(Connections { side, settings: Settings::read(options)? }))
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
        Box::new(ThriftCodec::new(self.side, self.settings.clone()))
    }

    fn conduct(&self) -> Conduct {
        let mut conduct = Conduct::default();
        conduct.edits = match self.settings.transport {
            None => Edits::Sometimes,
            Some(Transport::Header) => Edits::Always,
            Some(Transport::Framed | Transport::Buffered) => Edits::Never,
        };
        match self.side {
            Side::Downstream => conduct.order = Order::InOrder,
            Side::Upstream => conduct.sharing = Some(self.settings.sharing),
        }
        conduct
    }
}
