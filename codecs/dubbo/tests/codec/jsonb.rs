//! Writes fastjson2 bodies for tests: every form of JSONB that fastjson2 writes, chosen by the test.
//!
//! It is written from fastjson2's own writer, apart from the codec's few words of JSONB, so that the two can disagree.

use crate::writer::frame;

/// A JSONB value.
#[derive(Debug, Clone)]
pub(crate) enum Json {
    /// One that is written as these bytes and holds nothing.
    Leaf(Vec<u8>),
    Text(String),
    Latin1(String),
    /// Least significant byte first.
    Utf16(String),
    Int(i32),
    Array(Vec<Json>),
    Map(Vec<(Json, Json)>),
    /// A type's name, its number, the value.
    Typed(String, i32, Box<Json>),
    /// A path to a value.
    Reference(String),
}

pub(crate) const NULL: u8 = 0xaf;

/// Text as fastjson2 writes it: in Latin-1 if it is ASCII, else in UTF-8.
pub(crate) fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

pub(crate) fn leaf(bytes: &[u8]) -> Json {
    Json::Leaf(bytes.to_vec())
}

impl Json {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Leaf(bytes) => out.extend_from_slice(bytes),
            Self::Text(text) if text.is_ascii() => counted(0x79, text.as_bytes(), out),
            Self::Text(text) => counted(0x7a, text.as_bytes(), out),
            Self::Latin1(text) => {
                let bytes: Vec<u8> =
                    text.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect();
                counted(0x79, &bytes, out);
            }
            Self::Utf16(text) => {
                let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                counted(0x7c, &bytes, out);
            }
            Self::Int(value) => int(*value, out),
            Self::Array(items) => {
                match items.len() {
                    count @ 0..=15 => out.push(0x94 + count as u8),
                    count => {
                        out.push(0xa4);
                        int(i32::try_from(count).unwrap(), out);
                    }
                }
                for item in items {
                    item.put(out);
                }
            }
            Self::Map(entries) => {
                out.push(0xa6);
                for (name, value) in entries {
                    name.put(out);
                    value.put(out);
                }
                out.push(0xa5);
            }
            Self::Typed(name, number, value) => {
                out.push(0x92);
                text(name).put(out);
                int(*number, out);
                value.put(out);
            }
            Self::Reference(path) => {
                out.push(0x93);
                text(path).put(out);
            }
        }
    }
}

/// A text behind its tag and length; short ones have both in one byte.
fn counted(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    if tag == 0x79 && bytes.len() <= 47 {
        out.push(0x49 + bytes.len() as u8);
    } else {
        out.push(tag);
        int(i32::try_from(bytes.len()).unwrap(), out);
    }
    out.extend_from_slice(bytes);
}

fn int(value: i32, out: &mut Vec<u8>) {
    let [_, high, mid, low] = value.to_be_bytes();
    match value {
        -16..=47 => out.push(value as u8),
        -2048..=2047 => out.extend([0x38_u8.wrapping_add(mid), low]),
        -0x40000..=0x3ffff => out.extend([0x44_u8.wrapping_add(high), mid, low]),
        _ => {
            out.push(0x48);
            out.extend(value.to_be_bytes());
        }
    }
}

/// An element of a body.
pub(crate) fn element(value: &Json) -> Vec<u8> {
    let bytes = value.bytes();
    [&(bytes.len() as u32).to_be_bytes()[..], &bytes].concat()
}

/// A call, as a client would make it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Protocol version, interface, version, method.
    pub(crate) head: [Json; 4],
    pub(crate) descriptor: String,
    pub(crate) arguments: Vec<Json>,
    pub(crate) attachments: Json,
}

impl Call {
    /// `com.acme.Orders.place` with these arguments, of which the codec learns no more than that they are objects.
    pub(crate) fn new(arguments: Vec<Json>, attachments: Vec<(Json, Json)>) -> Self {
        Self {
            head: [text("2.0.2"), text("com.acme.Orders"), text("1.4.0"), text("place")],
            descriptor: "Ljava/lang/Object;".repeat(arguments.len()),
            arguments,
            attachments: Json::Map(attachments),
        }
    }

    pub(crate) fn frame(&self) -> Vec<u8> {
        let descriptor = text(&self.descriptor);
        let values = self.head.iter().chain([&descriptor]).chain(&self.arguments).chain([&self.attachments]);
        frame(0xd7, 0, 7, &values.flat_map(element).collect::<Vec<_>>())
    }
}

/// A result of this kind with these elements.
pub(crate) fn result(kind: u8, elements: &[Json]) -> Vec<u8> {
    let kind = Json::Leaf(vec![0xbd, kind]);
    let body: Vec<u8> = std::iter::once(&kind).chain(elements).flat_map(element).collect();
    frame(0x17, 20, 7, &body)
}
