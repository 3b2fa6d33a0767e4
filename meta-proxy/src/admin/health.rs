//! How endpoints stand, and by what they are judged.

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::model::{Health, HealthCheck, OutlierDetection};
use crate::snapshot::{ClusterSpec, Snapshot};
use crate::telemetry::{Judged, JudgedEndpoint};
use crate::upstream::Member;

/// Every cluster whose endpoints are judged.
pub fn judged(snapshot: &Snapshot) -> Vec<Judged> {
    let now = Instant::now();
    let endpoint = |(address, member): (std::net::SocketAddr, Member)| JudgedEndpoint {
        endpoint: address.to_string(),
        is_ejected: member.ejection.is_some(),
        is_unhealthy: member.ailment.is_some(),
        ejections: member.ejections,
        spared: member.spared,
        pings: member.pings,
    };
    let cluster = |(name, spec): (&String, &ClusterSpec)| {
        let roster = &spec.settings.usage.roster;
        let members = roster.members(name, now);
        (name.clone(), roster.panics(), members.into_iter().map(endpoint).collect())
    };
    let clusters = snapshot.clusters.iter().filter(|(_, spec)| spec.settings.model.health.is_on());
    clusters.map(cluster).collect()
}

/// Why an endpoint gets no requests, and what came before.
pub fn member(member: &Member, now: Instant) -> Value {
    let state = match (&member.ejection, &member.ailment) {
        (Some(_), _) => "ejected",
        (None, Some(_)) => "unhealthy",
        (None, None) => "healthy",
    };
    let left = |until: Instant| until.saturating_duration_since(now).as_millis() as u64;
    json!({
        "state": state,
        "why": member.why(now),
        "back_in_ms": member.ejection.as_ref().map(|ejection| left(ejection.until)),
        "ejections": member.ejections,
        "ejections_spared": member.spared,
        "pings": { "answered": member.pings[0], "failed": member.pings[1] },
    })
}

/// By what endpoints are judged.
pub fn policy(health: &Health) -> Value {
    json!({
        "outlier_detection": health.outliers.as_ref().map(outliers),
        "health_check": health.checks.as_ref().map(check),
        "panic_threshold": health.is_on().then_some(health.panic_threshold),
    })
}

fn outliers(outliers: &OutlierDetection) -> Value {
    json!({
        "consecutive_errors": outliers.consecutive_errors,
        "consecutive_gateway_errors": outliers.consecutive_gateway_errors,
        "interval_ms": outliers.interval.as_millis() as u64,
        "base_ejection_time_ms": outliers.base_ejection_time.as_millis() as u64,
        "max_ejection_time_ms": outliers.max_ejection_time.as_millis() as u64,
        "max_ejection_percent": outliers.max_ejection_percent,
        "always_eject_one": outliers.always_eject_one,
    })
}

fn check(check: &HealthCheck) -> Value {
    json!({
        "interval_ms": check.interval.as_millis() as u64,
        "timeout_ms": check.timeout.as_millis() as u64,
        "unhealthy_threshold": check.unhealthy_threshold,
        "healthy_threshold": check.healthy_threshold,
    })
}
