//! The aggregated discovery service: what the proxies of other processes are told, and what they answer.
//!
//! [`session`] decides, one per stream; [`server`](serve) moves its words over gRPC; [`Registry`] knows who is connected
//! and how far each is. Nothing is sent before the first catalogue is there, so that a restart never empties a proxy.

mod objects;
mod pages;
mod server;
mod registry;
mod identity;
mod tally;
pub mod session;
pub mod node;

pub use objects::ObjectStatus;
pub use pages::serve as serve_pages;
pub use registry::{Connected, InProcess, Proxy, Refused, Registry, TypeProgress};
pub use server::{FIRST_REQUEST_WITHIN, REQUEST_LIMIT, STREAMS_LIMIT, ServeOptions, Tls, serve};
