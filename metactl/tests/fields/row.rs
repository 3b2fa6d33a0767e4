//! One field of the catalogue: what it means, whether it is served, how to see that it is not ignored, and the test that
//! shows what it does.

use serde_json::Value;

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does what it says.
    Served,
    /// It may be there and changes nothing, for this reason.
    Idle(&'static str),
    /// It is refused as "not supported yet", whatever it says.
    Refused,
}

/// A field, or all that stands below it.
#[derive(Debug, Clone)]
pub struct Row {
    /// `[]` stands for each item of a list, `*` for each key of a map.
    pub path: &'static str,
    /// In few words.
    pub meaning: &'static str,
    pub status: Status,
    /// Neither Aeraki nor Istio has it.
    pub is_addition: bool,
    /// What else it may say than the whole object does.
    pub other: Value,
    /// What has to stand elsewhere for that, in both of the objects that are compared.
    pub given: Vec<(&'static str, Value)>,
    /// What has to change with it.
    pub also: Vec<(&'static str, Value)>,
    /// The change leaves mistakes elsewhere, or is one for the protocol of the objects.
    pub breaks: bool,
    /// `FILE::NAME` of the test that fails if the field is ignored.
    pub test: &'static str,
}

impl Row {
    fn new(
        path: &'static str,
        meaning: &'static str,
        status: Status,
        other: Value,
        test: &'static str,
    ) -> Self {
        let (is_addition, given, also, breaks) = (false, Vec::new(), Vec::new(), false);
        Self { path, meaning, status, is_addition, other, given, also, breaks, test }
    }

    pub fn served(
        path: &'static str,
        meaning: &'static str,
        other: impl Into<Value>,
        test: &'static str,
    ) -> Self {
        Self::new(path, meaning, Status::Served, other.into(), test)
    }

    pub fn refused(
        path: &'static str,
        meaning: &'static str,
        other: impl Into<Value>,
        test: &'static str,
    ) -> Self {
        Self::new(path, meaning, Status::Refused, other.into(), test)
    }

    pub fn idle(mut self, why: &'static str) -> Self {
        self.status = Status::Idle(why);
        self
    }

    pub fn addition(mut self) -> Self {
        self.is_addition = true;
        self
    }

    pub fn given(mut self, path: &'static str, value: Value) -> Self {
        self.given.push((path, value));
        self
    }

    pub fn also(mut self, path: &'static str, value: impl Into<Value>) -> Self {
        self.also.push((path, value.into()));
        self
    }

    pub fn breaks(mut self) -> Self {
        self.breaks = true;
        self
    }

    /// Whether this row is about a field of the schema.
    pub fn covers(&self, leaf: &str) -> bool {
        leaf.strip_prefix(self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}
