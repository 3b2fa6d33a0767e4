//! What a provider answers: building response frames, and telling apart what came back.
//!
//! Body of a response with status 20: a number (0 exception, 1 value, 2 null, 3 to 5 the same with attachments behind
//! it), the value, the attachments. With any other status: one text.

use super::call::attachments;
use super::frame::{Frame, HESSIAN2, Header, status};
use super::hessian::{Reader, Value, Writer};
use super::malformed::Malformed;
use bytes::Bytes;

/// Added to the number at the head of a body when attachments follow.
const WITH_ATTACHMENTS: i32 = 3;

/// An exception that a provider, or a proxy in its name, threw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thrown {
    /// Java class, such as `org.apache.dubbo.rpc.RpcException`.
    pub class: String,
    /// The field `code` of an `RpcException`.
    pub code: Option<i32>,
    /// The message.
    pub message: String,
}

impl Thrown {
    /// An `org.apache.dubbo.rpc.RpcException` with this code.
    pub fn rpc(code: i32, message: &str) -> Self {
        Thrown {
            class: "org.apache.dubbo.rpc.RpcException".to_owned(),
            code: Some(code),
            message: message.to_owned(),
        }
    }

    /// The object that Java would write for it, with an empty stack trace.
    pub fn value(&self) -> Value {
        let stack = Value::List { class: Some("[java.lang.StackTraceElement".to_owned()), items: Vec::new() };
        let code = self.code.map(|code| ("code", Value::Int(code)));
        let rest = [
            ("detailMessage", Value::from(&*self.message)),
            ("cause", Value::Null),
            ("stackTrace", stack),
            ("suppressedExceptions", Value::Null),
        ];
        Value::object(&self.class, code.into_iter().chain(rest))
    }

    fn of(value: &Value) -> Self {
        let code = match value.field("code") {
            Some(Value::Int(code)) => Some(*code),
            _ => None,
        };
        let message = value.field("detailMessage").and_then(Value::text).unwrap_or_default();
        Thrown { class: value.class().unwrap_or_default().to_owned(), code, message: message.to_owned() }
    }
}

/// What a response says.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A value; `Value::Null` for null and void.
    Value(Value),
    /// The service threw.
    Exception(Thrown),
    /// A status other than 20, with its text.
    Status(u8, String),
    /// Status 20 in a serialization that is not read here: the body.
    Opaque(Bytes),
}

impl Reply {
    /// Reads the body of a response and its attachments; the whole body must be used up.
    pub fn read(frame: &Frame) -> Result<(Self, Vec<(String, Value)>), Malformed> {
        let Header { serialization, status, .. } = frame.header;
        if serialization != HESSIAN2 {
            let reply = match status {
                status::OK => Reply::Opaque(frame.body.clone()),
                other => Reply::Status(other, String::from_utf8_lossy(&frame.body).into_owned()),
            };
            return Ok((reply, Vec::new()));
        }
        let mut reader = Reader::new(&frame.body);
        let (reply, attachments) = if status == status::OK {
            answered(&mut reader)?
        } else {
            (Reply::Status(status, reader.text()?.unwrap_or_default()), Vec::new())
        };
        if reader.rest().is_empty() {
            Ok((reply, attachments))
        } else {
            Err(Malformed::new(format!("{} bytes after the end of a response", reader.rest().len())))
        }
    }

    /// The response frame to a request with this header. Attachments are written only with status 20.
    pub fn frame(&self, to: &Header, attachments: &[(String, Value)]) -> Bytes {
        let header = |status| Header { serialization: to.serialization, ..Header::response(to.id, status) };
        let mut writer = Writer::default();
        let mut answer = |kind: i32, value: Option<&Value>| {
            writer.int(if attachments.is_empty() { kind } else { kind + WITH_ATTACHMENTS });
            if let Some(value) = value {
                writer.value(value);
            }
            if !attachments.is_empty() {
                writer.value(&Value::map(attachments.iter().cloned()));
            }
        };
        let status = match self {
            Reply::Value(Value::Null) => {
                answer(2, None);
                status::OK
            }
            Reply::Value(value) => {
                answer(1, Some(value));
                status::OK
            }
            Reply::Exception(thrown) => {
                answer(0, Some(&thrown.value()));
                status::OK
            }
            Reply::Status(status, text) => {
                writer.text(text);
                *status
            }
            Reply::Opaque(body) => return header(status::OK).frame(body),
        };
        header(status).frame(&writer.into_bytes())
    }
}

fn answered(reader: &mut Reader<'_>) -> Result<(Reply, Vec<(String, Value)>), Malformed> {
    let kind = match reader.value()? {
        Value::Int(kind) => kind,
        other => return Err(Malformed::new(format!("a response begins with {other:?}, not with 0 to 5"))),
    };
    let reply = match kind {
        0 | 3 => Reply::Exception(Thrown::of(&reader.value()?)),
        1 | 4 => Reply::Value(reader.value()?),
        2 | 5 => Reply::Value(Value::Null),
        other => return Err(Malformed::new(format!("a response begins with {other}, not with 0 to 5"))),
    };
    let attachments = if kind >= WITH_ATTACHMENTS { attachments(reader)? } else { Vec::new() };
    Ok((reply, attachments))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dubbo::frame::cut;
    use bytes::BytesMut;

    #[test]
    fn every_kind_of_answer_is_read_as_it_was_written() {
        let attachments = vec![("served-by".to_owned(), Value::from("user"))];
        let replies = [
            Reply::Value("text".into()),
            Reply::Value(Value::Null),
            Reply::Exception(Thrown::rpc(7, "too many calls")),
            Reply::Exception(Thrown { class: "a.Refused".to_owned(), code: None, message: "no".to_owned() }),
        ];
        for reply in replies {
            for attached in [&[][..], &attachments] {
                let bytes = reply.frame(&Header::request(5), attached);
                let frame = cut(&mut BytesMut::from(&bytes[..])).unwrap().unwrap();
                assert_eq!(frame.header, Header::response(5, status::OK));
                assert_eq!(Reply::read(&frame), Ok((reply.clone(), attached.to_vec())));
            }
        }
    }

    #[test]
    fn a_status_carries_its_text_and_no_attachments() {
        let reply = Reply::Status(status::SERVICE_NOT_FOUND, "no route".to_owned());
        let bytes = reply.frame(&Header::request(5), &[("a".to_owned(), Value::Null)]);
        let frame = cut(&mut BytesMut::from(&bytes[..])).unwrap().unwrap();
        assert_eq!(Reply::read(&frame), Ok((reply, Vec::new())));
    }

    #[test]
    fn bytes_behind_the_answer_are_an_error() {
        let frame =
            Frame { header: Header::response(1, status::OK), body: Bytes::from_static(&[0x92, 0x92]) };
        assert!(Reply::read(&frame).is_err());
        let frame = Frame { header: Header::response(1, status::OK), body: Bytes::from_static(&[0x96]) };
        assert!(Reply::read(&frame).is_err());
    }
}
