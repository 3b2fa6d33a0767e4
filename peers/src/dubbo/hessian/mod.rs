//! A small hessian2: the values that a Dubbo body is made of, a writer and a reader.
//!
//! It writes the compact forms that Java's library writes, and reads all forms of the format. References are
//! counted and kept as numbers, never followed, since tests compare bytes and shapes rather than object graphs.

mod read;
mod write;

pub use read::{MAX_DEPTH, Reader};
pub use write::Writer;

/// One hessian2 value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value; what a `void` method answers.
    Null,
    /// A boolean.
    Bool(bool),
    /// A Java `int` (also `short` and `byte`).
    Int(i32),
    /// A Java `long`.
    Long(i64),
    /// A Java `double` (also `float`).
    Double(f64),
    /// A date: milliseconds since the Unix epoch.
    Date(i64),
    /// A string.
    Text(String),
    /// A `byte[]`.
    Bytes(Vec<u8>),
    /// A list or array, with its Java class where the sender named one.
    List {
        /// Java class, such as `[java.lang.String`.
        class: Option<String>,
        /// Elements in order.
        items: Vec<Value>,
    },
    /// A map, with its Java class where the sender named one.
    Map {
        /// Java class; a POJO may travel as a map with its class.
        class: Option<String>,
        /// Entries in order.
        entries: Vec<(Value, Value)>,
    },
    /// An object with a class definition, as Java writes POJOs and exceptions.
    Object {
        /// Java class.
        class: String,
        /// Fields in the order of the definition.
        fields: Vec<(String, Value)>,
    },
    /// The n-th list, map or object of this message once more.
    Reference(usize),
    /// Bytes that the writer puts down as they stand, for messages that no honest peer sends. Never read.
    Raw(Vec<u8>),
}

impl Value {
    /// A map without a class, with texts as keys.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (Value::Text(key.into()), value)).collect();
        Value::Map { class: None, entries }
    }

    /// A POJO as an object with a class definition, the form Java writes.
    pub fn object<K: Into<String>>(class: &str, fields: impl IntoIterator<Item = (K, Value)>) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Value::Object { class: class.to_owned(), fields }
    }

    /// A POJO as a map that names its class, the form that generic calls and other languages write.
    pub fn pojo_as_map<K: Into<String>>(class: &str, fields: impl IntoIterator<Item = (K, Value)>) -> Self {
        let entries = fields.into_iter().map(|(key, value)| (Value::Text(key.into()), value)).collect();
        Value::Map { class: Some(class.to_owned()), entries }
    }

    /// A list without a class.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Value::List { class: None, items: items.into_iter().collect() }
    }

    /// The text, if this is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Text, integers and booleans as text: what an attachment counts as when routes look at it.
    pub fn plain(&self) -> Option<String> {
        match self {
            Value::Text(text) => Some(text.clone()),
            Value::Int(number) => Some(number.to_string()),
            Value::Long(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            _ => None,
        }
    }

    /// The field of an object or the entry of a map with this name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object { fields, .. } => {
                fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
            }
            Value::Map { entries, .. } => {
                entries.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The Java class of an object, or of a list or map that names one.
    pub fn class(&self) -> Option<&str> {
        match self {
            Value::Object { class, .. } => Some(class),
            Value::List { class, .. } | Value::Map { class, .. } => class.as_deref(),
            _ => None,
        }
    }

    /// The JVM type descriptor under which a consumer would pass this argument.
    pub fn descriptor(&self) -> String {
        match self {
            Value::Bool(_) => "Z".to_owned(),
            Value::Int(_) => "I".to_owned(),
            Value::Long(_) => "J".to_owned(),
            Value::Double(_) => "D".to_owned(),
            Value::Date(_) => "Ljava/util/Date;".to_owned(),
            Value::Text(_) => "Ljava/lang/String;".to_owned(),
            Value::Bytes(_) => "[B".to_owned(),
            Value::List { .. } => "Ljava/util/List;".to_owned(),
            Value::Map { class: None, .. } => "Ljava/util/Map;".to_owned(),
            Value::Map { class: Some(class), .. } | Value::Object { class, .. } => {
                format!("L{};", class.replace('.', "/"))
            }
            Value::Null | Value::Reference(_) | Value::Raw(_) => "Ljava/lang/Object;".to_owned(),
        }
    }

    /// This value alone, encoded.
    pub fn encoded(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.value(self);
        writer.into_bytes()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Value::Int(number)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Long(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}

#[cfg(test)]
mod tests;
