//! Requests that wait for a connection of their endpoint.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use codec_api::{Affinity, Message, Sharing};
use tokio::time::Instant;

use crate::exchange::{End, Exchange};

use super::cluster::Place;
use super::connection::{Connection, Purpose, Role};
use super::limits::Permit;
use super::tried::Tried;

/// Which connection a request needs.
#[derive(Clone)]
pub(super) enum Need {
    /// One of those that everybody with its session uses.
    Shared,
    /// A private one, for this request or as a pin.
    Private,
    /// The private one that its client keeps.
    Kept,
    /// The one that its client has for itself for as long as it lives.
    Own,
    /// This one.
    This(Rc<Connection>),
}

impl Need {
    /// What `exchange` needs in a cluster that shares its connections like this.
    #[inline]
    pub(super) fn of(exchange: &Exchange, sharing: Sharing) -> Self {
        let Some(client) = exchange.client() else { return Self::Shared };
        if sharing == Sharing::PerDownstream || client.is_dedicated() {
            return Self::Own;
        }
        match exchange.affinity() {
            Affinity::Pin | Affinity::Alone => Self::Private,
            Affinity::Private => Self::Kept,
            Affinity::Free | Affinity::Unpin | Affinity::Session | Affinity::LastWrite => Self::Shared,
        }
    }

    /// What a connection for it is made for; `None`: it waits for one that exists.
    pub(super) fn purpose(&self, exchange: &Exchange) -> Option<Purpose> {
        let owner = || exchange.client().map(Rc::downgrade);
        let (role, owner) = match self {
            Self::Shared => (Role::Shared, None),
            Self::Private => (Role::Private, None),
            Self::Kept => (Role::Private, owner()),
            Self::Own => (Role::Own, owner()),
            Self::This(_) => return None,
        };
        Some(Purpose { role, owner, session: exchange.session().clone() })
    }
}

/// A request that waits for a connection, with bytes of its own.
pub struct Waiting {
    pub(super) exchange: Exchange,
    pub(super) message: Message,
    pub(super) bytes: Bytes,
    pub(super) need: Need,
    pub(super) place: Place,
    pub(super) tried: Tried,
    pub(super) permit: Permit,
    /// Its place among the cluster's waiting requests.
    pub(super) _slot: Permit,
}

impl Waiting {
    /// Ends it without its having been sent. Its permit is given back first: should it be tried again, it takes another.
    pub(super) fn end(self, end: End<'_>) {
        let Self { exchange, permit, .. } = self;
        drop(permit);
        exchange.end(end);
    }

    fn is_over(&self, now: Instant) -> bool {
        self.exchange.is_cancelled() || self.exchange.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// What a connection for it is made for.
    pub(super) fn purpose(&self) -> Option<Purpose> {
        self.need.purpose(&self.exchange)
    }
}

/// The waiting requests of one endpoint, in order.
#[derive(Default)]
pub(super) struct Queue {
    waiting: RefCell<VecDeque<Waiting>>,
    /// How many of them wait for a shared connection.
    for_shared: Cell<usize>,
}

impl Queue {
    pub(super) fn push(&self, waiting: Waiting) {
        self.count(&waiting, true);
        self.waiting.borrow_mut().push_back(waiting);
    }

    fn count(&self, waiting: &Waiting, more: bool) {
        if matches!(waiting.need, Need::Shared) {
            let count = self.for_shared.get();
            self.for_shared.set(if more { count + 1 } else { count - 1 });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// Whether any of them waits for a shared connection.
    #[inline]
    pub(super) fn wants_shared(&self) -> bool {
        self.for_shared.get() > 0
    }

    /// How many of them wait for a connection like this.
    pub(super) fn wanting(&self, purpose: &Purpose) -> usize {
        let wants = |waiting: &&Waiting| waiting.purpose().is_some_and(|wanted| wanted.is(purpose));
        self.waiting.borrow().iter().filter(wants).count()
    }

    /// What each of them wants a connection for.
    pub(super) fn purposes(&self) -> Vec<Purpose> {
        self.waiting.borrow().iter().filter_map(Waiting::purpose).collect()
    }

    /// Takes the first for which `is_meant`.
    pub(super) fn take_first(&self, is_meant: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        let place = self.waiting.borrow().iter().position(is_meant)?;
        let taken = self.waiting.borrow_mut().remove(place)?;
        self.count(&taken, false);
        Some(taken)
    }

    /// Takes all for which `is_meant`.
    pub(super) fn take_all(&self, is_meant: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let (taken, left): (VecDeque<_>, _) = self.waiting.take().into_iter().partition(is_meant);
        self.waiting.replace(left);
        for waiting in &taken {
            self.count(waiting, false);
        }
        taken.into()
    }

    /// Takes all that are out of time or out of clients.
    pub(super) fn take_over(&self, now: Instant) -> Vec<Waiting> {
        if !self.waiting.borrow().iter().any(|waiting| waiting.is_over(now)) {
            return Vec::new();
        }
        self.take_all(|waiting| waiting.is_over(now))
    }

    /// When the first of them is out of time.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.borrow().iter().filter_map(|waiting| waiting.exchange.deadline()).min()
    }
}
