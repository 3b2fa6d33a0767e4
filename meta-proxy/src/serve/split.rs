//! Which side of a weighted split a request goes to.
//!
//! At random, but where a cluster of the split hashes an attribute: then its value decides, so that one user stays on one
//! side. The hash is another one than those by which endpoints are found, so that a side's users are spread over all of its
//! endpoints; it is part of what users rely on, and must never change.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::snapshot::Target;

use super::Asked;

/// Seed of the hash. Maglev's tables are filled with seeds 0 and 1.
const SEED: u64 = 0x73_70_6c_69_74;

/// A cluster, and the share that it and those before it have.
type Side = (u32, Target);

/// The side of a request. There is at least one.
pub(super) fn choose<'a>(sides: &'a [Side], asked: &Asked<'_>) -> &'a Target {
    let sum = sides.last().map_or(1, |(bound, _)| *bound);
    let hashed = sides.iter().find_map(|(_, cluster)| cluster.as_ref().ok()?.hashed());
    let drawn = match hashed.and_then(|hashed| asked.value(&hashed.attribute)) {
        Some(value) => share_of(&value, sum),
        None => asked.client.local().random(sum),
    };
    let place = sides.partition_point(|(bound, _)| *bound <= drawn);
    &sides[place].1
}

/// Where a value stands among `sum` shares. Bounds that move take those values along that stand between their old and
/// their new place, and no others.
fn share_of(value: &[u8], sum: u32) -> u32 {
    let hash = xxh3_64_with_seed(value, SEED);
    ((u128::from(hash) * u128::from(sum)) >> 64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: u32 = 100_000;

    fn users() -> impl Iterator<Item = String> {
        (0..USERS).map(|number| format!("user:{number}"))
    }

    #[test]
    fn each_share_is_as_large_as_the_others() {
        let mut shares = [0; 100];
        for user in users() {
            shares[share_of(user.as_bytes(), 100) as usize] += 1;
        }
        let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
        assert!(*least > 850 && *most < 1150, "{least} to {most} of about 1000");
    }

    #[test]
    fn other_weights_move_only_the_difference() {
        let is_first = |user: &String, weight| share_of(user.as_bytes(), 100) < weight;
        let moved = users().filter(|user| is_first(user, 90) != is_first(user, 80)).count();
        assert!((9_500..10_500).contains(&moved), "{moved} of {USERS}");
        assert!(users().all(|user| is_first(&user, 90) || !is_first(&user, 80)), "nobody comes back");
    }

    #[test]
    fn values_stand_where_they_always_did() {
        let stand = ["", "a", "user:1", "user:2", "user:3"].map(|value| share_of(value.as_bytes(), 100));
        assert_eq!(stand, [8, 92, 68, 22, 68]);
    }
}
