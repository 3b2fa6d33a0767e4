//! What a client asks for: the two dialects in one form, and what follows for its subscriptions.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use xds::envoy::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use xds::envoy::google::rpc;
use xds::{Rejection, ResourceType, wire};

use super::{Broken, Known, NAME_LIMIT, REFUSED_LIMIT, SUBSCRIPTIONS_LIMIT, Session, visible};
use crate::snapshot::Item;

/// Names everything.
const WILDCARD: &str = "*";

/// One request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// The type that it is about.
    pub type_url: String,
    /// The response that it answers, if any.
    pub nonce: String,
    /// Set: it refuses that response, or a part of it.
    pub error: Option<rpc::Status>,
    /// What the client wants.
    pub interest: Interest,
}

/// What a client wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Interest {
    /// Delta: what it wants more or less than before.
    Changes {
        /// More.
        subscribe: Vec<String>,
        /// Less.
        unsubscribe: Vec<String>,
        /// Versions that it knows from an earlier stream.
        initial: HashMap<String, String>,
    },
    /// State of the world: all that it wants.
    All {
        /// Their names.
        names: Vec<String>,
        /// The version that it knows, from an earlier stream.
        version: String,
    },
}

impl Default for Interest {
    fn default() -> Self {
        Self::Changes { subscribe: Vec::new(), unsubscribe: Vec::new(), initial: HashMap::new() }
    }
}

impl From<DeltaDiscoveryRequest> for Request {
    fn from(request: DeltaDiscoveryRequest) -> Self {
        Self {
            type_url: request.type_url,
            nonce: request.response_nonce,
            error: request.error_detail,
            interest: Interest::Changes {
                subscribe: request.resource_names_subscribe,
                unsubscribe: request.resource_names_unsubscribe,
                initial: request.initial_resource_versions,
            },
        }
    }
}

impl From<DiscoveryRequest> for Request {
    fn from(request: DiscoveryRequest) -> Self {
        Self {
            type_url: request.type_url,
            nonce: request.response_nonce,
            error: request.error_detail,
            interest: Interest::All { names: request.resource_names, version: request.version_info },
        }
    }
}

impl Request {
    pub(super) fn check(&self) -> Result<(), Broken> {
        let (names, known) = match &self.interest {
            Interest::Changes { subscribe, initial, .. } => (subscribe, initial.len()),
            Interest::All { names, .. } => (names, 0),
        };
        if names.len() > SUBSCRIPTIONS_LIMIT || known > SUBSCRIPTIONS_LIMIT {
            return Err(Broken(format!("a request names at most {SUBSCRIPTIONS_LIMIT} resources")));
        }
        match names.iter().find(|name| name.len() > NAME_LIMIT) {
            Some(long) => {
                Err(Broken(format!("a name has {} bytes, at most {NAME_LIMIT} are taken", long.len())))
            }
            None => Ok(()),
        }
    }
}

impl Session {
    /// The first request of a type in this stream.
    pub(super) fn begin(
        &mut self,
        kind: ResourceType,
        subscribe: Vec<String>,
        initial: &HashMap<String, String>,
    ) {
        let subscription = self.subscription_mut(kind);
        subscription.is_wildcard = subscribe.is_empty() || subscribe.iter().any(|name| name == WILDCARD);
        subscription.names = subscribe.into_iter().filter(|name| name != WILDCARD).collect();
        let known = |name: &str| initial.get(name).map_or(Known::Nothing, |one| Known::Version(one.clone()));
        for (name, item) in self.covered(kind) {
            self.subscription_mut(kind).owe(&name, known(&name), Some(&item));
        }
        // What the client knows and what is not there any more, and what it asks for and has never been there.
        let subscription = self.subscription(kind);
        let asked = subscription.names.iter().chain(initial.keys().filter(|name| subscription.covers(name)));
        let missing = asked.filter(|name| self.item(kind, name).is_none());
        let missing: BTreeSet<String> = missing.cloned().collect();
        for name in missing {
            match known(&name) {
                Known::Nothing => self.subscription_mut(kind).must_answer(&name, Known::Nothing),
                known => self.subscription_mut(kind).owe(&name, known, None),
            }
        }
        // It learns by an empty response that it is up to date.
        let subscription = self.subscription_mut(kind);
        subscription.must_greet = subscription.debts.is_empty();
    }

    /// The same in the state of the world.
    pub(super) fn begin_all(&mut self, kind: ResourceType, names: Vec<String>, version: &str) {
        let subscription = self.subscription_mut(kind);
        subscription.is_wildcard = names.is_empty() || names.iter().any(|name| name == WILDCARD);
        subscription.names = names.into_iter().filter(|name| name != WILDCARD).collect();
        if !version.is_empty() && self.version(kind) == version {
            return;
        }
        for (name, item) in self.covered(kind) {
            self.subscription_mut(kind).owe(&name, Known::Nothing, Some(&item));
        }
        let subscription = self.subscription_mut(kind);
        subscription.must_greet = subscription.is_wildcard && subscription.debts.is_empty();
    }

    /// Another resource is wanted, or the same once more: the client may have dropped it meanwhile.
    pub(super) fn subscribe(&mut self, kind: ResourceType, name: &str) {
        if name != WILDCARD {
            let now = self.item(kind, name);
            let subscription = self.subscription_mut(kind);
            let known = subscription.known(name, now.as_ref());
            subscription.must_answer(name, known);
            subscription.names.insert(name.to_owned());
            return;
        }
        if self.subscription(kind).is_wildcard {
            return;
        }
        let named = self.subscription(kind).names.clone();
        self.subscription_mut(kind).is_wildcard = true;
        for (name, item) in self.covered(kind) {
            if !named.contains(&name) {
                self.subscription_mut(kind).owe(&name, Known::Nothing, Some(&item));
            }
        }
    }

    /// A resource is not wanted any more. One that is wanted as one of all is told once more, since the client may
    /// have dropped it.
    pub(super) fn unsubscribe(&mut self, kind: ResourceType, name: &str) {
        let now = self.item(kind, name);
        let subscription = self.subscription_mut(kind);
        if name == WILDCARD {
            subscription.is_wildcard = false;
        } else if subscription.names.remove(name) && subscription.is_wildcard && now.is_some() {
            let known = subscription.known(name, now.as_ref());
            subscription.must_answer(name, known);
        }
    }

    /// Owes nothing more of what is not wanted any more.
    pub(super) fn forget_uncovered(&mut self, kind: ResourceType) {
        let subscription = self.subscription_mut(kind);
        let (is_wildcard, names) = (subscription.is_wildcard, &subscription.names);
        let is_covered = |name: &String| is_wildcard || names.contains(name);
        subscription.debts.retain(|name, _| is_covered(name));
        let before = subscription.refused.len();
        subscription.refused.retain(|name, _| is_covered(name));
        self.refusals_changed |= before > self.subscription(kind).refused.len();
    }

    /// The names of a later request in the state of the world.
    pub(super) fn resubscribe(&mut self, kind: ResourceType, names: Vec<String>) {
        let subscription = self.subscription_mut(kind);
        // The form that clients know longest: never having named anything means everything.
        if names.is_empty() && subscription.is_wildcard && subscription.names.is_empty() {
            return;
        }
        let was_wildcard = subscription.is_wildcard;
        let is_wildcard = names.iter().any(|name| name == WILDCARD);
        let names: BTreeSet<String> = names.into_iter().filter(|name| name != WILDCARD).collect();
        let old = std::mem::replace(&mut subscription.names, names.clone());
        subscription.is_wildcard = is_wildcard;
        if old == names && was_wildcard == is_wildcard {
            return;
        }
        subscription.names_changed = true;
        self.forget_uncovered(kind);
        for (name, _) in self.covered(kind) {
            if !old.contains(&name) && (names.contains(&name) || !was_wildcard) {
                self.subscription_mut(kind).must_answer(&name, Known::Nothing);
            }
        }
    }

    /// Takes the answer to a response. One to an older response says nothing.
    pub(super) fn answered(&mut self, kind: ResourceType, nonce: &str, error: Option<rpc::Status>) {
        let subscription = self.subscription_mut(kind);
        let Some(sent) = subscription.in_flight.take_if(|sent| sent.nonce == nonce) else { return };
        let before = subscription.refused.len();
        subscription.refused.retain(|name, _| !sent.names.contains(name));
        let has_fewer = subscription.refused.len() < before;
        self.refusals_changed |= has_fewer;
        let Some(error) = error else { return };
        self.refusals_changed = true;
        for rejection in refused(kind, &sent.names, &error) {
            let one = self.subscription_mut(rejection.kind);
            if !one.covers(&rejection.name) || one.refused.len() >= REFUSED_LIMIT {
                continue;
            }
            let known = one.refused.entry(rejection.name.clone()).or_default();
            if !known.contains(&rejection) && known.len() < REFUSED_LIMIT {
                known.push(rejection);
            }
        }
    }

    /// The resources that the client wants, may see and that exist.
    fn covered(&self, kind: ResourceType) -> Vec<(String, Arc<Item>)> {
        let subscription = self.subscription(kind);
        let own = |(name, item): (&str, &Arc<Item>)| (name.to_owned(), Arc::clone(item));
        let seen = |name: &str| visible(&self.catalogue, &self.node, kind, name);
        if subscription.is_wildcard {
            let names = self.catalogue.items(kind).keys().map(|name| &**name);
            return names.filter_map(|name| Some((name, seen(name)?))).map(own).collect();
        }
        let names = subscription.names.iter().map(String::as_str);
        names.filter_map(|name| Some((name, seen(name)?))).map(own).collect()
    }

    fn item(&self, kind: ResourceType, name: &str) -> Option<Arc<Item>> {
        visible(&self.catalogue, &self.node, kind, name).cloned()
    }
}

/// What a NACK refuses. A client that is not one of ours only has text: then it is the resources that the text names, or
/// else all of the response.
fn refused(kind: ResourceType, sent: &BTreeSet<String>, error: &rpc::Status) -> Vec<Rejection> {
    let told = wire::decode_refusals(error);
    if !told.is_empty() {
        return told;
    }
    let text: String = error.message.chars().take(wire::NACK_TEXT_LIMIT).collect();
    let mut names: Vec<&String> = sent.iter().filter(|name| says(&text, name)).collect();
    if names.is_empty() {
        names = sent.iter().collect();
    }
    let rejection = |name: &String| Rejection {
        kind,
        name: name.clone(),
        field: "resource".to_owned(),
        message: text.clone(),
    };
    names.into_iter().take(REFUSED_LIMIT).map(rejection).collect()
}

/// Whether `name` stands in `text`, and not as a part of another name.
fn says(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "_-.|".contains(c);
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + name.len()..].chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}
