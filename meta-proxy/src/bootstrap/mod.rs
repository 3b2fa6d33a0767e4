//! What a proxy is told before it has any configuration: its own size, addresses and limits, and its controllers.
//!
//! As a library, a proxy is given a [`Bootstrap`]. As a process of its own it reads one from `flags` and perhaps a file,
//! and reports every mistake at once.

mod flags;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::model::Listener;
use crate::telemetry::{LogTarget, TRACE_LOOK_LIMIT};

pub use flags::{FILE_LIMIT, Flags};

/// How a proxy is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// Number of workers, each a thread; at least 1.
    pub concurrency: usize,
    /// Where the admin port is bound, if it is.
    pub admin: Option<SocketAddr>,
    /// Where the listener of a service (host and port) is bound instead of its own address.
    pub listen: BTreeMap<(String, u16), SocketAddr>,
    /// Whether the services of `listen` are the only ones that are served.
    pub listen_only: bool,
    /// Where exchanges are logged, if they are.
    pub access_log: Option<LogTarget>,
    /// Bytes of a request in which its trace is looked for for the log's sake alone; 0: it is never looked for.
    pub trace_look_limit: usize,
    /// How long requests may go on after the proxy has been told to stop.
    pub drain: Duration,
    /// Connections that one listener accepts at most.
    pub connections_per_listener: usize,
    /// Bytes that may wait in the whole process for clients that do not read.
    pub queued_bytes: usize,
    /// Makes random choices repeatable; `None`: they are not.
    pub seed: Option<u64>,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            concurrency: 1,
            admin: None,
            listen: BTreeMap::new(),
            listen_only: false,
            access_log: None,
            trace_look_limit: TRACE_LOOK_LIMIT,
            drain: Duration::from_secs(30),
            connections_per_listener: 65_536,
            queued_bytes: 256 << 20,
            seed: None,
        }
    }
}

impl Bootstrap {
    /// Where a listener is bound instead of its own address, if it is.
    pub fn elsewhere(&self, listener: &Listener) -> Option<SocketAddr> {
        let port = listener.address.port();
        listener.services.iter().find_map(|service| self.listen.get(&(service.host.clone(), port)).copied())
    }

    /// Whether a listener is served here.
    pub fn serves(&self, listener: &Listener) -> bool {
        !self.listen_only || self.elsewhere(listener).is_some()
    }
}
