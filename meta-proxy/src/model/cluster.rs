//! Groups of endpoints, and how requests are spread over them.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use codec_api::Options;

use super::{Health, UpstreamTls};

/// A group of endpoints that serve the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cluster {
    /// `outbound|<port>|<subset>|<host>`
    pub name: String,
    /// Name of the registered codec that its endpoints speak.
    pub protocol: String,
    /// Options of that codec, already accepted by it.
    pub options: Options,
    /// Where its endpoints come from.
    pub discovery: Discovery,
    /// How an endpoint is chosen.
    pub balancing: LoadBalancing,
    /// How long a connection attempt may take.
    pub connect_timeout: Duration,
    /// An upstream connection without outstanding requests closes after this; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// What is allowed at once.
    pub limits: Limits,
    /// When an endpoint gets no requests.
    pub health: Health,
    /// How its connections are encrypted; `None`: not at all.
    pub tls: Option<UpstreamTls>,
}

/// Where a cluster's endpoints come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Discovery {
    /// The endpoints resource of this name.
    Assigned(String),
    /// Names that are looked up again and again.
    Dns(Vec<HostPort>),
}

/// A name to be looked up, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A DNS name or an IP address.
    pub host: String,
    /// The port of every address found.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// How an endpoint is chosen for a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LoadBalancing {
    /// Of two picked at random, the one with fewer outstanding requests (power of two choices).
    LeastRequest,
    /// Any, each as likely as the others.
    Random,
    /// One after the other.
    RoundRobin,
    /// Requests with the same value of an attribute go to the same endpoint, found on ketama's ring. Those without the
    /// attribute go as with [`Self::LeastRequest`].
    RingHash {
        /// Name of the attribute, ASCII case-insensitive.
        attribute: String,
        /// Points that the ring has at least, up to [`crate::upstream::RING_LIMIT`]. `None`: 160 for each endpoint.
        minimum_ring_size: Option<u32>,
    },
    /// The same with Maglev's table: shares are more even and look-ups cheaper, but when an endpoint goes, some of the
    /// others' values move too.
    Maglev {
        /// Name of the attribute, ASCII case-insensitive.
        attribute: String,
        /// Places of the table: a prime up to [`crate::upstream::MAGLEV_TABLE_LIMIT`], far more than endpoints.
        table_size: u32,
    },
}

impl LoadBalancing {
    /// The attribute that is hashed, if one is.
    pub fn attribute(&self) -> Option<&str> {
        match self {
            Self::LeastRequest | Self::RoundRobin | Self::Random => None,
            Self::RingHash { attribute, .. } | Self::Maglev { attribute, .. } => Some(attribute),
        }
    }
}

/// What a cluster allows at once, per process. `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Limits {
    /// Upstream connections. A worker's first connection is never denied.
    pub max_connections: Option<u32>,
    /// Requests that wait for a connection.
    pub max_pending: Option<u32>,
    /// Outstanding requests.
    pub max_requests: Option<u32>,
    /// Requests that are tried again, beside what their number allows.
    pub max_retries: Option<u32>,
}

/// The endpoints assigned to a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// Name of the resource.
    pub name: String,
    /// Without duplicates.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
}
