//! The codec, on what brpc-java sent (vectors) and on messages made here.

mod laws;
mod sentences;

use std::path::Path;

/// A recorded message.
fn vector(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(format!("{name}.bin"));
    std::fs::read(&path).expect("the vectors stand in the repository")
}

/// A message with this meta and payload.
fn message(meta: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut made = b"PRPC".to_vec();
    made.extend_from_slice(&((meta.len() + payload.len()) as u32).to_be_bytes());
    made.extend_from_slice(&(meta.len() as u32).to_be_bytes());
    made.extend_from_slice(meta);
    made.extend_from_slice(payload);
    made
}

/// A field of bytes, shorter than 128.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 128);
    [&[tag, bytes.len() as u8], bytes].concat()
}
