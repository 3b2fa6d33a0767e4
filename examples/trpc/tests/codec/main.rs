//! The codec, on what tRPC for Java sent (vectors) and on frames made here.

mod laws;
mod sentences;

use std::path::Path;

/// A recorded frame.
fn vector(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(format!("{name}.bin"));
    std::fs::read(&path).expect("the vectors stand in the repository")
}

/// A frame of this kind (0 a call, 1 a stream's), of version 1.
fn frame(kind: u8, what: u8, stream: u32, head: &[u8], body: &[u8]) -> Vec<u8> {
    let mut made = vec![0x09, 0x30, kind, what];
    made.extend_from_slice(&((16 + head.len() + body.len()) as u32).to_be_bytes());
    made.extend_from_slice(&(head.len() as u16).to_be_bytes());
    made.extend_from_slice(&stream.to_be_bytes());
    made.extend_from_slice(&[1, 0]);
    made.extend_from_slice(head);
    made.extend_from_slice(body);
    made
}

/// A field of bytes, shorter than 128.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 128);
    [&[tag, bytes.len() as u8], bytes].concat()
}
