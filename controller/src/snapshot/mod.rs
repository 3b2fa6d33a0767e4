//! The resources of the moment: made from the last good version of every object, and remembered with what has changed.
//!
//! The same for every source. An object with a mistake keeps its last good version; where there is none, as at the
//! start, what can be served of it is (see [`crate::translate`]). An object that was deleted is forgotten.
//!
//! Objects that have to do with one another are a part (`parts`), and each part is translated by itself (`settle`), so
//! that the cost of a change does not grow with what it does not touch (ADR 0014).

mod catalogue;
mod difference;
mod parts;
mod remarks;
mod settle;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use xds::{Resource, ResourceType};

pub use catalogue::{Catalogue, Changes, Id, Item, REMEMBERED_CHANGES_LIMIT};
pub use difference::{Versions, difference, versions};
pub use remarks::Remarks;

pub use crate::translate::{Audience, Made};

#[cfg(test)]
pub(crate) use whole::Snapshot;

use crate::object::{Key, Kind};
use crate::source::{Batch, Extent};
use crate::translate::Options;
use parts::{PartId, Parts};
use settle::{Known, Protocols, Settled};

/// Resources by type and name.
pub type Resources = BTreeMap<(ResourceType, String), Resource>;

/// What a batch of objects comes to.
#[derive(Debug, Clone, Default)]
pub struct Built {
    /// What it changes.
    pub changes: Changes,
    /// What there is to say about all objects.
    pub remarks: Remarks,
}

/// Turns batches into changes, and remembers the last good version of each object.
#[derive(Debug, Default)]
pub struct Builder {
    options: Options,
    known: BTreeMap<Key, Known>,
    parts: Parts,
    protocols: Protocols,
    /// Counts them.
    batches: u64,
    /// Names of the resources and hosts that each part comes to.
    made: BTreeMap<PartId, Products>,
    remarks: Remarks,
}

/// What a part comes to, by name.
#[derive(Debug, Default)]
struct Products {
    resources: Vec<(ResourceType, String)>,
    hosts: Vec<Arc<str>>,
}

impl Builder {
    /// Knows no objects yet.
    pub fn new(options: Options) -> Self {
        let parts = Parts::new(options.own_namespace.clone());
        Self { options, parts, ..Self::default() }
    }

    /// What `batch` changes.
    pub fn build(&mut self, batch: Batch) -> Built {
        let mut touched = self.take(batch);
        for key in &touched {
            self.tie(key);
        }
        if touched.iter().any(|key| key.kind == Kind::ApplicationProtocol) && self.settle_protocols() {
            touched.extend(self.known.keys().cloned());
        }
        touched.retain(|key| key.kind != Kind::ApplicationProtocol);
        let regrouped = self.parts.regroup(touched);
        let (mut set, mut gone) = (Vec::new(), BTreeSet::new());
        for part in regrouped.dissolved {
            let Products { resources, hosts } = self.made.remove(&part).unwrap_or_default();
            gone.extend(resources);
            self.remarks.forget(part, &hosts);
        }
        for (part, members) in regrouped.formed {
            let settled = settle::settle(&members, &self.known, &self.protocols, &self.options);
            self.remember(settled.good);
            let resources: Vec<_> = settled.made.iter().map(Made::key).collect();
            for key in &resources {
                gone.remove(key);
            }
            let hosts: Vec<Arc<str>> = settled.hosts.into_iter().map(Arc::from).collect();
            self.remarks.say(part, settled.diagnostics, &hosts);
            self.made.insert(part, Products { resources, hosts });
            set.extend(settled.made);
        }
        Built { changes: Changes { set, gone: gone.into_iter().collect() }, remarks: self.remarks.clone() }
    }

    /// Takes what a batch says. The objects that are not what they were.
    fn take(&mut self, batch: Batch) -> BTreeSet<Key> {
        self.batches += 1;
        let mut now: BTreeMap<Key, Known> = BTreeMap::new();
        let (is_part, mut named) = (batch.extent != Extent::Whole, Vec::new());
        for object in batch.objects {
            if is_part {
                named.push(object.key().clone());
            }
            match self.known.get_mut(object.key()) {
                Some(known) if known.is_still(&object) => known.seen(self.batches),
                _ => drop(now.insert(object.key().clone(), Known::readable(object))),
            }
        }
        for broken in batch.broken {
            if self.known.get(&broken.key).is_none_or(|known| !known.was_seen(self.batches)) {
                now.entry(broken.key.clone()).or_default().add_broken(broken);
            }
        }
        let gone: Vec<Key> = match batch.extent {
            Extent::Whole => {
                self.remarks.forget_sources();
                let is_gone =
                    |(key, known): &(&Key, &Known)| !known.was_seen(self.batches) && !now.contains_key(key);
                self.known.iter().filter(is_gone).map(|(key, _)| key.clone()).collect()
            }
            Extent::Changes { gone } => {
                self.remarks.forget_source(named.iter().chain(now.keys()).chain(&gone));
                gone
            }
        };
        self.remarks.hear(batch.diagnostics);
        let mut touched = BTreeSet::new();
        for key in gone {
            if self.known.remove(&key).is_some() {
                self.remarks.forget_generation(&key);
                touched.insert(key);
            }
        }
        for (key, mut known) in now {
            let before = self.known.remove(&key);
            self.remarks.set_generation(&key, known.generation());
            let is_same = before.as_ref().is_some_and(|before| before.is(&known));
            known.inherit(before);
            if !is_same {
                touched.insert(key.clone());
            }
            self.known.insert(key, known);
        }
        touched
    }

    /// Has an object tied to others by what it says and by what it said when it was good last.
    fn tie(&mut self, key: &Key) {
        let ties = self.known.get(key).map(Known::ties);
        self.parts.tie(key, ties);
    }

    /// Reads the protocols again; whether they are others now.
    fn settle_protocols(&mut self) -> bool {
        let keys = self.known.keys().filter(|key| key.kind == Kind::ApplicationProtocol);
        let members = keys.cloned().collect();
        let none = Protocols::default();
        let Settled { diagnostics, good, objects, .. } =
            settle::settle(&members, &self.known, &none, &self.options);
        self.remember(good);
        self.remarks.say(PartId::PROTOCOLS, diagnostics, &[]);
        let protocols = Protocols::of(objects);
        let are_others = !protocols.are(&self.protocols);
        self.protocols = protocols;
        are_others
    }

    fn remember(&mut self, good: Vec<Key>) {
        for key in good {
            if let Some(known) = self.known.get_mut(&key)
                && known.is_good_now()
            {
                self.tie(&key);
            }
        }
    }
}
