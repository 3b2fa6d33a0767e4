//! Finds where a struct ends, without building it.
//!
//! A buffered message has no length, so its end is found by walking over its values. The walk keeps its place: it goes
//! on where it stopped when more bytes have come, and looks at no byte twice but those of the one part that was cut. It
//! does not recurse; the containers that are open stand on a stack of limited depth. Values of a fixed width, and lists
//! of them, are stepped over at once.

use crate::format::{Format, Stuck, Type, Width};

/// Containers and structs that may be open at once. Apache's libraries allow 64 too.
pub(crate) const MAX_DEPTH: usize = 64;

/// What is open, and what of it is to come.
#[derive(Debug, Clone, Copy)]
enum Level {
    /// `value`: the type of the field whose header was read last, while its value is still to come.
    Struct { last: i16, value: Option<Type> },
    /// A list or a set.
    Items { kind: Type, left: u32 },
    /// A map; `left` counts keys and values.
    Pairs { key: Type, value: Type, left: u64 },
}

/// A walk over one struct.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    at: usize,
    stack: Vec<Level>,
    looked: u64,
}

impl Walk {
    /// Begins anew, at a struct that begins at `at`.
    pub(crate) fn begin(&mut self, at: usize) {
        self.at = at;
        self.stack.clear();
        self.stack.push(Level::Struct { last: 0, value: None });
    }

    /// Whether a walk has begun and not come to an end.
    pub(crate) fn is_under_way(&self) -> bool {
        !self.stack.is_empty()
    }

    /// Bytes looked at, in all walks.
    pub(crate) fn looked(&self) -> u64 {
        self.looked
    }

    /// Walks on, as far as there are bytes, and gives the place behind the struct. A struct that goes beyond `limit`
    /// is bad, as soon as that shows.
    pub(crate) fn go<F: Format>(&mut self, input: &[u8], limit: usize) -> Result<usize, Stuck> {
        while let Some(level) = self.stack.last_mut() {
            let kind = match *level {
                Level::Struct { last, value: None } => {
                    let step = F::field(input, self.at, last);
                    self.looked += looked(&step, self.at, input.len());
                    let (field, next) = step?;
                    self.at = next;
                    match field {
                        None => {
                            self.stack.pop();
                        }
                        Some(field) => {
                            let value = field.known.is_none().then_some(field.kind);
                            *level = Level::Struct { last: field.id, value };
                        }
                    }
                    continue;
                }
                Level::Items { left: 0, .. } | Level::Pairs { left: 0, .. } => {
                    self.stack.pop();
                    continue;
                }
                Level::Struct { value: Some(kind), .. } | Level::Items { kind, .. } => kind,
                Level::Pairs { key, left, .. } if left.is_multiple_of(2) => key,
                Level::Pairs { value, .. } => value,
            };
            let step = value::<F>(input, self.at, kind, limit);
            self.looked += looked(&step, self.at, input.len());
            let (opened, next) = step?;
            match level {
                Level::Struct { value, .. } => *value = None,
                Level::Items { left, .. } => *left -= 1,
                Level::Pairs { left, .. } => *left -= 1,
            }
            self.at = next;
            self.open(opened, limit)?;
        }
        if self.at > limit { Err(too_long(limit)) } else { Ok(self.at) }
    }

    fn open(&mut self, opened: Option<Level>, limit: usize) -> Result<(), Stuck> {
        if self.at > limit {
            return Err(too_long(limit));
        }
        if let Some(level) = opened {
            if self.stack.len() == MAX_DEPTH {
                return Err(too_deep(self.at));
            }
            self.stack.push(level);
        }
        Ok(())
    }
}

pub(crate) fn too_deep(at: usize) -> Stuck {
    Stuck::Bad(format!("more than {MAX_DEPTH} structs and containers are open at byte {at}"))
}

fn too_long(limit: usize) -> Stuck {
    Stuck::Bad(format!("the message is longer than {limit} bytes"))
}

/// How many bytes a step has read: up to its end, or up to the end of what there is. What it steps over at once lies
/// behind what it has read, and is not counted beyond a few bytes.
fn looked<T>(step: &Result<(T, usize), Stuck>, at: usize, there: usize) -> u64 {
    let end = match step {
        Ok((_, next)) => *next,
        Err(_) => there,
    };
    end.min(there).saturating_sub(at).min(MOST_READ) as u64
}

/// No part is read in more bytes than these: a type and a varint, or the header of a map.
const MOST_READ: usize = 11;

/// Steps over a value, or, of one whose parts have to be looked at, over its header.
fn value<F: Format>(
    input: &[u8],
    at: usize,
    kind: Type,
    limit: usize,
) -> Result<(Option<Level>, usize), Stuck> {
    match F::width(kind) {
        Width::Fixed(bytes) => Ok((None, at + bytes)),
        Width::Varint(_) => F::scalar(input, at, kind).map(|(_, next)| (None, next)),
        Width::Length => {
            let (length, next) = F::length(input, at)?;
            fits(next, length.into(), 1, limit)?;
            Ok((None, next + length as usize))
        }
        Width::Nested => match kind {
            Type::Map => {
                let (kinds, count, next) =
                    F::map(input, at).map(|((kinds, count), next)| (kinds, count, next))?;
                let Some((key, value)) = kinds else { return Ok((None, next)) };
                let bytes = fits(next, count.into(), F::least(key) + F::least(value), limit)?;
                match (F::width(key), F::width(value)) {
                    (Width::Fixed(_), Width::Fixed(_)) => Ok((None, next + bytes)),
                    _ => Ok((Some(Level::Pairs { key, value, left: 2 * u64::from(count) }), next)),
                }
            }
            Type::List | Type::Set => {
                let (kind, count, next) =
                    F::list(input, at).map(|((kind, count), next)| (kind, count, next))?;
                let Some(kind) = kind else { return Ok((None, next)) };
                let bytes = fits(next, count.into(), F::least(kind), limit)?;
                match F::width(kind) {
                    Width::Fixed(_) => Ok((None, next + bytes)),
                    _ => Ok((Some(Level::Items { kind, left: count }), next)),
                }
            }
            _ => Ok((Some(Level::Struct { last: 0, value: None }), at)),
        },
    }
}

/// The least bytes that `count` values take, if these fit between `at` and `limit`. A count that cannot be true is
/// refused at once, before anything is awaited or walked over.
pub(crate) fn fits(at: usize, count: u64, least: usize, limit: usize) -> Result<usize, Stuck> {
    let room = limit.saturating_sub(at) as u64;
    match count.checked_mul(least as u64) {
        Some(bytes) if bytes <= room => Ok(bytes as usize),
        _ => Err(Stuck::Bad(format!(
            "{count} values of at least {least} bytes are announced at byte {at}, and the message ends at byte {limit} \
             at the latest"
        ))),
    }
}
