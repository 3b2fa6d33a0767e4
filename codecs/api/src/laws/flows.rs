//! Laws of what is not a plain request and its response: what the proxy answers itself, sessions, and what comes unasked.

use super::breach::{Breach, Law};
use super::recorded::Recorded;
use super::stage::{Read, Role, Stage, answer, asks, encode, local_reply, same};
use crate::{Affinity, Cause, Codec, Decoded, Kind, LocalReply, Out, Side, Status};

/// The longest session.
const LONGEST_SESSION: usize = 64 << 10;
/// An answer of the proxy's, where any will do.
const NO_RESPONSE: LocalReply<'static> = LocalReply { cause: Cause::Timeout, text: "no response in time" };

/// What the proxy answers itself is answered, alone and behind a request that waits.
pub(super) fn own(stage: &Stage) -> Result<(), Breach> {
    for recorded in stage.of(Side::Downstream, Kind::Own) {
        let what = format!("the answer to {}", recorded.describe());
        let (message, bytes) = stage.read(Law::Own, recorded)?;
        let mut codec = stage.having_read(Law::Own, Role::Downstream, Some(&(message, bytes.clone())))?;
        is_response(stage, &what, (&message, &bytes), &answer(&mut *codec, &message, &bytes))?;

        let Some(request) = stage.of(Side::Downstream, Kind::Request).next() else { continue };
        let what = format!("{what}, behind {}", request.describe());
        let mut codec = stage.codec(Role::Downstream);
        let before = stage.whole(Law::Own, &mut *codec, &request.bytes, &what)?;
        let behind = stage.whole(Law::Own, &mut *codec, &recorded.bytes, &what)?;
        if behind.kind == Kind::Own {
            local_reply(&mut *codec, before.request_head(), NO_RESPONSE);
            is_response(stage, &what, (&behind, &bytes), &answer(&mut *codec, &behind, &bytes))?;
        }
    }
    Ok(())
}

/// Whether these bytes answer the request, to its client's eyes.
fn is_response(
    stage: &Stage,
    what: &str,
    (message, bytes): (&crate::Message, &[u8]),
    written: &[u8],
) -> Result<(), Breach> {
    let breach = || Breach::new(Law::Own, what).with(written);
    if written.is_empty() {
        return Err(breach().found("nothing").right("a response; who awaits one would wait for ever"));
    }
    let mut client = stage.having_written(Law::Own, Role::Client, Some(&(*message, bytes.to_vec())))?;
    let response = stage.whole(Law::Own, &mut *client, written, what)?;
    if response.kind == Kind::Response && stage.has_id(&response, message.id) {
        return Ok(());
    }
    let found = format!("{:?} with id {:#x}", response.kind, response.id);
    Err(breach().found(found).right(format!("a Response with the request's id {:#x}", message.id)))
}

/// Sessions are asked for, granted and refused.
pub(super) fn session(stage: &Stage) -> Result<(), Breach> {
    let fresh = stage.codec(Role::Downstream).session().to_vec();
    set_up(stage, "a new client's session", &fresh)?;
    for recorded in stage.of(Side::Downstream, Kind::Request) {
        let request = stage.read(Law::Session, recorded)?;
        if request.0.flow.affinity != Affinity::Session {
            continue;
        }
        let what = recorded.describe();
        let breach = || Breach::new(Law::Session, &*what).with(&recorded.bytes);
        let read = || stage.having_read(Law::Session, Role::Downstream, Some(&request));
        let mut codec = read()?;
        let asked = codec.session().to_vec();
        if asked.len() > LONGEST_SESSION {
            let found = format!("a session of {} bytes", asked.len());
            return Err(breach().found(found).right(format!("at most {LONGEST_SESSION}")));
        }
        same(breach().right("the session of every client that asks so"), read()?.session(), &asked)?;
        set_up(stage, &what, &asked)?;
        local_reply(&mut *codec, request.0.request_head(), NO_RESPONSE);
        same(Breach::new(Law::Session, format!("{what}, refused")), codec.session(), &fresh)?;
        granted(stage, recorded, &mut *read()?, &asked)?;
    }
    Ok(())
}

/// A session that is granted stays.
fn granted(stage: &Stage, request: &Recorded, codec: &mut dyn Codec, asked: &[u8]) -> Result<(), Breach> {
    let Some(response) = stage.response_to(request) else { return Ok(()) };
    let (message, bytes) = stage.read(Law::Session, response)?;
    if message.status == Status::Ok {
        stage.write(Law::Session, codec, (&message, &bytes), 0)?;
        same(Breach::new(Law::Session, format!("{}, granted", request.describe())), codec.session(), asked)?;
    }
    Ok(())
}

/// A connection is set up by as many requests as are said.
fn set_up(stage: &Stage, what: &str, session: &[u8]) -> Result<(), Breach> {
    let what = format!("what sets a connection up for {what}");
    stage.trial.set(Law::Session, &what, session);
    let mut out = Out::new();
    let said = stage.codec(Role::Upstream).prelude(session, &mut out);
    let bytes = out.to_vec();
    let (mut endpoint, mut at, mut count) = (stage.codec(Role::Endpoint), 0, 0);
    while at < bytes.len() {
        match endpoint.decode(&bytes[at..]) {
            Ok(Decoded::Message(message)) if asks(message.kind) && message.len <= bytes.len() - at => {
                at += message.len;
                count += 1;
            }
            other => {
                let breach = Breach::new(Law::Session, what).at(at).with(&bytes);
                return Err(breach.found(format!("{other:?}")).right("requests, whole"));
            }
        }
    }
    if said == count {
        return Ok(());
    }
    let found = format!("{count} requests");
    Err(Breach::new(Law::Session, what).with(&bytes).found(found).right(format!("{said}, as it says")))
}

/// What comes unasked goes to the client as it is, and is no answer.
pub(super) fn push(stage: &Stage) -> Result<(), Breach> {
    let request = stage.of(Side::Downstream, Kind::Request).next();
    for recorded in stage.of(Side::Upstream, Kind::Push) {
        let what = format!("{}, before an answer", recorded.describe());
        let (message, bytes): Read = stage.read(Law::Push, recorded)?;
        let Some(request) = request else { continue };
        let mut replies = Vec::new();
        for is_pushed in [false, true] {
            let mut codec = stage.codec(Role::Downstream);
            let asked = stage.whole(Law::Push, &mut *codec, &request.bytes, &what)?;
            if is_pushed {
                stage.trial.set(Law::Push, &what, &bytes);
                let written = encode(&mut *codec, &message, &bytes, false);
                same(Breach::new(Law::Push, &*what).with(&bytes), &written, &bytes)?;
            }
            replies.push(local_reply(&mut *codec, asked.request_head(), NO_RESPONSE));
        }
        same(Breach::new(Law::Push, &*what).with(&bytes), &replies[1], &replies[0])?;
    }
    Ok(())
}
