//! The wire contract between controller and proxy: protocol buffers, type URLs and resource names.
//!
//! Both planes depend on this crate and on nothing else of each other. It holds no logic beyond naming and carrying: what
//! a resource means is the controller's `translate` to write and the proxy's `convert` to read. The in-process link of
//! `metactl run` carries the very same [`Resource`] values as a stream between two processes would.

pub mod generated;
pub mod link;
pub mod names;
pub mod protocols;
pub mod wire;

pub use envoy_types::pb as envoy;
pub use link::{Ack, Answer, Origin, Rejection, Resource, ResourceType, Update};

/// Key of [`v1::ClusterPolicy`] in a cluster's `metadata.typed_filter_metadata`.
pub const CLUSTER_POLICY_KEY: &str = "metaproxy.v1";

/// The attribute that tells where a request comes from, whatever the protocol: the client's IP address.
pub const SOURCE_ADDRESS: &str = "source.address";

/// Our own messages, package `metaproxy.v1` (source: `proto/metaproxy/v1/proxy.proto`).
pub mod v1 {
    pub use crate::generated::metaproxy_v1::*;
}
