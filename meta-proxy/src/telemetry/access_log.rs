//! One line of JSON per exchange, whatever its end.
//!
//! Workers hand lines to a writer thread through a bounded queue and never wait for the disk; lines that find the
//! queue full are counted instead.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde::Serialize;

/// Lines that may wait for the writer.
const QUEUE: usize = 16 * 1024;
/// Bytes that the writer collects before it writes.
const BATCH: usize = 64 * 1024;

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// The end of a file.
    File(PathBuf),
}

/// The writing end of the log.
#[derive(Debug)]
pub struct AccessLog {
    lines: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
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
}

impl AccessLog {
    /// Opens the target and starts the writer thread, which ends with the log.
    pub fn open(target: &LogTarget) -> io::Result<Self> {
        let sink: Box<dyn Write + Send> = match target {
            LogTarget::Stdout => Box::new(io::stdout()),
            LogTarget::File(path) => Box::new(OpenOptions::new().append(true).create(true).open(path)?),
        };
        let (lines, waiting) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_lines(&waiting, sink))?;
        Ok(Self { lines, dropped: Arc::default() })
    }

    /// Queues one line.
    pub fn write(&self, entry: &LogEntry<'_>) {
        let Ok(mut line) = serde_json::to_vec(entry) else { return };
        line.push(b'\n');
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn write_lines(waiting: &Receiver<Vec<u8>>, mut sink: Box<dyn Write + Send>) {
    let mut batch = Vec::with_capacity(BATCH);
    while let Ok(line) = waiting.recv() {
        batch.extend_from_slice(&line);
        while batch.len() < BATCH {
            let Ok(line) = waiting.try_recv() else { break };
            batch.extend_from_slice(&line);
        }
        if let Err(error) = sink.write_all(&batch).and_then(|()| sink.flush()) {
            tracing::warn!(%error, "the access log cannot be written");
        }
        batch.clear();
    }
}
