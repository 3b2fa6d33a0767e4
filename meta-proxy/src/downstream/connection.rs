//! The task of one client's connection.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use codec_api::{Affinity, DecodeError, Decoded, Kind, Message, Raw, Rejected};

use crate::exchange::{Client, Refusal};
use crate::local::Local;
use crate::serve::{self, Asked};
use crate::snapshot::ListenerView;
use crate::wire::{BoxStream, Inbox, Pace, Reader, WireError, poll_write_out};

use super::Listener;

/// Reads per turn; the last one usually finds nothing and waits for more.
const READS_PER_TURN: usize = 3;

/// Bytes that are read of a client whose next requests have to wait.
const LISTEN_LIMIT: usize = 64 * 1024;

/// What the task of one connection holds.
pub struct Connection {
    listener: Rc<Listener>,
    client: Rc<Client>,
    stream: BoxStream,
    inbox: Inbox,
    /// The client will send no more, but may still read.
    has_ended: bool,
    /// Why its bytes could not be understood. It is told when all that it asked before is answered.
    mistake: Option<String>,
    is_told: bool,
}

impl Connection {
    /// A connection of `client` to `listener`.
    pub fn new(listener: &Rc<Listener>, client: &Rc<Client>, stream: BoxStream) -> Self {
        let (listener, client) = (listener.clone(), client.clone());
        Self {
            listener,
            client,
            stream,
            inbox: Inbox::default(),
            has_ended: false,
            mistake: None,
            is_told: false,
        }
    }

    /// Works until the connection ends. The client is closed afterwards.
    pub async fn run(mut self) {
        let end = poll_fn(|cx| self.poll_turn(cx)).await;
        let (client, series) = (&self.client, &self.listener.series);
        let address = client.address();
        match end {
            Ok(()) => tracing::debug!(%address, "client connection ended"),
            Err(WireError::Protocol(reason)) => {
                series.protocol_errors.inc();
                let listener = &self.listener.view().name;
                tracing::info!(%address, %listener, reason, "client connection closed: not the listener's protocol");
            }
            Err(error) => tracing::debug!(%address, %error, "client connection ended"),
        }
        match client.refusal() {
            Some(Refusal::Stalled) => series.stalled.inc(),
            Some(Refusal::Idle) => series.idle.inc(),
            Some(Refusal::Drained | Refusal::OutOfTurn | Refusal::Finished | Refusal::PinLost) | None => {}
        }
        client.close();
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        self.client.wake_slot().work();
        self.local().tick();
        if self.client.refusal().is_some_and(Refusal::is_final) {
            return Poll::Ready(Ok(()));
        }
        let more = match self.read(cx) {
            Ok(pace) => pace == Pace::More,
            Err(WireError::Protocol(reason)) => {
                self.mistake = Some(reason);
                self.client.refuse(Refusal::Finished);
                false
            }
            Err(error) => return Poll::Ready(Err(error)),
        };
        self.tell_mistake();
        self.write(cx)?;
        if self.is_over() {
            return Poll::Ready(
                self.mistake.take().map_or(Ok(()), |reason| Err(WireError::Protocol(reason))),
            );
        }
        self.client.wake_slot().rest(cx.waker());
        // What has shut the gate may be answered already.
        if more || (self.client.is_gated() && self.client.outstanding() == 0) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn local(&self) -> &Rc<Local> {
        self.client.local()
    }

    /// Whether nothing is left to do for a client that has ended or is to be ended.
    fn is_over(&self) -> bool {
        let client = &self.client;
        if self.has_ended && client.is_lingering() && client.waiting() == 0 {
            return true;
        }
        let is_quiet = client.outstanding() == 0 && client.waiting() == 0 && !client.is_gated();
        let is_refused = client.refusal().is_some_and(|refusal| refusal.is_deaf() || self.inbox.is_empty());
        is_quiet && (is_refused || (self.has_ended && self.inbox.is_empty()))
    }

    /// Tells the client what was wrong, once all that it asked before is answered.
    fn tell_mistake(&mut self) {
        if let Some(reason) = &self.mistake
            && !self.is_told
            && self.client.outstanding() == 0
        {
            self.is_told = true;
            self.client.farewell(&DecodeError::new(reason.clone()));
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<Pace, WireError> {
        self.serve_postponed()?;
        if self.client.refusal().is_some_and(Refusal::is_deaf) {
            return Ok(Pace::Idle);
        }
        if self.client.is_gated() {
            return self.listen(cx);
        }
        if !self.client.may_ask() || (self.has_ended && self.inbox.is_empty()) {
            return Ok(Pace::Idle);
        }
        let result = self.read_and_hand_on(cx);
        self.inbox.settle(self.client.local());
        self.note_end(result)
    }

    /// Takes note of the client's end; what has come before it is still served.
    fn note_end(&mut self, result: Result<Pace, WireError>) -> Result<Pace, WireError> {
        match result {
            Err(WireError::Closed) => {
                self.has_ended = true;
                Ok(Pace::Idle)
            }
            other => other,
        }
    }

    /// Serves the request that waited until those before it were answered.
    fn serve_postponed(&self) -> Result<(), WireError> {
        while let Some((message, bytes)) = self.client.reopen() {
            let view = self.listener.view();
            Requests { view: &view, client: &self.client }.message(&message, Raw::Shared(&bytes))?;
        }
        Ok(())
    }

    /// Reads without serving, so that the client's end is seen though its next requests have to wait.
    fn listen(&mut self, cx: &mut Context<'_>) -> Result<Pace, WireError> {
        let mut result = Ok(Pace::Idle);
        while !self.has_ended && self.inbox.len() < LISTEN_LIMIT {
            match self.inbox.poll_fill(&mut self.stream, cx, self.client.local()) {
                Poll::Pending => break,
                Poll::Ready(Ok(count)) => {
                    self.listener.series.received.add(count as u64);
                    self.client.has_read(false);
                }
                Poll::Ready(Err(WireError::Closed | WireError::Truncated)) => self.has_ended = true,
                Poll::Ready(Err(error)) => {
                    result = Err(error);
                    break;
                }
            }
        }
        self.inbox.settle_unread(self.client.local());
        result
    }

    fn read_and_hand_on(&mut self, cx: &mut Context<'_>) -> Result<Pace, WireError> {
        let view = self.listener.view();
        let mut requests = Requests { view: &view, client: &self.client };
        if self.inbox.has_unread() {
            if self.inbox.drain(&mut requests)? == Pace::More {
                return Ok(Pace::More);
            }
            self.client.has_read(!self.inbox.is_empty());
        }
        if self.has_ended {
            // What is left is no whole message, and its rest will not come.
            return if self.inbox.is_empty() { Ok(Pace::Idle) } else { Err(WireError::Truncated) };
        }
        for _ in 0..READS_PER_TURN {
            let Poll::Ready(filled) = self.inbox.poll_fill(&mut self.stream, cx, self.client.local()) else {
                return Ok(Pace::Idle);
            };
            self.listener.series.received.add(filled? as u64);
            let pace = self.inbox.drain(&mut requests)?;
            // Whole messages that have to wait are no part of one.
            self.client.has_read(pace == Pace::Idle && !self.inbox.is_empty());
            if pace == Pace::More || !self.client.may_ask() {
                break;
            }
        }
        Ok(Pace::More)
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), WireError> {
        let stream = &mut self.stream;
        let mut taken = 0;
        let (written, left) = self.client.write(|out| {
            if out.is_empty() {
                return (Poll::Ready(Ok(())), 0);
            }
            (poll_write_out(stream, cx, out, &mut taken), out.len())
        });
        self.listener.series.sent.add(taken as u64);
        self.client.has_written(taken, left);
        match written {
            Poll::Ready(Err(error)) => Err(WireError::Io(error)),
            _ => Ok(()),
        }
    }
}

/// Takes messages from a client's inbox.
struct Requests<'a> {
    view: &'a ListenerView,
    client: &'a Rc<Client>,
}

impl Reader for Requests<'_> {
    #[inline]
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        self.client.decode(input)
    }

    #[inline]
    fn message(&mut self, message: &Message, bytes: Raw<'_>) -> Result<(), WireError> {
        match message.kind {
            Kind::Request | Kind::Oneway | Kind::Own => {
                if message.flow.affinity != Affinity::Free {
                    if self.client.postpone(message, bytes) {
                        return Ok(());
                    }
                    self.client.shut_behind(message);
                }
                serve::request(&Asked::new(self.view, self.client, message, bytes));
            }
            Kind::Ping => self.client.pong(message, bytes),
            Kind::Response if self.client.answers_call(message, bytes) => {}
            Kind::Response => return Err(WireError::Protocol("a client sent a response".to_owned())),
            Kind::Pong | Kind::GoingAway | Kind::ComeBack | Kind::Notice | Kind::Push => {}
        }
        Ok(())
    }

    #[inline]
    fn takes_more(&self) -> bool {
        self.client.has_room()
    }

    fn rejected(&mut self, rejected: Rejected) {
        tracing::debug!(address = %self.client.address(), text = rejected.text, "message refused");
        serve::refuse(self.view, self.client, &rejected);
    }
}
