//! Late attributes: what stands behind the arguments of a call.
//!
//! The arguments are walked over, never built. The walk happens only when a rule of the listener names an attribute
//! that the head does not have; its cost is the length of the arguments.

use std::borrow::Cow;

use codec_api::{Attribute, Found, Message, Span, Value};
use nom::Offset;

use crate::descriptor;
use crate::head::Context;
use crate::hessian::text::proper;
use crate::hessian::value::{Text, int, join, long, text};
use crate::hessian::walk::{Scratch, Walk};
use crate::serialization::HESSIAN2;

/// Memory that [`offer`] reuses from call to call: some KiB at most.
#[derive(Debug, Default)]
pub struct Walker {
    scratch: Scratch,
}

/// A value of an attachments map, or a key.
#[derive(Debug, Clone, Copy)]
enum Seen<'a> {
    Text(&'a [u8]),
    Chunks(&'a [u8]),
    Number(i64),
    Bool(bool),
    /// Anything else: null, a double, an object.
    Other,
}

/// Offers each attachment of a request to `found`, and tells how many bytes it walked over to see them.
///
/// Texts are offered as they stand if they stand in one piece; ints, longs and booleans as their text; other values
/// are skipped. A generic call offers `generic` = `true` first. Where the body turns out to be malformed, or goes
/// beyond a limit of the walk (1,024 classes; 512 containers that are open and await more), nothing more is offered:
/// what is wrong with it is the provider's to say.
pub fn offer(
    message: &Message,
    bytes: &[u8],
    wanted: &[Attribute],
    found: &mut Found,
    walker: &mut Walker,
) -> usize {
    let context = Context::from(message.context);
    if context.serialization != HESSIAN2 || context.descriptor == 0 {
        return 0;
    }
    if context.generic {
        found.offer(wanted, b"generic", || Value::Static("true"));
    }
    let Some(body) = bytes.get(context.descriptor as usize..) else { return 0 };
    let mut walk = Walk::new(body, &mut walker.scratch);
    // `None` is a walk that came to a bad end; what was offered before stays true.
    let _ = through(&mut walk, |name, seen| match seen {
        Seen::Other => {}
        seen => found.offer(wanted, name, || seen.value(bytes)),
    });
    body.len() - walk.rest().len()
}

/// Walks over descriptor, arguments and attachments.
fn through<'a>(walk: &mut Walk<'a>, mut see: impl FnMut(&[u8], Seen<'a>)) -> Option<()> {
    let Text::Whole(descriptor) = walk.take(text)? else { return None };
    for _ in 0..descriptor::count(descriptor)? {
        walk.skip()?;
    }
    if !walk.map_begins()? {
        return Some(());
    }
    while walk.map_goes_on()? {
        let name = one(walk)?;
        let value = one(walk)?;
        match name {
            Seen::Text(name) => see(&proper(name), value),
            Seen::Chunks(name) => see(&proper(&join(name)), value),
            _ => {}
        }
    }
    Some(())
}

/// Takes one value.
fn one<'a>(walk: &mut Walk<'a>) -> Option<Seen<'a>> {
    let seen = match *walk.rest().first()? {
        0x00..=0x1f | 0x30..=0x33 | b'S' | b'R' => match walk.take(text)? {
            Text::Whole(text) => Seen::Text(text),
            Text::Chunks(chunks) => Seen::Chunks(chunks),
            Text::Null => Seen::Other,
        },
        0x80..=0xd7 | b'I' => Seen::Number(walk.take(int)?.into()),
        0xd8..=0xff | 0x38..=0x3f | b'Y' | b'L' => Seen::Number(walk.take(long)?),
        tag => {
            walk.skip()?;
            match tag {
                b'T' | b'F' => Seen::Bool(tag == b'T'),
                _ => Seen::Other,
            }
        }
    };
    Some(seen)
}

impl Seen<'_> {
    /// The value as routes compare it, in a message of these bytes.
    fn value(self, message: &[u8]) -> Value {
        match self {
            Self::Text(text) => match proper(text) {
                Cow::Borrowed(text) => {
                    let start = message.offset(text);
                    Value::Span(Span::new(start, start + text.len()))
                }
                Cow::Owned(text) => owned(&text),
            },
            Self::Chunks(chunks) => owned(&proper(&join(chunks))),
            Self::Number(number) => Value::Text(number.to_string().into()),
            Self::Bool(true) => Value::Static("true"),
            Self::Bool(false) => Value::Static("false"),
            Self::Other => Value::Static(""),
        }
    }
}

fn owned(text: &[u8]) -> Value {
    Value::Text(String::from_utf8_lossy(text).into())
}
