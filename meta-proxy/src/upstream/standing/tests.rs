//! Who is ejected, when, and for how long: by times that the tests make up.

use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use crate::model::{Endpoint, Health, HealthCheck, OutlierDetection};
use crate::upstream::standing::ledger::{Ledger, Sentence, Turn};
use crate::upstream::standing::{Evidence, Roster, Standing};

const S: Duration = Duration::from_secs(1);
const MUTE: Evidence = Evidence::Mute("no response in time");
const BAD: Evidence = Evidence::Bad("a server error");

fn address(number: u16) -> SocketAddr {
    ([10, 0, 0, 1], number).into()
}

fn policy() -> OutlierDetection {
    OutlierDetection {
        consecutive_errors: Some(3),
        consecutive_gateway_errors: None,
        interval: 10 * S,
        base_ejection_time: 30 * S,
        max_ejection_time: 300 * S,
        max_ejection_percent: 100,
        always_eject_one: true,
    }
}

fn judged(policy: &OutlierDetection) -> Health {
    Health { outliers: Some(policy.clone()), ..Health::default() }
}

fn ledger(count: u16, now: Instant) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.enter((1..=count).map(address), &judged(&policy()), now);
    ledger
}

fn eject(ledger: &mut Ledger, number: u16, policy: &OutlierDetection, now: Instant) -> Sentence {
    ledger.eject(address(number), "3 errors in a row".to_owned(), policy, now)
}

#[test]
fn each_ejection_is_longer_than_the_last_and_good_conduct_makes_it_shorter() {
    // When it is ejected, in seconds, and for how long.
    let rows = [
        (0, 30),
        // Back at 30, and bad at once.
        (31, 60),
        // Back at 91, and bad within the interval.
        (100, 90),
        // Back at 190; two whole intervals have gone by.
        (215, 60),
        // Back at 275; everything is made good long since.
        (1000, 30),
        // Back at 1030, and so often bad that the longest time is reached.
        (1030, 60),
        (1090, 90),
        (1180, 120),
        (1300, 150),
        (1450, 180),
        (1630, 210),
        (1840, 240),
        (2080, 270),
        (2350, 300),
        (2650, 300),
        // Back at 2950. No more is to be made good than the longest time: one interval makes it shorter at once.
        (2960, 300),
        (3280, 270),
    ];
    let start = Instant::now();
    let (mut ledger, policy) = (ledger(1, start), policy());
    for (at, expected) in rows {
        let now = start + at * S;
        ledger.settle(now);
        assert_eq!(eject(&mut ledger, 1, &policy, now), Sentence::Ejected(expected * S), "at {at}");
    }
}

#[test]
fn an_ejected_endpoint_comes_back_when_its_time_is_over_and_not_before() {
    let start = Instant::now();
    let mut ledger = ledger(2, start);
    eject(&mut ledger, 1, &policy(), start);
    assert_eq!(eject(&mut ledger, 1, &policy(), start + S), Sentence::Moot, "it is out already");
    assert_eq!(eject(&mut ledger, 9, &policy(), start), Sentence::Moot, "there is no such endpoint");
    assert_eq!(ledger.next_return(), Some(start + 30 * S));
    assert_eq!(ledger.settle(start + 29 * S), []);
    assert_eq!(ledger.settle(start + 30 * S), [address(1)]);
    assert_eq!((ledger.next_return(), ledger.members()[&address(1)].is_out()), (None, false));
}

#[test]
fn no_more_are_ejected_than_may_be_at_once() {
    // Endpoints, percent, whether one may always be; how many of them may.
    let rows = [
        (4, 10, true, 1),
        (4, 10, false, 0),
        (4, 25, false, 1),
        (4, 50, true, 2),
        (4, 74, true, 2),
        (10, 10, true, 1),
        (20, 10, true, 2),
        (3, 100, true, 3),
        (1, 10, true, 1),
        (3, 0, true, 1),
        (3, 0, false, 0),
    ];
    for (count, percent, always_eject_one, most) in rows {
        let start = Instant::now();
        let mut ledger = ledger(count, start);
        let policy = OutlierDetection { max_ejection_percent: percent, always_eject_one, ..policy() };
        for number in 1..=count {
            eject(&mut ledger, number, &policy, start);
        }
        let out = ledger.members().values().filter(|member| member.is_out()).count();
        let spared: u64 = ledger.members().values().map(|member| member.spared).sum();
        assert_eq!((out, spared), (most, u64::from(count) - most as u64), "{percent} % of {count}");
    }
}

#[test]
fn an_endpoint_that_goes_makes_room_and_one_that_stays_keeps_its_name() {
    let start = Instant::now();
    let policy = OutlierDetection { max_ejection_percent: 10, ..policy() };
    let mut ledger = ledger(3, start);
    eject(&mut ledger, 1, &policy, start);
    assert_eq!(eject(&mut ledger, 2, &policy, start), Sentence::Spared);
    ledger.enter([2, 3].map(address).into_iter(), &judged(&policy), start);
    assert_eq!(eject(&mut ledger, 2, &policy, start), Sentence::Ejected(30 * S));
    ledger.enter([1, 2, 3].map(address).into_iter(), &judged(&policy), start);
    let out: Vec<_> = ledger.members().values().map(super::Member::is_out).collect();
    assert_eq!(out, [false, true, false], "1 is new, 2 still ejected");
    ledger.enter([1, 2, 3].map(address).into_iter(), &Health::default(), start);
    assert!(!ledger.members()[&address(2)].is_out(), "nobody is judged any more");
}

#[test]
fn counts_are_of_failures_in_a_row() {
    let both = OutlierDetection { consecutive_gateway_errors: Some(2), ..policy() };
    let gateway = OutlierDetection { consecutive_errors: None, ..both.clone() };
    let never = OutlierDetection { consecutive_errors: None, ..policy() };
    let cases: [(&OutlierDetection, &[Evidence], Option<&str>); 9] = [
        (&policy(), &[BAD, BAD, BAD], Some("3 errors in a row, the last one: a server error")),
        (&policy(), &[BAD, MUTE, MUTE], Some("3 errors in a row, the last one: no response in time")),
        (&policy(), &[BAD, BAD, Evidence::Good, BAD, BAD], None),
        (&policy(), &[Evidence::Good; 20], None),
        (&both, &[MUTE, MUTE], Some("2 gateway errors in a row, the last one: no response in time")),
        (&both, &[MUTE, BAD, MUTE], Some("3 errors in a row, the last one: no response in time")),
        (&gateway, &[MUTE, BAD, MUTE, BAD, BAD], None),
        (
            &gateway,
            &[BAD, BAD, MUTE, MUTE],
            Some("2 gateway errors in a row, the last one: no response in time"),
        ),
        (&never, &[MUTE; 20], None),
    ];
    for (policy, evidence, expected) in cases {
        let standing = Standing::default();
        let (last, before) = evidence.split_last().unwrap();
        for one in before {
            assert_eq!(standing.note(*one, policy), None, "{evidence:?}");
        }
        assert_eq!(standing.note(*last, policy).as_deref(), expected, "{evidence:?}");
    }
}

#[test]
fn pings_are_believed_after_so_many_in_a_row() {
    let policy = HealthCheck { interval: S, timeout: S, unhealthy_threshold: 2, healthy_threshold: 3 };
    let mut ledger = ledger(1, Instant::now());
    let rows = [
        (true, None),
        (false, None),
        (true, None),
        (false, None),
        (false, Some(Turn::Worse)),
        (false, None),
        (true, None),
        (true, None),
        (false, None),
        (true, None),
        (true, None),
        (true, Some(Turn::Better)),
        (false, None),
        (false, Some(Turn::Worse)),
    ];
    for (row, (is_good, expected)) in rows.into_iter().enumerate() {
        let result = if is_good { Ok(()) } else { Err("refused") };
        assert_eq!(ledger.pinged(address(1), result, &policy), expected, "row {row}");
    }
    let why = ledger.members()[&address(1)].why(Instant::now());
    assert_eq!(why.as_deref(), Some("its last ping failed: refused"));
    assert_eq!(ledger.pinged(address(2), Ok(()), &policy), None, "there is no such endpoint");
}

#[test]
fn there_is_panic_when_fewer_are_healthy_than_should_be() {
    // Endpoints, those that are out, the threshold.
    let rows = [(4, 2, 50, false), (4, 3, 50, true), (4, 4, 0, false), (4, 1, 100, true), (4, 0, 100, false)];
    for (count, out, threshold, expected) in rows {
        let start = Instant::now();
        let mut ledger = ledger(count, start);
        for number in 1..=out {
            eject(&mut ledger, number, &policy(), start);
        }
        assert_eq!(ledger.panics(threshold), expected, "{out} of {count}, {threshold} %");
    }
}

#[test]
fn what_is_out_is_told_by_name_and_not_without_end() {
    let roster = Roster::default();
    let endpoints: Vec<_> = (1..=9).map(|number| Endpoint { address: address(number) }).collect();
    roster.enter(&endpoints, &judged(&policy()));
    let now = Instant::now();
    for number in 1..=7 {
        roster.eject("c", address(number), &format!("{number} errors in a row"), &policy(), now);
    }
    let why = roster.why_out(|_| true, now);
    assert!(why.starts_with("10.0.0.1:1: ejected for another 30.0 s after 1 errors in a row; "), "{why}");
    assert!(why.ends_with("5 errors in a row; and 2 more"), "{why}");
    assert_eq!(roster.why_out(|one| one == address(9), now), "");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens: never more than the share are ejected, nobody for longer than the longest time, and all come
    /// back.
    #[test]
    fn ejections_keep_their_bounds_and_end(
        percent in 0_u32..=100,
        base in 1_u32..60,
        longest in 1_u32..200,
        steps in prop::collection::vec((1_u16..=12, 0_u32..40, 2_u16..=12), 1..120),
    ) {
        let policy = OutlierDetection {
            base_ejection_time: base * S,
            max_ejection_time: longest * S,
            max_ejection_percent: percent,
            ..policy()
        };
        let roster = Roster::default();
        let enter = |count: u16| {
            let endpoints: Vec<_> = (1..=count).map(|number| Endpoint { address: address(number) }).collect();
            roster.enter(&endpoints, &judged(&policy));
        };
        enter(12);
        let mut now = Instant::now();
        for (number, pause, count) in steps {
            now += pause * S;
            if pause % 7 == 0 {
                enter(count);
            }
            let total = roster.members("c", now).len();
            let out = || roster.members("c", now).iter().filter(|(_, member)| member.is_out()).count();
            let before = out();
            roster.eject("c", address(number), "", &policy, now);
            let most = (total * percent as usize / 100).max(1);
            prop_assert!(out() <= before.max(most), "{} of {total} at {percent} %", out());
            for (address, member) in roster.members("c", now) {
                prop_assert_eq!(roster.standing(address).unwrap().is_out(), member.is_out());
                let until = member.ejection.map_or(now, |ejection| ejection.until);
                prop_assert!(until <= now + longest.max(base) * S);
            }
        }
        let end = now + longest.max(base) * S;
        prop_assert!(roster.members("c", end).iter().all(|(_, member)| !member.is_out()), "all come back");
    }
}
