//! Redis: real servers behind `metactl`, and clients that must never notice one another.

mod example;
mod sessions;
mod rights;
mod transactions;
mod waiting;
mod held;
mod isolation;
mod restart;
mod pipelines;
mod shards;
mod routes;
mod limits;
mod clients;
mod programs;
mod rust_library;
