//! Every law of codec-api, tried on the recorded messages.

use std::collections::BTreeMap;
use std::path::Path;

use codec_api::laws::{Laws, Recorded};
use codec_api::{Cause, OptionValue, Options, Side, Status};
use codec_brpc::{Brpc, MAX_MESSAGE_BYTES};

/// Meta and payload; the header's 12 bytes come to that.
const LIMIT: i64 = 16 << 10;

fn request(name: &str, method: &str) -> Recorded {
    let bytes = vector(&format!("request-{name}"));
    Recorded::request(name, bytes).shows("service", "example.Greeter").shows("method", method)
}

fn response(name: &str, status: Status) -> Recorded {
    Recorded::response(name, vector(&format!("response-{name}"))).status(status)
}

/// What the kit is told of the protocol.
pub fn laws() -> Laws {
    let options = Options(BTreeMap::from([(MAX_MESSAGE_BYTES.to_owned(), OptionValue::Integer(LIMIT))]));
    Laws::of(Brpc)
        .options(Side::Downstream, options.clone())
        .options(Side::Upstream, options)
        .message(request("greet", "Greet").shows("log_id", "0").payload(b"\x0a\x03Ann"))
        .message(response("greet", Status::Ok).payload(b"\x0a\x10v1 greets Ann {}"))
        .message(
            request("fields", "Greet")
                .shows("log_id", "7")
                .shows("tier", "batch")
                .shows("X", "y")
                .payload(b"\x0a\x03Bob"),
        )
        .message(response("fields", Status::Ok).payload(b"v1 greets Bob {tier=batch, x=y}"))
        .message(request("fail", "Fail").payload(b"\x0a\x06kaputt"))
        .message(response("fail", Status::ServerError).payload(b""))
        .message(
            Recorded::request("chunked", message(&[&request_meta()[..], &field(0x32, b"")].concat(), b""))
                .refused(Cause::Unsupported),
        )
        .message(Recorded::request("empty", message(b"\x20\x07", b"")).refused(Cause::BadMessage))
        .long(|bytes| message(&request_meta(), &vec![7; bytes]))
        .limit(12 + LIMIT as usize)
        .sets(&["x-law", "tier"])
        .memory(64 << 10, |work| allocation_counter::measure(work).bytes_max)
}

#[test]
fn the_codec_keeps_the_laws() {
    laws().check();
}

fn request_meta() -> Vec<u8> {
    field(0x0a, &[field(0x0a, b"example.Greeter"), field(0x12, b"Greet")].concat())
}

/// A recorded message.
pub fn vector(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(format!("{name}.bin"));
    std::fs::read(&path).expect("the vectors stand in the repository")
}

/// A message with this meta and payload.
pub fn message(meta: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut made = b"PRPC".to_vec();
    made.extend_from_slice(&((meta.len() + payload.len()) as u32).to_be_bytes());
    made.extend_from_slice(&(meta.len() as u32).to_be_bytes());
    made.extend_from_slice(meta);
    made.extend_from_slice(payload);
    made
}

/// A field of bytes, shorter than 128.
pub fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 128);
    [&[tag, bytes.len() as u8], bytes].concat()
}
