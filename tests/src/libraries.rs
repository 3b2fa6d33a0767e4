//! Apache Thrift's own libraries: servers and clients in Python, Node, Java and Go, from `tests/interop/thrift-*`.
//!
//! One server process serves several wires (a transport and a protocol, plain or multiplexed), each at a port of its
//! own; one client process runs scenarios against several addresses. What a library cannot do without a proxy between
//! is told by [`Library::wires`] and [`is_beyond`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use peers::process::Process;

use crate::command::{self, Ran};
use crate::eventually::off_thread;

/// How long a process may take to start and to do what it was asked for.
const RUN: Duration = Duration::from_mins(2);

/// All plain wires.
pub const WIRES: [&str; 6] = [
    "framed/binary",
    "framed/compact",
    "buffered/binary",
    "buffered/compact",
    "header/binary",
    "header/compact",
];
/// A wire that two services share.
pub const MULTIPLEXED: &str = "framed/binary/multiplexed";

/// A language that Apache Thrift has a library for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// Python; always sends the same sequence id.
    Python,
    /// Node.
    Node,
    /// Java; has no header transport.
    Java,
    /// Go.
    Go,
}

impl Library {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Python, Self::Node, Self::Java, Self::Go];

    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Java => "java",
            Self::Go => "go",
        }
    }

    /// The wires that it speaks.
    pub fn wires(self) -> impl Iterator<Item = &'static str> {
        let all = WIRES.into_iter().chain([MULTIPLEXED]);
        all.filter(move |wire| self != Self::Java || !wire.starts_with("header"))
    }

    fn command(self) -> Command {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("interop/thrift-{}", self.name()));
        let (program, words): (PathBuf, &[&str]) = match self {
            Self::Python => (folder.join("target/venv/bin/python"), &["main.py"]),
            Self::Node => ("node".into(), &["--no-deprecation", "main.js"]),
            Self::Java => (
                "java".into(),
                &["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", "target/thrift-interop.jar"],
            ),
            Self::Go => (folder.join("target/thrift-interop"), &[]),
        };
        let built = folder.join(match self {
            Self::Python => "target/venv/bin/thrift-installed",
            Self::Node => "node_modules/.package-lock.json",
            Self::Java => "target/thrift-interop.jar",
            Self::Go => "target/thrift-interop",
        });
        assert!(built.exists(), "{} does not exist: `make interop` makes it", built.display());
        let mut command = Command::new(program);
        command.args(words).current_dir(folder);
        command
    }
}

/// Why a scenario fails even without a proxy between a client and a server, each with its wire; `None`: it goes well.
pub fn is_beyond(client: (Library, &str), server: (Library, &str), scenario: &str) -> Option<&'static str> {
    let either = |library| client.0 == library || server.0 == library;
    let reads_compact =
        |(library, wire): (Library, &str)| library == Library::Node && wire.contains("compact");
    match scenario {
        "truths" if reads_compact(client) || reads_compact(server) => {
            Some("Node reads every truth value in a compact container as false")
        }
        "uuids" if either(Library::Java) => Some("Java cannot read a list of uuids"),
        "zlib" if server.0 == Library::Node => Some("Node has no transforms"),
        "pipelined" if server == (Library::Node, "header/compact") => {
            Some("Node cannot read a header that comes in two parts")
        }
        "headers" if !server.1.starts_with("header") => Some("the server is sent no header"),
        _ => None,
    }
}

/// A server on a library. Killed when dropped.
#[derive(Debug)]
pub struct LibraryServer {
    _process: Process,
    addresses: Vec<(String, SocketAddr)>,
}

impl LibraryServer {
    /// Starts one that answers this label to `whoAmI`, at a port for each wire.
    pub async fn start(library: Library, label: &str, wires: impl IntoIterator<Item = &str>) -> Self {
        let mut command = library.command();
        command.args(["server", "--label", label]);
        for wire in wires {
            command.args(["--serve", wire]);
        }
        off_thread(move || {
            let started = Process::start(&format!("the {} server", library.name()), &mut command, None);
            let mut process = started.unwrap_or_else(|failed| panic!("{failed}"));
            let mut addresses = Vec::new();
            loop {
                let line = process.line(RUN).unwrap_or_else(|failed| panic!("{failed}"));
                if line == "ready" {
                    return Self { _process: process, addresses };
                }
                let said = line.strip_prefix("listening ").and_then(|rest| rest.split_once(' '));
                let said = said.and_then(|(wire, port)| Some((wire, port.parse::<u16>().ok()?)));
                let (wire, port) =
                    said.unwrap_or_else(|| panic!("the server said {line:?}, not `listening WIRE PORT`"));
                addresses.push((wire.to_owned(), SocketAddr::from(([127, 0, 0, 1], port))));
            }
        })
        .await
    }

    /// Where it speaks so.
    pub fn address(&self, wire: &str) -> SocketAddr {
        let found = self.addresses.iter().find(|(known, _)| known == wire);
        found.unwrap_or_else(|| panic!("the server does not speak {wire}")).1
    }
}

/// A client's address, what it speaks there, and what the row is called.
#[derive(Clone, Debug)]
pub struct Target {
    /// Name of the row, without spaces, `=` and `@`.
    pub name: String,
    /// What the client speaks.
    pub wire: String,
    /// Where.
    pub address: SocketAddr,
}

/// What became of one scenario against one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The target's name.
    pub target: String,
    /// The scenario, with its words.
    pub scenario: String,
    /// What it has to tell, or why it failed.
    pub told: Result<String, String>,
}

/// Runs scenarios against each target; all that the wire allows, if none is named. Each call on a header transport
/// bears these headers.
pub async fn client(
    library: Library,
    targets: &[Target],
    scenarios: &[&str],
    headers: &[(&str, &str)],
) -> Vec<Row> {
    let mut command = library.command();
    command.arg("client");
    for Target { name, wire, address } in targets {
        command.args(["--target", &format!("{name}={wire}@{address}")]);
    }
    for scenario in scenarios {
        command.args(["--scenario", scenario]);
    }
    for (key, value) in headers {
        command.args(["--header", &format!("{key}={value}")]);
    }
    let ran = off_thread(move || command::run(command, RUN)).await;
    let rows: Vec<_> = ran.stdout.lines().filter_map(row).collect();
    let is_told = matches!(ran.code, Some(0 | 1)) && !rows.is_empty();
    let Ran { code, stdout, stderr } = &ran;
    assert!(is_told, "the {} client ended with {code:?}:\n{stdout}\n{stderr}", library.name());
    rows
}

/// `ok TARGET SCENARIO TOLD`, `FAIL TARGET SCENARIO: WHY`.
fn row(line: &str) -> Option<Row> {
    let (word, rest) = line.split_once(' ')?;
    let (target, rest) = rest.split_once(' ')?;
    let target = target.to_owned();
    let (scenario, told) = match word {
        "ok" => {
            rest.split_once(' ').map_or((rest, Ok(String::new())), |(name, told)| (name, Ok(told.to_owned())))
        }
        "FAIL" => rest.split_once(": ").map(|(name, why)| (name, Err(why.to_owned())))?,
        _ => return None,
    };
    Some(Row { target, scenario: scenario.to_owned(), told })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_from_their_lines() {
        let rows = [
            ("ok a/b void", "void", Ok("")),
            ("ok a/b outcome:sleep,5 reply L 1", "outcome:sleep,5", Ok("reply L 1")),
            ("FAIL a/b outcome:sleep,5: Error: no: x", "outcome:sleep,5", Err("Error: no: x")),
        ];
        for (line, scenario, told) in rows {
            let told = told.map(str::to_owned).map_err(str::to_owned);
            let expected = Row { target: "a/b".to_owned(), scenario: scenario.to_owned(), told };
            assert_eq!(row(line), Some(expected));
        }
        assert_eq!(row("Traceback"), None);
    }
}
