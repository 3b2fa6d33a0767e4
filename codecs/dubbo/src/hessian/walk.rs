//! Walks over hessian2 values without building them.
//!
//! The walk is a loop, not a recursion. Its state is two lists: the fields of each class defined so far, and, for
//! each container that is open, how many values it still awaits. Each step takes at least one byte, so a walk is
//! linear in the bytes, whatever they say.

use super::text::measure;
use super::value::{Parsed, int};
use crate::nest::{LIST, MAP_KEY, after_one, enter};

/// Classes that one message may define.
pub(crate) const MAX_CLASSES: usize = 1024;

/// Memory that walks reuse.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Number of fields of each class, in the order of definition.
    classes: Vec<u32>,
    /// What each open container awaits but for the innermost: a number of values, or a constant of [`nest`](crate::nest).
    pub(crate) open: Vec<u32>,
}

/// Stands before a value of a message.
#[derive(Debug)]
pub(crate) struct Walk<'a, 's> {
    rest: &'a [u8],
    /// Type names seen so far; later ones may be numbers that refer to them.
    types: u32,
    scratch: &'s mut Scratch,
}

impl<'a, 's> Walk<'a, 's> {
    /// Begins before the first value of `bytes`.
    pub(crate) fn new(bytes: &'a [u8], scratch: &'s mut Scratch) -> Self {
        scratch.classes.clear();
        Self { rest: bytes, types: 0, scratch }
    }

    /// What has not been walked over.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes a value that is parsed as a whole.
    #[inline]
    pub(crate) fn take<T>(&mut self, parse: impl FnOnce(&'a [u8]) -> Parsed<'a, T>) -> Option<T> {
        let (rest, value) = parse(self.rest).ok()?;
        self.rest = rest;
        Some(value)
    }

    /// Walks over one value, whatever it is and holds. `None`: it is malformed or goes beyond a limit; the place is
    /// then of no use any more.
    pub(crate) fn skip(&mut self) -> Option<()> {
        self.scratch.open.clear();
        let mut awaited = 1;
        loop {
            awaited = match awaited {
                0 => match self.scratch.open.pop() {
                    Some(outer) => outer,
                    None => return Some(()),
                },
                LIST | MAP_KEY if self.rest.first() == Some(&b'Z') => {
                    self.advance(1)?;
                    0
                }
                before => {
                    let inside = self.value()?;
                    let after = after_one(before);
                    enter(&mut self.scratch.open, inside, after)?
                }
            }
        }
    }

    /// Looks for the end of a map and goes over it. `Some(true)`: another entry comes before it.
    pub(crate) fn map_goes_on(&mut self) -> Option<bool> {
        if *self.rest.first()? != b'Z' {
            return Some(true);
        }
        self.advance(1)?;
        Some(false)
    }

    /// Enters a map. `Some(false)`: there is null in its place.
    pub(crate) fn map_begins(&mut self) -> Option<bool> {
        match self.byte()? {
            b'H' => Some(true),
            b'M' => self.type_name().map(|()| true),
            b'N' => Some(false),
            _ => None,
        }
    }

    /// Walks over a value, or over the head of a container; tells what is awaited inside.
    #[inline]
    fn value(&mut self) -> Option<u32> {
        loop {
            let tag = self.byte()?;
            return match tag {
                0x00..=0x1f | 0x30..=0x33 | b'S' | b'R' => self.text(tag),
                // Null, booleans, ints, longs and doubles of one byte.
                b'N' | b'T' | b'F' | 0x80..=0xbf | 0xd8..=0xef | 0x5b | 0x5c => Some(0),
                // Ints, longs, doubles with one, two, four or eight bytes behind the first; dates with four or eight.
                0xc0..=0xcf | 0xf0..=0xff | 0x5d => self.advance(1),
                0xd0..=0xd7 | 0x38..=0x3f | 0x5e => self.advance(2),
                b'I' | b'Y' | 0x5f | 0x4b => self.advance(4),
                b'L' | b'D' | 0x4a => self.advance(8),
                0x20..=0x2f | 0x34..=0x37 | b'A' | b'B' => self.binary(tag),
                b'C' => {
                    self.class()?;
                    continue;
                }
                0x60..=0x6f => self.fields(usize::from(tag - 0x60)),
                b'O' => {
                    let class = self.take(int)?;
                    self.fields(usize::try_from(class).ok()?)
                }
                // A number that refers to an earlier container.
                b'Q' => self.take(int).map(|_| 0),
                b'H' => Some(MAP_KEY),
                b'M' => self.type_name().map(|()| MAP_KEY),
                0x70..=0x77 => self.type_name().map(|()| u32::from(tag - 0x70)),
                0x78..=0x7f => Some(u32::from(tag - 0x78)),
                b'V' => {
                    self.type_name()?;
                    self.length()
                }
                b'X' => self.length(),
                b'U' => self.type_name().map(|()| LIST),
                b'W' => Some(LIST),
                _ => None,
            };
        }
    }

    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn short(&mut self) -> Option<usize> {
        let (first, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u16::from_be_bytes(*first).into())
    }

    /// Goes over `count` bytes; nothing is awaited inside them.
    #[inline]
    fn advance(&mut self, count: usize) -> Option<u32> {
        self.rest = self.rest.get(count..)?;
        Some(0)
    }

    /// Goes over the bytes of a text of so many UTF-16 units.
    #[inline]
    fn units(&mut self, units: usize) -> Option<u32> {
        let bytes = measure(self.rest, units)?;
        self.advance(bytes)
    }

    /// Goes over a text that begins with `tag`: up to 31 units, up to 1,023, or chunks.
    #[inline]
    fn text(&mut self, mut tag: u8) -> Option<u32> {
        loop {
            let units = match tag {
                0x00..=0x1f => tag.into(),
                0x30..=0x33 => usize::from(tag - 0x30) << 8 | usize::from(self.byte()?),
                b'S' | b'R' => self.short()?,
                _ => return None,
            };
            self.units(units)?;
            if tag != b'R' {
                return Some(0);
            }
            tag = self.byte()?;
        }
    }

    /// Goes over bytes that begin with `tag`: up to 15, up to 1,023, or chunks.
    fn binary(&mut self, mut tag: u8) -> Option<u32> {
        loop {
            let (length, last) = match tag {
                0x20..=0x2f => (usize::from(tag - 0x20), true),
                0x34..=0x37 => (usize::from(tag - 0x34) << 8 | usize::from(self.byte()?), true),
                b'A' | b'B' => (self.short()?, tag == b'B'),
                _ => return None,
            };
            self.advance(length)?;
            if last {
                return Some(0);
            }
            tag = self.byte()?;
        }
    }

    /// A class definition: its name, the number of its fields, their names.
    fn class(&mut self) -> Option<()> {
        if self.scratch.classes.len() == MAX_CLASSES {
            return None;
        }
        self.name()?;
        let fields = self.length()?;
        for _ in 0..fields {
            self.name()?;
        }
        self.scratch.classes.push(fields);
        Some(())
    }

    fn name(&mut self) -> Option<u32> {
        let tag = self.byte()?;
        self.text(tag)
    }

    fn fields(&self, class: usize) -> Option<u32> {
        self.scratch.classes.get(class).copied()
    }

    fn length(&mut self) -> Option<u32> {
        self.take(int).and_then(|length| u32::try_from(length).ok())
    }

    /// The name of a list's or map's type: a text, or a number that refers to an earlier one.
    fn type_name(&mut self) -> Option<()> {
        match self.rest.first()? {
            0x00..=0x1f | 0x30..=0x33 | b'S' | b'R' => {
                self.name()?;
                self.types += 1;
                Some(())
            }
            _ => self.length().filter(|number| *number < self.types).map(|_| ()),
        }
    }
}
