//! Laws of time and memory.
//!
//! Work is timed, for nothing else sees a scan inside a codec: four times the bytes may take eight times as long, where
//! a quadratic codec takes sixteen. What counts is the processor's time of this thread, the least of several, and a
//! suspicion is measured again, so that a busy machine breaks no law. Memory is what the test's own allocator counts.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::answers;
use super::breach::{Breach, Law};
use super::inbox::{Event, Inbox};
use super::recorded::Recorded;
use super::stage::{Role, Stage, local_reply};
use crate::{Cause, Codec, Decoded, Kind, LocalReply, Order, Side};

/// Work that is long enough to be timed.
const LONG_ENOUGH: Duration = Duration::from_millis(1);
/// How much longer four times the bytes may take.
const MOST: u32 = 8;
/// Measurements of which the least counts.
const REPEATS: usize = 5;
/// Suspicions before they are believed.
const SUSPICIONS: usize = 10;
/// The most bytes, or messages, that are timed.
const MOST_TIMED: usize = 1 << 18;
/// Exchanges on one connection whose memory is looked at.
const EXCHANGES: usize = 2000;
/// Bytes of a long message after which its codec may hold no more than before.
const SHOWN_OF_LONG: usize = 1 << 10;

/// Work is linear.
pub(super) fn linear(stage: &Stage) -> Result<(), Breach> {
    let most = MOST_TIMED.min(stage.laws.limit / 8);
    let mut bytes = Vec::new();
    let mut long = |size: usize| {
        if bytes.len() != size {
            bytes = stage.laws.request_of(size);
        }
        bytes.clone()
    };
    let byte_by_byte = |bytes: &[u8]| {
        let mut codec = stage.codec(Role::Downstream);
        for shown in 1..=bytes.len() {
            let _ = std::hint::black_box(codec.decode(&bytes[..shown]));
        }
    };
    grows("a long request that arrives byte by byte", most, &mut long, &byte_by_byte)?;

    let names = stage.laws.names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let attributes = |bytes: &[u8]| {
        let mut codec = stage.codec(Role::Downstream);
        if let Ok(Decoded::Message(message)) = codec.decode(bytes) {
            std::hint::black_box(stage.look_up(Side::Downstream, &mut *codec, (&message, bytes), &names));
        }
    };
    grows("the late attributes of a long request", most, &mut long, &attributes)?;

    let Some(shortest) = stage.of(Side::Downstream, Kind::Request).min_by_key(|m| m.bytes.len()) else {
        return Ok(());
    };
    let mut pipeline = |count: usize| shortest.bytes.repeat(count);
    let drained = |bytes: &[u8]| {
        let mut codec = stage.codec(Role::Downstream);
        let mut at = 0;
        while let Some(Ok(Decoded::Message(message))) = bytes.get(at..).map(|rest| codec.decode(rest)) {
            at += message.len.max(1);
        }
    };
    grows("short requests in one buffer", most / shortest.bytes.len().max(1), &mut pipeline, &drained)
}

/// Fails if the work on four times as much takes more than eight times as long.
fn grows(
    what: &str,
    most: usize,
    make: &mut dyn FnMut(usize) -> Vec<u8>,
    work: &dyn Fn(&[u8]),
) -> Result<(), Breach> {
    let mut size = 64;
    while size * 2 <= most && least(&make(size), work, 1) < LONG_ENOUGH {
        size *= 2;
    }
    let (mut one, mut four) = (Duration::MAX, Duration::MAX);
    for _ in 0..SUSPICIONS {
        one = one.min(least(&make(size), work, REPEATS));
        four = four.min(least(&make(size * 4), work, REPEATS));
        if four <= one * MOST || four < LONG_ENOUGH {
            return Ok(());
        }
    }
    let found = format!("{one:?} for a size of {size}, {four:?} for a size of {}", size * 4);
    let right =
        format!("at most {MOST} times as long for four times as much: remember how far you have looked");
    Err(Breach::new(Law::Linear, what).found(found).right(right))
}

fn least(bytes: &[u8], work: &dyn Fn(&[u8]), repeats: usize) -> Duration {
    let time = || {
        let start = spent();
        work(bytes);
        spent().saturating_sub(start)
    };
    (0..repeats).map(|_| time()).min().unwrap_or_default()
}

/// The processor's time that this thread has had.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// What is too long is refused before it has come; what is just not too long is served.
pub(super) fn limit(stage: &Stage) -> Result<(), Breach> {
    let limit = stage.laws.limit;
    let mut size = limit.saturating_sub(stage.laws.request_of(0).len());
    let mut fitting = stage.laws.request_of(size);
    while fitting.len() > limit && size > 0 {
        size -= 1;
        fitting = stage.laws.request_of(size);
    }
    let what = format!("a request of {} bytes, where the limit is {limit}", fitting.len());
    stage.trial.set(Law::Limit, &what, &fitting[..fitting.len().min(SHOWN_OF_LONG)]);
    let served = patiently(stage, &what, &mut *stage.codec(Role::Downstream), &fitting)?;
    if !matches!(&served, Event::Message(message, _) if message.kind == Kind::Request) {
        return Err(Breach::new(Law::Limit, what).found(said(&served)).right("a Request of all its bytes"));
    }
    let long = stage.laws.request_of(limit);
    let what = format!("an endpoint's message of {} bytes, where the limit is {limit}", long.len());
    let end = patiently(stage, &what, &mut *stage.codec(Role::Upstream), &long)?;
    if !matches!(end, Event::Error(_) | Event::Rejected(_)) {
        let right = "Reject or Err, as soon as its length is known";
        return Err(Breach::new(Law::Limit, what).found(said(&end)).right(right));
    }
    let what = format!("a request of {} bytes, where the limit is {limit}", long.len());
    stage.trial.set(Law::Limit, &what, &long[..SHOWN_OF_LONG.min(long.len())]);
    let mut codec = stage.codec(Role::Downstream);
    match patiently(stage, &what, &mut *codec, &long)? {
        Event::Error(_) => Ok(()),
        Event::Rejected(rejected) => {
            let breach = || Breach::new(Law::Limit, &*what).found(format!("{rejected:?}"));
            if rejected.skip != long.len() as u64 {
                return Err(breach().right(format!("skip {}, the message's length", long.len())));
            }
            if rejected.answer.is_none() || rejected.cause != Cause::TooLarge {
                return Err(breach().right("cause TooLarge, and whom to answer: a response is awaited"));
            }
            answers::goes_on(stage, codec, &rejected, &Recorded::request("that is too long", &[][..]))
        }
        other => {
            let right = "Reject or Err, as soon as its length is known";
            Err(Breach::new(Law::Limit, what).found(said(&other)).right(right))
        }
    }
}

/// Shows `bytes` as they are asked for, and never more than the limit allows to ask for.
fn patiently(stage: &Stage, what: &str, codec: &mut dyn Codec, bytes: &[u8]) -> Result<Event, Breach> {
    let limit = stage.laws.limit;
    let mut shown = 1;
    loop {
        let decoded = match codec.decode(&bytes[..shown]) {
            Ok(decoded) => decoded,
            Err(error) => return Ok(Event::Error(error)),
        };
        super::inbox::check(&decoded, &bytes[..shown], limit)
            .map_err(|wrong| wrong.of(Breach::new(Law::Limit, what).at(shown)))?;
        match decoded {
            Decoded::Message(message) => return Ok(Event::Message(message, Vec::new())),
            Decoded::Reject(rejected) => return Ok(Event::Rejected(rejected)),
            Decoded::Need { .. } if shown == bytes.len() => return Ok(Event::Idle),
            Decoded::Need { total } => shown = total.min(bytes.len()),
        }
    }
}

fn said(event: &Event) -> String {
    match event {
        Event::Idle => "Need, when all its bytes were there".to_owned(),
        Event::Message(message, _) => format!("{message:?}"),
        Event::Rejected(rejected) => format!("{rejected:?}"),
        Event::Error(error) => format!("{error:?}"),
    }
}

/// Memory stays under what was stated: for a message that is only announced, and for a long conversation.
pub(super) fn memory(stage: &Stage) -> Result<(), Breach> {
    let largest = stage.messages().map(|m| m.bytes.len()).max().unwrap_or(0);
    let long = stage.laws.request_of(stage.laws.limit.saturating_sub(stage.laws.request_of(0).len() + 64));
    let start = &long[..long.len().min(SHOWN_OF_LONG)];
    for (what, side) in [("a client's", Side::Downstream), ("an endpoint's", Side::Upstream)] {
        let role = if side == Side::Downstream { Role::Downstream } else { Role::Upstream };
        let what = format!("{} bytes of {what} message that is to have {}", start.len(), long.len());
        let mut work = || {
            let mut codec = stage.codec(role);
            for shown in 1..=start.len() {
                let _ = std::hint::black_box(codec.decode(&start[..shown]));
            }
        };
        holds(stage, &what, stage.laws.memory + 4 * start.len(), &mut work)?;
    }
    let mut failed = None;
    let mut work = || failed = converse(stage).err();
    holds(
        stage,
        &format!("{EXCHANGES} exchanges on one connection"),
        stage.laws.memory + 16 * largest,
        &mut work,
    )?;
    failed.map_or(Ok(()), Err)
}

/// Fails if `work` holds more than `most` bytes at a time.
pub(super) fn holds(stage: &Stage, what: &str, most: usize, work: &mut dyn FnMut()) -> Result<(), Breach> {
    stage.trial.set(Law::Memory, what, &[]);
    let Some(gauge) = &stage.laws.gauge else {
        work();
        return Ok(());
    };
    let held = gauge(work);
    if held <= most as u64 {
        return Ok(());
    }
    let found = format!("{held} bytes held at one time");
    Err(Breach::new(Law::Memory, what).found(found).right(format!("at most {most}, as was stated")))
}

/// Many requests, each answered, one way or the other, before the next.
fn converse(stage: &Stage) -> Result<(), Breach> {
    let requests: Vec<_> = stage.of(Side::Downstream, Kind::Request).collect();
    let (mut client, mut endpoint) = (stage.codec(Role::Downstream), stage.codec(Role::Upstream));
    let mut inbox = Inbox::limited(stage.laws.limit);
    let is_in_order = stage.conduct(Role::Upstream).order == Order::InOrder && stage.is_shared();
    for (number, request) in requests.iter().cycle().take(EXCHANGES).enumerate() {
        inbox.read(&request.bytes);
        let what = format!("{}, request {number} on its connection", request.describe());
        let event = inbox.next(&mut *client).map_err(|wrong| wrong.of(Breach::new(Law::Memory, &*what)))?;
        let Event::Message(message, bytes) = event else {
            return Err(Breach::new(Law::Memory, what)
                .with(&request.bytes)
                .found(said(&event))
                .right("a Request"));
        };
        let id = (number as u64 + 1) & stage.mask();
        stage.write(Law::Memory, &mut *endpoint, (&message, &bytes), id)?;
        let response = stage.response_to(request).filter(|_| number % 2 == 0);
        let Some(response) = response else {
            let reply = LocalReply { cause: Cause::Timeout, text: "no response in time" };
            local_reply(&mut *client, message.request_head(), reply);
            // Where responses come in order, one that is late comes all the same.
            if let Some(late) = stage.response_to(request).filter(|_| is_in_order) {
                stage.whole(Law::Memory, &mut *endpoint, &late.bytes, &what)?;
            }
            // The endpoint's connection is given up with its request.
            if !stage.is_shared() {
                endpoint = stage.codec(Role::Upstream);
            }
            continue;
        };
        let answer = stage.response_with_id(Law::Memory, response, id)?;
        let response = stage.whole(Law::Memory, &mut *endpoint, &answer, &what)?;
        stage.write(Law::Memory, &mut *client, (&response, &answer), message.id)?;
    }
    Ok(())
}
