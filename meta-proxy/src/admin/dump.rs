//! What is in force, as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::model::{
    AttributeMatcher, Discovery, LoadBalancing, Matcher, Mirror, Route, RouteAction, ValueMatcher,
    WeightedCluster,
};
use crate::snapshot::ClusterSpec;
use crate::telemetry::{Counter, EndpointSeries, Outcome, Telemetry};
use crate::xds::Entry;

use super::{Published, health};

/// Every resource in force, with its version and where it came from, and every one that was refused.
pub fn config(published: &Published) -> Value {
    let state = &published.state;
    let listeners = state.listeners().map(|entry| {
        let model = &entry.value.model;
        let services = model
            .services
            .iter()
            .map(|service| json!({ "name": service.name, "host": service.host, "routes": service.routes }));
        let bound = match published.addresses.get(&model.name) {
            Some(Ok(address)) => address.to_string(),
            Some(Err(error)) => error.clone(),
            None => "not bound yet".to_owned(),
        };
        let value = json!({
            "name": model.name,
            "address": model.address.to_string(),
            "bound": bound,
            "protocol": model.protocol,
            "idle_timeout_ms": model.idle_timeout.map(|time| time.as_millis() as u64),
            "services": services.collect::<Vec<_>>(),
        });
        described(entry, value)
    });
    let routes = state.routes().map(|entry| {
        let model = &entry.value.model;
        let routes: Vec<_> = model.routes.iter().map(route).collect();
        described(entry, json!({ "name": model.name, "routes": routes }))
    });
    let clusters = state.clusters().map(|entry| {
        let model = &entry.value.model;
        let discovery = match &model.discovery {
            Discovery::Assigned(name) => json!({ "endpoints": name }),
            Discovery::Dns(names) => {
                json!({ "dns": names.iter().map(ToString::to_string).collect::<Vec<_>>() })
            }
        };
        let value = json!({
            "name": model.name,
            "protocol": model.protocol,
            "discovery": discovery,
            "balancing": balancing(&model.balancing),
            "connect_timeout_ms": model.connect_timeout.as_millis() as u64,
            "idle_timeout_ms": model.idle_timeout.map(|time| time.as_millis() as u64),
            "max_connections": model.limits.max_connections,
            "max_pending": model.limits.max_pending,
            "max_requests": model.limits.max_requests,
            "health": health::policy(&model.health),
        });
        described(entry, value)
    });
    let refused = state.refused().map(|((kind, name), refused)| {
        let mistakes: Vec<_> = refused.mistakes.iter().map(ToString::to_string).collect();
        json!({ "type": kind.to_string(), "name": name, "version": refused.version, "mistakes": mistakes })
    });
    json!({
        "listeners": listeners.collect::<Vec<_>>(),
        "routes": routes.collect::<Vec<_>>(),
        "clusters": clusters.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
    })
}

fn balancing(kind: &LoadBalancing) -> Value {
    match kind {
        LoadBalancing::LeastRequest => json!("least request"),
        LoadBalancing::Random => json!("random"),
        LoadBalancing::RoundRobin => json!("round robin"),
        LoadBalancing::RingHash { attribute, minimum_ring_size } => {
            json!({ "ring_hash": { "attribute": attribute, "minimum_ring_size": minimum_ring_size } })
        }
        LoadBalancing::Maglev { attribute, table_size } => {
            json!({ "maglev": { "attribute": attribute, "table_size": table_size } })
        }
    }
}

fn described<T>(entry: &Entry<T>, mut value: Value) -> Value {
    value["version"] = json!(entry.version);
    value["origins"] = entry.origins.iter().map(ToString::to_string).collect();
    value
}

fn route(route: &Route) -> Value {
    let to = match &route.action {
        RouteAction::Misconfigured(reason) => json!({ "misconfigured": reason }),
        RouteAction::Clusters(clusters) => clusters.iter().map(weighted).collect(),
    };
    json!({
        "name": route.name,
        "match": route.matchers.iter().map(condition).collect::<Vec<_>>(),
        "to": to,
        "mirror": route.mirror.as_ref().map(mirror),
        "timeout_ms": route.timeout.map(|time| time.as_millis() as u64),
    })
}

fn mirror(mirror: &Mirror) -> Value {
    json!({
        "cluster": mirror.cluster,
        "millionths": mirror.millionths,
        "writes_only": mirror.writes_only,
    })
}

fn weighted(cluster: &WeightedCluster) -> Value {
    json!({ "cluster": cluster.name, "weight": cluster.weight })
}

fn condition(matcher: &AttributeMatcher) -> Value {
    let value = |value: &ValueMatcher| match value {
        ValueMatcher::Exact(text) => json!({ "exact": text }),
        ValueMatcher::Prefix(text) => json!({ "prefix": text }),
        ValueMatcher::Regex(text) => json!({ "regex": text }),
        ValueMatcher::Present(present) => json!({ "present": present }),
    };
    let is = match &matcher.matcher {
        Matcher::Is(matcher) => value(matcher),
        Matcher::Not(matcher) => json!({ "not": value(matcher) }),
    };
    json!({ "attribute": matcher.name, "is": is })
}

/// Every cluster, what it uses of its limits, and what each of its endpoints does.
pub fn clusters(published: &Published, telemetry: &Telemetry) -> Value {
    let all = telemetry.all_endpoints();
    let now = Instant::now();
    let cluster = |(name, spec): (&String, &ClusterSpec)| {
        let (usage, limits) = (&spec.settings.usage, &spec.settings.model.limits);
        let members: BTreeMap<_, _> = usage.roster.members(name, now).into_iter().collect();
        let endpoints = spec.endpoints.iter().map(|endpoint| {
            let address = endpoint.address.to_string();
            let series = all.iter().find(|(key, _)| *key.cluster == **name && *key.endpoint == *address);
            let sum = |read: fn(&EndpointSeries) -> &Counter| {
                series.map_or(0, |(_, all)| all.iter().map(|one| read(one).get()).sum::<u64>())
            };
            json!({
                "address": address,
                "active": sum(|one| &one.active),
                "connections": sum(|one| &one.connections),
                "connect_failures": sum(|one| &one.connect_failures),
                "timeouts": sum(|one| &one.timeouts),
                "lost": sum(|one| &one.lost),
                "ok": sum(|one| &one.responses[0]),
                "health": members.get(&endpoint.address).map(|member| health::member(member, now)),
            })
        });
        json!({
            "name": name,
            "panic": usage.roster.panics(),
            "endpoints": endpoints.collect::<Vec<_>>(),
            "limits": {
                "connections": { "limit": limits.max_connections, "used": usage.connections.used() },
                "pending": { "limit": limits.max_pending, "used": usage.pending.used() },
                "requests": { "limit": limits.max_requests, "used": usage.requests.used() },
            },
        })
    };
    published.snapshot.clusters.iter().map(cluster).collect()
}

/// Every service's routes in order, with how often each was taken.
pub fn routes(published: &Published, telemetry: &Telemetry) -> Value {
    let mut taken: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for (key, series) in telemetry.all_requests() {
        let count: u64 =
            series.iter().map(|one| Outcome::all().map(|outcome| one.count(outcome)).sum::<u64>()).sum();
        *taken
            .entry((key.listener.to_string(), key.service.to_string(), key.route.to_string()))
            .or_default() += count;
    }
    let mut services = Vec::new();
    for listener in published.snapshot.listeners.values() {
        for service in &listener.services {
            let count = |name: &str| {
                let key = (listener.model.name.clone(), service.model.host.clone(), name.to_owned());
                taken.get(&key).copied().unwrap_or_default()
            };
            let routes = service.routes.iter().flat_map(|routes| &routes.model.routes).map(|one| {
                let mut value = route(one);
                value["requests"] = json!(count(&one.name));
                value
            });
            services.push(json!({
                "listener": listener.model.name,
                "service": service.model.host,
                "arrived": service.routes.is_some(),
                "routes": routes.collect::<Vec<_>>(),
                "unmatched": count("-"),
            }));
        }
    }
    Value::Array(services)
}
