//! Messages: calls and their answers, and the exceptions that a library throws itself.

use super::value::{Fields, Value};

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wants an answer.
    Call = 1,
    /// A result, or an exception that the IDL declares.
    Reply = 2,
    /// A `TApplicationException`.
    Exception = 3,
    /// Wants no answer.
    Oneway = 4,
}

impl Kind {
    /// The kind with this code.
    pub fn of_code(code: u8) -> Option<Kind> {
        [Kind::Call, Kind::Reply, Kind::Exception, Kind::Oneway].into_iter().find(|kind| *kind as u8 == code)
    }
}

/// Codes of a `TApplicationException`.
pub mod application {
    /// No such method, or no such service behind this address.
    pub const UNKNOWN_METHOD: i32 = 1;
    /// The service failed.
    pub const INTERNAL_ERROR: i32 = 6;
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The method, behind `service:` if it is multiplexed.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The number that an answer repeats.
    pub seqid: i32,
    /// Arguments by their numbers; a result as number 0, a declared exception as the number it is declared with.
    pub fields: Fields,
}

impl Message {
    /// A call with arguments numbered from 1.
    pub fn call(name: &str, arguments: impl IntoIterator<Item = Value>) -> Self {
        let fields = (1..).zip(arguments).collect();
        Message { name: name.to_owned(), kind: Kind::Call, seqid: 0, fields }
    }

    /// The same, and no answer is wanted.
    #[must_use]
    pub fn oneway(self) -> Self {
        Message { kind: Kind::Oneway, ..self }
    }

    /// An answer to this call, with its sequence id: a result is field 0.
    #[must_use]
    pub fn answer(&self, fields: Fields) -> Self {
        // A multiplexed call's answer bears the method alone.
        let name = self.name.rsplit(':').next().unwrap_or_default().to_owned();
        Message { name, kind: Kind::Reply, seqid: self.seqid, fields }
    }

    /// A `TApplicationException` that answers this call.
    #[must_use]
    pub fn exception(&self, code: i32, text: &str) -> Self {
        Message { kind: Kind::Exception, ..self.answer(vec![(1, text.into()), (2, Value::I32(code))]) }
    }

    /// Code and text, if it is a `TApplicationException`; a code that is missing is 0, a text that is missing empty.
    pub fn application(&self) -> Option<(i32, &str)> {
        let code = match self.field(2) {
            Some(Value::I32(code)) => *code,
            _ => 0,
        };
        let text = self.field(1).and_then(Value::text).unwrap_or_default();
        (self.kind == Kind::Exception).then_some((code, text))
    }

    /// The field of this number.
    pub fn field(&self, id: i16) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| *known == id).map(|(_, value)| value)
    }
}
