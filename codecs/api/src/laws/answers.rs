//! Laws of conversations: who is answered, in which order, and what the proxy says in its own name.

use fastrand::Rng;

use super::breach::{Breach, Law};
use super::recorded::Recorded;
use super::stage::{Read, Role, Stage, answer, local_reply, same};
use crate::{Cause, Codec, Decoded, Kind, LocalReply, Order, Out, Outgoing, Raw, Rejected, Side, Status};

/// Texts that a reply must be able to carry, whole or in part: some would break the frame of a careless codec.
const TEXTS: [&str; 4] = ["no route matches", "", "größe 🛒 für alle", "two\r\nlines\0and a zero"];
/// A text longer than any message needs.
const LONG_TEXT: usize = 1 << 20;
/// What a reply may have, however long its text.
const LONGEST_REPLY: usize = 64 << 10;
/// Requests that are pipelined.
const PIPELINED: usize = 24;

/// Every cause has a reply that its client understands, whatever the text.
pub(super) fn local_replies(stage: &Stage) -> Result<(), Breach> {
    let long = "more than fits ".repeat(LONG_TEXT / 15);
    for recorded in stage.of(Side::Downstream, Kind::Request) {
        let mut told = Vec::new();
        for cause in Cause::ALL {
            for text in TEXTS.into_iter().chain([long.as_str()]) {
                reply(stage, recorded, LocalReply { cause, text })?;
            }
            let own = format!("because of {cause:?}");
            let written = reply(stage, recorded, LocalReply { cause, text: &own })?;
            if let Some((other, _)) = told.iter().find(|(_, bytes)| *bytes == written) {
                let breach =
                    Breach::new(Law::LocalReply, format!("{} refused for {cause:?}", recorded.describe()));
                let found = format!("the same bytes as for {other:?}, though the texts differ");
                return Err(breach.with(&written).found(found).right("replies that a client can tell apart"));
            }
            told.push((cause, written));
        }
    }
    Ok(())
}

fn reply(stage: &Stage, recorded: &Recorded, reply: LocalReply<'_>) -> Result<Vec<u8>, Breach> {
    let law = Law::LocalReply;
    let mut text: String = reply.text.chars().take(40).collect();
    text.extend((text.len() < reply.text.len()).then_some('…'));
    let what = format!("the local reply to {} for {:?}, {text:?}", recorded.describe(), reply.cause);
    stage.trial.set(law, &what, &recorded.bytes);
    let request = stage.read(law, recorded)?;
    let mut codec = stage.having_read(law, Role::Downstream, Some(&request))?;
    let written = local_reply(&mut *codec, request.0.request_head(), reply);
    let mut client = stage.having_written(law, Role::Client, Some(&request))?;
    is_reply(stage, Breach::new(law, what), &mut *client, request.0.id, &written)?;
    Ok(written)
}

/// Whether these bytes refuse the request with this id, to its client's eyes.
fn is_reply(
    stage: &Stage,
    breach: Breach,
    client: &mut dyn Codec,
    id: u64,
    written: &[u8],
) -> Result<(), Breach> {
    let breach = breach.with(written);
    if written.is_empty() {
        return Err(breach.found("nothing").right("a response; who awaits one would wait for ever"));
    }
    if written.len() > LONGEST_REPLY {
        let right = format!("at most {LONGEST_REPLY} bytes: a long text is cut");
        return Err(breach.found(format!("{} bytes", written.len())).right(right));
    }
    let message = stage.whole(breach.law, client, written, &breach.subject)?;
    let right = format!("a Response with the request's id {id:#x} and a status that is not Ok");
    if message.kind != Kind::Response || !stage.has_id(&message, id) || message.status == Status::Ok {
        let found = format!("{:?} with id {:#x}, status {:?}", message.kind, message.id, message.status);
        return Err(breach.found(found).right(right));
    }
    Ok(())
}

/// Messages that are refused by their heads are answered, skipped, and forgotten.
pub(super) fn refused(stage: &Stage) -> Result<(), Breach> {
    for recorded in stage.messages().filter(|m| m.refused.is_some()) {
        let what = recorded.describe();
        stage.trial.set(Law::Refused, &what, &recorded.bytes);
        let breach = || Breach::new(Law::Refused, &*what).with(&recorded.bytes);
        let mut codec = stage.receiver(Law::Refused, recorded)?;
        let decoded = codec.decode(&recorded.bytes);
        let (Ok(Decoded::Reject(rejected)), Some(cause)) = (&decoded, recorded.refused) else {
            return Err(breach().found(format!("{decoded:?}")).right("Reject"));
        };
        if rejected.cause != cause || rejected.skip != recorded.bytes.len() as u64 {
            let right = format!("cause {cause:?}, skip {}", recorded.bytes.len());
            return Err(breach().found(format!("{rejected:?}")).right(right));
        }
        let awaits = recorded.from == Side::Downstream && recorded.kind == Kind::Request;
        if awaits && rejected.answer.is_none() {
            return Err(breach().found("no answer").right("whom to answer, for a response is awaited"));
        }
        goes_on(stage, codec, rejected, recorded)?;
    }
    Ok(())
}

/// After a refusal: its answer is a reply, and the next message is served.
pub(super) fn goes_on(
    stage: &Stage,
    mut codec: Box<dyn Codec>,
    rejected: &Rejected,
    recorded: &Recorded,
) -> Result<(), Breach> {
    let law = Law::Refused;
    if let (Side::Downstream, Some(head)) = (recorded.from, rejected.answer) {
        let written =
            local_reply(&mut *codec, head, LocalReply { cause: rejected.cause, text: &rejected.text });
        let what = format!("the local reply to {}, which is refused", recorded.describe());
        let breach = Breach::new(law, what);
        let mut client = stage.codec(Role::Client);
        if let Some(request) = stage.of(Side::Downstream, Kind::Request).next() {
            let (message, bytes) = stage.read(law, request)?;
            stage.write(law, &mut *client, (&message, &bytes), head.id)?;
        }
        is_reply(stage, breach, &mut *client, head.id, &written)?;
    }
    let is_next = |m: &&Recorded| m.from == recorded.from && m.kind != Kind::Response && m.refused.is_none();
    let Some(next) = stage.messages().find(is_next) else { return Ok(()) };
    let what = format!("{}, behind {}, which is refused", next.describe(), recorded.describe());
    let message = stage.whole(law, &mut *codec, &next.bytes, &what)?;
    if message.kind == next.kind {
        return Ok(());
    }
    let found = format!("{:?}", message.kind);
    Err(Breach::new(law, what).with(&next.bytes).found(found).right(format!("{:?}", next.kind)))
}

/// Pipelined requests are answered as single ones are.
pub(super) fn order(stage: &Stage) -> Result<(), Breach> {
    let requests: Vec<_> = stage.of(Side::Downstream, Kind::Request).collect();
    if requests.is_empty() {
        return Ok(());
    }
    let mut rng = Rng::with_seed(stage.laws.seed);
    let mut sequence: Vec<_> = (0..PIPELINED).map(|_| requests[rng.usize(..requests.len())]).collect();
    let mut codec = stage.codec(Role::Downstream);
    let mut heads = Vec::new();
    for request in &sequence {
        heads.push(stage.whole(Law::Order, &mut *codec, &request.bytes, &request.describe())?.request_head());
    }
    let mut places: Vec<usize> = (0..sequence.len()).collect();
    if stage.conduct(Role::Downstream).order == Order::ById {
        rng.shuffle(&mut places);
    }
    for (turn, place) in places.into_iter().enumerate() {
        let request = std::mem::replace(&mut sequence[place], requests[0]);
        let what = format!("the answer to {}, request {place} of {PIPELINED} pipelined", request.describe());
        let mut alone =
            stage.having_read(Law::Order, Role::Downstream, Some(&stage.read(Law::Order, request)?))?;
        let head = stage.read(Law::Order, request)?.0.request_head();
        let (found, right) = if turn % 2 == 0 {
            let reply = LocalReply { cause: Cause::Timeout, text: "no response in time" };
            (local_reply(&mut *codec, heads[place], reply), local_reply(&mut *alone, head, reply))
        } else if let Some(response) = stage.response_to(request) {
            let (message, bytes) = stage.read(Law::Order, response)?;
            let write = |codec: &mut dyn Codec, id| stage.write(Law::Order, codec, (&message, &bytes), id);
            (write(&mut *codec, heads[place].id)?, write(&mut *alone, head.id)?)
        } else {
            let reply = LocalReply { cause: Cause::NoRoute, text: "no route matches" };
            (local_reply(&mut *codec, heads[place], reply), local_reply(&mut *alone, head, reply))
        };
        same(Breach::new(Law::Order, what).with(&found), &found, &right)?;
    }
    Ok(())
}

/// A oneway message leaves no trace.
pub(super) fn oneway(stage: &Stage) -> Result<(), Breach> {
    let Some(request) = stage.of(Side::Downstream, Kind::Request).next() else { return Ok(()) };
    for oneway in stage.of(Side::Downstream, Kind::Oneway) {
        let law = Law::Oneway;
        let what = format!("{}, sent behind {}", request.describe(), oneway.describe());
        let single = stage.read(law, request)?;
        let mut codec = stage.codec(Role::Downstream);
        let noted = (stage.whole(law, &mut *codec, &oneway.bytes, &what)?, oneway.bytes.clone());
        let asked = stage.whole(law, &mut *codec, &request.bytes, &what)?;
        let reply = LocalReply { cause: Cause::Timeout, text: "no response in time" };
        let found = local_reply(&mut *codec, asked.request_head(), reply);
        let mut alone = stage.having_read(law, Role::Downstream, Some(&single))?;
        let right = local_reply(&mut *alone, single.0.request_head(), reply);
        same(Breach::new(law, format!("the local reply to {what}")).with(&found), &found, &right)?;

        let (mut upstream, mut endpoint) = (stage.codec(Role::Upstream), stage.codec(Role::Endpoint));
        for (id, ((message, bytes), kind)) in
            [(5, (&noted, Kind::Oneway)), (6, (&(asked, request.bytes.clone()), Kind::Request))]
        {
            let written = stage.write(law, &mut *upstream, (message, bytes), id)?;
            let arrived = stage.whole(law, &mut *endpoint, &written, &what)?;
            if arrived.kind != kind {
                let breach = Breach::new(law, &*what).with(&written);
                return Err(breach.found(format!("{:?}", arrived.kind)).right(format!("{kind:?}")));
            }
        }
        if let Some(response) = stage.response_to(request) {
            let answer = stage.response_with_id(law, response, 6)?;
            let message = stage.whole(law, &mut *upstream, &answer, &what)?;
            if message.kind != Kind::Response || !stage.has_id(&message, 6) {
                let found = format!("{:?} with id {:#x}", message.kind, message.id);
                return Err(Breach::new(law, what).with(&answer).found(found).right("Response with id 0x6"));
            }
        }
    }
    Ok(())
}

/// Two requests with one id, and a response that nobody asked for.
pub(super) fn correlation(stage: &Stage) -> Result<(), Breach> {
    for request in stage.of(Side::Downstream, Kind::Request) {
        let Some(response) = stage.response_to(request) else { continue };
        duplicate(stage, request, response)?;
        if stage.laws.has_ids && stage.is_shared() {
            unknown(stage, request, response)?;
        }
    }
    Ok(())
}

fn duplicate(stage: &Stage, request: &Recorded, response: &Recorded) -> Result<(), Breach> {
    let law = Law::Correlation;
    let what = format!("two of {} with one id", request.describe());
    let mut client = stage.codec(Role::Downstream);
    let mut first = stage.codec(Role::Upstream);
    let mut second = (!stage.is_shared()).then(|| stage.codec(Role::Upstream));
    let mut own = 0;
    for id in [1, 2] {
        let message = stage.whole(law, &mut *client, &request.bytes, &what)?;
        own = message.id;
        let upstream = second.as_mut().filter(|_| id == 2).unwrap_or(&mut first);
        let written = stage.write(law, &mut **upstream, (&message, &request.bytes), id)?;
        let seen = stage.whole(law, &mut *stage.codec(Role::Endpoint), &written, &what)?;
        if !stage.has_id(&seen, id) {
            let breach = Breach::new(law, &*what).with(&written).found(format!("id {:#x}", seen.id));
            return Err(breach.right(format!("the id that it was to be written with, {id:#x}")));
        }
    }
    let is_reversed = stage.conduct(Role::Downstream).order == Order::ById;
    for id in if is_reversed { [2, 1] } else { [1, 2] } {
        let answer = stage.response_with_id(law, response, id)?;
        let upstream = second.as_mut().filter(|_| id == 2).unwrap_or(&mut first);
        let message = stage.whole(law, &mut **upstream, &answer, &what)?;
        let breach = Breach::new(law, format!("the response to {what}, sent on as {id:#x}"));
        if message.kind != Kind::Response || !stage.has_id(&message, id) {
            let found = format!("{:?} with id {:#x}", message.kind, message.id);
            return Err(breach.with(&answer).found(found).right(format!("Response with id {id:#x}")));
        }
        let written = stage.write(law, &mut *client, (&message, &answer), own)?;
        if !stage.laws.transcodes {
            same(breach.with(&written), &written, &response.bytes)?;
        }
    }
    Ok(())
}

fn unknown(stage: &Stage, request: &Recorded, response: &Recorded) -> Result<(), Breach> {
    let law = Law::Correlation;
    let (message, bytes) = stage.read(law, request)?;
    let mut upstream = stage.codec(Role::Upstream);
    stage.write(law, &mut *upstream, (&message, &bytes), 1)?;
    for (id, what) in [(7, "that was never given"), (1, "after one that was never given"), (1, "twice")] {
        let answer = stage.response_with_id(law, response, id)?;
        let what = format!("{} with an id {what}", response.describe());
        let message = stage.whole(law, &mut *upstream, &answer, &what)?;
        if message.kind != Kind::Response || message.id != id {
            let found = format!("{:?} with id {:#x}", message.kind, message.id);
            let right = format!("Response with id {id:#x}; what to do with it is the framework's");
            return Err(Breach::new(law, what).with(&answer).found(found).right(right));
        }
    }
    Ok(())
}

/// Pings of ours and of theirs are answered.
pub(super) fn heartbeat(stage: &Stage) -> Result<(), Breach> {
    let law = Law::Heartbeat;
    if stage.properties.heartbeat.is_some() {
        for id in stage.ids() {
            let mut upstream = stage.codec(Role::Upstream);
            let mut out = Out::new();
            upstream.ping(id, &mut out);
            let what = format!("the proxy's ping with id {id:#x}");
            let mut endpoint = stage.codec(Role::Endpoint);
            let asked = is(stage, &what, (&mut *endpoint, &out.to_vec()), Kind::Ping, id)?;
            let answered = match asked.0.kind {
                Kind::Own => answer(&mut *endpoint, &asked.0, &asked.1),
                _ => pong(&mut *endpoint, &asked),
            };
            is(stage, &format!("the answer to {what}"), (&mut *upstream, &answered), Kind::Pong, id)?;
        }
    }
    for recorded in stage.messages().filter(|m| m.kind == Kind::Ping && m.refused.is_none()) {
        let (mut codec, mut other) = match recorded.from {
            Side::Downstream => (stage.codec(Role::Downstream), stage.codec(Role::Client)),
            Side::Upstream => (stage.codec(Role::Upstream), stage.codec(Role::Endpoint)),
        };
        let message = stage.whole(law, &mut *codec, &recorded.bytes, &recorded.describe())?;
        let answered = pong(&mut *codec, &(message, recorded.bytes.clone()));
        let what = format!("the answer to {}", recorded.describe());
        is(stage, &what, (&mut *other, &answered), Kind::Pong, message.id)?;
    }
    Ok(())
}

fn pong(codec: &mut dyn Codec, (message, bytes): &Read) -> Vec<u8> {
    let mut out = Out::new();
    codec.pong(&Outgoing { message, bytes: Raw::Slice(bytes), id: message.id }, &mut out);
    out.to_vec()
}

fn is(
    stage: &Stage,
    what: &str,
    (codec, bytes): (&mut dyn Codec, &[u8]),
    kind: Kind,
    id: u64,
) -> Result<Read, Breach> {
    let breach = || Breach::new(Law::Heartbeat, what).with(bytes);
    if bytes.is_empty() {
        return Err(breach().found("nothing").right(format!("a {kind:?}")));
    }
    let message = stage.whole(Law::Heartbeat, codec, bytes, what)?;
    // A ping may be a request like any other, which the proxy answers itself.
    let is_right = message.kind == kind || (kind == Kind::Ping && message.kind == Kind::Own);
    if !is_right || !stage.has_id(&message, id) {
        let found = format!("{:?} with id {:#x}", message.kind, message.id);
        return Err(breach().found(found).right(format!("{kind:?} with id {id:#x}")));
    }
    Ok((message, bytes.to_vec()))
}

/// A notice of going away, where there is one, is understood.
pub(super) fn going_away(stage: &Stage) -> Result<(), Breach> {
    let mut out = Out::new();
    stage.codec(Role::Downstream).going_away(&mut out);
    let bytes = out.to_vec();
    if bytes.is_empty() {
        return Ok(());
    }
    let what = "the notice of going away";
    let message = stage.whole(Law::GoingAway, &mut *stage.codec(Role::Client), &bytes, what)?;
    if message.kind == Kind::GoingAway {
        return Ok(());
    }
    let breach = Breach::new(Law::GoingAway, what).with(&bytes);
    Err(breach.found(format!("{:?}", message.kind)).right("GoingAway"))
}
