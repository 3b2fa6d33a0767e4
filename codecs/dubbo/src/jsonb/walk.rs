//! Walks over JSONB values without building them.
//!
//! Like the walk over hessian2, it is a loop whose only state is what each open container still awaits. Each step takes
//! at least one byte, so a walk is linear in the bytes, whatever they say. Names and types that are numbers refer to
//! earlier ones; nobody asks here what they refer to.

use nom::Parser;
use nom::bytes::complete::take;

use super::value::{Parsed, length, number, text};
use crate::nest::{LIST, MAP_KEY, after_one, enter};

/// The end of a map.
pub(crate) const END: u8 = 0xa5;
/// The start of a map.
pub(crate) const MAP: u8 = 0xa6;
/// A type's name stands before the value.
const TYPED: u8 = 0x92;
/// A name with a number by which it is called later, or such a number.
const SYMBOL: u8 = 0x7f;

/// Stands before a value.
#[derive(Debug)]
pub(crate) struct Walk<'a, 's> {
    rest: &'a [u8],
    open: &'s mut Vec<u32>,
}

impl<'a, 's> Walk<'a, 's> {
    /// Begins before the first value of `bytes`. `open` is memory that walks reuse.
    pub(crate) fn new(bytes: &'a [u8], open: &'s mut Vec<u32>) -> Self {
        Self { rest: bytes, open }
    }

    /// What has not been walked over.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes a value that is parsed as a whole.
    pub(crate) fn take<T>(&mut self, parse: impl FnOnce(&'a [u8]) -> Parsed<'a, T>) -> Option<T> {
        let (rest, value) = parse(self.rest).ok()?;
        self.rest = rest;
        Some(value)
    }

    /// Walks over one value, whatever it is and holds; tells whether it is a container. `None`: it is malformed or too
    /// deep; the place is then of no use any more.
    pub(crate) fn skip(&mut self) -> Option<bool> {
        self.open.clear();
        let mut awaited = 1;
        let mut is_container = false;
        loop {
            awaited = match awaited {
                0 => match self.open.pop() {
                    Some(outer) => outer,
                    None => return Some(is_container),
                },
                MAP_KEY if self.rest.first() == Some(&END) => {
                    self.advance(1)?;
                    0
                }
                before => {
                    let (inside, is_one) = self.value()?;
                    is_container |= is_one;
                    enter(self.open, inside, after_one(before))?
                }
            }
        }
    }

    /// Looks for the end of a map and goes over it. `Some(true)`: another entry comes before it.
    pub(crate) fn map_goes_on(&mut self) -> Option<bool> {
        if *self.rest.first()? != END {
            return Some(true);
        }
        self.advance(1)?;
        Some(false)
    }

    /// Enters a map, whatever its type. `Some(false)`: there is null in its place.
    pub(crate) fn map_begins(&mut self) -> Option<bool> {
        loop {
            match self.byte()? {
                MAP => return Some(true),
                super::value::NULL => return Some(false),
                TYPED => self.symbol()?,
                _ => return None,
            }
        }
    }

    /// Walks over a value, or over the head of a container; tells what is awaited inside, and whether it is one.
    fn value(&mut self) -> Option<(u32, bool)> {
        let mut is_typed = false;
        loop {
            let before = self.rest;
            let tag = self.byte()?;
            match tag {
                TYPED => {
                    self.symbol()?;
                    is_typed = true;
                    continue;
                }
                MAP => return Some((MAP_KEY, true)),
                0x94..=0xa3 => return Some((u32::from(tag - 0x94), true)),
                0xa4 => {
                    let items = self.take(length)?;
                    return Some((u32::try_from(items).ok().filter(|items| *items < LIST)?, true));
                }
                SYMBOL => self.symbol()?,
                // Null, booleans, the doubles 0 and 1.
                0xaf..=0xb3 => {}
                0x00..=0x48 | 0xbc..=0xff => {
                    self.rest = before;
                    self.take(number)?;
                }
                0x49..=0x7e => {
                    self.rest = before;
                    self.take(text)?;
                }
                // A character, a double, a float, a decimal and a big integer that are whole numbers.
                0x90 | 0xb4 | 0xb6 | 0xb8 | 0xba => {
                    self.take(number)?;
                }
                // Bytes; a big integer.
                0x91 | 0xbb => {
                    self.counted()?;
                }
                0x93 => {
                    self.take(text)?;
                }
                _ => self.moment_or_real(tag)?,
            }
            return Some((0, is_typed));
        }
    }

    /// Goes over what comes behind the tag of a time, a date, a double, a float or a decimal.
    fn moment_or_real(&mut self, tag: u8) -> Option<()> {
        match tag {
            // A time, a date with a time: their nanoseconds follow; a time in a zone: then its name.
            0xa7 => self.advance(3)?,
            0xa8 | 0xaa => self.advance(7)?,
            0xa9 | 0xac | 0xad | 0xb7 => return self.advance(4),
            0xab | 0xb5 => return self.advance(8),
            // Seconds and nanoseconds; the scale of a decimal and its digits.
            0xae | 0xb9 => {
                self.take(number)?;
            }
            _ => return None,
        }
        if tag == 0xb9 && self.rest.first() == Some(&0xbb) {
            self.advance(1)?;
            return self.counted();
        }
        self.take(number)?;
        if tag == 0xaa {
            self.take(text)?;
        }
        Some(())
    }

    /// Goes over a name and its number, or a number alone.
    fn symbol(&mut self) -> Option<()> {
        if self.rest.first().is_some_and(|tag| (0x49..=0x7e).contains(tag)) {
            self.take(text)?;
        }
        self.take(number).map(|_| ())
    }

    /// Goes over a length and as many bytes.
    fn counted(&mut self) -> Option<()> {
        let count = self.take(length)?;
        self.advance(count)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn advance(&mut self, count: usize) -> Option<()> {
        self.take(|input| take(count).parse_complete(input)).map(|_| ())
    }
}
