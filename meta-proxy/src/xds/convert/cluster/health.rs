//! When an endpoint gets no requests: Envoy's `outlier_detection` and panic threshold, and pings from our policy.

use std::time::Duration;

use ::xds::envoy::envoy::config::cluster::v3::{self as pb, cluster::CommonLbConfig};
use ::xds::envoy::google::protobuf::UInt32Value;
use ::xds::v1;
use codec_api::Properties;

use crate::model::{Health, HealthCheck, OutlierDetection};
use crate::xds::convert::mistakes::{Mistakes, refuse_rest};
use crate::xds::convert::read::{positive_duration, required_duration};

/// The shortest time from one ping to the next.
pub const SHORTEST_CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// The longest.
pub const LONGEST_CHECK_INTERVAL: Duration = Duration::from_hours(1);
/// Pings in a row that may be asked for before an endpoint is held for something else.
pub const CHECK_THRESHOLD_LIMIT: u32 = 100;

/// Envoy's defaults.
const CONSECUTIVE_ERRORS: u32 = 5;
const INTERVAL: Duration = Duration::from_secs(10);
const BASE_EJECTION_TIME: Duration = Duration::from_secs(30);
const MAX_EJECTION_TIME: Duration = Duration::from_mins(5);
const MAX_EJECTION_PERCENT: u32 = 10;
const PANIC_THRESHOLD: u32 = 50;

/// Takes it out of `message`. Pings come later, once it is known what the endpoints speak.
pub(super) fn read(message: &mut pb::Cluster, mistakes: &mut Mistakes) -> Health {
    let outliers = message.outlier_detection.take().map(|config| outliers(config, mistakes));
    let panic_threshold =
        message.common_lb_config.take().and_then(|config| panic_threshold(config, mistakes));
    Health { outliers, checks: None, panic_threshold: panic_threshold.unwrap_or(PANIC_THRESHOLD) }
}

fn outliers(mut config: pb::OutlierDetection, mistakes: &mut Mistakes) -> OutlierDetection {
    let at = "outlier_detection";
    let mut time = |value, field: &str| positive_duration(value, &format!("{at}.{field}"), mistakes);
    let interval = time(config.interval.take(), "interval");
    let base = time(config.base_ejection_time.take(), "base_ejection_time");
    let longest = time(config.max_ejection_time.take(), "max_ejection_time");
    let errors = config.consecutive_5xx.take();
    let enforced = config.enforcing_consecutive_5xx.take();
    let errors = count(errors, (enforced, 100), "enforcing_consecutive_5xx", mistakes);
    let gateway = config.consecutive_gateway_failure.take();
    let enforced = config.enforcing_consecutive_gateway_failure.take();
    let gateway = count(gateway, (enforced, 0), "enforcing_consecutive_gateway_failure", mistakes);
    let percent = config.max_ejection_percent.take().map_or(MAX_EJECTION_PERCENT, |percent| percent.value);
    if percent > 100 {
        mistakes
            .add(format_args!("{at}.max_ejection_percent"), format!("must be at most 100, not {percent}"));
    }
    if config.enforcing_success_rate.take() != Some(UInt32Value { value: 0 }) {
        let message = "must be 0: ejection by the rate of success is not supported yet";
        mistakes.add(format_args!("{at}.enforcing_success_rate"), message);
    }
    let always_eject_one = config.always_eject_one_host.take().is_some_and(|value| value.value);
    // They are what this proxy does anyway.
    config.successful_active_health_check_uneject_host.take_if(|value| !value.value);
    config.enforcing_failure_percentage.take_if(|percent| percent.value == 0);
    refuse_rest!(
        config,
        at,
        mistakes,
        [
            success_rate_minimum_hosts,
            success_rate_request_volume,
            success_rate_stdev_factor,
            split_external_local_origin_errors,
            consecutive_local_origin_failure,
            enforcing_consecutive_local_origin_failure,
            enforcing_local_origin_success_rate,
            failure_percentage_threshold,
            enforcing_failure_percentage,
            enforcing_failure_percentage_local_origin,
            failure_percentage_minimum_hosts,
            failure_percentage_request_volume,
            max_ejection_time_jitter,
            successful_active_health_check_uneject_host,
            monitors,
            detect_degraded_hosts,
        ]
    );
    let base_ejection_time = base.unwrap_or(BASE_EJECTION_TIME);
    OutlierDetection {
        consecutive_errors: errors,
        consecutive_gateway_errors: gateway,
        interval: interval.unwrap_or(INTERVAL),
        base_ejection_time,
        max_ejection_time: longest.unwrap_or(MAX_EJECTION_TIME).max(base_ejection_time),
        max_ejection_percent: percent,
        always_eject_one,
    }
}

/// How many in a row are enough; `None`: no number is.
fn count(
    count: Option<UInt32Value>,
    (enforced, default): (Option<UInt32Value>, u32),
    field: &str,
    mistakes: &mut Mistakes,
) -> Option<u32> {
    let count = count.map_or(CONSECUTIVE_ERRORS, |count| count.value);
    match enforced.map_or(default, |enforced| enforced.value) {
        0 => None,
        100 => Some(count).filter(|count| *count > 0),
        share => {
            let message = format!("must be 0 or 100, not {share}: shares are not supported yet");
            mistakes.add(format_args!("outlier_detection.{field}"), message);
            None
        }
    }
}

fn panic_threshold(mut config: CommonLbConfig, mistakes: &mut Mistakes) -> Option<u32> {
    let at = "common_lb_config";
    let threshold = config.healthy_panic_threshold.take();
    refuse_rest!(
        config,
        at,
        mistakes,
        [
            update_merge_window,
            ignore_new_hosts_until_first_hc,
            close_connections_on_host_set_change,
            consistent_hashing_lb_config,
            override_host_status,
            locality_config_specifier,
        ]
    );
    let percent = threshold?.value;
    if !(0.0..=100.0).contains(&percent) {
        let message = format!("must be from 0 to 100, not {percent}");
        mistakes.add(format_args!("{at}.healthy_panic_threshold"), message);
        return None;
    }
    // As Envoy does it: whole percents.
    Some(percent as u32)
}

/// How endpoints are pinged; `None`: not at all.
pub(super) fn checks(
    config: Option<v1::HealthCheck>,
    properties: &Properties,
    protocol: &str,
    mistakes: &mut Mistakes,
) -> Option<HealthCheck> {
    let config = config?;
    let at = "health_check";
    if properties.heartbeat.is_none() {
        let message = format!("{protocol} has no ping, so that endpoints cannot be checked; remove it");
        mistakes.add(at, message);
        return None;
    }
    let interval = required_duration(config.interval, "health_check.interval", mistakes);
    let timeout = required_duration(config.timeout, "health_check.timeout", mistakes);
    let bounds = SHORTEST_CHECK_INTERVAL..=LONGEST_CHECK_INTERVAL;
    if let Some(interval) = interval.filter(|interval| !bounds.contains(interval)) {
        let message = format!("must be from {:?} to {:?}, not {interval:?}", bounds.start(), bounds.end());
        mistakes.add(format_args!("{at}.interval"), message);
    }
    if let (Some(interval), Some(timeout)) = (interval, timeout)
        && timeout > interval
    {
        let message = format!("must not be longer than the interval, {interval:?}; it is {timeout:?}");
        mistakes.add(format_args!("{at}.timeout"), message);
    }
    for (field, threshold) in
        [("unhealthy_threshold", config.unhealthy_threshold), ("healthy_threshold", config.healthy_threshold)]
    {
        if !(1..=CHECK_THRESHOLD_LIMIT).contains(&threshold) {
            let message = format!("must be from 1 to {CHECK_THRESHOLD_LIMIT}, not {threshold}");
            mistakes.add(format_args!("{at}.{field}"), message);
        }
    }
    Some(HealthCheck {
        interval: interval?,
        timeout: timeout?,
        unhealthy_threshold: config.unhealthy_threshold,
        healthy_threshold: config.healthy_threshold,
    })
}
