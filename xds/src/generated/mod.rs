//! Code generated from `proto/` by the test `generated_code_is_current` (`UPDATE=1 cargo test -p xds` rewrites it).
//!
//! Committed so that a build needs no protocol compiler; never edited by hand.

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
#[rustfmt::skip]
#[path = "metaproxy.v1.rs"]
pub mod metaproxy_v1;
