//! The kinds of Kubernetes itself, as far as the controller uses them: services and where their endpoints are.
//!
//! An API server has checked them, and fills in much that is of no concern here; so unknown fields are passed over.

use serde::{Deserialize, Deserializer, Serialize};

use crate::istio::Labels;

/// The label of an `EndpointSlice` that names its `Service`.
pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// The label of a `Node`, and of endpoints, that names the zone.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

/// What a `Service` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    /// `ClusterIP` where absent. `ExternalName` has no addresses and no endpoints of its own.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The address that clients connect to; `None` as a text for a headless service.
    #[serde(rename = "clusterIP", skip_serializing_if = "Option::is_none")]
    pub cluster_ip: Option<String>,
    /// The same for each family of addresses.
    #[serde(rename = "clusterIPs", deserialize_with = "null_is_default")]
    pub cluster_ips: Vec<String>,
    /// The families, the first one first.
    #[serde(deserialize_with = "null_is_default")]
    pub ip_families: Vec<String>,
    /// The name that an `ExternalName` stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_name: Option<String>,
    /// Its ports.
    #[serde(deserialize_with = "null_is_default")]
    pub ports: Vec<ServicePort>,
    /// What no service says, and who reads it must add: its name in the cluster.
    #[serde(skip)]
    pub host: String,
}

/// A port of a `Service`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort {
    /// Names the protocol, as `tcp-metaprotocol-<protocol>[-suffix]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Names the protocol, as `metaprotocol/<protocol>`; comes before the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
    /// `TCP` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Clients connect to this port.
    pub port: u16,
}

/// What an `EndpointSlice` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointSliceSpec {
    /// `IPv4`, `IPv6` or `FQDN`.
    pub address_type: String,
    /// The endpoints.
    #[serde(deserialize_with = "null_is_default")]
    pub endpoints: Vec<SliceEndpoint>,
    /// Their ports, by the names of the service's.
    #[serde(deserialize_with = "null_is_default")]
    pub ports: Vec<SlicePort>,
}

/// An endpoint in a slice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SliceEndpoint {
    /// All are of the same endpoint; the first is used.
    #[serde(deserialize_with = "null_is_default")]
    pub addresses: Vec<String>,
    /// Whether it serves.
    #[serde(deserialize_with = "null_is_default")]
    pub conditions: EndpointConditions,
    /// The object that it is made of, a `Pod` nearly always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<TargetRef>,
    /// Where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// The zone of that place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What no slice says, and who reads it must find out: the labels of its pod, and its zone under [`ZONE_LABEL`].
    #[serde(skip)]
    pub labels: Labels,
}

/// Whether an endpoint serves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointConditions {
    /// Absent counts as true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// The same while it terminates. Absent: as `ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<bool>,
    /// It will be gone soon. Absent: no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating: Option<bool>,
}

/// Names an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetRef {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A port of all endpoints in a slice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SlicePort {
    /// The name of the service's port; empty or absent for a port without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Absent: all ports, which no service of TCP means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// Go writes `null` for an empty list.
fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
