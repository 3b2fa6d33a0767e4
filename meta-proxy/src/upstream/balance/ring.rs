//! The hash ring of ketama, placed as libmemcached and twemproxy place it.
//!
//! Each endpoint has points on a circle of 32 bits: of the MD5 of `address:port-0`, `address:port-1` and so on, each
//! digest gives four points, little-endian words in order. A hash belongs to the first point at or behind it. So a
//! proxy takes the place of twemproxy (`distribution: ketama`, `hash: md5`) without moving a key, as long as servers
//! have no names of their own there: `meta-proxy/vectors/ketama` holds what twemproxy 0.5.0 was seen to do.

use std::net::SocketAddr;

use md5::{Digest, Md5};

/// Points that a digest gives.
const POINTS_PER_DIGEST: usize = 4;
/// Points of an endpoint, where the ring is not asked to be larger.
const POINTS: usize = 160;
/// Points of a ring. Beyond it endpoints get fewer each, but at least those of one digest.
pub const RING_LIMIT: usize = 1 << 20;

/// The points of some endpoints, sorted.
#[derive(Debug, Default)]
pub struct Ring {
    points: Vec<u32>,
    /// The endpoint of each point.
    owners: Vec<u32>,
}

impl Ring {
    /// The ring of `addresses`, of at least `minimum` points. Of endpoints that share a point, the first in the list
    /// has it; but for that, their order says nothing.
    pub fn new(addresses: &[SocketAddr], minimum: usize) -> Self {
        let digests = digests(addresses.len(), minimum);
        let mut points = Vec::with_capacity(addresses.len() * digests * POINTS_PER_DIGEST);
        for (index, address) in addresses.iter().enumerate() {
            for digest in 0..digests {
                // An IPv6 address stands without brackets, as twemproxy writes it.
                let name = format!("{}:{}-{digest}", address.ip(), address.port());
                points.extend(words(name.as_bytes()).map(|point| (point, index as u32)));
            }
        }
        points.sort_unstable();
        let (points, owners) = points.into_iter().unzip();
        Self { points, owners }
    }

    /// Where a key lies on the circle.
    #[inline]
    pub fn hash(key: &[u8]) -> u64 {
        words(key)[0].into()
    }

    /// The index of the point that a hash belongs to. Of a hash only the lower 32 bits count.
    #[inline]
    pub fn position(&self, hash: u64) -> usize {
        let hash = hash as u32;
        let position = self.points.partition_point(|point| *point < hash);
        if position == self.points.len() { 0 } else { position }
    }

    /// The endpoint of each point, by its index in the list that the ring was made from.
    #[inline]
    pub fn owners(&self) -> &[u32] {
        &self.owners
    }
}

/// The four little-endian words of the MD5 of `bytes`.
#[inline]
fn words(bytes: &[u8]) -> [u32; POINTS_PER_DIGEST] {
    let digest: [u8; 16] = Md5::digest(bytes).into();
    let (words, _) = digest.as_chunks::<4>();
    std::array::from_fn(|index| u32::from_le_bytes(words[index]))
}

/// Digests of each of `count` endpoints in a ring of at least `minimum` points.
fn digests(count: usize, minimum: usize) -> usize {
    if count == 0 {
        return 0;
    }
    // As the C of twemproxy does it, in floats: 39 digests instead of 40 for 25 endpoints, and some other numbers.
    let share = 1.0 / count as f32;
    let usual = share * POINTS as f32 / POINTS_PER_DIGEST as f32 * count as f32;
    let asked = minimum.div_ceil(count * POINTS_PER_DIGEST);
    let most = RING_LIMIT / (count * POINTS_PER_DIGEST);
    (usual as usize).max(asked).min(most).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Endpoints by their names, then keys and the index of each one's endpoint, as recorded.
    fn recorded(text: &str) -> (Vec<SocketAddr>, Vec<(&str, usize)>) {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let (mut endpoints, mut keys) = (Vec::new(), Vec::new());
        for line in lines {
            match line.rsplit_once(' ').unwrap() {
                ("server", name) => {
                    let (host, port) = name.rsplit_once(':').unwrap();
                    endpoints.push(SocketAddr::new(host.parse().unwrap(), port.parse().unwrap()));
                }
                (key, index) => keys.push((key, index.parse().unwrap())),
            }
        }
        (endpoints, keys)
    }

    #[test]
    fn keys_live_where_twemproxy_puts_them() {
        let files = [
            include_str!("../../../vectors/ketama/three.txt"),
            include_str!("../../../vectors/ketama/twenty-five.txt"),
            include_str!("../../../vectors/ketama/ipv6.txt"),
        ];
        for text in files {
            let (endpoints, keys) = recorded(text);
            assert!(endpoints.len() >= 3 && keys.len() >= 200);
            let ring = Ring::new(&endpoints, 0);
            for (key, index) in keys {
                let owner = ring.owners()[ring.position(Ring::hash(key.as_bytes()))];
                assert_eq!(owner as usize, index, "{key} of {} servers", endpoints.len());
            }
        }
    }

    #[test]
    fn a_hash_belongs_to_the_first_point_at_or_behind_it() {
        let ring = Ring { points: vec![10, 20, 30], owners: vec![0, 1, 2] };
        let rows = [(0, 0), (10, 0), (11, 1), (20, 1), (30, 2), (31, 0), (u64::from(u32::MAX), 0)];
        for (hash, position) in rows {
            assert_eq!(ring.position(hash), position, "{hash}");
        }
        assert_eq!(Ring::default().position(7), 0);
    }

    #[test]
    fn a_ring_is_as_large_as_it_is_asked_to_be_and_never_larger_than_its_limit() {
        let points = |count, minimum| count * digests(count, minimum) * POINTS_PER_DIGEST;
        assert_eq!((points(0, 0), points(1, 0), points(3, 0), points(3, 480)), (0, 160, 480, 480));
        assert_eq!(points(25, 0), 25 * 156, "as twemproxy has it");
        assert_eq!((points(3, 1024), points(3, RING_LIMIT)), (1032, RING_LIMIT - RING_LIMIT % 12));
        assert_eq!(points(6_000, 0), 960_000);
        for count in [6_554, 10_000, 100_000] {
            assert!((count * POINTS_PER_DIGEST..=RING_LIMIT).contains(&points(count, RING_LIMIT)), "{count}");
        }
    }
}
