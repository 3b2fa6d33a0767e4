//! What the proxy tells of its work: counters, and one log line per exchange.
//!
//! Counting is done in cells that belong to one worker and are looked up once, when a connection or a route first
//! needs them; only a scrape adds them up. This module knows no type of the request's way but its failures.

mod access_log;
mod exposition;
mod registry;
mod series;
mod standing;
mod trace;

pub use access_log::{AccessLog, LogEntry, LogTarget, TRACE_LOOK_LIMIT};
pub use exposition::{Control, Judged, JudgedEndpoint};
pub use registry::{EndpointKey, ListenerKey, RequestKey, Telemetry};
pub use series::{Counter, EndpointSeries, ListenerSeries, Outcome, RequestSeries, TlsSeries, WorkerSeries};
pub use standing::{Learned, Standing};
pub use trace::TraceId;
