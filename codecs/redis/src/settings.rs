//! The options of a user, checked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use codec_api::{OptionError, OptionValue, Options, Side};

use crate::request::{Limits, MAX_BULK};
use crate::secrets::{Users, read};

/// The option that limits the length of a message, in bytes; from 64 KiB to 512 MiB.
pub const MAX_MESSAGE_BYTES: &str = "maxMessageBytes";
/// The option that limits the number of a request's arguments; from 1,024 to 16,777,216.
pub const MAX_ELEMENTS: &str = "maxElements";
/// The option that gives each client upstream connections of its own: `true` or `false`.
pub const DEDICATED: &str = "dedicated";
/// The option that says who may use the proxy: `passwordFile` for the default user, `users` with `name` and
/// `passwordFile` each.
pub const AUTH: &str = "auth";
/// The option that says what becomes of commands that are not in the table: `refuse`, or `first-key` to send them to
/// where their first argument lives.
pub const UNKNOWN_COMMANDS: &str = "unknownCommands";
/// The option that names the user as whom endpoints are spoken to, where clients name none.
pub const USER: &str = "user";
/// The option that names the file with the password for endpoints.
pub const PASSWORD_FILE: &str = "passwordFile";
/// The option that says after how many quiet seconds an upstream connection is pinged; from 1 to 3,600.
pub const HEARTBEAT: &str = "heartbeat";

/// What holds unless [`MAX_MESSAGE_BYTES`] says otherwise.
pub const DEFAULT_MAX_MESSAGE_BYTES: u32 = 64 << 20;
/// What holds unless [`MAX_ELEMENTS`] says otherwise.
pub const DEFAULT_MAX_ELEMENTS: u32 = 1 << 20;
/// What holds unless [`HEARTBEAT`] says otherwise.
pub(crate) const DEFAULT_HEARTBEAT: Duration = Duration::from_mins(1);
/// Most users that the option `auth` may list.
const MAX_USERS: usize = 1024;

const KNOWN: [&str; 8] =
    [MAX_MESSAGE_BYTES, MAX_ELEMENTS, DEDICATED, AUTH, UNKNOWN_COMMANDS, USER, PASSWORD_FILE, HEARTBEAT];

/// How one side behaves. Holds secrets, so that it cannot be printed.
pub(crate) struct Settings {
    /// Of messages. The number of elements holds for requests only.
    pub(crate) limits: Limits,
    /// Whether each client has upstream connections of its own.
    pub(crate) dedicated: bool,
    /// Who may use the proxy. `None`: everyone; their credentials are for endpoints.
    pub(crate) users: Option<Users>,
    /// Whether commands that are not in the table go to where their first argument lives.
    pub(crate) first_key: bool,
    /// The user as whom endpoints are spoken to.
    pub(crate) user: Option<Box<str>>,
    /// His password.
    pub(crate) password: Option<Arc<[u8]>>,
    /// After how much quiet an upstream connection is pinged.
    pub(crate) heartbeat: Duration,
}

impl Settings {
    /// Checks a user's options and reports every mistake. Both sides take all of them, since those of an
    /// `ApplicationProtocol` reach both; files are read by the side that uses them.
    pub(crate) fn read(side: Side, options: &Options) -> Result<Self, Vec<OptionError>> {
        let mut checked = Checked { options, errors: options.only(&KNOWN).err().unwrap_or_default() };
        let largest = i64::try_from(MAX_BULK).unwrap_or(i64::MAX);
        let default = i64::from(DEFAULT_MAX_MESSAGE_BYTES);
        let message = checked.keep(options.integer(MAX_MESSAGE_BYTES, 64 << 10..=largest, default), default);
        let default = i64::from(DEFAULT_MAX_ELEMENTS);
        let elements = checked.keep(options.integer(MAX_ELEMENTS, 1024..=1 << 24, default), default);
        let dedicated = checked.keep(options.bool(DEDICATED, false), false);
        let first_key = checked.unknown_commands();
        let users = checked.users(side);
        let user = checked.text(USER).map(Into::into);
        let password = checked.password(side);
        if user.is_some() && !options.0.contains_key(PASSWORD_FILE) {
            checked.mistake(USER, "a user needs a password; name its file in `passwordFile`");
        }
        let default = DEFAULT_HEARTBEAT.as_secs().cast_signed();
        let heartbeat = checked.keep(options.integer(HEARTBEAT, 1..=3600, default), default);
        if !checked.errors.is_empty() {
            return Err(checked.errors);
        }
        let limits = Limits { message: message as usize, elements: elements as u32, bulk: message as usize };
        let heartbeat = Duration::from_secs(heartbeat as u64);
        Ok(Self { limits, dedicated, users, first_key, user, password, heartbeat })
    }
}

/// Options, and the mistakes found so far.
struct Checked<'a> {
    options: &'a Options,
    errors: Vec<OptionError>,
}

impl Checked<'_> {
    fn keep<T>(&mut self, checked: Result<T, OptionError>, default: T) -> T {
        checked.unwrap_or_else(|error| {
            self.errors.push(error);
            default
        })
    }

    fn mistake(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.errors.push(OptionError { path: path.into(), message: message.into() });
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.text_in(&self.options.0, name, name)
    }

    fn text_in(&mut self, map: &BTreeMap<String, OptionValue>, name: &str, path: &str) -> Option<String> {
        match map.get(name)? {
            OptionValue::Text(text) if !text.is_empty() => Some(text.clone()),
            other => {
                let message = format!("{other} is not a text, or an empty one");
                self.mistake(path, message);
                None
            }
        }
    }

    fn unknown_commands(&mut self) -> bool {
        match self.options.0.get(UNKNOWN_COMMANDS) {
            None => false,
            Some(OptionValue::Text(text)) if text == "refuse" => false,
            Some(OptionValue::Text(text)) if text == "first-key" => true,
            Some(other) => {
                self.mistake(UNKNOWN_COMMANDS, format!("{other} is neither refuse nor first-key"));
                false
            }
        }
    }

    /// The password for endpoints. Downstream its file is not looked at.
    fn password(&mut self, side: Side) -> Option<Arc<[u8]>> {
        let file = self.text(PASSWORD_FILE)?;
        if side == Side::Downstream {
            return None;
        }
        self.secret(&file, PASSWORD_FILE)
    }

    fn secret(&mut self, file: &str, path: &str) -> Option<Arc<[u8]>> {
        match read(file) {
            Ok(secret) => Some(secret),
            Err(message) => {
                self.mistake(path, message);
                None
            }
        }
    }

    /// Who may use the proxy. Upstream their files are not looked at.
    fn users(&mut self, side: Side) -> Option<Users> {
        let auth = match self.options.0.get(AUTH)? {
            OptionValue::Map(auth) => auth,
            other => {
                self.mistake(AUTH, format!("{other} is not a map with `passwordFile`, `users`, or both"));
                return None;
            }
        };
        let known = ["passwordFile", "users"];
        for name in auth.keys().filter(|name| !known.contains(&name.as_str())) {
            self.mistake(format!("auth.{name}"), "unknown option; known are passwordFile, users");
        }
        let mut named = Vec::new();
        if let Some(file) = self.text_in(auth, "passwordFile", "auth.passwordFile") {
            named.push(("default".to_owned(), file, "auth.passwordFile".to_owned()));
        }
        match auth.get("users") {
            None => {}
            Some(OptionValue::List(users)) if users.len() <= MAX_USERS => {
                for (place, user) in users.iter().enumerate() {
                    named.extend(self.user(user, &format!("auth.users[{place}]")));
                }
            }
            Some(other) => {
                let message = format!("{other} is not a list of at most {MAX_USERS} users");
                self.mistake("auth.users", message);
            }
        }
        if named.is_empty() {
            self.mistake(
                AUTH,
                "it names nobody, so that nobody could use the proxy: add `passwordFile` or `users`",
            );
        }
        if side == Side::Upstream {
            return None;
        }
        let mut users = Users::default();
        for (name, file, path) in named {
            if users.knows(&name) {
                self.mistake(&path, format!("the user {name} is there twice"));
            } else if let Some(secret) = self.secret(&file, &path) {
                users.add(name, secret);
            }
        }
        Some(users)
    }

    /// One user's name, file, and the option that names the file.
    fn user(&mut self, user: &OptionValue, path: &str) -> Option<(String, String, String)> {
        let OptionValue::Map(map) = user else {
            self.mistake(path, format!("{user} is not a map with `name` and `passwordFile`"));
            return None;
        };
        for name in map.keys().filter(|name| !["name", "passwordFile"].contains(&name.as_str())) {
            self.mistake(format!("{path}.{name}"), "unknown option; known are name, passwordFile");
        }
        let name = self.text_in(map, "name", &format!("{path}.name"));
        let file_path = format!("{path}.passwordFile");
        let file = self.text_in(map, "passwordFile", &file_path);
        if name.is_none() && !map.contains_key("name") {
            self.mistake(path, "a user has a `name`");
        }
        if file.is_none() && !map.contains_key("passwordFile") {
            self.mistake(path, "a user has a `passwordFile`");
        }
        Some((name?, file?, file_path))
    }
}
