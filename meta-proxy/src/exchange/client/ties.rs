//! What ties a client to upstream connections: its session, its pin, and where it has written.

use std::net::SocketAddr;
use std::ptr;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use codec_api::Message;

use crate::exchange::{Line, Session};

use super::calls::Calls;
use super::{Client, Gate, Refusal};

/// Endpoints whose last write by a client is remembered.
const WRITTEN_LIMIT: usize = 1024;

/// A client's ties. Empty for one that sends plain requests only.
#[derive(Default)]
pub(super) struct Ties {
    /// What upstream connections must have been set up with.
    session: Session,
    /// Where all of its requests go.
    pin: Option<Rc<dyn Line>>,
    /// Connections that hold it and nobody else, but for the pin.
    kept: u32,
    /// The connection of its last write to each endpoint, the latest endpoint last.
    written: Vec<Written>,
    /// What endpoints have asked it.
    pub(super) calls: Option<Box<Calls>>,
    /// A request that waits until those before it are answered.
    pub(super) postponed: Option<Box<(Message, Bytes)>>,
}

struct Written {
    endpoint: SocketAddr,
    line: Weak<dyn Line>,
}

impl Client {
    /// What upstream connections must have been set up with to carry its requests.
    #[inline]
    pub fn session(&self) -> Session {
        if self.has_session.get() { self.ties.borrow().session.clone() } else { None }
    }

    /// Asks its codec for its session anew.
    pub(super) fn renew_session(&self) {
        let speech = self.speech.borrow();
        let bytes = speech.codec.session();
        let mut ties = self.ties.borrow_mut();
        if ties.session.as_deref().unwrap_or_default() != bytes {
            ties.session = (!bytes.is_empty()).then(|| bytes.into());
            self.has_session.set(ties.session.is_some());
        }
    }

    /// Whether all of its requests go to one connection.
    #[inline]
    pub fn is_pinned(&self) -> bool {
        self.is_pinned.get()
    }

    /// Whether a connection is there for it alone.
    pub(super) fn is_tied(&self) -> bool {
        let ties = self.ties.borrow();
        ties.pin.is_some() || ties.kept > 0
    }

    /// Where all of its requests go.
    pub fn pin(&self) -> Option<Rc<dyn Line>> {
        self.ties.borrow().pin.clone()
    }

    /// Sends all of its further requests to `line`.
    pub fn set_pin(&self, line: Rc<dyn Line>) {
        self.ties.borrow_mut().pin = Some(line);
        self.is_pinned.set(true);
        self.wake.wake();
    }

    /// Notes that one more connection is kept for it, or one fewer.
    pub fn keep_line(&self, more: bool) {
        let kept = &mut self.ties.borrow_mut().kept;
        *kept = if more { *kept + 1 } else { kept.saturating_sub(1) };
    }

    /// The pin is not to be given back when it ends.
    pub(super) fn soil_pin(&self) {
        if let Some(pin) = self.pin() {
            pin.soil();
        }
    }

    /// Ends the pin.
    pub fn unpin(&self, gives_back: bool) {
        let Some(pin) = self.ties.borrow_mut().pin.take() else { return };
        self.is_pinned.set(false);
        if !gives_back {
            pin.soil();
        }
        pin.release();
    }

    /// Lets go of every connection that is kept for it.
    pub(super) fn let_go(&self) {
        let mourners = self.mourners.borrow().clone();
        for mourner in mourners.iter().filter_map(Weak::upgrade) {
            mourner.let_go();
        }
    }

    /// Notes that `line` was lost. A client that was pinned to it cannot go on.
    pub fn lose_line(&self, line: &Rc<dyn Line>) {
        let is_pin = self.ties.borrow().pin.as_ref().is_some_and(|pin| Rc::ptr_eq(pin, line));
        let ends_pin = matches!(self.gate.get(), Gate::Unpinning | Gate::Resetting);
        if ends_pin && self.outstanding() == 0 {
            // It is over already, and its client will find that out in its next turn.
            return;
        }
        if is_pin && !self.is_closed() && self.refusal().is_none() {
            self.refuse(Refusal::PinLost);
        }
    }

    /// Notes that a connection was lost that was kept for it: what it waits for there never comes.
    pub fn lose_kept(&self) {
        if !self.is_closed() && self.refusal().is_none() {
            self.refuse(Refusal::PinLost);
        }
    }

    /// Notes that it has written on `line`.
    #[inline]
    pub fn has_written_on(&self, line: &Rc<dyn Line>) {
        let written = &mut self.ties.borrow_mut().written;
        if !written.iter().any(|known| ptr::addr_eq(known.line.as_ptr(), Rc::as_ptr(line))) {
            let endpoint = line.endpoint();
            written.retain(|known| known.endpoint != endpoint);
            if written.len() == WRITTEN_LIMIT {
                written.remove(0);
            }
            written.push(Written { endpoint, line: Rc::downgrade(line) });
        }
    }

    /// The connections of its last writes, of each endpoint; `None` stands for one that was lost. That is told once: what
    /// follows can only be of those that are left.
    pub fn last_writes(&self) -> Vec<Option<Rc<dyn Line>>> {
        let written = &mut self.ties.borrow_mut().written;
        let open = |written: &Written| written.line.upgrade().filter(|line| line.is_open());
        let lines = written.iter().map(open).collect();
        written.retain(|written| open(written).is_some());
        lines
    }
}
