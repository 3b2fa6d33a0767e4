//! What a translation builds, before it is encoded: plain data that can be hashed, since a resource's version is the
//! hash of what it was built from. Encoded bytes would not do: protocol buffers write maps in any order.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crds::FreeForm;
use xds::Origin;

use super::exports::{Audience, Exports, Reach};

/// A value, the objects that it came from, and whom it is for; only the value is hashed.
#[derive(Debug, Clone)]
pub(crate) struct Traced<T> {
    pub(crate) value: T,
    pub(crate) origins: Vec<Origin>,
    /// Whose clients may see it.
    pub(crate) exports: Exports,
    /// Which gateways are told of it; `None`: it is for the mesh, and for those who ask.
    pub(crate) reach: Option<Reach>,
}

impl<T> Traced<T> {
    /// Who may see it; `None`: everybody.
    pub(crate) fn audience(&self) -> Option<Audience> {
        self.exports.audience(self.reach.as_ref())
    }
}

/// An address that clients connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Listener {
    /// The gateway that has it, as `namespace/name`; `None`: whoever has the address.
    pub(crate) gateway: Option<String>,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// Name of the codec.
    pub(crate) codec: String,
    pub(crate) options: FreeForm,
    pub(crate) services: Vec<ListenerService>,
    /// How its connections are encrypted; `None`: not at all.
    pub(crate) tls: Option<ServerTls>,
}

/// How connections from clients are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ServerTls {
    pub(crate) identity: Identity,
    /// File of those who must have signed the certificates of clients; `None`: they are not asked for one.
    pub(crate) clients: Option<String>,
    /// Nothing older than 1.3 is spoken.
    pub(crate) is_newest: bool,
}

/// How connections to endpoints are encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) enum ClientTls {
    /// Not at all.
    #[default]
    Plain,
    /// By TLS.
    Secured {
        /// The name that endpoints are asked for; `None`: their host.
        sni: Option<String>,
        trust: Trust,
        identity: Option<Identity>,
    },
    /// What is asked for cannot be had. Instead there is nothing, rather than what is not encrypted.
    Refused(String),
}

/// Which endpoints are believed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Trust {
    Anyone,
    Signed {
        /// A file; `None`: the system's.
        roots: Option<String>,
        /// None: the one that is asked for.
        names: Vec<String>,
    },
}

/// The files of a certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A service behind a listener.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ListenerService {
    /// Value of the codec's service attribute; empty: any.
    pub(crate) name: String,
    pub(crate) route_config_name: String,
    pub(crate) host: String,
}

/// The routes of a host's port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RouteConfiguration {
    pub(crate) name: String,
    pub(crate) routes: Vec<Route>,
    /// How many requests may pass; `None`: all.
    pub(crate) rate_limit: Option<RateLimit>,
}

/// The first condition that holds decides which bucket a request takes its token from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RateLimit {
    pub(crate) conditions: Vec<(Vec<AttributeMatcher>, TokenBucket)>,
    /// For requests that no condition holds of; `None`: those are not limited.
    pub(crate) default: Option<TokenBucket>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenBucket {
    pub(crate) max_tokens: u32,
    pub(crate) tokens_per_fill: u32,
    pub(crate) fill_interval: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    pub(crate) name: String,
    pub(crate) matchers: Vec<AttributeMatcher>,
    pub(crate) action: Action,
}

/// What a route does with a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Forward {
        /// Never empty; weights sum to 100.
        clusters: Vec<(ClusterId, u32)>,
        mirror: Option<Mirror>,
        /// `None`: the codec's default; zero: none.
        timeout: Option<Duration>,
        /// Attributes to set in requests: names and values.
        request_mutation: Vec<(String, String)>,
        /// Attributes to set in responses.
        response_mutation: Vec<(String, String)>,
        retries: Option<Retries>,
    },
    /// Answers why it cannot be served.
    Misconfigured(String),
}

impl Action {
    /// The clusters that requests or copies go to.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = &ClusterId> {
        let (clusters, mirror) = match self {
            Self::Forward { clusters, mirror, .. } => (clusters.as_slice(), mirror.as_ref()),
            Self::Misconfigured(_) => (&[][..], None),
        };
        clusters.iter().map(|(cluster, _)| cluster).chain(mirror.map(|mirror| &mirror.cluster))
    }
}

/// Where copies of a route's requests go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Mirror {
    pub(crate) cluster: ClusterId,
    /// The share that is copied, in millionths.
    pub(crate) millionths: u32,
    /// Only of requests that change data.
    pub(crate) writes_only: bool,
}

/// When a request that was sent is sent again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Retries {
    /// How many tries may follow the first one.
    pub(crate) attempts: u32,
    pub(crate) per_try_timeout: Option<Duration>,
    /// Conditions on requests that may be sent several times; one list must hold. An empty one holds of all.
    pub(crate) idempotent: Vec<Vec<AttributeMatcher>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AttributeMatcher {
    /// Name of the attribute.
    pub(crate) name: String,
    pub(crate) matcher: Matcher,
}

/// Holds as the inner matcher does, or where it does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Matcher {
    Is(ValueMatcher),
    Not(ValueMatcher),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ValueMatcher {
    Exact(String),
    Prefix(String),
    Regex(String),
    Present(bool),
}

/// Which endpoints of which service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClusterId {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Empty: all of them.
    pub(crate) subset: String,
}

impl ClusterId {
    /// Name of the cluster, and of its endpoints.
    pub(crate) fn name(&self) -> String {
        xds::names::cluster(&self.host, self.port, &self.subset)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    /// The service's.
    pub(crate) host: String,
    pub(crate) codec: String,
    pub(crate) options: FreeForm,
    pub(crate) discovery: Discovery,
    pub(crate) settings: Settings,
    pub(crate) health_check: Option<HealthCheck>,
}

/// Where a cluster's endpoints come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Discovery {
    /// The [`Endpoints`] of the cluster's name.
    Assigned,
    /// These names and ports are looked up.
    Dns(BTreeSet<(String, u16)>),
}

/// What a `DestinationRule` says about a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    pub(crate) balancing: Balancing,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_connections: Option<u32>,
    pub(crate) max_pending_requests: Option<u32>,
    pub(crate) max_requests: Option<u32>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) outliers: Option<Outliers>,
    pub(crate) tls: ClientTls,
}

/// When endpoints are ejected. `None`: the proxy's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Outliers {
    /// 0: never.
    pub(crate) consecutive_errors: Option<u32>,
    /// 0 and `None`: never.
    pub(crate) consecutive_gateway_errors: Option<u32>,
    pub(crate) interval: Option<Duration>,
    pub(crate) base_ejection_time: Option<Duration>,
    pub(crate) max_ejection_percent: Option<u32>,
    /// `None`: 0.
    pub(crate) min_health_percent: Option<u32>,
}

/// How endpoints are pinged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct HealthCheck {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) unhealthy_threshold: u32,
    pub(crate) healthy_threshold: u32,
}

/// How an endpoint is chosen. Sizes are as written: the proxy refuses a cluster with one that cannot be, since keys that
/// go anywhere meanwhile would be worse.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) enum Balancing {
    #[default]
    LeastRequest,
    Random,
    RoundRobin,
    RingHash {
        /// Name of the attribute.
        attribute: String,
        /// `None`: as large as usual.
        minimum_ring_size: Option<u64>,
    },
    Maglev {
        /// Name of the attribute.
        attribute: String,
        /// `None`: as large as usual.
        table_size: Option<u64>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoints {
    pub(crate) name: String,
    pub(crate) addresses: BTreeSet<SocketAddr>,
}
