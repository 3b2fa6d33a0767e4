//! The options of a user, checked.

use std::sync::Arc;

use codec_api::{OptionError, OptionValue, Options, Sharing};

use crate::envelope::MAX_NAME;
use crate::form::{Encoding, Form, Transport};

/// The option that fixes the transport: `auto`, `framed`, `buffered` (or `unframed`), `header`.
pub const TRANSPORT: &str = "transport";
/// The option that fixes the protocol: `auto`, `binary`, `compact`.
pub const PROTOCOL: &str = "protocol";
/// The option that limits the length of a message, in bytes; from 2,048 to 1 GiB - 1. The four bytes of a frame's length
/// do not count; the payload counts once as it arrives, and once more as it is under its zlib.
pub const MAX_MESSAGE_BYTES: &str = "maxMessageBytes";
/// The option that says how clients share upstream connections: `exclusive`, `per-downstream`, `shared(n)`.
pub const SHARING: &str = "sharing";
/// The option that lists methods which are never answered, such as `note` or, of one service, `Shop:note`. A call says
/// itself that it is oneway, but for those of Apache's Go client, which sends each method as one that awaits a reply.
pub const ONEWAY: &str = "oneway";

/// What holds unless [`MAX_MESSAGE_BYTES`] says otherwise.
pub const DEFAULT_MAX_MESSAGE_BYTES: u32 = 8 << 20;
/// Frames beyond this are garbage, as Apache's libraries see it, not messages that could be skipped.
pub(crate) const MAX_FRAME: u32 = 0x3fff_ffff;
/// Most connections to an endpoint that `shared(n)` may ask for.
pub(crate) const MAX_SHARED: usize = 1024;
/// Most methods that the option `oneway` may list.
pub(crate) const MAX_ONEWAY: usize = 64;

/// A protocol that options can fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fixed {
    /// Binary: strict and lenient are both read.
    Binary,
    /// Compact.
    Compact,
}

impl Fixed {
    /// What options call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Compact => "compact",
        }
    }

    /// Whether it is the protocol of `encoding`.
    pub(crate) fn is(self, encoding: Encoding) -> bool {
        (self == Self::Compact) == (encoding == Encoding::Compact)
    }
}

/// How one side speaks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The one transport; `None`: seen from the first bytes of each message (upstream: as the client speaks).
    pub transport: Option<Transport>,
    /// The one protocol; `None`: seen from the first bytes of each message (upstream: as the client speaks).
    pub protocol: Option<Fixed>,
    /// Longest message, in bytes.
    pub max_message: u32,
    /// How clients share upstream connections. Has no meaning downstream.
    pub sharing: Sharing,
    /// Methods that are never answered, whatever their calls say. Has no meaning upstream.
    pub oneway: Arc<[Box<str>]>,
}

impl Default for Settings {
    fn default() -> Self {
        let max_message = DEFAULT_MAX_MESSAGE_BYTES;
        Self {
            transport: None,
            protocol: None,
            max_message,
            sharing: Sharing::Exclusive,
            oneway: Arc::default(),
        }
    }
}

impl Settings {
    /// Checks a user's options and reports every mistake. Both sides take all of them, since those of an
    /// `ApplicationProtocol` reach both.
    pub fn read(options: &Options) -> Result<Self, Vec<OptionError>> {
        let mut errors = options
            .only(&[TRANSPORT, PROTOCOL, MAX_MESSAGE_BYTES, SHARING, ONEWAY])
            .err()
            .unwrap_or_default();
        let mut note = |error| errors.push(error);
        let transport = transport(options).unwrap_or_else(|error| {
            note(error);
            None
        });
        let protocol = protocol(options).unwrap_or_else(|error| {
            note(error);
            None
        });
        let range = 2048..=i64::from(MAX_FRAME);
        let default = DEFAULT_MAX_MESSAGE_BYTES.into();
        let max_message = options.integer(MAX_MESSAGE_BYTES, range, default).unwrap_or_else(|error| {
            note(error);
            default
        });
        let sharing = sharing(options).unwrap_or_else(|error| {
            note(error);
            Sharing::Exclusive
        });
        let oneway = oneway(options, &mut errors);
        if errors.is_empty() {
            Ok(Self { transport, protocol, max_message: max_message as u32, sharing, oneway: oneway.into() })
        } else {
            Err(errors)
        }
    }

    /// Whether this method, whose name may begin with that of its service, is never answered.
    #[inline]
    pub(crate) fn is_oneway(&self, name: &[u8], method: &[u8]) -> bool {
        self.oneway.iter().map(|known| known.as_bytes()).any(|known| known == name || known == method)
    }

    /// The form in which an endpoint is spoken to, when the client speaks in `form`.
    pub(crate) fn towards(&self, form: Form) -> Form {
        let encoding = match self.protocol {
            Some(fixed) if !fixed.is(form.encoding) => match fixed {
                Fixed::Binary => Encoding::Strict,
                Fixed::Compact => Encoding::Compact,
            },
            _ => form.encoding,
        };
        Form { transport: self.transport.unwrap_or(form.transport), encoding }
    }
}

fn transport(options: &Options) -> Result<Option<Transport>, OptionError> {
    match word(options, TRANSPORT) {
        Ok(None | Some("auto")) => Ok(None),
        Ok(Some("framed")) => Ok(Some(Transport::Framed)),
        Ok(Some("buffered" | "unframed")) => Ok(Some(Transport::Buffered)),
        Ok(Some("header")) => Ok(Some(Transport::Header)),
        Ok(_) | Err(()) => {
            Err(mistake(options, TRANSPORT, "is none of auto, framed, buffered (or unframed), header"))
        }
    }
}

fn protocol(options: &Options) -> Result<Option<Fixed>, OptionError> {
    match word(options, PROTOCOL) {
        Ok(None | Some("auto")) => Ok(None),
        Ok(Some("binary")) => Ok(Some(Fixed::Binary)),
        Ok(Some("compact")) => Ok(Some(Fixed::Compact)),
        Ok(_) | Err(()) => Err(mistake(options, PROTOCOL, "is none of auto, binary, compact")),
    }
}

fn sharing(options: &Options) -> Result<Sharing, OptionError> {
    match word(options, SHARING) {
        Ok(None | Some("exclusive")) => return Ok(Sharing::Exclusive),
        Ok(Some("per-downstream")) => return Ok(Sharing::PerDownstream),
        Ok(Some(text)) => {
            let count = text.strip_prefix("shared(").and_then(|rest| rest.strip_suffix(')'));
            let count = count.and_then(|count| count.parse().ok());
            if let Some(count) = count.filter(|count| (1..=MAX_SHARED).contains(count)) {
                return Ok(Sharing::Shared(count));
            }
        }
        Err(()) => {}
    }
    let right = format!(
        "is none of exclusive, per-downstream, shared(n) with n from 1 to {MAX_SHARED} (connections to each endpoint)"
    );
    Err(mistake(options, SHARING, &right))
}

/// The methods that are never answered. Mistakes are added to `errors`.
fn oneway(options: &Options, errors: &mut Vec<OptionError>) -> Vec<Box<str>> {
    let values = match options.0.get(ONEWAY) {
        None => return Vec::new(),
        Some(OptionValue::List(values)) if values.len() <= MAX_ONEWAY => values,
        Some(_) => {
            let right =
                format!("is not a list of at most {MAX_ONEWAY} methods, such as [note, \"Shop:note\"]");
            errors.push(mistake(options, ONEWAY, &right));
            return Vec::new();
        }
    };
    let mut names = Vec::new();
    for (place, value) in values.iter().enumerate() {
        match value {
            OptionValue::Text(name) if (1..=MAX_NAME).contains(&name.len()) => {
                names.push(name.as_str().into());
            }
            other => errors.push(OptionError {
                path: format!("{ONEWAY}[{place}]"),
                message: format!("{other} is not the name of a method, such as note or Shop:note"),
            }),
        }
    }
    names
}

/// The text of an option, if it is set; `Err` if it is no text.
fn word<'a>(options: &'a Options, name: &str) -> Result<Option<&'a str>, ()> {
    match options.0.get(name) {
        None => Ok(None),
        Some(OptionValue::Text(text)) => Ok(Some(text)),
        Some(_) => Err(()),
    }
}

fn mistake(options: &Options, name: &str, right: &str) -> OptionError {
    let value = options.0.get(name).unwrap_or(&OptionValue::Null);
    OptionError { path: name.to_owned(), message: format!("{value} {right}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn options(values: &[(&str, OptionValue)]) -> Options {
        Options(
            values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect::<BTreeMap<_, _>>(),
        )
    }

    fn text(value: &str) -> OptionValue {
        OptionValue::Text(value.to_owned())
    }

    #[test]
    fn without_options_everything_is_as_the_client_speaks() {
        assert_eq!(Settings::read(&Options::default()), Ok(Settings::default()));
    }

    #[test]
    fn each_option_is_read() {
        let read = |name: &str, value| Settings::read(&options(&[(name, value)])).unwrap();
        for (name, transport) in [
            ("auto", None),
            ("framed", Some(Transport::Framed)),
            ("buffered", Some(Transport::Buffered)),
            ("unframed", Some(Transport::Buffered)),
            ("header", Some(Transport::Header)),
        ] {
            assert_eq!(read(TRANSPORT, text(name)).transport, transport);
        }
        for (name, protocol) in
            [("auto", None), ("binary", Some(Fixed::Binary)), ("compact", Some(Fixed::Compact))]
        {
            assert_eq!(read(PROTOCOL, text(name)).protocol, protocol);
        }
        for (name, sharing) in [
            ("exclusive", Sharing::Exclusive),
            ("per-downstream", Sharing::PerDownstream),
            ("shared(1)", Sharing::Shared(1)),
            ("shared(16)", Sharing::Shared(16)),
        ] {
            assert_eq!(read(SHARING, text(name)).sharing, sharing);
        }
        assert_eq!(read(MAX_MESSAGE_BYTES, OptionValue::Integer(64 << 20)).max_message, 64 << 20);
    }

    #[test]
    fn every_mistake_is_reported_with_its_path() {
        let errors = Settings::read(&options(&[
            (TRANSPORT, text("http")),
            (PROTOCOL, OptionValue::Integer(1)),
            (SHARING, text("shared(0)")),
            (MAX_MESSAGE_BYTES, OptionValue::Integer(5)),
            (ONEWAY, OptionValue::List(vec![text("note"), OptionValue::Integer(7), text("")])),
            ("colour", text("red")),
        ]))
        .unwrap_err();
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "colour: unknown option; known are transport, protocol, maxMessageBytes, sharing, oneway",
                "transport: \"http\" is none of auto, framed, buffered (or unframed), header",
                "protocol: 1 is none of auto, binary, compact",
                "maxMessageBytes: 5 is not a whole number from 2048 to 1073741823",
                "sharing: \"shared(0)\" is none of exclusive, per-downstream, shared(n) with n from 1 to 1024 \
                 (connections to each endpoint)",
                "oneway[1]: 7 is not the name of a method, such as note or Shop:note",
                "oneway[2]: \"\" is not the name of a method, such as note or Shop:note",
            ]
        );
        let many = OptionValue::List(vec![text("note"); MAX_ONEWAY + 1]);
        for (wrong, shown) in [(text("note"), "\"note\""), (many, "a list of 65")] {
            let errors = Settings::read(&options(&[(ONEWAY, wrong)])).unwrap_err();
            let right = "is not a list of at most 64 methods, such as [note, \"Shop:note\"]";
            assert_eq!(errors[0].to_string(), format!("oneway: {shown} {right}"));
        }
        for wrong in ["shared", "shared()", "shared(-1)", "shared(1025)", "Shared(1)", ""] {
            assert!(Settings::read(&options(&[(SHARING, text(wrong))])).is_err(), "{wrong}");
        }
    }
}
