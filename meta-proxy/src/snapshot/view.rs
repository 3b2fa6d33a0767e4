//! One worker's view of a snapshot.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use codec_api::{Attribute, Properties, Span};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::exchange::{Edits, SharedEdits, Tally};
use crate::local::Local;
use crate::model::{self, RouteAction};
use crate::rate_limit::Buckets;
use crate::route::Table;
use crate::telemetry::{AccessLog, RequestKey, TraceId};
use crate::upstream::Cluster;
use crate::wire::Connector;

use super::{ListenerSpec, RoutesSpec, Snapshot};

/// Methods of one route that a worker keeps a series for.
const METHODS: usize = 100;

/// What one worker serves by.
#[derive(Default)]
pub struct View {
    listeners: BTreeMap<String, Rc<ListenerView>>,
    clusters: BTreeMap<String, Rc<Cluster>>,
}

/// A listener.
pub struct ListenerView {
    spec: Arc<ListenerSpec>,
    /// Its name.
    pub name: Arc<str>,
    words: &'static [&'static str],
    services: Services,
    /// Where messages go that are for none of its services.
    stray: Rc<ServiceView>,
}

enum Services {
    One(Rc<ServiceView>),
    ByName(HashMap<Box<[u8]>, Rc<ServiceView>, FixedState>),
}

/// A service of a listener.
pub struct ServiceView {
    /// Name of the listener.
    pub listener: Arc<str>,
    /// Name of the codec.
    pub protocol: Arc<str>,
    /// The host that users know it by.
    pub host: Arc<str>,
    /// Whether the listener has such a service at all.
    pub is_known: bool,
    /// Its routes, compiled; `None`: they have not arrived or were refused.
    pub table: Option<Table>,
    /// What requests take their tokens from; `None`: they are not limited.
    pub buckets: Option<Arc<Buckets>>,
    /// In the order of the table.
    pub routes: Vec<RouteView>,
    /// What is looked for in its requests for the access log; `None`: there is no log, or no message can have it.
    pub traced: Option<Traced>,
    /// Requests that no route matches.
    pub unmatched: SeriesByMethod,
    source: Option<RoutesSpec>,
}

/// What is looked for in requests so that the access log can tell their trace.
pub struct Traced {
    /// What the routes want, then [`TraceId::NAMES`].
    pub wanted: Box<[Attribute]>,
    /// Where those begin.
    pub from: usize,
    /// Bytes of a request that is looked into for them alone.
    pub limit: usize,
}

/// A route, joined with its clusters.
pub struct RouteView {
    /// Its name.
    pub name: Arc<str>,
    /// Where requests go.
    pub targets: Targets,
    /// Where copies go.
    pub mirror: Option<MirrorView>,
    /// How long a request may take; zero: for ever.
    pub timeout: Duration,
    /// What it sets in the messages that pass it.
    pub edits: SharedEdits,
    /// When a request that has been sent is sent again.
    pub retries: Option<RetriesView>,
    /// Its requests.
    pub series: SeriesByMethod,
}

/// When a request that has been sent is sent again.
pub struct RetriesView {
    /// Index of the route in its service's table, which knows the requests that may be.
    pub route: usize,
    /// How many tries may follow the first one.
    pub attempts: u32,
    /// How long one try may take; `None`: as long as the request has.
    pub per_try_timeout: Option<Duration>,
}

/// Where copies of a route's requests go.
pub struct MirrorView {
    /// How many of a million are copied.
    pub millionths: u32,
    /// Only those that change data.
    pub writes_only: bool,
    /// Where they go.
    pub cluster: Rc<Cluster>,
}

/// A cluster, or the name of one that is not known.
pub type Target = Result<Rc<Cluster>, Arc<str>>;

/// Where a route's requests go.
pub enum Targets {
    /// To the one cluster.
    One(Target),
    /// To the first of these whose bound, of the last one's, a number is below: one drawn, or what a value hashes to.
    /// Never empty.
    Weighted(Vec<(u32, Target)>),
    /// Nowhere, for this reason.
    Misconfigured(String),
}

/// The series of a route, by method.
pub struct SeriesByMethod {
    labels: RequestKey,
    known: RefCell<HashMap<Box<[u8]>, Rc<Tally>, FixedState>>,
}

impl View {
    /// The view of `snapshot` that follows `self`: clusters that stay keep their pools, routes that stay their series.
    #[must_use]
    pub fn next(&self, snapshot: &Snapshot, local: &Rc<Local>, connector: &Rc<dyn Connector>) -> Self {
        let mut same_clusters = true;
        let mut clusters = BTreeMap::new();
        for (name, spec) in &snapshot.clusters {
            let kept = self.clusters.get(name).filter(|known| known.keeps_pools(&spec.settings));
            same_clusters &= kept.is_some();
            let cluster =
                kept.cloned().unwrap_or_else(|| Cluster::new(spec.settings.clone(), local, connector));
            cluster.update(spec.settings.clone(), &spec.endpoints);
            clusters.insert(name.clone(), cluster);
        }
        for (name, gone) in &self.clusters {
            if clusters.get(name).is_none_or(|kept| !Rc::ptr_eq(kept, gone)) {
                same_clusters = false;
                gone.retire();
            }
        }
        let mut listeners = BTreeMap::new();
        let trace_limit = local.telemetry().access_log().map_or(0, AccessLog::trace_limit);
        for (name, spec) in &snapshot.listeners {
            let old = self.listeners.get(name).filter(|_| same_clusters);
            let listener = match old {
                Some(old) if Arc::ptr_eq(&old.spec, spec) => old.clone(),
                _ => Rc::new(ListenerView::new(spec, &clusters, old, trace_limit)),
            };
            listeners.insert(name.clone(), listener);
        }
        Self { listeners, clusters }
    }

    /// The listener called `name`.
    pub fn listener(&self, name: &str) -> Option<&Rc<ListenerView>> {
        self.listeners.get(name)
    }

    /// Ends every exchange whose client has gone.
    pub fn sweep_cancelled(&self) {
        for cluster in self.clusters.values() {
            cluster.sweep_cancelled();
        }
    }
}

type Clusters = BTreeMap<String, Rc<Cluster>>;

impl ListenerView {
    fn new(
        spec: &Arc<ListenerSpec>,
        clusters: &Clusters,
        old: Option<&Rc<Self>>,
        trace_limit: usize,
    ) -> Self {
        let has_late = !spec.factory.conduct().has_only_head;
        let name: Arc<str> = spec.model.name.as_str().into();
        let view = |service: &super::ServiceSpec| {
            let known =
                old.and_then(|old| old.service(service.model.name.as_deref().unwrap_or_default().as_bytes()));
            match known {
                Some(known) if known.serves(service) => known.clone(),
                _ => {
                    let mut view =
                        ServiceView::new(spec, &service.model.host, service.routes.as_ref(), clusters);
                    let table = view.table.as_ref().filter(|_| trace_limit > 0 && has_late);
                    view.traced = table.map(|table| Traced::new(table, spec.properties, trace_limit));
                    Rc::new(view)
                }
            }
        };
        let services = match spec.services.as_slice() {
            [service] if service.model.name.is_none() => Services::One(view(service)),
            services => {
                let key =
                    |service: &super::ServiceSpec| service.model.name.as_deref().unwrap_or_default().into();
                let all = services.iter().map(|service| (key(service), view(service)));
                Services::ByName(
                    all.map(|(name, view): (Box<str>, _)| (name.into_boxed_bytes(), view)).collect(),
                )
            }
        };
        let stray = ServiceView { is_known: false, ..ServiceView::new(spec, "-", None, clusters) };
        Self {
            spec: spec.clone(),
            name,
            words: spec.factory.conduct().words,
            services,
            stray: Rc::new(stray),
        }
    }

    /// Its configuration.
    pub fn spec(&self) -> &Arc<ListenerSpec> {
        &self.spec
    }

    /// The value that a span of the head stands for, if it is one that the codec knows by heart.
    #[inline]
    pub fn word(&self, span: Span) -> Option<&'static [u8]> {
        self.words.get(span.as_word()?).map(|word| word.as_bytes())
    }

    /// How its protocol behaves.
    #[inline]
    pub fn properties(&self) -> &'static Properties {
        self.spec.properties
    }

    fn service(&self, name: &[u8]) -> Option<&Rc<ServiceView>> {
        match &self.services {
            Services::One(service) => Some(service),
            Services::ByName(services) => services.get(name),
        }
    }

    /// The service that a message with this service attribute is for, compared ASCII case-insensitively.
    pub fn service_of(&self, attribute: Option<&[u8]>) -> &Rc<ServiceView> {
        let found = match (&self.services, attribute) {
            (Services::One(service), _) => Some(service),
            (Services::ByName(services), Some(name)) => {
                let mut lower: SmallVec<[u8; 128]> = SmallVec::from_slice(name);
                lower.make_ascii_lowercase();
                services.get(lower.as_slice())
            }
            (Services::ByName(_), None) => None,
        };
        found.unwrap_or(&self.stray)
    }
}

impl ServiceView {
    fn new(spec: &ListenerSpec, host: &str, routes: Option<&RoutesSpec>, clusters: &Clusters) -> Self {
        let labels = |route: &str| RequestKey {
            listener: spec.model.name.as_str().into(),
            protocol: spec.protocol.clone(),
            service: host.into(),
            route: route.into(),
            method: "-".into(),
        };
        let default = spec.properties.request_timeout;
        let view = |(index, route): (usize, &model::Route)| {
            let retries = route.retries.as_ref().map(|retries| RetriesView {
                route: index,
                attempts: retries.attempts,
                per_try_timeout: retries.per_try_timeout,
            });
            RouteView { retries, ..RouteView::new(route, labels(&route.name), default, clusters) }
        };
        let views = |routes: &RoutesSpec| routes.model.routes.iter().enumerate().map(view).collect();
        Self {
            listener: spec.model.name.as_str().into(),
            protocol: spec.protocol.clone(),
            host: host.into(),
            is_known: true,
            table: routes.map(|routes| Table::clone(&routes.table)),
            buckets: routes.and_then(|routes| routes.buckets.clone()),
            routes: routes.map(views).unwrap_or_default(),
            traced: None,
            unmatched: SeriesByMethod::new(labels("-")),
            source: routes.cloned(),
        }
    }

    /// Whether it is what `service` asks for.
    fn serves(&self, service: &super::ServiceSpec) -> bool {
        let same_routes = match (&self.source, &service.routes) {
            (Some(old), Some(new)) => {
                Arc::ptr_eq(&old.table, &new.table) && Arc::ptr_eq(&old.model, &new.model)
            }
            (None, None) => true,
            _ => false,
        };
        same_routes && *self.host == service.model.host
    }
}

impl Traced {
    fn new(table: &Table, properties: &Properties, limit: usize) -> Self {
        let names = TraceId::NAMES.map(|name| Attribute::new(properties, name));
        let from = table.wanted().len();
        Self { wanted: table.wanted().iter().cloned().chain(names).collect(), from, limit }
    }
}

impl RouteView {
    fn new(route: &model::Route, labels: RequestKey, default_timeout: Duration, clusters: &Clusters) -> Self {
        let target = |name: &String| clusters.get(name).cloned().ok_or_else(|| name.as_str().into());
        let targets = match &route.action {
            RouteAction::Misconfigured(reason) => Targets::Misconfigured(reason.clone()),
            RouteAction::Clusters(targets) => match targets.as_slice() {
                [one] => Targets::One(target(&one.name)),
                several => Targets::Weighted(
                    several
                        .iter()
                        .scan(0, |bound, one| {
                            *bound += one.weight;
                            Some((*bound, target(&one.name)))
                        })
                        .collect(),
                ),
            },
        };
        let mirror = route.mirror.as_ref().and_then(|mirror| {
            let cluster = clusters.get(&mirror.cluster)?.clone();
            Some(MirrorView { millionths: mirror.millionths, writes_only: mirror.writes_only, cluster })
        });
        Self {
            name: labels.route.clone(),
            targets,
            mirror,
            timeout: route.timeout.unwrap_or(default_timeout),
            edits: edits(route),
            retries: None,
            series: SeriesByMethod::new(labels),
        }
    }
}

fn edits(route: &model::Route) -> SharedEdits {
    let edits = Edits { request: route.request_mutation.clone(), response: route.response_mutation.clone() };
    (edits != Edits::default()).then(|| Rc::new(edits))
}

impl SeriesByMethod {
    fn new(labels: RequestKey) -> Self {
        Self { labels, known: RefCell::default() }
    }

    /// The series of `method`; `None`: the message has none.
    pub fn get(&self, method: Option<&[u8]>, local: &Local) -> Rc<Tally> {
        let method = method.unwrap_or(b"-");
        let mut known = self.known.borrow_mut();
        if let Some(series) = known.get(method) {
            return series.clone();
        }
        let is_full = known.len() >= METHODS;
        let name = if is_full { "other".into() } else { String::from_utf8_lossy(method) };
        let key = RequestKey { method: name.as_ref().into(), ..self.labels.clone() };
        let series = Tally::new(local.telemetry().requests(local.worker(), key));
        if !is_full {
            known.insert(method.into(), series.clone());
        }
        series
    }
}
