//! Durations as Kubernetes and Istio write them: `1s`, `1500ms`, `1h30m`, `0.5s`, `0`.
//!
//! Our own reader, because the usual ones accept negative durations and overflow in silence or with a panic.

use std::time::Duration;

/// The longest that is accepted: a year. Whatever is meant by more is a slip.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Units by their nanoseconds; longer names first where one begins with another.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a duration; the error says what would be right.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration; write one such as 10s, 1500ms or 1h30m");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let value: f64 = number.parse().map_err(|_| wrong())?;
        let part = Duration::try_from_secs_f64(value * *nanos as f64 / 1e9).map_err(|_| wrong())?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = after;
    }
    if total > LONGEST {
        return Err(format!("{text} is longer than a year; write 0s where there is to be no limit"));
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let rows = [
            ("0", 0),
            ("0s", 0),
            ("10s", 10_000),
            ("1500ms", 1500),
            ("1h30m", 5_400_000),
            ("0.5s", 500),
            ("1m0.25s", 60_250),
            ("1000us", 1),
        ];
        for (text, millis) in rows {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_without_a_panic() {
        for text in [
            "",
            "s",
            "10",
            "-1s",
            "+1s",
            "1d",
            "1 s",
            "1..2s",
            "1e3s",
            "10s5",
            "9999999999999h",
            ".s",
            "NaNs",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("9000h").unwrap_err().contains("longer than a year"));
    }
}
