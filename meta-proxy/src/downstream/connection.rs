//! The task of one client's connection.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use codec_api::{DecodeError, Decoded, Kind, Message, Raw, Rejected};

use crate::exchange::{Client, Refusal};
use crate::local::Local;
use crate::serve::{self, Asked};
use crate::snapshot::ListenerView;
use crate::wire::{BoxStream, Inbox, Pace, Reader, WireError, poll_write_out};

use super::Listener;

/// Reads per turn; the last one usually finds nothing and waits for more.
const READS_PER_TURN: usize = 3;

/// What the task of one connection holds.
pub struct Connection {
    listener: Rc<Listener>,
    client: Rc<Client>,
    stream: BoxStream,
    inbox: Inbox,
    /// The client will send no more, but may still read.
    has_ended: bool,
}

impl Connection {
    /// A connection of `client` to `listener`.
    pub fn new(listener: &Rc<Listener>, client: &Rc<Client>, stream: BoxStream) -> Self {
        let (listener, client) = (listener.clone(), client.clone());
        Self { listener, client, stream, inbox: Inbox::default(), has_ended: false }
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
            Some(Refusal::Drained | Refusal::OutOfTurn) | None => {}
        }
        client.close();
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        self.client.wake_slot().work();
        self.local().tick();
        if self.client.refusal().is_some_and(Refusal::is_final) {
            return Poll::Ready(Ok(()));
        }
        let more = self.read(cx)? == Pace::More;
        self.write(cx)?;
        if self.is_over() {
            return Poll::Ready(Ok(()));
        }
        self.client.wake_slot().rest(cx.waker());
        if more {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn local(&self) -> &Rc<Local> {
        self.client.local()
    }

    /// Whether nothing is left to do for a client that has ended or is to be ended.
    fn is_over(&self) -> bool {
        let is_quiet = self.client.outstanding() == 0 && self.client.waiting() == 0;
        is_quiet && (self.has_ended || (self.client.refusal().is_some() && self.inbox.is_empty()))
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<Pace, WireError> {
        if self.has_ended || !self.client.may_ask() {
            return Ok(Pace::Idle);
        }
        let result = self.read_and_hand_on(cx);
        self.inbox.settle(self.client.local());
        match result {
            Err(WireError::Closed) => {
                self.has_ended = true;
                Ok(Pace::Idle)
            }
            other => other,
        }
    }

    fn read_and_hand_on(&mut self, cx: &mut Context<'_>) -> Result<Pace, WireError> {
        let view = self.listener.view();
        let mut requests = Requests { view: &view, client: &self.client };
        if self.inbox.has_unread() && self.inbox.drain(&mut requests)? == Pace::More {
            return Ok(Pace::More);
        }
        for _ in 0..READS_PER_TURN {
            let Poll::Ready(filled) = self.inbox.poll_fill(&mut self.stream, cx, self.client.local()) else {
                return Ok(Pace::Idle);
            };
            self.listener.series.received.add(filled? as u64);
            let pace = self.inbox.drain(&mut requests)?;
            self.client.has_read(!self.inbox.is_empty());
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
            Kind::Request | Kind::Oneway => {
                serve::request(&Asked { listener: self.view, client: self.client, message, bytes });
            }
            Kind::Ping => self.client.pong(message, bytes),
            Kind::Response => return Err(WireError::Protocol("a client sent a response".to_owned())),
            Kind::Pong | Kind::GoingAway | Kind::ComeBack | Kind::Notice => {}
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
