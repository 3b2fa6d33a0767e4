//! tRPC for Java, both sides, through a proxy that has this codec: `metactl-trpc` with this example's YAML.

#![allow(clippy::unwrap_used, clippy::panic, reason = "functions of tests, which may fail")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use peers::process::{Metactl, Process};

const SERVICE: &str = "greeter.example:8003";
/// How long a virtual machine may take to start, and each call; clients give up after 20 s.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long Maven may take, downloads included.
const BUILD: Duration = Duration::from_mins(5);

/// The example's folder.
fn example() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The program in Java, which Maven makes where it is missing, so that nothing is skipped.
fn java() -> Command {
    let project = example().join("interop");
    let jar = project.join("target/trpc-interop.jar");
    if !jar.is_file() {
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "package"]).current_dir(&project);
        let status = Process::start("Maven", &mut maven, None).and_then(|mut maven| maven.wait(BUILD));
        assert!(status.is_ok_and(|status| status.success()) && jar.is_file(), "mvn -q -B package failed");
    }
    let mut command = Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar"]).arg(jar);
    command
}

/// A server, and the port that it serves on.
fn server(label: &str) -> (Process, u16) {
    let mut server = Process::start(label, java().args(["server", label]), None).unwrap();
    let line = server.line(PATIENCE).unwrap();
    let port = line.strip_prefix("ready ").and_then(|port| port.parse().ok());
    (server, port.unwrap_or_else(|| panic!("{label} said {line:?}, not `ready PORT`")))
}

/// This example's YAML, in a folder of its own, with the ports that the servers really have.
fn folder(parent: &Path, ports: [(&str, u16); 2]) -> PathBuf {
    for entry in fs::read_dir(example().join("config")).unwrap() {
        let path = entry.unwrap().path();
        let mut text = fs::read_to_string(&path).unwrap();
        for (known, port) in ports {
            text = text.replace(known, &port.to_string());
        }
        fs::write(parent.join(path.file_name().unwrap()), text).unwrap();
    }
    parent.to_owned()
}

/// What the client says of each of its calls.
fn outcomes() -> &'static [String] {
    static OUTCOMES: OnceLock<Vec<String>> = OnceLock::new();
    OUTCOMES.get_or_init(|| {
        let parent = tempfile::tempdir().unwrap();
        let ((_one, first), (_two, second)) = (server("v1"), server("v2"));
        let metactl = Metactl {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_metactl-trpc")),
            paths: vec![folder(parent.path(), [("21001", first), ("21002", second)])],
            services: vec![SERVICE.to_owned()],
            concurrency: Some(1),
            ..Metactl::default()
        };
        let proxy = metactl.start().unwrap();
        let address = proxy.address(SERVICE).unwrap().to_string();
        let mut client =
            Process::start("the client", java().args(["client", &address]).args(CALLS), None).unwrap();
        CALLS.iter().map(|_| client.line(PATIENCE).unwrap()).collect()
    })
}

/// What the client said of this call.
fn outcome(call: &str) -> &'static str {
    let place = CALLS.iter().position(|known| *known == call).expect("it is one of the calls");
    &outcomes()[place]
}

/// METHOD/ARGUMENT[/KEY=VALUE...]
const CALLS: [&str; 10] = [
    "greet/Ann",
    "greet/Bob/tier=batch",
    "fail/42",
    "fail/kaputt",
    "unrouted/Dee",
    "silent/Eve",
    "note/hello",
    "notes/all",
    "stream/Fay",
    "greet/Gus/tier=gold",
];

#[test]
fn calls_go_where_func_and_keys_say() {
    assert_eq!(outcome("greet/Ann"), "reply v1 greets Ann {}, keys {}");
    assert_eq!(outcome("greet/Gus/tier=gold"), "reply v1 greets Gus {tier=gold}, keys {tier=gold}");
}

#[test]
fn server_and_client_see_the_keys_that_a_route_sets() {
    let reply = "reply v2 greets Bob {tier=batch, via=proxy}, keys {served-by=v2, tier=batch, via=proxy}";
    assert_eq!(outcome("greet/Bob/tier=batch"), reply);
}

#[test]
fn the_servers_own_errors_arrive_as_they_are() {
    assert_eq!(outcome("fail/42"), "error 0 42 refused with 42");
    assert_eq!(outcome("fail/kaputt"), "error 999 999 kaputt");
}

#[test]
fn a_call_without_a_route_is_an_error_that_says_so() {
    let error = outcome("unrouted/Dee");
    assert!(error.starts_with("error 11 0 ") && error.contains("no route"), "{error}");
}

#[test]
fn a_silent_server_is_a_timeout_and_not_a_silence() {
    let error = outcome("silent/Eve");
    assert!(error.starts_with("error 101 0 ") && error.contains("no response in time"), "{error}");
}

#[test]
fn a_oneway_reaches_its_server() {
    assert_eq!(outcome("note/hello"), "reply none, as asked for, keys {}");
    assert_eq!(outcome("notes/all"), "reply v1 noted hello, keys {}");
}

#[test]
fn a_stream_is_refused_in_words() {
    let error = outcome("stream/Fay");
    assert!(error.starts_with("error 12 0 ") && error.contains("streams are not served here"), "{error}");
}
