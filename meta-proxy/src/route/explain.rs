//! Why a request takes the route that it takes, in words.

use std::fmt;

/// Characters of a value that are shown.
const SHOWN: usize = 200;

/// The routes, or conditions of a rate limit, that were tried for a request, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Up to the chosen route, or all; but of those before the chosen one no more than
    /// [`TRIED_LIMIT`](crate::route::TRIED_LIMIT).
    pub tried: Vec<Tried>,
    /// How many were tried besides.
    pub more: usize,
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

/// The route that comes nearest to a request which none matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// The route, and the first of its conditions that does not hold.
    pub tried: Tried,
    /// How many others of its conditions do not hold.
    pub more: usize,
}

impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tried)?;
        match self.more {
            0 => Ok(()),
            1 => f.write_str(", and 1 more condition does not hold"),
            more => write!(f, ", and {more} more conditions do not hold"),
        }
    }
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
        let failed = self.tried.iter().take_while(|tried| tried.failed.is_some());
        for tried in failed {
            writeln!(f, "{tried}")?;
        }
        if self.more > 0 {
            writeln!(f, "… and {} more that do not match", self.more)?;
        }
        if let Some(chosen) = self.tried.last().filter(|tried| tried.failed.is_none()) {
            writeln!(f, "{chosen}")?;
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

/// A value in quotes, cut off where it is too long.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.actual {
            None => write!(f, "{} is missing", self.attribute)?,
            Some(value) => write!(f, "{} is {}", self.attribute, Shown(value))?,
        }
        write!(f, ", needs {}", self.expected)
    }
}
