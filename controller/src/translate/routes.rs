//! What the routes of a host mean, for each of its ports.
//!
//! A route that cannot be served as written stays in its place and answers why; a route whose conditions cannot be read
//! is left out, since nobody can say which requests it was for.

use std::time::Duration;

use crds::rules::{CHOICE_WITHOUT_MIRROR, PERCENTAGE, SHARE_WITHOUT_MIRROR, WEIGHTS};
use crds::{Destination, KeyValue, MetaRouterSpec, MirrorRequests, Percent};

use super::model::{Action, ClusterId, Mirror, Route, RouteConfiguration, Traced};
use super::report::Report;
use super::routers::Routers;
use super::rules::Rules;
use super::services::{Port, Service, Services};
use super::{duration, matchers};
use crate::nearest;
use crate::object::Object;
use crate::status::{Finding, Reason};
use crate::tree::FieldPath;

/// All requests, in the unit of a mirror's share.
const ALL_IN_MILLIONTHS: u32 = 1_000_000;

/// Bytes of the name of an attribute that a route sets, and of its value.
const KEY_LIMIT: usize = 256;
const VALUE_LIMIT: usize = 16 * 1024;

/// What the route of a host without routes of its own is called.
const DEFAULT_ROUTE: &str = "default";

/// The routes of all ports.
#[derive(Debug)]
pub(crate) struct Routes {
    pub(crate) configurations: Vec<Traced<RouteConfiguration>>,
    /// Those of the same names for clients who may see the host, but not the routes of its `MetaRouter`.
    pub(crate) otherwise: Vec<Traced<RouteConfiguration>>,
}

pub(crate) fn all(
    services: &Services<'_>,
    rules: &Rules<'_>,
    routers: &Routers<'_>,
    report: &mut Report,
) -> Routes {
    let (mut configurations, mut otherwise) = (Vec::new(), Vec::new());
    for service in services.iter() {
        let exports = routers.exports(service);
        for port in &service.ports {
            let reach = routers.reach(service.host);
            if !exports.includes(&service.exports) || reach.is_some_and(|reach| !reach.is_for_mesh) {
                otherwise.push(without_router(service, port));
            }
            let name = xds::names::route_config(service.host, port.number);
            let rate_limit = routers.rate_limit(service.host).cloned();
            let mut all = Traced {
                value: RouteConfiguration { name, routes: Vec::new(), rate_limit },
                origins: Vec::new(),
                exports: exports.clone(),
                reach: reach.cloned(),
            };
            match routers.get(service.host) {
                Some(router) if !router.spec.routes.is_empty() => {
                    let mut reader =
                        Reader { router, port: Some(port), services, rules, routers, report, problem: None };
                    for (path, route) in reader.routes() {
                        all.value.routes.push(route);
                        all.origins.push(router.origin(&path));
                    }
                }
                _ => {
                    let mut route = default_route(service, port);
                    if let Some(why) = routers.why_unlimited(service.host) {
                        route.action = Action::Misconfigured(why.to_owned());
                    }
                    all.value.routes.push(route);
                    all.origins.push(service.object.origin(&port.path));
                }
            }
            if let Some(router) = routers.get(service.host).filter(|_| all.value.rate_limit.is_some()) {
                all.origins.push(router.origin(&FieldPath::spec().field("localRateLimit")));
            }
            configurations.push(all);
        }
    }
    for route in configurations.iter_mut().chain(&mut otherwise).flat_map(|one| &mut one.value.routes) {
        let refusal = route.action.clusters().find_map(|id| rules.refusal(id));
        if let Some(refusal) = refusal {
            route.action = Action::Misconfigured(refusal);
        }
    }
    for (router, host) in routers.idle() {
        let service = host.and_then(|host| services.find(host, ""));
        let ports = service.map_or_else(|| vec![None], |service| service.ports.iter().map(Some).collect());
        for port in ports {
            Reader { router, port, services, rules, routers, report, problem: None }.routes();
        }
    }
    Routes { configurations, otherwise }
}

/// The routes of a host without a `MetaRouter`.
fn without_router(service: &Service<'_>, port: &Port) -> Traced<RouteConfiguration> {
    let name = xds::names::route_config(service.host, port.number);
    Traced {
        value: RouteConfiguration { name, routes: vec![default_route(service, port)], rate_limit: None },
        origins: vec![service.object.origin(&port.path)],
        exports: service.exports.clone(),
        reach: None,
    }
}

fn default_route(service: &Service<'_>, port: &Port) -> Route {
    let cluster = ClusterId { host: service.host.to_owned(), port: port.number, subset: String::new() };
    let action = Action::Forward {
        clusters: vec![(cluster, 100)],
        mirror: None,
        timeout: None,
        request_mutation: Vec::new(),
        response_mutation: Vec::new(),
        retries: None,
    };
    Route { name: DEFAULT_ROUTE.to_owned(), matchers: Vec::new(), action }
}

/// Reads the routes of one `MetaRouter` for one port.
pub(super) struct Reader<'r, 'a> {
    pub(super) router: &'a Object<MetaRouterSpec>,
    /// `None`: the host is not served. Then destinations are not looked for, since nobody knows in which port's name.
    port: Option<&'r Port>,
    services: &'r Services<'a>,
    rules: &'r Rules<'a>,
    routers: &'r Routers<'a>,
    pub(super) report: &'r mut Report,
    /// The first mistake of the route that is being read, in the words of its local reply.
    problem: Option<String>,
}

impl Reader<'_, '_> {
    /// All that can be read, and where each stands.
    fn routes(&mut self) -> Vec<(FieldPath, Route)> {
        let mut read = Vec::new();
        let mut takes_all = None;
        for (i, route) in self.router.spec.routes.iter().enumerate() {
            let path = FieldPath::spec().field("routes").index(i);
            if let Some(first) = takes_all {
                let message = format!(
                    "is never reached: spec.routes[{first}] has no conditions and takes every request"
                );
                self.report.warning(self.router, &path, message);
            } else if route.matches.as_ref().is_none_or(|matches| matches.attributes.is_empty()) {
                takes_all = Some(i);
            }
            read.extend(self.route(i).map(|route| (path, route)));
        }
        read
    }

    fn route(&mut self, i: usize) -> Option<Route> {
        let route = &self.router.spec.routes[i];
        let path = FieldPath::spec().field("routes").index(i);
        let conditions =
            matchers::read(self.router, route.matches.as_ref(), &path.field("match"), self.report);
        self.problem = None;
        let clusters = self.clusters(i, &path.field("route"));
        let mirror = self.mirror(i, &path);
        let timeout = route.timeout.as_deref().and_then(|text| self.timeout(text, &path.field("timeout")));
        let request_mutation = self.mutation(&route.request_mutation, &path.field("requestMutation"));
        let response_mutation = self.mutation(&route.response_mutation, &path.field("responseMutation"));
        let retries = self.retries(route, timeout, &path.field("retries"));
        let action = match self.problem.take() {
            Some(problem) => Action::Misconfigured(problem),
            None => {
                Action::Forward { clusters, mirror, timeout, request_mutation, response_mutation, retries }
            }
        };
        let name =
            route.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| format!("routes[{i}]"));
        Some(Route { name, matchers: conditions?, action })
    }

    /// Notes a mistake, which is what the route then answers.
    pub(super) fn problem(&mut self, path: &FieldPath, finding: impl Into<Finding>) {
        let finding = finding.into();
        self.note_problem(path, &finding.text);
        self.report.error(self.router, path, finding);
    }

    /// Notes a mistake that has been reported, which is what the route then answers.
    pub(super) fn note_problem(&mut self, path: &FieldPath, message: &str) {
        self.problem.get_or_insert_with(|| format!("{}: {path}: {message}", self.router.key));
    }

    /// What a route sets in messages. Whether their protocol has a place for it is the proxy's to judge.
    fn mutation(&mut self, keys: &[KeyValue], path: &FieldPath) -> Vec<(String, String)> {
        for (i, one) in keys.iter().enumerate() {
            let path = path.index(i);
            if one.key.is_empty() {
                self.problem(&path.field("key"), "must not be empty".to_owned());
            } else if let Some(first) =
                keys[..i].iter().position(|other| other.key.eq_ignore_ascii_case(&one.key))
            {
                let message =
                    format!("[{first}] sets {} too: keys are the same whatever their case", one.key);
                self.problem(&path.field("key"), message);
            }
            for (field, value, limit) in [("key", &one.key, KEY_LIMIT), ("value", &one.value, VALUE_LIMIT)] {
                if value.len() > limit {
                    self.problem(&path.field(field), format!("is longer than {limit} bytes"));
                }
            }
        }
        keys.iter().map(|one| (one.key.clone(), one.value.clone())).collect()
    }

    fn clusters(&mut self, i: usize, path: &FieldPath) -> Vec<(ClusterId, u32)> {
        let destinations = &self.router.spec.routes[i].route;
        if destinations.is_empty() {
            self.problem(path, "must hold at least one destination".to_owned());
        }
        let is_alone = destinations.len() == 1;
        let mut sum = 0_u32;
        let mut clusters = Vec::new();
        for (i, destination) in destinations.iter().enumerate() {
            let weight = if is_alone { 100 } else { destination.weight.unwrap_or(0) };
            sum = sum.saturating_add(weight);
            let cluster = self.cluster(&destination.destination, &path.index(i).field("destination"));
            if let Some(cluster) = cluster.filter(|_| weight > 0) {
                clusters.push((cluster, weight));
            }
        }
        if sum != 100 && !destinations.is_empty() {
            let last = path.index(destinations.len() - 1).field("weight");
            self.problem(&last, format!("{WEIGHTS}, not {sum}"));
        }
        clusters
    }

    /// The cluster of a destination, which stands at `path`.
    fn cluster(&mut self, destination: &Destination, path: &FieldPath) -> Option<ClusterId> {
        let own = self.port?;
        let namespace = &self.router.key.namespace;
        let Some(service) = self.services.find(&destination.host, namespace) else {
            let message = self.services.why_not(&destination.host, namespace);
            self.problem(&path.field("host"), message);
            return None;
        };
        self.warn_of_strangers(service, &path.field("host"));
        let number = destination.port.as_ref().map_or(own.number, |port| port.number);
        let Some(port) = service.port(number) else {
            let known: Vec<String> = service.ports.iter().map(|port| port.number.to_string()).collect();
            let message = match destination.port {
                Some(_) => format!("host {} has no such port; it has {}", service.host, known.join(", ")),
                None => format!(
                    "host {} has no port {number}, which the request came for; set destination.port.number to {}",
                    service.host,
                    known.join(" or ")
                ),
            };
            self.problem(&path.field("port"), Reason::BackendNotFound.says(message));
            return None;
        };
        if port.protocol.codec != own.protocol.codec {
            let (theirs, ours) = (&port.protocol.codec, &own.protocol.codec);
            let message = format!("port {number} of host {} speaks {theirs}, not {ours}", service.host);
            self.problem(&path.field("port"), message);
            return None;
        }
        let subset = destination.subset.clone().unwrap_or_default();
        if !subset.is_empty()
            && let Err(message) = self.subset(service.host, &subset)
        {
            self.problem(&path.field("subset"), Reason::SubsetNotFound.says(message));
            return None;
        }
        Some(ClusterId { host: service.host.to_owned(), port: number, subset })
    }

    /// Says so where clients who see these routes may not see the host that they lead to.
    fn warn_of_strangers(&mut self, service: &Service<'_>, path: &FieldPath) {
        let Some(own) = self.router.spec.hosts.first() else { return };
        let Some(routed) = self.services.find(own, &self.router.key.namespace) else { return };
        if self.routers.get(routed.host).is_none_or(|serving| !std::ptr::eq(serving, self.router)) {
            return;
        }
        let clients = self.routers.exports(routed);
        if !service.exports.includes(&clients) {
            let message = format!(
                "host {} is exported to {}; other clients get an error, and these routes are exported to {}",
                service.host,
                service.exports.describe(),
                clients.describe()
            );
            self.report.warning(self.router, path, message);
        }
    }

    fn subset(&self, host: &str, subset: &str) -> Result<(), String> {
        let Some(rule) = self.rules.get(host) else {
            return Err(format!("no DestinationRule applies to host {host}, so it has no subset {subset}"));
        };
        if rule.subsets.contains_key(subset) {
            return Ok(());
        }
        let known: Vec<&str> = rule.subsets.keys().copied().collect();
        let hint = nearest::hint(subset, known.iter().copied());
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(format!("{} defines no subset {subset}{hint}; it defines {known}", rule.object.describe()))
    }

    fn mirror(&mut self, i: usize, path: &FieldPath) -> Option<Mirror> {
        let route = &self.router.spec.routes[i];
        let share = route.mirror_percentage.map_or(Ok(ALL_IN_MILLIONTHS), millionths);
        let share = share.unwrap_or_else(|message| {
            self.problem(&path.field("mirrorPercentage").field("value"), message);
            ALL_IN_MILLIONTHS
        });
        let Some(mirror) = &route.mirror else {
            if route.mirror_percentage.is_some() {
                self.problem(&path.field("mirrorPercentage"), SHARE_WITHOUT_MIRROR);
            }
            if route.mirror_requests.is_some() {
                self.problem(&path.field("mirrorRequests"), CHOICE_WITHOUT_MIRROR);
            }
            return None;
        };
        let writes_only = route.mirror_requests == Some(MirrorRequests::Writes);
        let cluster = self.cluster(mirror, &path.field("mirror"))?;
        Some(Mirror { cluster, millionths: share, writes_only })
    }

    pub(super) fn timeout(&mut self, text: &str, path: &FieldPath) -> Option<Duration> {
        duration::parse(text).map_err(|message| self.problem(path, message)).ok()
    }
}

fn millionths(percent: Percent) -> Result<u32, String> {
    let value = percent.value;
    if !(value > 0.0 && value <= 100.0) {
        return Err(format!("{PERCENTAGE}, not {value}"));
    }
    let millionths = (value * 10_000.0).round();
    if millionths < 1.0 {
        return Err(format!("{value} is finer than 0.0001, the finest share"));
    }
    Ok(millionths as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_counted_in_millionths() {
        let rows = [
            (100.0, Some(1_000_000)),
            (12.5, Some(125_000)),
            (0.0001, Some(1)),
            (0.00001, None),
            (0.0, None),
        ];
        for (value, expected) in rows {
            assert_eq!(millionths(Percent { value }).ok(), expected, "{value}");
        }
        for value in [-1.0, 100.1, f64::NAN] {
            assert!(millionths(Percent { value }).is_err(), "{value}");
        }
    }
}
