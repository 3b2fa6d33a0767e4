//! Addresses that clients connect to, and the services behind each.

use std::net::SocketAddr;
use std::time::Duration;

use codec_api::Options;

use super::DownstreamTls;

/// An address that accepts connections of one protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Listener {
    /// Unique among listeners.
    pub name: String,
    /// Where it is bound, unless the bootstrap maps it elsewhere.
    pub address: SocketAddr,
    /// Name of a registered codec.
    pub protocol: String,
    /// Options of that codec, already accepted by it.
    pub options: Options,
    /// At least one. A service without a name is alone.
    pub services: Vec<Service>,
    /// A connection without traffic and without outstanding requests closes after this; `None`: the default.
    pub idle_timeout: Option<Duration>,
    /// How its connections are encrypted; `None`: not at all.
    pub tls: Option<DownstreamTls>,
}

/// One service behind a listener.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Service {
    /// Lower-cased value of the codec's service attribute; `None`: every message is for this service.
    pub name: Option<String>,
    /// Name of its route configuration.
    pub routes: String,
    /// The host that users know it by.
    pub host: String,
}
