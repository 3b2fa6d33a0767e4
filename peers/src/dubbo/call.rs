//! What a consumer sends: building call frames, and reading them on the provider's side.
//!
//! Body of a request: Dubbo version, path, service version, method, argument types, arguments, attachments.

use super::frame::{Frame, HESSIAN2, Header};
use super::hessian::{Reader, Value, Writer};
use super::malformed::Malformed;
use bytes::Bytes;

/// A call, ready to be written under any id.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    dubbo: String,
    interface: String,
    version: String,
    method: String,
    descriptor: Option<String>,
    arguments: Vec<Value>,
    attachments: Vec<(String, Value)>,
    serialization: u8,
    opaque: Option<Bytes>,
}

impl Call {
    /// A call of a method without arguments, service version 0.0.0, with the attachments that every Apache Dubbo
    /// consumer sends (`path`, `interface`, `version`).
    pub fn new(interface: &str, method: &str) -> Self {
        let attachments = vec![
            ("path".to_owned(), interface.into()),
            ("interface".to_owned(), interface.into()),
            ("version".to_owned(), "0.0.0".into()),
        ];
        Call {
            dubbo: "2.0.2".to_owned(),
            interface: interface.to_owned(),
            version: "0.0.0".to_owned(),
            method: method.to_owned(),
            descriptor: None,
            arguments: Vec::new(),
            attachments,
            serialization: HESSIAN2,
            opaque: None,
        }
    }

    /// Adds an argument; its type is derived from the value unless `descriptor` names them all.
    #[must_use]
    pub fn argument(mut self, value: impl Into<Value>) -> Self {
        self.arguments.push(value.into());
        self
    }

    /// Puts an argument before all others.
    #[must_use]
    pub fn first_argument(mut self, value: impl Into<Value>) -> Self {
        self.arguments.insert(0, value.into());
        self
    }

    /// Sets an attachment; one of the same name is replaced.
    #[must_use]
    pub fn attachment(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attachments.retain(|(known, _)| known != name);
        self.attachments.push((name.to_owned(), value.into()));
        self
    }

    /// Sends no attachments but those set after this.
    #[must_use]
    pub fn without_attachments(mut self) -> Self {
        self.attachments.clear();
        self
    }

    /// Sets the service's version, in its field and its attachment.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self.attachment("version", version)
    }

    /// Sets the version of the Dubbo protocol, on which it depends whether a response may carry attachments.
    #[must_use]
    pub fn dubbo(mut self, dubbo: &str) -> Self {
        dubbo.clone_into(&mut self.dubbo);
        self
    }

    /// Sets the JVM descriptors of all arguments, such as `Ljava/lang/String;I`.
    #[must_use]
    pub fn descriptor(mut self, descriptor: &str) -> Self {
        self.descriptor = Some(descriptor.to_owned());
        self
    }

    /// Names another serialization in the header. The body stays hessian2 unless `opaque` replaces it.
    #[must_use]
    pub fn serialization(mut self, id: u8) -> Self {
        self.serialization = id;
        self
    }

    /// Replaces the whole body, for serializations (and mistakes) that this crate does not write.
    #[must_use]
    pub fn opaque(mut self, body: impl Into<Bytes>) -> Self {
        self.opaque = Some(body.into());
        self
    }

    /// The body alone.
    pub fn body(&self) -> Bytes {
        if let Some(opaque) = &self.opaque {
            return opaque.clone();
        }
        let derived = || self.arguments.iter().map(Value::descriptor).collect::<String>();
        let mut writer = Writer::default();
        for text in [&self.dubbo, &self.interface, &self.version, &self.method] {
            writer.text(text);
        }
        writer.text(&self.descriptor.clone().unwrap_or_else(derived));
        for argument in &self.arguments {
            writer.value(argument);
        }
        writer.value(&Value::map(self.attachments.iter().cloned()));
        writer.into_bytes().into()
    }

    /// The frame of a call that wants an answer.
    pub fn request(&self, id: u64) -> Bytes {
        let header = Header { serialization: self.serialization, ..Header::request(id) };
        header.frame(&self.body())
    }

    /// The frame of a call that wants none.
    pub fn oneway(&self, id: u64) -> Bytes {
        let header = Header { serialization: self.serialization, two_way: false, ..Header::request(id) };
        header.frame(&self.body())
    }

    /// The arguments.
    pub fn arguments(&self) -> &[Value] {
        &self.arguments
    }
}

/// A call as a provider reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What stood before the body.
    pub header: Header,
    /// Version of the Dubbo protocol.
    pub dubbo: String,
    /// The path, which is the interface unless the provider chose another.
    pub interface: String,
    /// Service version.
    pub version: String,
    /// Method.
    pub method: String,
    /// JVM descriptors of the arguments.
    pub descriptor: String,
    /// Arguments in order.
    pub arguments: Vec<Value>,
    /// Attachments in the order on the wire.
    pub attachments: Vec<(String, Value)>,
}

impl Request {
    /// Reads the hessian2 body of a call; the whole body must be used up.
    pub fn read(frame: &Frame) -> Result<Self, Malformed> {
        let mut reader = Reader::new(&frame.body);
        let mut text = || reader.text().map(Option::unwrap_or_default);
        let (dubbo, interface, version, method, descriptor) = (text()?, text()?, text()?, text()?, text()?);
        let mut arguments = Vec::new();
        for _ in 0..count_of(&descriptor)? {
            arguments.push(reader.value()?);
        }
        let attachments = attachments(&mut reader)?;
        if !reader.rest().is_empty() {
            return Err(Malformed::new(format!("{} bytes after the attachments", reader.rest().len())));
        }
        Ok(Request {
            header: frame.header,
            dubbo,
            interface,
            version,
            method,
            descriptor,
            arguments,
            attachments,
        })
    }

    /// The attachment of exactly this name.
    pub fn attachment(&self, name: &str) -> Option<&Value> {
        self.attachments.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Whether the requester understands responses with attachments: protocol version 2.0.2 to 2.0.99.
    pub fn takes_attachments(&self) -> bool {
        let last = self.dubbo.strip_prefix("2.0.").and_then(|last| last.parse::<u32>().ok());
        last.is_some_and(|last| (2..=99).contains(&last))
    }
}

/// Attachments at the end of a request or response: a map, or null for none.
pub(crate) fn attachments(reader: &mut Reader<'_>) -> Result<Vec<(String, Value)>, Malformed> {
    match reader.value()? {
        Value::Null => Ok(Vec::new()),
        Value::Map { entries, .. } => entries
            .into_iter()
            .map(|(key, value)| match key {
                Value::Text(name) => Ok((name, value)),
                other => {
                    Err(Malformed::new(format!("an attachment is named {other:?}, which is not a string")))
                }
            })
            .collect(),
        other => Err(Malformed::new(format!("attachments are a map, not {other:?}"))),
    }
}

/// How many arguments a JVM descriptor lists.
fn count_of(descriptor: &str) -> Result<usize, Malformed> {
    let unreadable = || Malformed::new(format!("`{descriptor}` is no list of JVM types"));
    let mut rest = descriptor.as_bytes();
    let mut count = 0;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'[' if rest.is_empty() => return Err(unreadable()),
            b'[' => continue,
            b'L' => {
                let end = rest.iter().position(|&byte| byte == b';').ok_or_else(unreadable)?;
                rest = &rest[end + 1..];
            }
            b'V' | b'Z' | b'B' | b'C' | b'S' | b'I' | b'J' | b'F' | b'D' => {}
            _ => return Err(unreadable()),
        }
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dubbo::frame::cut;
    use bytes::BytesMut;

    fn sent(frame: &Bytes) -> Frame {
        cut(&mut BytesMut::from(&frame[..])).unwrap().unwrap()
    }

    #[test]
    fn a_call_is_read_as_it_was_built() {
        let pojo = Value::object("com.acme.Order", [("id", Value::Long(7))]);
        let call = Call::new("com.acme.Orders", "create")
            .argument("text")
            .argument(vec![1, 2, 3])
            .argument(pojo.clone())
            .argument(Value::pojo_as_map("com.acme.Line", [("sku", "x".into())]))
            .attachment("batchJob", "true")
            .attachment("retries", 3)
            .attachment("dry", false)
            .version("1.2.0");
        let request = Request::read(&sent(&call.request(99))).unwrap();
        assert_eq!(request.header, Header::request(99));
        assert_eq!(
            (&*request.interface, &*request.method, &*request.version),
            ("com.acme.Orders", "create", "1.2.0")
        );
        assert_eq!(request.descriptor, "Ljava/lang/String;[BLcom/acme/Order;Lcom/acme/Line;");
        assert_eq!(request.arguments, call.arguments());
        assert_eq!(request.attachment("batchJob"), Some(&"true".into()));
        assert_eq!(request.attachment("retries"), Some(&Value::Int(3)));
        assert_eq!(request.attachment("dry"), Some(&Value::Bool(false)));
        assert_eq!(request.attachment("version"), Some(&"1.2.0".into()));
    }

    #[test]
    fn a_oneway_call_wants_no_answer() {
        let request = Request::read(&sent(&Call::new("i", "m").oneway(1))).unwrap();
        assert!(request.header.request && !request.header.two_way);
    }

    #[test]
    fn another_serialization_travels_with_its_own_body() {
        let frame = sent(&Call::new("i", "m").serialization(21).opaque(&b"\x0a\x03abc"[..]).request(1));
        assert_eq!((frame.header.serialization, &frame.body[..]), (21, &b"\x0a\x03abc"[..]));
    }

    #[test]
    fn arguments_are_counted_by_their_descriptor() {
        for (descriptor, count) in [("", 0), ("I", 1), ("[[ILa/B;J[Lc/D;", 4)] {
            assert_eq!(count_of(descriptor), Ok(count), "{descriptor}");
        }
        for wrong in ["[", "La/B", "x"] {
            assert!(count_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn attachments_in_responses_depend_on_the_requesters_version() {
        let takes = |dubbo: &str| {
            Request::read(&sent(&Call::new("i", "m").dubbo(dubbo).request(1))).unwrap().takes_attachments()
        };
        assert!(takes("2.0.2") && takes("2.0.99"));
        assert!(!takes("2.0.1") && !takes("2.0.100") && !takes("2.7.0"));
    }
}
