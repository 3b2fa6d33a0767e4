//! Maglev's lookup table (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
//! section 3.4).
//!
//! Each endpoint lists all places of a table in an order of its own; in turns, each takes the first of its list that is
//! free. Shares differ by one place at most, and when an endpoint goes, nearly all places of the others stay theirs.
//! All hashes are XXH3 and part of what users rely on: they must never change.

use std::net::SocketAddr;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Places of a table.
pub const MAGLEV_TABLE_LIMIT: u32 = 1 << 20;

/// Seeds of the two hashes of an endpoint, as a second one is needed for the distance between its places.
const OFFSET_SEED: u64 = 0;
const SKIP_SEED: u64 = 1;
/// A place that nobody has taken.
const FREE: u32 = u32::MAX;

/// The endpoint of each place.
#[derive(Debug, Default)]
pub struct Maglev {
    owners: Vec<u32>,
}

/// One endpoint's list of places: where it is, and how it goes on.
struct Places {
    next: usize,
    skip: usize,
}

impl Maglev {
    /// The table of `addresses`. They take turns in the order in which they stand. `size` is a prime; of more
    /// endpoints than places, the last get none.
    pub fn new(addresses: &[SocketAddr], size: u32) -> Self {
        debug_assert!(is_prime(size), "otherwise a list would leave out places, and filling might not end");
        if addresses.is_empty() {
            return Self::default();
        }
        let size = size as usize;
        let mut lists: Vec<_> = addresses.iter().map(|address| Places::of(*address, size)).collect();
        let mut owners = vec![FREE; size];
        let mut taken = 0;
        loop {
            for (index, list) in lists.iter_mut().enumerate() {
                while owners[list.next] != FREE {
                    list.advance(size);
                }
                owners[list.next] = index as u32;
                taken += 1;
                if taken == size {
                    return Self { owners };
                }
            }
        }
    }

    /// A key's hash.
    #[inline]
    pub fn hash(key: &[u8]) -> u64 {
        xxh3_64(key)
    }

    /// The place that a hash belongs to.
    #[inline]
    pub fn position(&self, hash: u64) -> usize {
        (hash % self.owners.len().max(1) as u64) as usize
    }

    /// The endpoint of each place, by its index in the list that the table was made from.
    #[inline]
    pub fn owners(&self) -> &[u32] {
        &self.owners
    }
}

impl Places {
    fn of(address: SocketAddr, size: usize) -> Self {
        let name = address.to_string();
        let hash = |seed| xxh3_64_with_seed(name.as_bytes(), seed);
        let size = size as u64;
        Self { next: (hash(OFFSET_SEED) % size) as usize, skip: (hash(SKIP_SEED) % (size - 1)) as usize + 1 }
    }

    fn advance(&mut self, size: usize) {
        self.next = (self.next + self.skip) % size;
    }
}

/// Whether a table may have this size.
pub fn is_prime(number: u32) -> bool {
    number >= 2 && (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: u16) -> Vec<SocketAddr> {
        (0..count).map(|port| SocketAddr::from(([10, 0, 0, 1], 1000 + port))).collect()
    }

    #[test]
    fn shares_differ_by_one_place_at_most() {
        for (count, size) in [(1, 2), (2, 2), (3, 7), (5, 5), (10, 65537), (97, 101), (101, 65537)] {
            let table = Maglev::new(&addresses(count), size);
            let share = |index| table.owners().iter().filter(|owner| **owner == index).count();
            let shares: Vec<_> = (0..count.into()).map(share).collect();
            let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
            assert_eq!(shares.iter().sum::<usize>(), size as usize);
            assert!(most - least <= 1, "{count} endpoints, {size} places: {shares:?}");
        }
    }

    #[test]
    fn of_more_endpoints_than_places_the_last_get_none() {
        let mut owners = Maglev::new(&addresses(9), 7).owners;
        owners.sort_unstable();
        assert_eq!(owners, [0, 1, 2, 3, 4, 5, 6]);
        let nobody = Maglev::new(&[], 7);
        assert_eq!((nobody.owners().len(), nobody.position(u64::MAX)), (0, 0));
    }

    #[test]
    fn keys_live_where_they_always_did() {
        let table = Maglev::new(&addresses(5), 65537);
        let owner = |key: &str| table.owners()[table.position(Maglev::hash(key.as_bytes()))];
        let keys = ["", "a", "user:1", "user:2", "user:3", "cart:4711", "session:9f2c", "0123456789abcdef"];
        assert_eq!(keys.map(owner), [1, 3, 2, 3, 4, 2, 2, 1]);
    }

    #[test]
    fn primes_are_told_from_other_numbers() {
        let is_plain_prime =
            |number: u32| number >= 2 && !(2..number).any(|divisor| number.is_multiple_of(divisor));
        for number in 0..300 {
            assert_eq!(is_prime(number), is_plain_prime(number), "{number}");
        }
        assert!(is_prime(65_537) && is_prime(1_048_573) && is_prime(4_294_967_291) && !is_prime(u32::MAX));
    }
}
