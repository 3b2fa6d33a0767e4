//! A client's connection, as those see it who answer its requests.
//!
//! The connection's own task reads and writes; responses arrive from the tasks of upstream connections. Both meet
//! here: responses are encoded into the client's out-buffer and its task is woken to write them.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use codec_api::{
    Attribute, Codec, DecodeError, Decoded, Edited, Factory, Found, LocalReply, Message, Order, Out,
    Outgoing, Raw, RequestHead,
};

use tokio::time::Instant;

use crate::local::Local;
use crate::wire::WakeSlot;

use super::edits::{SharedEdits, with_edits};
use super::turns::{Early, Turns};

/// Bytes that may wait for a client which does not read, before its requests are no longer read.
const UNREAD_LIMIT: usize = 1 << 20;
/// Outstanding requests of one client, before no more are read.
const OUTSTANDING_LIMIT: u32 = 4096;
/// The same for a client whose requests each take an upstream connection of their own and are answered in order. It
/// gains nothing by more, and a server with a thread for each connection would run out of them.
const OUTSTANDING_ALONE_LIMIT: u32 = 16;
/// Bytes of outstanding requests of one client, before no more are read. A request that shares its read buffer with a
/// neighbour keeps all of it, so that the memory is up to twice as much.
const HELD_LIMIT: usize = 32 << 20;

/// How long a client may take to send the rest of a message.
const MESSAGE_TIME: Duration = Duration::from_secs(30);
/// How long bytes may wait for a client that takes none, once there are as many as it may leave unread.
const STALL_TIME: Duration = Duration::from_secs(5);

/// Why a client is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It takes no bytes.
    Stalled,
    /// An answer was lost, and it could not tell which request the next one answers.
    OutOfTurn,
    /// It had been idle.
    Idle,
    /// The worker drains, and the client has nothing outstanding.
    Drained,
}

impl Refusal {
    /// Whether the connection ends without waiting for anything.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Stalled | Self::OutOfTurn)
    }
}

struct Speech {
    codec: Box<dyn Codec>,
    out: Out,
}

/// Whoever wants to know that a client has gone.
pub trait Gone {
    /// It has gone.
    fn client_gone(&self);
}

/// One client.
pub struct Client {
    local: Rc<Local>,
    address: SocketAddr,
    speech: RefCell<Speech>,
    /// Of a client that wants its answers in the order of its requests.
    turns: Option<Box<RefCell<Turns>>>,
    wake: WakeSlot,
    outstanding: Cell<u32>,
    outstanding_limit: Cell<u32>,
    held: Cell<usize>,
    closed: Cell<bool>,
    refusal: Cell<Option<Refusal>>,
    last_read: Cell<Instant>,
    /// Since when part of a message has been waiting for the rest.
    partial_since: Cell<Option<Instant>>,
    /// Since when bytes have been waiting for a client that takes none.
    stalled_since: Cell<Option<Instant>>,
    /// Who is told when it goes.
    mourners: RefCell<Vec<Weak<dyn Gone>>>,
}

impl Client {
    /// A client at `address` that speaks the language of `factory`'s codecs.
    pub fn new(local: &Rc<Local>, address: SocketAddr, factory: &dyn Factory) -> Rc<Self> {
        let order = factory.conduct().order;
        Rc::new(Self {
            local: local.clone(),
            address,
            speech: RefCell::new(Speech { codec: factory.codec(), out: Out::new() }),
            turns: (order == Order::InOrder).then(Box::default),
            wake: WakeSlot::default(),
            outstanding: Cell::new(0),
            outstanding_limit: Cell::new(OUTSTANDING_LIMIT),
            held: Cell::new(0),
            closed: Cell::new(false),
            refusal: Cell::new(None),
            last_read: Cell::new(local.now()),
            partial_since: Cell::new(None),
            stalled_since: Cell::new(None),
            mourners: RefCell::default(),
        })
    }

    /// What its worker shares.
    #[inline]
    pub fn local(&self) -> &Rc<Local> {
        &self.local
    }

    /// Where it connects from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who wakes its task.
    #[inline]
    pub fn wake_slot(&self) -> &WakeSlot {
        &self.wake
    }

    /// Looks for a message at the start of `input`.
    #[inline]
    pub fn decode(&self, input: &[u8]) -> Result<Decoded, DecodeError> {
        self.speech.borrow_mut().codec.decode(input)
    }

    /// Looks for late attributes.
    pub fn attributes(&self, message: &Message, bytes: &[u8], wanted: &[Attribute], found: &mut Found) {
        found.reset(wanted.len());
        self.speech.borrow_mut().codec.attributes(message, bytes, wanted, found);
    }

    /// Writes through its codec and wakes its task. What is written to a client that has gone is forgotten.
    fn speak(&self, say: impl FnOnce(&mut dyn Codec, &mut Out)) {
        if self.closed.get() || self.refusal.get().is_some_and(Refusal::is_final) {
            return;
        }
        let speech = &mut *self.speech.borrow_mut();
        let before = speech.out.len();
        if before == 0 {
            speech.out.lend(self.local.take_buffer());
        }
        say(&mut *speech.codec, &mut speech.out);
        let after = speech.out.len();
        self.local.requeue(before, after);
        if after >= UNREAD_LIMIT && self.local.is_over_queued_limit() {
            // All slow clients together hold too much; this one is among them.
            speech.out.clear();
            self.local.requeue(after, 0);
            self.refusal.set(Some(Refusal::Stalled));
        }
        self.wake.wake();
    }

    /// Hands it a response to the request with this turn and head, when its turn has come. `false`: its codec could
    /// not write the response and told it so.
    #[inline]
    pub fn respond(
        &self,
        turn: u64,
        request: RequestHead,
        (message, bytes): (&Message, Raw<'_>),
        edits: &SharedEdits,
    ) -> bool {
        let Some(turns) = &self.turns else { return self.write_response(request, message, bytes, edits) };
        if !turns.borrow().is_due(turn) {
            let early = Early::Response {
                message: *message,
                bytes: bytes.to_bytes(),
                head: request,
                edits: edits.clone(),
            };
            self.keep(turns, turn, early);
            return true;
        }
        let is_written = self.write_response(request, message, bytes, edits);
        self.advance(turns);
        is_written
    }

    fn write_response(
        &self,
        request: RequestHead,
        message: &Message,
        bytes: Raw<'_>,
        edits: &SharedEdits,
    ) -> bool {
        let edits = edits.as_deref().map_or(&[][..], |edits| &edits.response);
        let mut is_written = true;
        self.speak(|codec, out| {
            let outgoing = Outgoing { message, bytes, id: request.id };
            match with_edits(edits, |edits| codec.write(&outgoing, edits, out)) {
                Ok(Edited::Done) => {}
                Ok(Edited::Impossible) => self.local.series().unedited.inc(),
                Err(refusal) => {
                    is_written = false;
                    let reply = LocalReply { cause: refusal.cause, text: &refusal.text };
                    codec.local_reply(request, reply, out);
                }
            }
        });
        is_written
    }

    /// Answers its request in the endpoint's place, when its turn has come.
    pub fn local_reply(&self, turn: u64, request: RequestHead, reply: LocalReply<'_>) {
        let Some(turns) = &self.turns else { return self.write_reply(request, reply) };
        if !turns.borrow().is_due(turn) {
            let LocalReply { cause, text } = reply;
            return self.keep(turns, turn, Early::Reply { head: request, cause, text: text.into() });
        }
        self.write_reply(request, reply);
        self.advance(turns);
    }

    fn write_reply(&self, request: RequestHead, reply: LocalReply<'_>) {
        self.speak(|codec, out| codec.local_reply(request, reply, out));
    }

    /// Keeps an answer that is early.
    fn keep(&self, turns: &RefCell<Turns>, turn: u64, early: Early) {
        if self.closed.get() {
            return;
        }
        let mut turns = turns.borrow_mut();
        let before = turns.bytes();
        turns.keep(turn, early);
        self.local.requeue(before, turns.bytes());
    }

    /// Goes on to the next turn, and writes what was kept for it and those after it.
    fn advance(&self, turns: &RefCell<Turns>) {
        loop {
            let before = turns.borrow().bytes();
            let Some(early) = turns.borrow_mut().advance() else { return };
            self.local.requeue(before, turns.borrow().bytes());
            match early {
                Early::Response { message, bytes, head, edits } => {
                    self.write_response(head, &message, Raw::Shared(&bytes), &edits);
                }
                Early::Reply { head, cause, text } => {
                    self.write_reply(head, LocalReply { cause, text: &text });
                }
            }
        }
    }

    /// Notes that the request with this turn will never be answered.
    pub fn lose(&self, turn: u64) {
        if self.turns.is_some() && !self.closed.get() {
            tracing::error!(address = %self.address, turn, "an answer was lost; the client is cut off");
            self.refuse(Refusal::OutOfTurn);
        }
    }

    /// Tells `who` when it goes.
    pub fn mourn(&self, who: Weak<dyn Gone>) {
        let mut mourners = self.mourners.borrow_mut();
        mourners.retain(|known| known.strong_count() > 0);
        mourners.push(who);
    }

    /// Answers its ping.
    pub fn pong(&self, message: &Message, bytes: Raw<'_>) {
        self.speak(|codec, out| codec.pong(&Outgoing { message, bytes, id: message.id }, out));
    }

    /// Tells it to go elsewhere.
    pub fn going_away(&self) {
        self.speak(|codec, out| codec.going_away(out));
    }

    /// Gives its out-buffer to `write`; keeps no empty buffer.
    pub fn write<T>(&self, write: impl FnOnce(&mut Out) -> T) -> T {
        let out = &mut self.speech.borrow_mut().out;
        let before = out.len();
        let result = write(out);
        self.local.requeue(before, out.len());
        if before > 0 && out.is_empty() {
            self.local.return_buffer(out.reclaim());
        }
        result
    }

    /// Bytes that wait for it.
    pub fn waiting(&self) -> usize {
        self.speech.borrow().out.len()
    }

    /// Bytes that wait for their turn.
    fn early(&self) -> usize {
        self.turns.as_ref().map_or(0, |turns| turns.borrow().bytes())
    }

    /// Whether further requests may be read from it.
    #[inline]
    pub fn may_ask(&self) -> bool {
        self.has_room() && self.held.get() < HELD_LIMIT && self.waiting() + self.early() < UNREAD_LIMIT
    }

    /// Whether it has fewer requests outstanding than it may have.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.outstanding.get() < self.outstanding_limit.get()
    }

    /// Notes that each of its requests takes an upstream connection of its own.
    #[inline]
    pub fn goes_alone(&self) {
        if self.turns.is_some() {
            self.outstanding_limit.set(OUTSTANDING_ALONE_LIMIT);
        }
    }

    /// Requests that it awaits a response to.
    #[inline]
    pub fn outstanding(&self) -> u32 {
        self.outstanding.get()
    }

    /// Notes that one of its requests, of `bytes` bytes, has begun, and gives it its turn.
    #[inline]
    pub fn begin(&self, bytes: usize, awaits_reply: bool) -> u64 {
        self.outstanding.set(self.outstanding.get() + 1);
        self.held.set(self.held.get() + bytes);
        match &self.turns {
            Some(turns) if awaits_reply => turns.borrow_mut().take(),
            _ => 0,
        }
    }

    /// Notes that one of its requests has ended.
    #[inline]
    pub fn finish(&self, bytes: usize) {
        let was_full = !self.may_ask();
        self.outstanding.set(self.outstanding.get() - 1);
        self.held.set(self.held.get() - bytes);
        if was_full || (self.outstanding.get() == 0 && self.refusal.get().is_some()) {
            self.wake.wake();
        }
    }

    /// Whether it has gone.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Notes that it has gone, and forgets what waits for it.
    pub fn close(&self) {
        self.closed.set(true);
        self.write(Out::clear);
        if let Some(turns) = &self.turns {
            self.local.requeue(turns.borrow().bytes(), 0);
            turns.borrow_mut().clear();
        }
        for mourner in self.mourners.take() {
            if let Some(mourner) = mourner.upgrade() {
                mourner.client_gone();
            }
        }
    }

    /// Notes that it has sent bytes, and whether the last message lacks its rest.
    pub fn has_read(&self, is_partial: bool) {
        let now = self.local.now();
        self.last_read.set(now);
        let since = if is_partial { self.partial_since.get().or(Some(now)) } else { None };
        self.partial_since.set(since);
    }

    /// Notes that it has taken `taken` bytes, after which `left` wait.
    pub fn has_written(&self, taken: usize, left: usize) {
        let since = match (taken, left) {
            (_, 0) => None,
            (0, _) => self.stalled_since.get().or(Some(self.local.now())),
            _ => Some(self.local.now()),
        };
        self.stalled_since.set(since);
    }

    /// Why it should be cut off now, if there is a reason; `idle` is how long it may be idle.
    pub fn inspect(&self, idle: Duration) -> Option<Refusal> {
        let now = self.local.now();
        let exceeds =
            |since: Option<Instant>, time| since.is_some_and(|since| now.duration_since(since) >= time);
        let is_full = self.waiting() >= UNREAD_LIMIT || self.local.is_over_queued_limit();
        if exceeds(self.partial_since.get(), MESSAGE_TIME)
            || (is_full && exceeds(self.stalled_since.get(), STALL_TIME))
        {
            return Some(Refusal::Stalled);
        }
        let is_quiet = self.outstanding.get() == 0 && self.waiting() == 0;
        (is_quiet && exceeds(Some(self.last_read.get()), idle)).then_some(Refusal::Idle)
    }

    /// Asks its task to end the connection.
    pub fn refuse(&self, refusal: Refusal) {
        self.refusal.set(Some(refusal));
        self.wake.wake();
    }

    /// Why its connection is to end, if it is.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal.get()
    }
}
