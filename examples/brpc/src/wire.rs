//! Protocol buffers by hand: fields are walked over, never built, so that what nobody knows stays as it is.

use codec_api::Edit;

/// One field: number and type as the wire has them, its value as a number and as bytes, where those are, all of it.
pub(crate) struct Field<'a> {
    pub(crate) tag: u64,
    pub(crate) number: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
    pub(crate) whole: &'a [u8],
}

/// The fields of a message, in the order of the wire. The last is `None` if what follows is no field.
pub(crate) fn fields(bytes: &[u8]) -> impl Iterator<Item = Option<Field<'_>>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let field = (next < bytes.len()).then(|| field(bytes, next))?;
        next = field.as_ref().map_or(bytes.len(), |field| next + field.whole.len());
        Some(field)
    })
}

fn field(bytes: &[u8], from: usize) -> Option<Field<'_>> {
    let (tag, at) = varint(bytes, from)?;
    let (number, at, end) = match tag & 7 {
        0 => varint(bytes, at).map(|(number, end)| (number, at, end))?,
        2 => varint(bytes, at).map(|(length, at)| (length, at, at.saturating_add(length as usize)))?,
        1 | 5 => (0, at, at + if tag & 7 == 1 { 8 } else { 4 }),
        _ => return None,
    };
    Some(Field { tag, number, bytes: bytes.get(at..end)?, at, whole: bytes.get(from..end)? })
}

/// The number that begins at `at`, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let length = bytes.iter().skip(at).take(10).position(|byte| byte & 0x80 == 0)? + 1;
    let septets = bytes[at..at + length].iter().rev().map(|byte| u64::from(byte & 0x7f));
    Some((septets.fold(0, |value, septet| value << 7 | septet), at + length))
}

/// Key and value of a map's entry; `None` if it has no key.
pub(crate) fn entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let of = |tag| fields(bytes).flatten().filter(|field| field.tag == tag).last().map(|field| field.bytes);
    Some((of(0x0a)?, of(0x12).unwrap_or(&bytes[..0])))
}

/// A message without those entries of its map that are edited, and with the edits at its end.
pub(crate) fn set(message: &[u8], map: u64, edits: &[Edit<'_>]) -> Vec<u8> {
    let is_edited = |name: &[u8]| edits.iter().any(|edit| name.eq_ignore_ascii_case(edit.name.as_bytes()));
    let stays =
        |field: &Field<'_>| field.tag != map || entry(field.bytes).is_none_or(|(name, _)| !is_edited(name));
    let mut made: Vec<u8> =
        fields(message).flatten().filter(stays).flat_map(|field| field.whole).copied().collect();
    for edit in edits {
        let mut entry = Vec::new();
        put_bytes(0x0a, edit.name.as_bytes(), &mut entry);
        put_bytes(0x12, edit.value.as_bytes(), &mut entry);
        put_bytes(map, &entry, &mut made);
    }
    made
}

pub(crate) fn put_number(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_bytes(tag: u64, bytes: &[u8], out: &mut Vec<u8>) {
    put_number(tag, out);
    put_number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
