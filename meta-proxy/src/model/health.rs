//! When an endpoint gets no requests, although it is there.

use std::time::Duration;

/// How the endpoints of a cluster are judged. Says nothing unless told: all of them get requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Health {
    /// By the requests that they are sent.
    pub outliers: Option<OutlierDetection>,
    /// By pings.
    pub checks: Option<HealthCheck>,
    /// When fewer endpoints than this many in a hundred are healthy, all of them get requests. 0: never.
    pub panic_threshold: u32,
}

impl Health {
    /// Whether endpoints are judged at all.
    pub fn is_on(&self) -> bool {
        self.outliers.is_some() || self.checks.is_some()
    }
}

/// Endpoints whose requests fail are ejected for a while.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OutlierDetection {
    /// Requests that fail one after the other before their endpoint is ejected; `None`: it never is for that.
    pub consecutive_errors: Option<u32>,
    /// The same of requests that get no response at all.
    pub consecutive_gateway_errors: Option<u32>,
    /// An endpoint that has come back and stayed for this long is ejected for one base time less the next time.
    pub interval: Duration,
    /// How long an endpoint is ejected the first time; the second time for twice as long, and so on.
    pub base_ejection_time: Duration,
    /// The longest time.
    pub max_ejection_time: Duration,
    /// How many endpoints of a hundred are ejected at once, at most.
    pub max_ejection_percent: u32,
    /// One of them may be, however few that is.
    pub always_eject_one: bool,
}

/// Endpoints are pinged, each by one worker of the process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HealthCheck {
    /// From one ping to the next.
    pub interval: Duration,
    /// How long an answer may take, a connection and its set-up included.
    pub timeout: Duration,
    /// Pings that fail one after the other before an endpoint is unhealthy.
    pub unhealthy_threshold: u32,
    /// Pings that succeed one after the other before it is healthy again.
    pub healthy_threshold: u32,
}
