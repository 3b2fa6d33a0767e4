//! Frames recorded from Apache Dubbo 3.3.6; `vectors/README.md` says what each holds.

use std::collections::BTreeMap;
use std::path::Path;

use codec_api::{Kind, Message, Side, Status};

use crate::conversation::{decode, head, look_up};

const INTERFACE: &str = "metaproxy.interop.api.DemoService";
const GENERIC: &[u8] = b"Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;";

/// All recorded frames, by name.
fn recorded() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut frames = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            frames.insert(name, std::fs::read(&path).unwrap());
        }
    }
    assert!(frames.len() > 90, "only {} frames in {}", frames.len(), folder.display());
    frames
}

/// The side of the proxy that a frame arrives at.
fn side(name: &str) -> Side {
    if name.starts_with("request-") { Side::Downstream } else { Side::Upstream }
}

fn frame(name: &str) -> Vec<u8> {
    recorded().remove(name).unwrap_or_else(|| panic!("{name} is not recorded"))
}

/// Where the descriptor of the parameter types begins.
fn descriptor(bytes: &[u8], message: &Message) -> usize {
    let generic = bytes.windows(GENERIC.len()).position(|window| window == GENERIC);
    if let Some(place) = generic {
        return place - 2;
    }
    let method = head(message, bytes, "method").unwrap();
    method.as_ptr() as usize - bytes.as_ptr() as usize + method.len()
}

#[test]
fn recorded_calls_in_fastjson2_hide_their_attributes() {
    for (name, bytes) in recorded() {
        let message = decode(side(&name), &bytes);
        let hidden = matches!(message.kind, Kind::Request | Kind::Oneway) && name.contains("fastjson2");
        assert_eq!(message.opaque, hidden.then_some("fastjson2"), "{name}");
    }
}

#[test]
fn every_recorded_call_is_walked_to_its_end() {
    for (name, bytes) in recorded() {
        let message = decode(side(&name), &bytes);
        let names = ["path", "timeout", "remote.application", "generic", "absent"];
        let (found, walked) = look_up(&bytes, &names);
        if !matches!(message.kind, Kind::Request | Kind::Oneway) || message.opaque.is_some() {
            assert_eq!((found, walked), (vec![None; names.len()], 0), "{name}");
            continue;
        }
        let timeout = if name.ends_with("timeout-countdown") { "4321" } else { "10000" };
        let generic = name.contains("generic").then_some("true");
        let expected =
            [head(&message, &bytes, "interface"), Some(timeout), Some("interop-consumer"), generic, None];
        assert_eq!(found, expected.map(|value| value.map(str::to_owned)), "{name}");
        assert_eq!(walked as usize, bytes.len() - descriptor(&bytes, &message), "{name}");
    }
}

#[test]
fn heads_of_recorded_calls_are_as_written() {
    let rows = [
        ("no-arguments", "whoAmI"),
        ("pojo", "placeOrder"),
        ("all-types", "echoSample"),
        ("many-arguments", "join"),
        ("list", "echoOrders"),
        ("list-typed", "echoOrders"),
        ("list-mixed", "echoItems"),
        ("map-typed", "echoOrdersByKey"),
        ("map-mixed", "echoEntries"),
        ("business-exception", "pay"),
        ("null-argument", "echoText"),
        ("bytes", "echoBytes"),
        ("oneway", "note"),
        ("async", "later"),
        ("generic", "placeOrder"),
        ("generic-async", "placeOrder"),
        ("generic-exception", "pay"),
        ("generic-unknown-method", "nowhere"),
    ];
    for (name, method) in rows {
        let bytes = frame(&format!("request-{name}"));
        let message = decode(Side::Downstream, &bytes);
        let fields = ["dubbo", "interface", "version", "method"].map(|field| head(&message, &bytes, field));
        assert_eq!(fields, [Some("2.0.2"), Some(INTERFACE), Some("0.0.0"), Some(method)], "{name}");
    }
    let bytes = frame("request-group-version");
    let message = decode(Side::Downstream, &bytes);
    let fields = ["interface", "version", "method"].map(|field| head(&message, &bytes, field));
    assert_eq!(fields, [Some("metaproxy.interop.api.GreetingService"), Some("1.2.0"), Some("greet")]);
    let bytes = frame("request-dubbo-2.0.1");
    assert_eq!(head(&decode(Side::Downstream, &bytes), &bytes, "dubbo"), Some("2.0.1"));
}

#[test]
fn attachments_of_recorded_calls_are_as_written() {
    let rows: [(&str, &[(&str, &str)]); 6] = [
        ("batch-job", &[("batchJob", "true"), ("BATCHJOB", "true"), ("user", "größe 東京 🛒")]),
        ("timeout-countdown", &[("batchJob", "true"), ("timeout", "4321"), ("_TO", "4321")]),
        ("group-unknown", &[("group", "none")]),
        ("group-version", &[("group", "interop")]),
        (
            "attachments",
            &[("batchJob", "true"), ("x-text", "grün 🛒"), ("x-number", "7"), ("x-flag", "true")],
        ),
        ("oneway", &[("id", "0")]),
    ];
    for (name, attachments) in rows {
        let (names, values): (Vec<_>, Vec<_>) = attachments.iter().copied().unzip();
        let (found, _) = look_up(&frame(&format!("request-{name}")), &names);
        let values: Vec<_> = values.into_iter().map(|value| Some(value.to_owned())).collect();
        assert_eq!(found, values, "{name}");
    }
}

#[test]
fn recorded_responses_tell_how_they_ended() {
    let application_errors = [
        "business-exception",
        "runtime-exception",
        "rpc-exception",
        "generic-exception",
        "exception-without-attachments",
        "fastjson2-business-exception",
        "fastjson2-rpc-exception",
    ];
    let server_errors = ["generic-unknown-method", "service-not-found", "bad-request", "unknown-method"];
    for (name, bytes) in recorded() {
        let Some(short) = name.strip_prefix("response-") else { continue };
        let expected = match short {
            _ if application_errors.contains(&short) => Status::ApplicationError,
            _ if server_errors.contains(&short) => Status::ServerError,
            "thread-pool-exhausted" => Status::Overloaded,
            _ => Status::Ok,
        };
        assert_eq!(decode(Side::Upstream, &bytes).status, expected, "{name}");
    }
}

#[test]
fn a_recorded_response_bears_the_id_of_its_request() {
    let frames = recorded();
    let mut pairs = 0;
    for (name, bytes) in &frames {
        let Some(short) = name.strip_prefix("request-") else { continue };
        let Some(answer) = frames.get(&format!("response-{short}")) else { continue };
        assert_eq!(decode(Side::Downstream, bytes).id, decode(Side::Upstream, answer).id, "{short}");
        pairs += 1;
    }
    assert!(pairs > 30, "only {pairs} pairs");
}

#[test]
fn recorded_calls_cut_short_show_nothing_false() {
    let names = ["path", "timeout", "remote.application", "batchJob", "x-text", "x-number"];
    for name in
        ["request-attachments", "request-pojo", "request-map-mixed", "request-generic", "request-list-mixed"]
    {
        let bytes = frame(name);
        let (whole, _) = look_up(&bytes, &names);
        for cut in 16..bytes.len() {
            let mut short = bytes[..cut].to_vec();
            short[12..16].copy_from_slice(&(cut as u32 - 16).to_be_bytes());
            for (found, whole) in look_up(&short, &names).0.iter().zip(&whole) {
                assert!(found.is_none() || found == whole, "{name} cut at {cut}: {found:?}");
            }
        }
    }
}
