//! Why a request takes the route that it takes, in words.

use std::fmt;

/// Characters of an actual value that are shown.
const SHOWN: usize = 200;

/// The routes, or conditions of a rate limit, that were tried for a request, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Up to the chosen route, or all.
    pub tried: Vec<Tried>,
    /// Index of the chosen route.
    pub chosen: Option<usize>,
}

/// A route that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its index.
    pub route: usize,
    /// Its name; may be empty.
    pub name: String,
    /// The first condition that does not hold; `None`: all hold, and the route is chosen.
    pub failed: Option<Failed>,
}

/// A condition that does not hold. Conditions are tried in the order of their cost: fields of the head first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Name of the attribute, as the route spells it.
    pub attribute: String,
    /// The attribute's value, with replacement characters for what is not UTF-8; `None`: it is missing.
    pub actual: Option<String>,
    /// What was demanded, such as `exact "get"` or `not prefix "internal."`.
    pub expected: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for tried in &self.tried {
            writeln!(f, "{tried}")?;
        }
        match self.chosen {
            Some(_) => Ok(()),
            None => writeln!(f, "no route matches"),
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "routes[{}]", self.route)?;
        if !self.name.is_empty() {
            write!(f, " {:?}", self.name)?;
        }
        match &self.failed {
            Some(failed) => write!(f, ": {failed}"),
            None => f.write_str(": matches"),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.actual {
            None => write!(f, "{} is missing", self.attribute)?,
            Some(value) => match value.char_indices().nth(SHOWN) {
                Some((end, _)) => write!(f, "{} is {:?}…", self.attribute, &value[..end])?,
                None => write!(f, "{} is {value:?}", self.attribute)?,
            },
        }
        write!(f, ", needs {}", self.expected)
    }
}
