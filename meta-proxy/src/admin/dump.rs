//! What is in force, as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::error::Flag;
use crate::model::{
    AttributeMatcher, Discovery, LoadBalancing, Matcher, Mirror, RateLimit, Retries, Route, RouteAction,
    TokenBucket, ValueMatcher, WeightedCluster,
};
use crate::snapshot::ClusterSpec;
use crate::telemetry::{Counter, EndpointSeries, Outcome, Telemetry};
use crate::xds::Entry;

use super::standing::Standings;
use super::{Published, health, secrets};

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
            "tls": model.tls.as_ref().map(secrets::downstream),
            "services": services.collect::<Vec<_>>(),
        });
        described(entry, value)
    });
    let routes = state.routes().map(|entry| {
        let model = &entry.value.model;
        let routes: Vec<_> = model.routes.iter().map(route).collect();
        let rate_limit = model.rate_limit.as_ref().map(|limit| rate_limit(limit, |_| None));
        described(entry, json!({ "name": model.name, "routes": routes, "rate_limit": rate_limit }))
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
            "max_retries": model.limits.max_retries,
            "health": health::policy(&model.health),
            "tls": model.tls.as_ref().map(secrets::upstream),
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
        "retries": route.retries.as_ref().map(retries),
    })
}

fn retries(retries: &Retries) -> Value {
    let all = |matchers: &Vec<AttributeMatcher>| matchers.iter().map(condition).collect::<Value>();
    json!({
        "attempts": retries.attempts,
        "per_try_timeout_ms": retries.per_try_timeout.map(|time| time.as_millis() as u64),
        "idempotent": retries.idempotent.iter().map(all).collect::<Value>(),
    })
}

/// A rate limit, and the tokens that are in the bucket of each condition, and of none, where somebody knows.
fn rate_limit(limit: &RateLimit, tokens: impl Fn(Option<usize>) -> Option<u32>) -> Value {
    let bucket = |bucket: &TokenBucket, tokens: Option<u32>| {
        let mut value = json!({
            "max_tokens": bucket.max_tokens,
            "tokens_per_fill": bucket.tokens_per_fill,
            "fill_interval_ms": bucket.fill_interval.as_millis() as u64,
        });
        if let Some(tokens) = tokens {
            value["tokens"] = json!(tokens);
        }
        value
    };
    let conditions = limit.conditions.iter().enumerate().map(|(index, one)| {
        let matchers: Vec<_> = one.matchers.iter().map(condition).collect();
        json!({ "match": matchers, "bucket": bucket(&one.bucket, tokens(Some(index))) })
    });
    json!({
        "conditions": conditions.collect::<Vec<_>>(),
        "bucket": limit.default.as_ref().map(|default| bucket(default, tokens(None))),
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
    let standings = Standings::of(telemetry);
    let now = Instant::now();
    let cluster = |(name, spec): (&String, &ClusterSpec)| {
        let (usage, limits) = (&spec.settings.usage, &spec.settings.model.limits);
        let members: BTreeMap<_, _> = usage.roster.members(name, now).into_iter().collect();
        let endpoints = spec.endpoints.iter().map(|endpoint| {
            let series = standings.series(name, endpoint.address);
            let sum =
                |read: fn(&EndpointSeries) -> &Counter| series.iter().map(|one| read(one).get()).sum::<u64>();
            json!({
                "address": endpoint.address.to_string(),
                "state": standings.words(name, endpoint.address),
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
                "retries": { "limit": limits.max_retries, "used": usage.retries.used() },
            },
        })
    };
    published.snapshot.clusters.iter().map(cluster).collect()
}

/// Every service's routes in order, with how often each was taken.
pub fn routes(published: &Published, telemetry: &Telemetry) -> Value {
    // What passed, and what was refused by the rate limit, by listener, service and route.
    let mut taken: BTreeMap<(String, String, String), (u64, u64)> = BTreeMap::new();
    for (key, series) in telemetry.all_requests() {
        let key = (key.listener.to_string(), key.service.to_string(), key.route.to_string());
        let (passed, limited) = taken.entry(key).or_default();
        for outcome in Outcome::all() {
            let counted = series.iter().map(|one| one.count(outcome) + one.count_exhausted(outcome));
            let count = counted.sum::<u64>();
            match outcome {
                Outcome::Failed(Flag::RateLimited) => *limited += count,
                _ => *passed += count,
            }
        }
    }
    let now = Instant::now();
    let mut services = Vec::new();
    for listener in published.snapshot.listeners.values() {
        for service in &listener.services {
            let count = |name: &str| {
                let key = (listener.model.name.clone(), service.model.host.clone(), name.to_owned());
                taken.get(&key).copied().unwrap_or_default()
            };
            let routes = service.routes.iter().flat_map(|routes| &routes.model.routes).map(|one| {
                let mut value = route(one);
                value["requests"] = json!(count(&one.name).0);
                value
            });
            let buckets = service.routes.as_ref().and_then(|routes| {
                let (limit, buckets) = (routes.model.rate_limit.as_ref()?, routes.buckets.as_ref()?);
                Some(rate_limit(limit, |condition| Some(buckets.of(condition)?.tokens(now))))
            });
            let (unmatched, limited) = count("-");
            services.push(json!({
                "listener": listener.model.name,
                "service": service.model.host,
                "arrived": service.routes.is_some(),
                "routes": routes.collect::<Vec<_>>(),
                "unmatched": unmatched,
                "rate_limit": buckets,
                "limited": limited,
            }));
        }
    }
    Value::Array(services)
}
