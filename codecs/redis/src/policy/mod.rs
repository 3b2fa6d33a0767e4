//! What this proxy does with each command: one policy for each, declared by hand in `rules.rs` and joined with the table
//! by the compiler, which also refuses a missing, a second, and a misspelt one.

mod rules;
mod describe;

use rules::RULES;

use crate::table::{COUNT, Command, TABLE, WRITE};
pub use describe::{Described, commands};

/// Which way a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To where its keys live; all of them must live on one endpoint. Without keys: home.
    Key,
    /// To where its keys live; split where that is several endpoints, and merged.
    Split(Merge),
    /// To any endpoint.
    One,
    /// To the only endpoint; refused where there are several.
    Sole,
    /// To the one endpoint that all clients find without a key.
    Home,
    /// To each endpoint, and merged.
    All(Merge),
    /// To the only endpoint, on a connection of its own, since those that are shared wait for what it is to end.
    Apart,
    /// To where its keys live, on a connection of its own, for as long as it says itself.
    Block(Wait),
    /// After the client's last writes, on their connections.
    LastWrite(Wait),
    /// Answered by the proxy.
    Own(Own),
    /// Changes what connections the client's commands may travel on.
    Session(Session),
    /// A part of a transaction.
    Transaction(Transaction),
    /// Begins or ends a subscription.
    Subscribe(Subscribe),
    /// Begins, or ends, something that the server keeps for a connection: the client has one of its own while it lasts.
    Hold(Hold),
    /// Has subcommands, and means nothing without one.
    Container,
    /// Refused, for this reason.
    Refuse(&'static str),
}

/// How the responses of several endpoints become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// The sum of their integers.
    Sum,
    /// The least of their integers; of arrays of integers, place by place.
    Least,
    /// The first of them, if none is an error.
    First,
    /// The values that each has for its keys, in the order of the keys.
    Values,
    /// All their elements, one array behind the other.
    Concat,
}

/// Where a command says how long it may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Its last argument, in seconds.
    Last,
    /// This argument, in seconds.
    Seconds(u8),
    /// This argument, in milliseconds.
    Millis(u8),
    /// Behind the word `BLOCK`, in milliseconds; without that word it does not wait.
    Block,
    /// Nowhere that is known: for ever.
    Unknown,
}

/// What the proxy answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    /// `PING`.
    Ping,
    /// `QUIT`.
    Quit,
    /// `RESET`.
    Reset,
    /// `CLIENT SETNAME`.
    SetName,
    /// `CLIENT GETNAME`.
    GetName,
    /// `CLIENT SETINFO`.
    SetInfo,
    /// `CLIENT ID`.
    Id,
    /// `CLIENT INFO`.
    Info,
    /// `CLIENT REPLY`.
    Reply,
    /// `CLIENT CAPA`.
    Capa,
}

/// Commands that change the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    /// `SELECT`.
    Select,
    /// `AUTH`.
    Auth,
    /// `HELLO`.
    Hello,
}

/// Commands of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// `MULTI`.
    Multi,
    /// `EXEC`.
    Exec,
    /// `DISCARD`.
    Discard,
    /// `WATCH`.
    Watch,
    /// `UNWATCH`.
    Unwatch,
}

/// Commands of subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subscribe {
    /// What is subscribed to.
    pub(crate) topic: Topic,
    /// Whether it begins a subscription, or ends one.
    pub(crate) begins: bool,
}

/// What can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Channels.
    Channel,
    /// Patterns of channels.
    Pattern,
    /// Channels that live where a key of their name does.
    Shard,
}

/// What a server keeps for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// `MONITOR`.
    Monitor,
    /// `CLIENT TRACKING`.
    Tracking,
    /// `CLIENT NO-EVICT`.
    NoEvict,
    /// `CLIENT NO-TOUCH`.
    NoTouch,
}

/// What is declared of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Which way it takes.
    pub(crate) way: Way,
    /// It changes data, though servers do not flag it so.
    pub(crate) writes: bool,
}

/// The policy of each command, in the order of the table.
static POLICIES: [Policy; COUNT] = match join(RULES) {
    Ok(policies) => policies,
    Err(why) => panic!("{}", why),
};

/// What most requests need to know of their command, in the order of the table.
static PLAIN: [Plain; COUNT] = plain();

/// What is known of a command that takes one key, its first argument, and goes to where that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    /// It is such a command, and changes nothing.
    Reads,
    /// It is such a command, and changes data.
    Writes,
    /// It is another one.
    Other,
}

const fn plain() -> [Plain; COUNT] {
    let mut plain = [Plain::Other; COUNT];
    let mut place = 0;
    while place < COUNT {
        let (policy, row) = (POLICIES[place], &TABLE[place]);
        if matches!(policy.way, Way::Key) && row.only_key == 1 {
            plain[place] = if policy.writes || row.flags & WRITE != 0 { Plain::Writes } else { Plain::Reads };
        }
        place += 1;
    }
    plain
}

impl Command {
    /// Whether it is one of those that most requests are.
    #[inline]
    pub(crate) fn plain(self) -> Plain {
        PLAIN[self.place()]
    }

    /// What is declared of it.
    #[inline]
    pub(crate) fn policy(self) -> Policy {
        POLICIES[self.place()]
    }
}

/// Gives each command of the table its policy. The error is the compiler's.
const fn join(rules: &[(&str, Policy)]) -> Result<[Policy; COUNT], &'static str> {
    let mut policies = [None; COUNT];
    let mut rule = 0;
    while rule < rules.len() {
        let (names, policy) = rules[rule];
        let mut rest = names.as_bytes();
        while let Some((name, behind)) = next_word(rest) {
            rest = behind;
            let Some(command) = Command::named(name) else {
                return Err("a rule names a command that is not in the table");
            };
            if policies[command.place()].is_some() {
                return Err("a command has two policies");
            }
            policies[command.place()] = Some(policy);
        }
        rule += 1;
    }
    let mut joined = [Policy { way: Way::Container, writes: false }; COUNT];
    let mut place = 0;
    while place < COUNT {
        let Some(policy) = policies[place] else { return Err("a command has no policy") };
        joined[place] = policy;
        place += 1;
    }
    Ok(joined)
}

/// The first word of a text, and what stands behind it.
const fn next_word(mut text: &[u8]) -> Option<(&[u8], &[u8])> {
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    let mut end = 0;
    while end < text.len() && text[end] != b' ' {
        end += 1;
    }
    let (word, rest) = text.split_at(end);
    if word.is_empty() { None } else { Some((word, rest)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_exactly_one_policy() {
        assert!(join(RULES).is_ok());
        for (place, _) in RULES.iter().enumerate() {
            let without = [&RULES[..place], &RULES[place + 1..]].concat();
            assert_eq!(join(&without), Err("a command has no policy"));
        }
        let twice = [RULES, &[("GET", RULES[0].1)]].concat();
        assert_eq!(join(&twice), Err("a command has two policies"));
        let misspelt = [RULES, &[("GETT", RULES[0].1)]].concat();
        assert_eq!(join(&misspelt), Err("a rule names a command that is not in the table"));
    }

    #[test]
    fn a_policy_fits_what_servers_say_of_the_command() {
        for (place, row) in TABLE.iter().enumerate() {
            let way = Command::new(place).policy().way;
            let has_keys = !row.keys.is_empty();
            let name = row.name;
            match way {
                Way::Key | Way::Split(_) | Way::Block(_) => assert!(has_keys, "{name} has no keys"),
                Way::One | Way::Home | Way::All(_) | Way::Own(_) | Way::Session(_) | Way::LastWrite(_) => {
                    assert!(!has_keys, "{name} has keys");
                }
                Way::Refuse(reason) => assert!(!reason.is_empty(), "{name} is refused without a reason"),
                _ => {}
            }
            let may_wait = matches!(way, Way::Block(_) | Way::LastWrite(_));
            assert_eq!(row.may_wait(), may_wait, "{name}");
            let has_subs = TABLE.iter().any(|sub| sub.name.starts_with(&format!("{name}|")));
            assert_eq!(way == Way::Container, has_subs && name != "COMMAND", "{name}");
            if row.is_forbidden_in_transactions() {
                assert!(matches!(way, Way::Refuse(_)), "{name}");
            }
        }
    }
}
