//! One stream of the discovery service as a state machine: requests and new catalogues in, responses out.
//!
//! No I/O, no clock: whoever owns the stream sends what is answered, in order. What a client knows is never written
//! down in full: it knows what the catalogue says, but for the `debts` of a `Subscription`, so that a session costs
//! little once its client is up to date. Laws, each tested:
//!
//! - a client that answers ends with exactly what it subscribed to and may see;
//! - one response per type is in flight; what changes meanwhile is merged;
//! - clusters and endpoints go before listeners and routes, and these wait until the former are answered; removals come
//!   last, in reverse. Endpoints do not wait for the answer of clusters: Envoy gives it only when it has the endpoints;
//! - what was refused is not sent again until its content changes;
//! - while something is refused, what its last good version may lead to is not removed.

mod answer;
mod request;
mod subscription;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use xds::{Rejection, ResourceType};

use crate::ads::node::Node;
use crate::ads::tally::Tally;
use crate::snapshot::{Catalogue, Item};

pub use request::{Interest, Request};

use subscription::{Known, Subscription};

/// Resources of a type that a client may subscribe to by name.
pub const SUBSCRIPTIONS_LIMIT: usize = 100_000;
/// Bytes of the name of a resource in a request.
pub const NAME_LIMIT: usize = 1024;
/// Bytes of resources in one response, unless one alone has more; clients take 4 MiB if not told otherwise.
pub const RESPONSE_LIMIT: usize = 2 << 20;
/// Resources that are gone, in one response.
pub const REMOVALS_PER_RESPONSE_LIMIT: usize = 10_000;
/// Removals of a type that wait for the end of a refusal; with more of them, they are sent nevertheless.
pub const HELD_BACK_LIMIT: usize = 10_000;
/// Refused resources of a type that are remembered of a client.
pub const REFUSED_LIMIT: usize = 1000;

/// The two protocols of the discovery service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Changes only.
    Delta,
    /// All of a type each time.
    StateOfTheWorld,
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Type of its resources.
    pub type_url: Cow<'static, str>,
    /// Names it in the answer.
    pub nonce: String,
    /// In the state of the world: the version of all that was subscribed to.
    pub version: String,
    /// New and changed resources; in the state of the world, all of them.
    pub changed: Vec<Arc<Item>>,
    /// Resources that are gone, or were asked for and do not exist.
    pub removed: Vec<String>,
}

/// Why a stream cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(pub String);

/// Where a resource stands with a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// It has not asked for it, or may not see it.
    NotAsked,
    /// Not sent, or not answered.
    Pending,
    /// It refused it.
    Refused(Vec<Rejection>),
    /// In force.
    InForce,
}

/// How a type stands with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Whether the client has asked for anything of this type.
    pub is_asked: bool,
    /// Resources that are to be sent or removed.
    pub pending: usize,
    /// Whether a response awaits its answer.
    pub is_in_flight: bool,
    /// Resources that it refused.
    pub refused: usize,
    /// Resources that it has subscribed to by name; `None`: to all.
    pub named: Option<usize>,
}

/// A stream, from the first request on.
#[derive(Debug)]
pub struct Session {
    node: Node,
    dialect: Dialect,
    catalogue: Arc<Catalogue>,
    subscriptions: [Subscription; ResourceType::ALL.len()],
    nonces: u64,
    refusals_changed: bool,
}

impl Session {
    /// Of a client that has not asked for anything.
    pub fn new(node: Node, dialect: Dialect, catalogue: Arc<Catalogue>) -> Self {
        let subscriptions = Default::default();
        Self { node, dialect, catalogue, subscriptions, nonces: 0, refusals_changed: false }
    }

    /// Who the client is.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Takes a newer catalogue, and answers what is to be sent.
    pub fn catalogue(&mut self, next: Arc<Catalogue>) -> Vec<Response> {
        let old = std::mem::replace(&mut self.catalogue, next);
        let next = Arc::clone(&self.catalogue);
        match next.changed_since(old.generation()) {
            Some(changed) => changed.into_iter().for_each(|(kind, name)| self.compare(&old, *kind, name)),
            None => {
                for kind in ResourceType::ALL {
                    let gone = old.items(kind).keys().filter(|name| next.get(kind, name).is_none());
                    next.items(kind).keys().chain(gone).for_each(|name| self.compare(&old, kind, name));
                }
            }
        }
        self.due()
    }

    /// Notes what has become of a resource, if the client is to know.
    fn compare(&mut self, old: &Catalogue, kind: ResourceType, name: &str) {
        if !self.subscription(kind).covers(name) {
            return;
        }
        let old = visible(old, &self.node, kind, name).cloned();
        let new = visible(&self.catalogue, &self.node, kind, name).cloned();
        self.subscription_mut(kind).changed(name, old.as_ref(), new.as_ref());
    }

    /// Takes a request, and answers what is to be sent.
    pub fn request(&mut self, request: Request) -> Result<Vec<Response>, Broken> {
        let Some(kind) = ResourceType::of_url(&request.type_url) else {
            return Ok(self.unknown_type(request));
        };
        request.check()?;
        let Request { nonce, error, interest, .. } = request;
        let is_first = !std::mem::replace(&mut self.subscription_mut(kind).is_asked, true);
        match interest {
            Interest::Changes { subscribe, unsubscribe, initial } => {
                self.answered(kind, &nonce, error);
                if is_first {
                    self.begin(kind, subscribe, &initial);
                } else {
                    for name in &subscribe {
                        self.subscribe(kind, name);
                    }
                }
                for name in &unsubscribe {
                    self.unsubscribe(kind, name);
                }
                self.forget_uncovered(kind);
            }
            Interest::All { names, version } => {
                if is_first {
                    self.begin_all(kind, names, &version);
                } else if self.subscription(kind).last_nonce.as_ref().is_none_or(|last| *last == nonce) {
                    self.answered(kind, &nonce, error);
                    self.resubscribe(kind, names);
                }
            }
        }
        if self.subscription(kind).names.len() > SUBSCRIPTIONS_LIMIT {
            return Err(Broken(format!(
                "more than {SUBSCRIPTIONS_LIMIT} names of a type were subscribed to"
            )));
        }
        Ok(self.due())
    }

    /// Whether what is refused has changed since this was asked last.
    pub fn take_refusals_changed(&mut self) -> bool {
        std::mem::take(&mut self.refusals_changed)
    }

    /// All that the client refuses now.
    pub fn refusals(&self) -> impl Iterator<Item = &Rejection> {
        self.subscriptions.iter().flat_map(|one| one.refused.values().flatten())
    }

    /// Where a resource stands with the client.
    pub fn delivered(&self, kind: ResourceType, name: &str) -> Delivered {
        let subscription = self.subscription(kind);
        if !subscription.covers(name) || visible(&self.catalogue, &self.node, kind, name).is_none() {
            return Delivered::NotAsked;
        }
        if subscription.is_pending(name) {
            return Delivered::Pending;
        }
        match subscription.refused.get(name) {
            Some(refused) => Delivered::Refused(refused.clone()),
            None => Delivered::InForce,
        }
    }

    /// Counts the client among those who want resources of a type of `now`, which may be newer than what it was told.
    pub fn tally(&self, kind: ResourceType, now: &Catalogue, tally: &mut Tally) {
        let subscription = self.subscription(kind);
        if !subscription.is_asked {
            return;
        }
        let lag = now.changed_since(self.catalogue.generation());
        let lag: Option<BTreeSet<&str>> = lag.map(|changed| {
            changed.into_iter().filter(|(other, _)| *other == kind).map(|(_, name)| &**name).collect()
        });
        if subscription.is_wildcard && !now.has_audiences() {
            let missing = lag.map(|mut missing| {
                missing.extend(subscription.open());
                missing.into_iter()
            });
            tally.all_but(missing);
            return;
        }
        let names: Box<dyn Iterator<Item = &str>> = if subscription.is_wildcard {
            Box::new(now.items(kind).keys().map(|name| &**name))
        } else {
            Box::new(subscription.names.iter().map(String::as_str))
        };
        // Who sees another in its place does not want this one.
        let is_meant = |name: &&str| {
            let seen = visible(now, &self.node, kind, name);
            seen.is_some_and(|seen| now.get(kind, name).is_some_and(|one| Arc::ptr_eq(one, seen)))
        };
        for name in names.filter(is_meant) {
            let is_behind = lag.as_ref().is_none_or(|lag| lag.contains(name));
            tally.one(name, !is_behind && self.delivered(kind, name) == Delivered::InForce);
        }
    }

    /// How a type stands with the client.
    pub fn progress(&self, kind: ResourceType) -> Progress {
        let one = self.subscription(kind);
        Progress {
            is_asked: one.is_asked,
            pending: one.debts.len(),
            is_in_flight: one.in_flight.is_some(),
            refused: one.refused.len(),
            named: (!one.is_wildcard).then_some(one.names.len()),
        }
    }

    /// A type that we do not have: what is asked for by name does not exist, and of all there is nothing.
    fn unknown_type(&mut self, request: Request) -> Vec<Response> {
        let is_about_response = !request.nonce.is_empty();
        let (mut removed, is_delta) = match request.interest {
            Interest::Changes { subscribe, .. } => (subscribe, true),
            Interest::All { .. } => (Vec::new(), false),
        };
        removed.retain(|name| name != "*");
        if is_about_response && (removed.is_empty() || !is_delta) {
            return Vec::new();
        }
        let (nonce, version) = (self.nonce(), String::new());
        vec![Response { type_url: request.type_url.into(), nonce, version, changed: Vec::new(), removed }]
    }

    fn nonce(&mut self) -> String {
        self.nonces += 1;
        self.nonces.to_string()
    }

    fn subscription(&self, kind: ResourceType) -> &Subscription {
        &self.subscriptions[kind as usize]
    }

    fn subscription_mut(&mut self, kind: ResourceType) -> &mut Subscription {
        &mut self.subscriptions[kind as usize]
    }
}

/// A resource, if there is one that `node` may see.
fn visible<'a>(
    catalogue: &'a Catalogue,
    node: &Node,
    kind: ResourceType,
    name: &str,
) -> Option<&'a Arc<Item>> {
    catalogue.get(kind, name)?.seen_by(&node.namespace, &node.gateway)
}
