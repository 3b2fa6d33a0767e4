//! Which objects have to do with one another: whatever is tied to something of a part belongs to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::object::{Key, Kind};
use crate::translate::{Pattern, Ties};

/// A part, while nothing in it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PartId(u64);

impl PartId {
    /// What is said of protocols, which are in no part.
    pub(super) const PROTOCOLS: Self = Self(0);
}

/// The parts of all objects.
#[derive(Debug, Default)]
pub(super) struct Parts {
    own_namespace: Option<String>,
    last: u64,
    ties: BTreeMap<Key, Ties>,
    /// Who has a name in common.
    by_name: HashMap<u64, BTreeSet<Key>>,
    patterns: BTreeMap<Pattern, BTreeSet<Key>>,
    of: BTreeMap<Key, PartId>,
    members: BTreeMap<PartId, BTreeSet<Key>>,
}

/// What has become of parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Regrouped {
    /// These are no more.
    pub(super) dissolved: BTreeSet<PartId>,
    /// These are new.
    pub(super) formed: Vec<(PartId, BTreeSet<Key>)>,
}

impl Parts {
    /// No objects. Rules of `own_namespace` apply to the services of all namespaces.
    pub(super) fn new(own_namespace: Option<String>) -> Self {
        Self { own_namespace, ..Self::default() }
    }

    /// Says what ties an object to others; `None`: it is gone. Parts stay as they are until objects are regrouped.
    pub(super) fn tie(&mut self, key: &Key, ties: Option<Ties>) {
        let before = match &ties {
            Some(ties) if self.ties.get(key) == Some(ties) => return,
            Some(ties) => self.ties.insert(key.clone(), ties.clone()),
            None => self.ties.remove(key),
        };
        let before = before.unwrap_or_default();
        before.names.iter().for_each(|name| leave(&mut self.by_name, *name, key));
        before.patterns.iter().for_each(|pattern| leave_pattern(&mut self.patterns, pattern, key));
        let ties = ties.unwrap_or_default();
        for name in ties.names {
            self.by_name.entry(name).or_default().insert(key.clone());
        }
        for pattern in ties.patterns {
            self.patterns.entry(pattern).or_default().insert(key.clone());
        }
    }

    /// Finds the parts of these objects anew, and of all that was or is in a part with them.
    pub(super) fn regroup(&mut self, touched: BTreeSet<Key>) -> Regrouped {
        let mut regrouped = Regrouped::default();
        let mut waiting: Vec<Key> = touched.into_iter().collect();
        let mut done: BTreeSet<Key> = BTreeSet::new();
        while let Some(key) = waiting.pop() {
            if done.contains(&key) {
                continue;
            }
            let mut members = self.tied_to(&key);
            members.insert(key);
            for member in &members {
                if let Some(part) = self.of.remove(member)
                    && regrouped.dissolved.insert(part)
                {
                    waiting.extend(self.members.remove(&part).unwrap_or_default());
                }
            }
            done.extend(members.iter().cloned());
            members.retain(|member| self.ties.contains_key(member));
            if !members.is_empty() {
                self.last += 1;
                let part = PartId(self.last);
                self.of.extend(members.iter().map(|member| (member.clone(), part)));
                self.members.insert(part, members.clone());
                regrouped.formed.push((part, members));
            }
        }
        regrouped
    }

    /// All that is tied to an object, however far.
    fn tied_to(&self, first: &Key) -> BTreeSet<Key> {
        let mut found = BTreeSet::from([first.clone()]);
        let mut waiting = vec![first.clone()];
        let mut followed: BTreeSet<u64> = BTreeSet::new();
        while let Some(key) = waiting.pop() {
            let Some(ties) = self.ties.get(&key) else { continue };
            let names = ties.names.iter().filter(|name| followed.insert(**name));
            let by_name = names.filter_map(|name| self.by_name.get(name)).flatten();
            let by_pattern = self.patterns_of(&key, ties).chain(self.fitting(ties));
            for other in by_name.chain(by_pattern) {
                if !found.contains(other) {
                    found.insert(other.clone());
                    waiting.push(other.clone());
                }
            }
        }
        found
    }

    /// Whatever has a pattern that fits what an object defines.
    fn patterns_of<'a>(&'a self, key: &'a Key, ties: &'a Ties) -> impl Iterator<Item = &'a Key> {
        let fits = move |pattern: &Pattern| {
            let is_near =
                pattern.namespace == key.namespace || Some(&pattern.namespace) == self.own_namespace.as_ref();
            is_near && ties.hosts.iter().any(|host| host.ends_with(&pattern.suffix))
        };
        self.patterns.iter().filter(move |(pattern, _)| fits(pattern)).flat_map(|(_, keys)| keys)
    }

    /// Whatever defines a host that fits the patterns of an object.
    fn fitting<'a>(&'a self, ties: &'a Ties) -> impl Iterator<Item = &'a Key> {
        ties.patterns.iter().flat_map(move |pattern| {
            let is_for_all = Some(&pattern.namespace) == self.own_namespace.as_ref();
            let services = [Kind::Service, Kind::ServiceEntry].into_iter().flat_map(move |kind| {
                let namespace = if is_for_all { String::new() } else { pattern.namespace.clone() };
                let first = Key { kind, namespace, name: String::new() };
                let is_here =
                    move |key: &Key| key.kind == kind && (is_for_all || key.namespace == pattern.namespace);
                self.ties.range(first..).take_while(move |(key, _)| is_here(key))
            });
            let fits = move |ties: &Ties| ties.hosts.iter().any(|host| host.ends_with(&pattern.suffix));
            services.filter(move |(_, ties)| fits(ties)).map(|(key, _)| key)
        })
    }
}

fn leave(all: &mut HashMap<u64, BTreeSet<Key>>, name: u64, key: &Key) {
    if let Some(keys) = all.get_mut(&name) {
        keys.remove(key);
        if keys.is_empty() {
            all.remove(&name);
        }
    }
}

fn leave_pattern(all: &mut BTreeMap<Pattern, BTreeSet<Key>>, pattern: &Pattern, key: &Key) {
    if let Some(keys) = all.get_mut(pattern) {
        keys.remove(key);
        if keys.is_empty() {
            all.remove(pattern);
        }
    }
}
