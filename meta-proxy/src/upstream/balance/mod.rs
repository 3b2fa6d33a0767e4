//! Which endpoint gets a request.
//!
//! A balancer belongs to one worker and one cluster. It knows of an endpoint its address and how much it has to do,
//! never whether it can be reached: the caller says which ones it has tried, and asks again.

mod maglev;
mod owners;
mod ring;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use crate::local::Local;
use crate::model::LoadBalancing;

use super::endpoint::Endpoint;
use owners::Owners;

pub use maglev::{MAGLEV_TABLE_LIMIT, is_prime};
pub use ring::RING_LIMIT;

/// Chooses among endpoints, leaving out those that were tried.
pub struct Balancer {
    policy: Policy,
    attribute: Option<String>,
}

enum Policy {
    LeastRequest,
    RoundRobin { next: Cell<usize> },
    Hash(Owners),
}

impl Balancer {
    /// A balancer of this kind, which knows no endpoints yet.
    pub fn new(kind: &LoadBalancing) -> Self {
        let attribute = match kind {
            LoadBalancing::RingHash { attribute, .. } | LoadBalancing::Maglev { attribute, .. } => {
                Some(attribute.clone())
            }
            LoadBalancing::LeastRequest | LoadBalancing::RoundRobin => None,
        };
        let policy = match (Owners::new(kind), kind) {
            (Some(owners), _) => Policy::Hash(owners),
            (None, LoadBalancing::RoundRobin) => Policy::RoundRobin { next: Cell::new(0) },
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
            Policy::LeastRequest | Policy::RoundRobin { .. } => 0,
        }
    }

    /// The endpoint that a hash belongs to, by its place in the list of the last [`Self::update`], whatever its state.
    /// `None`: there are no endpoints, or nothing is hashed.
    #[inline]
    pub fn owner(&self, hash: u64) -> Option<usize> {
        match &self.policy {
            Policy::Hash(owners) => owners.owner(hash),
            Policy::LeastRequest | Policy::RoundRobin { .. } => None,
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
        let count = endpoints.len();
        if count <= 1 {
            return endpoints.first().filter(|endpoint| !is_tried(endpoint));
        }
        let is_tried = |endpoint: &Rc<Endpoint>| is_tried(endpoint);
        match (&self.policy, hash) {
            (Policy::RoundRobin { next }, _) => {
                let start = next.get() % count;
                next.set(start + 1);
                from(endpoints, start, &is_tried)
            }
            (Policy::Hash(owners), Some(hash)) => by_hash(endpoints, owners, hash, &is_tried),
            (Policy::LeastRequest | Policy::Hash(_), _) => {
                let first = local.random(count as u32) as usize;
                let second = (first + 1 + local.random(count as u32 - 1) as usize) % count;
                let one = from(endpoints, first, &is_tried)?;
                let other = from(endpoints, second, &is_tried)?;
                Some(if other.active() < one.active() { other } else { one })
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(endpoints: &[SocketAddr]) -> Owners {
        let kind = LoadBalancing::RingHash { attribute: "key".to_owned(), minimum_ring_size: None };
        let mut owners = Owners::new(&kind).unwrap();
        owners.update(endpoints);
        owners
    }

    #[test]
    fn whoever_was_tried_is_passed_over_as_if_it_were_gone() {
        let endpoints: Vec<_> = (1..=5).map(|port| SocketAddr::from(([10, 0, 0, 1], port))).collect();
        let owners = ring(&endpoints);
        for hash in (0..200).map(|key: u32| owners.hash(&key.to_be_bytes())) {
            let mut left = endpoints.clone();
            while !left.is_empty() {
                let chosen =
                    by_hash(&endpoints, &owners, hash, &|endpoint| !left.contains(endpoint)).unwrap();
                let expected = left[ring(&left).owner(hash).unwrap()];
                assert_eq!(*chosen, expected, "{} left", left.len());
                left.retain(|endpoint| endpoint != chosen);
            }
            assert_eq!(by_hash(&endpoints, &owners, hash, &|_| true), None);
        }
    }

    #[test]
    fn an_endpoint_without_a_place_is_chosen_when_nobody_else_is_left() {
        let endpoints: Vec<_> = (1..=3).map(|port| SocketAddr::from(([10, 0, 0, 1], port))).collect();
        let mut owners =
            Owners::new(&LoadBalancing::Maglev { attribute: "key".to_owned(), table_size: 2 }).unwrap();
        owners.update(&endpoints);
        assert_eq!(by_hash(&endpoints, &owners, 7, &|endpoint| endpoint.port() < 3), Some(&endpoints[2]));
    }

    #[test]
    fn only_kinds_that_hash_have_an_attribute_and_owners() {
        let kinds = [LoadBalancing::LeastRequest, LoadBalancing::RoundRobin];
        for mut balancer in kinds.iter().map(Balancer::new) {
            balancer.update(&[]);
            assert_eq!((balancer.attribute(), balancer.owner(balancer.hash(b"k"))), (None, None));
        }
        let hashing = Balancer::new(&LoadBalancing::Maglev { attribute: "Key".to_owned(), table_size: 7 });
        assert_eq!((hashing.attribute(), hashing.owner(hashing.hash(b"k"))), (Some("Key"), None));
    }
}
