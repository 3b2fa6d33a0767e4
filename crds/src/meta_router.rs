//! `MetaRouter`: the ordered routes of one service.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rate_limit::Attributes;
use crate::{FreeForm, GlobalRateLimit, LocalRateLimit, Status};

/// The routes of one service, for every protocol that has a codec.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "metaprotocol.aeraki.io",
    version = "v1alpha1",
    kind = "MetaRouter",
    plural = "metarouters",
    namespaced,
    shortname = "mr",
    category = "aeraki-io",
    category = "metaprotocol-aeraki-io",
    status = "Status",
    derive = "PartialEq",
    doc = "The routes of one service: which requests go to which endpoints.",
    printcolumn(name = "Hosts", type_ = "string", json_path = ".spec.hosts"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status"
    ),
    printcolumn(
        name = "Programmed",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Programmed\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::duplicated_attributes, reason = "each column of kube's derive has the same keys")]
pub struct MetaRouterSpec {
    /// The service, by its host; exactly one.
    #[schemars(length(min = 1, max = 1), inner(length(min = 1, max = 253)))]
    pub hosts: Vec<String>,
    /// Gateways, as `namespace/name` or `name`, that serve these routes as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub gateways: Vec<String>,
    /// The first route that matches a request is taken. None: all requests go to the service itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10_000))]
    pub routes: Vec<Route>,
    /// Limits that each proxy keeps by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_rate_limit: Option<LocalRateLimit>,
    /// Limits that a rate limit service keeps for all proxies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_rate_limit: Option<GlobalRateLimit>,
    /// Namespaces whose clients see these routes: `*` (all, as when absent), `.` (this one), `~` (none), or names. Other
    /// clients of the host go to the service itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)))]
    pub export_to: Vec<String>,
    /// Addition: options of the codec, above those of the `ApplicationProtocol`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<CodecOptions>,
    /// Addition: the service's endpoints are pinged. Refused where the protocol has no ping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Addition: how connections from clients are encrypted, on each port of the service. Absent: not at all. Services that
    /// share an address and port must say the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTls>,
}

/// Addition: how endpoints are pinged, each by every proxy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = crate::rules::HEALTH_CHECK))]
pub struct HealthCheck {
    /// From one ping to the next, from `100ms` to `1h`. Absent: `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("x-kubernetes-validations" = crate::rules::DURATION))]
    pub interval: Option<String>,
    /// How long an answer may take, a connection included; no longer than the interval. Absent: `1s`, or the interval if
    /// that is shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("x-kubernetes-validations" = crate::rules::DURATION))]
    pub timeout: Option<String>,
    /// Pings in a row that fail before an endpoint gets no more requests. Absent: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 1, max = 100))]
    pub unhealthy_threshold: Option<u32>,
    /// Pings in a row that are answered before it gets requests again. Absent: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 1, max = 100))]
    pub healthy_threshold: Option<u32>,
}

/// Addition: how connections from clients are encrypted, in the words of Istio's `Gateway`. Files are named as the proxy sees
/// them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = crate::rules::SERVER_TLS))]
pub struct ServerTls {
    /// Whether clients must show a certificate.
    pub mode: ServerTlsMode,
    /// The file of the certificate that clients are shown.
    #[schemars(length(min = 1, max = 4096))]
    pub server_certificate: String,
    /// The file of its key.
    #[schemars(length(min = 1, max = 4096))]
    pub private_key: String,
    /// With `MUTUAL`: the file of the CAs that have signed the clients' certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub ca_certificates: Option<String>,
    /// The oldest version that is spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_protocol_version: Option<TlsProtocol>,
}

/// Addition: `SIMPLE`, or `MUTUAL`: clients must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ServerTlsMode {
    /// Clients show no certificate.
    Simple,
    /// Clients must show one.
    Mutual,
}

/// Addition: `TLSV1_2`, `TLSV1_3`, or `TLS_AUTO`, which is `TLSV1_2`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TlsProtocol {
    /// The oldest that there is.
    #[default]
    #[serde(rename = "TLS_AUTO")]
    Auto,
    /// 1.2
    #[serde(rename = "TLSV1_2")]
    V1_2,
    /// 1.3
    #[serde(rename = "TLSV1_3")]
    V1_3,
}

/// Addition: options of the codec for each side of the proxy. The codec says which there are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodecOptions {
    /// For connections from clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::free_form")]
    pub downstream: Option<FreeForm>,
    /// For connections to endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::free_form")]
    pub upstream: Option<FreeForm>,
}

/// One route: which requests, and where they go.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = crate::rules::ROUTE))]
pub struct Route {
    /// For logs and metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// Which requests. Absent: all.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<RouteMatch>,
    /// Where they go: one destination, or several whose weights sum to 100.
    // With more, an API server would not let a rule add up their weights.
    #[schemars(length(min = 1, max = 60))]
    pub route: Vec<RouteDestination>,
    /// Where copies of the requests go; replies to copies are discarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Destination>,
    /// Share of the requests that are copied. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror_percentage: Option<Percent>,
    /// Addition: which requests are copied. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror_requests: Option<MirrorRequests>,
    /// Addition: from the whole request received to the whole reply received, such as `1500ms`. `0s`: no limit.
    /// Absent: the codec's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("x-kubernetes-validations" = crate::rules::DURATION))]
    pub timeout: Option<String>,
    /// Keys that are set in the request before it leaves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub request_mutation: Vec<KeyValue>,
    /// Keys that are set in the response before it returns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub response_mutation: Vec<KeyValue>,
    /// Addition: when a request that was sent and failed is sent again. Absent: never. What could not be sent at all goes
    /// to another endpoint in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
}

/// Addition: when a request that was sent and failed is sent again, to another endpoint where there is one: its connection
/// was lost, its response could not be understood or did not come in time, or the framework (not the application)
/// answered that it failed. Never beyond the route's timeout, and only as long as not too many others are tried again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retries {
    /// How many tries may follow the first one: with 2, a request is sent three times at most.
    #[schemars(with = "i64", range(min = 1, max = 10))]
    pub attempts: u32,
    /// How long one try of such a request may take, such as `500ms`; less than the route's timeout. Absent: as long as the
    /// request has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("x-kubernetes-validations" = crate::rules::DURATION))]
    pub per_try_timeout: Option<String>,
    /// Which requests do no more when they are received several times than once, and are sent again. `true`: all. Or a list,
    /// of which one must hold: `[{attributes: {method: {prefix: get}}}]`, with `attributes` as in the route's `match`.
    #[schemars(schema_with = "crate::schema::of_any_type")]
    pub idempotent: serde_json::Value,
}

/// Conditions on the attributes of a request; all must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteMatch {
    /// By the attribute's name, compared without regard to ASCII case.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub attributes: Attributes,
}

/// A condition on one attribute: at most one of its fields is set. None (`{}`) and `exact: ""` mean `present: true`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = crate::rules::CONDITION))]
pub struct AttributeMatch {
    /// The whole value, letter for letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub exact: Option<String>,
    /// What the value begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub prefix: Option<String>,
    /// A regular expression that the whole value matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub regex: Option<String>,
    /// Addition: whether the request has the attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
    /// Addition: holds where the inner condition does not, a missing attribute included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<ValueMatch>,
}

/// The condition inside of `not`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = crate::rules::INNER_CONDITION))]
pub struct ValueMatch {
    /// The whole value, letter for letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub exact: Option<String>,
    /// What the value begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub prefix: Option<String>,
    /// A regular expression that the whole value matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub regex: Option<String>,
    /// Whether the request has the attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
}

/// One of the destinations of a route.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteDestination {
    /// Where.
    pub destination: Destination,
    /// Share of the requests, in percent. Without effect where there is one destination only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>", range(min = 0, max = 100))]
    pub weight: Option<u32>,
}

/// A service, or a subset of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// The service's host.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// A subset that the service's `DestinationRule` defines. Absent: the whole service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub subset: Option<String>,
    /// The service's port. Absent: the port that the request came for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<PortSelector>,
}

/// A port, by its number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortSelector {
    /// The service's port, not its endpoints'.
    #[schemars(with = "i32", range(min = 1, max = 65_535))]
    pub number: u16,
}

/// Addition: which requests are copied, or a share of them: `all` (as when absent), or `writes`, those that change data;
/// refused where the protocol does not tell them from others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MirrorRequests {
    /// Whatever they do.
    #[default]
    All,
    /// Those that change data.
    Writes,
}

/// A percentage with fractions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = crate::rules::PERCENT))]
pub struct Percent {
    /// More than 0, at most 100; as fine as 0.0001.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub value: f64,
}

/// A key and the value that it is set to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyValue {
    /// Not empty.
    #[schemars(length(min = 1, max = 256))]
    pub key: String,
    /// Not empty.
    #[schemars(length(min = 1, max = 16_384))]
    pub value: String,
}
