//! Resources under way from a controller to a proxy, and the proxy's answer.
//!
//! An [`Update`] is what one delta response of the aggregated discovery service carries; an [`Ack`] is the proxy's
//! answer to it. Bodies are encoded protocol buffers, in process as on the wire, so that both roads end in the same
//! conversion and the same refusals.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};

/// The four kinds of resource that a proxy subscribes to, in the order in which they are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceType {
    /// `envoy.config.cluster.v3.Cluster`
    Cluster,
    /// `envoy.config.endpoint.v3.ClusterLoadAssignment`
    Endpoints,
    /// `envoy.config.listener.v3.Listener`
    Listener,
    /// `metaproxy.v1.RouteConfiguration`
    Routes,
}

impl ResourceType {
    /// All of them, in delivery order.
    pub const ALL: [Self; 4] = [Self::Cluster, Self::Endpoints, Self::Listener, Self::Routes];

    /// The type URL of the resource's body.
    pub fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoints => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::Routes => "type.googleapis.com/metaproxy.v1.RouteConfiguration",
        }
    }

    /// The type with this URL.
    pub fn of_url(type_url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == type_url)
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cluster => "cluster",
            Self::Endpoints => "endpoints",
            Self::Listener => "listener",
            Self::Routes => "routes",
        })
    }
}

/// The object that a resource, or a part of it, was built from. Not part of the resource's version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Kind of the object, such as `MetaRouter`.
    pub kind: String,
    /// Its namespace; empty for kinds of cluster scope.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where it was read, unless it came from an API server.
    pub source: Option<SourcePosition>,
}

/// A line in a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourcePosition {
    /// As the user named it.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)?;
        match &self.source {
            Some(position) => write!(f, " ({}:{})", position.file.display(), position.line),
            None => Ok(()),
        }
    }
}

/// One resource: its type, name, version and encoded body.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its type.
    pub kind: ResourceType,
    /// Unique within its type.
    pub name: String,
    /// Hash of the content that the body was built from; equal versions mean equal content.
    pub version: String,
    /// The encoded message.
    pub body: Any,
    /// Where it came from; for route configurations, one origin per route, in order.
    pub origins: Arc<[Origin]>,
}

impl Resource {
    /// Encodes `message` as the body of a resource of type `kind`.
    pub fn new<M: Message + Name>(kind: ResourceType, name: String, version: String, message: &M) -> Self {
        let body = Any { type_url: kind.type_url().to_owned(), value: message.encode_to_vec() };
        Self { kind, name, version, body, origins: Arc::new([]) }
    }
}

/// What changed since the last update. The first update of a link carries everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Update {
    /// New and changed resources.
    pub changed: Vec<Resource>,
    /// Resources that are gone.
    pub removed: Vec<(ResourceType, String)>,
}

/// The proxy's answer to one [`Update`]. Resources that are not named in `rejected` are in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ack {
    /// Refused resources; their last good version, if any, stays in force.
    pub rejected: Vec<Rejection>,
}

/// What a proxy in the controller's own process says, in the order in which it came about. Each [`Ack`] names all that the
/// proxy refuses now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To the update that is under way.
    Update(Ack),
    /// Something that was refused is in force without an update: an address has become free, files have come.
    Mended(Ack),
}

/// Why the proxy refused a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rejection {
    /// Type of the resource.
    pub kind: ResourceType,
    /// Its name.
    pub name: String,
    /// Path of the field inside the message, such as `routes[2].attributes[0].regex`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}: {}", self.kind, self.name, self.field, self.message)
    }
}
