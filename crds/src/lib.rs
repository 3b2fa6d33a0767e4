//! Kubernetes kinds as Rust types, and the custom resource definitions made from them.
//!
//! [`MetaRouter`] and [`ApplicationProtocol`] are ours: field for field what users of Aeraki have written, and a few
//! additions, each marked "Addition" in its documentation. The kinds of Istio stand here as far as the controller uses
//! them; their definitions belong to Istio and are never written by us. Nothing here decides what an object means:
//! that is the controller's `translate`. Types accept unknown fields, as an API server's client must; who wants to be
//! strict compares the object with [`Definition::schema`].

mod application_protocol;
mod definition;
pub mod istio;
pub mod kubernetes;
mod meta_router;
mod rate_limit;
pub mod rules;
mod schema;
mod status;

pub use application_protocol::{ApplicationProtocol, ApplicationProtocolSpec};
pub use definition::{Definition, definitions};
pub use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
pub use k8s_openapi::jiff::Timestamp;
pub use meta_router::{
    AttributeMatch, CodecOptions, Destination, HealthCheck, KeyValue, MetaRouter, MetaRouterSpec,
    MirrorRequests, Percent, PortSelector, Retries, Route, RouteDestination, RouteMatch, ServerTls,
    ServerTlsMode, TlsProtocol, ValueMatch,
};
pub use rate_limit::{ConditionalBucket, GlobalRateLimit, LocalRateLimit, RateLimitDescriptor, TokenBucket};
pub use status::{ReplicaStatus, Status};

/// API group of the kinds that are ours.
pub const GROUP: &str = "metaprotocol.aeraki.io";

/// The one version of the kinds that are ours.
pub const VERSION: &str = "v1alpha1";

/// A free-form object: what a codec's options are to everyone but the codec.
pub type FreeForm = serde_json::Map<String, serde_json::Value>;
