//! Requests from endpoints to a client, on connections that serve it alone, and its answers.

use std::rc::{Rc, Weak};

use codec_api::{Kind, Message, Outgoing, Raw};
use slab::Slab;

use crate::exchange::Line;

use super::Client;

/// Requests of endpoints that a client has not answered yet.
const CALLS_LIMIT: usize = 1024;
/// Bits of such a request's id that name its place.
const PLACE_BITS: u32 = 10;

/// What endpoints have asked a client.
#[derive(Default)]
pub(super) struct Calls {
    asked: Slab<Call>,
    count: u64,
}

struct Call {
    id: u64,
    /// The id that its endpoint knows it by.
    theirs: u64,
    line: Weak<dyn Line>,
}

impl Client {
    /// Hands it a request that its endpoint sends on `line`. `false`: it has too many that it has not answered.
    pub fn call(&self, message: &Message, bytes: Raw<'_>, line: &Rc<dyn Line>) -> bool {
        let mut id = 0;
        if message.kind == Kind::Request {
            let mut ties = self.ties.borrow_mut();
            let calls = ties.calls.get_or_insert_default();
            calls.asked.retain(|_, call| call.line.strong_count() > 0);
            if calls.asked.len() == CALLS_LIMIT {
                return false;
            }
            calls.count += 1;
            // Fits into 32 bits, and is another one for a long time.
            id = ((calls.count << PLACE_BITS) | calls.asked.vacant_key() as u64) & u64::from(u32::MAX);
            calls.asked.insert(Call { id, theirs: message.id, line: Rc::downgrade(line) });
        }
        self.speak(|codec, out| codec.encode(&Outgoing { message, bytes, id }, out));
        true
    }

    /// Gives its answer to an endpoint that has asked it. `false`: none has.
    pub fn answers_call(&self, message: &Message, bytes: Raw<'_>) -> bool {
        let place = (message.id & ((1 << PLACE_BITS) - 1)) as usize;
        let call = {
            let mut ties = self.ties.borrow_mut();
            let Some(calls) = &mut ties.calls else { return false };
            if calls.asked.get(place).is_none_or(|call| call.id != message.id) {
                return false;
            }
            calls.asked.remove(place)
        };
        if let Some(line) = call.line.upgrade() {
            line.pass_on(&Outgoing { message, bytes, id: call.theirs });
        }
        true
    }
}
