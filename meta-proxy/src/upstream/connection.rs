//! One upstream connection: encodes requests, finds the exchange of each response, and ends what is never answered.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use codec_api::{
    Cause, Codec, DecodeError, Decoded, Edited, Kind, LocalReply, Message, Out, Outgoing, Raw, Rejected,
    Sharing,
};
use tokio::time::Instant;

use crate::error::Failure;
use crate::exchange::{Client, End, Exchange, Gone, with_edits};
use crate::local::Local;
use crate::wire::{BoxStream, Reader, WakeSlot, WireError};

use super::cluster::Cluster;
use super::endpoint::Endpoint;
use super::limits::Permit;
use super::pending::{Pending, Slot};
use super::task::Task;

/// Responses that nobody waits for, before their connection is given up.
const TOMBSTONE_LIMIT: usize = 1024;
/// Pings without an answer, before their connection is given up.
const MISSED_PINGS: u32 = 3;

/// The client that a connection belongs to, where each has its own.
#[derive(Clone, Default)]
pub(super) struct Owner(Option<Weak<Client>>);

impl Owner {
    /// The owner of the connection that `exchange` needs.
    pub(super) fn of(exchange: &Exchange, sharing: Sharing) -> Self {
        Self(match sharing {
            Sharing::PerDownstream => exchange.client().map(Rc::downgrade),
            Sharing::Exclusive | Sharing::Shared(_) => None,
        })
    }

    /// Whether both are the same.
    #[inline]
    pub(super) fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => one.ptr_eq(other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether there was one, and it has gone.
    fn has_gone(&self) -> bool {
        self.0.as_ref().is_some_and(|owner| owner.upgrade().is_none_or(|owner| owner.is_closed()))
    }
}

/// A connection, as those see it who send on it.
pub struct Connection {
    local: Rc<Local>,
    endpoint: Rc<Endpoint>,
    owner: Owner,
    heartbeat: Option<Duration>,
    wake: WakeSlot,
    closed: Cell<bool>,
    going_away: Cell<bool>,
    told_of_reverse_requests: Cell<bool>,
    state: RefCell<State>,
}

struct State {
    codec: Box<dyn Codec>,
    out: Out,
    pending: Pending,
    /// When the first of `pending` times out, or earlier.
    next_deadline: Option<Instant>,
    /// The longest timeout among what has been owed since `owing_since`; `None`: one of them has none.
    longest: Option<Duration>,
    owing_since: Instant,
    last_read: Instant,
    last_used: Instant,
    last_ping: Instant,
    missed_pings: u32,
}

impl Connection {
    /// Starts the task of a new connection.
    pub(super) fn start(
        cluster: &Rc<Cluster>,
        endpoint: &Rc<Endpoint>,
        stream: BoxStream,
        owner: Owner,
        permit: Permit,
    ) -> Rc<Self> {
        let settings = cluster.settings();
        let now = cluster.local().now();
        let state = State {
            codec: settings.factory.codec(),
            out: Out::new(),
            pending: Pending::new(settings.properties.id_bits),
            next_deadline: None,
            longest: Some(Duration::ZERO),
            owing_since: now,
            last_read: now,
            last_used: now,
            last_ping: now,
            missed_pings: 0,
        };
        let connection = Rc::new(Self {
            local: cluster.local().clone(),
            endpoint: endpoint.clone(),
            owner,
            heartbeat: settings.properties.heartbeat,
            wake: WakeSlot::default(),
            closed: Cell::new(false),
            going_away: Cell::new(false),
            told_of_reverse_requests: Cell::new(false),
            state: RefCell::new(state),
        });
        drop(settings);
        if let Some(owner) = connection.owner.0.as_ref().and_then(Weak::upgrade) {
            let mourner: Rc<dyn Gone> = connection.clone();
            owner.mourn(Rc::downgrade(&mourner));
        }
        tokio::task::spawn_local(Task::new(cluster, &connection, stream).run(permit));
        connection
    }

    /// Whether further requests may be sent on it.
    #[inline]
    pub(super) fn is_usable(&self) -> bool {
        !self.closed.get() && !self.going_away.get() && self.state.borrow().pending.has_room()
    }

    /// Whose it is.
    #[inline]
    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Responses that it owes.
    pub(super) fn outstanding(&self) -> usize {
        self.state.borrow().pending.len()
    }

    pub(super) fn endpoint(&self) -> &Rc<Endpoint> {
        &self.endpoint
    }

    pub(super) fn wake_slot(&self) -> &WakeSlot {
        &self.wake
    }

    /// Lets its task look at what has changed.
    pub(super) fn wake(&self) {
        self.wake.wake();
    }

    /// Sends a request. A oneway request ends here.
    pub(super) fn send(&self, exchange: Exchange, message: &Message, bytes: Raw<'_>, permit: Permit) {
        let now = self.local.now();
        let refusal = {
            let state = &mut *self.state.borrow_mut();
            state.last_used = now;
            if state.out.is_empty() {
                state.out.lend(self.local.take_buffer());
            }
            let outgoing = Outgoing { message, bytes, id: state.pending.next_id() };
            let State { codec, out, .. } = state;
            match with_edits(exchange.request_edits(), |edits| codec.write(&outgoing, edits, out)) {
                Ok(edited) => {
                    if edited == Edited::Impossible {
                        self.local.series().unedited.inc();
                    }
                    self.wake.wake();
                    if exchange.awaits_reply() {
                        state.owe(&exchange, now);
                        state.pending.insert(Slot::Exchange(exchange, permit));
                        return self.endpoint.begin();
                    }
                    None
                }
                Err(refusal) => Some(refusal),
            }
        };
        match refusal {
            None => exchange.end(End::Sent),
            Some(refusal) => {
                exchange.end(End::Failed(Failure::Refused(refusal.cause), Some(&refusal.text)));
            }
        }
    }

    /// Looks for a message at the start of `input`.
    fn decode(&self, input: &[u8]) -> Result<Decoded, DecodeError> {
        self.state.borrow_mut().codec.decode(input)
    }

    /// Notes that bytes have come.
    pub(super) fn has_read(&self) {
        let mut state = self.state.borrow_mut();
        state.last_read = self.local.now();
        state.missed_pings = 0;
    }

    fn response(&self, message: &Message, bytes: Raw<'_>) {
        let slot = self.state.borrow_mut().pending.take(message.id);
        match slot {
            Some(Slot::Exchange(exchange, _permit)) => {
                self.endpoint.finish();
                self.endpoint.series().responses[message.status as usize].inc();
                exchange.end(End::Response { message, bytes });
            }
            Some(Slot::Tombstone | Slot::Ping) | None => self.endpoint.series().late.inc(),
        }
    }

    /// Writes through the codec.
    fn speak(&self, say: impl FnOnce(&mut dyn Codec, &mut Out)) {
        let state = &mut *self.state.borrow_mut();
        say(&mut *state.codec, &mut state.out);
        self.wake.wake();
    }

    fn reverse_request(&self, message: &Message, bytes: Raw<'_>) {
        self.endpoint.series().reverse_requests.inc();
        if !self.told_of_reverse_requests.replace(true) {
            let fields: Vec<_> = message.head.iter().filter_map(|span| span.of(bytes.as_slice())).collect();
            let head: Vec<_> = fields.into_iter().map(String::from_utf8_lossy).collect();
            tracing::warn!(endpoint = %self.endpoint.address(), ?head, "requests from an endpoint are not served");
        }
        if message.kind == Kind::Request {
            let text = "this proxy does not carry requests from a provider to a consumer";
            let reply = LocalReply { cause: Cause::Unsupported, text };
            self.speak(|codec, out| codec.local_reply(message.request_head(), reply, out));
        }
    }

    /// Gives the out-buffer to `write`; keeps no empty buffer.
    pub(super) fn write<T>(&self, write: impl FnOnce(&mut Out) -> T) -> T {
        let out = &mut self.state.borrow_mut().out;
        let result = write(out);
        if out.is_empty() {
            self.local.return_buffer(out.reclaim());
        }
        result
    }

    /// When its task must look at it again, if nothing else happens.
    pub(super) fn next_event(&self, idle: Option<Duration>) -> Option<Instant> {
        let state = self.state.borrow();
        let heartbeat = self.heartbeat.map(|every| state.last_read.max(state.last_ping) + every);
        let idle = idle.filter(|_| state.pending.is_empty()).map(|idle| state.last_used + idle);
        [state.next_deadline, state.silence_ends(), heartbeat, idle].into_iter().flatten().min()
    }

    /// Does what is due. An error ends the connection; `Ok(false)` ends it in peace.
    pub(super) fn look(&self, idle: Option<Duration>) -> Result<bool, WireError> {
        let now = self.local.now();
        self.time_out(now);
        if self.owner.has_gone() {
            return Ok(false);
        }
        let state = &mut *self.state.borrow_mut();
        if state.silence_ends().is_some_and(|end| end <= now) {
            return Err(WireError::Protocol(
                "owes responses and has been silent for twice their time".to_owned(),
            ));
        }
        if state.pending.tombstones() >= TOMBSTONE_LIMIT {
            return Err(WireError::Protocol(format!("{TOMBSTONE_LIMIT} requests were never answered")));
        }
        let may_end = state.pending.is_empty() && state.out.is_empty();
        if may_end && (self.endpoint.is_retired() || idle.is_some_and(|idle| state.last_used + idle <= now)) {
            return Ok(false);
        }
        match self.heartbeat {
            Some(every) if state.last_read.max(state.last_ping) + every <= now => {
                if state.missed_pings == MISSED_PINGS {
                    return Err(WireError::Protocol(format!("{MISSED_PINGS} pings were not answered")));
                }
                state.ping(now);
            }
            _ => {}
        }
        Ok(true)
    }

    /// Ends every exchange that is out of time.
    fn time_out(&self, now: Instant) {
        if self.state.borrow().next_deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        let is_over = |exchange: &Exchange| exchange.deadline().is_some_and(|deadline| deadline <= now);
        for exchange in self.bury(is_over) {
            self.endpoint.series().timeouts.inc();
            exchange.end(End::Failed(Failure::Timeout, None));
        }
    }

    fn bury(&self, is_over: impl Fn(&Exchange) -> bool) -> Vec<Exchange> {
        let state = &mut *self.state.borrow_mut();
        let buried = state.pending.bury(is_over);
        state.next_deadline = state.pending.next_deadline();
        for _ in &buried {
            self.endpoint.finish();
        }
        buried
    }

    /// Ends every exchange whose client has gone.
    pub(super) fn sweep_cancelled(&self) {
        drop(self.bury(Exchange::is_cancelled));
    }

    fn set_going_away(&self, is_going_away: bool) {
        if self.going_away.replace(is_going_away) != is_going_away {
            self.endpoint.set_leaving(is_going_away);
        }
    }

    /// Ends everything that is under way on it.
    pub(super) fn close(&self, failure: Failure, reason: &str) {
        self.closed.set(true);
        if self.going_away.get() {
            self.set_going_away(false);
            self.endpoint.has_left(self.local.now());
        }
        let lost = {
            let state = &mut *self.state.borrow_mut();
            state.out.clear();
            state.pending.drain()
        };
        for exchange in lost {
            self.endpoint.finish();
            self.endpoint.series().lost.inc();
            let text = format!("{}: {} {reason}", failure.text(), self.endpoint.address());
            exchange.end(End::Failed(failure, Some(&text)));
        }
    }
}

impl Gone for Connection {
    fn client_gone(&self) {
        self.wake.wake();
    }
}

impl State {
    /// Takes note of one more response that is owed.
    fn owe(&mut self, exchange: &Exchange, now: Instant) {
        if self.pending.is_empty() {
            self.owing_since = now;
            self.longest = Some(Duration::ZERO);
            self.next_deadline = None;
        }
        let timeout = exchange.timeout();
        self.longest = self.longest.filter(|_| !timeout.is_zero()).map(|longest| longest.max(timeout));
        if let Some(deadline) = exchange.deadline() {
            self.next_deadline = Some(self.next_deadline.map_or(deadline, |next| next.min(deadline)));
        }
    }

    /// When a connection that owes responses has been silent for too long.
    fn silence_ends(&self) -> Option<Instant> {
        if self.pending.is_empty() {
            return None;
        }
        let longest = self.longest.filter(|longest| !longest.is_zero())?;
        Some(self.last_read.max(self.owing_since) + longest * 2)
    }

    fn ping(&mut self, now: Instant) {
        let id = self.pending.next_id();
        if self.pending.is_empty() {
            self.owing_since = now;
            self.longest = None;
            self.next_deadline = None;
        }
        self.pending.insert(Slot::Ping);
        self.codec.ping(id, &mut self.out);
        self.last_ping = now;
        self.missed_pings += 1;
    }
}

/// Takes messages from a connection's inbox.
pub(super) struct Responses<'a> {
    pub(super) connection: &'a Rc<Connection>,
    pub(super) cluster: &'a Rc<Cluster>,
}

impl Reader for Responses<'_> {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        self.connection.decode(input)
    }

    fn message(&mut self, message: &Message, bytes: Raw<'_>) -> Result<(), WireError> {
        let connection = self.connection;
        match message.kind {
            Kind::Response => {
                connection.response(message, bytes);
                connection.endpoint.serve_waiting(self.cluster, connection);
            }
            Kind::Pong => drop(connection.state.borrow_mut().pending.take(message.id)),
            Kind::Ping => {
                let ping = Outgoing { message, bytes, id: message.id };
                connection.speak(|codec, out| codec.pong(&ping, out));
            }
            Kind::Request | Kind::Oneway => connection.reverse_request(message, bytes),
            Kind::GoingAway => connection.set_going_away(true),
            Kind::ComeBack => connection.set_going_away(false),
            Kind::Notice => {}
        }
        Ok(())
    }

    fn rejected(&mut self, rejected: Rejected) {
        let Some(answer) = rejected.answer else { return };
        let slot = self.connection.state.borrow_mut().pending.take(answer.id);
        if let Some(Slot::Exchange(exchange, _permit)) = slot {
            self.connection.endpoint.finish();
            exchange.end(End::Failed(Failure::UpstreamProtocol, Some(&rejected.text)));
        }
    }
}
