//! Scenarios: `metactl run` on a folder of objects, real sockets, providers and consumers on both sides.

mod routing;
mod change;
mod drain;
mod failure;
mod hostile;
mod tools;
mod java;
