//! The discovery service over loopback, asked by a probe that knows nothing but the protocol.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

#[path = "../support/mod.rs"]
mod support;
mod places;
mod probe;
mod service;
mod tls;
