//! What there is to say about objects, by what it comes from, so that a change takes no longer where others have mistakes
//! too. It is put together when it is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use immutable_chunkmap::map::MapM;

use super::parts::PartId;
use crate::object::Key;
use crate::status::{Diagnostic, Generations};

/// All that there is to say. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Remarks {
    /// By the source; `None`: about no object.
    sources: MapM<Option<Key>, Arc<[Diagnostic]>>,
    parts: MapM<PartId, Arc<[Diagnostic]>>,
    /// Hosts that are served.
    hosts: MapM<Arc<str>, ()>,
    generations: Generations,
}

impl Remarks {
    /// Sorted by place, each once.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let sources = self.sources.into_iter().map(|(_, said)| said);
        let parts = self.parts.into_iter().map(|(_, said)| said);
        let hosts = || self.hosts.into_iter().map(|(host, ())| &**host);
        let all = sources.chain(parts).flat_map(|said| said.iter());
        let mut all: Vec<_> = all.map(|said| said.clone().with_suggestion(hosts())).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Which change of each object of ours this is about.
    pub fn generations(&self) -> &Generations {
        &self.generations
    }

    /// A source is about to say anew what there is to say about these objects.
    pub(super) fn forget_source<'k>(&mut self, named: impl Iterator<Item = &'k Key>) {
        for key in named {
            self.sources.remove_cow(&Some(key.clone()));
        }
    }

    /// Takes what a source says.
    pub(super) fn hear(&mut self, said: Vec<Diagnostic>) {
        let mut by_object: BTreeMap<Option<Key>, Vec<Diagnostic>> = BTreeMap::new();
        for diagnostic in said {
            by_object.entry(diagnostic.object.clone()).or_default().push(diagnostic);
        }
        for (key, said) in by_object {
            self.sources.insert_cow(key, said.into());
        }
    }

    /// A source is about to say everything anew.
    pub(super) fn forget_sources(&mut self) {
        self.sources = MapM::default();
    }

    /// Takes what there is to say about a part, and which hosts it serves.
    pub(super) fn say(&mut self, part: PartId, said: Vec<Diagnostic>, hosts: &[Arc<str>]) {
        if said.is_empty() {
            self.parts.remove_cow(&part);
        } else {
            self.parts.insert_cow(part, said.into());
        }
        for host in hosts {
            self.hosts.insert_cow(Arc::clone(host), ());
        }
    }

    /// A part is no more.
    pub(super) fn forget(&mut self, part: PartId, hosts: &[Arc<str>]) {
        self.parts.remove_cow(&part);
        for host in hosts {
            self.hosts.remove_cow(host);
        }
    }

    /// Which change of an object this is about now.
    pub(super) fn set_generation(&mut self, key: &Key, generation: Option<i64>) {
        if key.kind.is_ours() {
            self.generations.insert_cow(key.clone(), generation);
        }
    }

    /// An object is gone.
    pub(super) fn forget_generation(&mut self, key: &Key) {
        self.generations.remove_cow(key);
    }
}
