//! A worker on a paused clock, with clients and endpoints on pipes: the actors of this crate's tests.
//!
//! The protocol is a small one of our own, so that these tests also show what a codec needs: a length (4 bytes, of what
//! follows), a kind, a status, an id (8 bytes), a method (1 byte of length, then the name) and a payload. What a message
//! asks of the way that it takes is said by words in its method.

#![allow(dead_code, unused_imports, missing_docs, clippy::unwrap_used)] // each test binary uses its part of the cast

mod actor;
mod part;
mod tiny;
mod words;
mod world;

pub use actor::Actor;
pub use part::{Manner, Part};
pub use tiny::{Frame, walks};
pub use world::{Behaviour, World, endpoint_address, run};
