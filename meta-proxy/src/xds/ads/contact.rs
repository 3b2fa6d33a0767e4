//! Whether a controller is there, for `/ready` and `/metrics`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::telemetry::Control;

/// What is known of the controllers.
#[derive(Debug)]
pub struct Contact {
    began: Instant,
    is_connected: AtomicBool,
    /// Milliseconds from `began` to the last word of a controller.
    heard: AtomicU64,
    streams: AtomicU64,
    updates: AtomicU64,
    refused: AtomicU64,
    /// Whom the proxy waits for, and why.
    words: Mutex<String>,
    mended: Notify,
}

impl Default for Contact {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            is_connected: AtomicBool::default(),
            heard: AtomicU64::default(),
            streams: AtomicU64::default(),
            updates: AtomicU64::default(),
            refused: AtomicU64::default(),
            words: Mutex::default(),
            mended: Notify::default(),
        }
    }
}

impl Contact {
    pub(super) fn tries(&self, controller: &str) {
        self.say(format!("waiting for controller {controller}"));
    }

    pub(super) fn connected(&self, controller: &str) {
        self.is_connected.store(true, Ordering::Relaxed);
        self.streams.fetch_add(1, Ordering::Relaxed);
        self.say(format!("waiting for resources of controller {controller}"));
        self.heard();
    }

    pub(super) fn heard(&self) {
        let now = self.began.elapsed().as_millis();
        self.heard.store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn updated(&self, refused: usize) {
        self.updates.fetch_add(1, Ordering::Relaxed);
        self.refused.fetch_add(refused as u64, Ordering::Relaxed);
        self.heard();
    }

    pub(super) fn lost(&self, controller: &str, error: &str) {
        if self.is_connected.swap(false, Ordering::Relaxed) {
            self.heard();
        }
        self.say(format!("waiting for controller {controller}: {error}"));
    }

    fn say(&self, words: String) {
        *self.words.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// What was refused is in force, without another update: it may name what was never asked for.
    pub fn mended(&self) {
        self.mended.notify_one();
    }

    pub(super) async fn is_mended(&self) {
        self.mended.notified().await;
    }

    /// Whom the proxy waits for, and why.
    pub fn words(&self) -> String {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether there is a stream.
    pub fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }

    /// Seconds since a controller was there: what is in force may be that old. 0 while there is a stream, whose
    /// connection is asked for signs of life.
    pub fn staleness(&self) -> f64 {
        if self.is_connected() {
            return 0.0;
        }
        let heard = self.heard.load(Ordering::Relaxed) as f64 / 1000.0;
        (self.began.elapsed().as_secs_f64() - heard).max(0.0)
    }

    /// Responses that were put in force.
    pub(super) fn updates(&self) -> u64 {
        self.updates.load(Ordering::Relaxed)
    }

    /// What `/metrics` shows.
    pub fn figures(&self) -> Control {
        Control {
            is_connected: self.is_connected(),
            staleness: self.staleness(),
            streams: self.streams.load(Ordering::Relaxed),
            updates: self.updates(),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn what_is_in_force_grows_stale_while_nobody_is_there() {
        let contact = Contact::default();
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!((contact.staleness() - 3.0).abs() < 0.1);
        contact.connected("a:1");
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(contact.is_connected() && contact.staleness() < 0.1);
        contact.lost("a:1", "broken");
        assert_eq!(contact.words(), "waiting for controller a:1: broken");
        tokio::time::advance(Duration::from_secs(5)).await;
        contact.lost("a:1", "connection refused");
        assert!((contact.staleness() - 5.0).abs() < 0.1, "a failed attempt is no contact");
    }
}
