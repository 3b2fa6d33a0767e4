//! What a definition checks beyond the shape of an object: rules in CEL, and their messages.
//!
//! An API server refuses an object by these when it is applied. The controller's `translate` checks the same for objects
//! from files, which no API server has seen; it uses the messages that stand here, so that both say the same. (An expression that
//! names the value would cost more than an API server allows, so there the controller says more.) Rules speak
//! of one object only; what needs two of them is a condition of its status. An API server estimates what a rule costs by
//! the bounds of what it looks at, so no rule compares all items of a long list with each other.

use serde::Serialize;

/// Said of a `mirrorPercentage` without a `mirror`.
pub const SHARE_WITHOUT_MIRROR: &str = "says how much to copy, but there is no `mirror` that says where to";

/// Said of `mirrorRequests` without a `mirror`.
pub const CHOICE_WITHOUT_MIRROR: &str = "says what to copy, but there is no `mirror` that says where to";

/// Said of a regular expression without a letter.
pub const EMPTY_REGEX: &str = "must not be empty; `{}` asks only that the attribute is there";

/// Said of a local rate limit that limits nothing.
pub const NO_BUCKET: &str = "must have `tokenBucket`, `conditions`, or both";

/// Said of the time between two pings.
pub const CHECK_INTERVAL: &str = "must be from 100ms to 1h";

/// Said of the time that a ping may take.
pub const CHECK_TIMEOUT: &str = "must not be longer than the interval";

/// Said of listeners that want certificates of their clients, and know no CA.
pub const MUTUAL_WITHOUT_CA: &str = "is missing: with MUTUAL, clients are checked against it";

/// Said of a CA without a use.
pub const CA_WITHOUT_MUTUAL: &str = "is for mode MUTUAL only: set that, or remove this";

/// Said of a condition with several fields; who can, goes on with those it has.
pub const TWO_CONDITIONS: &str = "a condition holds one of exact, prefix, regex, present and not";

/// Said of the weights of several destinations; who can, goes on with their sum.
pub const WEIGHTS: &str = "weights must sum to 100";

/// Said of a percentage; who can, goes on with its value.
pub const PERCENTAGE: &str = "must be more than 0 and at most 100";

/// One rule of the value that it stands at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rule {
    #[serde(rename = "rule")]
    holds: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    /// The message as an expression, where it names values.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_expression: Option<&'static str>,
    /// The field to blame, where it is not the value itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    field_path: Option<&'static str>,
}

impl Rule {
    const fn of(holds: &'static str) -> Self {
        Self { holds, message: None, message_expression: None, field_path: None }
    }

    const fn says(self, message: &'static str) -> Self {
        Self { message: Some(message), ..self }
    }

    const fn tells(self, expression: &'static str) -> Self {
        Self { message_expression: Some(expression), ..self }
    }

    const fn blames(self, field: &'static str) -> Self {
        Self { field_path: Some(field), ..self }
    }
}

/// Of a route: its weights and its copies.
pub(crate) const ROUTE: [Rule; 3] = [
    Rule::of("self.route.size() <= 1 || self.route.map(d, has(d.weight), d.weight).sum() == 100")
        .says(WEIGHTS)
        .blames(".route"),
    Rule::of("!has(self.mirrorPercentage) || has(self.mirror)")
        .says(SHARE_WITHOUT_MIRROR)
        .blames(".mirrorPercentage"),
    Rule::of("!has(self.mirrorRequests) || has(self.mirror)")
        .says(CHOICE_WITHOUT_MIRROR)
        .blames(".mirrorRequests"),
];

/// Of a condition: one field at most.
pub(crate) const CONDITION: [Rule; 2] = [
    Rule::of(
        "(has(self.exact) ? 1 : 0) + (has(self.prefix) ? 1 : 0) + (has(self.regex) ? 1 : 0) + (has(self.present) ? 1 : 0) \
         + (has(self.not) ? 1 : 0) <= 1",
    )
    .says(TWO_CONDITIONS),
    REGEX,
];

/// Of the condition inside of a `not`.
pub(crate) const INNER_CONDITION: [Rule; 2] = [
    Rule::of(
        "(has(self.exact) ? 1 : 0) + (has(self.prefix) ? 1 : 0) + (has(self.regex) ? 1 : 0) + (has(self.present) ? 1 : 0) \
         <= 1",
    )
    .says(TWO_CONDITIONS),
    REGEX,
];

const REGEX: Rule = Rule::of("!has(self.regex) || self.regex.size() > 0").says(EMPTY_REGEX).blames(".regex");

/// Of a percentage.
pub(crate) const PERCENT: [Rule; 1] =
    [Rule::of("self.value > 0.0 && self.value <= 100.0").says(PERCENTAGE).blames(".value")];

/// Of a duration, as text.
pub(crate) const DURATION: [Rule; 2] = [
    Rule::of(IS_DURATION)
        .tells("'\"' + self + '\" is not a duration; write one such as 10s, 1500ms or 1h30m'"),
    // What is no duration has been told already.
    Rule::of(IN_A_YEAR).tells("self + ' is longer than a year; write 0s where there is to be no limit'"),
];

const IS_DURATION: &str =
    r"self.matches('^(([0-9]+[.]?[0-9]*|[.][0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$')";

const IN_A_YEAR: &str = r"!self.matches('^(([0-9]+[.]?[0-9]*|[.][0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$') || duration(self) <= duration('8760h')";

/// Of the limits that each proxy keeps by itself.
pub(crate) const LOCAL_RATE_LIMIT: [Rule; 1] =
    [Rule::of("has(self.tokenBucket) || (has(self.conditions) && self.conditions.size() > 0)")
        .says(NO_BUCKET)];

/// Of how endpoints are pinged. What is no duration, or absent, is told or known elsewhere.
pub(crate) const HEALTH_CHECK: [Rule; 2] = [
    Rule::of(
        "!has(self.interval) || (duration(self.interval) >= duration('100ms') && duration(self.interval) <= duration('1h'))",
    )
    .says(CHECK_INTERVAL)
    .blames(".interval"),
    Rule::of(
        "!has(self.timeout) || duration(self.timeout) <= duration(has(self.interval) ? self.interval : '10s')",
    )
    .says(CHECK_TIMEOUT)
    .blames(".timeout"),
];

/// Of the encryption towards clients.
pub(crate) const SERVER_TLS: [Rule; 2] = [
    Rule::of("self.mode != 'MUTUAL' || has(self.caCertificates)")
        .says(MUTUAL_WITHOUT_CA)
        .blames(".caCertificates"),
    Rule::of("self.mode == 'MUTUAL' || !has(self.caCertificates)")
        .says(CA_WITHOUT_MUTUAL)
        .blames(".caCertificates"),
];

/// Of a protocol's name: it is a part of the names of ports.
pub(crate) const PROTOCOL_NAME: [Rule; 1] = [Rule::of("self.matches('^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$')")
    .tells(
        "'\"' + self + '\" cannot stand in the name of a port; use letters, digits, and `-` between words'",
    )];
