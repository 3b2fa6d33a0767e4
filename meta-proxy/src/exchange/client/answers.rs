//! How a client gets its answers: each in its turn, where its protocol wants them in the order of the requests.

use std::cell::RefCell;
use std::rc::Rc;

use codec_api::{After, DecodeError, Edited, LocalReply, Message, Outgoing, Raw, RequestHead};

use crate::exchange::edits::{SharedEdits, with_edits};
use crate::exchange::gather::Gathering;
use crate::exchange::turns::{Early, Turns};

use super::{Client, Refusal};

impl Client {
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

    /// Hands it a response that another one to the same request follows. Its turn has come: such responses arrive only
    /// on connections that serve nobody else.
    pub fn respond_more(
        &self,
        request: RequestHead,
        (message, bytes): (&Message, Raw<'_>),
        edits: &SharedEdits,
    ) {
        self.write_response(request, message, bytes, edits);
        self.bound_unread();
    }

    /// Lets its codec answer a request of its own, when its turn has come.
    pub fn answer_own(&self, turn: u64, message: &Message, bytes: Raw<'_>) {
        match &self.turns {
            Some(turns) if !turns.borrow().is_due(turn) => {
                self.keep(turns, turn, Early::Own { message: *message, bytes: bytes.to_bytes() });
            }
            Some(turns) => {
                self.write_own(message, bytes);
                self.advance(turns);
            }
            None => self.write_own(message, bytes),
        }
    }

    fn write_own(&self, message: &Message, bytes: Raw<'_>) {
        let mut after = After::Stay;
        let outgoing = Outgoing { message, bytes, id: message.id };
        self.speak(|codec, out| after = codec.answer(&outgoing, out));
        if after == After::Close && self.refusal().is_none() {
            self.refuse(Refusal::Finished);
        }
    }

    /// Merges the answers to a request that went to several endpoints, when its turn has come.
    pub(in crate::exchange) fn merge(&self, turn: u64, head: RequestHead, gathering: Rc<Gathering>) {
        match &self.turns {
            Some(turns) if !turns.borrow().is_due(turn) => {
                self.keep(turns, turn, Early::Merged { head, gathering });
            }
            Some(turns) => {
                self.write_merged(head, &gathering);
                self.advance(turns);
            }
            None => self.write_merged(head, &gathering),
        }
    }

    fn write_merged(&self, head: RequestHead, gathering: &Gathering) {
        self.speak(|codec, out| gathering.with(|shares, answers| codec.merge(head, shares, answers, out)));
    }

    /// Hands it what an endpoint sends unasked.
    pub fn push(&self, message: &Message, bytes: Raw<'_>) {
        self.speak(|codec, out| codec.encode(&Outgoing { message, bytes, id: 0 }, out));
        self.bound_unread();
    }

    /// Cuts it off if it leaves too much unread of what comes without its asking.
    fn bound_unread(&self) {
        if self.waiting() >= self.unread_limit {
            self.refuse(Refusal::Stalled);
        }
    }

    /// Answers its ping.
    pub fn pong(&self, message: &Message, bytes: Raw<'_>) {
        self.speak(|codec, out| codec.pong(&Outgoing { message, bytes, id: message.id }, out));
    }

    /// Tells it to go elsewhere.
    pub fn going_away(&self) {
        self.speak(|codec, out| codec.going_away(out));
    }

    /// Tells it why its connection closes.
    pub fn farewell(&self, error: &DecodeError) {
        self.speak(|codec, out| codec.farewell(error, out));
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
                Early::Own { message, bytes } => self.write_own(&message, Raw::Shared(&bytes)),
                Early::Merged { head, gathering } => self.write_merged(head, &gathering),
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
}
