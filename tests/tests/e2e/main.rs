//! Scenarios: `metactl run` on a folder of objects, real sockets, providers and consumers on both sides.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here fails its test")]

mod routing;
mod attachments;
mod change;
mod drain;
mod failure;
mod limits;
mod retries;
mod health;
mod tls;
mod hostile;
mod tools;
mod mesh;
mod dubbo;
mod thrift;
mod redis;
