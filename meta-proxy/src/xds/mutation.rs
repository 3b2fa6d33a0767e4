//! Whether what routes set in messages has a place in the protocols that they join.
//!
//! A route configuration does not say its protocol: that shows only beside the listeners that name it and the clusters
//! that it names. So this is judged when all three are known, and again whenever one of them changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::xds::{Rejection, ResourceType};
use codec_api::{Edits, Factory, Properties};

use crate::model::{self, RouteAction};

use super::{Cluster, Entry, Listener, Routes};

/// Each mutation for which a codec has no place, by route configuration and route.
pub(super) fn misfits(
    listeners: &BTreeMap<String, Entry<Listener>>,
    clusters: &BTreeMap<String, Entry<Cluster>>,
    routes: &BTreeMap<String, Entry<Routes>>,
) -> Vec<Rejection> {
    let mut found = Vec::new();
    for (name, entry) in routes {
        for (index, route) in entry.value.model.routes.iter().enumerate() {
            let tell = |field: &str, message: String| Rejection {
                kind: ResourceType::Routes,
                name: name.clone(),
                field: format!("routes[{index}].{field}"),
                message,
            };
            if !route.request_mutation.is_empty() {
                let unfit = targets(route).find_map(|target| {
                    let Cluster { model, factory, properties } = &clusters.get(target)?.value;
                    let whom = format!("endpoints of cluster {target}");
                    refusal(&model.protocol, &**factory, properties, (&route.request_mutation, &whom))
                });
                found.extend(unfit.map(|message| tell("request_mutation", message)));
            }
            if !route.response_mutation.is_empty() {
                let named =
                    |listener: &&Listener| listener.model.services.iter().any(|one| one.routes == *name);
                let unfit = listeners.values().map(|entry| &entry.value).filter(named).find_map(|listener| {
                    let Listener { model, factory, properties } = listener;
                    let whom = format!("clients of {}", model.name);
                    refusal(&model.protocol, &**factory, properties, (&route.response_mutation, &whom))
                });
                found.extend(unfit.map(|message| tell("response_mutation", message)));
            }
        }
    }
    found
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
