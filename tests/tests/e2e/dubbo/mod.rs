//! Real Dubbo on both sides of `metactl`: Apache Dubbo 3.3, 2.7 and 2.6, and dubbo-go.

mod java;
mod matrix;
mod restart;
mod refusals;
mod opaque;
mod quiet;
