//! Which routes a request would be tried against, and where it would go: from resources alone, or of a running proxy.
//!
//! The tables and conditions are the data path's own, made by the same conversion. What only a running proxy knows is
//! added where there is one: where it is bound, the endpoints that it has found, and what it has learned of them.

mod allowed;
mod find;
mod given;
mod health;
mod page;
mod target;
mod text;
mod tls;

use serde::Serialize;

use crate::model::{Route, RouteAction, Service};
use crate::route::Explanation;
use crate::xds::{Entry, Listener, Routes, State};
use ::xds::ResourceType;

use super::Published;
use super::standing::Standings;

pub use find::Unanswered;
pub(super) use page::answer;
pub use page::{ATTRIBUTES_LIMIT, HOST_LIMIT, MATCHED, QUERY_LIMIT};
pub use target::{ENDPOINTS_SHOWN, Endpoint, Mirror, Target};

use given::Given;

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Host of the service that the request is for.
    pub host: String,
    /// Its port; `None`: it has only one.
    pub port: Option<u16>,
    /// Names and values of the request's attributes.
    pub attributes: Vec<(String, String)>,
}

/// What can be known.
pub struct Sight<'a> {
    state: &'a State,
    live: Option<(&'a Published, Standings)>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The listener.
    pub listener: String,
    /// Its protocol.
    pub protocol: String,
    /// Where its configuration came from.
    pub from: String,
    /// Where it is bound, or why it is not; `None`: nothing runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<String>,
    /// How connections from clients are encrypted; `None`: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// The service's host.
    pub service: String,
    /// What tells it from others behind the same address: an attribute and its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_by: Option<(String, String)>,
    /// Why the request is not for this service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<String>,
    /// Which bucket of its rate limit the request takes a token from, and why: in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limit: Vec<String>,
    /// Name of its route configuration.
    pub routes: String,
    /// Whether there is one in force.
    pub has_routes: bool,
    /// What is wrong with a newer version of it, which was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// The routes that were tried, in words.
    pub tried: Vec<String>,
    /// The route that is taken.
    pub route: Option<Chosen>,
}

/// The route that is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// Its name.
    pub name: String,
    /// Where it came from.
    pub from: String,
    /// Why it answers by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misconfigured: Option<String>,
    /// Where requests go.
    pub to: Vec<Target>,
    /// Where copies go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
    /// How long a request may take.
    pub timeout: String,
    /// Names and values of what is set in requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<(String, String)>,
    /// Names and values of what is set in responses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sets_in_responses: Vec<(String, String)>,
    /// How often a request is tried again, and which ones are: in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retries: Vec<String>,
}

impl<'a> Sight<'a> {
    /// What resources say.
    pub fn of(state: &'a State) -> Self {
        Self { state, live: None }
    }

    /// What is in force in a running proxy.
    pub(super) fn live(published: &'a Published, standings: Standings) -> Self {
        Self { state: &published.state, live: Some((published, standings)) }
    }
}

/// Answers a question.
pub fn explain(sight: &Sight<'_>, question: &Question) -> Result<Explained, Unanswered> {
    let (listener, service) = find::find(sight.state, question)?;
    let (model, properties) = (&listener.value.model, listener.value.properties);
    let given = |name: &str| given::value(&question.attributes, name);
    let told_by =
        properties.service.and_then(|place| properties.head.get(place)).zip(service.name.as_deref());
    let mut explained = Explained {
        listener: model.name.clone(),
        protocol: model.protocol.clone(),
        from: origin(listener, 0),
        bound: sight.live.as_ref().map(|(published, _)| bound(published, &model.name)),
        tls: model.tls.as_ref().map(tls::downstream),
        service: service.host.clone(),
        told_by: told_by
            .filter(|_| model.services.len() > 1)
            .map(|(name, is)| ((*name).to_owned(), is.to_owned())),
        elsewhere: told_by.and_then(|(name, is)| {
            let asked = given(name).filter(|asked| !asked.eq_ignore_ascii_case(is))?;
            Some(elsewhere(&listener.value, name, asked))
        }),
        limit: Vec::new(),
        routes: service.routes.clone(),
        has_routes: false,
        refused: refused(sight.state, service),
        tried: Vec::new(),
        route: None,
    };
    if explained.elsewhere.is_some() {
        return Ok(explained);
    }
    let table = sight.state.table_of(&listener.value, service);
    if let (Some(routes), Some(table)) = (sight.state.routes_of(service), table) {
        explained.has_routes = true;
        if let Some(limit) = &routes.value.served().rate_limit {
            let explanation = table.explain_limit(&mut Given(&question.attributes));
            explained.limit = allowed::limit(limit, &explanation);
        }
        let explanation = table.explain(&mut Given(&question.attributes));
        explained.route = explanation.chosen.map(|index| chosen(sight, &listener.value, routes, index));
        explained.tried = lines(&explanation);
    }
    Ok(explained)
}

fn lines(explanation: &Explanation) -> Vec<String> {
    explanation.to_string().lines().map(str::to_owned).collect()
}

fn bound(published: &Published, listener: &str) -> String {
    match published.addresses.get(listener) {
        Some(Ok(address)) => address.to_string(),
        Some(Err(error)) => error.clone(),
        None => "not yet".to_owned(),
    }
}

/// Whom a request is for that has another value of the attribute by which a listener tells its services apart.
fn elsewhere(listener: &Listener, name: &str, asked: &str) -> String {
    let is_it =
        |service: &&Service| service.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(asked));
    match listener.model.services.iter().find(is_it) {
        Some(other) => format!("{name} is {asked:?}: such a request is for {}", other.host),
        None => format!("{name} is {asked:?}: there is no such service behind this address"),
    }
}

fn refused(state: &State, service: &Service) -> Vec<String> {
    let is_it =
        |(kind, name): &(ResourceType, String)| *kind == ResourceType::Routes && *name == service.routes;
    let of_it = state.refused().filter(|(key, _)| is_it(key));
    of_it.flat_map(|(_, refused)| refused.mistakes.iter().map(ToString::to_string)).collect()
}

fn origin<T>(entry: &Entry<T>, index: usize) -> String {
    let origin = entry.origins.get(index).or_else(|| entry.origins.first());
    origin.map_or_else(|| "nowhere".to_owned(), ToString::to_string)
}

fn chosen(sight: &Sight<'_>, listener: &Listener, routes: &Entry<Routes>, index: usize) -> Chosen {
    let route: &Route = &routes.value.served().routes[index];
    let default = listener.properties.request_timeout;
    let (misconfigured, clusters) = match &route.action {
        RouteAction::Misconfigured(reason) => (Some(reason.clone()), &[][..]),
        RouteAction::Clusters(clusters) => (None, clusters.as_slice()),
    };
    let share = |weight| (clusters.len() > 1).then_some(weight);
    Chosen {
        name: route.name.clone(),
        from: origin(routes, index),
        misconfigured,
        to: clusters.iter().map(|one| target::target(sight, &one.name, share(one.weight))).collect(),
        mirror: route.mirror.as_ref().map(|mirror| target::mirror(sight, mirror)),
        timeout: match route.timeout {
            Some(timeout) if timeout.is_zero() => "none".to_owned(),
            Some(timeout) => format!("{timeout:?}"),
            None if default.is_zero() => "none (the protocol's default)".to_owned(),
            None => format!("{default:?} (the protocol's default)"),
        },
        sets: route.request_mutation.clone(),
        sets_in_responses: route.response_mutation.clone(),
        retries: route.retries.as_ref().map(allowed::retries).unwrap_or_default(),
    }
}
