//! The resources of the moment: made from the last good version of every object, and compared with what was sent.
//!
//! The same for every source. An object with a mistake keeps its last good version; where there is none, as at the
//! start, what can be served of it is (see [`crate::translate`]). An object that was deleted is forgotten.

mod catalogue;
mod difference;

use std::collections::{BTreeMap, BTreeSet};

use xds::{Resource, ResourceType};

pub use catalogue::{Catalogue, Id, Item, REMEMBERED_CHANGES_LIMIT};
pub use difference::{Versions, difference, versions};

pub use crate::translate::Audience;

use crate::object::{AnyObject, Key, Objects, Unread};
use crate::source::Batch;
use crate::status::{Diagnostic, Reason, Severity};
use crate::translate::{Audiences, Options, Otherwise, Translation, translate};
use crate::tree::FieldPath;

/// Translations per batch, at most. One is enough without mistakes, two with them; only where an older version of one
/// object breaks another are there more, and after these what is wrong is served as it is at a start.
const MAX_PASSES: usize = 4;

/// Resources by type and name.
pub type Resources = BTreeMap<(ResourceType, String), Resource>;

/// What a batch of objects comes to.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Everything a proxy needs.
    pub resources: Resources,
    /// Who may see those that not everybody may see.
    pub audiences: Audiences,
    /// What is told of them to others, and who of these may see that.
    pub otherwise: Otherwise,
    /// What there is to say, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Makes snapshots, and remembers the last good version of each object.
#[derive(Debug, Default)]
pub struct Builder {
    options: Options,
    last_good: BTreeMap<Key, AnyObject>,
}

impl Builder {
    /// Knows no objects yet.
    pub fn new(options: Options) -> Self {
        Self { options, last_good: BTreeMap::new() }
    }

    /// What `batch` comes to.
    pub fn build(&mut self, batch: Batch) -> Snapshot {
        let mut diagnostics: BTreeSet<Diagnostic> = batch.diagnostics.into_iter().collect();
        let mut old: BTreeSet<Key> = BTreeSet::new();
        let mut objects: BTreeMap<Key, AnyObject> =
            batch.objects.into_iter().map(|object| (object.key().clone(), object)).collect();
        let broken: BTreeSet<&Key> = batch.broken.iter().collect();
        // Of one that was deleted and made again meanwhile, there is no good version yet.
        self.last_good.retain(|key, good| match objects.get(key) {
            Some(object) => object.created() == good.created(),
            None => broken.contains(key),
        });
        for key in batch.broken {
            if let Some(good) = self.last_good.get(&key) {
                diagnostics.insert(stays(good));
                objects.insert(key.clone(), good.clone());
                old.insert(key);
            }
        }
        let is_lost = |unread: &Unread| !objects.contains_key(&unread.key);
        let unread: Vec<_> = batch.unread.into_iter().filter(is_lost).collect();
        let mut translation = self.translate(&objects, &unread);
        for _ in 1..MAX_PASSES {
            let replaced = self.replace(&mut objects, &translation);
            if replaced.is_empty() {
                break;
            }
            let about_replaced =
                |said: &&Diagnostic| said.object.as_ref().is_some_and(|key| replaced.contains(key));
            diagnostics.extend(translation.diagnostics.iter().filter(about_replaced).cloned());
            diagnostics.extend(replaced.iter().filter_map(|key| self.last_good.get(key)).map(stays));
            old.extend(replaced);
            translation = self.translate(&objects, &unread);
        }
        self.remember(objects, &old, &translation);
        diagnostics.extend(translation.diagnostics);
        let resources = translation
            .resources
            .into_iter()
            .map(|resource| ((resource.kind, resource.name.clone()), resource));
        Snapshot {
            resources: resources.collect(),
            audiences: translation.audiences,
            otherwise: translation.otherwise,
            diagnostics: diagnostics.into_iter().collect(),
        }
    }

    fn translate(&self, objects: &BTreeMap<Key, AnyObject>, unread: &[Unread]) -> Translation {
        let mut all: Objects = objects.values().cloned().collect();
        all.unread = unread.to_vec();
        translate(&all, &self.options)
    }

    /// Puts the last good version in the place of each object with a mistake that once said something else.
    fn replace(&self, objects: &mut BTreeMap<Key, AnyObject>, translation: &Translation) -> BTreeSet<Key> {
        let mut replaced = BTreeSet::new();
        for key in translation.failed() {
            if let (Some(good), Some(object)) = (self.last_good.get(key), objects.get_mut(key))
                && !good.says_the_same(object)
            {
                *object = good.clone();
                replaced.insert(key.clone());
            }
        }
        replaced
    }

    fn remember(
        &mut self,
        objects: BTreeMap<Key, AnyObject>,
        old: &BTreeSet<Key>,
        translation: &Translation,
    ) {
        let failed = translation.failed();
        for (key, object) in objects {
            if !failed.contains(&key) && !old.contains(&key) {
                self.last_good.insert(key, object);
            }
        }
    }
}

fn stays(good: &AnyObject) -> Diagnostic {
    Diagnostic {
        file: good.location().map(|location| std::sync::Arc::clone(&location.file)),
        position: None,
        severity: Severity::Warning,
        object: Some(good.key().clone()),
        path: FieldPath::root(),
        message: "its last good version stays in force".to_owned(),
        reason: Reason::default(),
    }
}
