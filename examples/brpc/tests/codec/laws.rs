//! Every law of codec-api, tried on the recorded messages.

use std::collections::BTreeMap;

use codec_api::laws::{Laws, Recorded};
use codec_api::{Cause, OptionValue, Options, Side, Status};
use codec_brpc::{Brpc, MAX_MESSAGE_BYTES};

use crate::{field, message, vector};

/// Meta and payload; the header's 12 bytes come to that.
const LIMIT: usize = 16 << 10;

fn request(name: &str, method: &str) -> Recorded {
    let bytes = vector(&format!("request-{name}"));
    Recorded::request(name, bytes).shows("service", "example.Greeter").shows("method", method)
}

fn response(name: &str, status: Status) -> Recorded {
    Recorded::response(name, vector(&format!("response-{name}"))).status(status)
}

#[test]
fn the_codec_keeps_the_laws() {
    let options =
        Options(BTreeMap::from([(MAX_MESSAGE_BYTES.to_owned(), OptionValue::Integer(LIMIT as i64))]));
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
        .limit(12 + LIMIT)
        .sets(&["x-law", "tier"])
        .memory(64 << 10, |work| allocation_counter::measure(work).bytes_max)
        .check();
}

fn request_meta() -> Vec<u8> {
    field(0x0a, &[field(0x0a, b"example.Greeter"), field(0x12, b"Greet")].concat())
}
