//! A connection that serves one client at a time: how it is taken, kept and given back.

use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use codec_api::{Affinity, Message, Outgoing, Raw};

use crate::error::Failure;
use crate::exchange::{Client, End, Exchange, Gone, Line};
use crate::upstream::why;

use super::{Connection, Purpose};

/// Whom a connection serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::upstream) enum Role {
    /// Everyone whose session it was set up for.
    Shared,
    /// One client at a time. In between it waits in its endpoint's pool.
    Private,
    /// One client, for as long as that lives.
    Own,
}

impl Connection {
    /// Whom it serves.
    pub(in crate::upstream) fn role(&self) -> Role {
        self.role
    }

    /// The client that it serves alone.
    pub(in crate::upstream) fn owner(&self) -> Option<Rc<Client>> {
        self.owner.borrow().as_ref().and_then(Weak::upgrade)
    }

    /// Whether it serves `client` alone.
    pub(in crate::upstream) fn is_of(&self, client: &Rc<Client>) -> bool {
        self.owner.borrow().as_ref().is_some_and(|owner| std::ptr::eq(owner.as_ptr(), Rc::as_ptr(client)))
    }

    /// Whether it is private and serves nobody now.
    pub(in crate::upstream) fn is_free(&self) -> bool {
        self.role == Role::Private && self.owner.borrow().is_none()
    }

    /// What it is for now.
    pub(in crate::upstream) fn purpose(&self) -> Purpose {
        Purpose {
            role: self.role,
            session: self.session.borrow().clone(),
            owner: self.owner.borrow().clone(),
        }
    }

    /// Whether it is what `purpose` asks for.
    pub(in crate::upstream) fn serves(&self, purpose: &Purpose) -> bool {
        self.purpose().is(purpose)
    }

    /// Whether its client will miss it, though nothing is under way.
    pub(super) fn is_in_use(&self) -> bool {
        self.role == Role::Private && self.owner.borrow().is_some()
    }

    #[inline]
    pub(super) fn owner_has_gone(&self) -> bool {
        if self.role == Role::Shared {
            return false;
        }
        let owner = self.owner.borrow();
        owner.as_ref().is_some_and(|owner| owner.upgrade().is_none_or(|owner| owner.is_closed()))
    }

    fn as_gone(self: &Rc<Self>) -> Weak<dyn Gone> {
        let gone: Rc<dyn Gone> = self.clone();
        Rc::downgrade(&gone)
    }

    /// Whether another client than this one has just written on it, and may ask next for what must follow its write here.
    pub(in crate::upstream) fn is_awaited_by_another(&self, client: Option<&Rc<Client>>) -> bool {
        let last = self.last_writer.borrow();
        let Some((writer, asked)) = last.as_ref() else { return false };
        let is_other = |writer: &Rc<Client>| client.is_none_or(|client| !Rc::ptr_eq(client, writer));
        writer
            .upgrade()
            .is_some_and(|writer| is_other(&writer) && !writer.is_closed() && writer.asked() == *asked)
    }

    /// Serves `client` alone from now on.
    pub(in crate::upstream) fn take(self: &Rc<Self>, client: &Rc<Client>) {
        self.owner.replace(Some(Rc::downgrade(client)));
        client.mourn(self.as_gone());
    }

    /// Lets its owner keep it beyond the request that it was taken for.
    pub(in crate::upstream) fn keep(&self) {
        if !self.kept.replace(true)
            && let Some(owner) = self.owner()
        {
            owner.keep_line(true);
        }
    }

    /// Writes what must be answered before this request, the first one of its owner. `false`: nothing must.
    pub(in crate::upstream) fn prepare(&self, request: &Message) -> bool {
        self.set_up(|_, codec, out| codec.prepare(request, out));
        self.is_setting_up()
    }

    /// Looks whether a message from its endpoint leaves nothing for its owner to wait for.
    #[inline]
    pub(super) fn loosen(self: &Rc<Self>, message: &Message) {
        if self.role == Role::Shared {
            return;
        }
        let Some(owner) = self.owner() else { return };
        let line: Rc<dyn Line> = self.clone();
        let is_pin = owner.pin().is_some_and(|pin| Rc::ptr_eq(&pin, &line));
        let ends_tie = message.flow.affinity == Affinity::Unpin;
        if is_pin {
            if ends_tie {
                owner.unpin(true);
            }
            return;
        }
        let is_done = self.state.borrow().pending.is_empty();
        if is_done && (ends_tie || !self.kept.get()) {
            line.release();
        }
    }

    /// Goes back to where it came from, if the request that it was taken for went another way.
    pub(in crate::upstream) fn settle(self: &Rc<Self>) {
        if self.role == Role::Shared || self.kept.get() || !self.state.borrow().pending.is_empty() {
            return;
        }
        let line: Rc<dyn Line> = self.clone();
        match self.owner() {
            None if self.role == Role::Own => self.wind_up(),
            Some(owner) if !owner.pin().is_some_and(|pin| Rc::ptr_eq(&pin, &line)) => line.release(),
            _ => {}
        }
    }

    /// Ends it if it is set up for a request that waits no longer: nobody else may find it so.
    pub(in crate::upstream) fn give_up_preparing(&self, exchange: &Exchange) {
        if self.is_setting_up() && exchange.client().is_some_and(|client| self.is_of(client)) {
            self.wind_up();
        }
    }

    /// Leaves its owner. One that was pinned to it learns that it cannot go on.
    pub(super) fn part_from_owner(self: &Rc<Self>) {
        let Some(owner) = self.owner.take().and_then(|owner| owner.upgrade()) else { return };
        let line: Rc<dyn Line> = self.clone();
        owner.forget(&self.as_gone());
        if self.kept.replace(false) {
            owner.keep_line(false);
            owner.lose_kept();
        }
        owner.lose_line(&line);
    }

    /// Ends it as soon as its task looks at it.
    pub(in crate::upstream) fn wind_up(&self) {
        self.ending.set(true);
        self.wake();
    }

    /// Whether it may serve another client.
    pub(in crate::upstream) fn is_clean(&self) -> bool {
        self.is_usable() && !self.soiled.get() && self.state.borrow().pending.is_empty()
    }
}

impl Line for Connection {
    fn cluster(&self) -> &Arc<str> {
        self.endpoint.cluster_name()
    }

    fn endpoint(&self) -> SocketAddr {
        self.endpoint.address()
    }

    fn owns(&self, key: &[u8]) -> bool {
        self.endpoint.cluster().is_none_or(|cluster| {
            !cluster.is_keyed() || cluster.owner_of(cluster.hash(key)) == Some(self.endpoint.address())
        })
    }

    fn is_sole(&self) -> bool {
        self.endpoint.cluster().is_none_or(|cluster| !cluster.is_keyed() || cluster.addresses().len() == 1)
    }

    fn is_open(&self) -> bool {
        !self.closed.get() && !self.ending.get()
    }

    fn send(self: Rc<Self>, exchange: Exchange, message: &Message, bytes: Raw<'_>) {
        if !self.is_open() {
            let text = why::lost(self.endpoint.address());
            return exchange.end(End::Failed(Failure::ConnectionLost, Some(&text)));
        }
        match self.endpoint.permit_request() {
            Some(permit) => self.endpoint.send_on_line(&self, (exchange, message, bytes), permit),
            None => self.endpoint.refuse(exchange, Failure::TooManyRequests),
        }
    }

    fn pass_on(&self, answer: &Outgoing<'_>) {
        if self.is_open() {
            self.speak(|codec, out| codec.encode(answer, out));
        }
    }

    fn soil(&self) {
        self.soiled.set(true);
    }

    fn release(self: Rc<Self>) {
        if self.role != Role::Private {
            if self.kept.replace(false)
                && let Some(owner) = self.owner()
            {
                owner.keep_line(false);
            }
            if self.soiled.get() {
                self.wind_up();
            }
            return;
        }
        let Some(owner) = self.owner.take().and_then(|owner| owner.upgrade()) else { return };
        owner.forget(&self.as_gone());
        if self.kept.replace(false) {
            owner.keep_line(false);
        }
        if self.written.replace(false) {
            self.last_writer.replace(Some((Rc::downgrade(&owner), owner.asked())));
        }
        self.endpoint.give_back(&self, &owner);
    }
}

impl Gone for Connection {
    fn client_gone(&self) {
        self.wake.wake();
    }

    fn let_go(self: Rc<Self>) {
        if self.kept.get() {
            self.soil();
            self.release();
        }
    }
}
