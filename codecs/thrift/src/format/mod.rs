//! How values are written: what the two protocols, binary and compact, have in common.
//!
//! A [`Format`] reads and writes the small parts of which values are made (a field's header, a list's header, a
//! length, a number). Each reading function is given the bytes from the start of a message and a place, and either
//! gives the part and where it ends, or says how many bytes must be there before it is worth looking again. Nothing
//! here recurses; who walks over whole structs is [`crate::walk`] and [`crate::recode`].

mod binary;
mod compact;

pub(crate) use binary::Binary;
pub(crate) use compact::Compact;

/// Why a part cannot be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// Its bytes have not all arrived; this many from the start of the message are worth another look.
    Need(usize),
    /// It is not Thrift.
    Bad(String),
}

/// A part, and where it ends.
pub(crate) type Step<T> = Result<(T, usize), Stuck>;

/// Types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    I8,
    I16,
    I32,
    I64,
    Double,
    /// Strings and byte strings.
    Text,
    Struct,
    Map,
    Set,
    List,
    Uuid,
}

/// How many bytes a value takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Fixed(usize),
    /// Up to so many bytes, all but the last of which have their high bit set.
    Varint(usize),
    /// A length, then as many bytes.
    Length,
    /// Whatever its parts take.
    Nested,
}

/// The header of a struct's field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) kind: Type,
    pub(crate) id: i16,
    /// The value, where the header holds it: a boolean of the compact protocol.
    pub(crate) known: Option<bool>,
}

/// A value without parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Bool(bool),
    Int(i64),
    /// The bits of a double.
    Double(u64),
    Uuid([u8; 16]),
}

/// One of the two protocols.
pub(crate) trait Format {
    /// How wide a value is as an element, a key or a field's value.
    fn width(kind: Type) -> Width;

    /// The header of the next field, or `None`: the struct ends. `last` is the id of the field before, 0 if none.
    fn field(input: &[u8], at: usize, last: i16) -> Step<Option<Field>>;

    /// The header of a list or set. The type of an empty list's elements may be missing.
    fn list(input: &[u8], at: usize) -> Step<(Option<Type>, u32)>;

    /// The header of a map. The types of an empty map may be missing.
    fn map(input: &[u8], at: usize) -> Step<(Option<(Type, Type)>, u32)>;

    /// The length of a text.
    fn length(input: &[u8], at: usize) -> Step<u32>;

    /// A value whose width is fixed or a varint.
    fn scalar(input: &[u8], at: usize, kind: Type) -> Step<Scalar>;

    /// Writes a field's header, and its value if it is a boolean: `known` is then set.
    fn put_field(out: &mut Vec<u8>, field: Field, last: i16);

    /// Writes the header of a list or set.
    fn put_list(out: &mut Vec<u8>, kind: Option<Type>, count: u32);

    /// Writes the header of a map.
    fn put_map(out: &mut Vec<u8>, kinds: Option<(Type, Type)>, count: u32);

    /// Writes the length of a text.
    fn put_length(out: &mut Vec<u8>, length: u32);

    /// Writes a value as an element, a key or a field's value.
    fn put_scalar(out: &mut Vec<u8>, kind: Type, scalar: Scalar);

    /// The fewest bytes that a value takes.
    fn least(kind: Type) -> usize {
        match Self::width(kind) {
            Width::Fixed(bytes) => bytes,
            _ => Self::LEAST,
        }
    }

    /// The fewest bytes that a value takes whose width is not fixed.
    const LEAST: usize;
}

/// The end of a struct, in both protocols.
pub(crate) const STOP: u8 = 0;
/// Bytes of a varint that holds 32 bits.
pub(crate) const VARINT_32: usize = 5;
/// Bytes of a varint that holds 64 bits.
pub(crate) const VARINT_64: usize = 10;

/// `N` bytes at a place.
#[inline]
pub(crate) fn array<const N: usize>(input: &[u8], at: usize) -> Step<[u8; N]> {
    match input.get(at..).and_then(|rest| rest.first_chunk::<N>()) {
        Some(bytes) => Ok((*bytes, at + N)),
        None => Err(Stuck::Need(at.saturating_add(N))),
    }
}

/// A number of seven bits a byte, the low ones first, in at most `most` bytes.
#[inline]
pub(crate) fn varint(input: &[u8], at: usize, most: usize) -> Step<u64> {
    let mut value = 0;
    for place in 0..most {
        let ([byte], next) = array::<1>(input, at + place)?;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok((value, next));
        }
    }
    Err(Stuck::Bad(format!("a varint at byte {at} is longer than {most} bytes")))
}

/// A varint that must fit in 32 bits.
pub(crate) fn varint_32(input: &[u8], at: usize) -> Step<u32> {
    let (value, next) = varint(input, at, VARINT_32)?;
    match u32::try_from(value) {
        Ok(value) => Ok((value, next)),
        Err(_) => Err(Stuck::Bad(format!("a varint at byte {at} has more than 32 bits"))),
    }
}

/// Writes a number as a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The length of a text or a count, which Thrift holds in a signed number.
fn count(value: u32, at: usize) -> Result<u32, Stuck> {
    if value > i32::MAX.cast_unsigned() {
        return Err(Stuck::Bad(format!("a length at byte {at} is negative: {}", value.cast_signed())));
    }
    Ok(value)
}

fn unknown_type(code: u8, at: usize) -> Stuck {
    Stuck::Bad(format!("type {code} at byte {at} is none of Thrift's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_read_as_they_are_written() {
        for value in [0, 1, 127, 128, 300, 0x7fff_ffff, 0xffff_ffff, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert_eq!(varint(&bytes, 0, VARINT_64), Ok((value, bytes.len())));
            for cut in 0..bytes.len() {
                assert_eq!(varint(&bytes[..cut], 0, VARINT_64), Err(Stuck::Need(cut + 1)));
            }
        }
        assert!(matches!(varint(&[0x80; 11], 0, VARINT_64), Err(Stuck::Bad(_))));
        assert!(matches!(varint_32(&[0xff, 0xff, 0xff, 0xff, 0x1f], 0), Err(Stuck::Bad(_))));
    }
}
