//! tRPC as a codec of its own: it uses codec-api and nothing else.
//!
//! Routes see `callee`, `caller` and `func`; any other name is looked for in `trans_info`, which is also where edits go.
//! A response with a `ret` is a server error, but for 22, 23, 123 and 124 (overload) and for 41 and 51 (the request was
//! not to be served); with a `func_ret` alone it is the application's error. Oneways are served. What opens a
//! stream is answered with an error, and what its client still sends is dropped. Heartbeats do not exist. Sources:
//! tRPC's `trpc.proto`, and the framework in Go and in Java.

mod codec;
mod head;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use codec_api::{
    Cause, Codec, Conduct, Edits, Factory, OptionError, Options, Properties, Protocol, Sharing, Side,
};

/// The option that limits a frame, in bytes; from 1,024 to 512 MiB.
pub const MAX_MESSAGE_BYTES: &str = "maxMessageBytes";
/// What holds unless [`MAX_MESSAGE_BYTES`] says otherwise: 10 MiB, tRPC's own limit.
pub const DEFAULT_MAX_MESSAGE_BYTES: i64 = 10 << 20;

static PROPERTIES: Properties = Properties {
    head: &head::NAMES,
    service: Some(1),
    operation: Some(2),
    id_bits: 32,
    sharing: Sharing::Shared(1),
    request_timeout: Duration::from_secs(15),
    heartbeat: None,
};

/// The `ret` of the proxy's own answers.
pub fn ret(cause: Cause) -> u64 {
    match cause {
        Cause::BadMessage => 1,       // SERVER_DECODE
        Cause::NoRoute => 11,         // SERVER_NOSERVICE
        Cause::Unsupported => 12,     // SERVER_NOFUNC
        Cause::Scattered => 2,        // SERVER_ENCODE
        Cause::Overload => 22,        // SERVER_OVERLOAD
        Cause::RateLimited => 23,     // SERVER_LIMITED
        Cause::Misconfigured => 31,   // SERVER_SYSTEM
        Cause::Denied => 41,          // SERVER_AUTH
        Cause::Timeout => 101,        // CLIENT_INVOKE_TIMEOUT
        Cause::ConnectFailure => 111, // CLIENT_CONNECT
        Cause::TooLarge => 121,       // CLIENT_ENCODE, which is what clients say of such a message
        Cause::NoEndpoint => 131,     // CLIENT_ROUTER
        Cause::ConnectionLost => 141, // CLIENT_NETWORK
    }
}

/// tRPC.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trpc;

impl Protocol for Trpc {
    fn name(&self) -> &'static str {
        "trpc"
    }

    fn properties(&self) -> &'static Properties {
        &PROPERTIES
    }

    fn configure(&self, side: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>> {
        let unknown = options.only(&[MAX_MESSAGE_BYTES]).err().unwrap_or_default();
        match options.integer(MAX_MESSAGE_BYTES, 1024..=512 << 20, DEFAULT_MAX_MESSAGE_BYTES) {
            Ok(max) if unknown.is_empty() => Ok(Arc::new(Connections { side, max_frame: max as usize })),
            limit => Err(unknown.into_iter().chain(limit.err()).collect()),
        }
    }
}

/// The codecs of one side of a listener or cluster; also each of them, for they have no state.
#[derive(Debug, Clone, Copy)]
struct Connections {
    side: Side,
    max_frame: usize,
}

impl Factory for Connections {
    fn codec(&self) -> Box<dyn Codec> {
        Box::new(*self)
    }

    fn conduct(&self) -> Conduct {
        let mut conduct = Conduct::default();
        conduct.edits = Edits::Always;
        conduct
    }
}
