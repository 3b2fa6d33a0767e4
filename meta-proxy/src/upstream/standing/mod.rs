//! How the endpoints of a cluster stand with the whole process, whatever the number of workers.
//!
//! What every request looks at, and what its end counts, are atomics of its endpoint. Only what changes who is out takes the
//! ledger's lock: an ejection, a return, a ping. It is kept over snapshots, by address.

mod ledger;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::model::{Endpoint, Health, HealthCheck, OutlierDetection};

pub use ledger::Member;
use ledger::{Ledger, Sentence, Turn};

/// Endpoints that one answer names.
const NAMED: usize = 5;
/// No endpoint comes back.
const NEVER: u64 = u64::MAX;

/// How a request ended, in so far as it speaks for or against its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// With a response of the application, be it an error.
    Good,
    /// With a response, or bytes, that the endpoint is to blame for.
    Bad(&'static str),
    /// Without any.
    Mute(&'static str),
}

/// One endpoint, as all workers see it.
#[derive(Debug, Default)]
pub struct Standing {
    /// It gets no requests, unless there is panic.
    out: AtomicBool,
    /// Requests that failed, one after the other.
    errors: AtomicU32,
    /// Those that got no response, likewise.
    mute: AtomicU32,
}

/// The endpoints of a cluster.
#[derive(Debug)]
pub struct Roster {
    start: Instant,
    book: Mutex<Book>,
    /// All get requests, whoever is out.
    panics: AtomicBool,
    /// When the next one comes back, in nanoseconds since `start`.
    next_return: AtomicU64,
}

#[derive(Debug, Default)]
struct Book {
    ledger: Ledger,
    standings: HashMap<SocketAddr, Arc<Standing>>,
    panic_threshold: u32,
}

impl Standing {
    /// Whether it gets no requests, unless there is panic.
    #[inline]
    pub fn is_out(&self) -> bool {
        self.out.load(Ordering::Relaxed)
    }

    /// Takes note of how a request ended; tells why the endpoint is to be ejected for it, if it is.
    pub fn note(&self, evidence: Evidence, policy: &OutlierDetection) -> Option<String> {
        let (Evidence::Bad(last) | Evidence::Mute(last)) = evidence else {
            self.forget();
            return None;
        };
        if self.is_out() {
            return None;
        }
        let is_mute = matches!(evidence, Evidence::Mute(_));
        let mute = if is_mute { self.mute.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        if !is_mute {
            self.mute.store(0, Ordering::Relaxed);
        }
        let errors = self.errors.fetch_add(1, Ordering::Relaxed) + 1;
        let reaches = |count: u32, limit: Option<u32>| limit.is_some_and(|limit| count >= limit.max(1));
        let (count, what) = if reaches(errors, policy.consecutive_errors) {
            (errors, "errors")
        } else if reaches(mute, policy.consecutive_gateway_errors) {
            (mute, "gateway errors")
        } else {
            return None;
        };
        Some(format!("{count} {what} in a row, the last one: {last}"))
    }

    /// Begins to count anew.
    #[inline]
    fn forget(&self) {
        // Most requests are good: they read what all workers share, and do not write it.
        for count in [&self.errors, &self.mute] {
            if count.load(Ordering::Relaxed) != 0 {
                count.store(0, Ordering::Relaxed);
            }
        }
    }
}

impl Default for Roster {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            book: Mutex::default(),
            panics: AtomicBool::new(false),
            next_return: AtomicU64::new(NEVER),
        }
    }
}

impl Roster {
    /// Takes the endpoints that a cluster has from now on, and how they are judged.
    pub fn enter(&self, endpoints: &[Endpoint], policy: &Health) {
        let mut book = self.book();
        let judged = if policy.is_on() { endpoints } else { &[] };
        if judged.is_empty() && book.standings.is_empty() {
            return;
        }
        book.ledger.enter(judged.iter().map(|endpoint| endpoint.address), policy, Instant::now());
        let mut old = std::mem::take(&mut book.standings);
        let kept =
            |endpoint: &Endpoint| (endpoint.address, old.remove(&endpoint.address).unwrap_or_default());
        book.standings = judged.iter().map(kept).collect();
        book.panic_threshold = policy.panic_threshold;
        self.publish(&book);
    }

    /// One of the endpoints; `None`: it is not judged.
    pub fn standing(&self, address: SocketAddr) -> Option<Arc<Standing>> {
        self.book().standings.get(&address).cloned()
    }

    /// Whether all get requests, whoever is out, because there are so many of them.
    #[inline]
    pub fn panics(&self) -> bool {
        self.panics.load(Ordering::Relaxed)
    }

    /// Takes those back whose time is over.
    #[inline]
    pub fn tick(&self, cluster: &str, now: Instant) {
        let next = self.next_return.load(Ordering::Relaxed);
        if next != NEVER && self.nanos(now) >= next {
            self.settle(cluster, now);
        }
    }

    fn settle(&self, cluster: &str, now: Instant) {
        let mut book = self.book();
        for endpoint in book.ledger.settle(now) {
            tracing::info!(cluster, %endpoint, "an ejected endpoint is back");
            if let Some(standing) = book.standings.get(&endpoint) {
                standing.forget();
            }
        }
        self.publish(&book);
    }

    /// Ejects an endpoint, if it may be.
    pub fn eject(
        &self,
        cluster: &str,
        endpoint: SocketAddr,
        why: &str,
        policy: &OutlierDetection,
        now: Instant,
    ) {
        self.tick(cluster, now);
        let mut book = self.book();
        let sentence = book.ledger.eject(endpoint, why.to_owned(), policy, now);
        match sentence {
            Sentence::Ejected(time) => tracing::warn!(cluster, %endpoint, ?time, why, "endpoint ejected"),
            Sentence::Spared => {
                tracing::debug!(cluster, %endpoint, why, "not ejected: as many others are as may be");
            }
            Sentence::Moot => return,
        }
        if let Some(standing) = book.standings.get(&endpoint) {
            standing.forget();
        }
        self.publish(&book);
    }

    /// Takes note of a ping; `Err` says why it failed.
    pub fn pinged(
        &self,
        cluster: &str,
        endpoint: SocketAddr,
        result: Result<(), &str>,
        policy: &HealthCheck,
    ) {
        let mut book = self.book();
        match book.ledger.pinged(endpoint, result, policy) {
            None => return,
            Some(Turn::Worse) => {
                let why = result.err().unwrap_or_default();
                tracing::warn!(cluster, %endpoint, why, "endpoint unhealthy: its pings fail");
            }
            Some(Turn::Better) => {
                tracing::info!(cluster, %endpoint, "an unhealthy endpoint answers pings again");
                if let Some(standing) = book.standings.get(&endpoint) {
                    standing.forget();
                }
            }
        }
        self.publish(&book);
    }

    /// Every endpoint that is judged, as of `now`.
    pub fn members(&self, cluster: &str, now: Instant) -> Vec<(SocketAddr, Member)> {
        self.tick(cluster, now);
        let book = self.book();
        book.ledger.members().iter().map(|(address, member)| (*address, member.clone())).collect()
    }

    /// Why none of `wanted` gets requests.
    pub fn why_out(&self, wanted: impl Fn(SocketAddr) -> bool, now: Instant) -> String {
        let book = self.book();
        let reasons = book.ledger.members().iter().filter(|(address, _)| wanted(**address));
        let reasons: Vec<String> = reasons
            .filter_map(|(address, member)| Some(format!("{address}: {}", member.why(now)?)))
            .collect();
        let more = reasons.len().saturating_sub(NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!("{}{more}", reasons[..reasons.len().min(NAMED)].join("; "))
    }

    /// Lets workers see what the book says.
    fn publish(&self, book: &Book) {
        for (address, standing) in &book.standings {
            let is_out = book.ledger.members().get(address).is_some_and(Member::is_out);
            standing.out.store(is_out, Ordering::Relaxed);
        }
        self.panics.store(book.ledger.panics(book.panic_threshold), Ordering::Relaxed);
        let next = book.ledger.next_return().map_or(NEVER, |next| self.nanos(next));
        self.next_return.store(next, Ordering::Relaxed);
    }

    fn nanos(&self, time: Instant) -> u64 {
        // 64 bits last for five hundred years.
        time.saturating_duration_since(self.start).as_nanos() as u64
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing panics while it holds the lock.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
