//! Weighted splits between clusters that hash an attribute.

use std::collections::{BTreeMap, BTreeSet};

use meta_proxy::model::{LoadBalancing, RouteAction, WeightedCluster};

use crate::support::{Frame, World, run};

/// Two clusters of two endpoints each, numbers 1 and 2 against 3 and 4, which hash this attribute, if any.
fn two_sides(attribute: Option<&str>) -> World {
    let mut world = World::new();
    for (cluster, number) in [("old", 1), ("old", 2), ("new", 3), ("new", 4)] {
        world.serving(cluster, number);
    }
    if let Some(attribute) = attribute {
        let attribute = attribute.to_owned();
        world.balancing = LoadBalancing::RingHash { attribute, minimum_ring_size: None };
    }
    split(&mut world, 90);
    world
}

/// From now on the old side has this share.
fn split(world: &mut World, share: u32) {
    let target = |name: &str, weight| WeightedCluster { name: name.to_owned(), weight };
    world.routes.clear();
    world.route(None, "old").action =
        RouteAction::Clusters(vec![target("old", share), target("new", 100 - share)]);
    world.apply();
}

/// Where each of these users' requests goes.
async fn homes(world: &World, users: impl Iterator<Item = u32>) -> BTreeMap<u32, u16> {
    let mut client = world.client();
    let mut homes = BTreeMap::new();
    for user in users {
        client.send(&Frame::request(user.into(), &format!("user:{user}"))).await;
        let answer = client.gets(user.into()).await;
        homes.insert(user, answer.rsplit('@').next().unwrap().parse().unwrap());
    }
    homes
}

const USERS: u32 = 2000;

fn is_old(home: u16) -> bool {
    home < 3
}

#[test]
fn a_user_stays_on_one_side_and_the_weights_are_kept() {
    run(async {
        let world = two_sides(Some("method"));
        let first = homes(&world, 0..USERS).await;
        assert_eq!(first, homes(&world, 0..USERS).await, "as before, endpoint for endpoint");
        let old = first.values().filter(|home| is_old(**home)).count();
        assert!((1740..=1860).contains(&old), "{old} of {USERS}");
        let homes: BTreeSet<_> = first.values().collect();
        assert_eq!(homes.len(), 4, "on each side all endpoints have users");
        let on_four = first.values().filter(|home| **home == 4).count();
        let on_three = USERS as usize - old - on_four;
        assert!(on_three > 40 && on_four > 40, "{on_three} and {on_four} of the new side");
    });
}

#[test]
fn other_weights_move_the_difference_and_nobody_else() {
    run(async {
        let mut world = two_sides(Some("method"));
        let before = homes(&world, 0..USERS).await;
        split(&mut world, 80);
        let after = homes(&world, 0..USERS).await;
        let moved: Vec<_> = (0..USERS).filter(|user| is_old(before[user]) != is_old(after[user])).collect();
        assert!((140..=260).contains(&moved.len()), "{} of {USERS} moved", moved.len());
        assert!(moved.iter().all(|user| is_old(before[user])), "nobody came back");
        let stayed = (0..USERS).filter(|user| !moved.contains(user));
        assert!(
            stayed.into_iter().all(|user| before[&user] == after[&user]),
            "who stays, stays where it was"
        );
    });
}

#[test]
fn requests_without_the_attribute_and_splits_without_a_hash_are_drawn() {
    for attribute in [None, Some("nothing")] {
        run(async move {
            let world = two_sides(attribute);
            let mut old = 0;
            for _ in 0..400 {
                old += usize::from(is_old(homes(&world, 7..8).await[&7]));
            }
            assert!((330..=385).contains(&old), "{old} of 400 for {attribute:?}");
        });
    }
}
