//! Where objects come from: a folder, or an API server.
//!
//! A source hands over whole sets of objects, never changes: what changed is found once, after translation. It also
//! takes the status of its objects back, and shows it as its users expect.

pub mod kubernetes;
pub mod folder;
mod document;
mod yaml;

use std::future::Future;

use crate::object::{AnyObject, Key, Unread};
use crate::status::{Diagnostic, Status};

/// A whole set of objects at a time.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// All that can be read, each key once.
    pub objects: Vec<AnyObject>,
    /// Objects that exist, but cannot be read as they are now.
    pub broken: Vec<Key>,
    /// Those of them that ask for encryption.
    pub unread: Vec<Unread>,
    /// What there is to say about reading them.
    pub diagnostics: Vec<Diagnostic>,
}

/// A source of objects.
///
/// - The first batch comes as soon as everything was read once; a later one whenever something changed.
/// - A batch is whole: an object that is neither in `objects` nor in `broken` was deleted. A source that lost sight of
///   its objects waits; it never hands over a part of them.
/// - `next` may be dropped and called again without losing a batch.
pub trait Source: Send {
    /// The next batch; `None` when there will be none.
    fn next(&mut self) -> impl Future<Output = Option<Batch>> + Send;

    /// Takes what there is to say about the objects of the last batch.
    fn report(&mut self, status: &Status);
}
