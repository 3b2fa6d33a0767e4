//! The objects that a controller works with: who they are, how old, what they say, and where that is written.
//!
//! The same for every source: an object from an API server only has no place in a file.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crds::istio::{DestinationRuleSpec, ServiceEntrySpec, WorkloadEntrySpec};
use crds::{ApplicationProtocolSpec, MetaRouterSpec, Timestamp};
use xds::Origin;
use xds::link::SourcePosition;

use crate::tree::{FieldPath, Node};

/// The kinds that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Ours: protocols and their codecs.
    ApplicationProtocol,
    /// Istio's: services.
    ServiceEntry,
    /// Istio's: endpoints.
    WorkloadEntry,
    /// Istio's: subsets and policies.
    DestinationRule,
    /// Ours: routes.
    MetaRouter,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ApplicationProtocol,
        Self::ServiceEntry,
        Self::WorkloadEntry,
        Self::DestinationRule,
        Self::MetaRouter,
    ];

    /// As it stands in an object's `kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApplicationProtocol => "ApplicationProtocol",
            Self::ServiceEntry => "ServiceEntry",
            Self::WorkloadEntry => "WorkloadEntry",
            Self::DestinationRule => "DestinationRule",
            Self::MetaRouter => "MetaRouter",
        }
    }

    /// Whether its definition is ours, so that a field that we do not know is a mistake.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::ApplicationProtocol | Self::MetaRouter)
    }

    /// Whether its objects stand in no namespace.
    pub fn is_cluster_scoped(self) -> bool {
        self == Self::ApplicationProtocol
    }

    /// API group.
    pub fn group(self) -> &'static str {
        if self.is_ours() { crds::GROUP } else { crds::istio::GROUP }
    }

    /// The versions that are read.
    pub fn versions(self) -> &'static [&'static str] {
        if self.is_ours() { &[crds::VERSION] } else { crds::istio::VERSIONS }
    }
}

/// Who an object is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Empty for kinds of cluster scope.
    pub namespace: String,
    /// Unique within kind and namespace.
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind.name())?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// Where an object is written.
#[derive(Debug, Clone)]
pub struct Location {
    /// As the user named it.
    pub file: Arc<Path>,
    /// The object as written.
    pub tree: Arc<Node>,
}

impl Location {
    /// The file that the object calls so: in its own file's folder, unless the name says where.
    pub fn beside(&self, name: &str) -> PathBuf {
        let path = self.file.parent().map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
        std::path::absolute(&path).unwrap_or(path)
    }
}

/// An object.
#[derive(Debug, Clone)]
pub struct Object<S> {
    /// Who it is.
    pub key: Key,
    /// Absent counts as oldest.
    pub created: Option<Timestamp>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// What it says.
    pub spec: S,
    /// Fields that it has and that are not served; empty for the kinds that are ours.
    pub unserved: Vec<FieldPath>,
    /// Absent where it came from an API server.
    pub location: Option<Location>,
}

impl<S> Object<S> {
    /// The object as the origin of a resource, or a field of it.
    pub fn origin(&self, path: &FieldPath) -> Origin {
        Origin {
            kind: self.key.kind.name().to_owned(),
            namespace: self.key.namespace.clone(),
            name: self.key.name.clone(),
            source: self.location.as_ref().map(|location| SourcePosition {
                file: location.file.to_path_buf(),
                line: location.tree.position_of(path).line,
            }),
        }
    }

    /// The object's name, and where it stands where that is known: `MetaRouter shop/orders (orders.yaml:3)`.
    pub fn describe(&self) -> String {
        self.origin(&FieldPath::root()).to_string()
    }

    fn age(&self) -> (Option<Timestamp>, &Key) {
        (self.created, &self.key)
    }
}

/// An object of any kind that is read.
#[derive(Debug, Clone)]
pub enum AnyObject {
    /// A protocol.
    ApplicationProtocol(Arc<Object<ApplicationProtocolSpec>>),
    /// A service.
    ServiceEntry(Arc<Object<ServiceEntrySpec>>),
    /// An endpoint.
    WorkloadEntry(Arc<Object<WorkloadEntrySpec>>),
    /// Subsets and policies.
    DestinationRule(Arc<Object<DestinationRuleSpec>>),
    /// Routes.
    MetaRouter(Arc<Object<MetaRouterSpec>>),
}

impl AnyObject {
    /// Who it is.
    pub fn key(&self) -> &Key {
        match self {
            Self::ApplicationProtocol(object) => &object.key,
            Self::ServiceEntry(object) => &object.key,
            Self::WorkloadEntry(object) => &object.key,
            Self::DestinationRule(object) => &object.key,
            Self::MetaRouter(object) => &object.key,
        }
    }

    /// Where it is written.
    pub fn location(&self) -> Option<&Location> {
        match self {
            Self::ApplicationProtocol(object) => object.location.as_ref(),
            Self::ServiceEntry(object) => object.location.as_ref(),
            Self::WorkloadEntry(object) => object.location.as_ref(),
            Self::DestinationRule(object) => object.location.as_ref(),
            Self::MetaRouter(object) => object.location.as_ref(),
        }
    }

    /// Whether both say the same, wherever they stand.
    pub fn says_the_same(&self, other: &Self) -> bool {
        fn same<S: PartialEq>(a: &Object<S>, b: &Object<S>) -> bool {
            a.key == b.key && a.created == b.created && a.annotations == b.annotations && a.spec == b.spec
        }
        match (self, other) {
            (Self::ApplicationProtocol(a), Self::ApplicationProtocol(b)) => same(a, b),
            (Self::ServiceEntry(a), Self::ServiceEntry(b)) => same(a, b),
            (Self::WorkloadEntry(a), Self::WorkloadEntry(b)) => same(a, b),
            (Self::DestinationRule(a), Self::DestinationRule(b)) => same(a, b),
            (Self::MetaRouter(a), Self::MetaRouter(b)) => same(a, b),
            _ => false,
        }
    }
}

/// A whole set of objects, by kind, each from the oldest to the youngest; equal ages by namespace and name.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// Protocols.
    pub protocols: Vec<Arc<Object<ApplicationProtocolSpec>>>,
    /// Services.
    pub services: Vec<Arc<Object<ServiceEntrySpec>>>,
    /// Endpoints.
    pub workloads: Vec<Arc<Object<WorkloadEntrySpec>>>,
    /// Subsets and policies.
    pub rules: Vec<Arc<Object<DestinationRuleSpec>>>,
    /// Routes.
    pub routers: Vec<Arc<Object<MetaRouterSpec>>>,
    /// Routers that cannot be read, and whose clients must not be served without encryption.
    pub unread: Vec<Unread>,
}

/// A router that cannot be read, as far as it says which host's clients are to be encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Who it is.
    pub key: Key,
    /// The service, by its host.
    pub host: String,
}

impl FromIterator<AnyObject> for Objects {
    fn from_iter<I: IntoIterator<Item = AnyObject>>(objects: I) -> Self {
        fn oldest_first<S>(a: &Arc<Object<S>>, b: &Arc<Object<S>>) -> Ordering {
            a.age().cmp(&b.age())
        }
        let mut all = Self::default();
        for object in objects {
            match object {
                AnyObject::ApplicationProtocol(object) => all.protocols.push(object),
                AnyObject::ServiceEntry(object) => all.services.push(object),
                AnyObject::WorkloadEntry(object) => all.workloads.push(object),
                AnyObject::DestinationRule(object) => all.rules.push(object),
                AnyObject::MetaRouter(object) => all.routers.push(object),
            }
        }
        all.protocols.sort_by(oldest_first);
        all.services.sort_by(oldest_first);
        all.workloads.sort_by(oldest_first);
        all.rules.sort_by(oldest_first);
        all.routers.sort_by(oldest_first);
        all
    }
}
