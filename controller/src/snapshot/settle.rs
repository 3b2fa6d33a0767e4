//! What the objects of a part come to, with the last good version in the place of each that has a mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::ApplicationProtocolSpec;

use crate::object::{AnyObject, Broken, Key, Object, Objects, Unread};
use crate::status::{Diagnostic, Reason, Severity};
use crate::translate::{Made, Options, Ties, Translation, translate};
use crate::tree::FieldPath;

/// Translations of a part, at most. One is enough without mistakes, two with them; only where an older version of one
/// object breaks another are there more, and after these what is wrong is served as it is at a start.
const MAX_PASSES: usize = 4;

/// What is known of an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// As it is now; `None` where it cannot be read.
    now: Option<AnyObject>,
    /// Where it cannot be read: which of its changes, and what shows of it.
    broken: Vec<Broken>,
    /// As it was when it had no mistake last.
    good: Option<AnyObject>,
    /// The last batch that it stood in as it is now.
    seen: u64,
}

impl Known {
    pub(super) fn readable(object: AnyObject) -> Self {
        Self { now: Some(object), ..Self::default() }
    }

    /// Takes that it cannot be read, unless it can be read elsewhere.
    pub(super) fn add_broken(&mut self, broken: Broken) {
        if self.now.is_none() {
            self.broken.push(broken);
        }
    }

    /// Which of its changes this is.
    pub(super) fn generation(&self) -> Option<i64> {
        match &self.now {
            Some(object) => object.head().generation,
            None => self.broken.first().and_then(|broken| broken.generation),
        }
    }

    /// Whether this is what it is known as.
    pub(super) fn is_still(&self, object: &AnyObject) -> bool {
        self.now.as_ref().is_some_and(|now| now.is(object))
    }

    pub(super) fn seen(&mut self, batch: u64) {
        self.seen = batch;
    }

    pub(super) fn was_seen(&self, batch: u64) -> bool {
        self.seen == batch
    }

    /// Whether nothing has happened to it, whatever was good.
    pub(super) fn is(&self, other: &Self) -> bool {
        let are_same = match (&self.now, &other.now) {
            (Some(a), Some(b)) => a.is(b),
            (None, None) => true,
            _ => false,
        };
        are_same && self.broken == other.broken
    }

    /// Takes over what was good before. Of one that was deleted and made again meanwhile, there is no good version yet.
    pub(super) fn inherit(&mut self, before: Option<Self>) {
        let good = before.and_then(|before| before.good);
        self.good = good.filter(|good| self.now.as_ref().is_none_or(|now| now.created() == good.created()));
    }

    /// Takes what it says now as good; whether that is another than before.
    pub(super) fn is_good_now(&mut self) -> bool {
        let is_other = match (&self.now, &self.good) {
            (Some(now), Some(good)) => !now.is(good),
            (now, _) => now.is_some(),
        };
        if is_other {
            self.good.clone_from(&self.now);
        }
        is_other
    }

    pub(super) fn ties(&self) -> Ties {
        let objects = self.now.iter().chain(&self.good).map(Ties::of);
        let unread = self.broken.iter().filter_map(|broken| broken.unread.as_ref()).map(Ties::of_unread);
        objects.chain(unread).reduce(Ties::and).unwrap_or_default()
    }

    fn unread(&self) -> impl Iterator<Item = &Unread> {
        self.broken.iter().filter_map(|broken| broken.unread.as_ref())
    }
}

/// All protocols, which every part is translated with; oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Protocols(Vec<Arc<Object<ApplicationProtocolSpec>>>);

impl Protocols {
    pub(super) fn of(objects: BTreeMap<Key, AnyObject>) -> Self {
        Self(objects.into_values().collect::<Objects>().protocols)
    }

    /// Whether these are the same objects.
    pub(super) fn are(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

/// What a part comes to.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) made: Vec<Made>,
    pub(super) hosts: Vec<String>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Those whose version of the moment is good.
    pub(super) good: Vec<Key>,
    /// The versions that are in force.
    pub(super) objects: BTreeMap<Key, AnyObject>,
}

/// What `members` come to.
pub(super) fn settle(
    members: &BTreeSet<Key>,
    known: &BTreeMap<Key, Known>,
    protocols: &Protocols,
    options: &Options,
) -> Settled {
    let mut diagnostics = BTreeSet::new();
    let mut old: BTreeSet<Key> = BTreeSet::new();
    let mut objects: BTreeMap<Key, AnyObject> = BTreeMap::new();
    let mut unread = Vec::new();
    for (key, known) in members.iter().filter_map(|key| Some((key, known.get(key)?))) {
        match (&known.now, &known.good) {
            (Some(object), _) => drop(objects.insert(key.clone(), object.clone())),
            (None, Some(good)) => {
                diagnostics.insert(stays(good));
                objects.insert(key.clone(), good.clone());
                old.insert(key.clone());
            }
            (None, None) => unread.extend(known.unread().cloned()),
        }
    }
    let translated = |objects: &BTreeMap<Key, AnyObject>| {
        let mut all: Objects = objects.values().cloned().collect();
        all.protocols.extend(protocols.0.iter().cloned());
        all.unread.clone_from(&unread);
        translate(&all, options)
    };
    let mut translation = translated(&objects);
    for _ in 1..MAX_PASSES {
        let replaced = replace(&mut objects, known, &translation);
        if replaced.is_empty() {
            break;
        }
        let about_replaced =
            |said: &&Diagnostic| said.object.as_ref().is_some_and(|key| replaced.contains(key));
        diagnostics.extend(translation.diagnostics.iter().filter(about_replaced).cloned());
        let goods = replaced.iter().filter_map(|key| known.get(key)?.good.as_ref());
        diagnostics.extend(goods.map(stays));
        old.extend(replaced);
        translation = translated(&objects);
    }
    let failed = translation.failed();
    let is_good = |key: &&Key| !failed.contains(key) && !old.contains(*key);
    let good = objects.keys().filter(is_good).cloned().collect();
    let is_of_part = |said: &Diagnostic| said.object.as_ref().is_none_or(|key| objects.contains_key(key));
    diagnostics.extend(translation.diagnostics.into_iter().filter(is_of_part));
    Settled {
        made: translation.resources,
        hosts: translation.hosts,
        diagnostics: diagnostics.into_iter().collect(),
        good,
        objects,
    }
}

/// Puts the last good version in the place of each object with a mistake that once said something else.
fn replace(
    objects: &mut BTreeMap<Key, AnyObject>,
    known: &BTreeMap<Key, Known>,
    translation: &Translation,
) -> BTreeSet<Key> {
    let mut replaced = BTreeSet::new();
    for key in translation.failed() {
        if let (Some(good), Some(object)) =
            (known.get(key).and_then(|known| known.good.as_ref()), objects.get_mut(key))
            && !good.says_the_same(object)
        {
            *object = good.clone();
            replaced.insert(key.clone());
        }
    }
    replaced
}

fn stays(good: &AnyObject) -> Diagnostic {
    Diagnostic {
        file: good.location().map(|location| Arc::clone(&location.file)),
        position: None,
        severity: Severity::Warning,
        object: Some(good.key().clone()),
        path: FieldPath::root(),
        message: "its last good version stays in force".to_owned(),
        reason: Reason::default(),
        near: None,
    }
}
