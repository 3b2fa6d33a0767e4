//! Which endpoint gets a request.
//!
//! A balancer belongs to one worker and one cluster. It knows of an endpoint its address and how much it has to do,
//! never whether it can be reached: the caller says which ones it has tried, and asks again.

mod maglev;
mod owners;
mod ring;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use crate::local::Local;
use crate::model::LoadBalancing;

use super::endpoint::Endpoint;
use owners::Owners;

pub use maglev::{MAGLEV_TABLE_LIMIT, is_prime};
pub use ring::RING_LIMIT;

/// How often it is drawn again after one that was tried, before those that are left are counted.
const DRAWS: usize = 4;

/// Chooses among endpoints, leaving out those that were tried.
pub struct Balancer {
    policy: Policy,
    attribute: Option<String>,
}

enum Policy {
    LeastRequest,
    Random,
    RoundRobin { next: Cell<usize> },
    Hash(Owners),
}

impl Balancer {
    /// A balancer of this kind, which knows no endpoints yet.
    pub fn new(kind: &LoadBalancing) -> Self {
        let attribute = kind.attribute().map(str::to_owned);
        let policy = match (Owners::new(kind), kind) {
            (Some(owners), _) => Policy::Hash(owners),
            (None, LoadBalancing::RoundRobin) => Policy::RoundRobin { next: Cell::new(0) },
            (None, LoadBalancing::Random) => Policy::Random,
            (None, _) => Policy::LeastRequest,
        };
        Self { policy, attribute }
    }

    /// Takes the endpoints that are to be chosen from: needed whenever they are others or in another order.
    pub fn update(&mut self, endpoints: &[Rc<Endpoint>]) {
        if let Policy::Hash(owners) = &mut self.policy {
            let addresses: Vec<SocketAddr> = endpoints.iter().map(|endpoint| endpoint.address()).collect();
            owners.update(&addresses);
        }
    }

    /// The attribute that is hashed, as the configuration spells it; `None`: nothing is.
    #[inline]
    pub fn attribute(&self) -> Option<&str> {
        self.attribute.as_deref()
    }

    /// What [`Self::owner`] and [`Self::choose`] take for a key. The same for as long as the kind of balancing is.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        match &self.policy {
            Policy::Hash(owners) => owners.hash(key),
            Policy::LeastRequest | Policy::Random | Policy::RoundRobin { .. } => 0,
        }
    }

    /// The endpoint that a hash belongs to, by its place in the list of the last [`Self::update`], whatever its state.
    /// `None`: there are no endpoints, or nothing is hashed.
    #[inline]
    pub fn owner(&self, hash: u64) -> Option<usize> {
        match &self.policy {
            Policy::Hash(owners) => owners.owner(hash),
            Policy::LeastRequest | Policy::Random | Policy::RoundRobin { .. } => None,
        }
    }

    /// The endpoint for the next request; `None`: all were tried. `endpoints` are those of the last [`Self::update`].
    ///
    /// Where an attribute is hashed, a request that has it goes to the hash's owner, or else to the one that would own
    /// the hash if those that were tried were gone; one without it goes to the less loaded of two.
    #[inline]
    pub fn choose<'a>(
        &self,
        endpoints: &'a [Rc<Endpoint>],
        hash: Option<u64>,
        is_tried: impl Fn(&Endpoint) -> bool,
        local: &Local,
    ) -> Option<&'a Rc<Endpoint>> {
        if endpoints.len() <= 1 {
            return endpoints.first().filter(|endpoint| !is_tried(endpoint));
        }
        let is_tried = |endpoint: &Rc<Endpoint>| is_tried(endpoint);
        let random = |limit| local.random(limit);
        match (&self.policy, hash) {
            (Policy::RoundRobin { next }, _) => in_turn(endpoints, next, &is_tried),
            (Policy::Hash(owners), Some(hash)) => by_hash(endpoints, owners, hash, &is_tried),
            (Policy::Random, _) => draw(endpoints, &is_tried, random).map(|place| &endpoints[place]),
            (Policy::LeastRequest | Policy::Hash(_), _) => {
                less_loaded(endpoints, |endpoint| endpoint.active(), &is_tried, random)
            }
        }
    }
}

/// The next one in turn. Whoever was tried loses its turn, and nobody gets a second one for it.
#[inline]
fn in_turn<'a, T>(endpoints: &'a [T], next: &Cell<usize>, is_tried: &impl Fn(&T) -> bool) -> Option<&'a T> {
    let count = endpoints.len();
    let start = next.get() % count;
    let place =
        (start..start + count).map(|place| place % count).find(|place| !is_tried(&endpoints[*place]))?;
    next.set(place + 1);
    Some(&endpoints[place])
}

/// Of two that were not tried, drawn at random, the one with less to do.
#[inline]
fn less_loaded<'a, T>(
    endpoints: &'a [T],
    active: impl Fn(&T) -> u32,
    is_tried: &impl Fn(&T) -> bool,
    random: impl Fn(u32) -> u32,
) -> Option<&'a T> {
    let first = draw(endpoints, is_tried, &random)?;
    let one = &endpoints[first];
    let (before, after) = (&endpoints[..first], &endpoints[first + 1..]);
    let others = endpoints.len() as u32 - 1;
    if others == 0 {
        return Some(one);
    }
    let at = |place: u32| {
        let place = place as usize;
        before.get(place).unwrap_or_else(|| &after[place - before.len()])
    };
    for _ in 0..DRAWS {
        let other = at(random(others));
        if !is_tried(other) {
            return Some(if active(other) < active(one) { other } else { one });
        }
    }
    let left = || before.iter().chain(after).filter(|endpoint| !is_tried(endpoint));
    let count = left().count() as u32;
    let other = if count == 0 { one } else { left().nth(random(count) as usize).unwrap_or(one) };
    Some(if active(other) < active(one) { other } else { one })
}

/// The place of one that was not tried, each as likely as the others.
#[inline]
fn draw<T>(endpoints: &[T], is_tried: &impl Fn(&T) -> bool, random: impl Fn(u32) -> u32) -> Option<usize> {
    for _ in 0..DRAWS {
        let place = random(endpoints.len() as u32) as usize;
        if !is_tried(&endpoints[place]) {
            return Some(place);
        }
    }
    let left = || (0..endpoints.len()).filter(|place| !is_tried(&endpoints[*place]));
    let count = left().count() as u32;
    if count == 0 { None } else { left().nth(random(count) as usize) }
}

/// The owner of a hash, or who comes next and was not tried.
fn by_hash<'a, T>(
    endpoints: &'a [T],
    owners: &Owners,
    hash: u64,
    is_tried: &impl Fn(&T) -> bool,
) -> Option<&'a T> {
    let owner = owners.owner(hash).and_then(|place| endpoints.get(place));
    if let Some(owner) = owner.filter(|owner| !is_tried(owner)) {
        return Some(owner);
    }
    // Nobody goes round in vain.
    let any = from(endpoints, 0, is_tried)?;
    let mut others = owners.candidates(hash).filter_map(|place| endpoints.get(place));
    Some(others.find(|endpoint| !is_tried(endpoint)).unwrap_or(any))
}

/// The first endpoint from `start` on, in a circle, that was not tried.
fn from<'a, T>(endpoints: &'a [T], start: usize, is_tried: &impl Fn(&T) -> bool) -> Option<&'a T> {
    let (before, after) = endpoints.split_at(start);
    after.iter().chain(before).find(|endpoint| !is_tried(endpoint))
}
