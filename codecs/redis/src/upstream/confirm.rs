//! Subscriptions of one connection: which confirmations are to come, and how many there are.

use crate::number::{Line, line};
use crate::policy::{Subscribe, Topic};
use crate::reply::integer;

/// What a connection is subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    channels: u64,
    patterns: u64,
    shards: u64,
}

impl Counts {
    /// The server tells how many there are now: of channels and patterns together, or of shards' channels.
    pub(super) fn note(&mut self, topic: Topic, count: u64) {
        match topic {
            Topic::Channel => self.channels = count.saturating_sub(self.patterns),
            Topic::Pattern => self.patterns = count.saturating_sub(self.channels),
            Topic::Shard => self.shards = count,
        }
    }

    fn of(&self, topic: Topic) -> u64 {
        match topic {
            Topic::Channel => self.channels,
            Topic::Pattern => self.patterns,
            Topic::Shard => self.shards,
        }
    }
}

/// Confirmations of one command that are to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Confirm {
    pub(super) subscribe: Subscribe,
    /// How many. `None`: until none is left.
    left: Option<usize>,
}

impl Confirm {
    /// Those of a command with so many arguments, its name included.
    pub(super) fn new(subscribe: Subscribe, count: usize) -> Self {
        Self { subscribe, left: Some(count.saturating_sub(1)).filter(|left| *left > 0) }
    }

    /// One has come; whether it was the last.
    pub(super) fn is_last(&mut self, counts: &Counts) -> bool {
        match &mut self.left {
            Some(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            None => counts.of(self.subscribe.topic) == 0,
        }
    }
}

/// What an array or a push tells of subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Somebody published something.
    Message,
    /// One has begun or ended, and there are so many now.
    Count(Subscribe, u64),
}

/// What this reply tells of subscriptions, if anything.
pub(super) fn told(reply: &[u8]) -> Option<Told> {
    let Line::Number(3..=4, at) = line(reply, 1) else { return None };
    let (word, next) = string(reply, at)?;
    let subscribe = |topic, begins| Some(Subscribe { topic, begins });
    let subscribe = match word {
        b"message" | b"pmessage" | b"smessage" => return Some(Told::Message),
        b"subscribe" => subscribe(Topic::Channel, true),
        b"unsubscribe" => subscribe(Topic::Channel, false),
        b"psubscribe" => subscribe(Topic::Pattern, true),
        b"punsubscribe" => subscribe(Topic::Pattern, false),
        b"ssubscribe" => subscribe(Topic::Shard, true),
        b"sunsubscribe" => subscribe(Topic::Shard, false),
        _ => None,
    }?;
    let (_, next) = string(reply, next).or_else(|| null(reply, next))?;
    let count = integer(reply.get(next..)?)?;
    Some(Told::Count(subscribe, u64::try_from(count).ok()?))
}

/// The string that begins here, and where the next element does.
fn string(reply: &[u8], at: usize) -> Option<(&[u8], usize)> {
    if reply.get(at) != Some(&b'$') {
        return None;
    }
    let Line::Number(length @ 0.., start) = line(reply, at + 1) else { return None };
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    Some((reply.get(start..end)?, end + 2))
}

/// Nothing, where the name of a channel would stand.
fn null(reply: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = reply.get(at..)?;
    let length = [&b"$-1\r\n"[..], b"_\r\n"].into_iter().find(|null| rest.starts_with(null))?.len();
    Some((b"", at + length))
}
