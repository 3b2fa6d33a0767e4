//! What keeps a client's further requests from being decoded: barriers before and behind requests that change how its
//! next ones travel.
//!
//! A request that must wait for those before it is *postponed*: it is decoded, kept, and served when they are answered.
//! Behind some requests the gate stays shut until they are answered, so that nothing is decoded in a state that is about
//! to change.

use bytes::Bytes;
use codec_api::{Affinity, Kind, Message, Raw};

use super::{Client, OUTSTANDING_ALONE_LIMIT, OUTSTANDING_LIMIT};

/// Whether requests pass, and what happens when they may again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::exchange) enum Gate {
    /// They pass.
    Open,
    /// One waits until what was asked before it is answered.
    Postponed,
    /// None passes until the one that shut it is answered.
    Shut,
    /// None passes until its client is pinned, or cannot be.
    Pinning,
    /// None passes until the one that shut it is answered, which ends the pin.
    Unpinning,
    /// The same, and the connection is closed, and so are those that are kept for its client.
    Resetting,
}

impl Client {
    /// Sets the gate, and the number of requests that may be outstanding with it.
    pub(super) fn set_gate(&self, gate: Gate) {
        self.gate.set(gate);
        self.outstanding_limit.set(match gate {
            Gate::Open if self.goes_alone.get() => OUTSTANDING_ALONE_LIMIT,
            Gate::Open => OUTSTANDING_LIMIT,
            _ => 0,
        });
    }

    /// Whether requests are kept back for the sake of their order.
    #[inline]
    pub fn is_gated(&self) -> bool {
        self.gate.get() != Gate::Open
    }

    /// Keeps a request that must wait until those before it are answered. `false`: it need not wait.
    pub fn postpone(&self, message: &Message, bytes: Raw<'_>) -> bool {
        let stays_in_order = self.is_pinned() && message.kind != Kind::Own;
        let must_wait = message.flow.affinity != Affinity::Free && !stays_in_order;
        if !must_wait || self.outstanding() == 0 {
            return false;
        }
        self.ties.borrow_mut().postponed = Some(Box::new((*message, bytes.to_bytes())));
        self.set_gate(Gate::Postponed);
        true
    }

    /// Shuts the gate behind a request that is about to be served, if it asks for that.
    pub fn shut_behind(&self, message: &Message) {
        let is_own = message.kind == Kind::Own;
        let gate = match message.flow.affinity {
            Affinity::Free | Affinity::Private => return,
            Affinity::Unpin if is_own => Gate::Resetting,
            Affinity::Unpin if self.is_pinned() => Gate::Unpinning,
            Affinity::Session => {
                if self.is_pinned() {
                    self.soil_pin();
                }
                self.renew_session();
                Gate::Shut
            }
            _ if is_own => Gate::Shut,
            _ if self.is_pinned() => return,
            Affinity::Pin => Gate::Pinning,
            Affinity::Alone | Affinity::LastWrite | Affinity::Unpin => Gate::Shut,
        };
        self.set_gate(gate);
    }

    /// Opens the gate if what shut it is over; answers the request that was postponed, which is to be served next.
    pub fn reopen(&self) -> Option<(Message, Bytes)> {
        let gate = self.gate.get();
        let is_over = self.outstanding() == 0 || (gate == Gate::Pinning && self.is_pinned());
        if gate == Gate::Open || !is_over {
            return None;
        }
        match gate {
            Gate::Unpinning => self.unpin(true),
            Gate::Resetting => {
                self.unpin(false);
                self.let_go();
            }
            Gate::Open | Gate::Postponed | Gate::Shut | Gate::Pinning => {}
        }
        self.renew_session();
        self.set_gate(Gate::Open);
        self.ties.borrow_mut().postponed.take().map(|postponed| *postponed)
    }
}
