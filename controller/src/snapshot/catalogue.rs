//! The resources of the moment as all who deliver them share them: each once, with what has changed lately.
//!
//! A stream that follows along looks only at what changed since it looked last, so that the cost of a change does not
//! grow with what did not.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use immutable_chunkmap::map::MapM;
use prost::Message;
use xds::{Resource, ResourceType};

use crate::translate::{Audience, Made};

/// Changes that a catalogue remembers, in resources; who was away for longer compares everything.
pub const REMEMBERED_CHANGES_LIMIT: usize = 20_000;

/// Type and name of a resource.
pub type Id = (ResourceType, Arc<str>);

/// A resource and who may see it.
#[derive(Debug, PartialEq)]
pub struct Item {
    /// The resource.
    pub resource: Resource,
    /// Who may see it; `None`: everybody.
    pub audience: Option<Audience>,
    /// What others see in its place.
    pub otherwise: Option<Arc<Self>>,
    /// Bytes that it takes in a response, about.
    pub size: usize,
}

impl Item {
    /// Bytes of a response beside a resource's name, version and body.
    const OVERHEAD: usize = 32;
    /// Bytes of an origin, about.
    const ORIGIN: usize = 128;

    fn new(resource: Resource, audience: Option<Audience>, otherwise: Option<Arc<Self>>) -> Self {
        let size = resource.name.len()
            + resource.version.len()
            + resource.body.encoded_len()
            + resource.origins.len() * Self::ORIGIN
            + Self::OVERHEAD;
        Self { resource, audience, otherwise, size }
    }

    fn says_the_same(&self, other: &Self) -> bool {
        let same_otherwise = match (&self.otherwise, &other.otherwise) {
            (Some(a), Some(b)) => a.says_the_same(b),
            (None, None) => true,
            _ => false,
        };
        self.resource.version == other.resource.version && self.audience == other.audience && same_otherwise
    }

    /// What a proxy in `namespace` sees of it that is part of this gateway; of none, if `gateway` is empty. Gateways have no
    /// other listeners than their own.
    pub fn seen_by<'a>(self: &'a Arc<Self>, namespace: &str, gateway: &str) -> Option<&'a Arc<Self>> {
        if !gateway.is_empty() && self.resource.kind == ResourceType::Listener && !self.is_of_gateway() {
            return None;
        }
        let is_for =
            |item: &Self| item.audience.as_ref().is_none_or(|audience| audience.includes(namespace, gateway));
        std::iter::successors(Some(self), |item| item.otherwise.as_ref()).find(|item| is_for(item))
    }
}

impl Item {
    /// Whether it is the listener of a gateway.
    fn is_of_gateway(&self) -> bool {
        self.resource.kind == ResourceType::Listener
            && self.audience.as_ref().is_some_and(|audience| audience.gateways.is_some())
    }
}

/// What becomes of resources.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// These are new, or others than before, or the same.
    pub set: Vec<Made>,
    /// These are no more.
    pub gone: Vec<(ResourceType, String)>,
}

/// The resources of a type, by name. A clone shares what does not change.
#[derive(Debug, Clone, Default)]
pub struct Items(MapM<Arc<str>, Arc<Item>>);

impl Items {
    /// One of them.
    pub fn get(&self, name: &str) -> Option<&Arc<Item>> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Item>)> {
        self.0.into_iter()
    }

    /// Their names, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.iter().map(|(name, _)| name)
    }

    /// All of them, without their names.
    pub fn values(&self) -> impl Iterator<Item = &Arc<Item>> {
        self.iter().map(|(_, item)| item)
    }
}

/// All resources of a moment.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    generation: u64,
    /// Resources that not everybody may see.
    with_audience: usize,
    items: [Items; ResourceType::ALL.len()],
    /// What each of the last generations changed, oldest first.
    steps: VecDeque<Arc<BTreeSet<Id>>>,
}

impl Catalogue {
    /// Counts changes; the same number means that nothing has changed.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The resources of a type, by name.
    pub fn items(&self, kind: ResourceType) -> &Items {
        &self.items[kind as usize]
    }

    /// One resource.
    pub fn get(&self, kind: ResourceType, name: &str) -> Option<&Arc<Item>> {
        self.items[kind as usize].get(name)
    }

    /// Whether there is something that not everybody may see.
    pub fn has_audiences(&self) -> bool {
        self.with_audience > 0
    }

    /// All resources in delivery order, but the listeners of gateways.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        let items = self.items.iter().flat_map(Items::values);
        items.filter(|item| !item.is_of_gateway()).map(|item| &item.resource)
    }

    /// The one that follows, in which all that did not change is shared with this one.
    #[must_use]
    pub fn apply(&self, changes: Changes) -> Self {
        let mut next = self.clone();
        let mut step = BTreeSet::new();
        for made in changes.set {
            step.extend(next.set(made));
        }
        for (kind, name) in changes.gone {
            step.extend(next.remove(kind, &name));
        }
        if !step.is_empty() {
            next.generation += 1;
            next.steps.push_back(Arc::new(step));
            let mut remembered: usize = next.steps.iter().map(|step| step.len()).sum();
            while remembered > REMEMBERED_CHANGES_LIMIT {
                let Some(oldest) = next.steps.pop_front() else { break };
                remembered -= oldest.len();
            }
        }
        next
    }

    /// Puts a resource in its place; its name, if it says something else now.
    fn set(&mut self, made: Made) -> Option<Id> {
        let Made { resource, audience, otherwise } = made;
        let other = otherwise.map(|(resource, audience)| Arc::new(Item::new(resource, audience, None)));
        let kind = resource.kind;
        let old = self.items[kind as usize].0.get_full(&*resource.name);
        let old = old.map(|(name, item)| (Arc::clone(name), Arc::clone(item)));
        let name = old.as_ref().map_or_else(|| Arc::from(&*resource.name), |(name, _)| Arc::clone(name));
        let item = Item::new(resource, audience, other);
        if old.as_ref().is_some_and(|(_, old)| **old == item) {
            return None;
        }
        let says_the_same = old.as_ref().is_some_and(|(_, old)| old.says_the_same(&item));
        self.with_audience += usize::from(item.audience.is_some());
        self.with_audience -= old.map_or(0, |(_, old)| usize::from(old.audience.is_some()));
        self.items[kind as usize].0.insert_cow(Arc::clone(&name), Arc::new(item));
        (!says_the_same).then_some((kind, name))
    }

    /// Takes a resource away; its name, if there was one.
    fn remove(&mut self, kind: ResourceType, name: &str) -> Option<Id> {
        let items = &mut self.items[kind as usize].0;
        let name = Arc::clone(items.get_key(name)?);
        let old = items.remove_cow(&name)?;
        self.with_audience -= usize::from(old.audience.is_some());
        Some((kind, name))
    }

    /// What has changed since `generation`, of an earlier catalogue of the same row: each resource once. `None`: that
    /// is too long ago.
    pub fn changed_since(&self, generation: u64) -> Option<BTreeSet<&Id>> {
        let behind = usize::try_from(self.generation.saturating_sub(generation)).ok()?;
        let first = self.steps.len().checked_sub(behind)?;
        Some(self.steps.range(first..).flat_map(|step| step.iter()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Snapshot;

    fn snapshot(resources: &[(&str, &str)]) -> Snapshot {
        let resource = |(name, version): &(&str, &str)| {
            let body = xds::v1::Mirror { cluster: (*version).to_owned(), ..Default::default() };
            let kind = ResourceType::Cluster;
            let resource = Resource::new(kind, (*name).to_owned(), (*version).to_owned(), &body);
            ((kind, (*name).to_owned()), resource)
        };
        Snapshot { resources: resources.iter().map(resource).collect(), ..Snapshot::default() }
    }

    fn names(changed: Option<BTreeSet<&Id>>) -> Option<Vec<String>> {
        changed.map(|all| all.into_iter().map(|(_, name)| name.to_string()).collect())
    }

    #[test]
    fn what_did_not_change_is_shared_and_what_did_is_remembered() {
        let first = Catalogue::default().next(snapshot(&[("a", "1"), ("b", "1")]));
        let second = first.next(snapshot(&[("a", "1"), ("b", "2"), ("c", "1")]));
        let item =
            |catalogue: &Catalogue, name| Arc::clone(catalogue.get(ResourceType::Cluster, name).unwrap());
        assert!(Arc::ptr_eq(&item(&first, "a"), &item(&second, "a")));
        assert_eq!(
            names(second.changed_since(first.generation())),
            Some(vec!["b".to_owned(), "c".to_owned()])
        );
        let third = second.next(snapshot(&[("b", "1")]));
        let all = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(names(third.changed_since(first.generation())), Some(all));
        assert_eq!(names(third.changed_since(third.generation())), Some(vec![]));
        assert_eq!(third.next(snapshot(&[("b", "1")])).generation(), third.generation(), "nothing changed");
    }

    #[test]
    fn another_audience_is_a_change_and_another_origin_is_none() {
        let first = Catalogue::default().next(snapshot(&[("a", "1")]));
        let key = (ResourceType::Cluster, "a".to_owned());
        let mut moved = snapshot(&[("a", "1")]);
        let origin = xds::Origin {
            kind: "MetaRouter".to_owned(),
            namespace: "shop".to_owned(),
            name: "r".to_owned(),
            source: None,
        };
        moved.resources.get_mut(&key).unwrap().origins = Arc::new([origin]);
        let moved = first.next(moved);
        assert_eq!(moved.generation(), first.generation());
        assert_eq!(moved.get(ResourceType::Cluster, "a").unwrap().resource.origins.len(), 1);
        let mut hidden = snapshot(&[("a", "1")]);
        let shop = Audience {
            namespaces: Some(BTreeSet::from(["shop".to_owned()])),
            is_for_mesh: true,
            gateways: None,
        };
        hidden.audiences.insert(key, shop.clone());
        assert_eq!(first.next(hidden).generation(), first.generation() + 1);
        assert!(shop.includes("shop", "gateway") && !shop.includes("mall", "gateway"));
    }

    #[test]
    fn who_was_away_for_too_long_compares_everything() {
        let mut catalogue = Catalogue::default();
        let many: Vec<_> = (0..REMEMBERED_CHANGES_LIMIT / 2).map(|number| number.to_string()).collect();
        for version in ["1", "2", "3"] {
            let all: Vec<_> = many.iter().map(|name| (name.as_str(), version)).collect();
            catalogue = catalogue.next(snapshot(&all));
        }
        assert!(catalogue.changed_since(0).is_none());
        assert_eq!(catalogue.changed_since(1).unwrap().len(), many.len());
    }
}
