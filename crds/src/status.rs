//! What the controller writes back to an object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Status of an object of ours, in the style of the Gateway API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The generation of the object that `conditions` speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One per type: `Accepted`, `ResolvedRefs`, `Programmed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// What each replica of the controller knows of its own proxies. `conditions` are made of their sum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub replicas: Vec<ReplicaStatus>,
}

/// What one replica of the controller knows of its own proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaStatus {
    /// The replica's name, such as that of its pod.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The generation of the object that the counts speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Proxies that are connected to it and want what the object says.
    #[schemars(with = "i64", range(min = 0, max = 4_294_967_295_u32))]
    pub proxies: u32,
    /// How many of them have it in force.
    #[schemars(with = "i64", range(min = 0, max = 4_294_967_295_u32))]
    pub programmed: u32,
    /// What one of them said as it refused; empty: none has.
    #[schemars(length(max = 1024))]
    pub refused: String,
}
