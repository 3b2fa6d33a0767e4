//! Names and values by which routes, filters and logs look into a message.
//!
//! Cheap attributes are fields of the head: decoding has found them already. The others are *late*: the codec looks
//! for them in one pass, and only when a rule of the listener names them.

use crate::{Message, Properties, Span};

/// The attribute that the framework adds to every request: its client's IP address without the port, IPv6 as RFC 5952
/// writes it, and an IPv4 address mapped into IPv6 as IPv4. The name is reserved, ASCII case-insensitively: an attribute of
/// the message that is called so is never seen.
pub const SOURCE_ADDRESS: &str = "source.address";

/// An attribute that some rule names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attribute {
    name: Box<str>,
    key: Key,
}

/// Where an attribute is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A field of the head, by its place in [`Properties::head`].
    Head(usize),
    /// Looked for by [`Codec::attributes`](crate::Codec::attributes).
    Late,
    /// [`SOURCE_ADDRESS`], which the framework knows itself.
    Source,
}

impl Attribute {
    /// The attribute called `name` (ASCII case-insensitively) in a protocol with these properties.
    pub fn new(properties: &Properties, name: &str) -> Self {
        let place = properties.head.iter().position(|field| field.eq_ignore_ascii_case(name));
        let key = match place {
            _ if name.eq_ignore_ascii_case(SOURCE_ADDRESS) => Key::Source,
            Some(place) => Key::Head(place),
            None => Key::Late,
        };
        Self { name: name.into(), key }
    }

    /// Its name, as the rule spells it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is found.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Whether [`Codec::attributes`](crate::Codec::attributes) has to look for it in this message.
    #[inline]
    pub fn is_late(&self, message: &Message) -> bool {
        match self.key {
            Key::Head(place) => message.head.get(place) == Some(&Span::LATE),
            Key::Late => true,
            Key::Source => false,
        }
    }
}

/// The value of a late attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Bytes of the message.
    Span(Span),
    /// Text that stands nowhere in the message as it is: a number, a string in pieces.
    Text(Box<str>),
    /// Text that the codec knows by heart.
    Static(&'static str),
}

/// The values found for a list of wanted attributes, in the list's order. Reused from message to message.
#[derive(Debug, Default)]
pub struct Found {
    values: Vec<Option<(Value, bool)>>,
}

impl Found {
    /// Empties it, for `wanted` attributes.
    pub fn reset(&mut self, wanted: usize) {
        self.values.clear();
        self.values.resize(wanted, None);
    }

    /// Tells that the message has an attribute called `name`. Of several that differ only in case, the spelling of the
    /// rule wins, then the first. `value` is called only if the value is kept. Fields of the head are never replaced,
    /// unless they are [`Span::LATE`].
    pub fn offer(&mut self, wanted: &[Attribute], name: &[u8], value: impl Fn() -> Value) {
        for (slot, attribute) in self.values.iter_mut().zip(wanted) {
            if !attribute.name.as_bytes().eq_ignore_ascii_case(name) {
                continue;
            }
            let exact = attribute.name.as_bytes() == name;
            if slot.as_ref().is_none_or(|(_, had_exact)| exact && !had_exact) {
                *slot = Some((value(), exact));
            }
        }
    }

    /// The value of the wanted attribute at `index`, head fields included; never [`SOURCE_ADDRESS`].
    pub fn get<'a>(
        &'a self,
        index: usize,
        attribute: &Attribute,
        message: &Message,
        bytes: &'a [u8],
    ) -> Option<&'a [u8]> {
        match attribute.key {
            Key::Head(place) => {
                let span = *message.head.get(place)?;
                if span != Span::LATE {
                    return span.of(bytes);
                }
            }
            Key::Late => {}
            Key::Source => return None,
        }
        match &self.values.get(index)?.as_ref()?.0 {
            Value::Span(span) => span.of(bytes),
            Value::Text(text) => Some(text.as_bytes()),
            Value::Static(text) => Some(text.as_bytes()),
        }
    }

    /// Places of the values that stand nowhere in `bytes`.
    #[cfg(feature = "laws")]
    pub(crate) fn strays(&self, bytes: &[u8]) -> Vec<usize> {
        let is_stray = |slot: &Option<(Value, bool)>| matches!(slot, Some((Value::Span(span), _)) if span.of(bytes).is_none());
        self.values.iter().enumerate().filter(|(_, slot)| is_stray(slot)).map(|(place, _)| place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Sharing};
    use std::time::Duration;

    static PROPERTIES: Properties = Properties {
        head: &["method"],
        service: None,
        operation: Some(0),
        id_bits: 64,
        sharing: Sharing::Shared(1),
        request_timeout: Duration::from_secs(1),
        heartbeat: None,
    };

    #[test]
    fn the_spelling_of_the_rule_wins_then_the_first_on_the_wire() {
        let wanted = [Attribute::new(&PROPERTIES, "Region"), Attribute::new(&PROPERTIES, "METHOD")];
        let mut found = Found::default();
        found.reset(2);
        for (name, value) in
            [("region", "first"), ("REGION", "second"), ("Region", "exact"), ("Region", "late")]
        {
            found.offer(&wanted, name.as_bytes(), || Value::Text(value.into()));
        }
        found.offer(&wanted, b"method", || Value::Static("attached"));
        let mut message = Message::new(Kind::Request, 3);
        message.head[0] = Span::new(0, 3);
        assert_eq!(found.get(0, &wanted[0], &message, b"get"), Some(&b"exact"[..]));
        assert_eq!(found.get(1, &wanted[1], &message, b"get"), Some(&b"get"[..]), "heads are not overridden");
        message.head[0] = Span::LATE;
        assert_eq!(
            found.get(1, &wanted[1], &message, b"get"),
            Some(&b"attached"[..]),
            "but a late head is offered"
        );
    }

    #[test]
    fn the_address_of_the_source_is_no_message_s_to_tell() {
        for name in ["source.address", "Source.Address"] {
            let wanted = [Attribute::new(&PROPERTIES, name)];
            let message = Message::new(Kind::Request, 3);
            assert_eq!((wanted[0].key(), wanted[0].is_late(&message)), (Key::Source, false));
            let mut found = Found::default();
            found.reset(1);
            found.offer(&wanted, b"source.address", || Value::Static("10.0.0.1"));
            assert_eq!(found.get(0, &wanted[0], &message, b"get"), None);
        }
    }
}
