//! What is to be sent next, and in which order.

use std::collections::BTreeSet;
use std::sync::Arc;

use xds::ResourceType;
use xxhash_rust::xxh3::Xxh3;

use super::subscription::{Debt, InFlight};
use super::{
    Dialect, HELD_BACK_LIMIT, Known, REMOVALS_PER_RESPONSE_LIMIT, RESPONSE_LIMIT, Response, Session, visible,
};
use crate::snapshot::Item;

/// What one response tells.
#[derive(Default)]
struct Telling {
    changed: Vec<Arc<Item>>,
    removed: Vec<String>,
    /// What of the subscription it settles.
    settled: BTreeSet<String>,
    /// In the state of the world: it holds what is to be removed later.
    with_old: bool,
}

impl Session {
    /// All that may be sent now. Clusters and endpoints first; listeners and routes when these are answered, so that no
    /// route leads to what a proxy does not have; removals when all else is answered, in reverse, but for those that are
    /// held back.
    pub(super) fn due(&mut self) -> Vec<Response> {
        let mut responses = Vec::new();
        let asked = self.subscriptions.iter().filter(|one| one.is_asked).count();
        if asked < self.node.first_requests {
            return responses;
        }
        for kind in [ResourceType::Cluster, ResourceType::Endpoints] {
            responses.extend(self.additions(kind));
        }
        if self.is_settled(ResourceType::Cluster) && self.is_settled(ResourceType::Endpoints) {
            responses.extend(self.additions(ResourceType::Listener));
            if !self.has_additions(ResourceType::Listener) {
                responses.extend(self.additions(ResourceType::Routes));
            }
        }
        for kind in ResourceType::ALL.into_iter().rev() {
            if ResourceType::ALL.into_iter().all(|kind| self.is_settled(kind)) {
                responses.extend(self.removals(kind));
            }
        }
        responses
    }

    /// Whether the client has everything of this type that is new, and has said so.
    fn is_settled(&self, kind: ResourceType) -> bool {
        self.subscription(kind).in_flight.is_none() && !self.has_additions(kind)
    }

    fn has_additions(&self, kind: ResourceType) -> bool {
        let subscription = self.subscription(kind);
        let is_addition = |(name, debt): (&String, &Debt)| {
            debt.is_of_nothing() || visible(&self.catalogue, &self.node, kind, name).is_some()
        };
        subscription.must_greet || subscription.names_changed || subscription.debts.iter().any(is_addition)
    }

    /// New and changed resources, and what was asked for.
    fn additions(&mut self, kind: ResourceType) -> Option<Response> {
        if self.subscription(kind).in_flight.is_some() || !self.has_additions(kind) {
            return None;
        }
        let telling = match self.dialect {
            Dialect::Delta => self.changes(kind),
            Dialect::StateOfTheWorld => self.world(kind, true),
        };
        self.tell(kind, telling)
    }

    /// Resources that are gone.
    fn removals(&mut self, kind: ResourceType) -> Option<Response> {
        if self.subscription(kind).debts.is_empty() || self.is_held_back(kind) {
            return None;
        }
        let names: Vec<_> =
            self.subscription(kind).debts.keys().take(REMOVALS_PER_RESPONSE_LIMIT).cloned().collect();
        let telling = match self.dialect {
            Dialect::Delta => {
                Telling { settled: names.iter().cloned().collect(), removed: names, ..Telling::default() }
            }
            Dialect::StateOfTheWorld => self.world(kind, false),
        };
        self.tell(kind, telling)
    }

    /// Whether removals of this type wait. Of what is refused, the client goes on with the version before, which may lead
    /// to what is gone since; which version that is, and where it leads, is not known here.
    fn is_held_back(&self, kind: ResourceType) -> bool {
        let is_bounded = self.subscription(kind).debts.len() <= HELD_BACK_LIMIT;
        is_bounded && leading_to(kind).iter().any(|kind| self.is_refused(*kind))
    }

    /// Whether the client refuses something of this type that is there, or that it has not been told to be gone.
    fn is_refused(&self, kind: ResourceType) -> bool {
        let subscription = self.subscription(kind);
        let has_it = |name: &String| {
            subscription.debts.contains_key(name)
                || visible(&self.catalogue, &self.node, kind, name).is_some()
        };
        subscription.refused.keys().any(has_it)
    }

    /// As many of the changes as one response may hold.
    fn changes(&self, kind: ResourceType) -> Telling {
        let (mut telling, mut size) = (Telling::default(), 0);
        for (name, debt) in &self.subscription(kind).debts {
            match visible(&self.catalogue, &self.node, kind, name) {
                Some(item) => {
                    if size + item.size > RESPONSE_LIMIT && size > 0 {
                        break;
                    }
                    size += item.size;
                    telling.changed.push(Arc::clone(item));
                }
                None if debt.is_of_nothing() => telling.removed.push(name.clone()),
                None => continue,
            }
            telling.settled.insert(name.clone());
        }
        telling
    }

    /// A response of the state of the world. Of listeners and clusters it holds all, with those that are to be removed
    /// later if `with_old`; of the others, what changed: of them, none is removed by saying nothing.
    fn world(&self, kind: ResourceType, with_old: bool) -> Telling {
        let subscription = self.subscription(kind);
        let is_whole = matches!(kind, ResourceType::Cluster | ResourceType::Listener);
        let mut telling = Telling::default();
        if is_whole {
            let covered = self.catalogue.items(kind).keys().filter(|name| subscription.covers(name));
            let seen = covered.filter_map(|name| visible(&self.catalogue, &self.node, kind, name));
            telling.changed = seen.map(Arc::clone).collect();
        }
        for (name, debt) in &subscription.debts {
            match (visible(&self.catalogue, &self.node, kind, name), &debt.known) {
                (Some(item), _) if !is_whole => telling.changed.push(Arc::clone(item)),
                (None, Known::Sent(item)) if with_old => {
                    if is_whole {
                        telling.changed.push(Arc::clone(item));
                        telling.with_old = true;
                    }
                    continue;
                }
                _ => {}
            }
            telling.settled.insert(name.clone());
        }
        telling
    }

    fn tell(&mut self, kind: ResourceType, telling: Telling) -> Option<Response> {
        let version = match self.dialect {
            Dialect::Delta => String::new(),
            // Who comes back with it is told all, for it has to learn what is gone.
            Dialect::StateOfTheWorld if telling.with_old => format!("{}+old", self.version(kind)),
            Dialect::StateOfTheWorld => self.version(kind),
        };
        let is_silent = self.dialect == Dialect::StateOfTheWorld
            && !matches!(kind, ResourceType::Cluster | ResourceType::Listener)
            && telling.changed.is_empty();
        let nonce = self.nonce();
        if kind == ResourceType::Cluster {
            self.endpoints_again(&telling.changed);
        }
        let had_refused = self.forget(kind, &telling);
        self.refusals_changed |= had_refused;
        let subscription = self.subscription_mut(kind);
        subscription.debts.retain(|name, _| !telling.settled.contains(name));
        if !version.is_empty() {
            subscription.debts.values_mut().for_each(|debt| debt.must_answer = false);
        }
        let is_greeting = std::mem::take(&mut subscription.must_greet);
        subscription.names_changed = false;
        if is_silent && !is_greeting {
            return None;
        }
        subscription.last_nonce = Some(nonce.clone());
        subscription.in_flight = Some(InFlight { nonce: nonce.clone(), names: telling.settled });
        let (changed, removed) = (telling.changed, telling.removed);
        Some(Response { type_url: kind.type_url().into(), nonce, version, changed, removed })
    }

    /// What is gone cannot be refused any more.
    fn forget(&mut self, kind: ResourceType, telling: &Telling) -> bool {
        let is_gone = |name: &String| visible(&self.catalogue, &self.node, kind, name).is_none();
        let gone: BTreeSet<_> = telling.settled.iter().filter(|name| is_gone(name)).collect();
        let refused = &mut self.subscriptions[kind as usize].refused;
        let before = refused.len();
        refused.retain(|name, _| !gone.contains(name));
        refused.len() < before
    }

    /// Envoy waits for the endpoints of a cluster that has changed, even if it has them.
    fn endpoints_again(&mut self, clusters: &[Arc<Item>]) {
        for cluster in clusters {
            let name = &cluster.resource.name;
            let now = visible(&self.catalogue, &self.node, ResourceType::Endpoints, name).cloned();
            let subscription = self.subscription_mut(ResourceType::Endpoints);
            if subscription.names.contains(name) {
                let known = subscription.known(name, now.as_ref());
                subscription.must_answer(name, known);
            }
        }
    }

    /// The version of all that the client wants of a type: a hash of their names and versions, the same in every
    /// replica.
    pub(super) fn version(&self, kind: ResourceType) -> String {
        let mut hash = Xxh3::new();
        let subscription = self.subscription(kind);
        for name in self.catalogue.items(kind).keys().filter(|name| subscription.covers(name)) {
            let Some(item) = visible(&self.catalogue, &self.node, kind, name) else { continue };
            for text in [&**name, &item.resource.version] {
                hash.update(text.as_bytes());
                hash.update(&[0]);
            }
        }
        format!("{:016x}", hash.digest())
    }
}

/// Types whose resources lead to those of `kind`.
fn leading_to(kind: ResourceType) -> &'static [ResourceType] {
    match kind {
        ResourceType::Listener => &[],
        ResourceType::Routes => &[ResourceType::Listener],
        ResourceType::Cluster => &[ResourceType::Listener, ResourceType::Routes],
        ResourceType::Endpoints => &[ResourceType::Listener, ResourceType::Routes, ResourceType::Cluster],
    }
}
