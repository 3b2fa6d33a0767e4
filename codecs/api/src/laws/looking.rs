//! Laws of what routes may look at, and of what a protocol says of itself.

use super::breach::{Breach, Law};
use super::inbox::Wrong;
use super::recorded::Recorded;
use super::stage::{Role, Stage};
use crate::{Attribute, Codec, Found, Kind, MAX_HEAD, Message, OptionValue, Options, Side, Span};

/// An option that no codec has.
const NO_OPTION: &str = "noCodecHasThisOption";

/// What a protocol says of itself makes sense.
pub(super) fn properties(stage: &Stage) -> Result<(), Breach> {
    let properties = stage.properties;
    let breach = |what: &str| Breach::new(Law::Properties, what);
    let name = stage.laws.protocol.name();
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(is_plain) {
        let right = "lower case letters, digits and `-`: it stands in port names, `tcp-metaprotocol-<name>`";
        return Err(breach("the protocol's name").found(format!("{name:?}")).right(right));
    }
    if properties.head.len() > MAX_HEAD {
        let found = format!("{} names", properties.head.len());
        return Err(breach("Properties::head").found(found).right(format!("at most {MAX_HEAD}")));
    }
    for (what, place) in [("service", properties.service), ("operation", properties.operation)] {
        if place.is_some_and(|place| place >= properties.head.len()) {
            let right = format!("a place among the {} names of the head", properties.head.len());
            return Err(breach(&format!("Properties::{what}")).found(format!("{place:?}")).right(right));
        }
    }
    if !(16..=64).contains(&properties.id_bits) {
        let found = properties.id_bits.to_string();
        return Err(breach("Properties::id_bits").found(found).right("16 to 64"));
    }
    Ok(())
}

/// A mistyped option is not swallowed.
pub(super) fn options(stage: &Stage) -> Result<(), Breach> {
    for side in [Side::Downstream, Side::Upstream] {
        let mut options: Options = stage.laws.options[side as usize].clone();
        options.0.insert(NO_OPTION.to_owned(), OptionValue::Bool(true));
        let breach = Breach::new(Law::Options, format!("an unknown option of the {side:?} side"));
        match stage.laws.protocol.configure(side, &options) {
            Err(errors) if errors.iter().any(|error| error.path == NO_OPTION) => {}
            Err(errors) => {
                let found = format!("{errors:?}");
                return Err(breach.found(found).right("an error whose path is the option's name"));
            }
            Ok(_) => {
                let right = "it is refused: begin `configure` with `options.only(&[…])`";
                return Err(breach.found("it is accepted").right(right));
            }
        }
    }
    Ok(())
}

/// Attributes are where they are said to be.
pub(super) fn attributes(stage: &Stage) -> Result<(), Breach> {
    for recorded in stage.messages().filter(|m| m.refused.is_none()) {
        let what = recorded.describe();
        let breach = || Breach::new(Law::Attributes, &*what).with(&recorded.bytes);
        let (message, bytes) = stage.read(Law::Attributes, recorded)?;
        let beyond = message.head.iter().skip(stage.properties.head.len()).any(|span| !span.is_none());
        if beyond {
            let found = format!("{:?}", message.head);
            return Err(breach().found(found).right("no more fields than Properties::head has names"));
        }
        let words = stage.conduct(Role::Downstream).words;
        let is_unknown = |word: usize| recorded.from == Side::Downstream && word >= words.len();
        if let Some(word) =
            message.head.iter().filter_map(|span| span.as_word()).find(|word| is_unknown(*word))
        {
            let right = format!("one of the {} words of Conduct::words", words.len());
            return Err(breach().found(format!("word {word}")).right(right));
        }
        let mut codec = stage.receiver(Law::Attributes, recorded)?;
        stage.whole(Law::Attributes, &mut *codec, &bytes, &what)?;
        shows(stage, recorded, (&mut *codec, &message)).map_err(|wrong| wrong.of(breach()))?;
        if matches!(message.kind, Kind::Request | Kind::Oneway) {
            in_range(stage, recorded.from, &bytes).map_err(|found| {
                breach().found(found).right("each offered Span stands inside the message")
            })?;
        }
    }
    Ok(())
}

/// Whether a message has the attributes that it is said to have, however a rule spells them, and those that its head
/// promises.
fn shows(
    stage: &Stage,
    recorded: &Recorded,
    (codec, message): (&mut dyn Codec, &Message),
) -> Result<(), Wrong> {
    let mut expected: Vec<(String, Option<&str>)> = Vec::new();
    for (name, value) in &recorded.shows {
        expected.extend([(name.clone(), Some(value.as_str())), (name.to_ascii_uppercase(), Some(value))]);
    }
    let promised = stage.properties.head.iter().zip(message.head).filter(|(_, span)| *span == Span::LATE);
    expected.extend(promised.map(|(name, _)| ((*name).to_owned(), None)));
    let names: Vec<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    let found = stage.look_up(recorded.from, codec, (message, &recorded.bytes), &names);
    for ((name, expected), found) in expected.iter().zip(found) {
        let is_right = match expected {
            Some(value) => found.as_deref() == Some(value.as_bytes()),
            None => found.is_some(),
        };
        if !is_right {
            let value = found.as_deref().map(String::from_utf8_lossy);
            let right = expected.unwrap_or("there, for the head says Span::LATE");
            return Err(Wrong {
                found: format!("{name} is {value:?}"),
                right: format!("{name} is {right:?}"),
            });
        }
    }
    Ok(())
}

/// Whether every value that is offered stands inside the message; if not, what does not.
pub(super) fn in_range(stage: &Stage, from: Side, bytes: &[u8]) -> Result<(), String> {
    let role = if from == Side::Downstream { Role::Downstream } else { Role::Upstream };
    let mut codec = stage.codec(role);
    let Ok(crate::Decoded::Message(message)) = codec.decode(bytes) else { return Ok(()) };
    let wanted: Vec<Attribute> =
        stage.laws.names().iter().map(|name| Attribute::new(stage.properties, name)).collect();
    let mut found = Found::default();
    found.reset(wanted.len());
    codec.attributes(&message, &bytes[..message.len], &wanted, &mut found);
    let strays = found.strays(&bytes[..message.len]);
    match strays.first() {
        None => Ok(()),
        Some(index) => Err(format!("{} is offered where the message has no bytes", wanted[*index].name())),
    }
}
