//! A document as it was written: every value with its line and column, and paths that name a value inside of it.
//!
//! Objects keep their tree, so that a mistake found long after reading (weights that do not sum up, a subset that does
//! not exist) is still shown where it stands.

use std::fmt;

use serde_json::{Map, Number};

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
}

/// Where a value stands that is in no text.
const NOWHERE: Position = Position { line: 0, column: 0 };

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the value begins.
    pub position: Position,
    /// The value.
    pub content: Content,
}

/// What a value is, once YAML has decided it.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A finite number.
    Number(Number),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order in which it is written.
    Map(Vec<Entry>),
}

/// A key of a mapping and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key begins.
    pub position: Position,
    /// The value.
    pub value: Node,
}

impl Node {
    /// A value that stands nowhere.
    pub(crate) fn of_json(value: &serde_json::Value) -> Self {
        let content = match value {
            serde_json::Value::Null => Content::Null,
            serde_json::Value::Bool(value) => Content::Bool(*value),
            serde_json::Value::Number(value) => Content::Number(value.clone()),
            serde_json::Value::String(value) => Content::Text(value.clone()),
            serde_json::Value::Array(items) => Content::List(items.iter().map(Self::of_json).collect()),
            serde_json::Value::Object(fields) => {
                let entry = |(key, value): (&String, &serde_json::Value)| Entry {
                    key: key.clone(),
                    position: NOWHERE,
                    value: Self::of_json(value),
                };
                Content::Map(fields.iter().map(entry).collect())
            }
        };
        Self { position: NOWHERE, content }
    }

    /// The value of a key, where this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of a key, where this is a mapping that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The text, where this is one.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The place to show for a field: a plain value itself, a list or mapping by its key. Where the path leads to
    /// nothing, the place of the nearest thing on its way.
    pub fn position_of(&self, path: &FieldPath) -> Position {
        self.places_of(path).1
    }

    /// The place to show for a field that should not be there: its key.
    pub fn key_position_of(&self, path: &FieldPath) -> Position {
        self.places_of(path).0
    }

    /// Of the key and of what to show for the value.
    fn places_of(&self, path: &FieldPath) -> (Position, Position) {
        let mut node = self;
        let mut places = (self.position, self.position);
        for step in &path.0 {
            match (step, &node.content) {
                (Step::Field(name), Content::Map(_)) => {
                    let Some(entry) = node.entry(name) else { return places };
                    node = &entry.value;
                    places = match node.content {
                        Content::List(_) | Content::Map(_) | Content::Null => {
                            (entry.position, entry.position)
                        }
                        _ => (entry.position, node.position),
                    };
                }
                (Step::Index(index), Content::List(items)) => {
                    let Some(item) = items.get(*index) else { return places };
                    node = item;
                    places = (item.position, item.position);
                }
                _ => return places,
            }
        }
        places
    }

    /// The value without its places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.content {
            Content::Null => serde_json::Value::Null,
            Content::Bool(value) => (*value).into(),
            Content::Number(value) => value.clone().into(),
            Content::Text(value) => value.clone().into(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Map(entries) => serde_json::Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }
}

impl Content {
    /// What to call a value of this type in a message.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

/// Names a value inside of an object, such as `spec.routes[0].route[1].weight`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath(Vec<Step>);

/// One step into an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Step {
    /// Into a mapping.
    Field(String),
    /// Into a list, counted from 0.
    Index(usize),
}

impl FieldPath {
    /// The object itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Its `spec`.
    pub fn spec() -> Self {
        Self::root().field("spec")
    }

    /// A field of what this path names.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.step(Step::Field(name.to_owned()))
    }

    /// An item of what this path names, counted from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Field(name) if is_plain(name) => {
                    if place > 0 {
                        f.write_str(".")?;
                    }
                    f.write_str(name)?;
                }
                Step::Field(name) => write!(f, "[{name:?}]")?,
            }
        }
        Ok(())
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_users_write_it() {
        let path = FieldPath::spec().field("routes").index(2).field("match").field("attributes").field("a.b");
        assert_eq!(path.to_string(), r#"spec.routes[2].match.attributes["a.b"]"#);
        assert_eq!(FieldPath::root().to_string(), "");
    }
}
