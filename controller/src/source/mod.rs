//! Where objects come from: a folder, or an API server.
//!
//! A source hands over all of its objects, or, if it knows, those that have changed. It also takes the status of its
//! objects back, and shows it as its users expect.

pub mod kubernetes;
pub mod folder;
pub(crate) mod document;
mod yaml;

use std::future::Future;

use crate::object::{AnyObject, Broken, Key};
use crate::status::{Diagnostic, Status};

/// Objects at a time.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// What becomes of the objects that it does not name.
    pub extent: Extent,
    /// Those that can be read, each key once.
    pub objects: Vec<AnyObject>,
    /// Objects that exist, but cannot be read as they are now.
    pub broken: Vec<Broken>,
    /// What there is to say about reading them.
    pub diagnostics: Vec<Diagnostic>,
}

/// What becomes of the objects that a batch does not name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Extent {
    /// The batch is all that there is: others were deleted.
    #[default]
    Whole,
    /// The batch holds what has changed since the one before, and what there is to say about that: others are as they
    /// were, but for these.
    Changes {
        /// They were deleted.
        gone: Vec<Key>,
    },
}

/// A source of objects.
///
/// - The first batch comes as soon as everything was read once; a later one whenever something changed.
/// - The first batch is whole. A source that lost sight of its objects waits: it never hands over a part of them as if
///   it were the whole, and says of none that it is gone.
/// - `next` may be dropped and called again without losing a batch.
pub trait Source: Send {
    /// The next batch; `None` when there will be none.
    fn next(&mut self) -> impl Future<Output = Option<Batch>> + Send;

    /// Takes what there is to say about the objects of a batch: of the last one, or of one not long before.
    fn report(&mut self, status: &Status);
}
