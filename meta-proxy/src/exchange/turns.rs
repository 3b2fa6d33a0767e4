//! Answers that are early, for clients whose protocol wants them in the order of the requests.
//!
//! Each request that awaits an answer takes a turn. The answer whose turn it is goes out at once; others are kept, with
//! bytes of their own, until everything before them has gone out.

use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;

use bytes::Bytes;
use codec_api::{Cause, Message, RequestHead};

use super::edits::SharedEdits;
use super::gather::Gathering;

/// An answer that is early.
pub(super) enum Early {
    Response {
        message: Message,
        bytes: Bytes,
        head: RequestHead,
        edits: SharedEdits,
    },
    Reply {
        head: RequestHead,
        cause: Cause,
        text: Box<str>,
    },
    /// A request that the client's codec answers when its turn has come.
    Own {
        message: Message,
        bytes: Bytes,
    },
    /// Answers of several endpoints, to be merged.
    Merged {
        head: RequestHead,
        gathering: Rc<Gathering>,
    },
}

impl Early {
    /// What keeping it costs, in bytes.
    fn size(&self) -> usize {
        mem::size_of::<Self>()
            + match self {
                Self::Response { bytes, .. } | Self::Own { bytes, .. } => bytes.len(),
                Self::Merged { gathering, .. } => gathering.bytes(),
                Self::Reply { text, .. } => text.len(),
            }
    }
}

/// The turns of one client.
#[derive(Default)]
pub(super) struct Turns {
    /// The turn of the next request.
    next: u64,
    /// Whose turn it is to be answered.
    due: u64,
    /// What is early, by its distance from `due`.
    early: VecDeque<Option<Early>>,
    bytes: usize,
}

impl Turns {
    /// Takes the next turn.
    pub(super) fn take(&mut self) -> u64 {
        let turn = self.next;
        self.next += 1;
        turn
    }

    /// Turns that were taken.
    pub(super) fn taken(&self) -> u64 {
        self.next
    }

    /// Whether an answer to the request with this turn may go out now.
    pub(super) fn is_due(&self, turn: u64) -> bool {
        turn == self.due
    }

    /// Keeps an answer until its turn has come.
    pub(super) fn keep(&mut self, turn: u64, early: Early) {
        let place = (turn - self.due) as usize;
        if self.early.len() <= place {
            self.early.resize_with(place + 1, || None);
        }
        self.bytes += early.size();
        self.early[place] = Some(early);
    }

    /// Goes on to the next turn; answers what was kept for it.
    pub(super) fn advance(&mut self) -> Option<Early> {
        self.due += 1;
        self.early.pop_front();
        let next = self.early.front_mut()?.take()?;
        self.bytes -= next.size();
        Some(next)
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets everything that is kept.
    pub(super) fn clear(&mut self) {
        self.early.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn early(id: u64) -> Early {
        Early::Reply { head: RequestHead { id, context: 0 }, cause: Cause::Timeout, text: "late".into() }
    }

    fn id(early: Option<Early>) -> Option<u64> {
        early.map(|early| match early {
            Early::Reply { head, .. } | Early::Response { head, .. } | Early::Merged { head, .. } => head.id,
            Early::Own { message, .. } => message.id,
        })
    }

    #[test]
    fn answers_go_out_in_the_order_of_their_requests() {
        let mut turns = Turns::default();
        let [first, second, third, fourth] = std::array::from_fn(|_| turns.take());
        assert!(turns.is_due(first) && !turns.is_due(second));
        turns.keep(third, early(3));
        turns.keep(second, early(2));
        assert!(turns.bytes() > 0);
        assert_eq!(id(turns.advance()), Some(2), "the first was answered: the second is due");
        assert_eq!(id(turns.advance()), Some(3));
        assert_eq!(id(turns.advance()), None);
        assert!(turns.is_due(fourth));
        assert_eq!(turns.bytes(), 0);
    }

    #[test]
    fn what_is_kept_is_weighed_and_can_be_forgotten() {
        let mut turns = Turns::default();
        let _ = turns.take();
        let second = turns.take();
        turns.keep(second, early(2));
        assert_eq!(turns.bytes(), mem::size_of::<Early>() + 4);
        turns.clear();
        assert_eq!(turns.bytes(), 0);
        assert_eq!(id(turns.advance()), None);
    }
}
