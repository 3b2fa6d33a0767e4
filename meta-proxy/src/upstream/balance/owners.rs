//! Which endpoint a hash belongs to, and who comes next.
//!
//! Every proxy that has the same endpoints gives the same answers, in whatever order it was told of them: what they are
//! worked out from is the sorted list of addresses. So a list in another order moves nothing and costs little.

use std::net::SocketAddr;

use crate::model::LoadBalancing;

use super::maglev::Maglev;
use super::ring::Ring;

/// The owners of all hashes among some endpoints.
#[derive(Debug)]
pub struct Owners {
    table: Table,
    /// Sorted.
    addresses: Vec<SocketAddr>,
    /// Where each of `addresses` stands in the list that was given.
    places: Vec<u32>,
}

#[derive(Debug)]
enum Table {
    Ring { ring: Ring, minimum: usize },
    Maglev { table: Maglev, size: u32 },
}

impl Owners {
    /// Owners as `kind` finds them, of no endpoints yet; `None`: it does not hash.
    pub fn new(kind: &LoadBalancing) -> Option<Self> {
        let table = match kind {
            LoadBalancing::RingHash { minimum_ring_size, .. } => {
                Table::Ring { ring: Ring::default(), minimum: minimum_ring_size.unwrap_or(0) as usize }
            }
            LoadBalancing::Maglev { table_size, .. } => {
                Table::Maglev { table: Maglev::default(), size: *table_size }
            }
            LoadBalancing::LeastRequest | LoadBalancing::Random | LoadBalancing::RoundRobin => return None,
        };
        Some(Self { table, addresses: Vec::new(), places: Vec::new() })
    }

    /// Takes other endpoints, or the same ones in another order. They are without duplicates.
    pub fn update(&mut self, endpoints: &[SocketAddr]) {
        let mut places: Vec<u32> = (0..endpoints.len() as u32).collect();
        places.sort_unstable_by_key(|place| endpoints[*place as usize]);
        self.places = places;
        let sorted = self.places.iter().map(|place| endpoints[*place as usize]);
        if self.addresses.iter().copied().eq(sorted.clone()) {
            return;
        }
        self.addresses = sorted.collect();
        match &mut self.table {
            Table::Ring { ring, minimum } => *ring = Ring::new(&self.addresses, *minimum),
            Table::Maglev { table, size } => *table = Maglev::new(&self.addresses, *size),
        }
    }

    /// The hash of a key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        match &self.table {
            Table::Ring { .. } => Ring::hash(key),
            Table::Maglev { .. } => Maglev::hash(key),
        }
    }

    /// The endpoint that a hash belongs to, by its place in the list; `None`: there are no endpoints.
    #[inline]
    pub fn owner(&self, hash: u64) -> Option<usize> {
        let (owners, position) = self.owners(hash);
        owners.get(position).map(|owner| self.place(*owner))
    }

    /// The owner, and then who comes next: endpoints by their places in the list, each again and again.
    pub fn candidates(&self, hash: u64) -> impl Iterator<Item = usize> {
        let (owners, position) = self.owners(hash);
        let (before, after) = owners.split_at(position);
        after.iter().chain(before).map(|owner| self.place(*owner))
    }

    /// All owners in order, and where a hash stands among them.
    #[inline]
    fn owners(&self, hash: u64) -> (&[u32], usize) {
        match &self.table {
            Table::Ring { ring, .. } => (ring.owners(), ring.position(hash)),
            Table::Maglev { table, .. } => (table.owners(), table.position(hash)),
        }
    }

    #[inline]
    fn place(&self, owner: u32) -> usize {
        self.places[owner as usize] as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: u32 = 20_000;

    fn kinds() -> [LoadBalancing; 2] {
        let attribute = "key".to_owned();
        [
            LoadBalancing::RingHash { attribute: attribute.clone(), minimum_ring_size: None },
            LoadBalancing::Maglev { attribute, table_size: 65_537 },
        ]
    }

    fn owners(kind: &LoadBalancing, endpoints: &[SocketAddr]) -> Owners {
        let mut owners = Owners::new(kind).unwrap();
        owners.update(endpoints);
        owners
    }

    /// Who owns each of the keys.
    fn of_keys(owners: &Owners, endpoints: &[SocketAddr]) -> Vec<SocketAddr> {
        let owner = |key: u32| endpoints[owners.owner(owners.hash(format!("key:{key}").as_bytes())).unwrap()];
        (0..KEYS).map(owner).collect()
    }

    /// `count` different endpoints, other ones for each seed.
    fn endpoints(count: usize, seed: u64) -> Vec<SocketAddr> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut next = || SocketAddr::from((random.u32(..).to_be_bytes(), random.u16(1..)));
        let mut found = std::collections::HashSet::new();
        std::iter::repeat_with(&mut next).filter(|endpoint| found.insert(*endpoint)).take(count).collect()
    }

    #[test]
    fn shares_are_fair() {
        // 160 points make shares that stray by a twelfth of themselves. Maglev's differ by a place, and the rest is
        // the chance of which keys there are.
        for (kind, bounds) in kinds().into_iter().zip([0.7..1.4, 0.85..1.15]) {
            for count in [2, 3, 5, 10, 20] {
                let list = endpoints(count, count as u64);
                let keys = of_keys(&owners(&kind, &list), &list);
                for endpoint in &list {
                    let share = keys.iter().filter(|owner| *owner == endpoint).count() * count;
                    let share = share as f64 / f64::from(KEYS);
                    assert!(bounds.contains(&share), "{share} of a fair share: {kind:?}, {count}");
                }
            }
        }
    }

    #[test]
    fn when_an_endpoint_goes_the_keys_of_others_stay() {
        // On a ring none moves. Maglev moves those that the gone one had kept others from: 1 in 100.
        for (kind, most) in kinds().into_iter().zip([0, KEYS as usize / 100]) {
            for count in [2, 3, 5, 10, 20, 40] {
                let list = endpoints(count, count as u64);
                let gone = list[count / 2];
                let rest: Vec<_> = list.iter().copied().filter(|endpoint| *endpoint != gone).collect();
                let mut subject = owners(&kind, &list);
                let before = of_keys(&subject, &list);
                subject.update(&rest);
                let after = of_keys(&subject, &rest);
                let moved =
                    before.iter().zip(&after).filter(|(old, new)| **old != gone && old != new).count();
                assert!(moved <= most, "{moved} of {KEYS} keys moved for nothing: {kind:?}, {count}");
                assert!(!after.contains(&gone));
                subject.update(&list);
                assert_eq!(before, of_keys(&subject, &list), "it came back");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_order_of_the_list_says_nothing(count in 2_usize..40, seed: u64) {
            let list = endpoints(count, seed);
            let mut shuffled = list.clone();
            fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
            for kind in kinds() {
                let mut subject = owners(&kind, &list);
                let before = of_keys(&subject, &list);
                prop_assert_eq!(&before, &of_keys(&owners(&kind, &shuffled), &shuffled));
                subject.update(&shuffled);
                prop_assert_eq!(&before, &of_keys(&subject, &shuffled), "told again in another order");
            }
        }

        #[test]
        fn candidates_begin_with_the_owner_and_name_everyone(count in 1_usize..10, seed: u64, hash: u64) {
            for kind in kinds() {
                let owners = owners(&kind, &endpoints(count, seed));
                prop_assert_eq!(owners.candidates(hash).next(), owners.owner(hash));
                let named: std::collections::BTreeSet<_> = owners.candidates(hash).collect();
                prop_assert!(named.into_iter().eq(0..count));
            }
        }
    }

    #[test]
    fn where_nobody_is_nobody_owns_anything() {
        for kind in kinds() {
            let mut subject = owners(&kind, &[]);
            assert_eq!((subject.owner(7), subject.candidates(7).next()), (None, None));
            let one = [SocketAddr::from(([10, 0, 0, 1], 1))];
            subject.update(&one);
            assert_eq!(subject.owner(u64::MAX), Some(0));
            subject.update(&[]);
            assert_eq!(subject.owner(u64::MAX), None);
        }
        assert!(Owners::new(&LoadBalancing::RoundRobin).is_none());
        assert!(Owners::new(&LoadBalancing::LeastRequest).is_none());
        assert!(Owners::new(&LoadBalancing::Random).is_none());
    }
}
