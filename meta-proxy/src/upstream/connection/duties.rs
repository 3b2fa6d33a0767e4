//! What a connection does by itself: times requests out, pings, and ends when nobody needs it.

use std::rc::Rc;
use std::time::Duration;

use codec_api::{Cause, Kind, LocalReply, Message, Order, Raw};
use tokio::time::Instant;

use crate::error::Failure;
use crate::exchange::{End, Exchange, Line};
use crate::upstream::pending::Slot;
use crate::upstream::standing::Evidence;
use crate::upstream::why;
use crate::wire::WireError;

use super::{Connection, Role, State};

/// Responses that nobody waits for, before their connection is given up.
const TOMBSTONE_LIMIT: usize = 1024;
/// Pings without an answer, before their connection is given up.
const MISSED_PINGS: u32 = 3;
/// How long a connection of a pool or of a session waits for its next request, unless its cluster says less.
const POOLED_TIME: Duration = Duration::from_mins(1);

impl Connection {
    /// When its task must look at it again, if nothing else happens.
    pub(in crate::upstream) fn next_event(&self, idle: Option<Duration>) -> Option<Instant> {
        let state = self.state.borrow();
        let heartbeat = self.heartbeat.map(|every| state.last_read.max(state.last_ping) + every);
        let idle = if self.may_end(&state) { self.idle_time(idle) } else { None };
        let idle = idle.map(|idle| state.last_used + idle);
        let silence = state.silence_ends().map(|end| self.gives_up(&state, end));
        [state.next_deadline, silence, heartbeat, idle].into_iter().flatten().min()
    }

    /// Does what is due. An error ends the connection; `Ok(false)` ends it in peace.
    pub(in crate::upstream) fn look(&self, idle: Option<Duration>) -> Result<bool, WireError> {
        let now = self.local.now();
        self.time_out(now);
        if self.ending.get() || self.owner_has_gone() {
            return Ok(false);
        }
        let state = &mut *self.state.borrow_mut();
        if let Some(end) = state.silence_ends().filter(|end| *end <= now) {
            self.stalled.set(true);
            if self.gives_up(state, end) <= now {
                return Err(WireError::Protocol(
                    "owes responses and has been silent for twice their time".to_owned(),
                ));
            }
        }
        if state.pending.tombstones() > 0 && self.order == Order::InOrder && self.is_for_one() {
            // What comes next would wait behind the one that is out of time, and can as well go elsewhere.
            return Ok(false);
        }
        if state.pending.tombstones() >= TOMBSTONE_LIMIT {
            return Err(WireError::Protocol(format!("{TOMBSTONE_LIMIT} requests were never answered")));
        }
        if self.may_end(state) {
            let is_idle = |idle| state.last_used + idle <= now;
            if self.endpoint.is_retired() || self.idle_time(idle).is_some_and(is_idle) {
                return Ok(false);
            }
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

    /// When it is given up for a silence that ends then. Once it is stalled it gets no new requests, and those that it has
    /// may wait for as long as their own timeouts say.
    fn gives_up(&self, state: &State, end: Instant) -> Instant {
        if self.stalled.get() { state.next_deadline.map_or(end, |deadline| deadline.max(end)) } else { end }
    }

    /// Ends every exchange that is out of time.
    fn time_out(&self, now: Instant) {
        if self.state.borrow().next_deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        let is_over = |exchange: &Exchange| exchange.deadline().is_some_and(|deadline| deadline <= now);
        for exchange in self.bury(is_over) {
            if self.order == Order::InOrder {
                self.stalled.set(true);
            }
            self.endpoint.series().timeouts.inc();
            self.endpoint.judge(Evidence::Mute(Failure::Timeout.text()));
            let text = why::no_response(self.endpoint.address(), exchange.try_time());
            exchange.end(End::Failed(Failure::Timeout, Some(&text)));
        }
        self.endpoint.look_again();
    }

    fn bury(&self, is_over: impl Fn(&Exchange) -> bool) -> Vec<Exchange> {
        let state = &mut *self.state.borrow_mut();
        let buried = state.pending.bury(is_over);
        state.next_deadline = state.pending.next_deadline();
        for exchange in &buried {
            self.endpoint.finish();
            self.forget(exchange);
        }
        buried
    }

    /// Ends every exchange whose client has gone.
    pub(in crate::upstream) fn sweep_cancelled(&self) {
        drop(self.bury(Exchange::is_cancelled));
    }

    /// Whether it carries one client's requests only, or one request at a time.
    fn is_for_one(&self) -> bool {
        self.role != Role::Shared || self.endpoint.is_exclusive()
    }

    /// Whether nobody would miss it now.
    #[inline]
    fn may_end(&self, state: &State) -> bool {
        state.pending.is_empty() && state.out.is_empty() && !self.is_in_use()
    }

    /// How long it may be idle. What serves a session, waits in a pool, or was made because another one was held up, is
    /// not kept for ever.
    fn idle_time(&self, idle: Option<Duration>) -> Option<Duration> {
        let is_spare = match self.role {
            Role::Own => false,
            Role::Private => true,
            Role::Shared => self.session.borrow().is_some() || self.endpoint.is_surplus(self),
        };
        if is_spare { Some(idle.map_or(POOLED_TIME, |idle| idle.min(POOLED_TIME))) } else { idle }
    }

    /// Hands a request that its endpoint sends to its owner, if that keeps it for such, or answers that nobody takes it.
    pub(super) fn reverse_request(self: &Rc<Self>, message: &Message, bytes: Raw<'_>) {
        self.endpoint.series().reverse_requests.inc();
        let line: Rc<dyn Line> = self.clone();
        let text = match self.owner().filter(|_| self.kept.get()) {
            Some(owner) if owner.call(message, bytes, &line) => return,
            Some(_) => "the consumer has too many calls from its provider that it has not answered",
            None => "this proxy does not carry requests from a provider to a consumer",
        };
        if !self.told_of_reverse_requests.replace(true) {
            let fields: Vec<_> = message.head.iter().filter_map(|span| span.of(bytes.as_slice())).collect();
            let head: Vec<_> = fields.into_iter().map(String::from_utf8_lossy).collect();
            tracing::warn!(endpoint = %self.endpoint.address(), ?head, "requests from an endpoint are not served");
        }
        if message.kind == Kind::Request {
            let reply = LocalReply { cause: Cause::Unsupported, text };
            self.speak(|codec, out| codec.local_reply(message.request_head(), reply, out));
        }
    }
}

impl State {
    /// Takes note of one more response that is owed.
    pub(super) fn owe(&mut self, timeout: Duration, deadline: Option<Instant>, now: Instant) {
        if self.pending.is_empty() {
            self.owing_since = now;
            self.longest = Some(Duration::ZERO);
            self.next_deadline = None;
        }
        self.longest = self.longest.filter(|_| !timeout.is_zero()).map(|longest| longest.max(timeout));
        if let Some(deadline) = deadline {
            self.next_deadline = Some(self.next_deadline.map_or(deadline, |next| next.min(deadline)));
        }
    }

    /// Takes what a response belongs to.
    #[inline]
    pub(super) fn settle(&mut self, id: u64, now: Instant) -> Option<Slot> {
        self.last_used = now;
        self.pending.take(id)
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
