//! What is to be written to objects, and when: each object waits for its own failures only.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::object::Key;

/// Pauses of an object whose status could not be written.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long after a failure, of whatever object, another one is tried again: an API server that refuses everything is
/// not asked more often because there are many objects.
const RETRY_SPACING: Duration = Duration::from_millis(100);

/// A part of a status, as one manager applies it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Patch {
    pub(super) manager: String,
    pub(super) status: Value,
}

/// What is to be written: of each object, only the newest, and never twice at a time.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Of objects that did not fail last.
    fresh: BTreeMap<Key, Vec<Patch>>,
    failed: BTreeMap<Key, Failed>,
    writing: BTreeMap<Key, Writing>,
    /// Nothing that failed is tried again before.
    retry_from: Option<Instant>,
}

#[derive(Debug)]
struct Failed {
    patches: Vec<Patch>,
    pause: Duration,
    again_at: Instant,
}

#[derive(Debug)]
struct Writing {
    /// To be written again if it fails; `None`: the object is gone.
    patches: Option<Vec<Patch>>,
    /// What has taken its place meanwhile.
    newer: Option<Vec<Patch>>,
    /// The pause before this attempt, if the one before failed.
    pause: Option<Duration>,
}

impl Queue {
    pub(super) fn put(&self, key: Key, patches: Vec<Patch>) {
        let state = &mut *self.lock();
        if let Some(writing) = state.writing.get_mut(&key) {
            writing.newer = Some(patches);
        } else if let Some(failed) = state.failed.get_mut(&key) {
            failed.patches = patches;
        } else {
            state.fresh.insert(key, patches);
        }
        self.changed.notify_one();
    }

    /// The object is gone: nothing is to be written, and its failures are forgotten.
    pub(super) fn forget(&self, key: &Key) {
        let state = &mut *self.lock();
        state.fresh.remove(key);
        state.failed.remove(key);
        if let Some(writing) = state.writing.get_mut(key) {
            *writing = Writing { patches: None, newer: None, pause: None };
        }
    }

    /// What is to be written now, if anything is. The end of it must be told.
    pub(super) fn take(&self, now: Instant) -> Option<(Key, Vec<Patch>)> {
        let state = &mut *self.lock();
        let (key, patches, pause) = if let Some((key, patches)) = state.fresh.pop_first() {
            (key, patches, None)
        } else {
            let key = state.retry().filter(|(at, _)| *at <= now).map(|(_, key)| key.clone())?;
            let failed = state.failed.remove(&key)?;
            (key, failed.patches, Some(failed.pause))
        };
        let writing = Writing { patches: Some(patches.clone()), newer: None, pause };
        state.writing.insert(key.clone(), writing);
        Some((key, patches))
    }

    /// It is written, or there is no such object.
    pub(super) fn written(&self, key: Key) {
        let state = &mut *self.lock();
        if let Some(newer) = state.writing.remove(&key).and_then(|writing| writing.newer) {
            state.fresh.insert(key, newer);
        }
    }

    /// It could not be written. Whether that is new.
    pub(super) fn failed(&self, key: Key, now: Instant) -> bool {
        let state = &mut *self.lock();
        state.retry_from = Some(now + RETRY_SPACING);
        let Some(writing) = state.writing.remove(&key) else { return false };
        let is_new = writing.pause.is_none();
        if let Some(patches) = writing.newer.or(writing.patches) {
            let pause = writing.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
            state.failed.insert(key, Failed { patches, pause, again_at: now + pause });
        }
        is_new
    }

    /// When the next one that failed is to be tried again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.lock().retry().map(|(at, _)| at)
    }

    /// Waits until there is something else to be written.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who of those that failed is tried again next, and when.
    fn retry(&self) -> Option<(Instant, &Key)> {
        let (key, next) = self.failed.iter().min_by_key(|(_, failed)| failed.again_at)?;
        Some((self.retry_from.map_or(next.again_at, |from| from.max(next.again_at)), key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Kind;

    fn key(name: &str) -> Key {
        Key { kind: Kind::MetaRouter, namespace: "shop".to_owned(), name: name.to_owned() }
    }

    fn patches(text: &str) -> Vec<Patch> {
        vec![Patch { manager: "m".to_owned(), status: Value::String(text.to_owned()) }]
    }

    #[test]
    fn pauses_of_an_object_grow_until_it_is_written_or_gone() {
        let (queue, start) = (Queue::default(), Instant::now());
        let mut now = start;
        let fail = |now: Instant| {
            assert!(queue.take(now).is_some());
            queue.failed(key("a"), now)
        };
        queue.put(key("a"), patches("1"));
        assert!(fail(now), "it is new");
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let at = queue.retry_at().unwrap();
            assert!(queue.take(at - Duration::from_millis(1)).is_none());
            pauses.push((at - now).as_millis());
            now = at;
            assert!(!fail(now));
        }
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);

        queue.put(key("a"), patches("2"));
        assert!(queue.take(now).is_none(), "newer content waits as well");
        now = queue.retry_at().unwrap();
        assert_eq!(queue.take(now), Some((key("a"), patches("2"))));
        queue.written(key("a"));
        queue.put(key("a"), patches("3"));
        assert!(fail(now), "its failures are forgotten");
        assert_eq!(queue.retry_at(), Some(now + FIRST_PAUSE));
        queue.forget(&key("a"));
        assert_eq!(queue.retry_at(), None);
        queue.put(key("a"), patches("4"));
        assert!(fail(now), "it was made again");
    }

    #[test]
    fn what_changes_while_it_is_written_is_written_next() {
        let (queue, now) = (Queue::default(), Instant::now());
        queue.put(key("a"), patches("1"));
        queue.take(now).unwrap();
        queue.put(key("a"), patches("2"));
        assert!(queue.take(now).is_none(), "not twice at a time");
        queue.written(key("a"));
        assert_eq!(queue.take(now), Some((key("a"), patches("2"))));
        queue.put(key("a"), patches("3"));
        queue.failed(key("a"), now);
        assert_eq!(queue.take(now + FIRST_PAUSE), Some((key("a"), patches("3"))));
        queue.forget(&key("a"));
        queue.failed(key("a"), now);
        assert!(queue.retry_at().is_none() && queue.lock().writing.is_empty(), "it is gone");
    }

    #[test]
    fn many_that_fail_are_not_all_tried_again_at_once() {
        let (queue, start) = (Queue::default(), Instant::now());
        for name in 0..100 {
            queue.put(key(&name.to_string()), patches("1"));
        }
        while let Some((key, _)) = queue.take(start) {
            queue.failed(key, start);
        }
        let (mut now, mut tries) = (start, 0);
        while let Some(at) = queue.retry_at().filter(|at| *at < start + Duration::from_secs(10)) {
            now = at.max(now);
            let (key, _) = queue.take(now).unwrap();
            queue.failed(key, now);
            tries += 1;
        }
        assert!((90..=100).contains(&tries), "{tries}");
    }
}
