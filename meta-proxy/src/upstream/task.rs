//! The task of an upstream connection: turn after turn, until it ends.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::error::Failure;
use crate::wire::{BoxStream, Inbox, Pace, WireError, poll_write_out};

use super::cluster::Cluster;
use super::connection::{Connection, Responses};
use super::limits::Permit;

/// Reads per turn; the last one usually finds nothing and waits for more.
const READS_PER_TURN: usize = 3;

/// What the task of one connection holds.
pub(super) struct Task {
    cluster: Rc<Cluster>,
    connection: Rc<Connection>,
    stream: BoxStream,
    inbox: Inbox,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Task {
    pub(super) fn new(cluster: &Rc<Cluster>, connection: &Rc<Connection>, stream: BoxStream) -> Self {
        let (cluster, connection) = (cluster.clone(), connection.clone());
        Self { cluster, connection, stream, inbox: Inbox::default(), timer: None }
    }

    /// Works until the connection ends; `permit` is its place among the cluster's connections.
    pub(super) async fn run(mut self, permit: Permit) {
        let end = poll_fn(|cx| self.poll_turn(cx)).await;
        let (failure, reason) = match &end {
            Ok(()) => (Failure::ConnectionLost, "closed".to_owned()),
            Err(error @ WireError::Protocol(_)) => (Failure::UpstreamProtocol, error.to_string()),
            Err(error) => (Failure::ConnectionLost, error.to_string()),
        };
        let endpoint = self.connection.endpoint();
        tracing::debug!(cluster = %self.cluster.name(), endpoint = %endpoint.address(), reason, "connection ended");
        self.connection.close(failure, &reason);
        // Whoever waits may have its place.
        drop(permit);
        endpoint.disconnected(&self.cluster, &self.connection, &reason);
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        self.connection.wake_slot().work();
        self.cluster.local().tick();
        let idle = self.cluster.settings().model.idle_timeout;
        let more = self.read(cx)? == Pace::More;
        if !self.connection.look(idle)? {
            return Poll::Ready(Ok(()));
        }
        let stream = &mut self.stream;
        let written = self.connection.write(|out| poll_write_out(stream, cx, out, &mut 0));
        if let Poll::Ready(Err(error)) = written {
            return Poll::Ready(Err(WireError::Io(error)));
        }
        let waits = self.poll_timer(cx);
        self.connection.wake_slot().rest(cx.waker());
        if more || !waits {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<Pace, WireError> {
        let result = self.read_and_hand_on(cx);
        self.inbox.settle(self.cluster.local());
        result
    }

    fn read_and_hand_on(&mut self, cx: &mut Context<'_>) -> Result<Pace, WireError> {
        let mut responses = Responses { connection: &self.connection, cluster: &self.cluster };
        if self.inbox.has_unread() && self.inbox.drain(&mut responses)? == Pace::More {
            return Ok(Pace::More);
        }
        for _ in 0..READS_PER_TURN {
            let Poll::Ready(filled) = self.inbox.poll_fill(&mut self.stream, cx, self.cluster.local()) else {
                return Ok(Pace::Idle);
            };
            filled?;
            self.connection.has_read();
            if self.inbox.drain(&mut responses)? == Pace::More {
                break;
            }
        }
        Ok(Pace::More)
    }

    /// Sees to it that the task is woken for what comes next. `false`: it is due already.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let idle = self.cluster.settings().model.idle_timeout;
        let Some(next) = self.connection.next_event(idle) else { return true };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(next)));
        // A timer that fires too early only looks again; one that is late would be felt.
        if next < timer.deadline() || timer.is_elapsed() {
            timer.as_mut().reset(next.max(Instant::now()));
        }
        timer.as_mut().poll(cx).is_pending()
    }
}
