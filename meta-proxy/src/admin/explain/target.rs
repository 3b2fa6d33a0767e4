//! A cluster that a route leads to: how it chooses, what it allows, and its endpoints.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;
use tokio::time::Instant;

use crate::admin::Published;
use crate::model::{self, Discovery, Limits, LoadBalancing};

use super::{Sight, health, tls};

/// Endpoints of a cluster that are named.
pub const ENDPOINTS_SHOWN: usize = 1000;

/// A cluster that a route leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// Its name.
    pub cluster: String,
    /// Its share of the requests in percent; `None`: it is the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// The subset that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Whether there is such a cluster.
    pub is_known: bool,
    /// How an endpoint is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balancing: Option<String>,
    /// How its connections are encrypted; `None`: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// By what its endpoints are judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub judged: Vec<String>,
    /// What it allows at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// The names that are looked up for endpoints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<String>,
    /// Its endpoints; `None`: they are looked up, and nothing runs that has done so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<Endpoint>>,
    /// How many there are besides.
    pub more_endpoints: usize,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Where it listens.
    pub address: String,
    /// Why others are preferred to it; of a running proxy only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<String>,
}

/// Where copies go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mirror {
    /// Which share, and of what.
    pub share: String,
    /// Where to.
    pub to: Target,
}

/// What is known of a mirror.
pub(super) fn mirror(sight: &Sight<'_>, mirror: &model::Mirror) -> Mirror {
    let what = if mirror.writes_only { " of what changes data" } else { "" };
    let share = format!("{} %{what}", f64::from(mirror.millionths) / 10_000.0);
    Mirror { share, to: target(sight, &mirror.cluster, None) }
}

/// What is known of a cluster.
pub(super) fn target(sight: &Sight<'_>, name: &str, weight: Option<u32>) -> Target {
    let subset = ::xds::names::parse_cluster(name).map(|name| name.subset.to_owned());
    let known = sight.state.clusters().find(|entry| entry.value.model.name == name);
    let mut target = Target {
        cluster: name.to_owned(),
        weight,
        subset: subset.filter(|subset| !subset.is_empty()),
        is_known: known.is_some(),
        balancing: None,
        tls: None,
        judged: Vec::new(),
        limits: Vec::new(),
        dns: Vec::new(),
        endpoints: None,
        more_endpoints: 0,
    };
    if let Some(entry) = known {
        describe(sight, &entry.value.model, &mut target);
    }
    target
}

fn describe(sight: &Sight<'_>, model: &model::Cluster, target: &mut Target) {
    target.balancing = Some(balancing(&model.balancing));
    target.tls = model.tls.as_ref().map(tls::upstream);
    target.judged = health::policies(&model.health);
    target.limits = limits(&model.limits);
    if let Discovery::Dns(names) = &model.discovery {
        target.dns = names.iter().map(ToString::to_string).collect();
    }
    let all = match (&sight.live, &model.discovery) {
        (Some((published, _)), _) => {
            published.snapshot.clusters.get(&model.name).map(|spec| &*spec.endpoints).unwrap_or_default()
        }
        (None, Discovery::Dns(_)) => return,
        (None, Discovery::Assigned(_)) => {
            sight.state.endpoints_of(model).map(|entry| entry.value.endpoints.as_slice()).unwrap_or_default()
        }
    };
    let out = sight.live.as_ref().map(|(published, _)| out_of(published, &model.name)).unwrap_or_default();
    let endpoint = |endpoint: &model::Endpoint| {
        let learned =
            sight.live.as_ref().map(|(_, standings)| standings.words(&model.name, endpoint.address));
        let why = out.get(&endpoint.address).cloned();
        Endpoint {
            address: endpoint.address.to_string(),
            state: learned.unwrap_or_default().into_iter().chain(why).collect(),
        }
    };
    target.endpoints = Some(all.iter().take(ENDPOINTS_SHOWN).map(endpoint).collect());
    target.more_endpoints = all.len().saturating_sub(ENDPOINTS_SHOWN);
}

/// Why endpoints of a running proxy's cluster get no requests.
fn out_of(published: &Published, cluster: &str) -> BTreeMap<SocketAddr, String> {
    let Some(spec) = published.snapshot.clusters.get(cluster) else { return BTreeMap::new() };
    let now = Instant::now();
    let members = spec.settings.usage.roster.members(cluster, now).into_iter();
    members.filter_map(|(address, member)| Some((address, member.why(now)?))).collect()
}

fn balancing(balancing: &LoadBalancing) -> String {
    match balancing {
        LoadBalancing::LeastRequest => "least request".to_owned(),
        LoadBalancing::Random => "drawn at random".to_owned(),
        LoadBalancing::RoundRobin => "round robin".to_owned(),
        LoadBalancing::RingHash { attribute, .. } => format!("hashed by {attribute} (ring)"),
        LoadBalancing::Maglev { attribute, .. } => format!("hashed by {attribute} (Maglev)"),
    }
}

fn limits(limits: &Limits) -> Vec<String> {
    let all = [
        (limits.max_connections, "connections"),
        (limits.max_pending, "waiting requests"),
        (limits.max_requests, "outstanding requests"),
        (limits.max_retries, "retries"),
    ];
    all.into_iter().filter_map(|(limit, what)| Some(format!("{} {what}", limit?))).collect()
}
