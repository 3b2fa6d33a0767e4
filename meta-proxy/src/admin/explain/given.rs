//! The attributes of a request that somebody describes.

use codec_api::Attribute;

use crate::route::Attributes;

/// Names and values.
pub(super) struct Given<'a>(pub(super) &'a [(String, String)]);

/// The value that is given for an attribute. Names are compared regardless of ASCII case; of several, the exact one counts,
/// else the first.
pub(super) fn value<'a>(given: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let exact = given.iter().find(|(known, _)| known == name);
    let found = exact.or_else(|| given.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
    found.map(|(_, value)| value.as_str())
}

impl Attributes for Given<'_> {
    fn get(&mut self, _: usize, attribute: &Attribute) -> Option<&[u8]> {
        value(self.0, attribute.name()).map(str::as_bytes)
    }
}
