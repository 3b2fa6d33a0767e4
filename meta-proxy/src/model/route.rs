//! Ordered routes: what must hold of a request, and where it then goes.

use std::fmt;
use std::time::Duration;

use super::RateLimit;

/// The routes of one host's port. The first that matches is taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RouteConfiguration {
    /// `<host>_<port>`
    pub name: String,
    /// In order.
    pub routes: Vec<Route>,
    /// How many requests may pass; `None`: all.
    pub rate_limit: Option<RateLimit>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// What metrics, logs and `explain` call it.
    pub name: String,
    /// All must hold.
    pub matchers: Vec<AttributeMatcher>,
    /// What happens to a request that matches.
    pub action: RouteAction,
    /// Where copies go.
    pub mirror: Option<Mirror>,
    /// `None`: the codec's default. Zero: no limit.
    pub timeout: Option<Duration>,
    /// Attributes to set in requests: names and values.
    pub request_mutation: Vec<(String, String)>,
    /// Attributes to set in responses.
    pub response_mutation: Vec<(String, String)>,
    /// When a request that has been sent is sent again; `None`: never.
    pub retries: Option<Retries>,
}

/// When a request that has been sent is sent again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Retries {
    /// How many tries may follow the first one; at least one.
    pub attempts: u32,
    /// How long one try may take; `None`: as long as the request has.
    pub per_try_timeout: Option<Duration>,
    /// Requests that may be sent several times: those of which one of these holds. Never empty; one without conditions
    /// stands for any request.
    pub idempotent: Vec<Vec<AttributeMatcher>>,
}

/// What a route does with a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RouteAction {
    /// Sends it to one of these clusters; never empty. Weights sum to 100 unless there is one.
    Clusters(Vec<WeightedCluster>),
    /// Answers that the route cannot be served, and why.
    Misconfigured(String),
}

/// A cluster and its share of a route's requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WeightedCluster {
    /// Name of the cluster.
    pub name: String,
    /// Of the sum of all weights.
    pub weight: u32,
}

/// Where copies of a route's requests go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mirror {
    /// Name of the cluster.
    pub cluster: String,
    /// Share of the requests that are copied, in millionths.
    pub millionths: u32,
    /// Only requests that change data are copied; the share is of these.
    pub writes_only: bool,
}

/// A condition on one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttributeMatcher {
    /// Name of the attribute, ASCII case-insensitive.
    pub name: String,
    /// What must hold of it.
    pub matcher: Matcher,
}

impl fmt::Display for AttributeMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (not, value) = match &self.matcher {
            Matcher::Is(value) => ("", value),
            Matcher::Not(value) => ("not ", value),
        };
        write!(f, "{} {not}", self.name)?;
        match value {
            ValueMatcher::Exact(text) => write!(f, "exact {text:?}"),
            ValueMatcher::Prefix(text) => write!(f, "prefix {text:?}"),
            ValueMatcher::Regex(text) => write!(f, "regex {text:?}"),
            ValueMatcher::Present(present) => write!(f, "present: {present}"),
        }
    }
}

/// A condition on a value that may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Matcher {
    /// Holds as the value matcher does.
    Is(ValueMatcher),
    /// Holds where the value matcher does not; a missing attribute included.
    Not(ValueMatcher),
}

/// A condition on a value. A missing attribute fails all but `Present(false)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ValueMatcher {
    /// Equal, byte for byte.
    Exact(String),
    /// Begins with this.
    Prefix(String),
    /// The whole value matches this regular expression, which compiles within [`crate::route::REGEX_SIZE_LIMIT`].
    Regex(String),
    /// There is a value, or there is none.
    Present(bool),
}
