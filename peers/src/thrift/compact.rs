//! The compact protocol: variable widths, field ids as differences, truth values within their field's type.

use super::malformed::{Unread, take, take_array};
use super::message::{Kind, Message};
use super::value::{DEPTH, Fields, Type, Value};
use bytes::{BufMut, BytesMut};

/// First byte of a message.
pub(super) const PROTOCOL: u8 = 0x82;
/// Version, in the lower five bits of the second byte; the kind stands above.
const VERSION: u8 = 1;
/// Codes of a field's type that hold the value of a `Bool`.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
/// Most bytes of a number of variable width.
const VARINT: u32 = 10;

/// Code of each type; that of `Bool` is the one in containers.
const CODES: [(Type, u8); 12] = [
    (Type::Bool, TRUE),
    (Type::I8, 3),
    (Type::I16, 4),
    (Type::I32, 5),
    (Type::I64, 6),
    (Type::Double, 7),
    (Type::Binary, 8),
    (Type::List, 9),
    (Type::Set, 10),
    (Type::Map, 11),
    (Type::Struct, 12),
    (Type::Uuid, 13),
];

/// Writes a message.
pub(super) fn write_message(message: &Message, out: &mut BytesMut) {
    out.put_slice(&[PROTOCOL, VERSION | (message.kind as u8) << 5]);
    write_varint(u64::from(message.seqid.cast_unsigned()), out);
    write_bytes(message.name.as_bytes(), out);
    write_fields(&message.fields, out);
}

/// Reads a message.
pub(super) fn read_message(bytes: &mut &[u8]) -> Result<Message, Unread> {
    let [protocol, second] = take_array(bytes)?;
    if protocol != PROTOCOL || second & 0x1f != VERSION {
        return Err(Unread::wrong(format!("a compact message begins with {protocol:02x}{second:02x}")));
    }
    let kind = Kind::of_code(second >> 5);
    let kind = kind.ok_or_else(|| Unread::wrong(format!("message type {}", second >> 5)))?;
    let seqid = (read_varint(bytes)? as u32).cast_signed();
    let name = String::from_utf8(read_bytes(bytes)?);
    let name = name.map_err(|_| Unread::wrong("a method's name is not UTF-8"))?;
    Ok(Message { name, kind, seqid, fields: read_fields(bytes, DEPTH)? })
}

/// Writes a number in groups of 7 bits, the lowest first.
pub(super) fn write_varint(mut value: u64, out: &mut BytesMut) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Reads a number in groups of 7 bits.
pub(super) fn read_varint(bytes: &mut &[u8]) -> Result<u64, Unread> {
    let mut value = 0;
    for group in 0..VARINT {
        let [byte] = take_array(bytes)?;
        value |= u64::from(byte & 0x7f) << (7 * group);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Unread::wrong(format!("a number of more than {VARINT} bytes")))
}

/// Writes bytes behind their length.
pub(super) fn write_bytes(bytes: &[u8], out: &mut BytesMut) {
    write_varint(bytes.len() as u64, out);
    out.put_slice(bytes);
}

/// Reads bytes behind their length.
pub(super) fn read_bytes(bytes: &mut &[u8]) -> Result<Vec<u8>, Unread> {
    let length = read_varint(bytes)?;
    if length > i32::MAX as u64 {
        return Err(Unread::wrong(format!("a text of {length} bytes")));
    }
    Ok(take(bytes, length as usize)?.to_vec())
}

fn code(kind: Type) -> u8 {
    CODES.iter().find(|(known, _)| *known == kind).expect("every type has a code").1
}

fn type_of(code: u8) -> Result<Type, Unread> {
    let code = if code == FALSE { TRUE } else { code };
    let found = CODES.iter().find(|(_, known)| *known == code);
    found.map(|(kind, _)| *kind).ok_or_else(|| Unread::wrong(format!("compact type {code}")))
}

fn write_zigzag(value: i64, out: &mut BytesMut) {
    write_varint(((value << 1) ^ (value >> 63)).cast_unsigned(), out);
}

fn read_zigzag(bytes: &mut &[u8]) -> Result<i64, Unread> {
    let value = read_varint(bytes)?;
    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

fn write_fields(fields: &Fields, out: &mut BytesMut) {
    let mut last = 0;
    for (id, value) in fields {
        let code = match value {
            Value::Bool(false) => FALSE,
            value => code(value.kind()),
        };
        let difference = i32::from(*id) - i32::from(last);
        if (1..=15).contains(&difference) {
            out.put_u8((difference as u8) << 4 | code);
        } else {
            out.put_u8(code);
            write_zigzag(i64::from(*id), out);
        }
        last = *id;
        if !matches!(value, Value::Bool(_)) {
            write_value(value, out);
        }
    }
    out.put_u8(0);
}

fn write_value(value: &Value, out: &mut BytesMut) {
    match value {
        Value::Bool(value) => out.put_u8(if *value { TRUE } else { FALSE }),
        Value::I8(value) => out.put_i8(*value),
        Value::I16(value) => write_zigzag(i64::from(*value), out),
        Value::I32(value) => write_zigzag(i64::from(*value), out),
        Value::I64(value) => write_zigzag(*value, out),
        Value::Double(value) => out.put_f64_le(*value),
        Value::Binary(bytes) => write_bytes(bytes, out),
        Value::Struct(fields) => write_fields(fields, out),
        Value::Map(types, pairs) => {
            write_varint(pairs.len() as u64, out);
            let (keys, values) = types.unwrap_or((Type::Binary, Type::Binary));
            if !pairs.is_empty() {
                out.put_u8(code(keys) << 4 | code(values));
            }
            for (key, value) in pairs {
                write_value(key, out);
                write_value(value, out);
            }
        }
        Value::Set(kind, values) | Value::List(kind, values) => {
            if values.len() < 15 {
                out.put_u8((values.len() as u8) << 4 | code(*kind));
            } else {
                out.put_u8(0xf0 | code(*kind));
                write_varint(values.len() as u64, out);
            }
            for value in values {
                write_value(value, out);
            }
        }
        Value::Uuid(bytes) => out.put_slice(bytes),
    }
}

fn read_fields(bytes: &mut &[u8], depth: usize) -> Result<Fields, Unread> {
    let mut fields = Fields::new();
    let mut last: i16 = 0;
    loop {
        let [head] = take_array(bytes)?;
        if head == 0 {
            return Ok(fields);
        }
        last = match head >> 4 {
            0 => read_zigzag(bytes)? as i16,
            difference => last.wrapping_add(i16::from(difference)),
        };
        let value = match head & 0xf {
            TRUE => Value::Bool(true),
            FALSE => Value::Bool(false),
            code => read_value(type_of(code)?, bytes, depth)?,
        };
        fields.push((last, value));
    }
}

fn read_value(kind: Type, bytes: &mut &[u8], depth: usize) -> Result<Value, Unread> {
    let inner = depth.checked_sub(1).ok_or_else(|| Unread::wrong(format!("values {DEPTH} deep")))?;
    Ok(match kind {
        Type::Bool => Value::Bool(take_array::<1>(bytes)?[0] == TRUE),
        Type::I8 => Value::I8(i8::from_be_bytes(take_array(bytes)?)),
        Type::I16 => Value::I16(read_zigzag(bytes)? as i16),
        Type::I32 => Value::I32(read_zigzag(bytes)? as i32),
        Type::I64 => Value::I64(read_zigzag(bytes)?),
        Type::Double => Value::Double(f64::from_le_bytes(take_array(bytes)?)),
        Type::Binary => Value::Binary(read_bytes(bytes)?),
        Type::Struct => Value::Struct(read_fields(bytes, inner)?),
        Type::Uuid => Value::Uuid(take_array(bytes)?),
        Type::Map => {
            let count = read_varint(bytes)?;
            if count == 0 {
                return Ok(Value::Map(None, Vec::new()));
            }
            let [types] = take_array(bytes)?;
            let (keys, values) = (type_of(types >> 4)?, type_of(types & 0xf)?);
            let mut pairs = Vec::new();
            for _ in 0..count {
                pairs.push((read_value(keys, bytes, inner)?, read_value(values, bytes, inner)?));
            }
            Value::Map(Some((keys, values)), pairs)
        }
        Type::Set | Type::List => {
            let [head] = take_array(bytes)?;
            let elements = type_of(head & 0xf)?;
            let count = if head >> 4 == 15 { read_varint(bytes)? } else { u64::from(head >> 4) };
            let mut values = Vec::new();
            for _ in 0..count {
                values.push(read_value(elements, bytes, inner)?);
            }
            if kind == Type::Set { Value::Set(elements, values) } else { Value::List(elements, values) }
        }
    })
}
