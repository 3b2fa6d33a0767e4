//! Each way an exchange can fail, and what follows from it.
//!
//! One table leads from the failure to the flag in logs and metrics and to the reply that the client gets; its matches
//! are exhaustive, so that a new failure does not compile until it has both.

use codec_api::Cause;

/// Why an exchange ended without its endpoint's response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No route matches.
    NoRoute,
    /// The listener's route configuration has not arrived or was refused.
    NoRouteConfiguration,
    /// The route is misconfigured.
    Misconfigured,
    /// The route's cluster is not known.
    NoCluster,
    /// The cluster has no endpoint.
    NoEndpoint,
    /// No endpoint could be connected to, after all attempts.
    ConnectFailure,
    /// The upstream connection was lost after the request had been sent.
    ConnectionLost,
    /// The upstream's bytes could not be understood after the request had been sent.
    UpstreamProtocol,
    /// No response in time.
    Timeout,
    /// The cluster's limit on connections is reached.
    TooManyConnections,
    /// The cluster's limit on waiting requests is reached.
    TooManyPending,
    /// The cluster's limit on outstanding requests is reached.
    TooManyRequests,
    /// The service's rate limit is reached.
    RateLimited,
    /// The client went away.
    Cancelled,
    /// The codec refused the message by its head.
    Refused(Cause),
}

impl Failure {
    /// Envoy's response flag.
    pub fn flag(self) -> Flag {
        match self {
            Self::NoRoute | Self::NoRouteConfiguration => Flag::NoRoute,
            Self::Misconfigured | Self::NoCluster => Flag::NoCluster,
            Self::NoEndpoint => Flag::NoHealthyUpstream,
            Self::ConnectFailure => Flag::UpstreamConnectFailure,
            Self::ConnectionLost => Flag::UpstreamConnectionTermination,
            Self::UpstreamProtocol => Flag::UpstreamProtocolError,
            Self::Timeout => Flag::UpstreamTimeout,
            Self::TooManyConnections | Self::TooManyPending | Self::TooManyRequests => Flag::UpstreamOverflow,
            Self::RateLimited => Flag::RateLimited,
            Self::Cancelled => Flag::DownstreamConnectionTermination,
            Self::Refused(_) => Flag::DownstreamProtocolError,
        }
    }

    /// What the client is told; `None`: there is nobody left to tell.
    pub fn cause(self) -> Option<Cause> {
        Some(match self {
            Self::NoRoute | Self::NoRouteConfiguration => Cause::NoRoute,
            Self::Misconfigured | Self::NoCluster => Cause::Misconfigured,
            Self::NoEndpoint => Cause::NoEndpoint,
            Self::ConnectFailure => Cause::ConnectFailure,
            Self::ConnectionLost | Self::UpstreamProtocol => Cause::ConnectionLost,
            Self::Timeout => Cause::Timeout,
            Self::TooManyConnections | Self::TooManyPending | Self::TooManyRequests => Cause::Overload,
            Self::RateLimited => Cause::RateLimited,
            Self::Cancelled => return None,
            Self::Refused(cause) => cause,
        })
    }

    /// What happened, for logs and for the client.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoRoute => "no route matches",
            Self::NoRouteConfiguration => {
                "the route configuration of this service has not arrived or was refused"
            }
            Self::Misconfigured => "the route is misconfigured",
            Self::NoCluster => "the route's cluster is not known",
            Self::NoEndpoint => "the cluster has no endpoint",
            Self::ConnectFailure => "no endpoint could be connected to",
            Self::ConnectionLost => "the upstream connection was lost before the response came",
            Self::UpstreamProtocol => "the upstream's answer could not be understood",
            Self::Timeout => "no response in time",
            Self::TooManyConnections => "the cluster's limit on connections is reached",
            Self::TooManyPending => "the cluster's limit on waiting requests is reached",
            Self::TooManyRequests => "the cluster's limit on outstanding requests is reached",
            Self::RateLimited => "the rate limit of this service is reached",
            Self::Cancelled => "the client went away",
            Self::Refused(_) => "the message was refused",
        }
    }
}

/// Stands beside the flag of an exchange that would have been tried again if that had been allowed once more.
pub const RETRIES_EXHAUSTED: &str = "URX";

/// How an exchange ended, in the letters that Envoy's users know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flag {
    /// `NR`
    NoRoute,
    /// `NC`
    NoCluster,
    /// `UH`
    NoHealthyUpstream,
    /// `UF`
    UpstreamConnectFailure,
    /// `UC`
    UpstreamConnectionTermination,
    /// `UPE`
    UpstreamProtocolError,
    /// `UT`
    UpstreamTimeout,
    /// `UO`
    UpstreamOverflow,
    /// `RL`
    RateLimited,
    /// `DC`
    DownstreamConnectionTermination,
    /// `DPE`
    DownstreamProtocolError,
}

impl Flag {
    /// All of them, in declaration order.
    pub const ALL: [Self; 11] = [
        Self::NoRoute,
        Self::NoCluster,
        Self::NoHealthyUpstream,
        Self::UpstreamConnectFailure,
        Self::UpstreamConnectionTermination,
        Self::UpstreamProtocolError,
        Self::UpstreamTimeout,
        Self::UpstreamOverflow,
        Self::RateLimited,
        Self::DownstreamConnectionTermination,
        Self::DownstreamProtocolError,
    ];

    /// The letters.
    pub fn letters(self) -> &'static str {
        match self {
            Self::NoRoute => "NR",
            Self::NoCluster => "NC",
            Self::NoHealthyUpstream => "UH",
            Self::UpstreamConnectFailure => "UF",
            Self::UpstreamConnectionTermination => "UC",
            Self::UpstreamProtocolError => "UPE",
            Self::UpstreamTimeout => "UT",
            Self::UpstreamOverflow => "UO",
            Self::RateLimited => "RL",
            Self::DownstreamConnectionTermination => "DC",
            Self::DownstreamProtocolError => "DPE",
        }
    }
}
