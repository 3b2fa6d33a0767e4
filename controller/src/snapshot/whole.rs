//! For tests: all resources of a moment, which are compared with those before.

use std::collections::BTreeMap;

use xds::{Resource, ResourceType};

use super::{Catalogue, Changes, Resources};
use crate::translate::{Audience, Made};

/// All resources of a moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) resources: Resources,
    /// Who may see those that not everybody may see.
    pub(crate) audiences: BTreeMap<(ResourceType, String), Audience>,
}

impl Catalogue {
    /// The one that follows, with all of these resources and no others.
    pub(crate) fn next(&self, mut snapshot: Snapshot) -> Self {
        let names = ResourceType::ALL
            .into_iter()
            .flat_map(|kind| self.items(kind).keys().map(move |name| (kind, name.to_string())));
        let gone = names.filter(|key| !snapshot.resources.contains_key(key)).collect();
        let made = |(key, resource): ((ResourceType, String), Resource)| Made {
            audience: snapshot.audiences.remove(&key),
            resource,
            otherwise: None,
        };
        self.apply(Changes { set: snapshot.resources.into_iter().map(made).collect(), gone })
    }
}
