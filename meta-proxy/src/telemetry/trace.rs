//! Trace ids, as requests carry them.
//!
//! Two forms are in use: W3C Trace Context (`traceparent`) and B3 (`b3`, or `X-B3-TraceId` alone). What is not written
//! exactly so has no trace id: a log that is searched by it must not hold what a client made up.

/// A trace id: 16 or 32 lower-case hexadecimal digits, not all of them 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId {
    digits: [u8; LONG],
    length: usize,
}

const SHORT: usize = 16;
const LONG: usize = 32;

impl TraceId {
    /// Attributes that may hold one, ASCII case-insensitively. The first that does counts.
    pub const NAMES: [&str; 3] = ["traceparent", "b3", "X-B3-TraceId"];

    /// The trace id in the value of `NAMES[place]`.
    pub fn read(place: usize, value: &[u8]) -> Option<Self> {
        match place {
            0 => of_traceparent(value),
            1 => of_b3(value),
            _ => Self::new(value),
        }
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.digits[..self.length]).unwrap_or_default()
    }

    fn new(digits: &[u8]) -> Option<Self> {
        if !matches!(digits.len(), SHORT | LONG) || !is_hex(digits) || is_zero(digits) {
            return None;
        }
        let mut id = Self { digits: [0; LONG], length: digits.len() };
        id.digits[..digits.len()].copy_from_slice(digits);
        Some(id)
    }
}

/// `VERSION-TRACE-PARENT-FLAGS`; versions to come may add more behind another `-`.
/// Source: <https://www.w3.org/TR/trace-context/#traceparent-header>.
fn of_traceparent(value: &[u8]) -> Option<TraceId> {
    let (version, trace) = (part(value, 0, 2)?, part(value, 3, LONG)?);
    let (parent, flags) = (part(value, 36, SHORT)?, part(value, 53, 2)?);
    let is_whole = value.len() == 55 || (version != b"00" && value[55] == b'-');
    let is_right = is_whole
        && [2, 35, 52].iter().all(|place| value[*place] == b'-')
        && [version, parent, flags].iter().all(|part| is_hex(part))
        && version != b"ff"
        && !is_zero(parent);
    TraceId::new(trace).filter(|id| is_right && id.length == LONG)
}

/// `TRACE-SPAN`, and then perhaps `-STATE` and `-PARENT`. Source: <https://github.com/openzipkin/b3-propagation#single-header>.
fn of_b3(value: &[u8]) -> Option<TraceId> {
    let mut parts = value.splitn(5, |byte| *byte == b'-');
    let (trace, span) = (parts.next()?, parts.next()?);
    let is_span = |span: &[u8]| span.len() == SHORT && is_hex(span) && !is_zero(span);
    let is_right = is_span(span)
        && parts.next().is_none_or(|state| matches!(state, b"0" | b"1" | b"d"))
        && parts.next().is_none_or(is_span)
        && parts.next().is_none();
    TraceId::new(trace).filter(|_| is_right)
}

fn part(value: &[u8], start: usize, length: usize) -> Option<&[u8]> {
    value.get(start..start + length)
}

fn is_hex(digits: &[u8]) -> bool {
    digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(digits: &[u8]) -> bool {
    digits.iter().all(|digit| *digit == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    /// What the value of each of the three attributes is taken for.
    fn read(value: &str) -> [Option<String>; 3] {
        [0, 1, 2].map(|place| TraceId::read(place, value.as_bytes()).map(|id| id.as_str().to_owned()))
    }

    #[test]
    fn a_trace_id_is_read_from_what_is_written_exactly_right() {
        let long = Some(TRACE.to_owned());
        assert_eq!(read(&format!("00-{TRACE}-{SPAN}-01")), [long.clone(), None, None]);
        assert_eq!(read(&format!("cc-{TRACE}-{SPAN}-01-more")), [long.clone(), None, None]);
        for tail in ["", "-0", "-1", "-d", &format!("-1-{SPAN}")] {
            assert_eq!(read(&format!("{TRACE}-{SPAN}{tail}")), [None, long.clone(), None], "{tail}");
        }
        assert_eq!(read(TRACE), [None, None, long]);
        let short = Some(SPAN.to_owned());
        assert_eq!(read(&format!("{SPAN}-{SPAN}")), [None, short.clone(), None]);
        assert_eq!(read(SPAN), [None, None, short]);
    }

    #[test]
    fn anything_else_has_no_trace_id() {
        let zeros = "0".repeat(32);
        let rows = [
            String::new(),
            "0".to_owned(),
            "-".repeat(55),
            zeros.clone(),
            TRACE.to_uppercase(),
            format!("{TRACE}0"),
            format!("{}g", &TRACE[1..]),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("cc-{TRACE}-{SPAN}-01more"),
            format!("00-{TRACE}-{SPAN}-0"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("{TRACE}-{SPAN}-2"),
            format!("{TRACE}-{SPAN}-1-{SPAN}-1"),
            format!("{TRACE}-{}", &SPAN[1..]),
            format!("00-{TRACE}-{SPAN}-01").repeat(1000),
            "größe".repeat(11),
        ];
        for row in rows {
            assert_eq!(read(&row), [None, None, None], "{row}");
        }
    }
}
