//! One condition on one attribute, compiled.

use codec_api::{Attribute, Key};

use crate::route::Attributes;
use crate::route::regex::{Regex, matches};

/// A condition on one of a table's wanted attributes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Condition {
    /// Index among the wanted attributes.
    pub(crate) attribute: u32,
    /// Whether it holds where `test` does not.
    pub(crate) negated: bool,
    /// What is tested.
    pub(crate) test: Test,
}

/// A test of a value that may be missing. A missing one fails all but `Present(false)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    /// Equal, byte for byte.
    Exact(Box<[u8]>),
    /// Begins with this.
    Prefix(Box<[u8]>),
    /// Matches the expression at this place of the scope.
    Regex(u32),
    /// There is a value, or there is none.
    Present(bool),
}

/// What the numbers in conditions mean.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The wanted attributes.
    pub(crate) wanted: &'a [Attribute],
    /// The expressions.
    pub(crate) regexes: &'a [Regex],
}

impl Test {
    #[inline]
    fn holds(&self, value: Option<&[u8]>, regexes: &[Regex]) -> bool {
        let Some(value) = value else { return *self == Self::Present(false) };
        match self {
            Self::Exact(expected) => **expected == *value,
            Self::Prefix(prefix) => value.starts_with(prefix),
            Self::Regex(place) => matches(&regexes[*place as usize], value),
            Self::Present(expected) => *expected,
        }
    }
}

impl Condition {
    /// Whether it holds of a request with these attributes.
    #[inline]
    pub(crate) fn holds<A: Attributes + ?Sized>(&self, scope: Scope<'_>, attributes: &mut A) -> bool {
        let index = self.attribute as usize;
        self.test.holds(attributes.get(index, &scope.wanted[index]), scope.regexes) != self.negated
    }

    /// Whether its attribute costs a walk over the message.
    pub(crate) fn is_late(&self, wanted: &[Attribute]) -> bool {
        wanted[self.attribute as usize].key() == Key::Late
    }

    /// The value that its attribute must be equal to, if that is what it says.
    pub(crate) fn exact(&self) -> Option<&[u8]> {
        match &self.test {
            Test::Exact(value) if !self.negated => Some(value),
            _ => None,
        }
    }

    /// Its place among the conditions of a route: the cheap ones first, those that cost a walk last.
    pub(crate) fn cost(&self, wanted: &[Attribute]) -> (bool, bool) {
        (self.is_late(wanted), matches!(self.test, Test::Regex(_)))
    }
}
