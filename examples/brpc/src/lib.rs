//! bRPC's standard protocol, `baidu_std`, as a codec of its own: it uses codec-api and nothing else.
//!
//! Routes see `service`, `method`, `request_id` and `log_id`; any other name is looked for among what users attach, in
//! `RpcMeta.user_fields` and in `RpcRequestMeta.ext_fields`, which are brpc-java's. An edit goes to the latter where a
//! request has some, else to the former. `error_code` 0 is ok; 1011 and 2004 are overload; 1001 … 1017, 2001 … 2006,
//! 3001 … 3005 and 110 … 113 (no host answers) are server errors; all others are the application's. Neither heartbeats
//! nor oneways exist. Sources: bRPC's `baidu_rpc_meta.proto`, `errno.proto`, `baidu_rpc_protocol.cpp`.

mod codec;
mod meta;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use codec_api::{
    Cause, Codec, Conduct, Edits, Factory, OptionError, Options, Properties, Protocol, Sharing, Side,
};

/// The option that limits meta and payload of a message, in bytes; from 1,024 to 512 MiB.
pub const MAX_MESSAGE_BYTES: &str = "maxMessageBytes";
/// What holds unless [`MAX_MESSAGE_BYTES`] says otherwise: 8 MiB.
pub const DEFAULT_MAX_MESSAGE_BYTES: i64 = 8 << 20;

static PROPERTIES: Properties = Properties {
    head: &meta::NAMES,
    service: Some(0),
    operation: Some(1),
    // They are signed.
    id_bits: 63,
    sharing: Sharing::Shared(1),
    request_timeout: Duration::from_secs(15),
    heartbeat: None,
};

/// The `error_code` of the proxy's own answers: bRPC's number, or the system's where bRPC has none.
pub fn error_code(cause: Cause) -> u64 {
    match cause {
        Cause::NoRoute => 1001,        // ENOSERVICE
        Cause::Misconfigured => 2001,  // EINTERNAL
        Cause::NoEndpoint => 112,      // EHOSTDOWN, which is what bRPC says when it has no server
        Cause::ConnectFailure => 111,  // ECONNREFUSED
        Cause::ConnectionLost => 1009, // EFAILEDSOCKET
        Cause::Timeout => 1008,        // ERPCTIMEDOUT
        Cause::Overload => 2004,       // ELIMIT
        Cause::RateLimited => 1011,    // EOVERCROWDED
        Cause::Denied => 1004,         // ERPCAUTH
        Cause::TooLarge => 90,         // EMSGSIZE
        Cause::BadMessage => 1003,     // EREQUEST
        Cause::Unsupported => 95,      // EOPNOTSUPP
        Cause::Scattered => 18,        // EXDEV
    }
}

/// bRPC's standard protocol.
#[derive(Debug, Clone, Copy, Default)]
pub struct Brpc;

impl Protocol for Brpc {
    fn name(&self) -> &'static str {
        "brpc"
    }

    fn properties(&self) -> &'static Properties {
        &PROPERTIES
    }

    fn configure(&self, side: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>> {
        let unknown = options.only(&[MAX_MESSAGE_BYTES]).err().unwrap_or_default();
        match options.integer(MAX_MESSAGE_BYTES, 1024..=512 << 20, DEFAULT_MAX_MESSAGE_BYTES) {
            Ok(max) if unknown.is_empty() => Ok(Arc::new(Connections { side, max_body: max as usize })),
            limit => Err(unknown.into_iter().chain(limit.err()).collect()),
        }
    }
}

/// The codecs of one side of a listener or cluster; also each of them, for they have no state.
#[derive(Debug, Clone, Copy)]
struct Connections {
    side: Side,
    max_body: usize,
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
