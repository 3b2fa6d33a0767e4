//! The policies in words, for documentation and for tools.

use super::{Hold, Merge, Own, Session, Topic, Transaction, Wait, Way};
use crate::table::{Command, TABLE, WRITE};

/// A command and what this proxy does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its name in upper case; a subcommand as `CLIENT SETNAME`.
    pub name: String,
    /// The policy in a few words, the same for all commands that have it.
    pub policy: &'static str,
    /// What there is to say beyond the policy: how answers are merged, why it is refused.
    pub detail: &'static str,
    /// Whether it is refused.
    pub refused: bool,
    /// Whether it changes data: a route may mirror nothing else.
    pub writes: bool,
}

/// All commands, by name.
pub fn commands() -> impl Iterator<Item = Described> {
    TABLE.iter().enumerate().map(|(place, row)| {
        let policy = Command::new(place).policy();
        let (words, detail) = words(policy.way);
        Described {
            name: row.name.replace('|', " "),
            policy: words,
            detail,
            refused: matches!(policy.way, Way::Refuse(_)),
            writes: policy.writes || row.flags & WRITE != 0,
        }
    })
}

fn words(way: Way) -> (&'static str, &'static str) {
    match way {
        Way::Key => ("by key", ""),
        Way::Split(merge) => ("by key, split", merged(merge)),
        Way::One => ("any endpoint", ""),
        Way::Sole => ("the only endpoint", "refused where keys are spread over several"),
        Way::Home => ("home endpoint", ""),
        Way::All(merge) => ("all endpoints", merged(merge)),
        Way::Apart => {
            ("the only endpoint", "on a connection of its own; refused where keys are spread over several")
        }
        Way::Block(wait) => ("by key, blocking", waits(wait)),
        Way::LastWrite(wait) => ("behind the last writes", waits(wait)),
        Way::Own(own) => ("answered by the proxy", answered(own)),
        Way::Session(session) => ("session", changed(session)),
        Way::Transaction(part) => ("transaction", takes_part(part)),
        Way::Subscribe(subscribe) => match subscribe.topic {
            Topic::Channel | Topic::Pattern => ("subscription", "at the home endpoint"),
            Topic::Shard => ("subscription", "where a key of the channel's name lives"),
        },
        Way::Hold(hold) => ("own connection", held(hold)),
        Way::Container => ("only with a subcommand", ""),
        Way::Refuse(reason) => ("refused", reason),
    }
}

fn merged(merge: Merge) -> &'static str {
    match merge {
        Merge::Sum => "answers are added up",
        Merge::Least => "the least answer",
        Merge::First => "one answer, if none is an error",
        Merge::Values => "values in the order of the keys",
        Merge::Concat => "all elements in one array",
    }
}

fn waits(wait: Wait) -> &'static str {
    match wait {
        Wait::Last => "as long as its last argument says",
        Wait::Seconds(_) | Wait::Millis(_) => "as long as its timeout says",
        Wait::Block => "with BLOCK, as long as it says",
        Wait::Unknown => "as long as the server lets it",
    }
}

fn answered(own: Own) -> &'static str {
    match own {
        Own::Ping => "sent on inside a transaction, and where the client has a connection of its own",
        Own::Quit => "",
        Own::Reset => "the client's own connections are closed",
        Own::SetName | Own::GetName | Own::SetInfo | Own::Id | Own::Info => {
            "kept by the proxy; servers do not see it"
        }
        Own::Reply => "answers are dropped by the proxy",
        Own::Capa => "without effect: the proxy follows no redirection",
    }
}

fn changed(session: Session) -> &'static str {
    match session {
        Session::Select => "the client's next commands use connections of that database",
        Session::Auth => "the client's next commands use connections of that user",
        Session::Hello => "the client's next commands use connections of that protocol version",
    }
}

fn takes_part(part: Transaction) -> &'static str {
    match part {
        Transaction::Multi => "sent with the first command that follows",
        Transaction::Exec | Transaction::Discard | Transaction::Unwatch => "the connection goes back",
        Transaction::Watch => "by key; from here on the client has a connection of its own",
    }
}

fn held(hold: Hold) -> &'static str {
    match hold {
        Hold::Monitor => "to the only endpoint, until the client leaves",
        Hold::Tracking => "to the only endpoint, until OFF; needs RESP3, and REDIRECT is refused",
        Hold::NoEvict | Hold::NoTouch => "to the only endpoint, until OFF",
    }
}
