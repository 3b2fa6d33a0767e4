//! Late attributes: what stands behind the arguments of a call, or behind a result.
//!
//! Arguments in hessian2 are walked over, those in fastjson2 skipped by their lengths; neither is built. The walk
//! happens only when a rule of the listener names an attribute that the head does not have; its cost is the length of
//! the arguments in hessian2, that of the attachments in fastjson2.

use codec_api::{Attribute, Found, Message, Span, Value};

use crate::body::{self, Entry};
use crate::head::{self, Context, NAMES};
use crate::hessian::walk::Scratch;

/// Memory that walks reuse from call to call: some KiB at most.
#[derive(Debug, Default)]
pub struct Walker {
    pub(crate) scratch: Scratch,
}

/// Offers each attachment of a request to `found`, and tells how many bytes it walked over to see them.
///
/// Texts are offered as they stand if they stand in one piece and in UTF-8, else converted; whole numbers and booleans
/// as their text; other values are skipped. A generic call offers `generic` = `true` first. Where the body turns out to
/// be malformed, or goes beyond a limit of the walk (1,024 classes; 512 containers that are open and await more),
/// nothing more is offered: what is wrong with it is the provider's to say.
pub fn offer(
    message: &Message,
    bytes: &[u8],
    wanted: &[Attribute],
    found: &mut Found,
    walker: &mut Walker,
) -> usize {
    let context = Context::from(message.context);
    if message.opaque.is_some() || context.descriptor == 0 {
        return 0;
    }
    if context.generic {
        found.offer(wanted, b"generic", || Value::Static("true"));
    }
    let has_late_head = message.head.contains(&Span::LATE);
    if has_late_head {
        for (name, said) in NAMES.iter().zip(head::late(bytes)) {
            if let Some(value) = said.value(bytes) {
                found.offer(wanted, name.as_bytes(), || value.clone());
            }
        }
    }
    let see = |entry| offer_one(&entry, bytes, wanted, found, has_late_head);
    body::request(bytes, context, &mut walker.scratch, see).1
}

/// Offers each attachment of a response.
pub(crate) fn offer_of_response(
    serialization: u8,
    bytes: &[u8],
    wanted: &[Attribute],
    found: &mut Found,
    walker: &mut Walker,
) {
    // What was offered before a walk comes to a bad end stays true.
    let _ = body::response(bytes, serialization, &mut walker.scratch, |entry| {
        offer_one(&entry, bytes, wanted, found, false);
    });
}

fn offer_one(entry: &Entry<'_>, bytes: &[u8], wanted: &[Attribute], found: &mut Found, has_late_head: bool) {
    let Some(name) = entry.name.text().filter(|_| entry.value.is_comparable()) else { return };
    if has_late_head && head::has(&name) {
        return;
    }
    found.offer(wanted, &name, || entry.value.value(bytes).unwrap_or(Value::Static("")));
}
