//! The kinds of `networking.istio.io` (v1, v1beta1 and v1alpha3 alike), as far as the controller uses them.
//!
//! What stands here works. A field that an object has and that does not stand here is not served, and the controller
//! says so by comparing the object with the definition. The definitions themselves are Istio's.

mod destination_rule;
mod service_entry;
mod workload_entry;

pub use destination_rule::{
    ClientTls, ConnectionPool, ConsistentHash, DestinationRule, DestinationRuleSpec, HttpSettings,
    LoadBalancer, Maglev, OutlierDetection, RingHash, Subset, TcpSettings, TrafficPolicy,
};
pub use service_entry::{Labels, ServiceEntry, ServiceEntrySpec, ServicePort, WorkloadSelector};
pub use workload_entry::{WorkloadEntry, WorkloadEntrySpec};

/// API group of these kinds.
pub const GROUP: &str = "networking.istio.io";

/// The versions of these kinds that are read; they do not differ in what is used here.
pub const VERSIONS: &[&str] = &["v1", "v1beta1", "v1alpha3"];
