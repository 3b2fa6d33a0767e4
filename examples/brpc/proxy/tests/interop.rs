//! brpc-java, both sides, through a proxy that has this codec: `metactl-brpc` with this example's YAML.

#![allow(clippy::unwrap_used, clippy::panic, reason = "functions of tests, which may fail")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use peers::process::{Metactl, Process};

const SERVICE: &str = "greeter.example:8002";
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
    let jar = project.join("target/brpc-interop.jar");
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
            binary: PathBuf::from(env!("CARGO_BIN_EXE_metactl-brpc")),
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

/// METHOD/ARGUMENT[/FIELD=VALUE...]
const CALLS: [&str; 7] = [
    "greet/Ann",
    "greet/Bob/tier=batch",
    "greet/Cem/tier=gold/log-id=42",
    "fail/kaputt",
    "unrouted/Dee",
    "silent/Eve",
    "greet/Fay/tier=gold",
];

#[test]
fn calls_go_where_method_fields_and_log_id_say() {
    assert_eq!(outcome("greet/Ann"), "reply v1 greets Ann {}");
    assert_eq!(outcome("greet/Cem/tier=gold/log-id=42"), "reply v2 greets Cem {tier=gold}");
    assert_eq!(outcome("greet/Fay/tier=gold"), "reply v1 greets Fay {tier=gold}");
}

#[test]
fn the_server_sees_the_field_that_a_route_sets() {
    assert_eq!(outcome("greet/Bob/tier=batch"), "reply v2 greets Bob {tier=batch, via=proxy}");
}

#[test]
fn the_servers_own_error_arrives() {
    let error = outcome("fail/kaputt");
    assert!(error.starts_with("error ") && error.ends_with("kaputt"), "{error}");
}

#[test]
fn a_call_without_a_route_is_an_error_that_says_so() {
    let error = outcome("unrouted/Dee");
    assert!(error.starts_with("error ") && error.contains("no route"), "{error}");
}

#[test]
fn a_silent_server_is_a_timeout_and_not_a_silence() {
    let error = outcome("silent/Eve");
    assert!(error.starts_with("error ") && error.contains("no response in time"), "{error}");
}
