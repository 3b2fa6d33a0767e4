//! `ApplicationProtocol`: the name of a protocol, the codec that speaks it, and the codec's options.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FreeForm, Status};

/// Registers a protocol, so that service ports can name it: `tcp-metaprotocol-<protocol>[-suffix]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "metaprotocol.aeraki.io",
    version = "v1alpha1",
    kind = "ApplicationProtocol",
    plural = "applicationprotocols",
    shortname = "ap",
    category = "aeraki-io",
    category = "metaprotocol-aeraki-io",
    status = "Status",
    derive = "PartialEq",
    doc = "Registers a protocol: its name in port names, the codec that speaks it, and the codec's options.",
    printcolumn(name = "Protocol", type_ = "string", json_path = ".spec.protocol"),
    printcolumn(name = "Codec", type_ = "string", json_path = ".spec.codec"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::duplicated_attributes, reason = "each column of kube's derive has the same keys")]
pub struct ApplicationProtocolSpec {
    /// The protocol's name in port names, compared without regard to ASCII case. It may contain `-`.
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = crate::rules::PROTOCOL_NAME))]
    pub protocol: String,
    /// Name of the codec, such as `aeraki.meta_protocol.codec.dubbo` or `dubbo`. Absent: the codec that is named as
    /// the protocol is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub codec: Option<String>,
    /// Addition: options of the codec, on both sides of the proxy. The codec says which there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::free_form")]
    pub options: Option<FreeForm>,
}
