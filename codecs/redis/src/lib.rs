//! Redis as a codec: RESP2, RESP3 and inline commands; sessions, transactions, subscriptions, sharding.
//!
//! # What clients see
//!
//! One server. Ordinary commands of many clients travel pipelined on shared connections; whatever a server would keep for
//! a client's connection is either kept here (its name, its id, whether it wants answers), or is a property of the
//! connections that carry the client's commands (protocol version, user, database), or gives the client a connection of its
//! own for as long as it lasts (transactions with WATCH, blocking commands, subscriptions, MONITOR, tracking). Each
//! command has one policy; `docs/redis-commands.md` lists them.
//!
//! # What routes see
//!
//! `command`, in upper case, `CLIENT` for `client setname`; `subcommand`, `SETNAME`; `key`, the first one; `db` and `user` of
//! the client's session. `db` and `user` cost something only where a rule names them.
//!
//! # Keys
//!
//! In a cluster that hashes by `key`, each key goes to its endpoint; of a key with a tag, `{user:1}:name`, the tag is hashed,
//! as Redis Cluster has it. `MGET`, `MSET`, `DEL`, `UNLINK`, `EXISTS` and `TOUCH` are split and merged; other commands whose
//! keys are spread are answered `-CROSSSLOT`. A transaction goes to the endpoint of its first command.
//!
//! # What clients see when the proxy answers
//!
//! An error whose first word tells the cause:
//!
//! | cause | word |
//! |---|---|
//! | no route | `NOROUTE` |
//! | misconfigured | `MISCONFIGURED` |
//! | no endpoint | `NOENDPOINT` |
//! | connect failure | `CONNECTFAILURE` |
//! | connection lost | `CONNECTIONLOST` |
//! | timeout | `TIMEOUT` |
//! | overload | `OVERLOAD` |
//! | rate limited | `RATELIMITED` |
//! | denied | `NOPERM` |
//! | too large | `TOOLARGE` |
//! | bad message | `BADMESSAGE` |
//! | unsupported | `ERR` |
//! | scattered | `CROSSSLOT` |
//!
//! # How responses count
//!
//! An error is the application's, but for `LOADING`, `MASTERDOWN`, `CLUSTERDOWN`, `MISCONF`, `NOREPLICAS`, `READONLY` and
//! `TRYAGAIN`, with which the server says that it cannot serve, and `BUSY`, `OOM` and too many clients, with which it says
//! that it has too much to do.

mod downstream;
mod upstream;
mod settings;
mod secrets;
mod context;
mod holds;
mod said;
mod words;
mod policy;
mod table;
mod request;
mod reply;
mod number;

use std::sync::Arc;
use std::time::Duration;

use codec_api::{Codec, Conduct, Factory, OptionError, Options, Order, Properties, Protocol, Sharing, Side};

use downstream::Downstream;
pub use policy::{Described, commands};
use settings::Settings;
pub use settings::{
    AUTH, DEDICATED, DEFAULT_MAX_ELEMENTS, DEFAULT_MAX_MESSAGE_BYTES, HEARTBEAT, MAX_ELEMENTS,
    MAX_MESSAGE_BYTES, PASSWORD_FILE, UNKNOWN_COMMANDS, USER,
};
use upstream::Upstream;

/// Bytes that may wait for a client which does not read: clients send whole pipelines before they read.
const UNREAD_LIMIT: usize = 64 << 20;

static PROPERTIES: Properties = Properties {
    head: &downstream::NAMES,
    service: None,
    operation: Some(downstream::COMMAND),
    id_bits: 64,
    sharing: Sharing::Shared(1),
    request_timeout: Duration::from_mins(1),
    heartbeat: Some(settings::DEFAULT_HEARTBEAT),
};

/// Redis, and what speaks as it does.
#[derive(Debug, Clone, Copy, Default)]
pub struct Redis;

impl Protocol for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn properties(&self) -> &'static Properties {
        &PROPERTIES
    }

    fn configure(&self, side: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>> {
        let settings = Arc::new(Settings::read(side, options)?);
        Ok(Arc::new(Connections { side, settings }))
    }
}

/// The codecs of one side of a listener or cluster.
struct Connections {
    side: Side,
    settings: Arc<Settings>,
}

impl Factory for Connections {
    fn codec(&self) -> Box<dyn Codec> {
        match self.side {
            Side::Downstream => Box::new(Downstream::new(self.settings.clone())),
            Side::Upstream => Box::new(Upstream::new(self.settings.clone())),
        }
    }

    fn conduct(&self) -> Conduct {
        let mut conduct = Conduct::default();
        conduct.order = Order::InOrder;
        conduct.heartbeat = Some(self.settings.heartbeat);
        conduct.keys = Some("key");
        conduct.has_only_head = true;
        conduct.words = &table::WORDS;
        if self.side == Side::Downstream {
            conduct.sharing = self.settings.dedicated.then_some(Sharing::PerDownstream);
            conduct.unread_limit = Some(UNREAD_LIMIT);
        }
        conduct
    }
}
