//! What there is to say about objects: mistakes, what is not served yet, and what a proxy refused.
//!
//! Plain values, printed by `metactl`, logged by the controller, and (with Kubernetes) written as conditions.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use immutable_chunkmap::map::MapM;
use xds::{Origin, Rejection, Resource, ResourceType, Update};

use crate::nearest;
use crate::object::{Head, Key, Kind};
use crate::tree::{FieldPath, Position};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Something that was asked for is not in force.
    Error,
    /// In force, but perhaps not what was meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// What kind of mistake it is, for those who show conditions rather than lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The object says what cannot be meant.
    #[default]
    Invalid,
    /// It is not supported yet.
    Unsupported,
    /// Another object, which is older, says it already.
    Conflicted,
    /// It stands in a namespace in which it may not say this.
    NotPermitted,
    /// It refers to a service, or a port of one, that there is not.
    BackendNotFound,
    /// It refers to a subset that there is not.
    SubsetNotFound,
}

impl Reason {
    /// As it stands in a condition.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::Unsupported => "Unsupported",
            Self::Conflicted => "Conflicted",
            Self::NotPermitted => "NotPermitted",
            Self::BackendNotFound => "BackendNotFound",
            Self::SubsetNotFound => "SubsetNotFound",
        }
    }

    /// A message of this kind.
    pub fn says(self, text: impl Into<String>) -> Finding {
        Finding { reason: self, text: text.into(), near: None }
    }
}

/// What is wrong and what would be right; plain text is [`Reason::Invalid`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of mistake it is.
    pub reason: Reason,
    /// In words.
    pub text: String,
    /// Where it is about a host that there is not.
    pub near: Option<Near>,
}

/// A host that there is not. Which one was meant depends on all that there are, so it is looked for when what there is to
/// say is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Near {
    /// As it is written.
    pub host: String,
    /// The byte of the message that a suggestion belongs before.
    pub at: usize,
}

impl From<String> for Finding {
    fn from(text: String) -> Self {
        Reason::default().says(text)
    }
}

impl From<&str> for Finding {
    fn from(text: &str) -> Self {
        Reason::default().says(text)
    }
}

/// One thing to say about one place. Displayed as
/// `file:line:column: error: MetaRouter shop/orders: spec.routes[0].route[1].weight: weights must sum to 100, not 90`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The file, unless the object came from an API server.
    pub file: Option<Arc<Path>>,
    /// Where in the file.
    pub position: Option<Position>,
    /// How bad it is.
    pub severity: Severity,
    /// The object, unless the file cannot be read that far.
    pub object: Option<Key>,
    /// The field; the root where it is the object as a whole.
    pub path: FieldPath,
    /// What is wrong and what would be right.
    pub message: String,
    /// What kind of mistake it is.
    pub reason: Reason,
    /// A host that a suggestion is still to be looked for.
    pub near: Option<Near>,
}

impl Diagnostic {
    /// About a field of an object.
    pub fn of(object: &Head, severity: Severity, path: FieldPath, finding: impl Into<Finding>) -> Self {
        let Finding { reason, text, near } = finding.into();
        Self {
            file: object.location.as_ref().map(|location| Arc::clone(&location.file)),
            position: object.location.as_ref().map(|location| location.tree.position_of(&path)),
            severity,
            object: Some(object.key.clone()),
            path,
            message: text,
            reason,
            near,
        }
    }

    /// About a field of an object that should not be there.
    pub fn of_key(object: &Head, severity: Severity, path: FieldPath, finding: impl Into<Finding>) -> Self {
        let position = object.location.as_ref().map(|location| location.tree.key_position_of(&path));
        Self { position, ..Self::of(object, severity, path, finding) }
    }

    /// The same with a suggestion, if one of these hosts is like the one that there is not.
    #[must_use]
    pub fn with_suggestion<'h>(mut self, hosts: impl IntoIterator<Item = &'h str>) -> Self {
        if let Some(Near { host, at }) = self.near.take() {
            self.message.insert_str(at, &nearest::hint(&host, hosts));
        }
        self
    }

    /// About a file.
    pub fn of_file(
        file: Arc<Path>,
        position: Option<Position>,
        severity: Severity,
        message: impl Into<String>,
    ) -> Self {
        Self {
            file: Some(file),
            position,
            severity,
            object: None,
            path: FieldPath::root(),
            message: message.into(),
            reason: Reason::default(),
            near: None,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
            if let Some(position) = self.position {
                write!(f, "{}:{}:", position.line, position.column)?;
            }
            f.write_str(" ")?;
        }
        write!(f, "{}: ", self.severity)?;
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        if self.path != FieldPath::root() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// A resource that a proxy refused, and the object that it came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// What the proxy said.
    pub rejection: Rejection,
    /// The object, as near to the mistake as is known.
    pub origin: Option<Origin>,
    /// Which proxy refuses it; `None`: the one that there is.
    pub proxy: Option<String>,
}

impl Refusal {
    /// The refusal of a resource of `update`; of a route configuration, the origin is that of the route, or of the rate
    /// limit, that it names.
    pub fn of(update: &Update, rejection: Rejection) -> Self {
        let is_it = |resource: &&Resource| resource.kind == rejection.kind && resource.name == rejection.name;
        Self::of_resource(update.changed.iter().find(is_it), rejection, None)
    }

    /// The refusal, by `proxy`, of `resource`, if that is still known.
    pub fn of_resource(resource: Option<&Resource>, rejection: Rejection, proxy: Option<String>) -> Self {
        let route = rejection
            .field
            .strip_prefix("routes[")
            .and_then(|rest| rest.split(']').next()?.parse::<usize>().ok());
        let index = route.filter(|_| rejection.kind == ResourceType::Routes).unwrap_or(0);
        let is_of_limit = rejection.field.starts_with("local_rate_limit");
        // What is said of the limit, and of encryption, stands behind what it is for.
        let is_last = is_of_limit || rejection.field.contains("transport_socket");
        let is_of_options = rejection.field == "options" || rejection.field.starts_with("options.");
        let is_router = |origin: &&Origin| origin.kind == Kind::MetaRouter.name();
        let origin = resource.and_then(|it| {
            let found = match () {
                () if is_of_options => it.origins.iter().find(is_router),
                () if is_last => it.origins.last(),
                () => it.origins.get(index),
            };
            found.or_else(|| it.origins.first())
        });
        Self { origin: origin.cloned(), rejection, proxy }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        match &self.proxy {
            Some(proxy) => write!(f, "proxy {proxy} refused {}", self.rejection),
            None => write!(f, "the proxy refused {}", self.rejection),
        }
    }
}

/// Counts the changes of each object whose kind is ours; absent where it came from a file.
pub type Generations = MapM<Key, Option<i64>>;

/// All there is to say at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// About objects and files, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    /// What the proxy refused, until it takes what comes in its place.
    pub refusals: Vec<Refusal>,
    /// How far what objects say has come, by the objects that routes are made of.
    pub progress: BTreeMap<Key, Progress>,
    /// What this is about: which change of each object whose kind is ours.
    pub generations: Generations,
}

impl Status {
    /// What is refused that was not refused before.
    pub fn new_refusals(&self, before: Option<&Self>) -> Vec<&Refusal> {
        let told: HashSet<&Refusal> = before.iter().flat_map(|before| &before.refusals).collect();
        self.refusals.iter().filter(|refusal| !told.contains(refusal)).collect()
    }

    /// What is said that was not said before.
    pub fn new_diagnostics(&self, before: &Self) -> Vec<&Diagnostic> {
        let told: HashSet<&Diagnostic> = before.diagnostics.iter().collect();
        self.diagnostics.iter().filter(|diagnostic| !told.contains(diagnostic)).collect()
    }
}

/// How far what an object says has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Proxies that are connected and want it.
    pub proxies: u32,
    /// How many of them have all of it in force.
    pub programmed: u32,
}
