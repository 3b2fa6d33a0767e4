//! The binary protocol: everything at its full width, big-endian.
//!
//! Source: Apache Thrift, `doc/specs/thrift-binary-protocol.md`.

use super::{Field, Format, STOP, Scalar, Step, Stuck, Type, Width, array, count, unknown_type};

/// The binary protocol, strict or lenient: the two differ in the head of a message only.
pub(crate) struct Binary;

fn code(kind: Type) -> u8 {
    match kind {
        Type::Bool => 2,
        Type::I8 => 3,
        Type::Double => 4,
        Type::I16 => 6,
        Type::I32 => 8,
        Type::I64 => 10,
        Type::Text => 11,
        Type::Struct => 12,
        Type::Map => 13,
        Type::Set => 14,
        Type::List => 15,
        Type::Uuid => 16,
    }
}

fn kind(code: u8) -> Option<Type> {
    Some(match code {
        2 => Type::Bool,
        3 => Type::I8,
        4 => Type::Double,
        6 => Type::I16,
        8 => Type::I32,
        10 => Type::I64,
        11 => Type::Text,
        12 => Type::Struct,
        13 => Type::Map,
        14 => Type::Set,
        15 => Type::List,
        16 => Type::Uuid,
        _ => return None,
    })
}

impl Format for Binary {
    const LEAST: usize = 1;

    fn width(kind: Type) -> Width {
        match kind {
            Type::Bool | Type::I8 => Width::Fixed(1),
            Type::I16 => Width::Fixed(2),
            Type::I32 => Width::Fixed(4),
            Type::I64 | Type::Double => Width::Fixed(8),
            Type::Uuid => Width::Fixed(16),
            Type::Text => Width::Length,
            Type::Struct | Type::Map | Type::Set | Type::List => Width::Nested,
        }
    }

    fn least(kind: Type) -> usize {
        match (kind, Self::width(kind)) {
            (_, Width::Fixed(bytes)) => bytes,
            (Type::Text, _) => 4,
            (Type::Set | Type::List, _) => 5,
            (Type::Map, _) => 6,
            _ => Self::LEAST,
        }
    }

    #[inline]
    fn field(input: &[u8], at: usize, _: i16) -> Step<Option<Field>> {
        let ([first], next) = array::<1>(input, at)?;
        if first == STOP {
            return Ok((None, next));
        }
        let kind = kind(first).ok_or_else(|| unknown_type(first, at))?;
        let (id, next) = array::<2>(input, next)?;
        Ok((Some(Field { kind, id: i16::from_be_bytes(id), known: None }), next))
    }

    fn list(input: &[u8], at: usize) -> Step<(Option<Type>, u32)> {
        let ([element, length @ ..], next) = array::<5>(input, at)?;
        let count = count(u32::from_be_bytes(length), at)?;
        match kind(element) {
            None if count > 0 => Err(unknown_type(element, at)),
            element => Ok(((element, count), next)),
        }
    }

    fn map(input: &[u8], at: usize) -> Step<(Option<(Type, Type)>, u32)> {
        let ([key, value, length @ ..], next) = array::<6>(input, at)?;
        let count = count(u32::from_be_bytes(length), at)?;
        match (kind(key), kind(value)) {
            (Some(key), Some(value)) => Ok(((Some((key, value)), count), next)),
            _ if count == 0 => Ok(((None, 0), next)),
            (None, _) => Err(unknown_type(key, at)),
            _ => Err(unknown_type(value, at)),
        }
    }

    fn length(input: &[u8], at: usize) -> Step<u32> {
        let (length, next) = array::<4>(input, at)?;
        Ok((count(u32::from_be_bytes(length), at)?, next))
    }

    fn scalar(input: &[u8], at: usize, kind: Type) -> Step<Scalar> {
        Ok(match kind {
            Type::Bool => {
                let ([byte], next) = array(input, at)?;
                (Scalar::Bool(byte != 0), next)
            }
            Type::I8 => {
                let (bytes, next) = array(input, at)?;
                (Scalar::Int(i8::from_be_bytes(bytes).into()), next)
            }
            Type::I16 => {
                let (bytes, next) = array(input, at)?;
                (Scalar::Int(i16::from_be_bytes(bytes).into()), next)
            }
            Type::I32 => {
                let (bytes, next) = array(input, at)?;
                (Scalar::Int(i32::from_be_bytes(bytes).into()), next)
            }
            Type::I64 => {
                let (bytes, next) = array(input, at)?;
                (Scalar::Int(i64::from_be_bytes(bytes)), next)
            }
            Type::Double => {
                let (bytes, next) = array(input, at)?;
                (Scalar::Double(u64::from_be_bytes(bytes)), next)
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

    fn put_field(out: &mut Vec<u8>, field: Field, _: i16) {
        out.push(code(field.kind));
        out.extend(field.id.to_be_bytes());
        out.extend(field.known.map(u8::from));
    }

    fn put_list(out: &mut Vec<u8>, kind: Option<Type>, count: u32) {
        out.push(kind.map_or(STOP, code));
        out.extend(count.to_be_bytes());
    }

    fn put_map(out: &mut Vec<u8>, kinds: Option<(Type, Type)>, count: u32) {
        out.extend(kinds.map_or([STOP; 2], |(key, value)| [code(key), code(value)]));
        out.extend(count.to_be_bytes());
    }

    fn put_length(out: &mut Vec<u8>, length: u32) {
        out.extend(length.to_be_bytes());
    }

    fn put_scalar(out: &mut Vec<u8>, kind: Type, scalar: Scalar) {
        match scalar {
            Scalar::Bool(value) => out.push(value.into()),
            Scalar::Int(value) => {
                let bytes = value.to_be_bytes();
                let width = match Self::width(kind) {
                    Width::Fixed(width) => width,
                    _ => bytes.len(),
                };
                out.extend_from_slice(&bytes[bytes.len().saturating_sub(width)..]);
            }
            Scalar::Double(bits) => out.extend(bits.to_be_bytes()),
            Scalar::Uuid(bytes) => out.extend(bytes),
        }
    }
}
