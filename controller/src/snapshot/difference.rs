//! What a proxy must be told, given what it was told last.

use std::collections::BTreeMap;

use xds::{ResourceType, Update};

use super::Resources;

/// Versions of the resources that were sent.
pub type Versions = BTreeMap<(ResourceType, String), String>;

/// What is new or has another version, in delivery order, and what is gone. Resources are compared by version alone:
/// an object that moved to another line changes nothing.
pub fn difference(sent: &Versions, now: &Resources) -> Update {
    let changed = now.iter().filter(|(key, resource)| sent.get(*key) != Some(&resource.version));
    let removed = sent.keys().filter(|key| !now.contains_key(*key));
    Update {
        changed: changed.map(|(_, resource)| resource.clone()).collect(),
        removed: removed.cloned().collect(),
    }
}

/// The versions of all resources.
pub fn versions(resources: &Resources) -> Versions {
    resources.iter().map(|(key, resource)| (key.clone(), resource.version.clone())).collect()
}
