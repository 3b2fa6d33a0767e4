//! The requests outstanding on one connection, found by id in constant time.
//!
//! An id is a place in a table and the number of times that the place was used, so that a reply which comes twice,
//! or for a request that was never sent, finds nothing.

use std::collections::VecDeque;
use std::time::Duration;

#[derive(Debug)]
struct Slot {
    uses: u32,
    sent: Option<Duration>,
}

/// What is outstanding, each with the time at which it was, or should have been, sent.
#[derive(Debug, Default)]
pub(super) struct Slots {
    places: Vec<Slot>,
    free: Vec<u32>,
    /// Ids in the order of sending, for protocols that answer in order; kept only if `in_order` is set.
    order: VecDeque<u64>,
    in_order: bool,
}

impl Slots {
    /// Nothing is outstanding. `in_order` also remembers in which order requests are sent.
    pub(super) fn new(in_order: bool) -> Self {
        Slots { in_order, ..Slots::default() }
    }

    /// How many are outstanding.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Puts in a request that was sent at this time; its id.
    pub(super) fn put(&mut self, sent: Duration) -> u64 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Slot { uses: 0, sent: None });
            (self.places.len() - 1) as u32
        });
        let slot = &mut self.places[place as usize];
        slot.uses = slot.uses.wrapping_add(1);
        slot.sent = Some(sent);
        let id = u64::from(slot.uses) << 32 | u64::from(place);
        if self.in_order {
            self.order.push_back(id);
        }
        id
    }

    /// Takes out the request with this id, or the oldest; when it was sent. `None` if it is not outstanding.
    pub(super) fn take(&mut self, id: Option<u64>) -> Option<Duration> {
        let id = match id {
            Some(id) => id,
            None => self.order.pop_front()?,
        };
        let place = id as u32;
        let slot = self.places.get_mut(place as usize)?;
        if u64::from(slot.uses) != id >> 32 {
            return None;
        }
        let sent = slot.sent.take()?;
        self.free.push(place);
        Some(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_once() {
        let mut slots = Slots::default();
        let (first, second) = (slots.put(Duration::from_secs(1)), slots.put(Duration::from_secs(2)));
        assert_ne!(first, second);
        assert_eq!(slots.take(Some(first)), Some(Duration::from_secs(1)));
        assert_eq!(slots.take(Some(first)), None);
        let third = slots.put(Duration::from_secs(3));
        assert_eq!(third as u32, first as u32, "the place is used again");
        assert_eq!(slots.take(Some(first)), None, "under another id");
        assert_eq!(slots.take(Some(77)), None);
        assert_eq!(slots.len(), 2);
    }

    #[test]
    fn without_ids_the_oldest_is_taken() {
        let mut slots = Slots::new(true);
        for second in 1..=3 {
            slots.put(Duration::from_secs(second));
        }
        assert_eq!(slots.take(None), Some(Duration::from_secs(1)));
        assert_eq!(slots.take(None), Some(Duration::from_secs(2)));
        assert_eq!(slots.len(), 1);
    }
}
