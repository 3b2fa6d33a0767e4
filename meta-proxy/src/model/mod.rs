//! What the proxy has been told to do, as plain data.
//!
//! Written by `xds::convert`, which has validated everything here, and read by `snapshot`. Every type is `Eq + Hash`,
//! so that "did it change?" and "may I keep this pool?" are comparisons. Nothing here knows how it arrived or how it
//! is carried out.

mod cluster;
mod health;
mod listener;
mod rate_limit;
mod route;
mod tls;

pub use cluster::{Cluster, Discovery, Endpoint, Endpoints, HostPort, Limits, LoadBalancing};
pub use health::{Health, HealthCheck, OutlierDetection};
pub use listener::{Listener, Service};
pub use rate_limit::{ConditionalBucket, RateLimit, TokenBucket};
pub use route::{
    AttributeMatcher, Matcher, Mirror, Retries, Route, RouteAction, RouteConfiguration, ValueMatcher,
    WeightedCluster,
};
pub use tls::{DownstreamTls, Identity, Roots, SubjectName, TlsVersion, Trust, UpstreamTls};
