//! Short words for what the proxy does with a client's codec and an endpoint's.

use std::collections::BTreeMap;
use std::path::Path;

use codec_api::{
    Attribute, Cause, Codec, Decoded, Edit, Edited, Found, LocalReply, Message, OptionValue, Options, Out,
    Outgoing, Properties, Protocol, Raw, Refusal, RequestHead, Side,
};
use codec_thrift::{Settings, Thrift, ThriftCodec};

/// The forms of the recorded messages.
pub(crate) const FORMS: [&str; 10] = [
    "framed-strict",
    "framed-lenient",
    "framed-compact",
    "buffered-strict",
    "buffered-lenient",
    "buffered-compact",
    "header-strict",
    "header-compact",
    "zlib-strict",
    "zlib-compact",
];

/// Every recorded message, by its name.
pub(crate) fn recorded() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "bin"));
    files
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

/// A recorded message in a form.
pub(crate) fn vector(message: &str, form: &str) -> Vec<u8> {
    recorded().remove(&format!("{message}.{form}")).unwrap()
}

pub(crate) fn properties() -> &'static Properties {
    Thrift.properties()
}

/// Settings with these options.
pub(crate) fn settings(options: &[(&str, &str)]) -> Settings {
    let value = |text: &str| match text.parse() {
        Ok(number) => OptionValue::Integer(number),
        Err(_) => OptionValue::Text(text.to_owned()),
    };
    let options = options.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect();
    Settings::read(&Options(options)).unwrap()
}

/// A codec without options.
pub(crate) fn codec(side: Side) -> ThriftCodec {
    ThriftCodec::new(side, Settings::default())
}

/// The one message that `bytes` are.
pub(crate) fn decode(codec: &mut ThriftCodec, bytes: &[u8]) -> Message {
    match codec.decode(bytes) {
        Ok(Decoded::Message(message)) => {
            assert_eq!(message.len, bytes.len());
            message
        }
        other => panic!("{other:?} of {bytes:02x?}"),
    }
}

/// The attributes with these names.
pub(crate) fn look_up(bytes: &[u8], names: &[&str]) -> Vec<Option<String>> {
    let mut codec = codec(Side::Downstream);
    let message = decode(&mut codec, bytes);
    let wanted: Vec<Attribute> = names.iter().map(|name| Attribute::new(properties(), name)).collect();
    let mut found = Found::default();
    found.reset(wanted.len());
    if wanted.iter().any(|attribute| attribute.is_late(&message)) {
        codec.attributes(&message, bytes, &wanted, &mut found);
    }
    let value = |(index, attribute)| {
        let value = found.get(index, attribute, &message, bytes);
        value.map(|value| String::from_utf8(value.to_vec()).unwrap())
    };
    wanted.iter().enumerate().map(value).collect()
}

/// What the proxy says to each request.
pub(crate) const TEXT: &str = "so it is";

/// A client's codec, an endpoint's, and the requests in between, each with the id that the proxy gave it.
pub(crate) struct Proxy {
    pub(crate) downstream: ThriftCodec,
    pub(crate) upstream: ThriftCodec,
    asked: BTreeMap<u64, RequestHead>,
    next: u64,
}

impl Proxy {
    /// A proxy that gives its first request this id, and whose endpoint has these options.
    pub(crate) fn new(first: u64, options: &[(&str, &str)]) -> Self {
        let upstream = ThriftCodec::new(Side::Upstream, settings(options));
        Self { downstream: codec(Side::Downstream), upstream, asked: BTreeMap::new(), next: first }
    }

    /// What the endpoint sees of a client's request.
    pub(crate) fn up(&mut self, request: &[u8]) -> Vec<u8> {
        self.up_with(request, &[]).unwrap().0
    }

    /// The same, with edits.
    pub(crate) fn up_with(
        &mut self,
        request: &[u8],
        edits: &[(&str, &str)],
    ) -> Result<(Vec<u8>, Edited), Refusal> {
        let message = decode(&mut self.downstream, request);
        let id = self.next;
        self.asked.insert(id, message.request_head());
        let written = write(&mut self.upstream, &message, request, id, edits)?;
        self.next += 1;
        Ok(written)
    }

    /// What the client sees of an endpoint's response.
    pub(crate) fn down(&mut self, response: &[u8]) -> Vec<u8> {
        self.try_down(response).unwrap()
    }

    pub(crate) fn try_down(&mut self, response: &[u8]) -> Result<Vec<u8>, Refusal> {
        let message = decode(&mut self.upstream, response);
        let asked = self.asked[&message.id];
        write(&mut self.downstream, &message, response, asked.id, &[]).map(|(bytes, _)| bytes)
    }

    /// What the client sees when the proxy answers in an endpoint's place.
    pub(crate) fn answer(&mut self, id: u64, cause: Cause) -> Vec<u8> {
        let mut out = Out::new();
        self.downstream.local_reply(self.asked[&id], LocalReply { cause, text: TEXT }, &mut out);
        out.to_vec()
    }
}

/// What a codec writes, which is the same whether the bytes are owned or not.
fn write(
    codec: &mut ThriftCodec,
    message: &Message,
    bytes: &[u8],
    id: u64,
    edits: &[(&str, &str)],
) -> Result<(Vec<u8>, Edited), Refusal> {
    let edits: Vec<_> = edits.iter().map(|(name, value)| Edit { name, value }).collect();
    let mut out = Out::new();
    let shared = bytes::Bytes::copy_from_slice(bytes);
    let outgoing = Outgoing { message, bytes: Raw::Shared(&shared), id };
    match codec.write(&outgoing, &edits, &mut out) {
        Ok(edited) => Ok((out.to_vec(), edited)),
        Err(refusal) => {
            assert!(out.is_empty(), "a refused message is not begun");
            Err(refusal)
        }
    }
}
