//! Every law of codec-api, tried on the recorded frames.

use std::collections::BTreeMap;
use std::path::Path;

use codec_api::laws::{Laws, Recorded};
use codec_api::{Cause, OptionValue, Options, Side, Status};
use codec_trpc::{MAX_MESSAGE_BYTES, Trpc};

/// The whole frame.
const LIMIT: i64 = 16 << 10;

fn request(name: &str, func: &str) -> Recorded {
    known(Recorded::request(name, vector(&format!("request-{name}"))), func)
}

fn known(recorded: Recorded, func: &str) -> Recorded {
    let recorded = recorded.shows("caller", "trpc.example.client.Caller");
    recorded.shows("callee", "trpc.example.greeter.Greeter").shows("func", format!("/example.Greeter/{func}"))
}

fn response(name: &str, status: Status) -> Recorded {
    Recorded::response(name, vector(&format!("response-{name}"))).status(status)
}

/// What the kit is told of the protocol.
pub fn laws() -> Laws {
    let limit = OptionValue::Integer(LIMIT);
    let options = Options(BTreeMap::from([(MAX_MESSAGE_BYTES.to_owned(), limit)]));
    let keys = request("keys", "Greet").shows("tier", "batch").shows("X", "y").payload(b"\x0a\x03Bob");
    let open = Recorded::request("open", vector("open-stream")).refused(Cause::Unsupported);
    Laws::of(Trpc)
        .options(Side::Downstream, options.clone())
        .options(Side::Upstream, options)
        .message(request("greet", "Greet").payload(b"\x0a\x03Ann"))
        .message(response("greet", Status::Ok).payload(b"\x0a\x10v1 greets Ann {}"))
        .message(keys)
        .message(response("keys", Status::Ok).shows("tier", "batch").payload(b"v1 greets Bob"))
        .message(request("business", "Fail").payload(b"\x0a\x0242"))
        .message(response("business", Status::ApplicationError).payload(b""))
        .message(request("unexpected", "Fail").payload(b"\x0a\x06kaputt"))
        .message(response("unexpected", Status::ServerError).payload(b""))
        .message(known(Recorded::oneway("note", vector("oneway-note")), "Note").payload(b"\x0a\x05hello"))
        .message(response("no-func", Status::ServerError).payload(b""))
        .message(open)
        .long(|bytes| frame(0, 0, 7, &[&b"\x18\x07"[..], &field(0x3a, b"/a.B/C")].concat(), &vec![7; bytes]))
        .limit(LIMIT as usize)
        .sets(&["x-law", "tier"])
        .memory(64 << 10, |work| allocation_counter::measure(work).bytes_max)
}

#[test]
fn the_codec_keeps_the_laws() {
    laws().check();
}

/// A recorded frame.
pub fn vector(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(format!("{name}.bin"));
    std::fs::read(&path).expect("the vectors stand in the repository")
}

/// A frame of this kind (0 a call, 1 a stream's), of version 1.
pub fn frame(kind: u8, what: u8, stream: u32, head: &[u8], body: &[u8]) -> Vec<u8> {
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
pub fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 128);
    [&[tag, bytes.len() as u8], bytes].concat()
}
