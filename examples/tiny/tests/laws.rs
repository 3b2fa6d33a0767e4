//! The laws of all codecs, over messages recorded from a real client and a real server.

use codec_api::laws::{Laws, Recorded};
use codec_api::{Kind, OptionValue, Options, Side, Status};
use codec_tiny::{MAX_MESSAGE_BYTES, Tiny};

/// The longest message that the codecs of this test take; a small one, so that the test is quick.
const LIMIT: u32 = 256 << 10;

/// What the kit is told of the protocol.
pub fn laws() -> Laws {
    let options = Options([(MAX_MESSAGE_BYTES.to_owned(), OptionValue::Integer(LIMIT.into()))].into());
    Laws::of(Tiny)
        .options(Side::Downstream, options.clone())
        .options(Side::Upstream, options)
        .message(
            Recorded::request("get", include_bytes!("../vectors/request-get.bin"))
                .shows("method", "get")
                .shows("zone", "north")
                .payload("key-1"),
        )
        .message(Recorded::response("get", include_bytes!("../vectors/response-get.bin")).payload("value-1"))
        .message(Recorded::request("put", include_bytes!("../vectors/request-put.bin")).payload("key-2"))
        .message(
            Recorded::response("put", include_bytes!("../vectors/response-put.bin"))
                .status(Status::ApplicationError)
                .payload("read-only"),
        )
        .message(Recorded::oneway("note", include_bytes!("../vectors/oneway-note.bin")).payload("seen"))
        .message(Recorded::from_client(Kind::Ping, "ping", include_bytes!("../vectors/ping.bin")))
        .long(long)
        .limit(LIMIT as usize)
        .memory(16 << 10, |work| allocation_counter::measure(work).bytes_max)
}

/// A `put` with a body of this many bytes.
fn long(bytes: usize) -> Vec<u8> {
    let mut message = (11 + bytes as u32).to_be_bytes().to_vec();
    message.extend_from_slice(b"q\0\0\0\x01\x03put\0\0");
    message.resize(message.len() + bytes, b'x');
    message
}

#[test]
fn the_codec_keeps_the_laws() {
    laws().check();
}
