//! A document becomes an object: whose it is, what it says, and what is wrong with it.
//!
//! Kinds that are neither ours nor used are passed over. What cannot be laid at an object's door (no kind, no name) is a
//! mistake of the file; all else is a mistake of the object, which then keeps its last good version.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use crds::istio::Labels;
use crds::kubernetes::ServiceSpec;
use crds::{Definition, Timestamp};
use serde::de::DeserializeOwned;
use tracing::debug;

use crate::nearest;
use crate::object::{AnyObject, Broken, Head, Key, Kind, Location, Object, Unread};
use crate::schema::{self, Findings};
use crate::status::{Diagnostic, Severity};
use crate::tree::{Content, FieldPath, Node, Position};

/// Namespace of objects that name none.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// What names of services end in.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// Kinds of Aeraki that change traffic and that are not served: passing over them in silence would be a lie.
const NOT_YET: &[&str] = &["RedisService", "RedisDestination", "DubboAuthorizationPolicy"];

static DEFINITIONS: LazyLock<BTreeMap<Kind, Definition>> = LazyLock::new(|| {
    Kind::ALL.into_iter().filter_map(|kind| Some((kind, Definition::of_kind(kind.name())?))).collect()
});

/// What a file's documents say.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) objects: Vec<AnyObject>,
    /// Objects that exist, but cannot be read as they are.
    pub(crate) broken: Vec<Broken>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Something in the file cannot be laid at an object's door.
    pub(crate) incomplete: bool,
}

impl Documents {
    /// Reads one document of `file`, or each item of a `List`.
    pub(crate) fn read(&mut self, file: &Arc<Path>, node: Node) {
        let is_list = node.get("kind").and_then(Node::text) == Some("List");
        if let (true, Some(Node { content: Content::List(items), .. })) = (is_list, node.get("items")) {
            for item in items {
                self.read_one(file, &Arc::new(item.clone()));
            }
        } else {
            self.read_one(file, &Arc::new(node));
        }
    }

    fn read_one(&mut self, file: &Arc<Path>, node: &Arc<Node>) {
        match identify(node) {
            Ok(Identity::Ours(kind, name)) => {
                let location = Location { file: Arc::clone(file), tree: Arc::clone(node) };
                self.read_object(kind, name, node, Some(location));
            }
            Ok(Identity::PassedOver(kind)) => {
                debug!(file = %file.display(), line = node.position.line, kind, "kind is not used; passed over");
            }
            Ok(Identity::NotYet(kind)) => {
                let message = format!("kind {kind} is not supported yet, so this object has no effect");
                self.say(file, node.position, Severity::Warning, message);
            }
            Err((position, message)) => {
                self.incomplete = true;
                self.say(file, position, Severity::Error, message);
            }
        }
    }

    fn say(&mut self, file: &Arc<Path>, position: Position, severity: Severity, message: String) {
        self.diagnostics.push(Diagnostic::of_file(Arc::clone(file), Some(position), severity, message));
    }

    /// Reads an object of a kind and name, from a file unless `location` is `None`.
    pub(crate) fn read_object(&mut self, kind: Kind, name: String, node: &Node, location: Option<Location>) {
        let mut findings = Findings::default();
        let metadata = Metadata::read(node, &mut findings);
        let namespace = if kind.is_cluster_scoped() {
            String::new()
        } else {
            metadata.namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
        };
        let spec = match kind {
            Kind::Service => node.get("spec").map_or(serde_json::Value::Null, Node::to_json),
            // It has no spec: what it says stands beside its metadata.
            Kind::EndpointSlice => node.to_json(),
            _ => read_spec(kind, node, &mut findings),
        };
        let head = Head {
            key: Key { kind, namespace, name },
            created: metadata.created,
            generation: metadata.generation,
            labels: metadata.labels,
            annotations: metadata.annotations,
            unserved: Vec::new(),
            location,
        };
        let mut object = Object { head, spec };
        let is_sound = findings.invalid.is_empty() && (findings.unknown.is_empty() || !kind.is_ours());
        for (path, message) in findings.unknown {
            if kind.is_ours() {
                self.diagnostics.push(Diagnostic::of_key(&object, Severity::Error, path, message));
            } else {
                // What it is worth saying about it depends on whether the object is served.
                object.head.unserved.push(path);
            }
        }
        for (path, message) in findings.invalid {
            self.diagnostics.push(Diagnostic::of(&object, Severity::Error, path, message));
        }
        if let Some(read) = is_sound.then(|| self.any_object(&object)).flatten() {
            self.objects.push(read);
        } else {
            let Head { key, generation, .. } = object.head.clone();
            self.broken.push(Broken { key, generation, unread: protection(&object.head, node) });
        }
    }

    fn any_object(&mut self, object: &Object<serde_json::Value>) -> Option<AnyObject> {
        match object.key.kind {
            Kind::ApplicationProtocol => self.typed(object).map(AnyObject::ApplicationProtocol),
            Kind::Service => self.typed::<ServiceSpec>(object).map(|mut read| {
                let Key { namespace, name, .. } = &object.key;
                if let Some(read) = Arc::get_mut(&mut read) {
                    read.spec.host = format!("{name}.{namespace}.svc.{CLUSTER_DOMAIN}");
                }
                AnyObject::Service(read)
            }),
            Kind::EndpointSlice => self.typed(object).map(AnyObject::EndpointSlice),
            Kind::ServiceEntry => self.typed(object).map(AnyObject::ServiceEntry),
            Kind::WorkloadEntry => self.typed(object).map(AnyObject::WorkloadEntry),
            Kind::DestinationRule => self.typed(object).map(AnyObject::DestinationRule),
            Kind::MetaRouter => self.typed(object).map(AnyObject::MetaRouter),
        }
    }

    /// The object with its spec as a type. The schema made from that type has accepted it, so this hardly ever fails.
    fn typed<S: DeserializeOwned>(&mut self, object: &Object<serde_json::Value>) -> Option<Arc<Object<S>>> {
        match serde_json::from_value(object.spec.clone()) {
            Ok(spec) => Some(Arc::new(Object { head: object.head.clone(), spec })),
            Err(error) => {
                let diagnostic =
                    Diagnostic::of(object, Severity::Error, FieldPath::spec(), error.to_string());
                self.diagnostics.push(diagnostic);
                None
            }
        }
    }
}

/// What an object that cannot be read protects, if it does.
fn protection(head: &Head, node: &Node) -> Option<Unread> {
    let spec = node.get("spec")?;
    let has = |name: &str| spec.get(name).is_some();
    let (host, is_encrypted, is_limited) = match head.key.kind {
        Kind::MetaRouter => {
            let Content::List(hosts) = &spec.get("hosts")?.content else { return None };
            (hosts.first()?, has("tls"), has("localRateLimit") || has("globalRateLimit"))
        }
        Kind::DestinationRule => (spec.get("host")?, has_field(spec, "tls"), false),
        _ => return None,
    };
    let (key, created, host) = (head.key.clone(), head.created, host.text()?.to_owned());
    (is_encrypted || is_limited).then_some(Unread { key, created, host, is_encrypted, is_limited })
}

/// Whether there is a field of this name, at any depth.
fn has_field(node: &Node, name: &str) -> bool {
    match &node.content {
        Content::Map(fields) => fields.iter().any(|entry| entry.key == name || has_field(&entry.value, name)),
        Content::List(items) => items.iter().any(|item| has_field(item, name)),
        _ => false,
    }
}

enum Identity<'a> {
    Ours(Kind, String),
    NotYet(&'a str),
    PassedOver(&'a str),
}

/// Kind and name of a document, or where and why there is none.
fn identify(node: &Node) -> Result<Identity<'_>, (Position, String)> {
    if !matches!(node.content, Content::Map(_)) {
        let message = format!(
            "a document must be an object with apiVersion and kind, not {}",
            node.content.type_name()
        );
        return Err((node.position, message));
    }
    let Some(kind) = node.get("kind").and_then(Node::text).filter(|kind| !kind.is_empty()) else {
        return Err((
            node.position,
            "the document has no kind; it needs one, such as `kind: MetaRouter`".to_owned(),
        ));
    };
    let api_version = node.get("apiVersion").and_then(Node::text).unwrap_or_default();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let known = Kind::ALL.into_iter().find(|known| known.name() == kind);
    let place = node.position_of(&FieldPath::root().field("apiVersion"));
    match known {
        Some(known) if known.group() == group && known.versions().contains(&version) => {
            let name = node.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::text);
            match name {
                Some(name) if !name.is_empty() => Ok(Identity::Ours(known, name.to_owned())),
                _ => Err((node.position, format!("this {kind} has no metadata.name; it needs one"))),
            }
        }
        Some(known) if known.group() == group || group.is_empty() || known.is_ours() => {
            let right = format!("{}/{}", known.group(), known.versions()[0]);
            let right = right.trim_start_matches('/');
            Err((place, format!("apiVersion of a {kind} must be {right}, not {api_version:?}")))
        }
        None if group == crds::GROUP => {
            let ours = Kind::ALL.into_iter().filter(|kind| kind.is_ours()).map(Kind::name);
            let hint = nearest::hint(kind, ours);
            Err((
                node.position_of(&FieldPath::root().field("kind")),
                format!("{group} has no kind {kind}{hint}"),
            ))
        }
        None if NOT_YET.contains(&kind) => Ok(Identity::NotYet(kind)),
        _ => Ok(Identity::PassedOver(kind)),
    }
}

/// The spec as JSON, and whatever the schema has to say about the document.
fn read_spec(kind: Kind, node: &Node, findings: &mut Findings) -> serde_json::Value {
    const TOP: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
    if let Content::Map(entries) = &node.content {
        for entry in entries.iter().filter(|entry| !TOP.contains(&entry.key.as_str())) {
            let hint = nearest::hint(&entry.key, TOP);
            let message = format!("no such field{hint}; what a {} says stands in `spec`", kind.name());
            findings.invalid.push((FieldPath::root().field(&entry.key), message));
        }
    }
    let schema = DEFINITIONS
        .get(&kind)
        .and_then(|definition| definition.schema().properties.as_ref()?.get("spec"))
        .expect("each kind that is read has a definition, made from a type with a spec");
    if let Some(spec) = node.get("spec") {
        schema::check(spec, schema, &FieldPath::spec(), findings)
    } else {
        findings.invalid.push((FieldPath::spec(), "is missing".to_owned()));
        serde_json::Value::Null
    }
}

/// What is used of an object's metadata; an API server has much more to say there.
#[derive(Default)]
struct Metadata {
    namespace: Option<String>,
    created: Option<Timestamp>,
    generation: Option<i64>,
    labels: Labels,
    annotations: BTreeMap<String, String>,
}

impl Metadata {
    fn read(node: &Node, findings: &mut Findings) -> Self {
        let mut read = Self::default();
        let at = FieldPath::root().field("metadata");
        let Some(metadata) = node.get("metadata") else { return read };
        if let Some(namespace) = metadata.get("namespace").filter(|node| node.content != Content::Null) {
            match namespace.text() {
                Some(text) if !text.is_empty() => read.namespace = Some(text.to_owned()),
                _ => findings
                    .invalid
                    .push((at.field("namespace"), "must be a string that is not empty".to_owned())),
            }
        }
        if let Some(created) = metadata.get("creationTimestamp").filter(|node| node.content != Content::Null)
        {
            match created.text().map(str::parse) {
                Some(Ok(timestamp)) => read.created = Some(timestamp),
                _ => findings.invalid.push((
                    at.field("creationTimestamp"),
                    "must be a time such as 2026-11-22T10:00:00Z".to_owned(),
                )),
            }
        }
        if let Some(Content::Number(generation)) = metadata.get("generation").map(|node| &node.content) {
            read.generation = generation.as_i64();
        }
        read.labels = texts(metadata, "labels", "a label", findings);
        read.annotations = texts(metadata, "annotations", "an annotation", findings);
        read
    }
}

/// A mapping in which all values are texts.
fn texts(metadata: &Node, field: &str, one: &str, findings: &mut Findings) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let Some(Node { content: Content::Map(entries), .. }) = metadata.get(field) else { return texts };
    for entry in entries {
        if let Some(text) = entry.value.text() {
            texts.insert(entry.key.clone(), text.to_owned());
        } else {
            let message = format!("the value of {one} must be a string; put it in quotes");
            let at = FieldPath::root().field("metadata").field(field).field(&entry.key);
            findings.invalid.push((at, message));
        }
    }
    texts
}
