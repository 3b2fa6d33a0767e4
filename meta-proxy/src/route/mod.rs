//! Which route a request takes.
//!
//! A [`Table`] is compiled from one ordered list of routes. It answers exactly as the list would, read from its top:
//! the first route whose conditions all hold is taken. What it adds is speed: exact conditions are looked up, not
//! tried one by one, regular expressions are compiled once, and attributes that are costly to find are asked for only
//! when a route that needs them has been reached. It knows neither clusters nor how a request is carried out.

mod explain;
mod matcher;
mod regex;
mod selector;
mod table;
#[cfg(test)]
mod tests;

pub use explain::{Explanation, Failed, Near, Tried};
pub use regex::{
    REGEX_CACHE_LIMIT, REGEX_LENGTH_LIMIT, REGEX_NEST_LIMIT, REGEX_SIZE_LIMIT, REGEX_TOTAL_LIMIT,
    REGEX_VALUE_LIMIT, RegexError, Regexes,
};
pub use table::{NEAREST_LIMIT, TRIED_LIMIT, Table};

use codec_api::Attribute;

/// The attributes of one request, as a [`Table`] asks for them.
pub trait Attributes {
    /// The value of [`Table::wanted`]`()[index]`, which is `attribute`; `None`: the request has no such attribute.
    ///
    /// May be called again for the same attribute. [Late](codec_api::Key::Late) attributes are asked for only once a
    /// route that needs them has been reached, so the first such call is the time to look for all of them.
    fn get(&mut self, index: usize, attribute: &Attribute) -> Option<&[u8]>;
}
