//! End-to-end scenarios: what they are written in.
//!
//! A scenario puts objects into a folder, starts `metactl run` on it as a user would, and speaks to it through real
//! sockets. The words here own ports, waiting and shutdown: every port is one of the kernel's choice, every wait is
//! bounded and for something that can be observed, and a warning or an error in the log of `metactl` that the scenario
//! has not announced fails it. Modules stand in reading order, each uses only those below it.

#![allow(clippy::panic, reason = "a scenario that cannot go on fails its test")]

pub mod redis;
pub mod redis_clients;
pub mod kubernetes;
pub mod mesh;
pub mod scene;
pub mod folder;
pub mod objects;
pub mod calls;
pub mod wire;
pub mod admin;
pub mod command;
pub mod dubbo;
pub mod libraries;
pub mod eventually;
