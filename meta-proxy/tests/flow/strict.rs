//! A key lives on one endpoint: nobody else is asked in its place, and pins lead there.

use std::time::Duration;

use crate::spread::{apart, keyed, three, three_serving};
use crate::support::{Behaviour, run};
use crate::{next, nobody_connects};

#[test]
fn another_endpoint_is_never_tried_in_place_of_the_owner() {
    run(async {
        let [a, b, _] = apart().await;
        for behaviour in [Behaviour::Refuse, Behaviour::Hang] {
            let mut world = keyed();
            world.endpoint("all", 1, behaviour);
            world.serving("all", 2);
            world.serving("all", 3);
            world.route(None, "all");
            world.apply();
            let mut client = world.client();
            for id in 0..10 {
                client.asks(id, &format!("keys:{a}")).await;
                client.gets_refusal(id, "ConnectFailure").await;
            }
            client.asks(10, &format!("keys:{b}")).await;
            assert_eq!(client.gets(10).await, format!("{b}@2"));
            client.asks(11, &format!("keys:{b},{a}")).await;
            assert_eq!(client.gets(11).await, format!("{b}@2,!ConnectFailure"));
        }
    });
}

#[test]
fn home_is_not_moved_either() {
    run(async {
        let home = crate::spread::owners(&[""]).await.remove(0).parse().unwrap();
        let world = three_serving();
        world.behave(home, Behaviour::Refuse);
        let mut client = world.client();
        client.asks(1, "home").await;
        client.gets_refusal(1, "ConnectFailure").await;
        assert_eq!(world.attempts(), 1);
    });
}

#[test]
fn a_pin_leads_to_the_owner_of_its_keys_and_takes_no_others() {
    run(async {
        let [a, b, _] = apart().await;
        let (world, [mut one, mut other, _third]) = three();
        let mut client = world.client();
        let pin = format!("pin+keys:{a}");
        client.asks(1, &pin).await;
        client.asks(2, &format!("keys:{b}")).await;
        client.asks(3, &format!("keys:{a},{a}")).await;
        client.asks(4, &format!("keys:{a},{b}")).await;
        client.asks(5, "get").await;
        let mut pinned = next(&mut one).await;
        pinned.answers(&pin).await;
        client.gets(1).await;
        client.gets_refusal(2, "Scattered").await;
        pinned.answers(&format!("keys:{a},{a}")).await;
        client.gets(3).await;
        client.gets_refusal(4, "Scattered").await;
        pinned.answers("get").await;
        client.gets(5).await;
        nobody_connects(&mut other).await;
    });
}

#[test]
fn a_pin_whose_keys_live_apart_is_refused_and_pins_nobody() {
    run(async {
        let [a, b, _] = apart().await;
        let world = three_serving();
        let mut client = world.client();
        client.asks(1, &format!("whole+pin+keys:{a},{b}")).await;
        client.gets_refusal(1, "Scattered").await;
        for (key, number) in [(&a, 1), (&b, 2)] {
            client.asks(2, &format!("keys:{key}")).await;
            assert_eq!(client.gets(2).await, format!("{key}@{number}"));
        }
    });
}

#[test]
fn the_last_writes_of_several_endpoints_are_all_followed() {
    run(async {
        let [a, b, c] = apart().await;
        let world = three_serving();
        let mut client = world.client();
        client.asks(1, &format!("write+keys:{c},{a}")).await;
        client.asks(2, &format!("keys:{b}")).await;
        client.asks(3, "last").await;
        client.gets(1).await;
        client.gets(2).await;
        let mut followed: Vec<_> = client.gets(3).await.split('|').map(str::to_owned).collect();
        followed.sort();
        assert_eq!(followed, ["last@1", "last@3"]);
    });
}

#[test]
fn keys_move_with_their_endpoints_and_nobody_is_asked_in_vain() {
    run(async {
        let [a, b, c] = apart().await;
        let mut world = three_serving();
        let mut client = world.client();
        client.asks(1, &format!("keys:{a},{b},{c}")).await;
        assert_eq!(client.gets(1).await, format!("{a}@1,{b}@2,{c}@3"));
        world.forget("all");
        for number in [1, 2] {
            world.serving("all", number);
        }
        world.apply();
        client.asks(2, &format!("keys:{a},{b}")).await;
        assert_eq!(client.gets(2).await, format!("{a}@1,{b}@2"));
        client.asks(3, &format!("keys:{c}")).await;
        assert_ne!(client.gets(3).await, format!("{c}@3"));
        world.forget("all");
        world.apply();
        for (id, method) in [(4, format!("keys:{a},{b}")), (5, "all".to_owned()), (6, "home".to_owned())] {
            client.asks(id, &method).await;
            client.gets_refusal(id, "NoEndpoint").await;
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    });
}
