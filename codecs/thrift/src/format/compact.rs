//! The compact protocol: numbers as varints, field ids as differences, booleans inside their field's header.
//!
//! Source: Apache Thrift, `doc/specs/thrift-compact-protocol.md`, and where libraries differ from it, the libraries:
//! doubles are little-endian, and the type of a boolean element is 1 or 2. Its value is 1 for true and, depending on
//! the library, 0 or 2 for false; as its own C++, Java and Python writers do, false is written as 2 and the type as 1.

use super::{
    Field, Format, STOP, Scalar, Step, Stuck, Type, VARINT_32, VARINT_64, Width, array, count, put_varint,
    unknown_type, varint, varint_32,
};

/// The compact protocol.
pub(crate) struct Compact;

const TRUE: u8 = 1;
const FALSE: u8 = 2;
/// Lists of so many elements and more have their count in a varint.
const LONG_LIST: u8 = 15;

fn code(kind: Type) -> u8 {
    match kind {
        Type::Bool => TRUE,
        Type::I8 => 3,
        Type::I16 => 4,
        Type::I32 => 5,
        Type::I64 => 6,
        Type::Double => 7,
        Type::Text => 8,
        Type::List => 9,
        Type::Set => 10,
        Type::Map => 11,
        Type::Struct => 12,
        Type::Uuid => 13,
    }
}

fn kind(code: u8) -> Option<Type> {
    Some(match code {
        TRUE | FALSE => Type::Bool,
        3 => Type::I8,
        4 => Type::I16,
        5 => Type::I32,
        6 => Type::I64,
        7 => Type::Double,
        8 => Type::Text,
        9 => Type::List,
        10 => Type::Set,
        11 => Type::Map,
        12 => Type::Struct,
        13 => Type::Uuid,
        _ => return None,
    })
}

/// 0, -1, 1, -2, … are written as 0, 1, 2, 3, …
fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn from_zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// A signed number that must be in the range of `kind`.
fn int(input: &[u8], at: usize, kind: Type) -> Step<i64> {
    let most = if kind == Type::I64 { VARINT_64 } else { VARINT_32 };
    let (value, next) = varint(input, at, most)?;
    let value = from_zigzag(value);
    let fits = match kind {
        Type::I16 => i16::try_from(value).is_ok(),
        Type::I32 => i32::try_from(value).is_ok(),
        _ => true,
    };
    if fits {
        Ok((value, next))
    } else {
        Err(Stuck::Bad(format!("{value} at byte {at} is too large for its type")))
    }
}

impl Format for Compact {
    const LEAST: usize = 1;

    fn width(kind: Type) -> Width {
        match kind {
            Type::Bool | Type::I8 => Width::Fixed(1),
            Type::I16 | Type::I32 => Width::Varint(VARINT_32),
            Type::I64 => Width::Varint(VARINT_64),
            Type::Double => Width::Fixed(8),
            Type::Uuid => Width::Fixed(16),
            Type::Text => Width::Length,
            Type::Struct | Type::Map | Type::Set | Type::List => Width::Nested,
        }
    }

    #[inline]
    fn field(input: &[u8], at: usize, last: i16) -> Step<Option<Field>> {
        let ([first], next) = array::<1>(input, at)?;
        if first == STOP {
            return Ok((None, next));
        }
        let kind = kind(first & 0x0f).ok_or_else(|| unknown_type(first & 0x0f, at))?;
        let known = (kind == Type::Bool).then_some(first & 0x0f == TRUE);
        let (id, next) = match first >> 4 {
            0 => {
                let (id, next) = int(input, next, Type::I16)?;
                (id as i16, next)
            }
            delta => match last.checked_add(delta.into()) {
                Some(id) => (id, next),
                None => return Err(Stuck::Bad(format!("the field at byte {at} has an id beyond 32767"))),
            },
        };
        Ok((Some(Field { kind, id, known }), next))
    }

    fn list(input: &[u8], at: usize) -> Step<(Option<Type>, u32)> {
        let ([first], next) = array::<1>(input, at)?;
        let (count, next) = match first >> 4 {
            LONG_LIST => {
                let (value, next) = varint_32(input, next)?;
                (count(value, at)?, next)
            }
            short => (short.into(), next),
        };
        match kind(first & 0x0f) {
            None if count > 0 => Err(unknown_type(first & 0x0f, at)),
            element => Ok(((element, count), next)),
        }
    }

    fn map(input: &[u8], at: usize) -> Step<(Option<(Type, Type)>, u32)> {
        let (value, next) = varint_32(input, at)?;
        let count = count(value, at)?;
        if count == 0 {
            return Ok(((None, 0), next));
        }
        let ([kinds], next) = array::<1>(input, next)?;
        match (kind(kinds >> 4), kind(kinds & 0x0f)) {
            (Some(key), Some(value)) => Ok(((Some((key, value)), count), next)),
            (None, _) => Err(unknown_type(kinds >> 4, at)),
            _ => Err(unknown_type(kinds & 0x0f, at)),
        }
    }

    fn length(input: &[u8], at: usize) -> Step<u32> {
        let (length, next) = varint_32(input, at)?;
        Ok((count(length, at)?, next))
    }

    fn scalar(input: &[u8], at: usize, kind: Type) -> Step<Scalar> {
        Ok(match kind {
            Type::Bool => {
                let ([byte], next) = array(input, at)?;
                (Scalar::Bool(byte == TRUE), next)
            }
            Type::I8 => {
                let (bytes, next) = array(input, at)?;
                (Scalar::Int(i8::from_be_bytes(bytes).into()), next)
            }
            Type::I16 | Type::I32 | Type::I64 => {
                let (value, next) = int(input, at, kind)?;
                (Scalar::Int(value), next)
            }
            Type::Double => {
                let (bytes, next) = array(input, at)?;
                (Scalar::Double(u64::from_le_bytes(bytes)), next)
            }
            Type::Uuid => {
                let (bytes, next) = array(input, at)?;
                (Scalar::Uuid(bytes), next)
            }
            Type::Text | Type::Struct | Type::Map | Type::Set | Type::List => {
                return Err(Stuck::Bad(format!("a value at byte {at} has parts")));
            }
        })
    }

    fn put_field(out: &mut Vec<u8>, field: Field, last: i16) {
        let code = match field.known {
            Some(true) => TRUE,
            Some(false) => FALSE,
            None => code(field.kind),
        };
        let delta = i32::from(field.id) - i32::from(last);
        if (1..=15).contains(&delta) {
            out.push((delta as u8) << 4 | code);
        } else {
            out.push(code);
            put_varint(out, zigzag(field.id.into()));
        }
    }

    fn put_list(out: &mut Vec<u8>, kind: Option<Type>, count: u32) {
        let code = kind.map_or(STOP, code);
        if count < LONG_LIST.into() {
            out.push((count as u8) << 4 | code);
        } else {
            out.push(LONG_LIST << 4 | code);
            put_varint(out, count.into());
        }
    }

    fn put_map(out: &mut Vec<u8>, kinds: Option<(Type, Type)>, count: u32) {
        put_varint(out, count.into());
        if let Some((key, value)) = kinds.filter(|_| count > 0) {
            out.push(code(key) << 4 | code(value));
        }
    }

    fn put_length(out: &mut Vec<u8>, length: u32) {
        put_varint(out, length.into());
    }

    fn put_scalar(out: &mut Vec<u8>, kind: Type, scalar: Scalar) {
        match scalar {
            Scalar::Bool(value) => out.push(if value { TRUE } else { FALSE }),
            Scalar::Int(value) if kind == Type::I8 => out.push(value as u8),
            Scalar::Int(value) => put_varint(out, zigzag(value)),
            Scalar::Double(bits) => out.extend(bits.to_le_bytes()),
            Scalar::Uuid(bytes) => out.extend(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zigzag_folds_negative_numbers_in() {
        for (value, folded) in
            [(0, 0), (-1, 1), (1, 2), (-2, 3), (i64::MAX, u64::MAX - 1), (i64::MIN, u64::MAX)]
        {
            assert_eq!(zigzag(value), folded);
            assert_eq!(from_zigzag(folded), value);
        }
    }
}
