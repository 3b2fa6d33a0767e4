//! What clients are told when the proxy answers in an endpoint's place.

use codec_api::{Cause, LocalReply, Out};

/// Longest text of such an answer, in bytes.
const MAX_TEXT: usize = 4096;

/// The word by which a program tells causes apart, and what stands before the text.
fn word(cause: Cause) -> &'static str {
    match cause {
        Cause::NoRoute => "NOROUTE",
        Cause::Misconfigured => "MISCONFIGURED",
        Cause::NoEndpoint => "NOENDPOINT",
        Cause::ConnectFailure => "CONNECTFAILURE",
        Cause::ConnectionLost => "CONNECTIONLOST",
        Cause::Timeout => "TIMEOUT",
        Cause::Overload => "OVERLOAD",
        Cause::RateLimited => "RATELIMITED",
        Cause::Denied => "NOPERM",
        Cause::TooLarge => "TOOLARGE",
        Cause::BadMessage => "BADMESSAGE",
        Cause::Unsupported => "ERR",
        Cause::Scattered => "CROSSSLOT Keys in request don't hash to the same slot:",
    }
}

/// Writes the error, without the end of its line.
pub(crate) fn put_error(reply: LocalReply<'_>, out: &mut Out) {
    out.put(b"-");
    out.put(word(reply.cause).as_bytes());
    out.put(b" ");
    put_text(reply.text, out);
}

/// Writes as much of a text as fits into a line.
pub(crate) fn put_text(text: &str, out: &mut Out) {
    let cut = text.floor_char_boundary(MAX_TEXT);
    let line: String = text[..cut].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    out.put(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_word_of_its_own_and_stays_on_one_line() {
        let mut words: Vec<_> = Cause::ALL.into_iter().map(word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Cause::ALL.len());
        let mut out = Out::new();
        put_error(LocalReply { cause: Cause::Timeout, text: "two\r\nlines" }, &mut out);
        assert_eq!(out.to_vec(), b"-TIMEOUT two  lines");
    }
}
