//! Writes a struct in the other protocol.
//!
//! Every value is read in one protocol and written in the other, in one pass and without recursion. What a struct
//! says stays as it is: ids, order, the counts and types of containers. (The types of an empty map are not written in
//! the compact protocol, so a binary one that comes from there has none.) Booleans are true or false; a byte other
//! than 1, which some writers take for true, comes out as what its reader takes it for.

use crate::format::{Field, Format, STOP, Scalar, Stuck, Type, Width};
use crate::walk::{MAX_DEPTH, fits, too_deep};

#[derive(Debug, Clone, Copy)]
enum Level {
    Struct { last: i16 },
    Items { kind: Type, left: u32 },
    Pairs { key: Type, value: Type, left: u64 },
}

/// Appends the struct that begins at `at`, which `R` reads, to `out`, as `W` writes it, and gives the place behind it.
/// Refused: a struct that is malformed, or ends early, or makes `out` longer than `limit`.
pub(crate) fn recode<R: Format, W: Format>(
    input: &[u8],
    mut at: usize,
    out: &mut Vec<u8>,
    limit: usize,
) -> Result<usize, Stuck> {
    let mut stack = vec![Level::Struct { last: 0 }];
    while let Some(level) = stack.last_mut() {
        if out.len() > limit {
            return Err(too_long(limit));
        }
        let kind = match level {
            Level::Struct { last } => {
                let (field, next) = R::field(input, at, *last)?;
                at = next;
                let Some(field) = field else {
                    out.push(STOP);
                    stack.pop();
                    continue;
                };
                let field = known::<R>(input, &mut at, field)?;
                W::put_field(out, field, *last);
                *last = field.id;
                if field.known.is_some() {
                    continue;
                }
                field.kind
            }
            Level::Items { left: 0, .. } | Level::Pairs { left: 0, .. } => {
                stack.pop();
                continue;
            }
            Level::Items { kind, left } => {
                *left -= 1;
                *kind
            }
            Level::Pairs { key, value, left } => {
                *left -= 1;
                if *left % 2 == 1 { *key } else { *value }
            }
        };
        if let Some(opened) = value::<R, W>(input, &mut at, kind, out)? {
            if stack.len() == MAX_DEPTH {
                return Err(too_deep(at));
            }
            stack.push(opened);
        }
    }
    if out.len() > limit { Err(too_long(limit)) } else { Ok(at) }
}

fn too_long(limit: usize) -> Stuck {
    Stuck::Bad(format!("it takes more than {limit} bytes in the other protocol"))
}

/// The field with its value, if it is a boolean.
fn known<R: Format>(input: &[u8], at: &mut usize, mut field: Field) -> Result<Field, Stuck> {
    if field.kind == Type::Bool && field.known.is_none() {
        let (value, next) = R::scalar(input, *at, Type::Bool)?;
        field.known = Some(value == Scalar::Bool(true));
        *at = next;
    }
    Ok(field)
}

/// Copies a value, or, of one that has parts, its header.
fn value<R: Format, W: Format>(
    input: &[u8],
    at: &mut usize,
    kind: Type,
    out: &mut Vec<u8>,
) -> Result<Option<Level>, Stuck> {
    match (R::width(kind), kind) {
        (Width::Fixed(_) | Width::Varint(_), _) => {
            let (scalar, next) = R::scalar(input, *at, kind)?;
            W::put_scalar(out, kind, scalar);
            *at = next;
        }
        (Width::Length, _) => {
            let (length, next) = R::length(input, *at)?;
            let end = next + length as usize;
            let text = input.get(next..end).ok_or(Stuck::Need(end))?;
            W::put_length(out, length);
            out.extend_from_slice(text);
            *at = end;
        }
        (Width::Nested, Type::Map) => {
            let ((kinds, count), next) = R::map(input, *at)?;
            W::put_map(out, kinds, count);
            *at = next;
            if let Some((key, value)) = kinds {
                fits(next, count.into(), R::least(key) + R::least(value), input.len())?;
                return Ok(Some(Level::Pairs { key, value, left: 2 * u64::from(count) }));
            }
        }
        (Width::Nested, Type::List | Type::Set) => {
            let ((kind, count), next) = R::list(input, *at)?;
            W::put_list(out, kind, count);
            *at = next;
            if let Some(kind) = kind {
                fits(next, count.into(), R::least(kind), input.len())?;
                return Ok(Some(Level::Items { kind, left: count }));
            }
        }
        (Width::Nested, _) => return Ok(Some(Level::Struct { last: 0 })),
    }
    Ok(None)
}
