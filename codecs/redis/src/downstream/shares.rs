//! Requests with several keys: what is hashed of each, and the part of a request that one endpoint gets.

use codec_api::{Affinity, Cause, Message, Outgoing, Refusal, Shares, Span};

use super::{KEY, request};
use crate::context;
use crate::policy::Way;
use crate::request::{Args, Limits, Scan, Scanned, put_request};
use crate::table::{Command, each_key, tag};

/// Longest request that is split, in bytes.
const MAX_SPLIT: usize = 1 << 20;
const NO_LIMITS: Limits = Limits { message: usize::MAX, elements: u32::MAX, bulk: usize::MAX };

/// The hashed parts of a request's keys.
pub(super) fn keys(message: &Message, bytes: &[u8], keys: &mut Vec<Span>) {
    let args = Args::of(bytes);
    let mut add = |place: std::ops::Range<usize>| {
        let tag = tag(bytes.get(place.clone()).unwrap_or_default());
        keys.push(Span::new(place.start + tag.start, place.start + tag.end));
    };
    if message.context & context::UNKNOWN != 0 {
        args.places().nth(1).into_iter().for_each(add);
        return;
    }
    let row = context::command(message.context).row();
    match row.only_key {
        0 => each_key(row.keys, bytes, (args.len(), args.places()), add),
        index => args.places().nth(index.into()).into_iter().for_each(&mut add),
    }
}

/// One share of a request, as a request of its own.
pub(super) fn split(
    whole: &Outgoing<'_>,
    shares: Shares<'_>,
    share: u16,
    part: &mut Vec<u8>,
) -> Result<Message, Refusal> {
    let message = whole.message;
    let command = context::command(message.context);
    let is_known = message.context & context::UNKNOWN == 0;
    let is_free = message.flow.affinity == Affinity::Free && message.context & context::QUEUED == 0;
    if !matches!(command.policy().way, Way::Split(_)) || !is_known || !is_free {
        let text =
            "its keys belong to several endpoints; a common {tag} in them keeps them together".to_owned();
        return Err(Refusal { cause: Cause::Scattered, text });
    }
    let bytes = whole.bytes.as_slice();
    if bytes.len() > MAX_SPLIT {
        let text = format!("its keys belong to several endpoints, and it has more than {MAX_SPLIT} bytes");
        return Err(Refusal { cause: Cause::TooLarge, text });
    }
    let args = Args::of(bytes);
    let args: Vec<&[u8]> = args.iter().collect();
    let step = if command == Command::named(b"MSET").unwrap_or(command) { 2 } else { 1 };
    let mut own = vec![command.row().name.as_bytes()];
    let groups = args.get(1..).unwrap_or_default().chunks(step).zip(shares.of_key);
    groups.filter(|(_, of)| **of == share).for_each(|(group, _)| own.extend(group));
    let start = part.len();
    put_request(own.into_iter(), part);
    let Scanned::Array { len, name, first, .. } = Scan::default().look(&part[start..], &NO_LIMITS) else {
        let text = "it has no keys".to_owned();
        return Err(Refusal { cause: Cause::BadMessage, text });
    };
    let mut message = request(len, command, true, name);
    message.head[KEY] = Span::new(first.0, first.1);
    message.flow = whole.message.flow;
    Ok(message)
}
