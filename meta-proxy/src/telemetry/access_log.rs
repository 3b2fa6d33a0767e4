//! One line of JSON per exchange, whatever its end.
//!
//! Workers hand lines to a writer thread through a bounded queue and never wait for the disk; lines that find the
//! queue full are counted instead.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

/// Lines that may wait for the writer.
const QUEUE: usize = 16 * 1024;
/// Bytes that the writer collects before it writes.
const BATCH: usize = 64 * 1024;
/// How long lines gather after a small batch: a thread woken for each line costs more than the call that it tells of.
const GATHER: Duration = Duration::from_millis(20);

/// Bytes of a request in which its trace is looked for for the log's sake alone, unless the bootstrap says otherwise. It may
/// cost 40 instructions a byte, where arguments in hessian2 are lists of small numbers.
pub const TRACE_LOOK_LIMIT: usize = 8 << 10;

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// The end of a file.
    File(PathBuf),
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("on standard output"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The writing end of the log.
#[derive(Debug)]
pub struct AccessLog {
    /// An empty line is the last one.
    lines: SyncSender<Vec<u8>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    dropped: AtomicU64,
    trace_limit: usize,
}

/// What one line says. Fields that do not apply are left out.
#[derive(Debug, Serialize)]
pub struct LogEntry<'a> {
    /// When the request had been received, in microseconds since 1970.
    pub time_us: u64,
    /// Name of the listener.
    pub listener: &'a str,
    /// The client's address.
    pub client: &'a str,
    /// The service's host.
    pub service: &'a str,
    /// The operation.
    pub method: &'a str,
    /// The route's name.
    pub route: &'a str,
    /// The cluster that was chosen.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub cluster: &'a str,
    /// The endpoint that the request was sent to.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub endpoint: &'a str,
    /// How it ended: the response's status, `sent`, or `failed`.
    pub status: &'a str,
    /// Envoy's letters for a failure, or `-`.
    pub flags: &'a str,
    /// From the request received to the end.
    pub duration_us: u64,
    /// Size of the request.
    pub request_bytes: usize,
    /// Size of the response.
    pub response_bytes: usize,
    /// Endpoints that were tried.
    pub tries: u32,
    /// The trace that the request belongs to.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub trace_id: &'a str,
    /// Why it failed.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub detail: &'a str,
}

impl AccessLog {
    /// Opens the target and starts the writer thread. For the log alone, traces are looked for in requests of up to
    /// `trace_limit` bytes; if that is 0, in none.
    pub fn open(target: &LogTarget, trace_limit: usize) -> io::Result<Self> {
        let sink: Box<dyn Write + Send> = match target {
            LogTarget::Stdout => Box::new(io::stdout()),
            LogTarget::File(path) => Box::new(OpenOptions::new().append(true).create(true).open(path)?),
        };
        let (lines, waiting) = sync_channel(QUEUE);
        let writer = std::thread::Builder::new().name("access-log".to_owned());
        let writer = writer.spawn(move || write_lines(&waiting, sink))?;
        Ok(Self { lines, writer: Mutex::new(Some(writer)), dropped: AtomicU64::new(0), trace_limit })
    }

    /// Bytes of a request in which its trace is looked for for the log's sake alone; 0: it is never looked for.
    pub fn trace_limit(&self) -> usize {
        self.trace_limit
    }

    /// Queues one line.
    pub fn write(&self, entry: &LogEntry<'_>) {
        let Ok(mut line) = serde_json::to_vec(entry) else { return };
        line.push(b'\n');
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until every line that was queued has been written. Later ones are not.
    pub fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && self.lines.send(Vec::new()).is_ok()
        {
            let _ = writer.join();
        }
    }

    /// Lines that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn write_lines(waiting: &Receiver<Vec<u8>>, mut sink: Box<dyn Write + Send>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut is_last = false;
    while !is_last {
        let Ok(mut line) = waiting.recv() else { return };
        is_last |= line.is_empty();
        batch.append(&mut line);
        while batch.len() < BATCH
            && let Ok(mut line) = waiting.try_recv()
        {
            is_last |= line.is_empty();
            batch.append(&mut line);
        }
        let is_small = batch.len() < BATCH;
        if let Err(error) = sink.write_all(&batch).and_then(|()| sink.flush()) {
            tracing::warn!(%error, "the access log cannot be written");
        }
        batch.clear();
        if is_small && !is_last {
            std::thread::sleep(GATHER);
        }
    }
}
