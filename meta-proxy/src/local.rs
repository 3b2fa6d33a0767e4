//! What the tasks of one worker share, and nobody else touches.
//!
//! A worker is one thread with a runtime of its own, so none of this needs a lock. The clock is read once per turn of
//! a connection; one read buffer serves all connections, so that an idle connection holds none.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use codec_api::Found;
use tokio::time::Instant;

use crate::telemetry::{Telemetry, WorkerSeries};

/// Spare out-buffers that a worker keeps.
const SPARE_BUFFERS: usize = 64;
/// An out-buffer that has grown beyond this is given back to the allocator.
const SPARE_BUFFER_LIMIT: usize = 64 * 1024;

/// Local replies of a worker in a second whose texts may take a moment to find. A client that provokes them without end
/// gets plainer ones.
const ELABORATE_LIMIT: u32 = 100;

/// One worker's shared state.
pub struct Local {
    worker: usize,
    now: Cell<Instant>,
    scratch: Cell<BytesMut>,
    found: Cell<Found>,
    spare: RefCell<Vec<Vec<u8>>>,
    random: RefCell<fastrand::Rng>,
    queued: Cell<usize>,
    queued_limit: usize,
    /// Since when local replies are counted that took a moment, and how many there were.
    elaborate: Cell<(Instant, u32)>,
    series: Arc<WorkerSeries>,
    telemetry: Arc<Telemetry>,
}

impl Local {
    /// The state of worker number `worker`. `seed` makes its random choices repeatable; `queued_limit` is the number
    /// of bytes that may wait for all its slow clients together.
    pub fn new(worker: usize, seed: u64, queued_limit: usize, telemetry: Arc<Telemetry>) -> Self {
        Self {
            worker,
            now: Cell::new(Instant::now()),
            scratch: Cell::default(),
            found: Cell::default(),
            spare: RefCell::default(),
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
            queued: Cell::new(0),
            queued_limit,
            elaborate: Cell::new((Instant::now(), 0)),
            series: telemetry.worker(worker),
            telemetry,
        }
    }

    /// The worker's number.
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// Where this worker counts.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// What this worker counts of itself.
    pub fn series(&self) -> &WorkerSeries {
        &self.series
    }

    /// Takes the values of the last request's late attributes, to reuse their memory.
    #[inline]
    pub fn take_found(&self) -> Found {
        self.found.take()
    }

    /// Gives them back.
    #[inline]
    pub fn return_found(&self, found: Found) {
        self.found.set(found);
    }

    /// The time at which the current turn began.
    #[inline]
    pub fn now(&self) -> Instant {
        self.now.get()
    }

    /// Reads the clock. Called once at the start of every turn.
    #[inline]
    pub fn tick(&self) -> Instant {
        let now = Instant::now();
        self.now.set(now);
        now
    }

    /// A number below `limit`, which is not zero.
    #[inline]
    pub fn random(&self, limit: u32) -> u32 {
        self.random.borrow_mut().u32(0..limit)
    }

    /// A pause that doubles from `first` up to `longest` milliseconds, and up to half of it less, so that not all come
    /// at once.
    pub fn pause(&self, first: u32, doublings: u32, longest: u32) -> Duration {
        let pause = (first << doublings.min(10)).min(longest);
        Duration::from_millis((pause - self.random(pause / 2 + 1)).into())
    }

    /// Whether one more local reply may take a moment to find its words. Counts it.
    pub fn may_elaborate(&self) -> bool {
        let (since, count) = self.elaborate.get();
        let is_over = self.now().saturating_duration_since(since) >= Duration::from_secs(1);
        let (since, count) = if is_over { (self.now(), 0) } else { (since, count) };
        self.elaborate.set((since, count.saturating_add(1)));
        count < ELABORATE_LIMIT
    }

    /// Takes the worker's read buffer; [`Local::return_scratch`] gives it back.
    #[inline]
    pub fn take_scratch(&self) -> BytesMut {
        self.scratch.take()
    }

    /// Gives the read buffer back, emptied.
    #[inline]
    pub fn return_scratch(&self, mut scratch: BytesMut) {
        scratch.clear();
        self.scratch.set(scratch);
    }

    /// An empty buffer to collect output in.
    #[inline]
    pub fn take_buffer(&self) -> Vec<u8> {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives such a buffer back.
    #[inline]
    pub fn return_buffer(&self, buffer: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        if (1..=SPARE_BUFFER_LIMIT).contains(&buffer.capacity()) && spare.len() < SPARE_BUFFERS {
            spare.push(buffer);
        }
    }

    /// Notes that the bytes which wait for a slow client went from `before` to `after`.
    pub fn requeue(&self, before: usize, after: usize) {
        self.queued.set((self.queued.get() + after).saturating_sub(before));
    }

    /// Whether more bytes wait for slow clients than this worker may hold.
    pub fn is_over_queued_limit(&self) -> bool {
        self.queued.get() > self.queued_limit
    }
}
