//! What a request's `Message::context` holds, packed: enough to answer it without its bytes, and what the codec that faces
//! the endpoint must know to send it.

use crate::said::Said;
use crate::table::Command;

/// It came inline and is sent as an array.
pub(crate) const INLINE: u64 = 1 << 16;
/// `MULTI` must be sent before it.
pub(crate) const OPENS: u64 = 1 << 17;
/// Whoever sends it has something to note, or to change.
pub(crate) const MARKED: u64 = 1 << 18;
/// It belongs to a transaction.
pub(crate) const QUEUED: u64 = 1 << 19;
/// A `HELLO` whose credentials are for this proxy only.
pub(crate) const STRIPPED: u64 = 1 << 20;
/// Its command is not in the table.
pub(crate) const UNKNOWN: u64 = 1 << 21;
/// Its client spoke RESP3 when it asked.
pub(crate) const RESP3: u64 = 1 << 22;

const SAID: u32 = 24;
const NUMBER: u32 = 32;

/// The context of a request with this command.
#[inline]
pub(crate) fn of(command: Command) -> u64 {
    command.place() as u64
}

/// The command of a request with this context.
#[inline]
pub(crate) fn command(context: u64) -> Command {
    Command::new(usize::from(context as u16))
}

/// With a fixed answer.
pub(crate) fn saying(said: Said) -> u64 {
    (said as u64) << SAID
}

/// Its fixed answer, if it has one.
pub(crate) fn said(context: u64) -> Option<Said> {
    Said::of((context >> SAID) as u8)
}

/// With a number.
pub(crate) fn counting(number: u32) -> u64 {
    u64::from(number) << NUMBER
}

/// Its number.
pub(crate) fn number(context: u64) -> u32 {
    (context >> NUMBER) as u32
}
