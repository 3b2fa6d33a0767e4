//! Tiny as a codec: what it is called, how it behaves, what users can set.
//!
//! `frame` knows how the bytes stand; `codec` turns them into messages and back. Change those two first.

mod codec;
mod frame;

use std::sync::Arc;
use std::time::Duration;

use codec_api::{Codec, Conduct, Edits, Factory, OptionError, Options, Properties, Protocol, Sharing, Side};

/// The option that limits the length of a message, in bytes; from 1,024 to 1 GiB.
pub const MAX_MESSAGE_BYTES: &str = "maxMessageBytes";
/// What holds unless [`MAX_MESSAGE_BYTES`] says otherwise: 8 MiB.
pub const DEFAULT_MAX_MESSAGE_BYTES: u32 = 8 << 20;

static PROPERTIES: Properties = Properties {
    head: &["method"],
    service: None,
    operation: Some(frame::METHOD),
    id_bits: 32,
    sharing: Sharing::Shared(1),
    request_timeout: Duration::from_secs(15),
    heartbeat: Some(Duration::from_mins(1)),
};

/// The protocol, to be registered with the proxy.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tiny;

impl Protocol for Tiny {
    fn name(&self) -> &'static str {
        "tiny"
    }

    fn properties(&self) -> &'static Properties {
        &PROPERTIES
    }

    fn configure(&self, _: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>> {
        options.only(&[MAX_MESSAGE_BYTES])?;
        let limit = options
            .integer(MAX_MESSAGE_BYTES, 1024..=1 << 30, DEFAULT_MAX_MESSAGE_BYTES.into())
            .map_err(|error| vec![error])?;
        Ok(Arc::new(Connections { limit: limit as usize }))
    }
}

/// Makes a codec for each connection.
struct Connections {
    limit: usize,
}

impl Factory for Connections {
    fn codec(&self) -> Box<dyn Codec> {
        Box::new(codec::TinyCodec::new(self.limit))
    }

    fn conduct(&self) -> Conduct {
        let mut conduct = Conduct::default();
        conduct.edits = Edits::Always;
        conduct
    }
}
