//! The conditions of a route.
//!
//! Regular expressions are compiled here only to see that they can be, with the syntax and the limits of the proxy; the
//! proxy has the last word.

use std::collections::BTreeMap;

use crds::rules::{EMPTY_REGEX, TWO_CONDITIONS};
use crds::{AttributeMatch, MetaRouterSpec, RouteMatch, ValueMatch};
use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::syntax;

use super::model::{AttributeMatcher, Matcher, ValueMatcher};
use super::report::Report;
use crate::object::Object;
use crate::tree::FieldPath;

/// Bytes that a regular expression may have as text: the proxy's limit, as the two below.
pub const REGEX_LENGTH_LIMIT: usize = 4096;

/// Groups and repetitions inside each other that a regular expression may have.
pub const REGEX_NEST_LIMIT: u32 = 64;

/// Bytes that a compiled regular expression may take.
pub const REGEX_SIZE_LIMIT: usize = 256 << 10;

/// The conditions of a route, whose `match` stands at `path`; `None` where one of them cannot be read.
pub(crate) fn read(
    object: &Object<MetaRouterSpec>,
    from: Option<&RouteMatch>,
    path: &FieldPath,
    report: &mut Report,
) -> Option<Vec<AttributeMatcher>> {
    let path = path.field("attributes");
    let mut conditions = Vec::new();
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    let mut is_sound = true;
    for (name, condition) in from.into_iter().flat_map(|from| &from.attributes) {
        let at = path.field(name);
        let problem = if name.is_empty() {
            Some("an attribute must have a name".to_owned())
        } else {
            names.insert(name.to_ascii_lowercase(), name).map(|first| {
                format!(
                    "is the same attribute as {first}: names are compared without regard to case; remove one"
                )
            })
        };
        match problem.map_or_else(|| matcher(condition), |problem| Err((None, problem))) {
            Ok(matcher) => conditions.push(AttributeMatcher { name: name.clone(), matcher }),
            Err((field, message)) => {
                is_sound = false;
                report.error(object, &field.map_or(at.clone(), |field| field.under(&at)), message);
            }
        }
    }
    is_sound.then_some(conditions)
}

/// Where in a condition a mistake is.
#[derive(Debug, Clone, Copy)]
enum Place {
    Regex,
    Not,
    RegexOfNot,
}

impl Place {
    fn under(self, path: &FieldPath) -> FieldPath {
        match self {
            Self::Regex => path.field("regex"),
            Self::Not => path.field("not"),
            Self::RegexOfNot => path.field("not").field("regex"),
        }
    }
}

fn matcher(condition: &AttributeMatch) -> Result<Matcher, (Option<Place>, String)> {
    let AttributeMatch { exact, prefix, regex, present, not } = condition.clone();
    let own = ValueMatch { exact, prefix, regex, present };
    let Some(not) = not else {
        return value(own)
            .map(Matcher::Is)
            .map_err(|(in_regex, message)| (in_regex.then_some(Place::Regex), message));
    };
    if own != ValueMatch::default() {
        return Err((None, format!("{TWO_CONDITIONS}; this has {} and not", set(&own).join(" and "))));
    }
    let place = |in_regex| Some(if in_regex { Place::RegexOfNot } else { Place::Not });
    value(not).map(Matcher::Not).map_err(|(in_regex, message)| (place(in_regex), message))
}

/// The condition on a value; or whether the mistake is in its regex, and what it is.
fn value(condition: ValueMatch) -> Result<ValueMatcher, (bool, String)> {
    let fields = set(&condition);
    if fields.len() > 1 {
        return Err((false, format!("{TWO_CONDITIONS}; this has {}", fields.join(" and "))));
    }
    if let Some(regex) = condition.regex {
        return compile(&regex).map(|()| ValueMatcher::Regex(regex)).map_err(|message| (true, message));
    }
    Ok(match (condition.exact, condition.prefix, condition.present) {
        (Some(exact), _, _) if !exact.is_empty() => ValueMatcher::Exact(exact),
        (_, Some(prefix), _) if !prefix.is_empty() => ValueMatcher::Prefix(prefix),
        (_, _, Some(present)) => ValueMatcher::Present(present),
        // `{}`, and an empty text, which every value begins with, ask only that there is one (decisions 6).
        _ => ValueMatcher::Present(true),
    })
}

fn set(condition: &ValueMatch) -> Vec<&'static str> {
    let fields = [
        ("exact", condition.exact.is_some()),
        ("prefix", condition.prefix.is_some()),
        ("regex", condition.regex.is_some()),
        ("present", condition.present.is_some()),
    ];
    fields.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
}

fn compile(regex: &str) -> Result<(), String> {
    if regex.is_empty() {
        return Err(EMPTY_REGEX.to_owned());
    }
    if regex.len() > REGEX_LENGTH_LIMIT {
        return Err(format!("is {} bytes long; at most {REGEX_LENGTH_LIMIT} are allowed", regex.len()));
    }
    let syntax = syntax::Config::new().utf8(false).nest_limit(REGEX_NEST_LIMIT);
    syntax::parse_with(regex, &syntax).map_err(|error| {
        let text = error.to_string();
        let detail = text.rsplit_once("error: ").map_or(text.as_str(), |(_, last)| last).trim();
        let advice = if regex.starts_with('*') { "; `.*` is any text, and `{}` any value" } else { "" };
        format!("{regex:?} is not a regular expression: {detail}{advice}")
    })?;
    // The proxy's classes such as `\w` are of ASCII. With all classes so, the size is never more than what the proxy
    // measures: what is refused here would be refused there.
    let Ok(smallest) = syntax::parse_with(regex, &syntax.unicode(false)) else { return Ok(()) };
    let config = meta::Config::new()
        .utf8_empty(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(REGEX_SIZE_LIMIT));
    match meta::Builder::new().configure(config).build_from_hir(&smallest) {
        Err(error) if error.size_limit().is_some() => {
            Err(format!("{regex:?} is too large: compiled it takes more than {} KiB", REGEX_SIZE_LIMIT >> 10))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(json: &serde_json::Value) -> Result<Matcher, String> {
        matcher(&serde_json::from_value(json.clone()).unwrap()).map_err(|(_, message)| message)
    }

    #[test]
    fn conditions_mean_what_they_say() {
        use serde_json::json;
        let is = Matcher::Is;
        let not = Matcher::Not;
        let rows = [
            (json!({}), is(ValueMatcher::Present(true))),
            (json!({ "exact": "" }), is(ValueMatcher::Present(true))),
            (json!({ "prefix": "" }), is(ValueMatcher::Present(true))),
            (json!({ "present": false }), is(ValueMatcher::Present(false))),
            (json!({ "exact": "a" }), is(ValueMatcher::Exact("a".into()))),
            (json!({ "prefix": "a" }), is(ValueMatcher::Prefix("a".into()))),
            (json!({ "regex": "a|b" }), is(ValueMatcher::Regex("a|b".into()))),
            (json!({ "not": {} }), not(ValueMatcher::Present(true))),
            (json!({ "not": { "exact": "a" } }), not(ValueMatcher::Exact("a".into()))),
            (json!({ "not": { "prefix": "a" } }), not(ValueMatcher::Prefix("a".into()))),
            (json!({ "not": { "regex": "a|b" } }), not(ValueMatcher::Regex("a|b".into()))),
            (json!({ "not": { "present": false } }), not(ValueMatcher::Present(false))),
        ];
        for (json, expected) in rows {
            assert_eq!(condition(&json), Ok(expected), "{json}");
        }
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        use serde_json::json;
        let rows = [
            (
                json!({ "exact": "a", "regex": "b" }),
                "a condition holds one of exact, prefix, regex, present and not; this has exact and regex",
            ),
            (
                json!({ "exact": "a", "not": {} }),
                "a condition holds one of exact, prefix, regex, present and not; this has exact and not",
            ),
            (
                json!({ "not": { "prefix": "a", "present": true } }),
                "a condition holds one of exact, prefix, regex, present and not; this has prefix and present",
            ),
            (json!({ "regex": "" }), "must not be empty; `{}` asks only that the attribute is there"),
            (json!({ "regex": "(a" }), r#""(a" is not a regular expression: unclosed group"#),
            (json!({ "regex": "a)|(b" }), r#""a)|(b" is not a regular expression: unopened group"#),
            (
                json!({ "regex": "*" }),
                r#""*" is not a regular expression: repetition operator missing expression; `.*` is any text, and `{}` any value"#,
            ),
            (
                json!({ "regex": "(?:a{1000}){1000}" }),
                r#""(?:a{1000}){1000}" is too large: compiled it takes more than 256 KiB"#,
            ),
        ];
        for (json, expected) in rows {
            assert_eq!(condition(&json), Err(expected.to_owned()), "{json}");
        }
    }
}
