//! Frames recorded from Apache Dubbo 3.3.6; `vectors/README.md` says what each holds.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use codec_api::{Affinity, Codec, Decoded, Edit, Edited, Kind, Message, Out, Outgoing, Raw, Side, Status};
use codec_dubbo::{Callbacks, DubboCodec, Settings};

use crate::conversation::{codec, decode, head, look_up};

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
fn every_recorded_call_is_walked_to_its_end() {
    for (name, bytes) in recorded() {
        let message = decode(side(&name), &bytes);
        let names = ["path", "timeout", "remote.application", "generic", "absent"];
        let (found, walked) = look_up(&bytes, &names);
        assert_eq!(message.opaque, None, "{name}");
        if !matches!(message.kind, Kind::Request | Kind::Oneway) {
            assert_eq!(walked, 0, "{name}");
            continue;
        }
        let timeout = match &*name {
            "request-timeout-countdown" => Some("4321"),
            // Dubbo 2.7 keeps it to itself.
            name if name.starts_with("request-2.7-consumer") => None,
            name if name.starts_with("request-go-") => Some("0"),
            _ => Some("10000"),
        };
        let generic = name.contains("generic").then_some("true");
        // Dubbo 2.6 and dubbo-go do not say who they are.
        let is_nameless = name.contains("2.6-consumer") || name.contains("-go-");
        let application = Some("interop-consumer").filter(|_| !is_nameless);
        let expected = [head(&message, &bytes, "interface"), timeout, application, generic, None];
        assert_eq!(found, expected.map(|value| value.map(str::to_owned)), "{name}");
        if !name.contains("fastjson2") {
            assert_eq!(walked as usize, bytes.len() - descriptor(&bytes, &message), "{name}");
        }
    }
}

#[test]
fn a_recorded_call_shows_the_same_in_fastjson2_as_in_hessian2() {
    let names = [
        "interface",
        "method",
        "version",
        "dubbo",
        "path",
        "group",
        "timeout",
        "remote.application",
        "generic",
        "batchJob",
        "x-text",
        "x-number",
        "x-flag",
        "id",
    ];
    let frames = recorded();
    let mut pairs = 0;
    for (name, bytes) in &frames {
        let Some(short) = name.strip_prefix("request-fastjson2-") else { continue };
        let Some(twin) = frames.get(&format!("request-{short}")) else { continue };
        assert_eq!(look_up(bytes, &names).0, look_up(twin, &names).0, "{short}");
        pairs += 1;
    }
    assert_eq!(pairs, 19, "calls that are recorded in both");
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
        "2.7-provider-business-exception",
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

/// What a codec writes that has seen the request, and what it says of it.
fn edited(bytes: &[u8], request: Option<&Vec<u8>>) -> (Edited, Vec<u8>) {
    let side = if request.is_some() { Side::Downstream } else { Side::Upstream };
    let mut codec = codec(side);
    if let Some(request) = request {
        codec.decode(request).unwrap();
    }
    let from = if request.is_some() { Side::Upstream } else { Side::Downstream };
    let message = decode(from, bytes);
    let edits = [Edit { name: "lane", value: "blau größer 🛒" }, Edit { name: "X-Text", value: "" }];
    let mut out = Out::new();
    let edited = codec.write(
        &Outgoing { message: &message, bytes: Raw::Slice(bytes), id: message.id },
        &edits,
        &mut out,
    );
    (edited.unwrap(), out.to_vec())
}

#[test]
fn recorded_calls_and_results_are_edited_and_all_else_stays() {
    let frames = recorded();
    let (mut calls, mut results) = (0, 0);
    for (name, bytes) in &frames {
        let kind = decode(side(name), bytes).kind;
        let is_call = matches!(kind, Kind::Request | Kind::Oneway);
        if !is_call && (kind != Kind::Response || bytes[3] != 20) {
            continue;
        }
        let request = if is_call { None } else { Some(&frames["request-no-arguments"]) };
        let (done, written) = edited(bytes, request);
        assert_eq!(done, Edited::Done, "{name}");
        assert_eq!(&written[..12], &bytes[..12], "{name}");
        assert_eq!(
            u32::from_be_bytes(written[12..16].try_into().unwrap()) as usize,
            written.len() - 16,
            "{name}"
        );
        // What is behind the head, up to the attachments, stands where it stood.
        let same = written[17..].iter().zip(&bytes[17..]).take_while(|(new, old)| new == old).count();
        let added = written.len() - bytes.len();
        assert!(same + 450 + added > bytes.len() - 17, "{name}: only {same} bytes are the same");
        if is_call {
            let names = ["lane", "X-TEXT", "path", "method", "remote.application", "x-number"];
            let (old, new) = (look_up(bytes, &names).0, look_up(&written, &names).0);
            assert_eq!(new[..2], [Some("blau größer 🛒".to_owned()), Some(String::new())], "{name}");
            assert_eq!(new[2..], old[2..], "{name}");
            calls += 1;
        } else {
            assert!(written.windows(7).any(|window| window == b"blau gr"), "{name}");
            results += 1;
        }
    }
    assert!(calls > 45 && results > 45, "{calls} calls, {results} results");
}

#[test]
fn recorded_results_of_older_callers_stay_without_attachments() {
    let frames = recorded();
    for short in ["value", "null", "exception"] {
        let bytes = &frames[&format!("response-{short}-without-attachments")];
        let old = edited(bytes, Some(&frames["request-dubbo-2.0.1"]));
        assert_eq!(old, (Edited::Impossible, bytes.clone()), "{short}");
    }
}

#[test]
fn recorded_callbacks_are_seen() {
    let settings = |callbacks| Settings { callbacks: Some(callbacks), ..Settings::default() };
    for name in ["request-callback", "request-fastjson2-callback"] {
        let mut pin = DubboCodec::new(Side::Downstream, settings(Callbacks::Pin));
        let Ok(Decoded::Message(message)) = pin.decode(&frame(name)) else { panic!("{name}") };
        assert_eq!(message.flow.affinity, Affinity::Private, "{name}");
        let mut refuse = DubboCodec::new(Side::Downstream, settings(Callbacks::Refuse));
        let Ok(Decoded::Reject(refused)) = refuse.decode(&frame(name)) else { panic!("{name}") };
        let words = "metaproxy.interop.api.WatchService.watch takes a callback argument (attachment sys_callback_arg-1)";
        assert!(refused.text.starts_with(words), "{}", refused.text);
    }
    let asked = include_bytes!("../../vectors/callbacks/from-provider.bin");
    let message = decode(Side::Upstream, asked);
    assert_eq!((message.kind, head(&message, asked, "method")), (Kind::Request, Some("changed")));
    let answered = include_bytes!("../../vectors/callbacks/from-consumer.bin");
    let mut pin = DubboCodec::new(Side::Downstream, settings(Callbacks::Pin));
    let Ok(Decoded::Message(answer)) = pin.decode(answered) else { panic!() };
    assert_eq!((answer.kind, answer.id, answer.status), (Kind::Response, message.id, Status::Ok));
}

#[test]
fn recorded_calls_say_how_long_they_may_take() {
    let settings = Settings { deadline: true, ..Settings::default() };
    for (name, millis) in [
        ("request-no-arguments", Some(10_000)),
        ("request-fastjson2-pojo", Some(10_000)),
        ("request-timeout-countdown", Some(4321)),
        ("request-2.7-consumer-pojo", None),
        ("request-oneway", None),
    ] {
        let mut codec = DubboCodec::new(Side::Downstream, settings);
        let Ok(Decoded::Message(message)) = codec.decode(&frame(name)) else { panic!("{name}") };
        assert_eq!(message.flow.time, millis.map(Duration::from_millis), "{name}");
    }
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
