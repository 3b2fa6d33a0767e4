//! By what the endpoints of a cluster are judged, in words.

use crate::model::{Health, HealthCheck, OutlierDetection};

/// A line for each way in which they are judged; none where they are not.
pub(super) fn policies(health: &Health) -> Vec<String> {
    let mut lines: Vec<String> = health.outliers.iter().map(ejection).collect();
    lines.extend(health.checks.iter().map(pings));
    if health.is_on() && health.panic_threshold > 0 {
        lines.push(format!("all get requests when fewer than {} % are healthy", health.panic_threshold));
    }
    lines
}

/// When endpoints are ejected.
fn ejection(outliers: &OutlierDetection) -> String {
    let after =
        [(outliers.consecutive_errors, "errors"), (outliers.consecutive_gateway_errors, "gateway errors")];
    let after = after.iter().filter_map(|(count, what)| count.map(|count| format!("{count} {what}")));
    let after: Vec<_> = after.collect();
    if after.is_empty() {
        return "ejects nobody: all counts of errors are 0".to_owned();
    }
    let least = if outliers.always_eject_one { ", but always one" } else { "" };
    format!(
        "ejected after {} in a row, for {:?} and longer each time; at most {} %{least}",
        after.join(" or "),
        outliers.base_ejection_time,
        outliers.max_ejection_percent
    )
}

/// How endpoints are pinged.
fn pings(check: &HealthCheck) -> String {
    format!(
        "pinged each {:?}; without requests after {} without an answer in {:?}, until {} with one",
        check.interval, check.unhealthy_threshold, check.timeout, check.healthy_threshold
    )
}
