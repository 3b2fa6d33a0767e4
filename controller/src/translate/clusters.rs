//! The clusters that routes need, and the subsets that `DestinationRule`s name, with their endpoints.
//!
//! Subsets come before a route needs them, so that a route that changes to one finds it there.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::model::{Action, Cluster, ClusterId, Discovery, Endpoints, Settings, Traced};
use super::report::Report;
use super::routers::Routers;
use super::routes::Routes;
use super::rules::{Rule, Rules};
use super::services::{Endpoint, Port, Service, Services};
use crate::tree::FieldPath;

/// All of them, by name.
#[derive(Debug, Default)]
pub(crate) struct Clusters {
    pub(crate) clusters: Vec<Traced<Cluster>>,
    pub(crate) endpoints: Vec<Traced<Endpoints>>,
}

pub(crate) fn all(
    services: &Services<'_>,
    rules: &Rules<'_>,
    routers: &Routers<'_>,
    tables: &Routes,
    report: &mut Report,
) -> Clusters {
    let actions = tables
        .configurations
        .iter()
        .chain(&tables.otherwise)
        .flat_map(|table| &table.value.routes)
        .map(|route| &route.action);
    let mut needed: BTreeSet<ClusterId> = actions.flat_map(Action::clusters).cloned().collect();
    for service in services.iter() {
        if let Some(rule) = rules.get(service.host) {
            warn_of_empty_subsets(service, rule, report);
            let ids = service.ports.iter().flat_map(|port| {
                let id = |subset: &&str| ClusterId {
                    host: service.host.to_owned(),
                    port: port.number,
                    subset: (*subset).to_owned(),
                };
                rule.subsets.keys().map(id).collect::<Vec<_>>()
            });
            needed.extend(ids);
        }
    }
    let mut all = Clusters::default();
    for id in needed {
        if rules.refusal(&id).is_some() {
            continue;
        }
        let service =
            services.find(&id.host, "").expect("a cluster is only made of a service that was found");
        let port = service.port(id.port).expect("a cluster is only made of a port that was found");
        all.add(&id, (service, port), rules.get(service.host), routers);
    }
    all
}

fn warn_of_empty_subsets(service: &Service<'_>, rule: &Rule<'_>, report: &mut Report) {
    let endpoints: Vec<&Endpoint> = service.ports.iter().flat_map(|port| &port.endpoints).collect();
    for (name, subset) in &rule.subsets {
        if !endpoints.is_empty() && !endpoints.iter().any(|endpoint| subset.selects(&endpoint.labels)) {
            let message = format!("subset {name} selects no endpoint of host {}", service.host);
            report.warning(rule.object, &subset.path.field("labels"), message);
        }
    }
}

impl Clusters {
    fn add(
        &mut self,
        id: &ClusterId,
        (service, port): (&Service<'_>, &Port),
        rule: Option<&Rule<'_>>,
        routers: &Routers<'_>,
    ) {
        let subset = rule.and_then(|rule| rule.subsets.get(id.subset.as_str()));
        let chosen = port
            .endpoints
            .iter()
            .filter(|endpoint| subset.is_none_or(|subset| subset.selects(&endpoint.labels)));
        let settings = rule.map_or_else(Settings::default, |rule| rule.settings_of(&id.subset).clone());
        let mut origins = vec![service.object.origin(&port.path)];
        let discovery = if service.is_dns {
            Discovery::Dns(chosen.map(|endpoint| (endpoint.address.clone(), endpoint.port)).collect())
        } else {
            let address =
                |endpoint: &Endpoint| Some(SocketAddr::new(endpoint.address.parse().ok()?, endpoint.port));
            let endpoints = Endpoints { name: id.name(), addresses: chosen.filter_map(address).collect() };
            let (origins, exports) = (origins.clone(), service.exports.clone());
            self.endpoints.push(Traced { value: endpoints, origins, exports, reach: None });
            Discovery::Assigned
        };
        origins.extend(routers.origin_of_options(service.host, |options| options.upstream.is_some()));
        if let Some(rule) = rule {
            origins
                .push(rule.object.origin(&subset.map_or_else(FieldPath::root, |subset| subset.path.clone())));
        }
        let value = Cluster {
            name: id.name(),
            host: service.host.to_owned(),
            codec: port.protocol.codec.clone(),
            options: routers.upstream_options(service.host, &port.protocol.options),
            discovery,
            settings,
            health_check: routers.health_check(service.host).cloned(),
        };
        self.clusters.push(Traced { value, origins, exports: service.exports.clone(), reach: None });
    }
}
