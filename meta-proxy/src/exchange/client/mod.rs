//! A client's connection, as those see it who answer its requests.
//!
//! The connection's own task reads and writes; responses arrive from the tasks of upstream connections. Both meet
//! here: responses are encoded into the client's out-buffer and its task is woken to write them.

mod answers;
mod calls;
mod gate;
mod ties;

use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use codec_api::{
    Attribute, Codec, DecodeError, Decoded, Factory, Found, Message, Order, Out, Outgoing, Shares, Sharing,
    Span,
};

use tokio::time::Instant;

use crate::local::Local;
use crate::wire::WakeSlot;

use super::turns::Turns;

use ties::Ties;

pub(super) use gate::Gate;

/// Bytes that may wait for a client which does not read, before its requests are no longer read, unless its codec asks
/// for another limit.
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
    /// Its last request is answered, or its bytes could not be understood.
    Finished,
    /// The connection that it was pinned to was lost.
    PinLost,
}

impl Refusal {
    /// Whether the connection ends without waiting for anything.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Stalled | Self::OutOfTurn)
    }

    /// Whether nothing more is read.
    pub fn is_deaf(self) -> bool {
        matches!(self, Self::Stalled | Self::OutOfTurn | Self::Finished | Self::PinLost)
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

    /// It stays, and wants nothing more that it did not ask for.
    fn let_go(self: Rc<Self>);
}

/// One client.
pub struct Client {
    local: Rc<Local>,
    address: SocketAddr,
    /// Its address as an attribute, once somebody has asked for it.
    source: OnceCell<Box<str>>,
    speech: RefCell<Speech>,
    /// Of a client that wants its answers in the order of its requests.
    turns: Option<Box<RefCell<Turns>>>,
    wake: WakeSlot,
    outstanding: Cell<u32>,
    /// None while the gate is not open.
    outstanding_limit: Cell<u32>,
    goes_alone: Cell<bool>,
    gate: Cell<Gate>,
    /// Outstanding requests that say themselves how long they may take.
    lingering: Cell<u32>,
    /// Bytes of answers that wait for those of other endpoints to the same request.
    gathered: Cell<usize>,
    held: Cell<usize>,
    unread_limit: usize,
    /// Whether its requests go on connections of its own, whatever their clusters say.
    is_dedicated: bool,
    /// Whether `ties` hold a session, and a pin.
    has_session: Cell<bool>,
    is_pinned: Cell<bool>,
    ties: RefCell<Ties>,
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
        let conduct = factory.conduct();
        Rc::new(Self {
            local: local.clone(),
            address,
            source: OnceCell::new(),
            speech: RefCell::new(Speech { codec: factory.codec(), out: Out::new() }),
            turns: (conduct.order == Order::InOrder).then(Box::default),
            wake: WakeSlot::default(),
            outstanding: Cell::new(0),
            outstanding_limit: Cell::new(OUTSTANDING_LIMIT),
            goes_alone: Cell::new(false),
            gate: Cell::new(Gate::Open),
            lingering: Cell::new(0),
            gathered: Cell::new(0),
            held: Cell::new(0),
            unread_limit: conduct.unread_limit.unwrap_or(UNREAD_LIMIT),
            is_dedicated: conduct.sharing == Some(Sharing::PerDownstream),
            has_session: Cell::new(false),
            is_pinned: Cell::new(false),
            ties: RefCell::default(),
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

    /// Whether it is answered in the order in which it asks.
    pub fn is_in_order(&self) -> bool {
        self.turns.is_some()
    }

    /// Where it connects from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The attribute that tells where it connects from, see [`codec_api::SOURCE_ADDRESS`].
    pub fn source(&self) -> &str {
        self.source.get_or_init(|| self.address.ip().to_canonical().to_string().into())
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

    /// Looks for the keys of a request.
    pub fn keys(&self, message: &Message, bytes: &[u8], keys: &mut Vec<Span>) {
        self.speech.borrow_mut().codec.keys(message, bytes, keys);
    }

    /// Writes one share of a request as a request of its own.
    pub fn split(
        &self,
        whole: &Outgoing<'_>,
        shares: Shares<'_>,
        share: u16,
        part: &mut Vec<u8>,
    ) -> Result<Message, codec_api::Refusal> {
        self.speech.borrow_mut().codec.split(whole, shares, share, part)
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
        if after >= self.unread_limit.min(UNREAD_LIMIT) && self.local.is_over_queued_limit() {
            // All slow clients together hold too much; this one is among them.
            speech.out.clear();
            self.local.requeue(after, 0);
            self.refusal.set(Some(Refusal::Stalled));
        }
        self.wake.wake();
    }

    /// Tells `who` when it goes.
    pub fn mourn(&self, who: Weak<dyn Gone>) {
        let mut mourners = self.mourners.borrow_mut();
        mourners.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&who));
        mourners.push(who);
    }

    /// Tells `who` no longer.
    pub fn forget(&self, who: &Weak<dyn Gone>) {
        self.mourners.borrow_mut().retain(|known| !known.ptr_eq(who));
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

    /// Bytes that wait for their turn, or for the rest of their answer.
    fn early(&self) -> usize {
        self.gathered.get() + self.turns.as_ref().map_or(0, |turns| turns.borrow().bytes())
    }

    /// Notes that the answers which wait for others to one of its requests went from `before` bytes to `after`.
    pub(in crate::exchange) fn gather(&self, before: usize, after: usize) {
        self.gathered.set((self.gathered.get() + after).saturating_sub(before));
        self.local.requeue(before, after);
    }

    /// Whether further requests may be read from it.
    #[inline]
    pub fn may_ask(&self) -> bool {
        self.has_room() && self.held.get() < HELD_LIMIT && self.waiting() + self.early() < self.unread_limit
    }

    /// Whether it has fewer requests outstanding than it may have.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.outstanding.get() < self.outstanding_limit.get()
    }

    /// Notes that each of its requests takes an upstream connection of its own.
    #[inline]
    pub fn goes_alone(&self) {
        if self.turns.is_some() && !self.goes_alone.replace(true) {
            self.set_gate(self.gate.get());
        }
    }

    /// Notes that one more of its outstanding requests says itself how long it may take, or one fewer.
    pub(super) fn linger(&self, more: bool) {
        let count = self.lingering.get();
        self.lingering.set(if more { count + 1 } else { count - 1 });
    }

    /// Whether it waits for something that may never come.
    pub fn is_lingering(&self) -> bool {
        self.lingering.get() > 0
    }

    /// Whether its requests go on connections of its own, whatever their clusters say.
    #[inline]
    pub fn is_dedicated(&self) -> bool {
        self.is_dedicated
    }

    /// Requests that it awaits a response to.
    #[inline]
    pub fn outstanding(&self) -> u32 {
        self.outstanding.get()
    }

    /// Requests that it has asked for an answer to, where its answers come in order.
    pub fn asked(&self) -> u64 {
        self.turns.as_ref().map_or(0, |turns| turns.borrow().taken())
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
        self.ties.take();
        self.is_pinned.set(false);
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
        let is_full = self.waiting() >= self.unread_limit
            || self.refusal.get().is_some()
            || self.local.is_over_queued_limit();
        if exceeds(self.partial_since.get(), MESSAGE_TIME)
            || (is_full && exceeds(self.stalled_since.get(), STALL_TIME))
        {
            return Some(Refusal::Stalled);
        }
        let is_quiet = self.outstanding.get() == 0 && self.waiting() == 0 && !self.is_tied();
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
