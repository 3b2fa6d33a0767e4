//! Laws of what is written on: byte for byte, another id, edits.

use super::breach::{Breach, Law, difference, hex};
use super::inbox::Wrong;
use super::recorded::Recorded;
use super::stage::{Role, Stage, encode, same, write};
use crate::{Codec, Edit, Edited, Edits, Kind, Message, Side};

/// Values that attributes are set to: short, empty, beyond ASCII, longer than one byte of length.
const VALUES: [&str; 4] = ["blue", "", "größe 🛒", LONG];
const LONG: &str = concat!(
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
);
/// An attribute that no recorded message has.
const NEW: &str = "x-law";

/// What is not changed is written as it was.
pub(super) fn untouched(stage: &Stage) -> Result<(), Breach> {
    if stage.laws.transcodes {
        return Ok(());
    }
    for recorded in stage.messages().filter(|m| m.is_forwarded()) {
        let (message, bytes) = stage.read(Law::Untouched, recorded)?;
        for is_shared in [false, true] {
            let mut codec = stage.writer(Law::Untouched, recorded)?;
            stage.trial.set(Law::Untouched, &recorded.describe(), &bytes);
            let written = encode(&mut *codec, &message, &bytes, is_shared);
            same(Breach::new(Law::Untouched, recorded.describe()).with(&bytes), &written, &bytes)?;
        }
    }
    Ok(())
}

/// Another id, and back.
pub(super) fn id(stage: &Stage) -> Result<(), Breach> {
    if !stage.laws.has_ids {
        return Ok(());
    }
    for recorded in stage.messages().filter(|m| m.is_forwarded()) {
        for other in stage.ids() {
            another_id(stage, recorded, other)?;
        }
    }
    Ok(())
}

fn another_id(stage: &Stage, recorded: &Recorded, other: u64) -> Result<(), Breach> {
    let law = Law::Id;
    let what = format!("{} written with id {other:#x}", recorded.describe());
    let own = stage.read(law, recorded)?.0.id;
    let (written, mut reader) = match recorded.from {
        Side::Downstream => (stage.request_with_id(law, recorded, other)?, stage.codec(Role::Endpoint)),
        Side::Upstream => {
            let request = stage.request_of(recorded);
            let asked = request.map(|request| stage.request_with_id(law, request, other)).transpose()?;
            let mut reader = stage.codec(Role::Client);
            if let Some(asked) = &asked {
                let mut client = stage.codec(Role::Endpoint);
                let message = stage.whole(law, &mut *client, asked, "the request with another id")?;
                stage.write(law, &mut *reader, (&message, asked), other)?;
            }
            (stage.response_with_id(law, recorded, other)?, reader)
        }
    };
    let breach = || Breach::new(law, &*what).with(&written);
    let message = stage.whole(law, &mut *reader, &written, &what)?;
    let has_none = recorded.kind == Kind::Oneway && message.id == own;
    if message.kind != recorded.kind || (message.id != other && !has_none) {
        let found = format!("{:?} with id {:#x}", message.kind, message.id);
        return Err(breach().found(found).right(format!("{:?} with id {other:#x}", recorded.kind)));
    }
    if stage.laws.transcodes {
        return Ok(());
    }
    let mut writer = stage.writer(law, recorded)?;
    let restored = stage.write(law, &mut *writer, (&message, &written), own)?;
    same(breach().right(format!("itself, with its own id {own:#x} again")), &restored, &recorded.bytes)
}

/// `write` and `encode` agree where there is nothing to edit.
pub(super) fn write_without_edits(stage: &Stage) -> Result<(), Breach> {
    for recorded in stage.messages().filter(|m| m.is_forwarded()) {
        let (message, bytes) = stage.read(Law::Write, recorded)?;
        let breach = || Breach::new(Law::Write, recorded.describe()).with(&bytes);
        stage.trial.set(Law::Write, &recorded.describe(), &bytes);
        let mut codec = stage.writer(Law::Write, recorded)?;
        match write(&mut *codec, (&message, &bytes), message.id, &[]) {
            (Ok(Edited::Done), written) if stage.laws.transcodes && !written.is_empty() => {}
            (Ok(Edited::Done), written) => {
                let mut codec = stage.writer(Law::Write, recorded)?;
                let encoded = encode(&mut *codec, &message, &bytes, false);
                same(breach(), &written, &encoded)?;
            }
            (other, written) => {
                let found = format!("{other:?}, {} bytes written", written.len());
                return Err(breach().found(found).right("Ok(Done), for there is nothing to edit"));
            }
        }
    }
    Ok(())
}

/// Edits are made, or are said to be impossible.
pub(super) fn edit(stage: &Stage) -> Result<(), Breach> {
    for (role, side) in [(Role::Upstream, Side::Downstream), (Role::Downstream, Side::Upstream)] {
        let edits = stage.conduct(role).edits;
        let mut done = 0;
        let mut tried = 0;
        for recorded in stage.messages().filter(|m| m.is_forwarded() && m.from == side) {
            tried += 1;
            done += usize::from(edit_one(stage, recorded, edits)?);
        }
        if edits != Edits::Never && tried > 0 && done == 0 {
            let what = format!("the {role:?} codec");
            let found = format!("Conduct::edits is {edits:?}, and none of {tried} messages took an edit");
            let right = "an attribute that can be set is named by Laws::sets, or Conduct::edits is Never";
            return Err(Breach::new(Law::Edit, what).found(found).right(right));
        }
    }
    Ok(())
}

/// Whether any edit was made.
fn edit_one(stage: &Stage, recorded: &Recorded, edits: Edits) -> Result<bool, Breach> {
    let mut names: Vec<&str> = stage.laws.settable.iter().map(String::as_str).collect();
    if names.is_empty() {
        names.push(NEW);
        names.extend(recorded.shows.iter().map(|(name, _)| name.as_str()));
    }
    let mut done = false;
    for name in &names {
        for value in VALUES {
            done |= edited(stage, recorded, edits, &[Edit { name, value }])?;
        }
    }
    if let [first, .., last] = names[..] {
        let both = [Edit { name: first, value: "one" }, Edit { name: last, value: "two" }];
        done |= edited(stage, recorded, edits, &both)?;
    }
    Ok(done)
}

fn edited(stage: &Stage, recorded: &Recorded, allowed: Edits, edits: &[Edit<'_>]) -> Result<bool, Breach> {
    let (message, bytes) = stage.read(Law::Edit, recorded)?;
    let what = format!("{} with {}", recorded.describe(), said(edits));
    stage.trial.set(Law::Edit, &what, &bytes);
    let breach = || Breach::new(Law::Edit, &*what).with(&bytes);
    let mut codec = stage.writer(Law::Edit, recorded)?;
    match write(&mut *codec, (&message, &bytes), message.id, edits) {
        (Ok(Edited::Done), _) if allowed == Edits::Never => {
            let right = "Impossible, for Conduct::edits is Never; or Conduct::edits says that there are some";
            Err(breach().found("Done").right(right))
        }
        (Ok(Edited::Done), written) => {
            has_arrived(stage, recorded, edits, &written)?;
            Ok(true)
        }
        (Ok(Edited::Impossible), _) if allowed == Edits::Always => {
            Err(breach().found("Impossible").right("Done, for Conduct::edits is Always"))
        }
        (Ok(Edited::Impossible), written) => {
            let mut codec = stage.writer(Law::Edit, recorded)?;
            let plain = stage.write(Law::Edit, &mut *codec, (&message, &bytes), message.id)?;
            same(breach(), &written, &plain)?;
            Ok(false)
        }
        (Err(_), written) if written.is_empty() => Ok(false),
        (Err(refusal), written) => {
            let found = format!("{refusal:?}, after {} bytes had been written", written.len());
            Err(Breach { law: Law::Write, ..breach() }.found(found).right("a refusal has written nothing"))
        }
    }
}

/// The receiver sees the edits, and all else as it was.
fn has_arrived(stage: &Stage, recorded: &Recorded, edits: &[Edit<'_>], written: &[u8]) -> Result<(), Breach> {
    let what = format!("{} with {}", recorded.describe(), said(edits));
    let breach = || Breach::new(Law::Edit, &*what).with(written);
    let mut reader = stage.reader(Law::Edit, recorded)?;
    let message = stage.whole(Law::Edit, &mut *reader, written, &what)?;
    let (original, _) = stage.read(Law::Edit, recorded)?;
    if message.kind != original.kind || message.status != original.status || message.id != original.id {
        return Err(breach().found(format!("{message:?}")).right(format!("otherwise as {original:?}")));
    }
    values(stage, recorded, edits, (&mut *reader, &message, written)).map_err(|wrong| wrong.of(breach()))?;
    let Some(payload) = &recorded.payload else {
        let right = "Recorded::payload says which bytes no edit may touch";
        return Err(Breach::new(Law::Setup, recorded.describe()).found("no payload").right(right));
    };
    if !payload.is_empty() && !written.windows(payload.len()).any(|window| window == payload) {
        return Err(breach().found("another payload").right(hex(payload)));
    }
    let mut again = stage.writer(Law::Edit, recorded)?;
    let (second, twice) = write(&mut *again, (&message, written), message.id, edits);
    if second == Ok(Edited::Done) {
        let right = "the same edit again changes nothing: what has that name is replaced";
        let (at, text) = difference(&twice, written);
        if twice != written {
            return Err(breach().at(at).found(text).right(right));
        }
    }
    Ok(())
}

/// The edited attributes have their new values, the others what they had.
fn values(
    stage: &Stage,
    recorded: &Recorded,
    edits: &[Edit<'_>],
    (reader, message, written): (&mut dyn Codec, &Message, &[u8]),
) -> Result<(), Wrong> {
    let is_edited = |name: &str| edits.iter().any(|edit| edit.name.eq_ignore_ascii_case(name));
    let kept = recorded.shows.iter().filter(|(name, _)| !is_edited(name));
    let expected: Vec<(&str, &str)> = edits
        .iter()
        .map(|edit| (edit.name, edit.value))
        .chain(kept.map(|(name, value)| (name.as_str(), value.as_str())))
        .collect();
    let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    let found = stage.look_up(recorded.from, reader, (message, written), &names);
    for ((name, value), found) in expected.into_iter().zip(found) {
        if found.as_deref() != Some(value.as_bytes()) {
            let shown =
                found.map_or_else(|| "missing".to_owned(), |v| format!("{:?}", String::from_utf8_lossy(&v)));
            return Err(Wrong { found: format!("{name} is {shown}"), right: format!("{name} is {value:?}") });
        }
    }
    Ok(())
}

fn said(edits: &[Edit<'_>]) -> String {
    edits.iter().map(|edit| format!("{} = {:?}", edit.name, edit.value)).collect::<Vec<_>>().join(", ")
}
