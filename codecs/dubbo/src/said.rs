//! What an attachment says, of its name or its value: a text in one of several encodings, a number, a boolean.
//!
//! Nothing is converted before somebody wants it.

use std::borrow::Cow;

use codec_api::{Span, Value};
use nom::Offset;

use crate::hessian::text::proper;
use crate::hessian::value::{Text as Hessian, join};
use crate::jsonb::value::Text as Jsonb;

/// A value of a body, as far as routes compare it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    /// UTF-8, or what Java takes for it.
    Text(&'a [u8]),
    /// A text in several chunks of hessian2.
    Chunks(&'a [u8]),
    Latin1(&'a [u8]),
    /// UTF-16, and whether the high byte of each unit comes first.
    Utf16(&'a [u8], bool),
    Number(i64),
    Bool(bool),
    /// Null, a double, a date, a text in an encoding that is not read: what holds nothing else.
    Other,
    /// A list, a map, an object: what later values may refer to.
    Container,
}

impl<'a> From<Hessian<'a>> for Said<'a> {
    fn from(text: Hessian<'a>) -> Self {
        match text {
            Hessian::Whole(text) => Self::Text(text),
            Hessian::Chunks(chunks) => Self::Chunks(chunks),
            Hessian::Null => Self::Other,
        }
    }
}

impl<'a> From<Jsonb<'a>> for Said<'a> {
    fn from(text: Jsonb<'a>) -> Self {
        match text {
            Jsonb::Utf8(text) => Self::Text(text),
            Jsonb::Latin1(text) if text.is_ascii() => Self::Text(text),
            Jsonb::Latin1(text) => Self::Latin1(text),
            Jsonb::Utf16(text, is_big) => Self::Utf16(text, is_big),
            Jsonb::Null | Jsonb::Unread => Self::Other,
        }
    }
}

impl<'a> Said<'a> {
    /// The text in UTF-8, if it is one.
    pub(crate) fn text(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Text(text) => Some(proper(text)),
            Self::Chunks(chunks) => Some(Cow::Owned(proper(&join(chunks)).into_owned())),
            Self::Latin1(text) => {
                let text: String = text.iter().copied().map(char::from).collect();
                Some(Cow::Owned(text.into_bytes()))
            }
            Self::Utf16(text, is_big) => {
                let unit = |pair: &[u8; 2]| {
                    if is_big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
                };
                let units: Vec<u16> = text.as_chunks().0.iter().map(unit).collect();
                Some(Cow::Owned(String::from_utf16_lossy(&units).into_bytes()))
            }
            Self::Number(_) | Self::Bool(_) | Self::Other | Self::Container => None,
        }
    }

    /// Whether it is a text that stands in the message as routes compare it.
    pub(crate) fn stands(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as routes compare it, in a message of these bytes. `None`: it is nothing that they compare.
    pub(crate) fn value(self, message: &[u8]) -> Option<Value> {
        match self {
            Self::Number(number) => Some(Value::Text(number.to_string().into())),
            Self::Bool(true) => Some(Value::Static("true")),
            Self::Bool(false) => Some(Value::Static("false")),
            other => other.text().map(|text| match text {
                Cow::Borrowed(text) => {
                    let start = message.offset(text);
                    Value::Span(Span::new(start, start + text.len()))
                }
                Cow::Owned(text) => Value::Text(String::from_utf8_lossy(&text).into()),
            }),
        }
    }

    /// The number that it is, or that its text says.
    pub(crate) fn number(self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(number),
            other => std::str::from_utf8(&other.text()?).ok()?.parse().ok(),
        }
    }

    /// Whether a route can compare it.
    pub(crate) fn is_comparable(self) -> bool {
        !matches!(self, Self::Other | Self::Container)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_is_read() {
        let rows: [(Said<'_>, &str); 6] = [
            (Said::Text("größe".as_bytes()), "größe"),
            (Said::Text(b"\xed\xa0\xbd\xed\xb8\x80"), "😀"),
            (Said::Chunks(b"R\0\x01aS\0\x01b"), "ab"),
            (Said::Latin1(b"Zo\xeb"), "Zoë"),
            (Said::Utf16(b"\x71\x67\xac\x4e", false), "東京"),
            (Said::Utf16(b"\x67\x71\x4e\xac\x00", true), "東京"),
        ];
        for (said, words) in rows {
            assert_eq!(said.text().as_deref(), Some(words.as_bytes()));
        }
        assert_eq!(Said::Utf16(b"\xd8\x3d", true).text().as_deref(), Some("\u{fffd}".as_bytes()));
        assert_eq!(Said::Number(7).text(), None);
    }

    #[test]
    fn numbers_are_read_from_texts_too() {
        assert_eq!(Said::Number(-7).number(), Some(-7));
        assert_eq!(Said::Text(b"4321").number(), Some(4321));
        assert_eq!(Said::Text(b"soon").number(), None);
        assert_eq!(Said::Bool(true).number(), None);
    }
}
