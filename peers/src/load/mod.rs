//! The load engine: many connections driven by one thread, every reply verified, every latency recorded.
//!
//! It knows no protocol: a `Workload` writes request frames and cuts replies. A closed loop keeps a fixed number of
//! requests outstanding; an open loop sends at a constant rate whatever comes back, and counts latency from the time
//! at which a request should have been sent. Nothing is retried and no connection is opened again: each failure is
//! counted and the first one is kept in words.

mod engine;
mod pacer;
mod slots;
mod timeline;

pub use timeline::{Slice, Timeline, Window};

use bytes::BytesMut;
use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Connections that are opened in a row. Then the other side gets time to accept them: one that came while its queue was
/// full is established on this side only, and its first request is repeated for seconds before it is heard.
const BURST: usize = 64;

/// How long the other side gets.
const BREATH: Duration = Duration::from_millis(2);

/// How long each connection may take to be established.
const CONNECT: Duration = Duration::from_secs(5);

/// What a protocol brings to the engine: one value serves all connections of a load.
pub trait Workload: Send {
    /// Appends the frame of a request with this id. Ids are unique among what is outstanding on one connection;
    /// connections (numbered from 0) use the same ones.
    fn request(&mut self, connection: u32, id: u64, out: &mut BytesMut);

    /// Looks at what has been received on a connection, from the first byte of a message on. An error ends the
    /// connection.
    fn cut(&mut self, connection: u32, received: &[u8]) -> Result<Cut, String>;

    /// Whether the protocol has no ids and answers in the order of the requests.
    fn in_order(&self) -> bool {
        false
    }
}

impl<W: Workload + ?Sized> Workload for Box<W> {
    fn request(&mut self, connection: u32, id: u64, out: &mut BytesMut) {
        (**self).request(connection, id, out);
    }

    fn cut(&mut self, connection: u32, received: &[u8]) -> Result<Cut, String> {
        (**self).cut(connection, received)
    }

    fn in_order(&self) -> bool {
        (**self).in_order()
    }
}

/// What stands at the front of what has been received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// No whole message yet.
    Need,
    /// A reply of so many bytes.
    Reply {
        /// Its length.
        length: usize,
        /// The request's id; `None` where the protocol answers in order.
        id: Option<u64>,
        /// `Err` says in words what is wrong with it.
        verdict: Result<(), String>,
    },
    /// A message of so many bytes that answers nothing, such as a notice.
    Skip {
        /// Its length.
        length: usize,
    },
}

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each connection keeps this many requests outstanding.
    Closed {
        /// Requests outstanding per connection.
        depth: usize,
    },
    /// So many requests a second in all, evenly spaced, dealt out to the connections in turn.
    Open {
        /// Requests per second, more than 0.
        per_second: f64,
    },
}

/// A load: where to, over how many connections, at what pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Where to connect.
    pub target: SocketAddr,
    /// Connections, at least 1.
    pub connections: usize,
    /// When requests are sent.
    pub pace: Pace,
    /// Length of the slices in which latencies are kept.
    pub slice: Duration,
    /// How long replies are waited for after the end; what is outstanding then counts as lost.
    pub drain: Duration,
}

impl Plan {
    /// A closed loop with slices of 250 ms, drained for 5 s.
    pub fn closed(target: SocketAddr, connections: usize, depth: usize) -> Self {
        let pace = Pace::Closed { depth };
        Plan { target, connections, pace, slice: Duration::from_millis(250), drain: Duration::from_secs(5) }
    }

    /// An open loop with slices of 250 ms, drained for 5 s.
    pub fn open(target: SocketAddr, connections: usize, per_second: f64) -> Self {
        Plan { pace: Pace::Open { per_second }, ..Plan::closed(target, connections, 0) }
    }
}

/// Counted as it happens, read by whoever holds `Running`.
#[derive(Debug)]
pub(crate) struct Tally {
    sent: AtomicU64,
    completed: AtomicU64,
    errors: AtomicU64,
    closed: AtomicU64,
    skipped: AtomicU64,
    first_error: Mutex<Option<String>>,
    timeline: Mutex<Timeline>,
}

impl Tally {
    fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, count: u64, reason: impl Display) {
        self.errors.fetch_add(count, Relaxed);
        let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| reason.to_string());
    }
}

/// A load's outcome.
#[derive(Clone, Debug)]
pub struct Report {
    /// Requests sent.
    pub sent: u64,
    /// Replies that were right.
    pub completed: u64,
    /// Replies that were wrong or answered nothing, requests lost with their connection, and requests without a
    /// reply at the end.
    pub errors: u64,
    /// Connections that ended before the load did.
    pub closed: u64,
    /// Messages that answered nothing, such as notices.
    pub skipped: u64,
    /// The first error, in words.
    pub first_error: Option<String>,
    /// Latencies over time.
    pub timeline: Timeline,
}

/// A load that runs on a thread of its own. Dropping it ends it, and nobody learns how.
#[derive(Debug)]
pub struct Running {
    tally: Arc<Tally>,
    origin: Instant,
    stop: Option<oneshot::Sender<()>>,
    done: Option<oneshot::Receiver<()>>,
}

/// Connects, then starts the load. An error means that a connection or the thread could not be had, and nothing
/// runs.
pub fn start(plan: Plan, workload: impl Workload + 'static) -> io::Result<Running> {
    let mut streams = Vec::with_capacity(plan.connections);
    for number in 1..=plan.connections {
        if number % BURST == 0 {
            std::thread::sleep(BREATH);
        }
        let stream = TcpStream::connect_timeout(&plan.target, CONNECT)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        streams.push(stream);
    }
    let tally = Arc::new(Tally {
        sent: AtomicU64::default(),
        completed: AtomicU64::default(),
        errors: AtomicU64::default(),
        closed: AtomicU64::default(),
        skipped: AtomicU64::default(),
        first_error: Mutex::default(),
        timeline: Mutex::new(Timeline::new(plan.slice)),
    });
    let origin = Instant::now();
    let (stop, stopped) = oneshot::channel();
    let (finished, done) = oneshot::channel();
    let engine = engine::Start {
        plan,
        workload: Box::new(workload),
        streams,
        tally: Arc::clone(&tally),
        origin,
        stopped,
    };
    std::thread::Builder::new().name("load".to_owned()).spawn(move || {
        engine.run();
        // Nobody may be waiting for it.
        let _ = finished.send(());
    })?;
    Ok(Running { tally, origin, stop: Some(stop), done: Some(done) })
}

impl Running {
    /// When the load began; slices count from here.
    pub fn origin(&self) -> Instant {
        self.origin
    }

    /// Requests sent so far.
    pub fn sent(&self) -> u64 {
        self.tally.sent.load(Relaxed)
    }

    /// Right replies so far.
    pub fn completed(&self) -> u64 {
        self.tally.completed.load(Relaxed)
    }

    /// Errors so far.
    pub fn errors(&self) -> u64 {
        self.tally.errors.load(Relaxed)
    }

    /// The first error so far, in words.
    pub fn first_error(&self) -> Option<String> {
        self.tally.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections closed so far.
    pub fn closed(&self) -> u64 {
        self.tally.closed.load(Relaxed)
    }

    /// What the slices between two times (from the origin) hold by now.
    pub fn window(&self, from: Duration, to: Duration) -> Window {
        self.tally.timeline().window(from, to)
    }

    /// Sends no more, waits for what is outstanding (at most the plan's `drain`), and reports.
    pub async fn finish(mut self) -> Report {
        self.stop();
        if let Some(done) = self.done.take() {
            // An error means that the thread panicked; the report then says what was counted until then.
            let _ = done.await;
        }
        self.report()
    }

    /// `finish` for callers outside of a runtime.
    pub fn join(mut self) -> Report {
        self.stop();
        if let Some(done) = self.done.take() {
            // As in `finish`.
            let _ = done.blocking_recv();
        }
        self.report()
    }

    fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The engine has ended by itself if every connection was closed.
            let _ = stop.send(());
        }
    }

    fn report(&self) -> Report {
        let Tally { sent, completed, errors, closed, skipped, .. } = &*self.tally;
        Report {
            sent: sent.load(Relaxed),
            completed: completed.load(Relaxed),
            errors: errors.load(Relaxed),
            closed: closed.load(Relaxed),
            skipped: skipped.load(Relaxed),
            first_error: self.first_error(),
            timeline: self.tally.timeline().clone(),
        }
    }
}

#[cfg(test)]
mod tests;
