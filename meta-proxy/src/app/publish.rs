//! From resources in force to the snapshot that workers serve by.

use std::sync::Arc;

use tokio::time::Instant;

use crate::bootstrap::Bootstrap;
use crate::rate_limit::Buckets;
use crate::snapshot::{ClusterSpec, ListenerSpec, RoutesSpec, ServiceSpec, Snapshot};
use crate::upstream::{Settings, Usage};
use crate::xds::{Cluster, Listener, State};

use super::dns::Resolver;

/// The snapshot of `state` that follows `old`. What has not changed is the same, pointer for pointer, so that workers
/// keep what they made of it. It has no listener that `bootstrap` says is not served here.
pub fn publish(bootstrap: &Bootstrap, state: &State, resolver: &Resolver, old: &Snapshot) -> Arc<Snapshot> {
    let mut snapshot = Snapshot::default();
    let now = Instant::now();
    for entry in state.routes() {
        let model = &entry.value.model;
        if let Some(limit) = &model.rate_limit {
            let buckets = Buckets::new(limit, old.buckets.get(&model.name), now);
            snapshot.buckets.insert(model.name.clone(), buckets);
        }
    }
    for entry in state.listeners().filter(|entry| bootstrap.serves(&entry.value.model)) {
        let spec = listener(state, &snapshot, &entry.value);
        let name = entry.value.model.name.clone();
        let kept = old.listeners.get(&name).filter(|old| is_same(old, &spec)).cloned();
        snapshot.listeners.insert(name, kept.unwrap_or_else(|| Arc::new(spec)));
    }
    for entry in state.clusters() {
        let name = entry.value.model.name.clone();
        let old = old.clusters.get(&name);
        let spec = cluster(state, resolver, &entry.value, old);
        snapshot.clusters.insert(name, spec);
    }
    Arc::new(snapshot)
}

fn listener(state: &State, snapshot: &Snapshot, listener: &Listener) -> ListenerSpec {
    let service = |service: &crate::model::Service| ServiceSpec {
        model: service.clone(),
        routes: state.routes_of(service).and_then(|entry| {
            let table = state.table_of(listener, service)?;
            let buckets = snapshot.buckets.get(&service.routes).cloned();
            Some(RoutesSpec { model: entry.value.served().clone(), table: table.clone(), buckets })
        }),
    };
    ListenerSpec {
        model: listener.model.clone(),
        protocol: listener.model.protocol.as_str().into(),
        properties: listener.properties,
        factory: listener.factory.clone(),
        services: listener.model.services.iter().map(service).collect(),
        tls: listener.tls.clone(),
    }
}

fn is_same(old: &ListenerSpec, new: &ListenerSpec) -> bool {
    let same_routes = |(old, new): (&ServiceSpec, &ServiceSpec)| match (&old.routes, &new.routes) {
        (Some(old), Some(new)) => Arc::ptr_eq(&old.table, &new.table) && Arc::ptr_eq(&old.model, &new.model),
        (None, None) => true,
        _ => false,
    };
    Arc::ptr_eq(&old.model, &new.model) && old.services.iter().zip(&new.services).all(same_routes)
}

fn cluster(state: &State, resolver: &Resolver, cluster: &Cluster, old: Option<&ClusterSpec>) -> ClusterSpec {
    let assigned = state.endpoints_of(&cluster.model).map(|entry| entry.value.endpoints.as_slice());
    let found = resolver.endpoints(&cluster.model.name).map(|endpoints| &**endpoints);
    let endpoints = assigned.or(found).unwrap_or_default();
    let kept = old.map(|old| &old.endpoints).filter(|old| ***old == *endpoints).cloned();
    let usage = old.map_or_else(|| Arc::new(Usage::default()), |old| old.settings.usage.clone());
    usage.roster.enter(endpoints, &cluster.model.health);
    ClusterSpec {
        settings: Settings {
            model: cluster.model.clone(),
            factory: cluster.factory.clone(),
            properties: cluster.properties,
            tls: cluster.tls.clone(),
            usage,
        },
        endpoints: kept.unwrap_or_else(|| endpoints.into()),
    }
}
