//! The binary protocol: fixed widths, big-endian.
//!
//! Strict messages begin with a version, lenient ones with the length of their name.

use super::malformed::{Unread, take, take_array};
use super::message::{Kind, Message};
use super::value::{DEPTH, Fields, Type, Value};
use bytes::{BufMut, BytesMut};

/// The version in the upper half of a strict message's first word.
const VERSION: u32 = 0x8001_0000;

/// Writes a message, with a version if `strict`.
pub(super) fn write_message(message: &Message, strict: bool, out: &mut BytesMut) {
    if strict {
        out.put_u32(VERSION | u32::from(message.kind as u8));
        write_bytes(message.name.as_bytes(), out);
    } else {
        write_bytes(message.name.as_bytes(), out);
        out.put_u8(message.kind as u8);
    }
    out.put_i32(message.seqid);
    write_fields(&message.fields, out);
}

/// Reads a message, strict or lenient.
pub(super) fn read_message(bytes: &mut &[u8]) -> Result<Message, Unread> {
    let first = u32::from_be_bytes(take_array(bytes)?);
    let (kind, name) = if first & 0x8000_0000 == 0 {
        let name = take(bytes, first as usize)?.to_vec();
        (take_array::<1>(bytes)?[0], name)
    } else if first & 0xffff_0000 == VERSION {
        (first as u8, read_bytes(bytes)?)
    } else {
        return Err(Unread::wrong(format!("a binary message begins with {first:08x}")));
    };
    let kind = Kind::of_code(kind).ok_or_else(|| Unread::wrong(format!("message type {kind}")))?;
    let name = String::from_utf8(name).map_err(|_| Unread::wrong("a method's name is not UTF-8"))?;
    let seqid = i32::from_be_bytes(take_array(bytes)?);
    Ok(Message { name, kind, seqid, fields: read_fields(bytes, DEPTH)? })
}

fn write_bytes(bytes: &[u8], out: &mut BytesMut) {
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}

fn write_fields(fields: &Fields, out: &mut BytesMut) {
    for (id, value) in fields {
        out.put_u8(value.kind() as u8);
        out.put_i16(*id);
        write_value(value, out);
    }
    out.put_u8(0);
}

fn write_value(value: &Value, out: &mut BytesMut) {
    match value {
        Value::Bool(value) => out.put_u8(u8::from(*value)),
        Value::I8(value) => out.put_i8(*value),
        Value::I16(value) => out.put_i16(*value),
        Value::I32(value) => out.put_i32(*value),
        Value::I64(value) => out.put_i64(*value),
        Value::Double(value) => out.put_f64(*value),
        Value::Binary(bytes) => write_bytes(bytes, out),
        Value::Struct(fields) => write_fields(fields, out),
        Value::Map(types, pairs) => {
            let (keys, values) = types.unwrap_or((Type::Binary, Type::Binary));
            out.put_slice(&[keys as u8, values as u8]);
            out.put_u32(pairs.len() as u32);
            for (key, value) in pairs {
                write_value(key, out);
                write_value(value, out);
            }
        }
        Value::Set(kind, values) | Value::List(kind, values) => {
            out.put_u8(*kind as u8);
            out.put_u32(values.len() as u32);
            for value in values {
                write_value(value, out);
            }
        }
        Value::Uuid(bytes) => out.put_slice(bytes),
    }
}

fn read_bytes(bytes: &mut &[u8]) -> Result<Vec<u8>, Unread> {
    let length = u32::from_be_bytes(take_array(bytes)?);
    if length > i32::MAX as u32 {
        return Err(Unread::wrong(format!("a text of {length} bytes")));
    }
    Ok(take(bytes, length as usize)?.to_vec())
}

fn read_type(bytes: &mut &[u8]) -> Result<Type, Unread> {
    let [code] = take_array(bytes)?;
    Type::of_code(code).ok_or_else(|| Unread::wrong(format!("type {code}")))
}

fn read_fields(bytes: &mut &[u8], depth: usize) -> Result<Fields, Unread> {
    let mut fields = Fields::new();
    loop {
        if bytes.first() == Some(&0) {
            take(bytes, 1)?;
            return Ok(fields);
        }
        let kind = read_type(bytes)?;
        let id = i16::from_be_bytes(take_array(bytes)?);
        fields.push((id, read_value(kind, bytes, depth)?));
    }
}

fn read_value(kind: Type, bytes: &mut &[u8], depth: usize) -> Result<Value, Unread> {
    let inner = depth.checked_sub(1).ok_or_else(|| Unread::wrong(format!("values {DEPTH} deep")))?;
    Ok(match kind {
        Type::Bool => Value::Bool(take_array::<1>(bytes)?[0] != 0),
        Type::I8 => Value::I8(i8::from_be_bytes(take_array(bytes)?)),
        Type::I16 => Value::I16(i16::from_be_bytes(take_array(bytes)?)),
        Type::I32 => Value::I32(i32::from_be_bytes(take_array(bytes)?)),
        Type::I64 => Value::I64(i64::from_be_bytes(take_array(bytes)?)),
        Type::Double => Value::Double(f64::from_be_bytes(take_array(bytes)?)),
        Type::Binary => Value::Binary(read_bytes(bytes)?),
        Type::Struct => Value::Struct(read_fields(bytes, inner)?),
        Type::Uuid => Value::Uuid(take_array(bytes)?),
        Type::Map => {
            let (keys, values) = (read_type(bytes), read_type(bytes));
            let count = u32::from_be_bytes(take_array(bytes)?);
            if count == 0 {
                // Some libraries write types 0 for a map without entries.
                return Ok(Value::Map(keys.ok().zip(values.ok()), Vec::new()));
            }
            let (keys, values) = (keys?, values?);
            let mut pairs = Vec::new();
            for _ in 0..count {
                pairs.push((read_value(keys, bytes, inner)?, read_value(values, bytes, inner)?));
            }
            Value::Map(Some((keys, values)), pairs)
        }
        Type::Set | Type::List => {
            let elements = read_type(bytes)?;
            let count = u32::from_be_bytes(take_array(bytes)?);
            let mut values = Vec::new();
            for _ in 0..count {
                values.push(read_value(elements, bytes, inner)?);
            }
            if kind == Type::Set { Value::Set(elements, values) } else { Value::List(elements, values) }
        }
    })
}
