//! The objects that a controller works with: who they are, how old, what they say, and where that is written.
//!
//! The same for every source: an object from an API server only has no place in a file.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crds::istio::{DestinationRuleSpec, Labels, ServiceEntrySpec, WorkloadEntrySpec};
use crds::kubernetes::{EndpointSliceSpec, ServiceSpec};
use crds::{ApplicationProtocolSpec, MetaRouterSpec, Timestamp};
use xds::Origin;
use xds::link::SourcePosition;

use crate::tree::{FieldPath, Node};

/// The kinds that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Ours: protocols and their codecs.
    ApplicationProtocol,
    /// Kubernetes' own: services.
    Service,
    /// Kubernetes' own: endpoints of services.
    EndpointSlice,
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
    pub const ALL: [Self; 7] = [
        Self::ApplicationProtocol,
        Self::Service,
        Self::EndpointSlice,
        Self::ServiceEntry,
        Self::WorkloadEntry,
        Self::DestinationRule,
        Self::MetaRouter,
    ];

    /// As it stands in an object's `kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApplicationProtocol => "ApplicationProtocol",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
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
        match self {
            Self::ApplicationProtocol | Self::MetaRouter => crds::GROUP,
            Self::Service => "",
            Self::EndpointSlice => "discovery.k8s.io",
            Self::ServiceEntry | Self::WorkloadEntry | Self::DestinationRule => crds::istio::GROUP,
        }
    }

    /// The kind's name in the paths of an API server.
    pub fn plural(self) -> &'static str {
        match self {
            Self::ApplicationProtocol => "applicationprotocols",
            Self::Service => "services",
            Self::EndpointSlice => "endpointslices",
            Self::ServiceEntry => "serviceentries",
            Self::WorkloadEntry => "workloadentries",
            Self::DestinationRule => "destinationrules",
            Self::MetaRouter => "metarouters",
        }
    }

    /// The versions that are read.
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::ApplicationProtocol | Self::MetaRouter => &[crds::VERSION],
            Self::Service | Self::EndpointSlice => &["v1"],
            Self::ServiceEntry | Self::WorkloadEntry | Self::DestinationRule => crds::istio::VERSIONS,
        }
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

impl Key {
    /// The object that a resource came from; `None` where it is of a kind that is not read.
    pub fn of_origin(origin: &Origin) -> Option<Self> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == origin.kind)?;
        Some(Self { kind, namespace: origin.namespace.clone(), name: origin.name.clone() })
    }
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

/// What is to be known of an object beside what it says.
#[derive(Debug, Clone)]
pub struct Head {
    /// Who it is.
    pub key: Key,
    /// Absent counts as oldest.
    pub created: Option<Timestamp>,
    /// Counts its changes; absent where it came from a file.
    pub generation: Option<i64>,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Fields that it has and that are not served; empty for the kinds that are ours.
    pub unserved: Vec<FieldPath>,
    /// Absent where it came from an API server.
    pub location: Option<Location>,
}

/// An object: its head, which it can be used as, and what it says.
#[derive(Debug, Clone)]
pub struct Object<S> {
    /// Who it is, and more of that kind.
    pub head: Head,
    /// What it says.
    pub spec: S,
}

impl<S> Deref for Object<S> {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Head {
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

    pub(crate) fn age(&self) -> (Option<Timestamp>, &Key) {
        (self.created, &self.key)
    }
}

/// An object of any kind that is read.
#[derive(Debug, Clone)]
pub enum AnyObject {
    /// A protocol.
    ApplicationProtocol(Arc<Object<ApplicationProtocolSpec>>),
    /// A service of the cluster.
    Service(Arc<Object<ServiceSpec>>),
    /// Endpoints of such a service.
    EndpointSlice(Arc<Object<EndpointSliceSpec>>),
    /// A service of Istio's.
    ServiceEntry(Arc<Object<ServiceEntrySpec>>),
    /// An endpoint of such a service.
    WorkloadEntry(Arc<Object<WorkloadEntrySpec>>),
    /// Subsets and policies.
    DestinationRule(Arc<Object<DestinationRuleSpec>>),
    /// Routes.
    MetaRouter(Arc<Object<MetaRouterSpec>>),
}

impl AnyObject {
    /// Who it is, and more of that kind.
    pub fn head(&self) -> &Head {
        match self {
            Self::ApplicationProtocol(object) => &object.head,
            Self::Service(object) => &object.head,
            Self::EndpointSlice(object) => &object.head,
            Self::ServiceEntry(object) => &object.head,
            Self::WorkloadEntry(object) => &object.head,
            Self::DestinationRule(object) => &object.head,
            Self::MetaRouter(object) => &object.head,
        }
    }

    /// Who it is.
    pub fn key(&self) -> &Key {
        &self.head().key
    }

    /// When it was made, if that is known.
    pub fn created(&self) -> Option<Timestamp> {
        self.head().created
    }

    /// Whether both are the same one, and not only alike.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ApplicationProtocol(a), Self::ApplicationProtocol(b)) => Arc::ptr_eq(a, b),
            (Self::Service(a), Self::Service(b)) => Arc::ptr_eq(a, b),
            (Self::EndpointSlice(a), Self::EndpointSlice(b)) => Arc::ptr_eq(a, b),
            (Self::ServiceEntry(a), Self::ServiceEntry(b)) => Arc::ptr_eq(a, b),
            (Self::WorkloadEntry(a), Self::WorkloadEntry(b)) => Arc::ptr_eq(a, b),
            (Self::DestinationRule(a), Self::DestinationRule(b)) => Arc::ptr_eq(a, b),
            (Self::MetaRouter(a), Self::MetaRouter(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Where it is written.
    pub fn location(&self) -> Option<&Location> {
        self.head().location.as_ref()
    }

    /// Whether both say the same, wherever they stand.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let (a, b) = (self.head(), other.head());
        let is_same_head = a.key == b.key
            && a.created == b.created
            && a.labels == b.labels
            && a.annotations == b.annotations
            && a.unserved == b.unserved;
        is_same_head
            && match (self, other) {
                (Self::ApplicationProtocol(a), Self::ApplicationProtocol(b)) => a.spec == b.spec,
                (Self::Service(a), Self::Service(b)) => a.spec == b.spec,
                (Self::EndpointSlice(a), Self::EndpointSlice(b)) => a.spec == b.spec,
                (Self::ServiceEntry(a), Self::ServiceEntry(b)) => a.spec == b.spec,
                (Self::WorkloadEntry(a), Self::WorkloadEntry(b)) => a.spec == b.spec,
                (Self::DestinationRule(a), Self::DestinationRule(b)) => a.spec == b.spec,
                (Self::MetaRouter(a), Self::MetaRouter(b)) => a.spec == b.spec,
                _ => false,
            }
    }
}

/// A whole set of objects, by kind, each from the oldest to the youngest; equal ages by namespace and name.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// Protocols.
    pub protocols: Vec<Arc<Object<ApplicationProtocolSpec>>>,
    /// Services of the cluster.
    pub cluster_services: Vec<Arc<Object<ServiceSpec>>>,
    /// Endpoints of those.
    pub slices: Vec<Arc<Object<EndpointSliceSpec>>>,
    /// Services of Istio's.
    pub services: Vec<Arc<Object<ServiceEntrySpec>>>,
    /// Endpoints of those.
    pub workloads: Vec<Arc<Object<WorkloadEntrySpec>>>,
    /// Subsets and policies.
    pub rules: Vec<Arc<Object<DestinationRuleSpec>>>,
    /// Routes.
    pub routers: Vec<Arc<Object<MetaRouterSpec>>>,
    /// Routers and rules that cannot be read, and without which not everything must be served.
    pub unread: Vec<Unread>,
}

/// An object that exists, but cannot be read as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Who it is.
    pub key: Key,
    /// Counts its changes; absent where it came from a file.
    pub generation: Option<i64>,
    /// What nobody must be served without that it shows.
    pub unread: Option<Unread>,
}

/// A `MetaRouter` or `DestinationRule` that cannot be read, as far as it shows what nobody must be served without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Who it is.
    pub key: Key,
    /// Absent counts as oldest.
    pub created: Option<Timestamp>,
    /// The service, by its host, as it is written there.
    pub host: String,
    /// It asks for encryption: of connections from clients of the one's host, to endpoints of the other's.
    pub is_encrypted: bool,
    /// It limits requests.
    pub is_limited: bool,
}

impl Unread {
    /// The smaller, the older.
    pub(crate) fn age(&self) -> (Option<Timestamp>, &Key) {
        (self.created, &self.key)
    }
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
                AnyObject::Service(object) => all.cluster_services.push(object),
                AnyObject::EndpointSlice(object) => all.slices.push(object),
                AnyObject::ServiceEntry(object) => all.services.push(object),
                AnyObject::WorkloadEntry(object) => all.workloads.push(object),
                AnyObject::DestinationRule(object) => all.rules.push(object),
                AnyObject::MetaRouter(object) => all.routers.push(object),
            }
        }
        all.protocols.sort_by(oldest_first);
        all.cluster_services.sort_by(oldest_first);
        all.slices.sort_by(oldest_first);
        all.services.sort_by(oldest_first);
        all.workloads.sort_by(oldest_first);
        all.rules.sort_by(oldest_first);
        all.routers.sort_by(oldest_first);
        all
    }
}
