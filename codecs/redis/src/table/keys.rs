//! Where the keys of one request stand, as the table says of its command; and the part of a key that is hashed.

use std::ops::Range;

use super::{Begin, Find, Keys};
use crate::number::integer;

/// Calls `found` with the place of each key, in the order in which they are declared.
///
/// `args` are the places of all arguments, the command's name first; there are `count` of them. What the declaration
/// does not fit (a number that is none, more keys than arguments) has no keys: the server says what is wrong.
pub(crate) fn each_key(
    keys: &[Keys],
    bytes: &[u8],
    (count, args): (usize, impl Iterator<Item = Range<usize>> + Clone),
    mut found: impl FnMut(Range<usize>),
) {
    for one in keys {
        let mut rest = args.clone();
        let Some(begin) = one.begin(bytes, count, &mut rest) else { continue };
        match one.find {
            Find::Range { last, step, limit } => {
                let there = count - begin;
                let wanted = match (last, limit) {
                    (0.., _) => usize::from(last.unsigned_abs()) + 1,
                    (_, 2..) => there / usize::from(limit),
                    _ => (there + 1).saturating_sub(last.unsigned_abs().into()),
                };
                rest.take(wanted).step_by(step.max(1).into()).for_each(&mut found);
            }
            Find::Count { step } => {
                let number = rest.next().and_then(|at| integer(bytes.get(at)?));
                let Some(number) = number.and_then(|number| usize::try_from(number).ok()) else { continue };
                let step = usize::from(step.max(1));
                if number > 0 && number <= (count - begin - 1).div_ceil(step) {
                    rest.step_by(step).take(number).for_each(&mut found);
                }
            }
        }
    }
}

impl Keys {
    /// The number of arguments before the first one in question, which are taken.
    fn begin(
        &self,
        bytes: &[u8],
        count: usize,
        rest: &mut impl Iterator<Item = Range<usize>>,
    ) -> Option<usize> {
        match self.begin {
            Begin::At(index) => {
                let index = usize::from(index);
                rest.nth(index.checked_sub(1)?)?;
                (index < count).then_some(index)
            }
            Begin::Word(word, from) => {
                // From the end: only MIGRATE, which is refused.
                let from = usize::try_from(from).ok()?;
                let is_word = |at: Range<usize>| {
                    bytes.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
                };
                let place = rest.by_ref().skip(from).position(is_word)?;
                Some(from + place + 1).filter(|begin| *begin < count)
            }
        }
    }
}

/// The part of a key that is hashed: what stands between its first `{` and the next `}`, if that is not nothing; else
/// all of it. As Redis Cluster has it.
pub(crate) fn tag(key: &[u8]) -> Range<usize> {
    let open = memchr::memchr(b'{', key);
    let tag = open.and_then(|open| {
        let length = memchr::memchr(b'}', &key[open + 1..])?;
        (length > 0).then_some(open + 1..open + 1 + length)
    });
    tag.unwrap_or(0..key.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Command;

    /// The keys of a command given by its words.
    fn keys(command: &str) -> Vec<&str> {
        let name = command.split(' ').next().unwrap();
        let row = Command::named(name.as_bytes()).unwrap().row();
        let mut at = 0;
        let places: Vec<Range<usize>> = command
            .split(' ')
            .map(|word| {
                at += word.len() + 1;
                at - 1 - word.len()..at - 1
            })
            .collect();
        let mut found = Vec::new();
        let args = (places.len(), places.iter().cloned());
        each_key(row.keys, command.as_bytes(), args, |at| found.push(&command[at]));
        found
    }

    #[test]
    fn keys_are_where_the_table_says() {
        for (command, expected) in [
            ("GET a", &["a"][..]),
            ("GET", &[]),
            ("MGET a b c", &["a", "b", "c"]),
            ("MSET a 1 b 2", &["a", "b"]),
            ("MSETEX 2 a 1 b 2 EX 9", &["a", "b"]),
            ("BLPOP a b 0", &["a", "b"]),
            ("BITOP AND dest a b", &["dest", "a", "b"]),
            ("EVAL script 2 a b c", &["a", "b"]),
            ("EVAL script 0 c", &[]),
            ("EVAL script 3 a b", &[]),
            ("EVAL script x a b", &[]),
            ("EVAL script -1 a b", &[]),
            ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", &["d", "a", "b"]),
            ("SORT a BY p GET q STORE d", &["a", "d"]),
            ("SORT a STORE", &["a"]),
            ("GEORADIUS a 1 2 3 m STORE d", &["a", "d"]),
            ("XREAD COUNT 2 STREAMS a b 0 0", &["a", "b"]),
            ("XREAD COUNT 2", &[]),
            ("XREADGROUP GROUP streams c streams a >", &["a"]),
            ("LMPOP 2 a b LEFT", &["a", "b"]),
            ("LMOVEM a b LEFT RIGHT", &["a", "b"]),
            ("RENAME a b", &["a", "b"]),
            ("PFMERGE a", &["a"]),
            ("SSUBSCRIBE a b", &["a", "b"]),
        ] {
            assert_eq!(keys(command), expected, "{command}");
        }
    }

    #[test]
    fn only_the_first_tag_of_a_key_is_hashed() {
        for (key, expected) in [
            ("user:1", "user:1"),
            ("{user:1}:name", "user:1"),
            ("a{b}c{d}", "b"),
            ("a{}b{c}", "a{}b{c}"),
            ("a{b", "a{b"),
            ("a}b{c}", "c"),
            ("{{a}}", "{a"),
            ("", ""),
        ] {
            assert_eq!(&key[tag(key.as_bytes())], expected, "{key}");
        }
    }
}
