//! The engine's thread: one task per connection, and one that keeps the pace.
//!
//! A connection's turn reads once, verifies what came, puts the requests that follow into its out-buffer and writes
//! that once. All state is this thread's; only the tally is shared with whoever watches.

use super::pacer::Pacer;
use super::slots::Slots;
use super::{Cut, Pace, Plan, Tally, Timeline, Workload};
use crate::socket::{read_once, write_out};
use bytes::{Buf, BytesMut};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Requests that an open loop may have outstanding on one connection; more are not sent and count as errors.
const OUTSTANDING: usize = 100_000;

/// Requests that are sent in a row when the pace is behind, before replies are looked at.
const CATCH_UP: u64 = 64;

/// All that the thread needs to begin.
pub(super) struct Start {
    pub(super) plan: Plan,
    pub(super) workload: Box<dyn Workload>,
    pub(super) streams: Vec<std::net::TcpStream>,
    pub(super) tally: Arc<Tally>,
    pub(super) origin: Instant,
    pub(super) stopped: oneshot::Receiver<()>,
}

struct Engine {
    workload: RefCell<Box<dyn Workload>>,
    tally: Arc<Tally>,
    origin: Instant,
    closed_loop: bool,
    stopping: Cell<bool>,
}

/// One connection, as both its task and the pace see it.
#[derive(Default)]
struct Link {
    number: u32,
    out: BytesMut,
    slots: Slots,
    waker: Option<Waker>,
    ended: bool,
}

impl Link {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Start {
    /// Runs the load to its end.
    pub(super) fn run(self) {
        let tally = Arc::clone(&self.tally);
        let ran = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default())
            .and_then(|runtime| runtime.block_on(self.drive()));
        if let Err(error) = ran {
            tally.fail(1, format!("the load engine failed: {error}"));
        }
    }

    async fn drive(self) -> io::Result<()> {
        let Start { plan, workload, streams, tally, origin, mut stopped } = self;
        let closed_loop = matches!(plan.pace, Pace::Closed { .. });
        let engine = Rc::new(Engine {
            workload: RefCell::new(workload),
            tally,
            origin,
            closed_loop,
            stopping: Cell::new(false),
        });
        let (mut links, mut tasks) = (Vec::new(), JoinSet::new());
        for (number, stream) in (0..).zip(streams) {
            let slots = Slots::new(engine.workload.borrow().in_order());
            let link = Rc::new(RefCell::new(Link { number, slots, ..Link::default() }));
            if let Pace::Closed { depth } = plan.pace {
                let now = origin.elapsed();
                (0..depth).for_each(|_| engine.send(&mut link.borrow_mut(), now));
            }
            links.push(Rc::clone(&link));
            tasks.spawn_local(Rc::clone(&engine).converse(TcpStream::from_std(stream)?, link));
        }
        let all_ended = async { while tasks.join_next().await.is_some() {} };
        tokio::select! {
            _ = &mut stopped => {}
            () = all_ended => {}
            paced = engine.keep_pace(plan.pace, &links) => paced?,
        }
        engine.stopping.set(true);
        for link in &links {
            link.borrow_mut().wake();
        }
        let drained = async { while tasks.join_next().await.is_some() {} };
        // What is not drained by then is counted below.
        let _ = tokio::time::timeout(plan.drain, drained).await;
        let lost: usize = links.iter().map(|link| link.borrow().slots.len()).sum();
        if lost > 0 {
            engine.tally.fail(lost as u64, format!("no reply within {:?} after the end", plan.drain));
        }
        Ok(())
    }
}

impl Engine {
    fn send(&self, link: &mut Link, at: Duration) {
        let id = link.slots.put(at);
        self.workload.borrow_mut().request(link.number, id, &mut link.out);
        self.tally.sent.fetch_add(1, Relaxed);
    }

    /// In an open loop, sends each request when it is due; in a closed one there is nothing to do.
    async fn keep_pace(&self, pace: Pace, links: &[Rc<RefCell<Link>>]) -> io::Result<()> {
        let Pace::Open { per_second } = pace else { return std::future::pending().await };
        let pacer = Pacer::new()?;
        let mut number = 0u64;
        loop {
            let due = Duration::from_secs_f64(number as f64 / per_second);
            if Instant::now() < self.origin + due {
                pacer.until(self.origin + due).await?;
            } else if number % CATCH_UP == CATCH_UP - 1 {
                tokio::task::yield_now().await;
            }
            let first = number as usize % links.len();
            let in_turn = links[first..].iter().chain(&links[..first]);
            number += 1;
            let Some(link) = in_turn.into_iter().find(|link| !link.borrow().ended) else { return Ok(()) };
            let mut link = link.borrow_mut();
            if link.slots.len() >= OUTSTANDING {
                self.tally
                    .fail(1, format!("not sent: {OUTSTANDING} requests are outstanding on a connection"));
                continue;
            }
            self.send(&mut link, due);
            link.wake();
        }
    }

    async fn converse(self: Rc<Self>, mut stream: TcpStream, link: Rc<RefCell<Link>>) {
        let mut received = BytesMut::new();
        let end = poll_fn(|context| self.turn(&mut stream, &mut received, &link, context)).await;
        let mut link = link.borrow_mut();
        link.ended = true;
        if let Err(error) = end {
            self.tally.closed.fetch_add(1, Relaxed);
            let lost = link.slots.len();
            link.slots = Slots::default();
            self.tally
                .fail(lost as u64, format!("a connection ended with {lost} requests outstanding: {error}"));
        }
    }

    /// Ready with `Ok` when the load is over and all is answered, with `Err` when the connection has ended before.
    fn turn(
        &self,
        stream: &mut TcpStream,
        received: &mut BytesMut,
        link: &RefCell<Link>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut link = link.borrow_mut();
        loop {
            let read = read_once(stream, received, context)?;
            if read == Poll::Ready(0) {
                return Poll::Ready(Err(io::Error::other("the other side closed it")));
            }
            self.take_in(received, &mut link)?;
            // Whether all was written or not, the socket will wake this task for what it can do next.
            let _ = write_out(stream, &mut link.out, context)?;
            if self.stopping.get() && link.slots.len() == 0 {
                return Poll::Ready(Ok(()));
            }
            if read.is_pending() {
                link.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
    }

    /// Verifies every whole reply that was received, and in a closed loop sends a request for each.
    fn take_in(&self, received: &mut BytesMut, link: &mut Link) -> io::Result<()> {
        if received.is_empty() {
            return Ok(());
        }
        let now = self.origin.elapsed();
        let mut timeline = self.tally.timeline();
        let mut at = 0;
        let mut completed = 0;
        loop {
            let cut =
                self.workload.borrow_mut().cut(link.number, &received[at..]).map_err(io::Error::other)?;
            match cut {
                Cut::Need => break,
                Cut::Skip { length } => {
                    at += length;
                    self.tally.skipped.fetch_add(1, Relaxed);
                }
                Cut::Reply { length, id, verdict } => {
                    at += length;
                    if self.judge(id, verdict, link, now, &mut timeline) {
                        completed += 1;
                    }
                }
            }
        }
        received.advance(at);
        timeline.complete(now, completed);
        self.tally.completed.fetch_add(completed, Relaxed);
        Ok(())
    }

    /// Whether a reply was right; latencies of wrong ones are not recorded.
    fn judge(
        &self,
        id: Option<u64>,
        verdict: Result<(), String>,
        link: &mut Link,
        now: Duration,
        timeline: &mut Timeline,
    ) -> bool {
        let Some(sent) = link.slots.take(id) else {
            self.tally.fail(1, format!("a reply to nothing that is outstanding (id {id:?})"));
            return false;
        };
        if self.closed_loop && !self.stopping.get() {
            self.send(link, now);
        }
        match verdict {
            Ok(()) => timeline.record(sent, now.saturating_sub(sent)),
            Err(reason) => {
                self.tally.fail(1, reason);
                return false;
            }
        }
        true
    }
}
