//! The rate limits of a `MetaRouter`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AttributeMatch, RouteMatch};

/// Limits that each proxy keeps by itself, for each port of the host. At least one of its fields is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = crate::rules::LOCAL_RATE_LIMIT))]
pub struct LocalRateLimit {
    /// For requests that no condition matches. Absent: those are not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_bucket: Option<TokenBucket>,
    /// The first condition that matches decides which bucket a request takes its token from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub conditions: Vec<ConditionalBucket>,
}

/// A bucket for the requests that match.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConditionalBucket {
    /// Which requests. `{}`: all.
    #[serde(rename = "match")]
    pub matches: RouteMatch,
    /// Their bucket.
    pub token_bucket: TokenBucket,
}

/// A bucket that is full at first and gets `tokensPerFill` more every `fillInterval`, never above `maxTokens`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenBucket {
    /// Capacity, in requests.
    #[schemars(with = "i64", range(min = 1, max = 4_294_967_295_u32))]
    pub max_tokens: u32,
    /// Tokens added each time. Absent: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>", range(min = 1, max = 4_294_967_295_u32), extend("default" = 1))]
    pub tokens_per_fill: Option<u32>,
    /// Time between fills, such as `1s`: from `50ms` to 30 days.
    #[schemars(length(min = 2, max = 32), extend("x-kubernetes-validations" = crate::rules::DURATION))]
    pub fill_interval: String,
}

/// Limits that a rate limit service keeps for all proxies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GlobalRateLimit {
    /// Which requests are limited. Absent: all.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<RouteMatch>,
    /// Name space of the descriptors at the service.
    #[schemars(length(min = 1, max = 253))]
    pub domain: String,
    /// Time that the service has for its answer, such as `20ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("x-kubernetes-validations" = crate::rules::DURATION))]
    pub request_timeout: Option<String>,
    /// Refuse requests while the service does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny_on_fail: Option<bool>,
    /// Cluster of the service, such as `outbound|8081||limits.infra.svc.cluster.local`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub rate_limit_service: Option<String>,
    /// What of a request the service is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub descriptors: Vec<RateLimitDescriptor>,
}

/// One attribute of a request, under the key that the service knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimitDescriptor {
    /// Name of the attribute.
    #[schemars(length(min = 1, max = 256))]
    pub property: String,
    /// Key of the descriptor's entry.
    #[schemars(length(min = 1, max = 256))]
    pub descriptor_key: String,
}

/// Attributes by name.
pub(crate) type Attributes = BTreeMap<String, AttributeMatch>;
