//! What is under way on one upstream connection, by the id that it was sent with.
//!
//! An id is a slot's number with the slot's generation above it, so that finding a response's exchange is an index
//! into an array, and a response that comes twice finds nothing. The id of an exchange that ended without its response
//! stays taken, as a *tombstone*, until the response comes: it can never reach the next exchange in that slot.

use slab::Slab;
use tokio::time::Instant;

use crate::exchange::Exchange;

use super::limits::Permit;

/// Slots of one connection.
const SLOT_BITS: u32 = 20;
/// The same for protocols whose ids have fewer than 32 bits.
const NARROW_SLOT_BITS: u32 = 10;

/// What a slot holds.
pub enum Slot {
    /// An exchange that awaits its response, and its place among the cluster's outstanding requests.
    Exchange(Exchange, Permit),
    /// An exchange that ended without its response.
    Tombstone,
    /// A ping of ours.
    Ping,
}

/// Everything that is owed on one connection.
pub struct Pending {
    slots: Slab<(u64, Slot)>,
    generation: u64,
    slot_bits: u32,
    id_mask: u64,
    tombstones: usize,
}

impl Pending {
    /// Nothing under way, for a protocol whose ids have `id_bits` bits.
    pub fn new(id_bits: u32) -> Self {
        let slot_bits = if id_bits < 32 { NARROW_SLOT_BITS } else { SLOT_BITS };
        let id_mask = if id_bits >= 64 { u64::MAX } else { (1 << id_bits) - 1 };
        Self { slots: Slab::new(), generation: 0, slot_bits, id_mask, tombstones: 0 }
    }

    /// How many responses are owed, tombstones and pings included.
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing is owed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many of the owed responses nobody waits for.
    pub fn tombstones(&self) -> usize {
        self.tombstones
    }

    /// Whether there is a free slot.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.slots.len() < 1 << self.slot_bits
    }

    /// The id that the next [`Pending::insert`] will answer to.
    #[inline]
    pub fn next_id(&self) -> u64 {
        self.id(self.slots.vacant_key(), self.generation)
    }

    fn id(&self, slot: usize, generation: u64) -> u64 {
        (generation << self.slot_bits | slot as u64) & self.id_mask
    }

    /// Takes the slot of [`Pending::next_id`].
    #[inline]
    pub fn insert(&mut self, slot: Slot) {
        let id = self.next_id();
        self.slots.insert((id, slot));
        self.generation = self.generation.wrapping_add(1);
    }

    /// What awaits the response with this id; its slot is free afterwards.
    #[inline]
    pub fn take(&mut self, id: u64) -> Option<Slot> {
        let index = (id & ((1 << self.slot_bits) - 1)) as usize;
        if self.slots.get(index)?.0 != id {
            return None;
        }
        let (_, slot) = self.slots.remove(index);
        if matches!(slot, Slot::Tombstone) {
            self.tombstones -= 1;
        }
        Some(slot)
    }

    /// Buries every exchange for which `is_over` holds, and returns them.
    pub fn bury(&mut self, is_over: impl Fn(&Exchange) -> bool) -> Vec<Exchange> {
        let mut buried = Vec::new();
        for (_, (_, slot)) in &mut self.slots {
            if !matches!(slot, Slot::Exchange(exchange, _) if is_over(exchange)) {
                continue;
            }
            if let Slot::Exchange(exchange, _) = std::mem::replace(slot, Slot::Tombstone) {
                self.tombstones += 1;
                buried.push(exchange);
            }
        }
        buried
    }

    /// When the first exchange times out.
    pub fn next_deadline(&self) -> Option<Instant> {
        let deadline = |slot: &Slot| match slot {
            Slot::Exchange(exchange, _) => exchange.deadline(),
            Slot::Tombstone | Slot::Ping => None,
        };
        self.slots.iter().filter_map(|(_, (_, slot))| deadline(slot)).min()
    }

    /// Takes every exchange and forgets the rest.
    pub fn drain(&mut self) -> Vec<Exchange> {
        self.tombstones = 0;
        let slots = std::mem::take(&mut self.slots);
        let exchange = |(_, (_, slot))| match slot {
            Slot::Exchange(exchange, _) => Some(exchange),
            Slot::Tombstone | Slot::Ping => None,
        };
        slots.into_iter().filter_map(exchange).collect()
    }
}
