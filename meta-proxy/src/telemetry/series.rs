//! Cells that one worker writes and a scrape reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use codec_api::Status;

use crate::error::{Flag, RETRIES_EXHAUSTED};

use super::standing::Standing;

/// A count with a single writer: incrementing costs a load and a store, no locked instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`. Only the worker that owns the counter may call it.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// Sets it, where it is a number of things that are. The same holds as for [`Counter::add`].
    pub fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Takes one away.
    #[inline]
    pub fn dec(&self) {
        self.add(u64::MAX);
    }

    /// The count now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How an exchange ended, for counters and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With the endpoint's response.
    Responded(Status),
    /// Sent; no response was asked for.
    Sent,
    /// Without either.
    Failed(Flag),
}

impl Outcome {
    /// How many there are.
    pub const COUNT: usize = Status::ALL.len() + 1 + Flag::ALL.len();

    /// All of them, in the order of their indices.
    pub fn all() -> impl Iterator<Item = Self> {
        let responded = Status::ALL.into_iter().map(Self::Responded);
        responded.chain([Self::Sent]).chain(Flag::ALL.into_iter().map(Self::Failed))
    }

    /// Its place among all outcomes.
    #[inline]
    pub fn index(self) -> usize {
        match self {
            Self::Responded(status) => status as usize,
            Self::Sent => Status::ALL.len(),
            Self::Failed(flag) => Status::ALL.len() + 1 + flag as usize,
        }
    }

    /// The label `response_code`.
    pub fn status(self) -> &'static str {
        match self {
            Self::Responded(status) => status.name(),
            Self::Sent => "sent",
            Self::Failed(_) => "failed",
        }
    }

    /// The label `response_flags`.
    pub fn flags(self) -> &'static str {
        match self {
            Self::Failed(flag) => flag.letters(),
            _ => "-",
        }
    }

    /// The same where it would have been tried again if that had been allowed once more.
    pub fn flags_exhausted(self) -> String {
        match self {
            Self::Failed(flag) => format!("{},{RETRIES_EXHAUSTED}", flag.letters()),
            _ => RETRIES_EXHAUSTED.to_owned(),
        }
    }
}

/// Upper bounds of the duration histogram in milliseconds: Istio's.
pub(super) const BUCKETS_MS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// Requests of one listener, service, route and method on one worker.
#[derive(Debug)]
pub struct RequestSeries {
    outcomes: [Counter; Outcome::COUNT],
    /// Those that would have been tried again if that had been allowed once more, which are not among the others. Made
    /// with the first one.
    exhausted: OnceLock<Box<[Counter; Outcome::COUNT]>>,
    buckets: [Counter; BUCKETS_MS.len() + 1],
    sum_us: Counter,
}

impl Default for RequestSeries {
    fn default() -> Self {
        Self {
            outcomes: std::array::from_fn(|_| Counter::default()),
            exhausted: OnceLock::new(),
            buckets: std::array::from_fn(|_| Counter::default()),
            sum_us: Counter::default(),
        }
    }
}

impl RequestSeries {
    /// Counts one exchange that took `took`.
    #[inline]
    pub fn record(&self, outcome: Outcome, took: Duration) {
        self.outcomes[outcome.index()].inc();
        self.record_duration(took);
    }

    /// The same, for one that would have been tried again if that had been allowed once more.
    pub fn record_exhausted(&self, outcome: Outcome, took: Duration) {
        let made = || Box::new(std::array::from_fn(|_| Counter::default()));
        self.exhausted.get_or_init(made)[outcome.index()].inc();
        self.record_duration(took);
    }

    #[inline]
    fn record_duration(&self, took: Duration) {
        let micros = took.as_micros() as u64;
        let bucket = BUCKETS_MS.iter().position(|bound| micros as f64 <= bound * 1000.0);
        self.buckets[bucket.unwrap_or(BUCKETS_MS.len())].inc();
        self.sum_us.add(micros);
    }

    /// How many exchanges ended this way, exhausted ones aside.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome.index()].get()
    }

    /// How many ended this way and would have been tried again if that had been allowed once more.
    pub fn count_exhausted(&self, outcome: Outcome) -> u64 {
        self.exhausted.get().map_or(0, |counters| counters[outcome.index()].get())
    }

    /// How many fell into each bucket, the last being the one without a bound.
    pub fn buckets(&self) -> [u64; BUCKETS_MS.len() + 1] {
        std::array::from_fn(|index| self.buckets[index].get())
    }

    /// The sum of all durations in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us.get()
    }
}

/// What one worker did with one endpoint of a cluster.
#[derive(Debug, Default)]
pub struct EndpointSeries {
    /// Responses by [`Status`], in its order.
    pub responses: [Counter; Status::ALL.len()],
    /// Requests whose response did not come: the connection was lost.
    pub lost: Counter,
    /// Requests whose response did not come in time.
    pub timeouts: Counter,
    /// Requests that await their response now.
    pub active: Counter,
    /// Connections open now.
    pub connections: Counter,
    /// Connection attempts that failed.
    pub connect_failures: Counter,
    /// Those that failed in the TLS handshake.
    pub tls_failures: Counter,
    /// Connections made.
    pub connects: Counter,
    /// Requests that came from the endpoint, which this proxy does not serve.
    pub reverse_requests: Counter,
    /// Responses that nobody waited for any more.
    pub late: Counter,
    /// What it has learned of it.
    pub standing: Standing,
}

/// What one worker did for one listener.
#[derive(Debug, Default)]
pub struct ListenerSeries {
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections open now.
    pub active: Counter,
    /// Connections ended because their bytes were not the protocol's.
    pub protocol_errors: Counter,
    /// Connections ended because the client took or sent nothing for too long.
    pub stalled: Counter,
    /// Connections ended because they had been idle.
    pub idle: Counter,
    /// Connections refused because the listener had too many.
    pub refused: Counter,
    /// TLS handshakes completed.
    pub tls_handshakes: Counter,
    /// TLS handshakes that failed, or took too long.
    pub tls_failures: Counter,
    /// Bytes received.
    pub received: Counter,
    /// Bytes sent.
    pub sent: Counter,
}

/// What one worker counts of itself.
#[derive(Debug, Default)]
pub struct WorkerSeries {
    /// Copies of requests that were sent.
    pub mirrored: Counter,
    /// Requests that were not copied, since they need a connection of their own.
    pub unmirrored: Counter,
    /// Copies that could not be sent, or whose response did not come.
    pub mirror_failures: Counter,
    /// Messages that had no place for what their route sets.
    pub unedited: Counter,
    /// Further tries of requests that had been sent before.
    pub retries: Counter,
    /// Requests that were not tried again, since too many others were.
    pub retries_over_budget: Counter,
}

/// What the main thread counts of the files of certificates and keys.
#[derive(Debug, Default)]
pub struct TlsSeries {
    /// Changed files that were put in force.
    pub reloads: Counter,
    /// Changed files that could not be used.
    pub reload_failures: Counter,
    /// Settings whose files cannot be used now, so that what they held before is in force.
    pub stale: Counter,
    /// When each certificate that is shown ends, in seconds since 1970, by file.
    pub certificates: Mutex<BTreeMap<String, i64>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_own_place() {
        let indices: Vec<_> = Outcome::all().map(Outcome::index).collect();
        assert_eq!(indices, (0..Outcome::COUNT).collect::<Vec<_>>());
    }

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let series = RequestSeries::default();
        for millis in [0, 1, 6, 4_000_000] {
            series.record(Outcome::Sent, Duration::from_millis(millis));
        }
        let buckets = series.buckets();
        assert_eq!((buckets[0], buckets[1], buckets[3], buckets[19]), (1, 1, 1, 1));
        assert_eq!(series.count(Outcome::Sent), 4);
    }
}
