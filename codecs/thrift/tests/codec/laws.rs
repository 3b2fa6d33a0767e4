//! The laws of all codecs, over the messages recorded from Apache Thrift's library.

use std::path::Path;

use codec_api::laws::{Laws, Recorded};
use codec_api::{OptionValue, Options, Side, Status};
use codec_thrift::{MAX_MESSAGE_BYTES, TRANSPORT, Thrift};

/// The longest message that the codecs of this test take; a small one, so that the test is quick.
const MAX_MESSAGE: u32 = 64 << 10;
/// A decompressor, which one of the recorded forms needs, and what else a connection holds.
const MEMORY: usize = 128 << 10;

/// The recorded messages whose form begins so; a request and its response have the same name.
fn recorded(transport: &str, encoding: &str) -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the recorded messages are there") {
        let path = entry.expect("the folder can be read").path();
        let Some(file) = path.file_name().and_then(|file| file.to_str()) else { continue };
        let [name, form, "bin"] = file.split('.').collect::<Vec<_>>()[..] else { continue };
        if form.starts_with(transport) && form.ends_with(encoding) {
            let bytes = std::fs::read(&path).expect("a recorded message can be read");
            all.push(message(name, form, bytes));
        }
    }
    assert!(all.len() >= 12, "only {} recorded messages", all.len());
    all
}

/// One message, and what is known of it.
fn message(name: &str, form: &str, bytes: Vec<u8>) -> Recorded {
    let has_header = form.starts_with("header") || form.starts_with("zlib");
    // What stands behind the head; under zlib, all of the payload.
    let payload = match form.split_once('-') {
        Some(("zlib", _)) => 14 + 4 * usize::from(bytes[13]),
        Some(("header", _)) => 14 + 4 * usize::from(bytes[13]) + 30,
        _ => 30,
    };
    let payload = bytes.get(payload..).unwrap_or_default().to_vec();
    let (what, kind) = name.split_once('-').unwrap_or((name, ""));
    let pair = |name: &str| format!("{name} {form}");
    let message = match what {
        "call" => {
            let method = match kind {
                "" | "multiplexed" => "add",
                "empty" => "ping",
                "large" => "put",
                other => other,
            };
            let message = Recorded::request(pair(if kind == "empty" { "void" } else { kind }), bytes);
            let message = message.shows("method", method).shows("type", "call");
            if kind == "multiplexed" { message.shows("service", "Cart") } else { message }
        }
        "oneway" => Recorded::oneway(pair(what), bytes).shows("method", "note").shows("type", "oneway"),
        "reply" if kind == "declared" => {
            Recorded::response(pair(kind), bytes).status(Status::ApplicationError)
        }
        "reply" => Recorded::response(pair(kind), bytes).status(Status::Ok),
        _ => Recorded::response(pair(kind), bytes).status(Status::ServerError),
    };
    let message = message.payload(payload);
    let is_request = what == "call" || what == "oneway";
    if has_header && is_request {
        message.shows("tier", "gold").shows("user", "größe 🛒")
    } else {
        message
    }
}

/// A call of `put` with a text of so many bytes, in a form.
fn long(form: &str, bytes: usize) -> Vec<u8> {
    let (transport, encoding) = form.split_once('-').expect("a form has two parts");
    let mut payload = match encoding {
        "strict" => b"\x80\x01\0\x01\0\0\0\x03put\0\0\0\x01\x0b\0\x01".to_vec(),
        "lenient" => b"\0\0\0\x03put\x01\0\0\0\x01\x0b\0\x01".to_vec(),
        _ => b"\x82\x21\x01\x03put\x18".to_vec(),
    };
    if encoding == "compact" {
        let mut length = bytes;
        while length >= 128 {
            payload.push(length as u8 | 128);
            length >>= 7;
        }
        payload.push(length as u8);
    } else {
        payload.extend((bytes as u32).to_be_bytes());
    }
    payload.resize(payload.len() + bytes, b'x');
    payload.push(0);
    if transport == "buffered" {
        return payload;
    }
    let mut frame = Vec::new();
    if transport != "framed" {
        let protocol = if encoding == "compact" { 2 } else { 0 };
        frame.extend(b"\x0f\xff\0\0\0\0\0\x01\0\x01");
        frame.extend([protocol, u8::from(transport == "zlib"), u8::from(transport == "zlib"), 0]);
    }
    if transport == "zlib" {
        payload = miniz_oxide::deflate::compress_to_vec_zlib(&payload, 0);
    }
    frame.extend(payload);
    [&(frame.len() as u32).to_be_bytes()[..], &frame].concat()
}

/// What the kit is told of Thrift where clients and endpoints speak in this form.
fn laws(transport: &'static str, encoding: &'static str) -> Laws {
    let fixed = match transport {
        "" => "auto",
        "zlib" => "header",
        transport => transport,
    };
    let options = [
        (MAX_MESSAGE_BYTES.to_owned(), OptionValue::Integer(MAX_MESSAGE.into())),
        (TRANSPORT.to_owned(), OptionValue::Text(fixed.to_owned())),
    ];
    let options = Options(options.into());
    let form = match (transport, encoding) {
        ("", _) => "framed-strict".to_owned(),
        _ => format!("{transport}-{encoding}"),
    };
    let length_of_a_frame = if form.starts_with("buffered") { 0 } else { 4 };
    Laws::of(Thrift)
        .options(Side::Downstream, options.clone())
        .options(Side::Upstream, options)
        .messages(recorded(transport, encoding))
        .long(move |bytes| long(&form, bytes))
        .limit(length_of_a_frame + MAX_MESSAGE as usize)
        .sets(&["tier", "USER", "x-law"])
        .memory(MEMORY, |work| allocation_counter::measure(work).bytes_max)
}

/// What the kit is told of clients and endpoints that speak in all forms by turns.
pub(crate) fn all_forms() -> Laws {
    laws("", "")
}

#[test]
fn the_codec_keeps_the_laws_of_all_codecs_in_every_form() {
    for transport in ["framed", "buffered", "header", "zlib"] {
        for encoding in ["strict", "lenient", "compact"] {
            if encoding != "lenient" || matches!(transport, "framed" | "buffered") {
                laws(transport, encoding).cases(300).check();
            }
        }
    }
}

#[test]
fn the_codec_keeps_the_laws_of_all_codecs_when_forms_change() {
    all_forms().check();
}
