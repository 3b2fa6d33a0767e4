//! Scenarios on a real API server: kube-apiserver and etcd.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here fails its test")]

mod shop;
mod definitions;
mod serving;
mod status;
mod faults;
mod chart;
mod images;
mod rights;
mod replicas;
