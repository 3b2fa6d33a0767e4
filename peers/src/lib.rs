//! Dubbo, Thrift and Redis clients and servers for tests, demos and measurements, written apart from the codecs they
//! check.
//!
//! Nothing here shares a line with the proxy or its codecs: what these peers send and accept is a second reading
//! of the protocol, so that a mistake in one of the two shows as a failed test. Modules stand in reading order,
//! each uses only those below it. Every wait has a bound, every queue a limit, every address is a loopback one
//! with a port that the kernel picked.

pub mod redis;
pub mod thrift;
pub mod dubbo;
pub mod load;
pub mod process;
pub mod tls;
pub mod socket;
