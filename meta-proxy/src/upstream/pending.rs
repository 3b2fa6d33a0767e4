//! What is under way on one upstream connection, by the id that it was sent with, or in the order in which it was sent.
//!
//! An id is a slot's number with the slot's generation above it, so that finding a response's exchange is an index
//! into an array, and a response that comes twice finds nothing. The id of an exchange that ended without its response
//! stays taken, as a *tombstone*, until the response comes: it can never reach the next exchange in that slot. Where
//! responses come in order, a tombstone keeps its place in the queue instead.

use std::collections::VecDeque;

use codec_api::Order;
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
    /// What sets the connection up, before it may carry requests.
    Setup,
}

/// Everything that is owed on one connection.
pub struct Pending {
    slots: Slots,
    tombstones: usize,
}

enum Slots {
    ById { slots: Slab<(u64, Slot)>, generation: u64, slot_bits: u32, id_mask: u64 },
    InOrder(VecDeque<Slot>),
}

impl Pending {
    /// Nothing under way, for endpoints that answer in this order and a protocol whose ids have `id_bits` bits.
    pub fn new(order: Order, id_bits: u32) -> Self {
        let slots = match order {
            Order::InOrder => Slots::InOrder(VecDeque::new()),
            Order::ById => Slots::ById {
                slots: Slab::new(),
                generation: 0,
                slot_bits: if id_bits < 32 { NARROW_SLOT_BITS } else { SLOT_BITS },
                id_mask: if id_bits >= 64 { u64::MAX } else { (1 << id_bits) - 1 },
            },
        };
        Self { slots, tombstones: 0 }
    }

    /// How many responses are owed, tombstones, pings and those of the set-up included.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.slots {
            Slots::ById { slots, .. } => slots.len(),
            Slots::InOrder(queue) => queue.len(),
        }
    }

    /// Whether nothing is owed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of the owed responses nobody waits for.
    pub fn tombstones(&self) -> usize {
        self.tombstones
    }

    /// Whether there is a free slot.
    #[inline]
    pub fn has_room(&self) -> bool {
        match &self.slots {
            Slots::ById { slots, slot_bits, .. } => slots.len() < 1 << slot_bits,
            Slots::InOrder(queue) => queue.len() < 1 << SLOT_BITS,
        }
    }

    /// The id that the next [`Pending::insert`] will answer to; 0 where responses come in order.
    #[inline]
    pub fn next_id(&self) -> u64 {
        match &self.slots {
            Slots::ById { slots, generation, slot_bits, id_mask } => {
                (generation << slot_bits | slots.vacant_key() as u64) & id_mask
            }
            Slots::InOrder(_) => 0,
        }
    }

    /// Takes the slot of [`Pending::next_id`].
    #[inline]
    pub fn insert(&mut self, slot: Slot) {
        let id = self.next_id();
        match &mut self.slots {
            Slots::ById { slots, generation, .. } => {
                slots.insert((id, slot));
                *generation = generation.wrapping_add(1);
            }
            Slots::InOrder(queue) => queue.push_back(slot),
        }
    }

    /// What the next response with this id belongs to, while further ones are to follow it.
    pub fn peek(&self, id: u64) -> Option<&Slot> {
        match &self.slots {
            Slots::ById { slots, slot_bits, .. } => {
                let (known, slot) = slots.get((id & ((1 << slot_bits) - 1)) as usize)?;
                (*known == id).then_some(slot)
            }
            Slots::InOrder(queue) => queue.front(),
        }
    }

    /// What awaits the response with this id, or the next response; its slot is free afterwards.
    #[inline]
    pub fn take(&mut self, id: u64) -> Option<Slot> {
        let slot = match &mut self.slots {
            Slots::ById { slots, slot_bits, .. } => {
                let index = (id & ((1 << *slot_bits) - 1)) as usize;
                if slots.get(index)?.0 != id {
                    return None;
                }
                slots.remove(index).1
            }
            Slots::InOrder(queue) => queue.pop_front()?,
        };
        if matches!(slot, Slot::Tombstone) {
            self.tombstones -= 1;
        }
        Some(slot)
    }

    fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        let (by_id, in_order) = match &self.slots {
            Slots::ById { slots, .. } => (Some(slots.iter().map(|(_, (_, slot))| slot)), None),
            Slots::InOrder(queue) => (None, Some(queue.iter())),
        };
        let all = by_id.into_iter().flatten().chain(in_order.into_iter().flatten());
        all.filter_map(|slot| match slot {
            Slot::Exchange(exchange, _) => Some(exchange),
            Slot::Tombstone | Slot::Ping | Slot::Setup => None,
        })
    }

    /// Whether an exchange is under way for which `holds`.
    pub fn has(&self, holds: impl Fn(&Exchange) -> bool) -> bool {
        self.exchanges().any(holds)
    }

    /// Buries every exchange for which `is_over` holds, and returns them.
    pub fn bury(&mut self, is_over: impl Fn(&Exchange) -> bool) -> Vec<Exchange> {
        let mut buried = Vec::new();
        let bury = |slot: &mut Slot| {
            if !matches!(slot, Slot::Exchange(exchange, _) if is_over(exchange)) {
                return;
            }
            if let Slot::Exchange(exchange, _) = std::mem::replace(slot, Slot::Tombstone) {
                buried.push(exchange);
            }
        };
        match &mut self.slots {
            Slots::ById { slots, .. } => slots.iter_mut().map(|(_, (_, slot))| slot).for_each(bury),
            Slots::InOrder(queue) => queue.iter_mut().for_each(bury),
        }
        self.tombstones += buried.len();
        buried
    }

    /// When the first exchange times out.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.exchanges().filter_map(Exchange::deadline).min()
    }

    /// Takes every exchange, in order where there is one, and forgets the rest.
    pub fn drain(&mut self) -> Vec<Exchange> {
        self.tombstones = 0;
        let slots: Vec<Slot> = match &mut self.slots {
            Slots::ById { slots, .. } => {
                std::mem::take(slots).into_iter().map(|(_, (_, slot))| slot).collect()
            }
            Slots::InOrder(queue) => std::mem::take(queue).into(),
        };
        let exchange = |slot| match slot {
            Slot::Exchange(exchange, _) => Some(exchange),
            Slot::Tombstone | Slot::Ping | Slot::Setup => None,
        };
        slots.into_iter().filter_map(exchange).collect()
    }
}
