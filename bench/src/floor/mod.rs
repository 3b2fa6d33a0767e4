//! Yardsticks: programs of a proxy's shape that decide, count and limit nothing.
//!
//! `mux` shares one upstream connection among all clients and rewrites ids, as our proxy does; `bytes` copies bytes over
//! one upstream connection per client, as a proxy must that does not know the protocol.

pub mod bytes;
pub mod mux;
