//! Objects become resources: a pure function of all objects, with everything there is to say about them.
//!
//! Stages, each a file: `protocols` (what ports may speak), `exports` (whose clients see what), `services` (hosts, addresses, ports, endpoints), `rules`
//! `balancing` and `health` (subsets and policies), `tls` (on both sides), `routers` (which `MetaRouter` serves a host),
//! `limits` (how many requests pass), `routes`, `retries` and `matchers` (what a route means), `clusters` and `listeners`
//! (what the routes need), `encode` and `transport` (the wire). `model` is what they build; versions are its
//! hashes. A mistake never stops the rest: see [`Translation::failed`]. `ties` says which objects must be translated
//! together.

mod ties;
mod listeners;
mod clusters;
mod routes;
mod routers;
mod limits;
mod rules;
mod balancing;
mod health;
mod tls;
mod services;
mod exports;
mod protocols;
mod retries;
mod matchers;
mod encode;
mod transport;
mod duration;
mod report;
mod model;

use std::collections::{BTreeMap, BTreeSet};

use xds::{Resource, ResourceType};

use crate::object::{Key, Objects};
use crate::status::{Diagnostic, Severity};

pub use balancing::{RING_SIZE_LIMIT, TABLE_SIZE_LIMIT};
pub use exports::Audience;
pub use health::{LONGEST_CHECK_INTERVAL, SHORTEST_CHECK_INTERVAL};
pub use limits::{CONDITIONS_LIMIT, FILL_INTERVAL_FLOOR, FILL_INTERVAL_LIMIT};
pub use matchers::{REGEX_LENGTH_LIMIT, REGEX_NEST_LIMIT, REGEX_SIZE_LIMIT};
pub(crate) use ties::{Pattern, Ties};

/// What the translation is told beside the objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The namespace whose `MetaRouter`s may route the hosts of all others.
    pub root_namespace: String,
    /// Let every `MetaRouter` route the hosts of all namespaces.
    pub allow_cross_namespace: bool,
    /// The namespace that the proxies stand in, whose `DestinationRule`s come before those of the service's own.
    pub own_namespace: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { root_namespace: "mesh-system".to_owned(), allow_cross_namespace: false, own_namespace: None }
    }
}

/// Who may see resources, by type and name.
pub type Audiences = BTreeMap<(ResourceType, String), Audience>;

/// A resource, and who may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The resource.
    pub resource: Resource,
    /// Who may see it; `None`: everybody.
    pub audience: Option<Audience>,
    /// What is told of it to those who may not, and who of them may see that.
    pub otherwise: Option<(Resource, Option<Audience>)>,
}

impl Made {
    /// Type and name.
    pub fn key(&self) -> (ResourceType, String) {
        (self.resource.kind, self.resource.name.clone())
    }
}

/// What a set of objects means.
#[derive(Debug, Clone, Default)]
pub struct Translation {
    /// All resources, by type and name.
    pub resources: Vec<Made>,
    /// All there is to say, sorted by place, each once.
    pub diagnostics: Vec<Diagnostic>,
    /// The hosts that are served.
    pub hosts: Vec<String>,
}

impl Translation {
    /// The objects with a mistake in them. What else they say is in force as far as it can be: a route with a bad
    /// destination answers that it is misconfigured, a route whose conditions cannot be read is left out, and an object
    /// with something that is not supported yet, outside of its routes, is left out as a whole.
    pub fn failed(&self) -> BTreeSet<&Key> {
        let errors = self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        errors.filter_map(|diagnostic| diagnostic.object.as_ref()).collect()
    }
}

/// What `objects` mean.
pub fn translate(objects: &Objects, options: &Options) -> Translation {
    let mut report = report::Report::default();
    let protocols = protocols::Protocols::of(objects, &mut report);
    let services = services::Services::of(objects, &protocols, &mut report);
    let rules = rules::Rules::of(objects, &services, options, &mut report);
    let routers = routers::Routers::of(objects, &services, options, &mut report);
    let tables = routes::all(&services, &rules, &routers, &mut report);
    let clusters = clusters::all(&services, &rules, &routers, &tables, &mut report);
    let mut listeners = listeners::all(&services, &routers, &mut report);
    listeners.extend(listeners::of_gateways(&services, &routers, &mut report));
    let mut all: Vec<(Resource, Option<Audience>)> = Vec::new();
    all.extend(clusters.clusters.iter().map(|one| (encode::cluster(one), one.audience())));
    all.extend(clusters.endpoints.iter().map(|one| (encode::endpoints(one), one.audience())));
    all.extend(listeners.iter().map(|one| (encode::listener(one), one.audience())));
    all.extend(tables.configurations.iter().map(|one| (encode::routes(one), one.audience())));
    all.sort_by(|(a, _), (b, _)| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    let mut otherwise: BTreeMap<String, (Resource, Option<Audience>)> = BTreeMap::new();
    for one in &tables.otherwise {
        otherwise.insert(one.value.name.clone(), (encode::routes(one), one.audience()));
    }
    let mut made = |(resource, audience): (Resource, Option<Audience>)| {
        let is_of_routes = resource.kind == ResourceType::Routes;
        let otherwise = is_of_routes.then(|| otherwise.remove(&resource.name)).flatten();
        Made { resource, audience, otherwise }
    };
    Translation {
        resources: all.into_iter().map(&mut made).collect(),
        diagnostics: report.into_diagnostics(),
        hosts: services.iter().map(|service| service.host.to_owned()).collect(),
    }
}
