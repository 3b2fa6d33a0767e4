//! The head of a request: the texts before the arguments.
//!
//! A body begins with the protocol's version, the service's path (its interface), the service's version, the method,
//! and the descriptor of the parameter types; each a text or null. In hessian2 they stand one behind the other, in
//! fastjson2 each is an element with its length. Then come the arguments and the attachments, which are not looked at
//! here.

use codec_api::Span;
use nom::Offset;

use crate::descriptor;
use crate::frame::HEADER;
use crate::hessian::value::{Text, text};
use crate::jsonb::value::{self as jsonb, element};
use crate::said::Said;
use crate::serialization::FASTJSON2;

/// Places in [`Properties::head`](codec_api::Properties::head).
pub(crate) const INTERFACE: usize = 0;
/// See [`INTERFACE`].
pub(crate) const METHOD: usize = 1;
/// See [`INTERFACE`].
pub(crate) const VERSION: usize = 2;
/// See [`INTERFACE`].
pub(crate) const DUBBO: usize = 3;
/// Names of the fields, by place.
pub(crate) static NAMES: [&str; 4] = ["interface", "method", "version", "dubbo"];
/// Places of the fields, in the order in which they are written.
const ON_THE_WIRE: [usize; 4] = [DUBBO, INTERFACE, VERSION, METHOD];

/// The methods of a generic call, whose first argument names the method that is meant.
const GENERIC_METHODS: [&[u8]; 2] = [b"$invoke", b"$invokeAsync"];

/// Whether a caller of this protocol version can read attachments of a response: 2.0.2 to 2.0.99. Source: Dubbo's
/// `Version.isSupportResponseAttachment`.
pub(crate) fn reads_attachments(dubbo: &[u8]) -> bool {
    match dubbo.strip_prefix(b"2.0.") {
        Some([patch @ b'2'..=b'9'] | [b'1'..=b'9', patch]) => patch.is_ascii_digit(),
        _ => false,
    }
}

/// What the head of a request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The fields, by place.
    pub(crate) fields: [Span; 4],
    /// Whether it is a generic call.
    pub(crate) generic: bool,
    /// Where in the message the descriptor of the parameter types begins.
    pub(crate) descriptor: usize,
}

/// Reads the head of a whole message in hessian2 or fastjson2. The error is a sentence for the person who wrote the
/// client.
#[inline]
pub(crate) fn read(message: &[u8], serialization: u8) -> Result<Head, String> {
    if serialization == FASTJSON2 { read_jsonb(message) } else { read_hessian(message) }
}

/// Whether a field of the head is called so, whatever the case.
pub(crate) fn has(name: &[u8]) -> bool {
    NAMES.iter().any(|field| field.as_bytes().eq_ignore_ascii_case(name))
}

#[inline]
fn read_hessian(message: &[u8]) -> Result<Head, String> {
    let mut rest = message.get(HEADER..).unwrap_or_default();
    let mut fields = [Span::NONE; 4];
    let mut method: &[u8] = b"";
    for place in ON_THE_WIRE {
        let (behind, found) = text(rest).map_err(|_| malformed(place, message, rest))?;
        match found {
            Text::Null => {}
            Text::Whole(value) => {
                fields[place] = span(message, value);
                method = value;
            }
            Text::Chunks(_) => {
                let name = NAMES[place];
                return Err(format!(
                    "the head's {name} is written in several chunks; at most 65535 UTF-16 units in one chunk are served"
                ));
            }
        }
        rest = behind;
    }
    let mut head = Head { fields, generic: false, descriptor: message.offset(rest) };
    if !head.fields[METHOD].is_none() && GENERIC_METHODS.contains(&method) {
        see_through_generic(message, rest, &mut head);
    }
    Ok(head)
}

/// Puts the method that a generic call means in the place of `$invoke`.
fn see_through_generic(message: &[u8], rest: &[u8], head: &mut Head) {
    let Ok((rest, Text::Whole(descriptor::GENERIC))) = text(rest) else { return };
    head.generic = true;
    if let Ok((_, Text::Whole(method))) = text(rest) {
        head.fields[METHOD] = span(message, method);
    }
}

/// What the head of a request in fastjson2 says.
struct JsonbHead<'a> {
    /// The fields, by place.
    fields: [Said<'a>; 4],
    generic: bool,
    /// What follows the head.
    rest: &'a [u8],
}

fn read_jsonb(message: &[u8]) -> Result<Head, String> {
    let head = jsonb_head(message)?;
    let fields = head.fields.map(|field| match field {
        Said::Text(text) => span(message, text),
        Said::Other => Span::NONE,
        _ => Span::LATE,
    });
    Ok(Head { fields, generic: head.generic, descriptor: message.offset(head.rest) })
}

/// The fields of a head in fastjson2, by place: those that [`read`] leaves to be offered late.
pub(crate) fn late(message: &[u8]) -> [Said<'_>; 4] {
    jsonb_head(message).map_or([Said::Other; 4], |head| head.fields)
}

fn jsonb_head(message: &[u8]) -> Result<JsonbHead<'_>, String> {
    let mut rest = message.get(HEADER..).unwrap_or_default();
    let mut fields = [Said::Other; 4];
    for place in ON_THE_WIRE {
        let one = jsonb_text(rest);
        let (behind, said) = one.ok_or_else(|| malformed_element(place, message, rest))?;
        fields[place] = said;
        rest = behind;
    }
    let mut head = JsonbHead { fields, generic: false, rest };
    if fields[METHOD].stands().is_some_and(|method| GENERIC_METHODS.contains(&method))
        && let Some((arguments, Said::Text(descriptor::GENERIC))) = jsonb_text(rest)
    {
        head.generic = true;
        if let Some((_, said)) = jsonb_text(arguments).filter(|(_, said)| *said != Said::Other) {
            head.fields[METHOD] = said;
        }
    }
    Ok(head)
}

/// An element that is a text or null, and nothing else.
fn jsonb_text(input: &[u8]) -> Option<(&[u8], Said<'_>)> {
    let (rest, one) = element(input).ok()?;
    let (behind, text) = jsonb::text(one).ok()?;
    behind.is_empty().then(|| (rest, text.into()))
}

fn malformed_element(place: usize, message: &[u8], rest: &[u8]) -> String {
    let name = NAMES[place];
    let at = message.offset(rest);
    match element(rest) {
        Err(_) => format!("the message ends before the head's {name} does, which should begin at byte {at}"),
        Ok(_) => format!("the head's {name}, at byte {at}, is no whole fastjson2 text"),
    }
}

fn span(message: &[u8], part: &[u8]) -> Span {
    let start = message.offset(part);
    Span::new(start, start + part.len())
}

fn malformed(place: usize, message: &[u8], rest: &[u8]) -> String {
    let name = NAMES[place];
    let at = message.offset(rest);
    match rest.first() {
        None => format!("the message ends before the head's {name}"),
        Some(byte) => {
            format!("the head's {name}, at byte {at}, begins with {byte:#04x} and is no whole hessian2 text")
        }
    }
}

/// What a request's [`Message::context`](codec_api::Message::context) holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    /// In what its body is written.
    pub(crate) serialization: u8,
    /// Whether it is a generic call.
    pub(crate) generic: bool,
    /// Where the descriptor of its parameter types begins; 0 if its body cannot be read.
    pub(crate) descriptor: u32,
}

/// Set for generic calls.
const GENERIC_BIT: u64 = 1 << 8;

impl From<Context> for u64 {
    fn from(context: Context) -> Self {
        let generic = if context.generic { GENERIC_BIT } else { 0 };
        u64::from(context.serialization) | generic | u64::from(context.descriptor) << 32
    }
}

impl From<u64> for Context {
    fn from(bits: u64) -> Self {
        Self { serialization: bits as u8, generic: bits & GENERIC_BIT != 0, descriptor: (bits >> 32) as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hessian::write::put_text;

    fn message(texts: &[Option<&str>]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        for text in texts {
            match text {
                Some(text) => put_text(text, &mut bytes),
                None => bytes.push(b'N'),
            }
        }
        bytes
    }

    fn field<'a>(head: &Head, place: usize, message: &'a [u8]) -> Option<&'a str> {
        head.fields[place].of(message).map(|bytes| std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn the_fields_of_a_head_are_found() {
        let message = message(&[Some("2.0.2"), Some("com.acme.Orders"), None, Some("größe"), Some("I")]);
        let head = read_hessian(&message).unwrap();
        assert_eq!(field(&head, DUBBO, &message), Some("2.0.2"));
        assert_eq!(field(&head, INTERFACE, &message), Some("com.acme.Orders"));
        assert_eq!(field(&head, VERSION, &message), None);
        assert_eq!(field(&head, METHOD, &message), Some("größe"));
        assert_eq!(&message[head.descriptor..], b"\x01I");
        assert!(!head.generic);
    }

    #[test]
    fn a_generic_call_is_seen_through() {
        let generic = std::str::from_utf8(descriptor::GENERIC).unwrap();
        let rows: [(&[Option<&str>], &str, bool); 5] = [
            (&[Some("$invoke"), Some(generic), Some("place")], "place", true),
            (&[Some("$invokeAsync"), Some(generic), Some("place")], "place", true),
            (&[Some("$invoke"), Some(generic), None], "$invoke", true),
            (&[Some("$invoke"), Some("I")], "$invoke", false),
            (&[Some("$echo"), Some("Ljava/lang/Object;")], "$echo", false),
        ];
        for (texts, method, is_generic) in rows {
            let texts = [&[Some("2.0.2"), Some("a.B"), Some("0.0.0")], texts].concat();
            let message = message(&texts);
            let head = read_hessian(&message).unwrap();
            assert_eq!(field(&head, METHOD, &message), Some(method));
            assert_eq!(head.generic, is_generic);
        }
    }

    #[test]
    fn a_bad_head_is_explained() {
        let whole = message(&[Some("2.0.2"), Some("a.B"), Some("1"), Some("m")]);
        let rows: [(&[u8], &str); 4] = [
            (&whole[..HEADER], "ends before the head's dubbo"),
            (&whole[..HEADER + 6], "ends before the head's interface"),
            (&whole[..HEADER + 8], "the head's interface, at byte 22, begins with 0x03"),
            (&whole[..whole.len() - 2], "ends before the head's method"),
        ];
        for (bytes, words) in rows {
            let error = read_hessian(bytes).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        let mut chunked = vec![0; HEADER];
        chunked.extend_from_slice(b"\x012R\0\x01aS\0\x01b");
        let error = read_hessian(&chunked).unwrap_err();
        assert!(error.contains("interface is written in several chunks"), "{error}");
    }

    #[test]
    fn callers_from_2_0_2_to_2_0_99_read_attachments() {
        for yes in ["2.0.2", "2.0.9", "2.0.10", "2.0.99"] {
            assert!(reads_attachments(yes.as_bytes()), "{yes}");
        }
        for no in ["", "2.0.1", "2.0.0", "2.0.100", "2.0.02", "2.0.1x", "2.0.x", "2.7.3", "2.0.2.1", "3.0.2"]
        {
            assert!(!reads_attachments(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn a_context_keeps_what_it_was_given() {
        for context in [
            Context { serialization: 31, generic: true, descriptor: u32::MAX },
            Context { serialization: 2, generic: false, descriptor: 70 },
        ] {
            assert_eq!(Context::from(u64::from(context)), context);
        }
    }
}
