//! What a user sets for this codec.

use codec_api::{OptionError, OptionValue, Options};

use crate::frame::MAX_SKIP;

/// The option that limits the length of a message's body, in bytes; from 1,024 to 1 GiB. Counted as Dubbo counts its
/// `payload`: without the header.
pub const MAX_MESSAGE_BYTES: &str = "maxMessageBytes";
/// What holds unless [`MAX_MESSAGE_BYTES`] says otherwise: 8 MiB, Dubbo's own default.
pub const DEFAULT_MAX_MESSAGE_BYTES: u32 = 8 << 20;
/// The option that says what becomes of requests with callback arguments: `pin` or `refuse`. Not set: they are not
/// looked for.
pub const CALLBACKS: &str = "callbacks";
/// The option that says where a request's own time is found: `attachment`. Not set: it is not looked for.
pub const DEADLINE: &str = "deadline";

/// What becomes of requests that hand the provider an object to call back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Callbacks {
    /// They travel on a private connection, on which the provider's calls come back.
    Pin,
    /// They are refused with a text that says so.
    Refuse,
}

/// A user's options, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Longest body, in bytes.
    pub max_body: u32,
    /// Whether callback arguments are looked for, and what is done about them. Has no meaning upstream.
    pub callbacks: Option<Callbacks>,
    /// Whether requests say in their attachments how long they may take. Has no meaning upstream.
    pub deadline: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_body: DEFAULT_MAX_MESSAGE_BYTES, callbacks: None, deadline: false }
    }
}

impl Settings {
    /// Checks a user's options. Both sides take all of them, since those of an `ApplicationProtocol` reach both.
    ///
    /// # Errors
    ///
    /// Every mistake, each with the option's name and what would be right.
    pub fn read(options: &Options) -> Result<Self, Vec<OptionError>> {
        let mut errors = options.only(&[MAX_MESSAGE_BYTES, CALLBACKS, DEADLINE]).err().unwrap_or_default();
        let range = 1024..=i64::from(MAX_SKIP);
        let max_body = options.integer(MAX_MESSAGE_BYTES, range, DEFAULT_MAX_MESSAGE_BYTES.into());
        let callbacks = choice(
            options,
            CALLBACKS,
            &[("pin", Callbacks::Pin), ("refuse", Callbacks::Refuse)],
            "neither pin nor refuse",
        );
        let deadline = choice(
            options,
            DEADLINE,
            &[("attachment", ())],
            "not attachment, the one place that it is read from",
        );
        match (max_body, callbacks, deadline) {
            (Ok(max_body), Ok(callbacks), Ok(deadline)) if errors.is_empty() => {
                Ok(Self { max_body: max_body as u32, callbacks, deadline: deadline.is_some() })
            }
            (max_body, callbacks, deadline) => {
                errors.extend([max_body.err(), callbacks.err(), deadline.err()].into_iter().flatten());
                Err(errors)
            }
        }
    }

    /// Whether the attachments of each request are looked at.
    pub(crate) fn looks(self) -> bool {
        self.deadline || self.callbacks.is_some()
    }
}

/// What the text of an option stands for; `None` if it is not set.
fn choice<T: Copy>(
    options: &Options,
    name: &str,
    known: &[(&str, T)],
    wrong: &str,
) -> Result<Option<T>, OptionError> {
    let mistake =
        |value: &OptionValue| OptionError { path: name.to_owned(), message: format!("{value} is {wrong}") };
    match options.0.get(name) {
        None => Ok(None),
        Some(OptionValue::Text(text)) => {
            let found = known.iter().find(|(word, _)| word == text);
            found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| mistake(&OptionValue::Text(text.clone())))
        }
        Some(other) => Err(mistake(other)),
    }
}
