//! By what endpoints are judged, and what is told of a policy that cannot be served.

use std::time::Duration;

use ::xds::envoy::envoy::config::cluster::v3::{OutlierDetection, cluster::CommonLbConfig};
use ::xds::envoy::envoy::r#type::v3::Percent;
use ::xds::envoy::google::protobuf::{BoolValue, UInt32Value};
use ::xds::{Resource, v1};

use crate::model::{self, Health};
use crate::xds::convert::cluster::tests::{good, with, with_policy};
use crate::xds::fixtures::{refused, seconds};

const S: Duration = Duration::from_secs(1);

#[expect(clippy::unnecessary_wraps, reason = "every field of the message is an option")]
fn number(value: u32) -> Option<UInt32Value> {
    Some(UInt32Value { value })
}

/// A cluster that ejects by default, but for what `change` does.
fn ejecting(change: impl FnOnce(&mut OutlierDetection)) -> Resource {
    let mut outliers = OutlierDetection { enforcing_success_rate: number(0), ..Default::default() };
    change(&mut outliers);
    with(|cluster| cluster.outlier_detection = Some(outliers))
}

fn defaults() -> model::OutlierDetection {
    model::OutlierDetection {
        consecutive_errors: Some(5),
        consecutive_gateway_errors: None,
        interval: 10 * S,
        base_ejection_time: 30 * S,
        max_ejection_time: 300 * S,
        max_ejection_percent: 10,
        always_eject_one: false,
    }
}

#[test]
fn nobody_is_judged_unless_told() {
    let health = good(&with(|_| {})).health;
    assert_eq!(health, Health { panic_threshold: 50, ..Health::default() });
    assert!(!health.is_on());
}

#[test]
fn what_is_not_said_is_as_with_envoy() {
    let health = good(&ejecting(|_| {})).health;
    assert_eq!(health, Health { outliers: Some(defaults()), checks: None, panic_threshold: 50 });
}

#[test]
fn each_field_of_outlier_detection_is_read() {
    type Change = fn(&mut OutlierDetection);
    type Expected = fn(&mut model::OutlierDetection);
    let rows: [(Change, Expected); 11] = [
        (|wire| wire.consecutive_5xx = number(7), |read| read.consecutive_errors = Some(7)),
        (|wire| wire.consecutive_5xx = number(0), |read| read.consecutive_errors = None),
        (|wire| wire.enforcing_consecutive_5xx = number(0), |read| read.consecutive_errors = None),
        (
            |wire| wire.enforcing_consecutive_gateway_failure = number(100),
            |read| read.consecutive_gateway_errors = Some(5),
        ),
        (|wire| wire.consecutive_gateway_failure = number(3), |_| {}),
        (|wire| wire.interval = seconds(1), |read| read.interval = S),
        (|wire| wire.base_ejection_time = seconds(2), |read| read.base_ejection_time = 2 * S),
        (|wire| wire.max_ejection_time = seconds(99), |read| read.max_ejection_time = 99 * S),
        (|wire| wire.max_ejection_percent = number(75), |read| read.max_ejection_percent = 75),
        (
            |wire| wire.always_eject_one_host = Some(BoolValue { value: true }),
            |read| read.always_eject_one = true,
        ),
        (
            |wire| wire.base_ejection_time = seconds(900),
            |read| (read.base_ejection_time, read.max_ejection_time) = (900 * S, 900 * S),
        ),
    ];
    for (row, (change, expect)) in rows.into_iter().enumerate() {
        let mut expected = defaults();
        expect(&mut expected);
        assert_eq!(good(&ejecting(change)).health.outliers, Some(expected), "row {row}");
    }
}

#[test]
fn what_cannot_be_served_of_it_is_refused() {
    let at = "outlier_detection";
    let rate = format!(
        "{at}.enforcing_success_rate: must be 0: ejection by the rate of success is not supported yet"
    );
    refused(ejecting(|wire| wire.enforcing_success_rate = None), &[&rate]);
    refused(ejecting(|wire| wire.enforcing_success_rate = number(100)), &[&rate]);
    let share =
        format!("{at}.enforcing_consecutive_5xx: must be 0 or 100, not 40: shares are not supported yet");
    refused(ejecting(|wire| wire.enforcing_consecutive_5xx = number(40)), &[&share]);
    let percent = format!("{at}.max_ejection_percent: must be at most 100, not 101");
    refused(ejecting(|wire| wire.max_ejection_percent = number(101)), &[&percent]);
    refused(
        ejecting(|wire| wire.interval = seconds(0)),
        &[&format!("{at}.interval: must be longer than 0s")],
    );
    refused(
        ejecting(|wire| {
            wire.split_external_local_origin_errors = true;
            wire.max_ejection_time_jitter = seconds(1);
        }),
        &[
            &format!("{at}.split_external_local_origin_errors: not supported yet"),
            &format!("{at}.max_ejection_time_jitter: not supported yet"),
        ],
    );
}

#[test]
fn the_panic_threshold_is_a_whole_percentage() {
    let with_threshold = |value: f64| {
        let config =
            CommonLbConfig { healthy_panic_threshold: Some(Percent { value }), ..Default::default() };
        with(|cluster| cluster.common_lb_config = Some(config))
    };
    for (value, expected) in [(0.0, 0), (33.4, 33), (100.0, 100)] {
        assert_eq!(good(&with_threshold(value)).health.panic_threshold, expected);
    }
    for value in [-1.0, 100.5] {
        let text = format!("common_lb_config.healthy_panic_threshold: must be from 0 to 100, not {value}");
        refused(with_threshold(value), &[&text]);
    }
    let config = CommonLbConfig { close_connections_on_host_set_change: true, ..Default::default() };
    refused(
        with(|cluster| cluster.common_lb_config = Some(config)),
        &["common_lb_config.close_connections_on_host_set_change: not supported yet"],
    );
}

/// A cluster whose endpoints are pinged each two seconds, but for what `change` does.
fn pinging(change: impl FnOnce(&mut v1::ClusterPolicy, &mut v1::HealthCheck)) -> Resource {
    let mut check = v1::HealthCheck {
        interval: seconds(2),
        timeout: seconds(1),
        unhealthy_threshold: 3,
        healthy_threshold: 4,
    };
    with_policy(|policy| {
        change(policy, &mut check);
        policy.health_check = Some(check);
    })
}

#[test]
fn health_checks_are_read_whole() {
    let expected =
        model::HealthCheck { interval: 2 * S, timeout: S, unhealthy_threshold: 3, healthy_threshold: 4 };
    assert_eq!(good(&pinging(|_, _| {})).health.checks, Some(expected));
}

#[test]
fn health_checks_that_cannot_be_are_refused() {
    let no_ping = "health_check: plain has no ping, so that endpoints cannot be checked; remove it";
    refused(pinging(|policy, _| "plain".clone_into(&mut policy.protocol)), &[no_ping]);
    refused(pinging(|_, check| check.interval = None), &["health_check.interval: must be set"]);
    refused(
        pinging(|_, check| check.timeout = seconds(0)),
        &["health_check.timeout: must be longer than 0s"],
    );
    refused(
        pinging(|_, check| check.timeout = seconds(3)),
        &["health_check.timeout: must not be longer than the interval, 2s; it is 3s"],
    );
    refused(
        pinging(|_, check| check.interval = seconds(3601)),
        &["health_check.interval: must be from 100ms to 3600s, not 3601s"],
    );
    refused(
        pinging(|_, check| (check.unhealthy_threshold, check.healthy_threshold) = (0, 101)),
        &[
            "health_check.unhealthy_threshold: must be from 1 to 100, not 0",
            "health_check.healthy_threshold: must be from 1 to 100, not 101",
        ],
    );
}
