//! Attributes that a route sets in the messages that pass it.

use std::rc::Rc;

use codec_api::Edit;
use smallvec::SmallVec;

/// What a route sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// In requests: names and values.
    pub request: Vec<(String, String)>,
    /// In responses.
    pub response: Vec<(String, String)>,
}

/// The edits of an exchange; most have none.
pub type SharedEdits = Option<Rc<Edits>>;

/// Hands `list` to `use_them` in the codec's words.
#[inline]
pub(crate) fn with_edits<T>(list: &[(String, String)], use_them: impl FnOnce(&[Edit<'_>]) -> T) -> T {
    if list.is_empty() {
        return use_them(&[]);
    }
    let edits: SmallVec<[Edit<'_>; 8]> = list.iter().map(|(name, value)| Edit { name, value }).collect();
    use_them(&edits)
}
