//! The data plane: a generic layer 7 proxy over the `Codec` trait.
//!
//! Modules are listed in the order in which a request meets them; each uses only those below it (a test checks it).

pub mod command;
pub mod app;
pub mod bootstrap;
pub mod admin;
pub mod xds;
pub mod downstream;
pub mod serve;
pub mod snapshot;
pub mod rate_limit;
pub mod route;
pub mod upstream;
pub mod exchange;
pub mod tls;
pub mod wire;
pub mod local;
pub mod telemetry;
pub mod error;
pub mod model;
