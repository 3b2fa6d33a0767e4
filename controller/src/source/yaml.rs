//! Text to trees: the one place that knows the YAML library.
//!
//! JSON is read by the same rules, being YAML. Words such as `no` and `yes` are text, as everywhere in Kubernetes;
//! aliases, merge keys and nesting are bounded by the library's budget.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::{Error, Location, Spanned, UserMessageFormatter};

use crate::tree::{Content, Entry, Node, Position};

/// Documents in one file, at most.
const MAX_DOCUMENTS: usize = 100_000;

/// Values in one file, at most.
const MAX_NODES: usize = 2_000_000;

/// Values that stand in a file only through aliases, at most.
const MAX_ALIASED: usize = 100_000;

/// Why a text is not YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) position: Option<Position>,
    pub(crate) message: String,
}

/// All documents of a text that are not empty.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, SyntaxError> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_documents: MAX_DOCUMENTS,
            max_nodes: MAX_NODES,
            max_events: 3 * MAX_NODES,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_ALIASED },
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| SyntaxError {
        position: error.location().as_ref().and_then(position),
        message: message(&error),
    })
}

fn message(error: &Error) -> String {
    match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` stands twice in the same object; remove one")
        }
        other => {
            let text = other.render_with_options(serde_saphyr::render_options! {
                formatter: &UserMessageFormatter,
                snippets: serde_saphyr::SnippetMode::Off,
            });
            // The library ends its messages with the place, which is shown in front of them here.
            text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
        }
    }
}

fn position(location: &Location) -> Option<Position> {
    let line = u32::try_from(location.line()).unwrap_or(u32::MAX);
    let column = u32::try_from(location.column()).unwrap_or(u32::MAX);
    (line > 0).then_some(Position { line, column })
}

/// The library gives a place to everything that is read from a text.
fn place(location: &Location) -> Position {
    position(location).unwrap_or(Position { line: 1, column: 1 })
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self { position: place(&spanned.referenced), content: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Content, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number must be finite"))?;
        Ok(Content::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        let mut map: Vec<Entry> = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            if key.value.len() > u16::MAX as usize {
                return Err(A::Error::custom("a key is longer than 64 KiB"));
            }
            let value = entries.next_value()?;
            map.push(Entry { key: key.value, position: place(&key.referenced), value });
        }
        Ok(Content::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_keys_keep_their_places() {
        let nodes = documents("# a comment\na: 1\nb:\n- c: no\n---\n---\nd: 0x10\n").unwrap();
        assert_eq!(nodes.len(), 2, "an empty document is none");
        let b = nodes[0].entry("b").unwrap();
        assert_eq!(b.position, Position { line: 3, column: 1 });
        let Content::List(items) = &b.value.content else { panic!("b is a list") };
        assert_eq!(items[0].get("c").unwrap().position, Position { line: 4, column: 6 });
        assert_eq!(items[0].get("c").unwrap().text(), Some("no"));
        assert_eq!(nodes[1].to_json(), serde_json::json!({ "d": 16 }));
    }

    #[test]
    fn json_is_read_as_well() {
        let nodes = documents("{\"a\":\n\t{\"b\": [true, null, -2, 1.5]}}").unwrap();
        assert_eq!(nodes[0].to_json(), serde_json::json!({ "a": { "b": [true, null, -2, 1.5] } }));
    }

    #[test]
    fn a_syntax_error_has_a_place_and_a_message() {
        let error = |text: &str| documents(text).unwrap_err();
        assert_eq!(error("a: 1\na: 2\n").position, Some(Position { line: 2, column: 1 }));
        assert_eq!(error("a: 1\na: 2\n").message, "the key `a` stands twice in the same object; remove one");
        assert_eq!(error("a:\n  - b: [1\n").position, Some(Position { line: 2, column: 8 }));
        assert_eq!(error("a:\n  - b: [1\n").message, "unclosed bracket '['");
        assert!(!error("a: *b").message.contains("line"), "{}", error("a: *b").message);
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert!(documents(&deep).is_err());
    }

    #[test]
    fn aliases_are_bounded() {
        let level = |i: usize| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(", "));
        let bomb: String = std::iter::once("a0: &a0 [x]\n".to_owned()).chain((1..40).map(level)).collect();
        assert!(documents(&bomb).is_err());
    }
}
