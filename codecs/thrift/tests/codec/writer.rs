//! Writes messages in every form, apart from the codec: what the codec says is compared with this.

use proptest::collection::vec;
use proptest::prelude::*;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    Double(f64),
    Text(Vec<u8>),
    Uuid([u8; 16]),
    Struct(Vec<(i16, Tree)>),
    /// Elements are of the type of the sample.
    List(Box<Tree>, Vec<Tree>),
    Set(Box<Tree>, Vec<Tree>),
    Map(Box<(Tree, Tree)>, Vec<(Tree, Tree)>),
}

/// What stands before a struct.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) kind: u8,
    pub(crate) name: String,
    pub(crate) id: u32,
}

impl Head {
    pub(crate) fn call(name: &str, id: u32) -> Self {
        Self { kind: 1, name: name.to_owned(), id }
    }

    pub(crate) fn reply(name: &str, id: u32) -> Self {
        Self { kind: 2, name: name.to_owned(), id }
    }
}

/// A message in a form without a `THeader`, such as `framed-strict`.
pub(crate) fn message(form: &str, head: &Head, body: &Tree) -> Vec<u8> {
    let (transport, encoding) = form.split_once('-').unwrap();
    let name = head.name.as_bytes();
    let mut bytes = Vec::new();
    match encoding {
        "strict" => {
            bytes.extend([0x80, 1, 0, head.kind]);
            bytes.extend((name.len() as u32).to_be_bytes());
            bytes.extend(name);
            bytes.extend(head.id.to_be_bytes());
        }
        "lenient" => {
            bytes.extend((name.len() as u32).to_be_bytes());
            bytes.extend(name);
            bytes.push(head.kind);
            bytes.extend(head.id.to_be_bytes());
        }
        _ => {
            bytes.extend([0x82, head.kind << 5 | 1]);
            bytes.extend(varint(head.id.into()));
            bytes.extend(varint(name.len() as u64));
            bytes.extend(name);
        }
    }
    if encoding == "compact" {
        compact(body, &mut bytes);
    } else {
        binary(body, &mut bytes);
    }
    if transport == "framed" { frame(&bytes) } else { bytes }
}

pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_be_bytes(), payload].concat()
}

/// A frame with a `THeader` without keys.
pub(crate) fn header_frame(encoding: &str, id: u32, payload: &[u8]) -> Vec<u8> {
    let protocol = if encoding == "compact" { 2 } else { 0 };
    block_frame(&[protocol, 0, 0, 0], id, payload)
}

/// A frame with a `THeader` that has this block, padded.
pub(crate) fn block_frame(block: &[u8], id: u32, payload: &[u8]) -> Vec<u8> {
    let mut block = block.to_vec();
    block.resize(block.len().next_multiple_of(4), 0);
    let mut bytes = vec![0x0f, 0xff, 0, 0];
    bytes.extend(id.to_be_bytes());
    bytes.extend(((block.len() / 4) as u16).to_be_bytes());
    bytes.extend(block);
    bytes.extend(payload);
    frame(&bytes)
}

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value % 128) as u8;
        value /= 128;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low + 128);
    }
}

fn zigzag(value: i64) -> Vec<u8> {
    let wide = i128::from(value);
    varint(if wide < 0 { (-2 * wide - 1) as u64 } else { (2 * wide) as u64 })
}

fn codes(tree: &Tree) -> (u8, u8) {
    match tree {
        Tree::Bool(_) => (2, 1),
        Tree::I8(_) => (3, 3),
        Tree::Double(_) => (4, 7),
        Tree::I16(_) => (6, 4),
        Tree::I32(_) => (8, 5),
        Tree::I64(_) => (10, 6),
        Tree::Text(_) => (11, 8),
        Tree::Struct(_) => (12, 12),
        Tree::Map(..) => (13, 11),
        Tree::Set(..) => (14, 10),
        Tree::List(..) => (15, 9),
        Tree::Uuid(_) => (16, 13),
    }
}

pub(crate) fn binary(tree: &Tree, out: &mut Vec<u8>) {
    match tree {
        Tree::Bool(value) => out.push((*value).into()),
        Tree::I8(value) => out.extend(value.to_be_bytes()),
        Tree::I16(value) => out.extend(value.to_be_bytes()),
        Tree::I32(value) => out.extend(value.to_be_bytes()),
        Tree::I64(value) => out.extend(value.to_be_bytes()),
        Tree::Double(value) => out.extend(value.to_be_bytes()),
        Tree::Uuid(bytes) => out.extend(bytes),
        Tree::Text(text) => {
            out.extend((text.len() as u32).to_be_bytes());
            out.extend(text);
        }
        Tree::Struct(fields) => {
            for (id, value) in fields {
                out.push(codes(value).0);
                out.extend(id.to_be_bytes());
                binary(value, out);
            }
            out.push(0);
        }
        Tree::List(sample, items) | Tree::Set(sample, items) => {
            out.push(codes(sample).0);
            out.extend((items.len() as u32).to_be_bytes());
            for item in items {
                binary(item, out);
            }
        }
        Tree::Map(sample, entries) => {
            // An empty map has no types in the compact protocol, and so none when it comes from there.
            let known = u8::from(!entries.is_empty());
            out.extend([known * codes(&sample.0).0, known * codes(&sample.1).0]);
            out.extend((entries.len() as u32).to_be_bytes());
            for (key, value) in entries {
                binary(key, out);
                binary(value, out);
            }
        }
    }
}

pub(crate) fn compact(tree: &Tree, out: &mut Vec<u8>) {
    match tree {
        Tree::Bool(value) => out.push(if *value { 1 } else { 2 }),
        Tree::I8(value) => out.extend(value.to_be_bytes()),
        Tree::I16(value) => out.extend(zigzag((*value).into())),
        Tree::I32(value) => out.extend(zigzag((*value).into())),
        Tree::I64(value) => out.extend(zigzag(*value)),
        Tree::Double(value) => out.extend(value.to_le_bytes()),
        Tree::Uuid(bytes) => out.extend(bytes),
        Tree::Text(text) => {
            out.extend(varint(text.len() as u64));
            out.extend(text);
        }
        Tree::Struct(fields) => {
            let mut last = 0;
            for (id, value) in fields {
                let code = if *value == Tree::Bool(false) { 2 } else { codes(value).1 };
                let delta = i32::from(*id) - i32::from(last);
                if (1..=15).contains(&delta) {
                    out.push((delta as u8) << 4 | code);
                } else {
                    out.push(code);
                    out.extend(zigzag((*id).into()));
                }
                last = *id;
                if !matches!(value, Tree::Bool(_)) {
                    compact(value, out);
                }
            }
            out.push(0);
        }
        Tree::List(sample, items) | Tree::Set(sample, items) => {
            if items.len() < 15 {
                out.push((items.len() as u8) << 4 | codes(sample).1);
            } else {
                out.push(0xf0 | codes(sample).1);
                out.extend(varint(items.len() as u64));
            }
            for item in items {
                compact(item, out);
            }
        }
        Tree::Map(sample, entries) => {
            out.extend(varint(entries.len() as u64));
            if !entries.is_empty() {
                out.push(codes(&sample.0).1 << 4 | codes(&sample.1).1);
            }
            for (key, value) in entries {
                compact(key, out);
                compact(value, out);
            }
        }
    }
}

fn leaf() -> impl Strategy<Value = Tree> {
    prop_oneof![
        any::<bool>().prop_map(Tree::Bool),
        any::<i8>().prop_map(Tree::I8),
        any::<i16>().prop_map(Tree::I16),
        any::<i32>().prop_map(Tree::I32),
        any::<i64>().prop_map(Tree::I64),
        any::<i64>().prop_map(|bits| Tree::Double(bits as f64 / 3.0)),
        vec(any::<u8>(), 0..40).prop_map(Tree::Text),
        any::<[u8; 16]>().prop_map(Tree::Uuid),
    ]
}

/// Values of one type, made of a sample by changing its leaves' numbers.
fn alike(sample: &Tree, count: usize) -> Vec<Tree> {
    vec![sample.clone(); count]
}

/// Any value.
pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    leaf().prop_recursive(5, 80, 6, |inner| {
        prop_oneof![
            vec((any::<i16>(), inner.clone()), 0..6).prop_map(Tree::Struct),
            (inner.clone(), 0..20_usize)
                .prop_map(|(item, n)| Tree::List(Box::new(item.clone()), alike(&item, n))),
            (inner.clone(), 0..4_usize)
                .prop_map(|(item, n)| Tree::Set(Box::new(item.clone()), alike(&item, n))),
            (inner.clone(), inner, 0..4_usize).prop_map(|(key, value, n)| {
                let entry = (key, value);
                Tree::Map(Box::new(entry.clone()), vec![entry; n])
            }),
        ]
    })
}

/// Any struct.
pub(crate) fn body() -> impl Strategy<Value = Tree> {
    vec((any::<i16>(), tree()), 0..8).prop_map(Tree::Struct)
}
