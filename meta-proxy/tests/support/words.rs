//! What method names ask for, as words between `+`: `pin`, `keys:a,b+write`, `timed:5`.
//!
//! In requests: `pin`, `unpin`, `alone`, `private`, `last`, `session:NAME`, `own`, `reset`, `quit`, `keys:a,b`, `all`,
//! `home`, `sole`, `write`, `timed:SECONDS`, `prepared` (something must be answered before it), `unwritable`,
//! `whole` (cannot be split). In responses: `more`, `unpin`. Other words mean nothing.

use std::time::Duration;

use codec_api::{Affinity, Cause, Kind, Message, Refusal, Shares, Span, Spread};

/// The context of a request that is `prepared`.
pub const PREPARED: u64 = 7;

/// Whether `method` has this word.
pub fn has(method: &str, word: &str) -> bool {
    method.split('+').any(|known| known == word)
}

/// What stands behind `word:`.
pub fn value<'a>(method: &'a str, word: &str) -> Option<&'a str> {
    method.split('+').find_map(|known| known.strip_prefix(word)?.strip_prefix(':'))
}

/// Lets a message do what its method says.
pub fn apply(method: &str, message: &mut Message) {
    for word in method.split('+') {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        let flow = &mut message.flow;
        match name {
            "pin" => flow.affinity = Affinity::Pin,
            "unpin" => flow.affinity = Affinity::Unpin,
            "alone" => flow.affinity = Affinity::Alone,
            "private" => flow.affinity = Affinity::Private,
            "last" => flow.affinity = Affinity::LastWrite,
            "session" => flow.affinity = Affinity::Session,
            "reset" => (message.kind, flow.affinity) = (Kind::Own, Affinity::Unpin),
            "own" | "quit" => message.kind = Kind::Own,
            "keys" => flow.spread = Spread::Keys,
            "all" => flow.spread = Spread::All,
            "home" => flow.spread = Spread::Home,
            "sole" => flow.spread = Spread::Sole,
            "write" => flow.writes = true,
            "more" => flow.more = true,
            "timed" => flow.time = value.parse().ok().map(Duration::from_secs),
            "prepared" => message.context = PREPARED,
            _ => {}
        }
    }
}

/// Where the keys of `method` stand, which begins at `start`.
pub fn keys(method: &str, start: usize, keys: &mut Vec<Span>) {
    let Some(list) = value(method, "keys") else { return };
    let mut at = start + (list.as_ptr().addr() - method.as_ptr().addr());
    for key in list.split(',') {
        keys.push(Span::new(at, at + key.len()));
        at += key.len() + 1;
    }
}

/// The method of one share.
pub fn share(method: &str, shares: Shares<'_>, share: u16) -> Result<String, Refusal> {
    if has(method, "whole") {
        return Err(Refusal { cause: Cause::Scattered, text: "it cannot be split".to_owned() });
    }
    let all = value(method, "keys").unwrap_or_default();
    let of_share = all.split(',').zip(shares.of_key).filter(|(_, owner)| **owner == share);
    let keys: Vec<_> = of_share.map(|(key, _)| key).collect();
    Ok(method.replace(&format!("keys:{all}"), &format!("keys:{}", keys.join(","))))
}

/// One answer of several: with one item for each key, in order, or all of them one behind the other.
pub fn merge(shares: Shares<'_>, answers: &[String]) -> String {
    if shares.of_key.is_empty() {
        return answers.join("|");
    }
    let mut items: Vec<_> = answers.iter().map(|answer| answer.split(',')).collect();
    let item = |owner: &u16| {
        let owner = usize::from(*owner);
        if answers[owner].starts_with('!') { Some(&*answers[owner]) } else { items[owner].next() }
    };
    let merged: Vec<_> = shares.of_key.iter().map(item).map(|item| item.unwrap_or("?")).collect();
    merged.join(",")
}
