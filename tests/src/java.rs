//! Real Apache Dubbo: providers and consumers in Java, from `tests/interop/dubbo-java`.
//!
//! The jar is built by Maven where it is missing, so that no scenario is skipped.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use peers::process::Process;

use crate::command::{self, Ran};
use crate::eventually::off_thread;

/// How long Maven may take, downloads included.
const BUILD: Duration = Duration::from_mins(5);
/// How long a virtual machine may take to start and to do what it was asked for.
const RUN: Duration = Duration::from_mins(2);

/// A provider in Java. Killed when dropped.
#[derive(Debug)]
pub struct JavaProvider {
    process: Process,
    address: SocketAddr,
}

impl JavaProvider {
    /// Starts one with this label, and further flags.
    pub async fn start(label: &str, flags: &[&str]) -> Self {
        let (label, flags): (_, Vec<_>) =
            (label.to_owned(), flags.iter().map(|&flag| flag.to_owned()).collect());
        off_thread(move || {
            let mut command = java();
            command.args(["provider", "--port", "0", "--label", &label]).args(flags);
            let started = Process::start(&format!("the Java provider {label}"), &mut command, None);
            let mut process = started.unwrap_or_else(|failed| panic!("{failed}"));
            let line = process.line(RUN).unwrap_or_else(|failed| panic!("{failed}"));
            let port = line.strip_prefix("ready ").and_then(|port| port.parse::<u16>().ok());
            let port =
                port.unwrap_or_else(|| panic!("the Java provider {label} said {line:?}, not `ready PORT`"));
            Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)) }
        })
        .await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.process.terminate().unwrap_or_else(|error| panic!("SIGTERM: {error}"));
    }
}

/// What a consumer in Java said.
#[derive(Clone, Debug)]
pub struct Consumed(Ran);

/// Runs a consumer with these words behind its address.
pub async fn consumer(address: SocketAddr, words: &[&str]) -> Consumed {
    let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
    off_thread(move || {
        let mut command = java();
        command.args(["consumer", "--address", &address.to_string()]).args(words);
        Consumed(command::run(command, RUN))
    })
    .await
}

impl Consumed {
    /// The scenarios that went well; fails if one did not.
    pub fn ok(&self) -> Vec<&str> {
        let Ran { code, stdout, stderr } = &self.0;
        assert_eq!(*code, Some(0), "the Java consumer failed:\n{stdout}\n{stderr}");
        stdout.lines().filter_map(|line| line.strip_prefix("ok ")).collect()
    }

    /// Why the scenario of this name failed; `None`: it did not.
    pub fn failed(&self, name: &str) -> Option<&str> {
        let mark = format!("FAIL {name}: ");
        self.0.stdout.lines().find_map(|line| line.strip_prefix(&mark))
    }

    /// What it printed as JSON under this name, in order.
    pub fn told(&self, name: &str) -> Vec<serde_json::Value> {
        let objects =
            self.0.stdout.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        objects.filter_map(|object| object.get(name).cloned()).collect()
    }
}

fn java() -> Command {
    let mut command = Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-jar"]).arg(jar());
    command
}

fn jar() -> &'static Path {
    static JAR: OnceLock<PathBuf> = OnceLock::new();
    JAR.get_or_init(|| {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/dubbo-java");
        let jar = project.join("target/dubbo-interop.jar");
        if !jar.is_file() {
            let mut maven = Command::new("mvn");
            maven.args(["-q", "-B", "package"]).current_dir(&project);
            let Ran { code, stdout, stderr } = command::run(maven, BUILD);
            assert!(
                code == Some(0) && jar.is_file(),
                "mvn -q -B package failed ({code:?}):\n{stdout}\n{stderr}"
            );
        }
        jar
    })
}
