//! Finds the attachments of a request or a response, in whichever serialization it is written.
//!
//! Arguments and results are walked over (hessian2) or skipped by their lengths (fastjson2), never built. Each
//! attachment is shown with the place of its value, and in the end where the map of them ends, so that whoever reads
//! and whoever edits need the same walk.

use std::ops::Range;

use crate::descriptor;
use crate::frame::HEADER;
use crate::head::Context;
use crate::hessian::value::{int, long, text};
use crate::hessian::walk::{Scratch, Walk};
use crate::jsonb::{self, value::element};
use crate::said::Said;
use crate::serialization::{FASTJSON2, HESSIAN2};
use crate::status::OK;

/// One attachment of a message.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    pub(crate) name: Said<'a>,
    /// The name as it is written.
    pub(crate) written: &'a [u8],
    pub(crate) value: Said<'a>,
    /// Where the value stands in the message.
    pub(crate) place: Range<usize>,
}

/// Where a message has its attachments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Section {
    /// In a map that ends with the byte at this place.
    Map(usize),
    /// In a null that stands here.
    Null(Range<usize>),
    /// Nowhere: the kind of this result, which stands here, is one without attachments.
    Nowhere(Range<usize>, u8),
}

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attachments {
    pub(crate) section: Section,
    /// Where the length of the element stands that they are in; fastjson2 only.
    pub(crate) length_at: Option<usize>,
}

/// The kinds of results: exception, value, null; each has a twin with attachments, three higher.
const WITHOUT: Range<i32> = 0..3;
const WITH: Range<i32> = 3..6;

/// Walks over what stands behind the head of a request, and tells how many bytes that were. `None` instead of the
/// attachments: it came to a bad end, or to a limit; what it showed before stays true.
pub(crate) fn request<'a>(
    message: &'a [u8],
    context: Context,
    scratch: &mut Scratch,
    see: impl FnMut(Entry<'a>),
) -> (Option<Attachments>, usize) {
    let at = context.descriptor as usize;
    let Some(body) = message.get(at..).filter(|_| at >= HEADER) else { return (None, 0) };
    match context.serialization {
        HESSIAN2 => {
            let mut walk = Walk::new(body, scratch);
            let found = hessian_call(message, &mut walk, see);
            (found, body.len() - walk.rest().len())
        }
        FASTJSON2 => jsonb_call(message, body, scratch, see),
        _ => (None, 0),
    }
}

/// Walks over the body of a response with a result.
pub(crate) fn response<'a>(
    message: &'a [u8],
    serialization: u8,
    scratch: &mut Scratch,
    see: impl FnMut(Entry<'a>),
) -> Option<Attachments> {
    let (header, body) = message.split_at_checked(HEADER)?;
    if header[3] != OK {
        return None;
    }
    match serialization {
        HESSIAN2 => {
            let mut walk = Walk::new(body, scratch);
            let kind = walk.take(int)?;
            let kind_at = HEADER..message.len() - walk.rest().len();
            if !matches!(kind, 2 | 5) {
                walk.skip()?;
            }
            if WITH.contains(&kind) {
                return hessian_map(message, &mut walk, see);
            }
            without(kind, kind_at, walk.rest())
        }
        FASTJSON2 => {
            let (mut rest, kind) = element(body).ok()?;
            let &[0xbd, kind] = kind else { return None };
            let kind = i32::from(kind.cast_signed());
            if !matches!(kind, 2 | 5) {
                rest = element(rest).ok()?.0;
            }
            if WITH.contains(&kind) {
                return jsonb_map(message, rest, scratch, see);
            }
            without(kind, HEADER + 5..HEADER + 6, rest)
        }
        _ => None,
    }
}

fn without(kind: i32, kind_at: Range<usize>, rest: &[u8]) -> Option<Attachments> {
    let section = Section::Nowhere(kind_at, kind as u8);
    (WITHOUT.contains(&kind) && rest.is_empty()).then_some(Attachments { section, length_at: None })
}

/// Descriptor, arguments and attachments in hessian2.
fn hessian_call<'a>(
    message: &'a [u8],
    walk: &mut Walk<'a, '_>,
    see: impl FnMut(Entry<'a>),
) -> Option<Attachments> {
    let descriptor = walk.take(text)?;
    let descriptor = Said::from(descriptor).stands()?;
    for _ in 0..descriptor::count(descriptor)? {
        walk.skip()?;
    }
    hessian_map(message, walk, see)
}

fn hessian_map<'a>(
    message: &'a [u8],
    walk: &mut Walk<'a, '_>,
    mut see: impl FnMut(Entry<'a>),
) -> Option<Attachments> {
    let place = |walk: &Walk<'a, '_>| message.len() - walk.rest().len();
    let start = place(walk);
    if !walk.map_begins()? {
        return Some(Attachments { section: Section::Null(start..place(walk)), length_at: None });
    }
    while walk.map_goes_on()? {
        let name_at = place(walk);
        let name = hessian_value(walk)?;
        let value_at = place(walk);
        let value = hessian_value(walk)?;
        let written = message.get(name_at..value_at)?;
        see(Entry { name, written, value, place: value_at..place(walk) });
    }
    Some(Attachments { section: Section::Map(place(walk) - 1), length_at: None })
}

fn hessian_value<'a>(walk: &mut Walk<'a, '_>) -> Option<Said<'a>> {
    let said = match *walk.rest().first()? {
        0x00..=0x1f | 0x30..=0x33 | b'S' | b'R' => walk.take(text)?.into(),
        0x80..=0xd7 | b'I' => Said::Number(walk.take(int)?.into()),
        0xd8..=0xff | 0x38..=0x3f | b'Y' | b'L' => Said::Number(walk.take(long)?),
        tag => {
            walk.skip()?;
            match tag {
                b'T' | b'F' => Said::Bool(tag == b'T'),
                b'C' | b'O' | b'H' | b'M' | b'V' | b'X' | b'U' | b'W' | 0x60..=0x7f => Said::Container,
                _ => Said::Other,
            }
        }
    };
    Some(said)
}

/// Descriptor, arguments and attachments in fastjson2. The arguments are not looked at.
fn jsonb_call<'a>(
    message: &'a [u8],
    body: &'a [u8],
    scratch: &mut Scratch,
    see: impl FnMut(Entry<'a>),
) -> (Option<Attachments>, usize) {
    let arguments = || {
        let (mut rest, descriptor) = element(body).ok()?;
        let descriptor = Said::from(jsonb::value::text(descriptor).ok()?.1).text()?;
        for _ in 0..descriptor::count(&descriptor)? {
            rest = element(rest).ok()?.0;
        }
        Some((rest, descriptor.len()))
    };
    match arguments() {
        Some((rest, descriptor)) => (jsonb_map(message, rest, scratch, see), descriptor + rest.len()),
        None => (None, 0),
    }
}

/// The element at the start of `rest`, which must be a map or null.
fn jsonb_map<'a>(
    message: &'a [u8],
    rest: &'a [u8],
    scratch: &mut Scratch,
    mut see: impl FnMut(Entry<'a>),
) -> Option<Attachments> {
    let (behind, map) = element(rest).ok()?;
    let length_at = Some(message.len() - rest.len());
    let end = message.len() - behind.len();
    let mut walk = jsonb::walk::Walk::new(map, &mut scratch.open);
    let place = |walk: &jsonb::walk::Walk<'a, '_>| end - walk.rest().len();
    if !walk.map_begins()? {
        let section = Section::Null(end - map.len()..end);
        return walk.rest().is_empty().then_some(Attachments { section, length_at });
    }
    while walk.map_goes_on()? {
        let name_at = place(&walk);
        let name = jsonb_value(&mut walk)?;
        let value_at = place(&walk);
        let value = jsonb_value(&mut walk)?;
        let written = message.get(name_at..value_at)?;
        see(Entry { name, written, value, place: value_at..place(&walk) });
    }
    let section = Section::Map(place(&walk) - 1);
    walk.rest().is_empty().then_some(Attachments { section, length_at })
}

fn jsonb_value<'a>(walk: &mut jsonb::walk::Walk<'a, '_>) -> Option<Said<'a>> {
    match *walk.rest().first()? {
        0x49..=0x7e => walk.take(jsonb::value::text).map(Said::from),
        0x00..=0x48 | 0xbc..=0xff => walk.take(jsonb::value::number).map(Said::Number),
        tag => match (tag, walk.skip()?) {
            (0xb0, _) => Some(Said::Bool(false)),
            (0xb1, _) => Some(Said::Bool(true)),
            (_, true) => Some(Said::Container),
            (_, false) => Some(Said::Other),
        },
    }
}
