//! What a proxy must be told, given what it was told last.

use std::collections::BTreeMap;

use xds::{ResourceType, Update};

use super::Catalogue;

/// Versions of the resources that were sent.
pub type Versions = BTreeMap<(ResourceType, String), String>;

/// What is new or has another version, in delivery order, and what is gone. Resources are compared by version alone:
/// an object that moved to another line changes nothing.
pub fn difference(sent: &Versions, now: &Catalogue) -> Update {
    let key = |kind, name: &str| (kind, name.to_owned());
    let changed = now
        .resources()
        .filter(|resource| sent.get(&key(resource.kind, &resource.name)) != Some(&resource.version));
    let removed = sent.keys().filter(|(kind, name)| now.get(*kind, name).is_none());
    Update { changed: changed.cloned().collect(), removed: removed.cloned().collect() }
}

/// The versions of all resources.
pub fn versions(catalogue: &Catalogue) -> Versions {
    let version =
        |resource: &xds::Resource| ((resource.kind, resource.name.clone()), resource.version.clone());
    catalogue.resources().map(version).collect()
}
