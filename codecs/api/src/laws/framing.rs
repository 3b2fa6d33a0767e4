//! Laws of what arrives: kinds, cuts, reads of any size, several messages in one buffer.

use fastrand::Rng;

use super::breach::{Breach, Law};
use super::inbox::{self, Event, Inbox, Wrong};
use super::recorded::Recorded;
use super::stage::{Role, Stage, alike};
use crate::{Affinity, Codec, Decoded, Kind, Message, Side};

/// Messages up to this size are cut at every byte; of longer ones the start, the end, and bytes at random.
const CUT_EVERYWHERE: usize = 8 << 10;
/// Streams per side that are split at random.
const STREAMS: usize = 48;
/// Messages of one stream.
const MESSAGES: usize = 8;

/// Each recorded message is what it is said to be.
pub(super) fn kind(stage: &Stage) -> Result<(), Breach> {
    for recorded in stage.messages().filter(|m| m.refused.is_none()) {
        let what = recorded.describe();
        let breach = || Breach::new(Law::Kind, &*what).with(&recorded.bytes);
        let (message, _) = stage.read(Law::Kind, recorded)?;
        if message.kind != recorded.kind {
            let found = format!("{:?}", message.kind);
            return Err(breach().found(found).right(format!("{:?}", recorded.kind)));
        }
        if recorded.status.is_some_and(|status| status != message.status) {
            let found = format!("status {:?}", message.status);
            return Err(breach().found(found).right(format!("status {:?}", recorded.status)));
        }
        if stage.laws.has_ids && message.id > stage.mask() {
            let found = format!("id {:#x}", message.id);
            return Err(breach().found(found).right(format!("an id of {} bits", stage.properties.id_bits)));
        }
        if let Some((request, _)) = stage.request(Law::Kind, recorded)?
            && !stage.has_id(&message, request.id)
        {
            let found = format!("id {:#x}", message.id);
            return Err(breach().found(found).right(format!("its request's id, {:#x}", request.id)));
        }
    }
    Ok(())
}

/// A cut message is awaited, whether a codec sees it for the first time or goes on with it.
pub(super) fn cut(stage: &Stage) -> Result<(), Breach> {
    for recorded in stage.messages() {
        let mut resumed = stage.receiver(Law::Cut, recorded)?;
        let mut is_refused = false;
        for cut in cuts(recorded.bytes.len()) {
            stage.trial.set(Law::Cut, &recorded.describe(), &recorded.bytes[..cut]);
            let mut fresh = stage.receiver(Law::Cut, recorded)?;
            awaited(recorded, &mut *fresh, cut)?;
            is_refused = is_refused || awaited(recorded, &mut *resumed, cut)?.is_none();
        }
        if !is_refused {
            ends(stage, recorded, &mut *resumed)?;
        }
        // As little as is asked for, each time.
        let mut patient = stage.receiver(Law::Cut, recorded)?;
        let mut shown = 1;
        while shown < recorded.bytes.len() {
            match awaited(recorded, &mut *patient, shown)? {
                Some(total) => shown = total,
                None => break,
            }
        }
        if shown >= recorded.bytes.len() {
            ends(stage, recorded, &mut *patient)?;
        }
    }
    Ok(())
}

/// Where a message of this length is cut.
fn cuts(len: usize) -> Vec<usize> {
    if len <= CUT_EVERYWHERE {
        return (1..len).collect();
    }
    let mut rng = Rng::with_seed(len as u64);
    let mut cuts: Vec<_> = (1..CUT_EVERYWHERE / 2).chain(len - 64..len).collect();
    cuts.extend((0..256).map(|_| rng.usize(1..len)));
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// The first `cut` bytes are not enough; tells how many are asked for. `None`: the message is refused by its head.
fn awaited(recorded: &Recorded, codec: &mut dyn Codec, cut: usize) -> Result<Option<usize>, Breach> {
    let len = recorded.bytes.len();
    let breach = || Breach::new(Law::Cut, recorded.describe()).at(cut).with(&recorded.bytes[..cut]);
    let right = format!("Need with a total from {} to {len}, the message's length", cut + 1);
    match codec.decode(&recorded.bytes[..cut]) {
        Ok(Decoded::Need { total }) if total > cut && total <= len => Ok(Some(total)),
        Ok(Decoded::Need { total }) => {
            let found = format!("Need with a total of {total}");
            Err(breach().found(found).right(right + "; a peer may send nothing behind it"))
        }
        Ok(Decoded::Reject(_)) if recorded.refused.is_some() => Ok(None),
        other => Err(breach().found(format!("{other:?}")).right(right)),
    }
}

/// All bytes are enough, after however many looks, and give what they give at once.
fn ends(stage: &Stage, recorded: &Recorded, resumed: &mut dyn Codec) -> Result<(), Breach> {
    let breach = || Breach::new(Law::Cut, recorded.describe()).at(recorded.bytes.len()).with(&recorded.bytes);
    let mut fresh = stage.receiver(Law::Cut, recorded)?;
    let (gone_on, at_once) = (resumed.decode(&recorded.bytes), fresh.decode(&recorded.bytes));
    if let Ok(decoded) = &gone_on {
        inbox::check(decoded, &recorded.bytes, 0).map_err(|wrong| wrong.of(breach()))?;
    }
    let is_same = match (&gone_on, &at_once) {
        (Ok(Decoded::Message(one)), Ok(Decoded::Message(other))) => seen(one) == seen(other),
        (one, other) => one == other,
    };
    if is_same {
        return Ok(());
    }
    let found = format!("{gone_on:?} after the codec had been shown the message cut");
    Err(breach().found(found).right(format!("{at_once:?}, as when it is shown whole")))
}

/// A message without what is the codec's own. Whether a pin ends with a response may depend on what else is outstanding.
pub(super) fn seen(message: &Message) -> Message {
    let mut message = *message;
    message.context = 0;
    if message.kind == Kind::Response {
        message.flow.affinity = Affinity::Free;
    }
    message
}

/// What follows a message changes nothing, and comes out after it.
pub(super) fn several(stage: &Stage) -> Result<(), Breach> {
    for recorded in stage.messages().filter(|m| m.refused.is_none()) {
        let what = format!("three of {} in one buffer", recorded.describe());
        let is_alone = recorded.kind == Kind::Response && !stage.is_shared();
        let count = if is_alone { 1 } else { 3 };
        let (alone, bytes) = stage.read(Law::Several, recorded)?;
        let stream = bytes.repeat(3);
        stage.trial.set(Law::Several, &what, &stream);
        let request = stage.request(Law::Several, recorded)?;
        let mut codec = stage.receiver(Law::Several, recorded)?;
        if let Some((message, bytes)) = &request {
            for _ in 1..count {
                stage.write(Law::Several, &mut *codec, (message, bytes), message.id)?;
            }
        }
        for start in (0..count).map(|number| number * bytes.len()) {
            let breach = || Breach::new(Law::Several, &*what).at(start).with(&stream);
            let decoded = codec.decode(&stream[start..]);
            let is_same = matches!(&decoded, Ok(Decoded::Message(one)) if seen(one) == seen(&alone));
            if !is_same {
                let right = format!("the first of them, as if it stood alone: {alone:?}");
                return Err(breach().found(format!("{decoded:?}")).right(right));
            }
        }
    }
    Ok(())
}

/// Streams of several messages, read in pieces of any size.
pub(super) fn split(stage: &Stage) -> Result<(), Breach> {
    let mut rng = Rng::with_seed(stage.laws.seed);
    for side in [Side::Downstream, Side::Upstream] {
        // What is pushed because of a request comes between its answer and others, which is no stream of any order.
        let is_loose = |m: &&Recorded| m.kind != Kind::Push || stage.request_of(m).is_none();
        let pool: Vec<_> = stage.messages().filter(|m| m.from == side).filter(is_loose).collect();
        for _ in 0..if pool.is_empty() { 0 } else { STREAMS } {
            one_stream(stage, side, &pool, &mut rng)?;
        }
    }
    Ok(())
}

fn one_stream(stage: &Stage, side: Side, pool: &[&Recorded], rng: &mut Rng) -> Result<(), Breach> {
    let mut chosen: Vec<&Recorded> = Vec::new();
    for _ in 0..MESSAGES {
        let one = pool[rng.usize(..pool.len())];
        // An endpoint that answers one request at a time has sent one response.
        let is_second = one.kind == Kind::Response && chosen.iter().any(|m| m.kind == Kind::Response);
        if side == Side::Downstream || stage.is_shared() || !is_second {
            chosen.push(one);
        }
    }
    let role = if side == Side::Downstream { Role::Downstream } else { Role::Upstream };
    let mut codec = stage.codec(role);
    for one in &chosen {
        if let Some((message, bytes)) = stage.request(Law::Split, one)? {
            stage.write(Law::Split, &mut *codec, (&message, &bytes), message.id)?;
        }
    }
    let stream: Vec<u8> = chosen.iter().flat_map(|m| m.bytes.iter().copied()).collect();
    let names: Vec<_> = chosen.iter().map(|m| m.describe()).collect();
    let what = format!("{} messages read in pieces: {}", chosen.len(), names.join(", "));
    stage.trial.set(Law::Split, &what, &stream);
    let breach = |at: usize| Breach::new(Law::Split, &*what).at(at).with(&stream);
    let largest = *rng.choice(&[1, 2, 7, 64, 1460]).unwrap_or(&1);
    let (mut inbox, mut at, mut expected) = (Inbox::limited(stage.laws.limit), 0, chosen.iter());
    while at < stream.len() {
        let read = &stream[at..stream.len().min(at + rng.usize(1..=largest))];
        inbox.read(read);
        at += read.len();
        loop {
            match inbox.next(&mut *codec).map_err(|wrong| wrong.of(breach(at)))? {
                Event::Idle => break,
                event => is_next(&event, expected.next()).map_err(|wrong| wrong.of(breach(at)))?,
            }
        }
    }
    match expected.next() {
        None => Ok(()),
        Some(missing) => Err(breach(at).found("nothing more").right(format!("then {}", missing.describe()))),
    }
}

/// Whether what came out is what went in next.
fn is_next(event: &Event, expected: Option<&&Recorded>) -> Result<(), Wrong> {
    let fits = match (event, expected) {
        (Event::Message(message, bytes), Some(one)) => alike(message.kind, one.kind) && *bytes == one.bytes,
        (Event::Rejected(rejected), Some(one)) => one.refused == Some(rejected.cause),
        _ => false,
    };
    let found = match event {
        Event::Idle => "nothing".to_owned(),
        Event::Message(message, _) => format!("{message:?}"),
        Event::Rejected(rejected) => format!("{rejected:?}"),
        Event::Error(error) => format!("{error:?}"),
    };
    let right = expected.map_or_else(|| "nothing more".to_owned(), |one| one.describe());
    if fits { Ok(()) } else { Err(Wrong { found, right }) }
}
