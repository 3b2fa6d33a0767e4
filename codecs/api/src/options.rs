//! What users set for a codec, before the codec has looked at it.
//!
//! Options come from `ApplicationProtocol.spec.options` and its overrides in a `MetaRouter`. The control plane carries
//! them unread; [`Protocol::configure`](crate::Protocol::configure) checks them.

use std::collections::BTreeMap;
use std::fmt;

/// Options by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Options(pub BTreeMap<String, OptionValue>);

/// One option's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OptionValue {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction, as text, since equality of floats is not equality.
    Decimal(String),
    /// Text.
    Text(String),
    /// Several values.
    List(Vec<OptionValue>),
    /// Values by name.
    Map(BTreeMap<String, OptionValue>),
}

/// A mistake in the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionError {
    /// Path of the option, such as `maxMessageBytes`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl Options {
    /// Refuses every option that is not in `known`.
    pub fn only(&self, known: &[&str]) -> Result<(), Vec<OptionError>> {
        let unknown = |name: &&String| !known.contains(&name.as_str());
        let errors: Vec<_> = self.0.keys().filter(unknown).map(|name| Self::unknown(name, known)).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn unknown(name: &str, known: &[&str]) -> OptionError {
        let message = match known {
            [] => "unknown option: this codec has none".to_owned(),
            _ => format!("unknown option; known are {}", known.join(", ")),
        };
        OptionError { path: name.to_owned(), message }
    }

    /// The whole number `name` in `range`, or `default` where it is not set.
    pub fn integer(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<i64>,
        default: i64,
    ) -> Result<i64, OptionError> {
        match self.0.get(name) {
            None => Ok(default),
            Some(OptionValue::Integer(value)) if range.contains(value) => Ok(*value),
            Some(other) => Err(OptionError {
                path: name.to_owned(),
                message: format!("{other} is not a whole number from {} to {}", range.start(), range.end()),
            }),
        }
    }

    /// The switch `name`, or `default` where it is not set.
    pub fn bool(&self, name: &str, default: bool) -> Result<bool, OptionError> {
        match self.0.get(name) {
            None => Ok(default),
            Some(OptionValue::Bool(value)) => Ok(*value),
            Some(other) => Err(OptionError {
                path: name.to_owned(),
                message: format!("{other} is neither true nor false"),
            }),
        }
    }
}

impl fmt::Display for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Decimal(value) => f.write_str(value),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::List(values) => write!(f, "a list of {}", values.len()),
            Self::Map(values) => write!(f, "a map of {}", values.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_names_its_option_and_what_would_be_right() {
        let options = Options(BTreeMap::from([
            ("limit".to_owned(), OptionValue::Integer(0)),
            ("colour".to_owned(), OptionValue::Text("red".to_owned())),
        ]));
        let unknown = options.only(&["limit"]).unwrap_err();
        assert_eq!(unknown[0].to_string(), "colour: unknown option; known are limit");
        let range = options.integer("limit", 1..=9, 5).unwrap_err();
        assert_eq!(range.to_string(), "limit: 0 is not a whole number from 1 to 9");
        assert_eq!(options.integer("other", 1..=9, 5), Ok(5));
    }
}
