//! What is known of an API server's objects: pure, so that a test needs none.
//!
//! Only a deletion that was watched, or a list that came to its end, removes an object. A list counts when all of it has
//! come, and then at once; while a watch is broken, what was known last stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::Status;
use crds::istio::Labels;
use crds::kubernetes::{EndpointSliceSpec, ZONE_LABEL};

use crate::object::{AnyObject, Broken, Key, Kind, Object, Unread};
use crate::source::{Batch, Extent};
use crate::status::Diagnostic;

/// A namespace and a name in it.
pub(super) type Name = (String, String);

/// One object as it was read.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// Of a kind that `translate` knows.
    Object(Box<Entry>),
    /// A pod, of which only the labels are of interest.
    Pod(Name, Labels),
    /// A node, and the zone that it stands in.
    Node(String, Option<String>),
}

/// An object of a kind that `translate` knows.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Key,
    /// `None` where it cannot be read.
    pub(super) object: Option<AnyObject>,
    /// Where it cannot be read: whose clients it wants to be encrypted.
    pub(super) unread: Option<Unread>,
    /// What there is to say about reading it.
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) generation: Option<i64>,
    pub(super) uid: String,
    /// What was written back to it, where its kind is ours.
    pub(super) status: Status,
}

/// What a watch has seen.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// A list begins.
    Listing,
    /// One object of it.
    Listed(Item),
    /// It has come to its end.
    Complete,
    /// An object is new or has changed.
    Applied(Item),
    /// An object was deleted.
    Deleted(Item),
    /// The API server does not know the kind.
    Absent,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Store {
    watches: Vec<Watch>,
    entries: BTreeMap<Key, (usize, Entry)>,
    pods: BTreeMap<Name, (usize, Labels)>,
    nodes: BTreeMap<String, (usize, Option<String>)>,
    /// The slices that refer to a pod.
    slices_of: BTreeMap<Name, BTreeSet<Key>>,
    /// Slices with the labels of their pods; one that is not here is to be put together.
    resolved: BTreeMap<Key, AnyObject>,
    /// What means something else than in the last batch, or is gone since.
    changed: BTreeSet<Key>,
    /// Every watch has seen its objects, and there was no batch yet.
    is_new: bool,
    has_handed_over: bool,
}

#[derive(Debug, Default)]
struct Watch {
    has_synced: bool,
    listing: Option<Vec<Item>>,
}

impl Store {
    /// One that waits for this many watches.
    pub(super) fn of(watches: usize) -> Self {
        Self { watches: (0..watches).map(|_| Watch::default()).collect(), ..Self::default() }
    }

    /// Whether each watch has seen all of its objects once.
    pub(super) fn has_synced(&self) -> bool {
        self.watches.iter().all(|watch| watch.has_synced)
    }

    /// Whether a batch would mean something else than the last one.
    pub(super) fn has_changed(&self) -> bool {
        !self.changed.is_empty() || self.is_new
    }

    /// The object of a key.
    pub(super) fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key).map(|(_, entry)| entry)
    }

    /// Takes what a watch has seen.
    pub(super) fn take(&mut self, watch: usize, change: Change) {
        match change {
            Change::Listing => self.watches[watch].listing = Some(Vec::new()),
            Change::Listed(item) => self.watches[watch].listing.get_or_insert_default().push(item),
            Change::Complete => self.replace(watch),
            Change::Applied(item) => self.apply(watch, item),
            Change::Deleted(item) => self.delete(&item),
            // Where there were objects, it may only be an API server that has not read its definitions yet.
            Change::Absent => {
                self.watches[watch].listing = None;
                self.synced(watch);
            }
        }
    }

    /// Puts a complete list in the place of what was known.
    fn replace(&mut self, watch: usize) {
        let items = self.watches[watch].listing.take().unwrap_or_default();
        let (mut keys, mut pods, mut nodes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for item in &items {
            match item {
                Item::Object(entry) => drop(keys.insert(entry.key.clone())),
                Item::Pod(name, _) => drop(pods.insert(name.clone())),
                Item::Node(name, _) => drop(nodes.insert(name.clone())),
            }
        }
        let gone = |(of, _): &(usize, Entry)| *of == watch;
        let gone: Vec<Key> = self
            .entries
            .iter()
            .filter(|(key, it)| gone(it) && !keys.contains(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.forget(&key);
        }
        let gone: Vec<Name> = self
            .pods
            .iter()
            .filter(|(name, (of, _))| *of == watch && !pods.contains(*name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            self.pods.remove(&name);
            self.pod_changed(&name);
        }
        let before = self.nodes.len();
        self.nodes.retain(|name, (of, _)| *of != watch || nodes.contains(name));
        if self.nodes.len() < before {
            self.zones_changed();
        }
        for item in items {
            self.apply(watch, item);
        }
        self.synced(watch);
    }

    fn synced(&mut self, watch: usize) {
        self.watches[watch].has_synced = true;
        self.is_new = !self.has_handed_over && self.has_synced();
    }

    fn apply(&mut self, watch: usize, item: Item) {
        match item {
            Item::Object(entry) => self.apply_entry(watch, *entry),
            Item::Pod(name, labels) => {
                let before = self.pods.insert(name.clone(), (watch, labels));
                if before.map(|(_, labels)| labels).as_ref() != self.pods.get(&name).map(|(_, labels)| labels)
                {
                    self.pod_changed(&name);
                }
            }
            Item::Node(name, zone) => {
                let before = self.nodes.insert(name, (watch, zone.clone()));
                if before.and_then(|(_, zone)| zone) != zone {
                    self.zones_changed();
                }
            }
        }
    }

    fn apply_entry(&mut self, watch: usize, entry: Entry) {
        let key = entry.key.clone();
        let is_same = self.entries.get(&key).is_some_and(|(_, before)| before.means_the_same(&entry));
        if !is_same {
            self.changed.insert(key.clone());
            self.refers_no_longer(&key);
            for name in entry.pods() {
                self.slices_of.entry(name).or_default().insert(key.clone());
            }
        }
        self.entries.insert(key, (watch, entry));
    }

    fn delete(&mut self, item: &Item) {
        match item {
            Item::Object(entry) => self.forget(&entry.key),
            Item::Pod(name, _) => {
                self.pods.remove(name);
                self.pod_changed(name);
            }
            Item::Node(name, _) => {
                if self.nodes.remove(name).is_some() {
                    self.zones_changed();
                }
            }
        }
    }

    fn forget(&mut self, key: &Key) {
        self.refers_no_longer(key);
        if self.entries.remove(key).is_some() {
            self.changed.insert(key.clone());
        }
    }

    fn refers_no_longer(&mut self, key: &Key) {
        self.resolved.remove(key);
        for name in self.entries.get(key).map(|(_, entry)| entry.pods()).unwrap_or_default() {
            if let Some(slices) = self.slices_of.get_mut(&name) {
                slices.remove(key);
                if slices.is_empty() {
                    self.slices_of.remove(&name);
                }
            }
        }
    }

    fn pod_changed(&mut self, name: &Name) {
        for key in self.slices_of.get(name).into_iter().flatten() {
            self.resolved.remove(key);
            self.changed.insert(key.clone());
        }
    }

    fn zones_changed(&mut self) {
        self.resolved.clear();
        let slices = self.entries.keys().filter(|key| key.kind == Kind::EndpointSlice);
        self.changed.extend(slices.cloned());
    }

    /// All objects the first time, then what has changed.
    pub(super) fn batch(&mut self) -> Batch {
        let mut changed = std::mem::take(&mut self.changed);
        let mut batch = Batch::default();
        if std::mem::replace(&mut self.has_handed_over, true) {
            let gone = changed.iter().filter(|key| !self.entries.contains_key(key)).cloned().collect();
            batch.extent = Extent::Changes { gone };
        } else {
            changed = self.entries.keys().cloned().collect();
            self.is_new = false;
        }
        for (_, entry) in changed.iter().filter_map(|key| self.entries.get(key)) {
            batch.diagnostics.extend(entry.diagnostics.iter().cloned());
            match &entry.object {
                Some(AnyObject::EndpointSlice(slice)) => {
                    let resolved = self
                        .resolved
                        .entry(entry.key.clone())
                        .or_insert_with(|| AnyObject::EndpointSlice(resolve(slice, &self.pods, &self.nodes)));
                    batch.objects.push(resolved.clone());
                }
                Some(object) => batch.objects.push(object.clone()),
                None => batch.broken.push(Broken {
                    key: entry.key.clone(),
                    generation: entry.generation,
                    unread: entry.unread.clone(),
                }),
            }
        }
        batch
    }
}

impl Entry {
    /// Whether a batch with the other would mean the same.
    fn means_the_same(&self, other: &Self) -> bool {
        let is_same = match (&self.object, &other.object) {
            (Some(a), Some(b)) => a.says_the_same(b),
            (None, None) => true,
            _ => false,
        };
        is_same && self.generation == other.generation && self.diagnostics == other.diagnostics
    }

    /// The pods that it refers to.
    fn pods(&self) -> Vec<Name> {
        let Some(AnyObject::EndpointSlice(slice)) = &self.object else { return Vec::new() };
        slice.spec.endpoints.iter().filter_map(|endpoint| pod_of(endpoint, slice)).collect()
    }
}

fn pod_of(endpoint: &crds::kubernetes::SliceEndpoint, slice: &Object<EndpointSliceSpec>) -> Option<Name> {
    let target = endpoint.target_ref.as_ref().filter(|target| target.kind == "Pod")?;
    let namespace = if target.namespace.is_empty() { &slice.key.namespace } else { &target.namespace };
    Some((namespace.clone(), target.name.clone()))
}

/// The slice with the labels of each endpoint: its pod's, and its zone.
fn resolve(
    slice: &Object<EndpointSliceSpec>,
    pods: &BTreeMap<Name, (usize, Labels)>,
    nodes: &BTreeMap<String, (usize, Option<String>)>,
) -> Arc<Object<EndpointSliceSpec>> {
    let mut resolved = slice.clone();
    for endpoint in &mut resolved.spec.endpoints {
        let pod = pod_of(endpoint, slice).and_then(|name| pods.get(&name));
        let mut labels = pod.map(|(_, labels)| labels.clone()).unwrap_or_default();
        let of_node = || nodes.get(endpoint.node_name.as_ref()?)?.1.clone();
        if let Some(zone) = endpoint.zone.clone().or_else(of_node) {
            labels.entry(ZONE_LABEL.to_owned()).or_insert(zone);
        }
        endpoint.labels = labels;
    }
    Arc::new(resolved)
}

#[cfg(test)]
mod tests {
    use kube::api::DynamicObject;
    use serde_json::{Value, json};

    use super::*;
    use crate::source::kubernetes::watch::read;

    fn item(kind: Kind, name: &str, more: &Value) -> Item {
        let mut object =
            json!({ "metadata": { "name": name, "namespace": "shop", "uid": name, "generation": 1 } });
        object.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        Item::Object(Box::new(read(kind, object).unwrap()))
    }

    fn router(name: &str, host: &str) -> Item {
        item(Kind::MetaRouter, name, &json!({ "spec": { "hosts": [host] } }))
    }

    fn slice(pod: &str) -> Item {
        let endpoint = json!({ "addresses": ["10.1.0.1"], "nodeName": "n", "targetRef": { "kind": "Pod", "name": pod } });
        item(Kind::EndpointSlice, "orders", &json!({ "addressType": "IPv4", "endpoints": [endpoint] }))
    }

    fn pod(name: &str, version: &str) -> Item {
        Item::Pod(("shop".to_owned(), name.to_owned()), [("version".to_owned(), version.to_owned())].into())
    }

    fn list(store: &mut Store, watch: usize, items: impl IntoIterator<Item = Item>) {
        store.take(watch, Change::Listing);
        for item in items {
            store.take(watch, Change::Listed(item));
        }
        store.take(watch, Change::Complete);
    }

    fn known(store: &Store) -> Vec<&str> {
        store.entries.keys().map(|key| key.name.as_str()).collect()
    }

    /// The objects of the next batch, and what is gone where it does not tell everything.
    fn names(store: &mut Store) -> (Vec<String>, Option<Vec<String>>) {
        let batch = store.batch();
        let gone = match batch.extent {
            Extent::Whole => None,
            Extent::Changes { gone } => Some(gone.into_iter().map(|key| key.name).collect()),
        };
        (batch.objects.iter().map(|object| object.key().name.clone()).collect(), gone)
    }

    #[test]
    fn the_first_batch_tells_everything_and_a_later_one_what_has_changed() {
        let mut store = Store::of(1);
        list(&mut store, 0, [router("a", "a"), router("b", "b"), router("c", "c")]);
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&mut store), (all(&["a", "b", "c"]), None));
        store.take(0, Change::Applied(router("b", "other")));
        store.take(0, Change::Deleted(router("c", "c")));
        assert_eq!(names(&mut store), (all(&["b"]), Some(all(&["c"]))));
        list(&mut store, 0, [router("b", "other"), router("c", "again")]);
        assert_eq!(names(&mut store), (all(&["c"]), Some(all(&["a"]))), "b is as it was");
        assert!(!store.has_changed());
    }

    #[test]
    fn nothing_is_handed_over_before_every_list_has_come_to_its_end() {
        let mut store = Store::of(3);
        list(&mut store, 0, [router("a", "a")]);
        store.take(1, Change::Listing);
        store.take(1, Change::Listed(slice("p")));
        assert!(!store.has_synced());
        store.take(2, Change::Absent);
        assert!(!store.has_synced(), "one list is open");
        store.take(1, Change::Complete);
        assert!(store.has_synced() && store.has_changed());
        assert_eq!(names(&mut store), (vec!["orders".to_owned(), "a".to_owned()], None));
        assert!(!store.has_changed());
    }

    #[test]
    fn only_a_deletion_or_a_whole_list_removes_an_object() {
        let mut store = Store::of(1);
        list(&mut store, 0, [router("a", "a"), router("b", "b")]);
        let _ = store.batch();
        store.take(0, Change::Listing);
        store.take(0, Change::Listed(router("b", "b")));
        assert!(!store.has_changed(), "a list that is under way means nothing");
        store.take(0, Change::Listing);
        assert!(!store.has_changed(), "nor does one that began anew");
        store.take(0, Change::Absent);
        assert_eq!(known(&store), ["a", "b"], "nor does an API server that does not know the kind any more");
        list(&mut store, 0, [router("b", "b")]);
        assert!(store.has_changed());
        assert_eq!(known(&store), ["b"]);
        store.take(0, Change::Deleted(router("b", "b")));
        assert!(known(&store).is_empty());
    }

    #[test]
    fn what_means_the_same_is_no_change() {
        let mut store = Store::of(1);
        list(&mut store, 0, [router("a", "a")]);
        let _ = store.batch();
        let mut echo = router("a", "a");
        if let Item::Object(entry) = &mut echo {
            entry.status.observed_generation = Some(1);
        }
        store.take(0, Change::Applied(echo));
        assert!(!store.has_changed(), "only its status is another");
        let key = store.entries.keys().next().unwrap().clone();
        assert_eq!(store.get(&key).unwrap().status.observed_generation, Some(1));
        store.take(0, Change::Applied(router("a", "other")));
        assert!(store.has_changed());
    }

    #[test]
    fn an_object_that_cannot_be_read_is_broken_and_the_others_are_not() {
        let mut store = Store::of(1);
        let bad = item(Kind::MetaRouter, "bad", &json!({ "spec": { "hosts": "not a list" } }));
        list(&mut store, 0, [router("a", "a"), bad]);
        let batch = store.batch();
        assert_eq!((batch.objects.len(), batch.broken.len()), (1, 1));
        assert_eq!(
            batch.diagnostics[0].to_string(),
            "error: MetaRouter shop/bad: spec.hosts: must be a list, not a string"
        );
    }

    #[test]
    fn endpoints_bear_the_labels_of_their_pods_and_the_zone_of_their_nodes() {
        let labels = |store: &mut Store| match store.batch().objects.as_slice() {
            [AnyObject::EndpointSlice(slice)] => slice.spec.endpoints[0].labels.clone(),
            other => panic!("{other:?}"),
        };
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut store = Store::of(3);
        list(&mut store, 0, [slice("p")]);
        list(&mut store, 1, [pod("p", "v1"), pod("q", "v1")]);
        list(&mut store, 2, [Item::Node("n".to_owned(), Some("z1".to_owned()))]);
        assert_eq!(labels(&mut store), [label("version", "v1"), label(ZONE_LABEL, "z1")].into());
        store.take(1, Change::Applied(pod("q", "v2")));
        assert!(!store.has_changed(), "no endpoint is this pod");
        store.take(1, Change::Applied(pod("p", "v2")));
        assert!(store.has_changed());
        store.take(2, Change::Applied(Item::Node("n".to_owned(), Some("z2".to_owned()))));
        assert_eq!(labels(&mut store), [label("version", "v2"), label(ZONE_LABEL, "z2")].into());
        store.take(0, Change::Applied(slice("q")));
        store.take(1, Change::Deleted(pod("p", "v2")));
        assert_eq!(labels(&mut store)["version"], "v2", "of the other pod now");
        list(&mut store, 1, []);
        assert!(!labels(&mut store).contains_key("version"), "its pod is gone");
    }
}
