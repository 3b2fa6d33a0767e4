//! The control plane: `MetaRouter` and its company become xDS resources.
//!
//! Objects come from a [`source`], [`translate`] turns the whole set into resources and diagnostics without any I/O,
//! [`snapshot`] keeps the last good version of each object and finds what changed, [`ads`] tells it to the proxies of
//! other processes, and [`app`] joins all of it, or feeds a proxy in the same process.
//! Nothing here knows a codec or the proxy: what only they can judge, they refuse by name, and the refusal is traced
//! back to the object that it came from. Modules stand in reading order; each uses only those below it.

pub mod command;
pub mod app;
pub mod ads;
pub mod snapshot;
pub mod source;
pub mod translate;
pub mod status;
pub mod object;
mod schema;
pub mod tree;
mod nearest;
pub mod error;

pub use app::{Controller, Following, Loaded, Options, Running};
pub use error::Error;
pub use status::{Diagnostic, Refusal, Severity, Status};
