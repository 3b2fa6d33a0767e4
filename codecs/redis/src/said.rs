//! Answers that the proxy gives word for word as Redis does, because clients and people know them.

use crate::table::Command;

/// A fixed answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Said {
    /// It was done.
    Ok = 1,
    /// It is part of the transaction.
    Queued,
    /// The client has not authenticated.
    NoAuth,
    /// User or password is wrong.
    WrongPass,
    /// `MULTI` in a transaction.
    Nested,
    /// `WATCH` in a transaction.
    WatchInside,
    /// `EXEC` without one.
    ExecWithout,
    /// `DISCARD` without one.
    DiscardWithout,
    /// `EXEC` of a transaction of which nothing was sent.
    ExecNothing,
    /// `DISCARD` of a transaction of which nothing was sent.
    DiscardNothing,
    /// A number of arguments that the command does not have.
    Arity,
    /// Arguments that the command does not have.
    Syntax,
    /// No integer.
    NotInteger,
    /// No database.
    DbRange,
    /// `HELLO` with a version that is no number.
    VersionNotInteger,
    /// `HELLO` with a version that there is not.
    NoProto,
    /// A name with blanks or control characters.
    BadName,
    /// `CLIENT SETINFO` with blanks or control characters.
    BadInfo,
    /// Credentials or a name longer than this proxy keeps.
    TooLong,
    /// `HELLO` before the client has authenticated.
    HelloAuthFirst,
}

/// All of them, in declaration order, and what they say.
const ALL: [(Said, &str); 20] = [
    (Said::Ok, "+OK"),
    (Said::Queued, "+QUEUED"),
    (Said::NoAuth, "-NOAUTH Authentication required."),
    (Said::WrongPass, "-WRONGPASS invalid username-password pair or user is disabled."),
    (Said::Nested, "-ERR MULTI calls can not be nested"),
    (Said::WatchInside, "-ERR WATCH inside MULTI is not allowed"),
    (Said::ExecWithout, "-ERR EXEC without MULTI"),
    (Said::DiscardWithout, "-ERR DISCARD without MULTI"),
    (Said::ExecNothing, "*0"),
    (Said::DiscardNothing, "+OK"),
    (Said::Arity, "-ERR wrong number of arguments for"),
    (Said::Syntax, "-ERR syntax error"),
    (Said::NotInteger, "-ERR value is not an integer or out of range"),
    (Said::DbRange, "-ERR DB index is out of range"),
    (Said::VersionNotInteger, "-ERR Protocol version is not an integer or out of range"),
    (Said::NoProto, "-NOPROTO unsupported protocol version"),
    (Said::BadName, "-ERR Client names cannot contain spaces, newlines or special characters."),
    (Said::BadInfo, "-ERR CLIENT SETINFO values cannot contain spaces, newlines or special characters."),
    (Said::TooLong, "-ERR this proxy keeps no name, user or password of that length"),
    (
        Said::HelloAuthFirst,
        "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> \
         <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
    ),
];

/// The answer to `EXEC` of a transaction in which something was refused.
pub(crate) const EXEC_ABORT: &str = "-EXECABORT Transaction discarded because of previous errors.";

impl Said {
    /// The answer of this number.
    pub(crate) fn of(number: u8) -> Option<Self> {
        ALL.get(usize::from(number).checked_sub(1)?).map(|(said, _)| *said)
    }

    /// Its line, without the end.
    pub(crate) fn text(self) -> &'static str {
        ALL[self as usize - 1].1
    }

    /// Whether it is an error.
    pub(crate) fn is_error(self) -> bool {
        self.text().starts_with('-')
    }

    /// Writes it in answer to this command.
    pub(crate) fn put(self, command: Command, out: &mut codec_api::Out) {
        out.put(self.text().as_bytes());
        if self == Self::Arity {
            out.put(format!(" '{}' command", command.row().name.to_ascii_lowercase()).as_bytes());
        }
        out.put(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_found_by_its_number() {
        for (place, (said, text)) in ALL.into_iter().enumerate() {
            assert_eq!(Said::of(place as u8 + 1), Some(said));
            assert_eq!(said as usize, place + 1);
            assert_eq!(said.text(), text);
        }
        assert_eq!(Said::of(0), None);
        assert_eq!(Said::of(ALL.len() as u8 + 1), None);
    }
}
