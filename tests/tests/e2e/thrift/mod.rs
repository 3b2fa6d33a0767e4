//! Apache Thrift on both sides of `metactl`: its own libraries in four languages, and peers that misbehave on request.

mod matrix;
mod routes;
mod ends;
mod sharing;
mod canary;
