//! A real API server: kube-apiserver and etcd, and a namespace in it for each scenario.
//!
//! What `tests/tools/kubernetes` builds, or the folder that `KUBEBUILDER_ASSETS` names. There is no controller manager, so
//! nothing makes endpoints of services or ends a namespace: scenarios write slices and pods by hand, and never
//! use a namespace twice.

mod chart;
mod cluster;
mod gate;
mod server;

pub use chart::render;
pub use cluster::Cluster;
pub use gate::Gate;
pub use server::Server;
