//! How deep a walk over values is: what each open container still awaits.
//!
//! A walk is a loop, not a recursion. A container awaits a number of values, or goes on until an end that its format
//! writes; one that awaits nothing more after what is inside it is not kept open.

/// Containers that may be open at once, not counting those that await nothing more after what is inside them (a
/// linked list whose last field is the next link is not deep). Java's own reader would overflow its stack at a few
/// thousand.
pub(crate) const MAX_OPEN: usize = 512;

/// A list that goes on until its end.
pub(crate) const LIST: u32 = u32::MAX;
/// A map that goes on until its end, before a key.
pub(crate) const MAP_KEY: u32 = u32::MAX - 1;
/// A map, before a value.
pub(crate) const MAP_VALUE: u32 = u32::MAX - 2;

/// Goes into a container that awaits `inside`, in one that awaits `after` behind it. `None`: too deep.
#[inline]
pub(crate) fn enter(open: &mut Vec<u32>, inside: u32, after: u32) -> Option<u32> {
    if inside == 0 {
        return Some(after);
    }
    if after != 0 {
        if open.len() == MAX_OPEN {
            return None;
        }
        open.push(after);
    }
    Some(inside)
}

/// What a container that awaits `before` awaits after one more value.
#[inline]
pub(crate) fn after_one(before: u32) -> u32 {
    match before {
        LIST => LIST,
        MAP_KEY => MAP_VALUE,
        MAP_VALUE => MAP_KEY,
        number => number - 1,
    }
}
