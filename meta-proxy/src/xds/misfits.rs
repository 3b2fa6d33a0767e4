//! Whether the protocols that routes join can do what the routes ask for: set attributes in messages, tell requests that
//! change data from others, show the attributes that are looked at.
//!
//! A route configuration does not say its protocol: that shows only beside the listeners that name it and the clusters
//! that it names. So this is judged when all three are known, and again whenever one of them changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ::xds::{Rejection, ResourceType};
use codec_api::{Edits, Factory, Properties, SOURCE_ADDRESS, Sharing};

use crate::model::{self, RouteAction};

use super::{Cluster, Entry, Listener, Routes};

/// Everything that routes ask for and a codec cannot do, by route configuration and route.
pub(super) fn misfits(
    listeners: &BTreeMap<String, Entry<Listener>>,
    clusters: &BTreeMap<String, Entry<Cluster>>,
    routes: &BTreeMap<String, Entry<Routes>>,
) -> Vec<Rejection> {
    let mut found = Vec::new();
    for (name, entry) in routes {
        let names = |listener: &&Listener| listener.model.services.iter().any(|one| one.routes == *name);
        let listeners = || listeners.values().map(|entry| &entry.value).filter(names);
        for (index, route) in entry.value.model.routes.iter().enumerate() {
            let mut tell = |field: &str, message: Option<String>| {
                let field = format!("routes[{index}].{field}");
                let rejection =
                    |message| Rejection { kind: ResourceType::Routes, name: name.clone(), field, message };
                found.extend(message.map(rejection));
            };
            for (place, matcher) in route.matchers.iter().enumerate() {
                let unfit = listeners().find_map(|listener| without_attribute(listener, &matcher.name));
                tell(&format!("attributes[{place}].name"), unfit);
            }
            if !route.request_mutation.is_empty() {
                let unfit = targets(route).find_map(|target| {
                    let Cluster { model, factory, properties, .. } = &clusters.get(target)?.value;
                    let whom = format!("endpoints of cluster {target}");
                    refusal(&model.protocol, &**factory, properties, (&route.request_mutation, &whom))
                });
                tell("request_mutation", unfit);
            }
            if !route.response_mutation.is_empty() {
                let unfit = listeners().find_map(|Listener { model, factory, properties, .. }| {
                    let whom = format!("clients of {}", model.name);
                    refusal(&model.protocol, &**factory, properties, (&route.response_mutation, &whom))
                });
                tell("response_mutation", unfit);
            }
            for (place, requests) in route.retries.iter().flat_map(|one| &one.idempotent).enumerate() {
                for (matcher, known) in requests.iter().enumerate() {
                    let unfit = listeners().find_map(|listener| without_attribute(listener, &known.name));
                    tell(&format!("retries.idempotent[{place}].attributes[{matcher}].name"), unfit);
                }
            }
            if route.retries.is_some() {
                let dedicated = || listeners().find_map(keeps_connections);
                let unfit = targets(route).find_map(|target| without_others(&clusters.get(target)?.value));
                tell("retries", unfit.or_else(dedicated));
            }
            if let Some(time) = route.retries.as_ref().and_then(|retries| retries.per_try_timeout) {
                let unfit = listeners().find_map(|listener| without_end(listener, route.timeout, time));
                tell("retries.per_try_timeout", unfit);
            }
            if route.mirror.as_ref().is_some_and(|mirror| mirror.writes_only) {
                tell("mirror.writes_only", listeners().find_map(without_writes));
            }
        }
        for (field, matcher) in limits(&entry.value.model) {
            let unfit = listeners().find_map(|listener| without_attribute(listener, &matcher.name));
            let rejection =
                |message| Rejection { kind: ResourceType::Routes, name: name.clone(), field, message };
            found.extend(unfit.map(rejection));
        }
    }
    found
}

/// Why no request of a listener's clients can have this attribute, if none can.
fn without_attribute(listener: &Listener, name: &str) -> Option<String> {
    let Listener { model, factory, properties, .. } = listener;
    let is_known =
        || properties.head.iter().chain([&SOURCE_ADDRESS]).any(|field| field.eq_ignore_ascii_case(name));
    (factory.conduct().has_only_head && !is_known()).then(|| {
        let known = properties.head.join(", ");
        format!(
            "requests of {} have no attribute {name:?}; they have {known}, {SOURCE_ADDRESS}",
            model.protocol
        )
    })
}

/// Why no request of a listener's clients can be known to change data, if none can. It is the codecs of data stores that
/// say so of requests, and those are the ones that have keys.
fn without_writes(listener: &Listener) -> Option<String> {
    let Listener { model, factory, .. } = listener;
    factory.conduct().keys.is_none().then(|| {
        format!(
            "not supported: codec {} does not tell requests that change data from others, so nothing would be copied",
            model.protocol
        )
    })
}

/// Why no try of a request of a listener's clients would ever come to an end by `per_try`, if none would.
fn without_end(listener: &Listener, whole: Option<Duration>, per_try: Duration) -> Option<String> {
    let whole = whole.unwrap_or(listener.properties.request_timeout);
    let is_over_before = !whole.is_zero() && per_try >= whole;
    is_over_before.then(|| {
        format!("is {per_try:?}, and must be less than the {whole:?} that a request has in all; give the route a longer timeout")
    })
}

/// Why what a listener's clients ask is never sent to another endpoint, if it is not.
fn keeps_connections(listener: &Listener) -> Option<String> {
    let Listener { model, factory, .. } = listener;
    (factory.conduct().sharing == Some(Sharing::PerDownstream)).then(|| {
        format!(
            "not supported: codec {}, with its options, gives each client of {} connections of its own, and what was sent on \
             one is not sent again on another",
            model.protocol, model.name
        )
    })
}

/// Why what was sent to a cluster is never sent to another endpoint, if it is not.
fn without_others(cluster: &Cluster) -> Option<String> {
    let Cluster { model, factory, properties, .. } = cluster;
    let conduct = factory.conduct();
    if conduct.sharing.unwrap_or(properties.sharing) == Sharing::PerDownstream {
        return Some(format!(
            "not supported: each client has connections of its own to cluster {}, and what was sent on one is not sent again \
             on another",
            model.name
        ));
    }
    let keys = conduct
        .keys
        .filter(|keys| model.balancing.attribute().is_some_and(|hashed| hashed.eq_ignore_ascii_case(keys)))?;
    Some(format!(
        "not supported: cluster {} is balanced by {keys}, and what a key stands for lives on one endpoint only",
        model.name
    ))
}

/// What the conditions of a rate limit are about, and where that stands. One that never holds limits nothing; the rest of
/// its limit stays in force.
fn limits(model: &model::RouteConfiguration) -> impl Iterator<Item = (String, &model::AttributeMatcher)> {
    let conditions = model.rate_limit.iter().flat_map(|limit| limit.conditions.iter().enumerate());
    conditions.flat_map(|(index, condition)| {
        let place = move |place| format!("local_rate_limit.conditions[{index}].attributes[{place}].name");
        condition.matchers.iter().enumerate().map(move |(at, matcher)| (place(at), matcher))
    })
}

fn targets(route: &model::Route) -> impl Iterator<Item = &str> {
    let clusters = match &route.action {
        RouteAction::Clusters(clusters) => clusters.as_slice(),
        RouteAction::Misconfigured(_) => &[],
    };
    clusters.iter().map(|cluster| cluster.name.as_str())
}

/// Why a codec does not set all of `list` in messages for `whom`, if it does not.
fn refusal(
    protocol: &str,
    factory: &dyn Factory,
    properties: &Properties,
    (list, whom): (&[(String, String)], &str),
) -> Option<String> {
    if factory.conduct().edits == Edits::Never {
        return Some(format!(
            "not supported: codec {protocol}, with its options, sets no attributes in messages for {whom}"
        ));
    }
    let of_the_head = |name: &str| properties.head.iter().any(|field| field.eq_ignore_ascii_case(name));
    let (name, _) = list.iter().find(|(name, _)| of_the_head(name))?;
    Some(format!(
        "not supported: {name:?} stands in the head of a message of {protocol}, where nothing can be set"
    ))
}

/// Lets the routes with these misfits answer that they are misconfigured.
pub(super) fn serve_without(routes: &mut Routes, misfits: &[&Rejection]) {
    if misfits.is_empty() {
        routes.served = routes.model.clone();
        return;
    }
    let mut served = (*routes.model).clone();
    for misfit in misfits {
        for (index, route) in served.routes.iter_mut().enumerate() {
            if misfit.field.starts_with(&format!("routes[{index}].")) {
                route.action = RouteAction::Misconfigured(misfit.to_string());
            }
        }
    }
    if *routes.served != served {
        routes.served = Arc::new(served);
    }
}
