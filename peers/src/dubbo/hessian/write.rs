//! Writes hessian2 in the compact forms that Java's library chooses.
//!
//! One writer per message: class definitions and type names are written out once and referred to by number after
//! that, as the format asks.

use super::Value;

/// Longest chunk of a string, in UTF-16 units, and of a byte array, in bytes.
const CHUNK: usize = 0x8000;

/// Writes one message; remembers which classes and types the message already defined.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    classes: Vec<(String, Vec<String>)>,
    types: Vec<String>,
}

impl Writer {
    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Writes one value of any kind. Nesting is the caller's, who builds values that fit the stack.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.out.push(b'N'),
            Value::Bool(truth) => self.out.push(if *truth { b'T' } else { b'F' }),
            Value::Int(number) => self.int(*number),
            Value::Long(number) => self.long(*number),
            Value::Double(number) => self.double(*number),
            Value::Date(millis) => {
                self.out.push(0x4a);
                self.out.extend_from_slice(&millis.to_be_bytes());
            }
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::List { class, items } => self.list(class.as_deref(), items),
            Value::Map { class, entries } => self.map(class.as_deref(), entries),
            Value::Object { class, fields } => self.object(class, fields),
            Value::Reference(number) => {
                self.out.push(b'Q');
                self.length(*number);
            }
            Value::Raw(bytes) => self.out.extend_from_slice(bytes),
        }
    }

    /// Writes a string; longer ones than 32,768 UTF-16 units in chunks.
    pub fn text(&mut self, text: &str) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut rest = units.as_slice();
        while rest.len() > CHUNK {
            let high_surrogate_at_the_end = (0xd800..0xdc00).contains(&rest[CHUNK - 1]);
            let (chunk, after) = rest.split_at(if high_surrogate_at_the_end { CHUNK - 1 } else { CHUNK });
            self.out.push(b'R');
            self.out.extend_from_slice(&(chunk.len() as u16).to_be_bytes());
            self.units(chunk);
            rest = after;
        }
        match rest.len() {
            short @ 0..=31 => self.out.push(short as u8),
            middle @ 32..=1023 => self.out.extend_from_slice(&[0x30 + (middle >> 8) as u8, middle as u8]),
            long => {
                self.out.push(b'S');
                self.out.extend_from_slice(&(long as u16).to_be_bytes());
            }
        }
        self.units(rest);
    }

    /// Each UTF-16 unit in one to three bytes, as Java does: characters beyond U+FFFF become two of three bytes.
    fn units(&mut self, units: &[u16]) {
        for &unit in units {
            match unit {
                0..0x80 => self.out.push(unit as u8),
                0x80..0x800 => {
                    self.out.extend_from_slice(&[0xc0 | (unit >> 6) as u8, 0x80 | (unit & 0x3f) as u8]);
                }
                _ => self.out.extend_from_slice(&[
                    0xe0 | (unit >> 12) as u8,
                    0x80 | ((unit >> 6) & 0x3f) as u8,
                    0x80 | (unit & 0x3f) as u8,
                ]),
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while rest.len() > CHUNK {
            let (chunk, after) = rest.split_at(CHUNK);
            self.out.push(b'A');
            self.out.extend_from_slice(&(CHUNK as u16).to_be_bytes());
            self.out.extend_from_slice(chunk);
            rest = after;
        }
        match rest.len() {
            short @ 0..=15 => self.out.push(0x20 + short as u8),
            middle @ 16..=1023 => self.out.extend_from_slice(&[0x34 + (middle >> 8) as u8, middle as u8]),
            long => {
                self.out.push(b'B');
                self.out.extend_from_slice(&(long as u16).to_be_bytes());
            }
        }
        self.out.extend_from_slice(rest);
    }

    /// Writes an integer.
    pub fn int(&mut self, number: i32) {
        match number {
            -0x10..=0x2f => self.out.push((0x90 + number) as u8),
            -0x800..=0x7ff => self.out.extend_from_slice(&[(0xc8 + (number >> 8)) as u8, number as u8]),
            -0x4_0000..=0x3_ffff => {
                let low = number.to_be_bytes();
                self.out.extend_from_slice(&[(0xd4 + (number >> 16)) as u8, low[2], low[3]]);
            }
            _ => {
                self.out.push(b'I');
                self.out.extend_from_slice(&number.to_be_bytes());
            }
        }
    }

    fn long(&mut self, number: i64) {
        match number {
            -0x08..=0x0f => self.out.push((0xe0 + number) as u8),
            -0x800..=0x7ff => self.out.extend_from_slice(&[(0xf8 + (number >> 8)) as u8, number as u8]),
            -0x4_0000..=0x3_ffff => {
                let low = number.to_be_bytes();
                self.out.extend_from_slice(&[(0x3c + (number >> 16)) as u8, low[6], low[7]]);
            }
            -0x8000_0000..=0x7fff_ffff => {
                self.out.push(b'Y');
                self.out.extend_from_slice(&(number as i32).to_be_bytes());
            }
            _ => {
                self.out.push(b'L');
                self.out.extend_from_slice(&number.to_be_bytes());
            }
        }
    }

    fn double(&mut self, number: f64) {
        match number.to_bits() {
            0 => self.out.push(0x5b),
            0x3ff0_0000_0000_0000 => self.out.push(0x5c),
            bits => {
                self.out.push(b'D');
                self.out.extend_from_slice(&bits.to_be_bytes());
            }
        }
    }

    fn list(&mut self, class: Option<&str>, items: &[Value]) {
        match (class, items.len()) {
            (Some(class), len @ 0..=7) => {
                self.out.push(0x70 + len as u8);
                self.type_name(class);
            }
            (Some(class), len) => {
                self.out.push(b'V');
                self.type_name(class);
                self.length(len);
            }
            (None, len @ 0..=7) => self.out.push(0x78 + len as u8),
            (None, len) => {
                self.out.push(b'X');
                self.length(len);
            }
        }
        for item in items {
            self.value(item);
        }
    }

    fn map(&mut self, class: Option<&str>, entries: &[(Value, Value)]) {
        match class {
            Some(class) => {
                self.out.push(b'M');
                self.type_name(class);
            }
            None => self.out.push(b'H'),
        }
        for (key, value) in entries {
            self.value(key);
            self.value(value);
        }
        self.out.push(b'Z');
    }

    fn object(&mut self, class: &str, fields: &[(String, Value)]) {
        let is_this = |(known, names): &(String, Vec<String>)| {
            known == class && names.iter().eq(fields.iter().map(|(name, _)| name))
        };
        let number = self.classes.iter().position(is_this).unwrap_or_else(|| {
            self.out.push(b'C');
            self.text(class);
            self.length(fields.len());
            for (name, _) in fields {
                self.text(name);
            }
            self.classes.push((class.to_owned(), fields.iter().map(|(name, _)| name.clone()).collect()));
            self.classes.len() - 1
        });
        if number <= 15 {
            self.out.push(0x60 + number as u8);
        } else {
            self.out.push(b'O');
            self.length(number);
        }
        for (_, value) in fields {
            self.value(value);
        }
    }

    fn type_name(&mut self, class: &str) {
        if let Some(number) = self.types.iter().position(|known| known == class) {
            self.length(number);
        } else {
            self.text(class);
            self.types.push(class.to_owned());
        }
    }

    fn length(&mut self, length: usize) {
        self.int(i32::try_from(length).unwrap_or(i32::MAX));
    }
}
