//! One upstream connection: encodes requests, finds the exchange of each response, and ends what is never answered.

mod duties;
mod private;
mod responses;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use codec_api::{Affinity, Codec, DecodeError, Decoded, Edited, Message, Order, Out, Outgoing, Raw};
use tokio::time::Instant;

use crate::error::Failure;
use crate::exchange::{Client, End, Exchange, Line, Session, with_edits};
use crate::local::Local;
use crate::wire::{BoxStream, WakeSlot};

use super::cluster::Cluster;
use super::endpoint::Endpoint;
use super::limits::Permit;
use super::pending::{Pending, Slot};
use super::standing::Evidence;
use super::task::Task;

pub(super) use private::Role;
pub(super) use responses::Responses;

/// How long an endpoint may be silent while a connection is set up; it ends after twice this.
const SET_UP_TIME: Duration = Duration::from_secs(5);

/// What a connection is made for.
#[derive(Clone)]
pub(super) struct Purpose {
    /// Whom it serves.
    pub(super) role: Role,
    /// What it is set up with.
    pub(super) session: Session,
    /// The client that it serves from the beginning.
    pub(super) owner: Option<Weak<Client>>,
}

impl Purpose {
    /// Whether both are the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        let same_owner = match (&self.owner, &other.owner) {
            (Some(one), Some(other)) => one.ptr_eq(other),
            (None, None) => true,
            _ => false,
        };
        self.role == other.role && same_owner && self.session == other.session
    }
}

/// A connection, as those see it who send on it.
pub struct Connection {
    local: Rc<Local>,
    endpoint: Rc<Endpoint>,
    order: Order,
    role: Role,
    /// The client that it serves alone, for the time being.
    owner: RefCell<Option<Weak<Client>>>,
    /// Its owner keeps it beyond the request that it was taken for, though not as its pin.
    kept: Cell<bool>,
    session: RefCell<Session>,
    heartbeat: Option<Duration>,
    wake: WakeSlot,
    closed: Cell<bool>,
    going_away: Cell<bool>,
    /// It ends as soon as its task looks at it.
    ending: Cell<bool>,
    /// It serves nobody after its owner.
    soiled: Cell<bool>,
    /// Its owner has changed data on it.
    written: Cell<bool>,
    /// Whoever has done so last, and how much it had asked by then.
    last_writer: RefCell<Option<(Weak<Client>, u64)>>,
    /// What it owes is out of time, and nothing has been read since: other requests go elsewhere.
    stalled: Cell<bool>,
    /// Requests that follow a client's last write and want nobody behind them.
    reserved: Cell<u32>,
    /// Responses to come before it may carry requests.
    setting_up: Cell<usize>,
    /// It could not carry any request yet.
    new: Cell<bool>,
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
    /// When the last request was sent or the last response came.
    last_used: Instant,
    last_ping: Instant,
    missed_pings: u32,
}

impl Connection {
    /// Starts the task of a new connection, and sets it up.
    pub(super) fn start(
        cluster: &Rc<Cluster>,
        endpoint: &Rc<Endpoint>,
        stream: BoxStream,
        purpose: Purpose,
        permit: Permit,
    ) -> Rc<Self> {
        let settings = cluster.settings();
        let conduct = settings.factory.conduct();
        let now = cluster.local().now();
        let state = State {
            codec: settings.factory.codec(),
            out: Out::new(),
            pending: Pending::new(conduct.order, settings.properties.id_bits),
            next_deadline: None,
            longest: Some(Duration::ZERO),
            owing_since: now,
            last_read: now,
            last_used: now,
            last_ping: now,
            missed_pings: 0,
        };
        let is_pinged = purpose.role == Role::Shared || conduct.order == Order::ById;
        let heartbeat = conduct.heartbeat.or(settings.properties.heartbeat).filter(|_| is_pinged);
        drop(settings);
        let connection = Rc::new(Self {
            local: cluster.local().clone(),
            endpoint: endpoint.clone(),
            order: conduct.order,
            role: purpose.role,
            owner: RefCell::default(),
            kept: Cell::new(false),
            session: RefCell::new(purpose.session),
            heartbeat,
            wake: WakeSlot::default(),
            closed: Cell::new(false),
            going_away: Cell::new(false),
            ending: Cell::new(false),
            soiled: Cell::new(false),
            written: Cell::new(false),
            last_writer: RefCell::default(),
            stalled: Cell::new(false),
            reserved: Cell::new(0),
            setting_up: Cell::new(0),
            new: Cell::new(true),
            told_of_reverse_requests: Cell::new(false),
            state: RefCell::new(state),
        });
        if let Some(owner) = purpose.owner.and_then(|owner| owner.upgrade()) {
            connection.take(&owner);
        }
        connection.set_up(|connection, codec, out| {
            codec.prelude(connection.session.borrow().as_deref().unwrap_or_default(), out)
        });
        tokio::task::spawn_local(Task::new(cluster, &connection, stream).run(permit));
        connection
    }

    /// Writes what must be answered before the next request.
    fn set_up(&self, write: impl FnOnce(&Self, &mut dyn Codec, &mut Out) -> usize) {
        let state = &mut *self.state.borrow_mut();
        if state.out.is_empty() {
            state.out.lend(self.local.take_buffer());
        }
        let count = write(self, &mut *state.codec, &mut state.out);
        if count == 0 {
            return;
        }
        state.owe(SET_UP_TIME, None, self.local.now());
        for _ in 0..count {
            state.pending.insert(Slot::Setup);
        }
        self.setting_up.set(self.setting_up.get() + count);
        self.wake.wake();
    }

    /// Whether it may carry a request now.
    #[inline]
    pub(super) fn is_usable(&self) -> bool {
        let is_hale = !self.closed.get() && !self.going_away.get() && !self.ending.get();
        is_hale && !self.stalled.get() && self.setting_up.get() == 0 && self.state.borrow().pending.has_room()
    }

    /// Whether nothing about it is special: it may carry any plain request of a client without a session.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        let is_out = self.closed.get() | self.going_away.get() | self.ending.get() | self.stalled.get();
        let is_taken = self.setting_up.get() as u64 | u64::from(self.reserved.get());
        let state = self.state.borrow();
        !is_out && is_taken == 0 && self.session.borrow().is_none() && state.pending.has_room()
    }

    /// Whether requests that were sent on it hold up those that come next, which go on another one.
    #[inline]
    pub(super) fn is_hindered(&self) -> bool {
        self.stalled.get() || self.reserved.get() > 0
    }

    /// Whether it has requests of this client under way.
    pub(super) fn carries(&self, client: &Rc<Client>) -> bool {
        let is_theirs =
            |exchange: &Exchange| exchange.client().is_some_and(|other| Rc::ptr_eq(other, client));
        self.state.borrow().pending.has(is_theirs)
    }

    /// Whether it was set up for this session.
    #[inline]
    pub(super) fn is_set_up_for(&self, session: &Session) -> bool {
        match (&*self.session.borrow(), session) {
            (None, None) => true,
            (Some(one), Some(other)) => Rc::ptr_eq(one, other) || one == other,
            _ => false,
        }
    }

    /// Whether it still awaits what it must have before its first request.
    pub(super) fn is_setting_up(&self) -> bool {
        self.setting_up.get() > 0
    }

    /// Whether it could not carry any request yet.
    pub(super) fn is_new(&self) -> bool {
        self.new.get()
    }

    /// Notes that it can carry requests, or that its endpoint has told why not.
    pub(super) fn has_begun(&self) {
        self.new.set(false);
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
    pub(super) fn send(
        self: &Rc<Self>,
        exchange: Exchange,
        message: &Message,
        bytes: Raw<'_>,
        permit: Permit,
    ) {
        let now = self.local.now();
        self.note(&exchange, message);
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
                        state.owe(exchange.longest_wait(), exchange.deadline(), now);
                        state.pending.insert(Slot::Exchange(exchange, permit));
                        return self.endpoint.begin();
                    }
                    None
                }
                Err(refusal) => Some(refusal),
            }
        };
        self.forget(&exchange);
        match refusal {
            None => exchange.end(End::Sent),
            Some(refusal) => {
                exchange.end(End::Failed(Failure::Refused(refusal.cause), Some(&refusal.text)));
            }
        }
        self.settle();
    }

    /// Takes note of what a request that is about to be sent does to this connection and its client.
    #[inline]
    fn note(self: &Rc<Self>, exchange: &Exchange, message: &Message) {
        if !message.flow.writes && message.flow.affinity == Affinity::Free {
            return;
        }
        let Some(client) = exchange.client() else { return };
        let line: Rc<dyn Line> = self.clone();
        if message.flow.writes {
            client.has_written_on(&line);
            self.written.set(true);
        }
        match exchange.affinity() {
            Affinity::Pin if self.role != Role::Shared && !client.is_pinned() => client.set_pin(line),
            Affinity::LastWrite if self.role == Role::Shared => self.reserved.set(self.reserved.get() + 1),
            Affinity::Session if self.role == Role::Own => {
                self.session.replace(exchange.session().clone());
            }
            _ => {}
        }
    }

    /// Takes note of the end of a request that was sent on it.
    #[inline]
    fn forget(&self, exchange: &Exchange) {
        if exchange.affinity() == Affinity::LastWrite && self.role == Role::Shared {
            self.reserved.set(self.reserved.get().saturating_sub(1));
        }
    }

    /// Looks for a message at the start of `input`.
    fn decode(&self, input: &[u8]) -> Result<Decoded, DecodeError> {
        self.state.borrow_mut().codec.decode(input)
    }

    /// Notes that bytes have come.
    pub(super) fn has_read(&self) {
        {
            let mut state = self.state.borrow_mut();
            state.last_read = self.local.now();
            state.missed_pings = 0;
        }
        if self.stalled.replace(false) {
            self.endpoint.look_again();
        }
    }

    /// Writes through the codec.
    fn speak(&self, say: impl FnOnce(&mut dyn Codec, &mut Out)) {
        let state = &mut *self.state.borrow_mut();
        say(&mut *state.codec, &mut state.out);
        self.wake.wake();
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

    fn set_going_away(&self, is_going_away: bool) {
        if self.going_away.replace(is_going_away) != is_going_away {
            self.endpoint.set_leaving(is_going_away);
        }
    }

    /// Ends everything that is under way on it.
    pub(super) fn close(self: &Rc<Self>, failure: Failure, reason: &str) {
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
            if exchange.is_cancelled() {
                continue;
            }
            self.endpoint.series().lost.inc();
            self.endpoint.judge(match failure {
                Failure::UpstreamProtocol => Evidence::Bad(failure.text()),
                _ => Evidence::Mute(failure.text()),
            });
            let text = format!("{}: {} {reason}", failure.text(), self.endpoint.address());
            exchange.end(End::Failed(failure, Some(&text)));
        }
        self.part_from_owner();
    }
}
