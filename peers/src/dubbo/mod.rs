//! Dubbo 2 over TCP: a consumer, a provider, an echo server and a load, and the bytes that they exchange.
//!
//! Written from the protocol's public description (16-byte header, hessian2 body) and from what Apache Dubbo's own
//! consumers and providers send. Only hessian2 bodies are read; bodies in another serialization are carried as
//! bytes.

pub mod client;
pub mod provider;
pub mod echo;
pub mod workload;
pub mod reply;
pub mod call;
pub mod frame;
pub mod hessian;
pub mod malformed;

pub use call::{Call, Request};
pub use client::{Answer, Client, Outcome, Pending};
pub use frame::{Frame, Header, Notice, status};
pub use hessian::Value;
pub use malformed::Malformed;
pub use provider::{Behaviour, Counts, OnAccept, Provider, Refusing, Seen};
pub use reply::{Reply, Thrown};
pub use workload::EchoLoad;
