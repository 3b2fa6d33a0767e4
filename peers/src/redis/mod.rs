//! Redis: a client, an echo server and a load, and the bytes that they exchange.
//!
//! Written from the public descriptions of RESP2 and RESP3 and from what real servers send. A reply is read with all
//! types of both versions, so that a test can compare what comes through a proxy with what comes from a server, value
//! by value or byte by byte. The server to test with is a real one (`process::RedisServer`); the echo server here is
//! for measurements.

pub mod client;
pub mod echo;
pub mod workload;
pub mod stock;
pub mod request;
pub mod reply;
pub mod length;
pub mod malformed;

pub use client::Client;
pub use malformed::Malformed;
pub use reply::Reply;
pub use request::request;
pub use workload::GetLoad;
