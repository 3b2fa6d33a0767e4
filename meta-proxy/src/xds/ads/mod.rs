//! The proxy's end of the aggregated discovery service: delta streams to one controller at a time.
//!
//! `subscriber` decides what to ask and to answer, `stream` moves it over gRPC, `file` keeps the last good resources for
//! a start without a controller, `back_off` says how long to wait. A stream that breaks changes nothing: what is in force
//! stays until a controller says otherwise.

mod back_off;
mod contact;
mod file;
mod stream;
mod subscriber;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use back_off::LONGEST_PAUSE;
pub use contact::Contact;
pub use file::STATE_LIMIT;
pub use stream::{FIRST_RESPONSE_TIME, RESPONSE_LIMIT, run};

/// How a proxy finds its controllers, and who it says it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Their addresses, `HOST:PORT`; the next one is tried when one fails.
    pub controllers: Vec<String>,
    /// Unique among the proxies.
    pub node_id: String,
    /// The namespace that the proxy stands in; empty: the controller is not told.
    pub namespace: String,
    /// What the proxy is for, such as `gateway`.
    pub role: String,
    /// The gateway of its namespace that the proxy is part of; empty: none.
    pub gateway: String,
    /// TLS, if so.
    pub tls: Option<Tls>,
    /// Where the last good resources are kept, if they are.
    pub state: Option<PathBuf>,
    /// Makes pauses repeatable; `None`: they are not.
    pub seed: Option<u64>,
}

/// Certificates, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The proxy's own, with what leads to its authority.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
    /// The authorities of controllers' certificates.
    pub authorities: Vec<u8>,
    /// The name that a controller's certificate must have, unless it is the host of its address.
    pub name: Option<String>,
}
