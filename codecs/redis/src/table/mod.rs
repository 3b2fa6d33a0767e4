//! What servers say of their commands: a static table, and how a command is found in it by its name.
//!
//! `commands.rs` is generated from servers; what this proxy does with each command is declared elsewhere, in `policy`.
//! A name is looked up by a perfect hash that reads at most sixteen of its bytes and is blind to their case.

mod commands;
mod keys;
mod slots;

use std::cmp::Ordering;

pub(crate) use commands::TABLE;
pub(crate) use keys::{each_key, tag};
use slots::{SHIFTS, SLOTS};

/// It changes data.
pub(crate) const WRITE: u8 = 1;
/// It may wait for data.
const BLOCKING: u8 = 2;
/// Servers refuse it in a transaction.
const NO_MULTI: u8 = 4;
/// It is meant for those who run servers.
const ADMIN: u8 = 8;

/// One command, or one subcommand of a container.
#[derive(Debug)]
pub(crate) struct Row {
    /// In upper case; subcommands as `CLIENT|SETNAME`.
    pub(crate) name: &'static str,
    /// Number of arguments, the name included; negative: at least as many.
    pub(crate) arity: i8,
    /// What it does.
    pub(crate) flags: u8,
    /// Where its keys stand.
    pub(crate) keys: &'static [Keys],
    /// Position of the one key, if that is all there is to `keys`; else 0.
    pub(crate) only_key: u8,
}

/// Keys that a command names in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keys {
    begin: Begin,
    find: Find,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// At this argument; the name is argument 0.
    At(u8),
    /// Behind this word, which is looked for from this argument on; negative: from so far from the end, backwards.
    Word(&'static str, i8),
}

/// Which of the arguments from there on are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Find {
    /// Each `step`th up to `last`, counted from the first; negative: from the end. A `limit` from 2 on: of what is
    /// there, one part in `limit`.
    Range { last: i8, step: u8, limit: u8 },
    /// As many as the number that stands here says, each `step`th behind it.
    Count { step: u8 },
}

const fn at(index: u8) -> Keys {
    range(index, 0, 1)
}

const fn range(index: u8, last: i8, step: u8) -> Keys {
    Keys { begin: Begin::At(index), find: Find::Range { last, step, limit: 0 } }
}

const fn count(index: u8) -> Keys {
    count_by(index, 1)
}

const fn count_by(index: u8, step: u8) -> Keys {
    Keys { begin: Begin::At(index), find: Find::Count { step } }
}

const fn word(word: &'static str, from: i8, last: i8, step: u8, limit: u8) -> Keys {
    Keys { begin: Begin::Word(word, from), find: Find::Range { last, step, limit } }
}

const fn row(name: &'static str, arity: i8, flags: u8, keys: &'static [Keys]) -> Row {
    let only_key = match keys {
        [Keys { begin: Begin::At(index), find: Find::Range { last: 0, .. } }] => *index,
        _ => 0,
    };
    Row { name, arity, flags, keys, only_key }
}

#[cfg(test)]
impl Row {
    /// Whether it may wait for data.
    pub(crate) fn may_wait(&self) -> bool {
        self.flags & BLOCKING != 0
    }

    /// Whether servers refuse it in a transaction.
    pub(crate) fn is_forbidden_in_transactions(&self) -> bool {
        self.flags & NO_MULTI != 0
    }
}

/// How many commands and subcommands there are.
pub(crate) const COUNT: usize = TABLE.len();

/// The place of a command in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Command(u16);

impl Command {
    /// The command at this place. A place beyond the table is none; the first command stands for it.
    #[inline]
    pub(crate) const fn new(place: usize) -> Self {
        Self(if place < COUNT { place as u16 } else { 0 })
    }

    /// Its place.
    #[inline]
    pub(crate) const fn place(self) -> usize {
        self.0 as usize
    }

    /// What is known of it.
    #[inline]
    pub(crate) fn row(self) -> &'static Row {
        &TABLE[self.place()]
    }

    /// The command of this name, in any case. Containers are found, their subcommands are not.
    #[inline]
    pub(crate) fn find(name: &[u8]) -> Option<Self> {
        Self::find_spelt(name).map(|(found, _)| found)
    }

    /// The same, and whether the name is spelt in upper case.
    #[inline]
    pub(crate) fn find_spelt(name: &[u8]) -> Option<(Self, bool)> {
        let hash = digest(name)?;
        let shift = u32::from(SHIFTS[(hash >> 57) as usize]);
        let slot = ((hash >> 32) as u32).wrapping_mul(2 * shift + 1) >> 23;
        let found = Self(SLOTS[slot as usize]);
        let known = found.row().name.as_bytes();
        if known == name {
            return Some((found, true));
        }
        known.eq_ignore_ascii_case(name).then_some((found, false))
    }

    /// The subcommand of this container with this name, in any case.
    pub(crate) fn subcommand(self, name: &[u8]) -> Option<Self> {
        let own = self.row().name;
        let start = TABLE.partition_point(|row| row.name <= own);
        // Between `CLUSTER` and `CLUSTER|…` stands `CLUSTERSCAN`.
        TABLE[start..]
            .iter()
            .take_while(|row| row.name.starts_with(own))
            .position(|row| {
                row.name[own.len()..]
                    .strip_prefix('|')
                    .is_some_and(|sub| sub.as_bytes().eq_ignore_ascii_case(name))
            })
            .map(|place| Self::new(start + place))
    }

    /// The command of this full name, `CLIENT|SETNAME` for a subcommand; for declarations that are read by the compiler.
    pub(crate) const fn named(name: &[u8]) -> Option<Self> {
        let (mut low, mut high) = (0, COUNT);
        while low < high {
            let middle = low.midpoint(high);
            match compare(TABLE[middle].name.as_bytes(), name) {
                Ordering::Equal => return Some(Self::new(middle)),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// The hash of a name, whatever its case; the generator of the table has the same. `None`: there is no name.
#[inline]
fn digest(name: &[u8]) -> Option<u64> {
    const MASK: u64 = 0xdfdf_dfdf_dfdf_dfdf;
    let (first, last): (u64, u64) = match name {
        [first, .., last] if name.len() < 4 => {
            let bytes = [*first, name[name.len() / 2], *last, 0];
            (u32::from_le_bytes(bytes).into(), 0)
        }
        [only] => (u32::from_le_bytes([*only, *only, *only, 0]).into(), 0),
        _ if name.len() < 8 => {
            let ends = (name.first_chunk()?, name.last_chunk()?);
            (u32::from_le_bytes(*ends.0).into(), u32::from_le_bytes(*ends.1).into())
        }
        _ => (u64::from_le_bytes(*name.first_chunk()?), u64::from_le_bytes(*name.last_chunk()?)),
    };
    let first = (first & MASK).wrapping_add(name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = first ^ (last & MASK).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    Some(mixed.wrapping_mul(0xd6e8_feb8_6659_fd93))
}

/// Which of two names comes first, for the compiler.
const fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let mut at = 0;
    while at < one.len() && at < other.len() {
        if one[at] != other[at] {
            return if one[at] < other[at] { Ordering::Less } else { Ordering::Greater };
        }
        at += 1;
    }
    match (at == one.len(), at == other.len()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// Values of the attributes `command` and `subcommand`: the name of each command, then the last part of each name.
pub(crate) static WORDS: [&str; 2 * COUNT] = words();

const fn words() -> [&'static str; 2 * COUNT] {
    let mut words = [""; 2 * COUNT];
    let mut place = 0;
    while place < COUNT {
        words[place] = TABLE[place].name;
        words[COUNT + place] = last_part(TABLE[place].name);
        place += 1;
    }
    words
}

const fn last_part(name: &'static str) -> &'static str {
    let mut at = name.len();
    while at > 0 && name.as_bytes()[at - 1] != b'|' {
        at -= 1;
    }
    name.split_at(at).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_by_its_name_in_any_case() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(Command::named(row.name.as_bytes()), Some(Command::new(place)));
            let mixed: String = row
                .name
                .chars()
                .enumerate()
                .map(|(at, c)| if at % 2 == 0 { c.to_ascii_lowercase() } else { c })
                .collect();
            for name in [row.name, &row.name.to_ascii_lowercase(), &mixed] {
                let found = match name.split_once('|') {
                    None => Command::find(name.as_bytes()),
                    Some((own, sub)) => {
                        Command::find(own.as_bytes()).and_then(|own| own.subcommand(sub.as_bytes()))
                    }
                };
                assert_eq!(found, Some(Command::new(place)), "{name}");
            }
        }
    }

    #[test]
    fn what_is_no_command_is_not_found() {
        for name in
            ["", "G", "GE", "GEТ", "GETT", "SUBSCRIBEX", "CLIENT|SETNAME", "\0\0\0", "HGETALLHGETALLHGETALL"]
        {
            assert_eq!(Command::find(name.as_bytes()), None, "{name}");
        }
        let client = Command::find(b"client").unwrap();
        assert_eq!(client.subcommand(b"nothing"), None);
    }

    #[test]
    fn the_table_is_sorted_and_each_subcommand_has_its_container() {
        assert!(TABLE.windows(2).all(|pair| pair[0].name < pair[1].name));
        for row in TABLE.iter().filter_map(|row| row.name.split_once('|')) {
            assert!(Command::find(row.0.as_bytes()).is_some(), "{row:?}");
        }
    }

    #[test]
    fn words_are_names_and_the_names_of_subcommands() {
        let setname = Command::named(b"CLIENT|SETNAME").unwrap().place();
        assert_eq!((WORDS[setname], WORDS[COUNT + setname]), ("CLIENT|SETNAME", "SETNAME"));
        assert_eq!(WORDS[COUNT + Command::named(b"GET").unwrap().place()], "GET");
    }
}
