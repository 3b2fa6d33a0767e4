//! The laws of all codecs, over the frames recorded from Apache Dubbo.

use std::path::Path;

use codec_api::laws::{Laws, Recorded};
use codec_api::{Cause, Kind, OptionValue, Options, Side};
use codec_dubbo::{Dubbo, MAX_MESSAGE_BYTES};

/// The longest body that the codecs of this test take; a small one, so that the test is quick.
const MAX_BODY: u32 = 256 << 10;

/// The kind of the recorded frame of this name.
fn kind(name: &str) -> Kind {
    match name {
        "event-readonly" => Kind::GoingAway,
        "event-writable" => Kind::ComeBack,
        _ if name.ends_with("-oneway") => Kind::Oneway,
        _ if name.starts_with("request-") && name.ends_with("heartbeat") => Kind::Ping,
        _ if name.ends_with("heartbeat") => Kind::Pong,
        _ if name.starts_with("request-") => Kind::Request,
        _ => Kind::Response,
    }
}

/// What no edit may touch: all between the first byte of the body, which may be the kind of a result, and the attachments
/// (or the length of their element).
fn payload(bytes: &[u8]) -> &[u8] {
    let last = |mark: &[u8]| bytes.windows(mark.len()).rposition(|window| window == mark);
    let names = ["path", "x-number", "dubbo", "reply-x-number", "output", "retries"];
    let hessian = names.map(|name| [&[b'H', name.len() as u8], name.as_bytes()].concat());
    let fastjson = names.map(|name| [&[0xa6, 0x49 + name.len() as u8], name.as_bytes()].concat());
    let start = bytes.len().min(21);
    if bytes[2] & 0x1f == 23 {
        let end = fastjson.iter().find_map(|mark| last(mark)).map_or(bytes.len(), |map| map - 4);
        return &bytes[start.min(end)..end];
    }
    let end = hessian.iter().find_map(|mark| last(mark)).unwrap_or(bytes.len());
    &bytes[17.min(end)..end]
}

/// All recorded frames; a request and its response have the same name.
fn recorded() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the recorded frames are there") {
        let path = entry.expect("the folder can be read").path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        if path.extension().is_some_and(|extension| extension == "bin") {
            let bytes = std::fs::read(&path).expect("a recorded frame can be read");
            let (side, short) = name.split_once('-').expect("a frame's name begins with its side");
            let payload = payload(&bytes).to_vec();
            let kind = kind(name);
            let one = match side {
                "request" => Recorded::from_client(kind, short, bytes),
                _ => Recorded::from_endpoint(kind, short, bytes),
            };
            let is_call = matches!(kind, Kind::Request | Kind::Oneway);
            // Consumers of Dubbo 2.6 and of dubbo-go do not say who they are.
            let names_itself = is_call && !name.contains("2.6-consumer") && !name.contains("-go-");
            let one = if names_itself { one.shows("remote.application", "interop-consumer") } else { one };
            all.push(one.payload(payload));
        }
    }
    assert!(all.len() > 100, "only {} recorded frames", all.len());
    all
}

/// A call of `put` with bytes as its argument.
fn long(bytes: usize) -> Vec<u8> {
    let mut body = b"\x052.0.2\x0fcom.acme.Orders\x051.0.0\x03put\x02[B".to_vec();
    let mut rest = bytes;
    while rest > 0x8000 {
        body.extend_from_slice(b"A\x80\x00");
        body.resize(body.len() + 0x8000, b'x');
        rest -= 0x8000;
    }
    body.push(b'B');
    body.extend_from_slice(&(rest as u16).to_be_bytes());
    body.resize(body.len() + rest, b'x');
    body.extend_from_slice(b"H\x04zone\x05northZ");
    frame(0xc2, &body)
}

/// A message with these flags.
fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xda, 0xbb, flags, 20, 0, 0, 0, 0, 0, 0, 0, 1];
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// What the kit is told of Dubbo.
pub(crate) fn laws() -> Laws {
    laws_with(&[])
}

/// The same, with these options.
fn laws_with(texts: &[(&str, &str)]) -> Laws {
    let texts = texts.iter().map(|(name, text)| ((*name).to_owned(), OptionValue::Text((*text).to_owned())));
    let limit = (MAX_MESSAGE_BYTES.to_owned(), OptionValue::Integer(MAX_BODY.into()));
    let options = Options(texts.chain([limit]).collect());
    Laws::of(Dubbo)
        .options(Side::Downstream, options.clone())
        .options(Side::Upstream, options)
        .messages(recorded())
        .message(
            Recorded::request("put", long(100))
                .shows("method", "put")
                .shows("zone", "north")
                .payload([b'x'; 100]),
        )
        .message(Recorded::request("headless", frame(0xc2, b"\x052.0.2")).refused(Cause::BadMessage))
        .message(Recorded::oneway("headless-oneway", frame(0x82, b"\x90\x91")).refused(Cause::BadMessage))
        .message(Recorded::from_client(Kind::Ping, "ping-of-kryo", frame(0xe8, b"\0")))
        .message(Recorded::from_client(Kind::Ping, "ping-without-body", frame(0xe2, b"")))
        .message(Recorded::from_endpoint(Kind::Ping, "ping-of-an-endpoint", frame(0xe2, b"N")))
        .message(Recorded::from_endpoint(Kind::Notice, "other-event", frame(0xa2, b"\x05other")))
        .long(long)
        .limit(16 + MAX_BODY as usize)
        .memory(64 << 10, |work| allocation_counter::measure(work).bytes_max)
}

#[test]
fn a_codec_that_looks_at_every_request_keeps_the_laws_too() {
    laws_with(&[("callbacks", "pin"), ("deadline", "attachment")]).cases(1000).check();
}

#[test]
fn the_codec_keeps_the_laws_of_all_codecs() {
    laws().check();
}
