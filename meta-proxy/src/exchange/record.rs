//! The guard that records an exchange's end exactly once, on drop.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use codec_api::Status;
use tokio::time::Instant;

use crate::error::Flag;
use crate::local::Local;
use crate::telemetry::{LogEntry, Outcome, RequestSeries, TraceId};

/// A series, as one worker holds it: its requests share a pointer that other workers need not notice.
pub struct Tally(Arc<RequestSeries>);

impl Tally {
    /// Counts in `series`.
    pub fn new(series: Arc<RequestSeries>) -> Rc<Self> {
        Rc::new(Self(series))
    }
}

/// Bytes of the reason why an exchange failed that are logged.
const DETAIL_LIMIT: usize = 1024;

/// Counts and logs one exchange when it is dropped. Until told otherwise it takes the client for gone.
pub struct Record {
    local: Rc<Local>,
    series: Option<Rc<Tally>>,
    started: Instant,
    outcome: Outcome,
    /// It would have been tried again if that had been allowed once more.
    is_exhausted: bool,
    log: Option<Box<Labels>>,
}

/// What only the access log wants to know. Made only where there is one.
pub struct Labels {
    /// Name of the listener.
    pub listener: Arc<str>,
    /// The client's address.
    pub client: SocketAddr,
    /// The service's host.
    pub service: Arc<str>,
    /// The operation.
    pub method: String,
    /// The route's name.
    pub route: Arc<str>,
    /// The cluster that was chosen.
    pub cluster: Option<Arc<str>>,
    /// The endpoint that it was sent to last.
    pub endpoint: Option<SocketAddr>,
    /// How many were tried.
    pub tries: u32,
    /// Size of the request.
    pub request_bytes: usize,
    /// Size of the response.
    pub response_bytes: usize,
    /// The trace that the request belongs to.
    pub trace: Option<TraceId>,
    /// Why it failed; empty: it did not, or nobody was there to be told.
    pub detail: Box<str>,
}

impl Record {
    /// The record of an exchange that begins now. Without a series it is not counted.
    pub fn new(local: &Rc<Local>, series: Option<Rc<Tally>>, log: Option<Box<Labels>>) -> Self {
        let outcome = Outcome::Failed(Flag::DownstreamConnectionTermination);
        Self { local: local.clone(), series, started: local.now(), outcome, is_exhausted: false, log }
    }

    /// What its worker shares.
    pub fn local(&self) -> &Local {
        &self.local
    }

    /// The same, for another record.
    pub(super) fn shared(&self) -> &Rc<Local> {
        &self.local
    }

    /// Notes the cluster that was chosen.
    #[inline]
    pub fn choose(&mut self, cluster: &Arc<str>) {
        if let Some(log) = &mut self.log {
            log.cluster = Some(cluster.clone());
        }
    }

    /// Notes an endpoint that it is sent to.
    #[inline]
    pub fn attempt(&mut self, endpoint: SocketAddr) {
        if let Some(log) = &mut self.log {
            log.endpoint = Some(endpoint);
            log.tries += 1;
        }
    }

    /// It ended with a response of this many bytes.
    #[inline]
    pub fn responded(&mut self, status: Status, bytes: usize) {
        self.outcome = Outcome::Responded(status);
        if let Some(log) = &mut self.log {
            log.response_bytes = bytes;
        }
    }

    /// It was sent and asks for no response.
    pub fn sent(&mut self) {
        self.outcome = Outcome::Sent;
    }

    /// It failed, for this reason.
    pub fn failed(&mut self, flag: Flag, why: &str) {
        self.outcome = Outcome::Failed(flag);
        if let Some(log) = &mut self.log {
            log.detail = why[..why.floor_char_boundary(DETAIL_LIMIT)].into();
        }
    }

    /// It would have been tried again if that had been allowed once more.
    pub fn exhausted(&mut self) {
        self.is_exhausted = true;
    }

    fn write_log(&self, labels: &Labels, duration_us: u64) {
        let Some(access_log) = self.local.telemetry().access_log() else { return };
        let exhausted = self.is_exhausted.then(|| self.outcome.flags_exhausted());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64;
        access_log.write(&LogEntry {
            time_us: now.saturating_sub(duration_us),
            listener: &labels.listener,
            client: &labels.client.to_string(),
            service: &labels.service,
            method: &labels.method,
            route: &labels.route,
            cluster: labels.cluster.as_deref().unwrap_or_default(),
            endpoint: &labels.endpoint.map(|address| address.to_string()).unwrap_or_default(),
            status: self.outcome.status(),
            flags: exhausted.as_deref().unwrap_or(self.outcome.flags()),
            duration_us,
            request_bytes: labels.request_bytes,
            response_bytes: labels.response_bytes,
            tries: labels.tries,
            trace_id: labels.trace.as_ref().map_or("", TraceId::as_str),
            detail: &labels.detail,
        });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.local.now().saturating_duration_since(self.started);
        if let Some(series) = &self.series {
            if self.is_exhausted {
                series.0.record_exhausted(self.outcome, took);
            } else {
                series.0.record(self.outcome, took);
            }
        }
        if let Some(labels) = &self.log {
            self.write_log(labels, took.as_micros() as u64);
        }
    }
}
