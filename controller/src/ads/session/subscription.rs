//! What a client has asked for of one type, and what it is owed of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use xds::Rejection;

use crate::snapshot::Item;

/// What a client knows of a resource.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// Nothing.
    Nothing,
    /// This version, from an earlier stream.
    Version(String),
    /// This one was sent.
    Sent(Arc<Item>),
}

impl Known {
    fn of(item: Option<&Arc<Item>>) -> Self {
        item.map_or(Self::Nothing, |item| Self::Sent(Arc::clone(item)))
    }

    fn version(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Version(version) => Some(version),
            Self::Sent(item) => Some(&item.resource.version),
        }
    }

    /// Whether it is what `item` says.
    pub(super) fn is(&self, item: Option<&Arc<Item>>) -> bool {
        self.version() == item.map(|item| item.resource.version.as_str())
    }
}

/// A resource of which the client knows something else than what is, or that it has asked for.
#[derive(Debug, Clone)]
pub(super) struct Debt {
    pub(super) known: Known,
    /// It has asked for it just now, and is told even if it knows it or there is none.
    pub(super) must_answer: bool,
}

impl Debt {
    /// Whether the client is to be told at once if there is no such resource. One that it knows is removed in its turn,
    /// for something may lead there.
    pub(super) fn is_of_nothing(&self) -> bool {
        self.must_answer && self.known.is(None)
    }
}

/// A response that awaits its answer.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) nonce: String,
    pub(super) names: BTreeSet<String>,
}

/// A type's part of a session. Of a resource that is covered and not among the debts, the client knows what is.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "none of them says anything of another one")]
pub(super) struct Subscription {
    pub(super) is_asked: bool,
    pub(super) is_wildcard: bool,
    pub(super) names: BTreeSet<String>,
    pub(super) debts: BTreeMap<String, Debt>,
    pub(super) in_flight: Option<InFlight>,
    /// Nonce of the last response.
    pub(super) last_nonce: Option<String>,
    pub(super) refused: BTreeMap<String, Vec<Rejection>>,
    /// The first request is answered even if there is nothing to say.
    pub(super) must_greet: bool,
    /// In the state of the world: the names are others than in the last response.
    pub(super) names_changed: bool,
}

impl Subscription {
    /// Whether the client wants this resource.
    pub(super) fn covers(&self, name: &str) -> bool {
        self.is_wildcard || self.names.contains(name)
    }

    /// Whether the client has yet to be told of this resource, or to answer.
    pub(super) fn is_pending(&self, name: &str) -> bool {
        let in_flight = self.in_flight.as_ref().is_some_and(|sent| sent.names.contains(name));
        in_flight || self.debts.contains_key(name)
    }

    /// Resources that are not in force, as far as is known.
    pub(super) fn open(&self) -> impl Iterator<Item = &str> {
        let in_flight = self.in_flight.iter().flat_map(|sent| &sent.names);
        self.debts.keys().chain(in_flight).chain(self.refused.keys()).map(String::as_str)
    }

    /// A resource that the client wants has become another one, has come or has gone.
    pub(super) fn changed(&mut self, name: &str, old: Option<&Arc<Item>>, new: Option<&Arc<Item>>) {
        match self.debts.get(name) {
            Some(debt) if debt.known.is(new) && !debt.must_answer => drop(self.debts.remove(name)),
            Some(_) => {}
            None => {
                let known = Known::of(old);
                if !known.is(new) {
                    self.debts.insert(name.to_owned(), Debt { known, must_answer: false });
                }
            }
        }
    }

    /// The client wants this resource from now on, of which it knows `known`.
    pub(super) fn owe(&mut self, name: &str, known: Known, now: Option<&Arc<Item>>) {
        if !known.is(now) {
            self.debts.insert(name.to_owned(), Debt { known, must_answer: false });
        }
    }

    /// The client is to be told of this resource whatever it knows.
    pub(super) fn must_answer(&mut self, name: &str, known: Known) {
        let debt = self.debts.entry(name.to_owned()).or_insert(Debt { known, must_answer: true });
        debt.must_answer = true;
    }

    /// What the client knows of this resource, if nothing has been noted about it.
    pub(super) fn known(&self, name: &str, now: Option<&Arc<Item>>) -> Known {
        match self.debts.get(name) {
            Some(debt) => debt.known.clone(),
            None if self.covers(name) => Known::of(now),
            None => Known::Nothing,
        }
    }
}
