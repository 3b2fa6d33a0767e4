//! The requests of a client that await their answers, in order.
//!
//! Thrift's exceptions repeat the name of the method that was called, in the form in which it was called, and clients
//! insist on it. A client is answered in the order of its requests, so a queue of what was decoded is enough.

use std::collections::VecDeque;

use crate::form::Form;

/// Requests of one client that may await an answer. The proxy reads no further long before this.
pub(crate) const MAX_AWAITING: usize = 65_536;
/// Memory that an empty queue keeps, in bytes of names.
const KEPT: usize = 16 << 10;

/// What must be known of a request to answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) form: Form,
    /// The sequence id inside the payload, which a `THeader`'s may differ from.
    pub(crate) inner: u32,
    /// Length of its method's name.
    name: u16,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Awaiting {
    asked: VecDeque<Asked>,
    names: VecDeque<u8>,
}

impl Awaiting {
    /// Adds a request. `false`: there are too many.
    #[must_use]
    pub(crate) fn push(&mut self, form: Form, inner: u32, name: &[u8]) -> bool {
        if self.asked.len() >= MAX_AWAITING {
            return false;
        }
        let length = name.len().min(u16::MAX.into());
        self.asked.push_back(Asked { form, inner, name: length as u16 });
        self.names.extend(&name[..length]);
        true
    }

    /// The request that is answered next.
    pub(crate) fn first(&self) -> Option<Asked> {
        self.asked.front().copied()
    }

    /// Takes the first request off.
    pub(crate) fn pop(&mut self) {
        if let Some(asked) = self.asked.pop_front() {
            self.names.drain(..usize::from(asked.name));
        }
        self.tidy();
    }

    /// Takes the first request off, and gives its method's name too.
    pub(crate) fn take(&mut self) -> Option<(Asked, Vec<u8>)> {
        let asked = self.asked.pop_front()?;
        let name = self.names.drain(..usize::from(asked.name)).collect();
        self.tidy();
        Some((asked, name))
    }

    fn tidy(&mut self) {
        if self.asked.is_empty() && self.names.capacity() > KEPT {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{Encoding, Transport};

    const FORM: Form = Form { transport: Transport::Framed, encoding: Encoding::Compact };

    #[test]
    fn names_come_out_in_order_whether_looked_at_or_not() {
        let mut awaiting = Awaiting::default();
        for name in ["add", "", "remove", "list"] {
            assert!(awaiting.push(FORM, 7, name.as_bytes()));
        }
        awaiting.pop();
        assert_eq!(awaiting.take().unwrap().1, b"");
        assert_eq!(awaiting.first().unwrap().inner, 7);
        assert_eq!(awaiting.take().unwrap().1, b"remove");
        assert_eq!(awaiting.take().unwrap().1, b"list");
        assert_eq!(awaiting.take(), None);
        awaiting.pop();
    }

    #[test]
    fn it_is_bounded_and_gives_its_memory_back() {
        let mut awaiting = Awaiting::default();
        for _ in 0..MAX_AWAITING {
            assert!(awaiting.push(FORM, 0, b"method"));
        }
        assert!(!awaiting.push(FORM, 0, b"method"));
        for _ in 0..MAX_AWAITING {
            awaiting.pop();
        }
        assert!(awaiting.names.capacity() <= KEPT && awaiting.asked.capacity() == 0);
    }
}
