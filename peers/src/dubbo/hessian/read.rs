//! Reads all forms of hessian2, with every length checked against what is left and nesting bounded.
//!
//! Strings are counted in UTF-16 units, as Java counts them: a character beyond U+FFFF is either two units of three
//! bytes each (Java) or one of four bytes that counts as two (other languages); both are understood.

use super::Value;
use crate::dubbo::malformed::Malformed;

/// Deepest nesting of lists, maps and objects that is read; more is refused.
pub const MAX_DEPTH: usize = 128;

/// Reads values from one message, front to back.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    classes: Vec<(String, Vec<String>)>,
    types: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Reads from the first byte of a message.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes, classes: Vec::new(), types: Vec::new() }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next value, of any kind.
    pub fn value(&mut self) -> Result<Value, Malformed> {
        self.nested(0)
    }

    /// The next value, which must be a string or null (`None`).
    pub fn text(&mut self) -> Result<Option<String>, Malformed> {
        match self.value()? {
            Value::Text(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            other => Err(Malformed::new(format!("a string was expected, not {other:?}"))),
        }
    }

    fn nested(&mut self, depth: usize) -> Result<Value, Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed::new(format!("values are nested deeper than {MAX_DEPTH}")));
        }
        let tag = self.byte()?;
        match tag {
            b'N' => Ok(Value::Null),
            b'T' => Ok(Value::Bool(true)),
            b'F' => Ok(Value::Bool(false)),
            0x80..=0xd7 | b'I' => self.int(tag).map(Value::Int),
            0xd8..=0xff | 0x38..=0x3f | b'L' | b'Y' => self.long(tag).map(Value::Long),
            b'D' | 0x5b..=0x5f => self.double(tag).map(Value::Double),
            0x4a => Ok(Value::Date(i64::from_be_bytes(self.array()?))),
            0x4b => Ok(Value::Date(i64::from(i32::from_be_bytes(self.array()?)) * 60_000)),
            0x00..=0x1f | 0x30..=0x33 | b'R' | b'S' => self.string(tag).map(Value::Text),
            0x20..=0x2f | 0x34..=0x37 | b'A' | b'B' => self.bytes(tag).map(Value::Bytes),
            0x55..=0x58 | 0x70..=0x7f => self.list(tag, depth),
            b'H' => Ok(Value::Map { class: None, entries: self.entries(depth)? }),
            b'M' => {
                let class = Some(self.type_name()?);
                Ok(Value::Map { class, entries: self.entries(depth)? })
            }
            b'C' => {
                self.class_definition()?;
                self.nested(depth + 1)
            }
            b'O' => {
                let number = self.length()?;
                self.object(number, depth)
            }
            0x60..=0x6f => self.object(usize::from(tag - 0x60), depth),
            b'Q' => self.length().map(Value::Reference),
            unknown => Err(Malformed::new(format!("{unknown:#04x} begins no hessian2 value"))),
        }
    }

    fn int(&mut self, tag: u8) -> Result<i32, Malformed> {
        Ok(match tag {
            0x80..=0xbf => i32::from(tag) - 0x90,
            0xc0..=0xcf => ((i32::from(tag) - 0xc8) << 8) + i32::from(self.byte()?),
            0xd0..=0xd7 => ((i32::from(tag) - 0xd4) << 16) + i32::from(u16::from_be_bytes(self.array()?)),
            b'I' => i32::from_be_bytes(self.array()?),
            other => return Err(Malformed::new(format!("{other:#04x} begins no integer"))),
        })
    }

    fn long(&mut self, tag: u8) -> Result<i64, Malformed> {
        Ok(match tag {
            0xd8..=0xef => i64::from(tag) - 0xe0,
            0xf0..=0xff => ((i64::from(tag) - 0xf8) << 8) + i64::from(self.byte()?),
            0x38..=0x3f => ((i64::from(tag) - 0x3c) << 16) + i64::from(u16::from_be_bytes(self.array()?)),
            b'Y' => i64::from(i32::from_be_bytes(self.array()?)),
            _ => i64::from_be_bytes(self.array()?),
        })
    }

    fn double(&mut self, tag: u8) -> Result<f64, Malformed> {
        Ok(match tag {
            0x5b => 0.0,
            0x5c => 1.0,
            0x5d => f64::from(i8::from_be_bytes(self.array()?)),
            0x5e => f64::from(i16::from_be_bytes(self.array()?)),
            // Thousandths, as Java's library reads and writes it; the format's text says a 32-bit float.
            0x5f => f64::from(i32::from_be_bytes(self.array()?)) * 0.001,
            _ => f64::from_be_bytes(self.array()?),
        })
    }

    fn string(&mut self, mut tag: u8) -> Result<String, Malformed> {
        let mut units = Vec::new();
        loop {
            let (count, last) = match tag {
                0x00..=0x1f => (usize::from(tag), true),
                0x30..=0x33 => ((usize::from(tag - 0x30) << 8) + usize::from(self.byte()?), true),
                b'R' | b'S' => (usize::from(u16::from_be_bytes(self.array()?)), tag == b'S'),
                other => return Err(Malformed::new(format!("{other:#04x} does not go on with a string"))),
            };
            self.units(count, &mut units)?;
            if last {
                return String::from_utf16(&units)
                    .map_err(|_| Malformed::new("a string with half a character"));
            }
            tag = self.byte()?;
        }
    }

    fn units(&mut self, count: usize, units: &mut Vec<u16>) -> Result<(), Malformed> {
        if count > self.rest.len() {
            return Err(Malformed::new(format!("a string of {count} in {} bytes", self.rest.len())));
        }
        let end = units.len() + count;
        while units.len() < end {
            let first = self.byte()?;
            let (mut point, more) = match first {
                0x00..=0x7f => (u32::from(first), 0),
                0xc0..=0xdf => (u32::from(first & 0x1f), 1),
                0xe0..=0xef => (u32::from(first & 0x0f), 2),
                0xf0..=0xf7 => (u32::from(first & 0x07), 3),
                _ => return Err(Malformed::new(format!("{first:#04x} begins no character"))),
            };
            for _ in 0..more {
                let next = self.byte()?;
                if next & 0xc0 != 0x80 {
                    return Err(Malformed::new(format!("{next:#04x} does not go on with a character")));
                }
                point = (point << 6) | u32::from(next & 0x3f);
            }
            if let Ok(unit) = u16::try_from(point) {
                units.push(unit);
            } else {
                let wide = char::from_u32(point).ok_or_else(|| Malformed::new("no such character"))?;
                units.extend_from_slice(wide.encode_utf16(&mut [0; 2]));
            }
        }
        if units.len() == end { Ok(()) } else { Err(Malformed::new("a string that ends inside a character")) }
    }

    fn bytes(&mut self, mut tag: u8) -> Result<Vec<u8>, Malformed> {
        let mut bytes = Vec::new();
        loop {
            let (count, last) = match tag {
                0x20..=0x2f => (usize::from(tag - 0x20), true),
                0x34..=0x37 => ((usize::from(tag - 0x34) << 8) + usize::from(self.byte()?), true),
                b'A' | b'B' => (usize::from(u16::from_be_bytes(self.array()?)), tag == b'B'),
                other => return Err(Malformed::new(format!("{other:#04x} does not go on with bytes"))),
            };
            bytes.extend_from_slice(self.take(count)?);
            if last {
                return Ok(bytes);
            }
            tag = self.byte()?;
        }
    }

    fn list(&mut self, tag: u8, depth: usize) -> Result<Value, Malformed> {
        let class = match tag {
            b'U' | b'V' | 0x70..=0x77 => Some(self.type_name()?),
            _ => None,
        };
        let length = match tag {
            b'V' | b'X' => Some(self.length()?),
            0x70..=0x7f => Some(usize::from(tag & 0x07)),
            _ => None,
        };
        let mut items = Vec::new();
        match length {
            Some(length) => {
                for _ in 0..length {
                    items.push(self.nested(depth + 1)?);
                }
            }
            None => {
                while !self.ends()? {
                    items.push(self.nested(depth + 1)?);
                }
            }
        }
        Ok(Value::List { class, items })
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(Value, Value)>, Malformed> {
        let mut entries = Vec::new();
        while !self.ends()? {
            entries.push((self.nested(depth + 1)?, self.nested(depth + 1)?));
        }
        Ok(entries)
    }

    /// Whether the next byte ends a list or map; takes it if so.
    fn ends(&mut self) -> Result<bool, Malformed> {
        match self.rest.split_first() {
            Some((b'Z', rest)) => {
                self.rest = rest;
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Err(Malformed::new("a list or map without an end")),
        }
    }

    fn class_definition(&mut self) -> Result<(), Malformed> {
        let class = self.name()?;
        let count = self.length()?;
        let mut fields = Vec::new();
        for _ in 0..count {
            fields.push(self.name()?);
        }
        self.classes.push((class, fields));
        Ok(())
    }

    fn object(&mut self, number: usize, depth: usize) -> Result<Value, Malformed> {
        let known = self.classes.get(number).cloned();
        let (class, names) =
            known.ok_or_else(|| Malformed::new(format!("class {number} was never defined")))?;
        let mut fields = Vec::new();
        for name in names {
            fields.push((name, self.nested(depth + 1)?));
        }
        Ok(Value::Object { class, fields })
    }

    fn type_name(&mut self) -> Result<String, Malformed> {
        let tag = self.byte()?;
        if matches!(tag, 0x00..=0x1f | 0x30..=0x33 | b'R' | b'S') {
            let name = self.string(tag)?;
            self.types.push(name.clone());
            return Ok(name);
        }
        let number = usize::try_from(self.int(tag)?).ok();
        let known = number.and_then(|number| self.types.get(number)).cloned();
        known.ok_or_else(|| Malformed::new("a type that was never named"))
    }

    fn name(&mut self) -> Result<String, Malformed> {
        let tag = self.byte()?;
        self.string(tag)
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        let tag = self.byte()?;
        usize::try_from(self.int(tag)?).map_err(|_| Malformed::new("a negative length"))
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) =
            self.rest.split_first().ok_or_else(|| Malformed::new("the body ends too soon"))?;
        self.rest = rest;
        Ok(first)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (first, rest) =
            self.rest.split_first_chunk().ok_or_else(|| Malformed::new("the body ends too soon"))?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (first, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| Malformed::new("the body ends too soon"))?;
        self.rest = rest;
        Ok(first)
    }
}
