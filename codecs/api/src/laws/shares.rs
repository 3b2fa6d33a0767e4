//! The law of requests that go to several endpoints.

use super::breach::{Breach, Law};
use super::framing::seen;
use super::recorded::Recorded;
use super::stage::{Role, Stage};
use crate::{
    Answer, Cause, Codec, Decoded, Kind, LocalReply, Message, Out, Outgoing, Raw, Shares, Side, Span, Spread,
};

/// Requests are split, or not at all; their answers are merged.
pub(super) fn shares(stage: &Stage) -> Result<(), Breach> {
    for recorded in stage.of(Side::Downstream, Kind::Request) {
        let (message, bytes) = stage.read(Law::Shares, recorded)?;
        match message.flow.spread {
            Spread::Keys => {
                let keys = keys(stage, recorded, (&message, &bytes))?;
                for of_key in assignments(keys.len()) {
                    let count = of_key.iter().max().map_or(0, |most| most + 1);
                    split(stage, recorded, (&message, &bytes), (&keys, &of_key, count))?;
                    merged(stage, recorded, Shares { of_key: &of_key, count })?;
                }
            }
            Spread::All => merged(stage, recorded, Shares { of_key: &[], count: 2 })?,
            Spread::One | Spread::Home | Spread::Sole => {}
        }
    }
    Ok(())
}

/// Ways to deal keys to several endpoints.
fn assignments(keys: usize) -> Vec<Vec<u16>> {
    if keys < 2 {
        return Vec::new();
    }
    let all = keys as u16;
    vec![
        (0..all).map(|key| key % 2).collect(),
        (0..all).map(|key| u16::from(key > 0)).collect(),
        (0..all).collect(),
    ]
}

/// What is hashed of a message that a client's codec has read.
pub(super) fn keys_of(codec: &mut dyn Codec, message: &Message, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut spans: Vec<Span> = Vec::new();
    codec.keys(message, bytes, &mut spans);
    spans.into_iter().map(|span| span.of(bytes).map(<[u8]>::to_vec)).collect()
}

fn keys(
    stage: &Stage,
    recorded: &Recorded,
    (message, bytes): (&Message, &[u8]),
) -> Result<Vec<Vec<u8>>, Breach> {
    let mut codec = stage.having_read(Law::Shares, Role::Downstream, Some(&(*message, bytes.to_vec())))?;
    let breach = Breach::new(Law::Shares, format!("the keys of {}", recorded.describe())).with(bytes);
    match keys_of(&mut *codec, message, bytes) {
        Some(keys) if !keys.is_empty() => Ok(keys),
        Some(_) => Err(breach.found("none").right("at least one, for the message says Spread::Keys")),
        None => Err(breach.found("one outside of the message").right("each stands inside it")),
    }
}

/// Each share is a request with the keys that belong to it.
fn split(
    stage: &Stage,
    recorded: &Recorded,
    (message, bytes): (&Message, &[u8]),
    (keys, of_key, count): (&[Vec<u8>], &[u16], u16),
) -> Result<(), Breach> {
    let mut refused = 0;
    let mut codec = stage.having_read(Law::Shares, Role::Downstream, Some(&(*message, bytes.to_vec())))?;
    for share in 0..count {
        let what = format!("share {share} of {}, dealt as {of_key:?}", recorded.describe());
        stage.trial.set(Law::Shares, &what, bytes);
        let mut part = Vec::new();
        let whole = Outgoing { message, bytes: Raw::Slice(bytes), id: message.id };
        let said = codec.split(&whole, Shares { of_key, count }, share, &mut part);
        let breach = || Breach::new(Law::Shares, &*what).with(&part);
        let Ok(said) = said else {
            refused += 1;
            continue;
        };
        let mut reader = stage.codec(Role::Downstream);
        let decoded = match reader.decode(&part) {
            Ok(Decoded::Message(decoded)) if decoded.len == part.len() => decoded,
            other => return Err(breach().found(format!("{other:?}")).right("one whole request")),
        };
        if seen(&decoded) != seen(&said) {
            let right = format!("what decoding says of it: {decoded:?}");
            return Err(breach().found(format!("{said:?}")).right(right));
        }
        let own = keys.iter().zip(of_key).filter(|(_, of)| **of == share).map(|(key, _)| key.clone());
        let own: Vec<Vec<u8>> = own.collect();
        let found = keys_of(&mut *reader, &decoded, &part);
        if found.as_ref() != Some(&own) {
            return Err(breach().found(format!("keys {found:?}")).right(format!("keys {own:?}")));
        }
    }
    if refused == 0 || refused == count {
        return Ok(());
    }
    let what = format!("{}, dealt as {of_key:?}", recorded.describe());
    let found = format!("{refused} of {count} shares are refused");
    Err(Breach::new(Law::Shares, what).with(bytes).found(found).right("all or none"))
}

/// However the shares end, there is one response.
fn merged(stage: &Stage, recorded: &Recorded, shares: Shares<'_>) -> Result<(), Breach> {
    let request = stage.read(Law::Shares, recorded)?;
    let response =
        stage.response_to(recorded).map(|response| stage.read(Law::Shares, response)).transpose()?;
    let failed = Answer::Failed(LocalReply { cause: Cause::ConnectionLost, text: "the connection was lost" });
    let well = match &response {
        Some((message, bytes)) => Answer::Response { message, bytes },
        None => failed,
    };
    for is_well in [[true, true], [true, false], [false, true], [false, false]] {
        let ends = is_well.map(|is_well| if is_well { well } else { failed });
        let answers: Vec<Answer<'_>> = ends.into_iter().cycle().take(shares.count.into()).collect();
        let what = format!("the answers to {} shares of {}, {answers:?}", shares.count, recorded.describe());
        let mut codec = stage.having_read(Law::Shares, Role::Downstream, Some(&request))?;
        stage.trial.set(Law::Shares, &what, &recorded.bytes);
        let mut out = Out::new();
        codec.merge(request.0.request_head(), shares, &answers, &mut out);
        let written = out.to_vec();
        let mut client = stage.having_written(Law::Shares, Role::Client, Some(&request))?;
        let message = stage.whole(Law::Shares, &mut *client, &written, &what)?;
        let has_failed = answers.iter().any(|answer| matches!(answer, Answer::Failed(_)));
        let is_told = message.status != crate::Status::Ok || !has_failed;
        if message.kind != Kind::Response || !is_told {
            let found = format!("{:?} with status {:?}", message.kind, message.status);
            let right = "one Response, with a status that is not Ok if a share has failed";
            return Err(Breach::new(Law::Shares, what).with(&written).found(found).right(right));
        }
    }
    Ok(())
}
