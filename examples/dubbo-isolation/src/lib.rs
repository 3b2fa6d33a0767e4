//! Batch traffic is kept from hurting user traffic, shown by a running example.
//!
//! Providers with few workers, a steady stream of user calls, and batch jobs that fill every queue: first user
//! traffic alone, then both without a rule, then both with a `MetaRouter` that is put in place while traffic runs.
//! Modules stand in reading order; each uses only those below it.

pub mod demo;
pub mod chart;
pub mod report;
pub mod experiment;
pub mod config;
pub mod marking;
pub mod crowd;
