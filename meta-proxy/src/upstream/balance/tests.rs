//! Shares of endpoints that come, go, and are passed over for a while.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;

use proptest::prelude::*;

use crate::model::LoadBalancing;
use crate::upstream::balance::owners::Owners;
use crate::upstream::balance::{Balancer, by_hash, draw, in_turn, less_loaded};

/// Requests for each endpoint that gets some.
const EACH: usize = 500;

/// The endpoints of one epoch by number, and whether each is passed over. At least one is not.
type Epoch = BTreeMap<u16, bool>;

fn epochs() -> impl Strategy<Value = Vec<Epoch>> {
    let epoch = prop::collection::btree_map(1_u16..=12, any::<bool>(), 1..=8);
    let one_left = epoch.prop_filter("somebody is left", |epoch| epoch.values().any(|is_out| !is_out));
    prop::collection::vec(one_left, 1..5)
}

fn address(number: u16) -> SocketAddr {
    ([10, 0, 0, 1], number).into()
}

/// How often each of an epoch's endpoints is chosen, once it is checked that nobody is who is passed over.
fn shares(
    epoch: &Epoch,
    mut choose: impl FnMut(&[SocketAddr], &dyn Fn(&SocketAddr) -> bool) -> SocketAddr,
) -> Result<Vec<usize>, TestCaseError> {
    let endpoints: Vec<SocketAddr> = epoch.keys().copied().map(address).collect();
    let is_out = |endpoint: &SocketAddr| epoch[&endpoint.port()];
    let mut counts: BTreeMap<u16, usize> =
        epoch.iter().filter(|(_, is_out)| !**is_out).map(|(number, _)| (*number, 0)).collect();
    for _ in 0..EACH * counts.len() {
        let chosen = choose(&endpoints, &is_out);
        let Some(count) = counts.get_mut(&chosen.port()) else {
            return Err(TestCaseError::fail(format!("{chosen} is passed over")));
        };
        *count += 1;
    }
    Ok(counts.into_values().collect())
}

fn are_fair(shares: &[usize], least: f64, most: f64) -> Result<(), TestCaseError> {
    for share in shares {
        let share = *share as f64 / EACH as f64;
        prop_assert!((least..=most).contains(&share), "{share} of a fair share: {shares:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_turn_all_get_the_same(epochs in epochs()) {
        let next = Cell::new(0);
        for epoch in epochs {
            let shares = shares(&epoch, |endpoints, is_out| *in_turn(endpoints, &next, &is_out).unwrap())?;
            are_fair(&shares, 1.0, 1.0)?;
        }
    }

    #[test]
    fn at_random_all_get_as_much(epochs in epochs(), seed: u64) {
        let random = RefCell::new(fastrand::Rng::with_seed(seed));
        let random = |limit| random.borrow_mut().u32(0..limit);
        for epoch in epochs {
            let shares = shares(&epoch, |endpoints, is_out| endpoints[draw(endpoints, &is_out, random).unwrap()])?;
            // Five standard deviations and a half.
            are_fair(&shares, 0.75, 1.25)?;
        }
    }

    #[test]
    fn whoever_has_less_to_do_gets_more(epochs in epochs(), seed: u64) {
        let random = RefCell::new(fastrand::Rng::with_seed(seed));
        let random = |limit| random.borrow_mut().u32(0..limit);
        for epoch in epochs {
            // Nothing is ever answered: what one has is what it was given.
            let active = RefCell::new(BTreeMap::<u16, u32>::new());
            let of = |endpoint: &SocketAddr| active.borrow().get(&endpoint.port()).copied().unwrap_or(0);
            let shares = shares(&epoch, |endpoints, is_out| {
                let chosen = *less_loaded(endpoints, of, &is_out, random).unwrap();
                *active.borrow_mut().entry(chosen.port()).or_default() += 1;
                chosen
            })?;
            are_fair(&shares, 0.97, 1.03)?;
        }
    }

    #[test]
    fn keys_are_spread_over_those_that_are_left(epochs in epochs()) {
        let attribute = || "key".to_owned();
        let kinds = [
            LoadBalancing::RingHash { attribute: attribute(), minimum_ring_size: None },
            LoadBalancing::Maglev { attribute: attribute(), table_size: 65_537 },
        ];
        for kind in kinds {
            let mut owners = Owners::new(&kind).unwrap();
            for epoch in &epochs {
                let mut key = 0_u32;
                let shares = shares(epoch, |endpoints, is_out| {
                    key += 1;
                    if key == 1 {
                        owners.update(endpoints);
                    }
                    let hash = owners.hash(format!("key:{key}").as_bytes());
                    *by_hash(endpoints, &owners, hash, &is_out).unwrap()
                })?;
                are_fair(&shares, 0.5, 1.6)?;
            }
        }
    }
}

#[test]
fn where_nobody_is_left_nobody_is_chosen() {
    let random = |limit| limit - 1;
    for count in [1, 2, 7] {
        let endpoints: Vec<SocketAddr> = (1..=count).map(address).collect();
        let all = |_: &SocketAddr| true;
        assert_eq!(in_turn(&endpoints, &Cell::new(3), &all), None);
        assert_eq!(draw(&endpoints, &all, random), None);
        assert_eq!(less_loaded(&endpoints, |_| 0, &all, random), None);
    }
}

#[test]
fn of_two_the_one_with_less_to_do_is_chosen_and_of_one_that_one() {
    let endpoints: Vec<SocketAddr> = (1..=3).map(address).collect();
    let random = RefCell::new(fastrand::Rng::with_seed(7));
    let random = |limit| random.borrow_mut().u32(0..limit);
    let active = |endpoint: &SocketAddr| u32::from(endpoint.port());
    for _ in 0..200 {
        let but_the_last = less_loaded(&endpoints, active, &|one| one.port() == 3, random);
        assert_eq!(but_the_last, Some(&endpoints[0]));
        let the_last = less_loaded(&endpoints, active, &|one| one.port() < 3, random);
        assert_eq!(the_last, Some(&endpoints[2]));
    }
}

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
            let chosen = by_hash(&endpoints, &owners, hash, &|endpoint| !left.contains(endpoint)).unwrap();
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
    let kinds = [LoadBalancing::LeastRequest, LoadBalancing::Random, LoadBalancing::RoundRobin];
    for mut balancer in kinds.iter().map(Balancer::new) {
        balancer.update(&[]);
        assert_eq!((balancer.attribute(), balancer.owner(balancer.hash(b"k"))), (None, None));
    }
    let hashing = Balancer::new(&LoadBalancing::Maglev { attribute: "Key".to_owned(), table_size: 7 });
    assert_eq!((hashing.attribute(), hashing.owner(hashing.hash(b"k"))), (Some("Key"), None));
}
