//! The control plane: `MetaRouter` and its company become xDS resources.
//!
//! Objects come from a [`source`], [`translate`] turns the whole set into resources and diagnostics without any I/O,
//! [`snapshot`] keeps the last good version of each object and finds what changed, and [`app`] sends that to a proxy.
//! Nothing here knows a codec or the proxy: what only they can judge, they refuse by name, and the refusal is traced
//! back to the object that it came from. Modules stand in reading order; each uses only those below it.

pub mod app;
pub mod snapshot;
pub mod source;
pub mod translate;
pub mod status;
pub mod object;
mod schema;
pub mod tree;
mod nearest;
pub mod error;

pub use app::{Controller, Loaded, Options, Running};
pub use error::Error;
pub use status::{Diagnostic, Refusal, Severity, Status};
