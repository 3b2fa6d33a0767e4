//! When an endpoint gets no requests: `outlierDetection` of a `DestinationRule`, `healthCheck` of a `MetaRouter`.

use std::time::Duration;

use crds::istio::{self, DestinationRuleSpec};
use crds::{MetaRouterSpec, rules};

use super::duration;
use super::model::{HealthCheck, Outliers};
use super::report::Report;
use crate::object::Object;
use crate::tree::FieldPath;

/// The shortest time from one ping to the next, as the proxy has it.
pub const SHORTEST_CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// The longest, likewise.
pub const LONGEST_CHECK_INTERVAL: Duration = Duration::from_hours(1);

/// What holds where a `healthCheck` does not say.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
const UNHEALTHY_THRESHOLD: u32 = 2;
const HEALTHY_THRESHOLD: u32 = 1;

/// What stands at `path`. What is wrong counts as not said.
pub(crate) fn outliers(
    object: &Object<DestinationRuleSpec>,
    spec: &istio::OutlierDetection,
    path: &FieldPath,
    report: &mut Report,
) -> Outliers {
    let mut time = |field: &str, text: Option<&String>| {
        positive(text?).map_err(|message| report.error(object, &path.field(field), message)).ok()
    };
    let interval = time("interval", spec.interval.as_ref());
    let base_ejection_time = time("baseEjectionTime", spec.base_ejection_time.as_ref());
    let mut percent = |field: &str, value: Option<u32>| {
        let is_wrong = value.is_some_and(|value| value > 100);
        if is_wrong {
            report.error(object, &path.field(field), "must be from 0 to 100");
        }
        value.filter(|_| !is_wrong)
    };
    // As with Istio, 0 is the same as nothing.
    let max_ejection_percent =
        percent("maxEjectionPercent", spec.max_ejection_percent).filter(|percent| *percent > 0);
    let min_health_percent = percent("minHealthPercent", spec.min_health_percent);
    if spec.consecutive_5xx_errors.and(spec.consecutive_errors).is_some() {
        let message = "is the older name of `consecutive5xxErrors`, which is set too; remove this one";
        report.error(object, &path.field("consecutiveErrors"), message);
    }
    Outliers {
        consecutive_errors: spec.consecutive_5xx_errors.or(spec.consecutive_errors),
        consecutive_gateway_errors: spec.consecutive_gateway_errors,
        interval,
        base_ejection_time,
        max_ejection_percent,
        min_health_percent,
    }
}

/// How the endpoints of a `MetaRouter`'s host are pinged. With a mistake in it they are not: what was meant is unclear.
pub(crate) fn checks(object: &Object<MetaRouterSpec>, report: &mut Report) -> Option<HealthCheck> {
    let spec = object.spec.health_check.as_ref()?;
    let path = FieldPath::spec().field("healthCheck");
    let mut is_right = true;
    let mut wrong = |field: &str, message: String| {
        is_right = false;
        report.error(object, &path.field(field), message);
    };
    let mut time = |field: &str, text: Option<&String>, default| match text.map(|text| positive(text)) {
        None => default,
        Some(Ok(time)) => time,
        Some(Err(message)) => {
            wrong(field, message);
            default
        }
    };
    let interval = time("interval", spec.interval.as_ref(), CHECK_INTERVAL);
    let timeout = time("timeout", spec.timeout.as_ref(), CHECK_TIMEOUT.min(interval));
    if !(SHORTEST_CHECK_INTERVAL..=LONGEST_CHECK_INTERVAL).contains(&interval) {
        wrong("interval", rules::CHECK_INTERVAL.to_owned());
    } else if timeout > interval {
        wrong("timeout", format!("{}, {interval:?}", rules::CHECK_TIMEOUT));
    }
    // Their bounds are the schema's.
    is_right.then_some(HealthCheck {
        interval,
        timeout,
        unhealthy_threshold: spec.unhealthy_threshold.unwrap_or(UNHEALTHY_THRESHOLD),
        healthy_threshold: spec.healthy_threshold.unwrap_or(HEALTHY_THRESHOLD),
    })
}

fn positive(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Duration::ZERO => Err("must be more than 0s".to_owned()),
        time => Ok(time),
    }
}
