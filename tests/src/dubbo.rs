//! Real Dubbo: providers and consumers on Apache Dubbo 3.3, 2.7 and 2.6, and on dubbo-go, from `tests/interop/dubbo-*`.
//!
//! All take the same words and say the same lines (`tests/interop/dubbo.md`). What two libraries cannot do without a
//! proxy between them is told by [`is_beyond`].

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use peers::process::Process;
use serde_json::Value;

use crate::command::{self, Ran};
use crate::eventually::off_thread;

/// How long a process may take to start and to do what it was asked for.
const RUN: Duration = Duration::from_mins(2);

/// A library, in one of its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// Apache Dubbo 3.3.6; has fastjson2.
    Dubbo3,
    /// Apache Dubbo 2.7.23.
    Dubbo27,
    /// Dubbo 2.6.12, of the packages `com.alibaba.dubbo`.
    Dubbo26,
    /// dubbo-go 3.3.1.
    Go,
}

impl Library {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Dubbo3, Self::Dubbo27, Self::Dubbo26, Self::Go];
    /// Those that are written in Java.
    pub const JAVA: [Self; 3] = [Self::Dubbo3, Self::Dubbo27, Self::Dubbo26];

    /// Its name, which is the label of its providers too unless a test says otherwise.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dubbo3 => "dubbo3",
            Self::Dubbo27 => "dubbo27",
            Self::Dubbo26 => "dubbo26",
            Self::Go => "go",
        }
    }

    /// Its version, which is that of the `GreetingService` of [`one_of_each`] too.
    pub fn version(self) -> &'static str {
        match self {
            Self::Dubbo3 => "3.3.6",
            Self::Dubbo27 => "2.7.23",
            Self::Dubbo26 => "2.6.12",
            Self::Go => "3.3.1",
        }
    }

    fn command(self) -> Command {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop");
        let built = match self {
            Self::Go => folder.join("dubbo-go/target/dubbo-interop"),
            java => folder.join("dubbo-java/target").join(java.name()).join("dubbo-interop.jar"),
        };
        assert!(built.exists(), "{} does not exist: `make interop` makes it", built.display());
        if self == Self::Go {
            return Command::new(built);
        }
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-jar"]).arg(built);
        command
    }
}

/// Why a scenario fails even without a proxy between the two; `None`: it goes well.
pub fn is_beyond(consumer: Library, provider: Library, scenario: &str) -> Option<&'static str> {
    use Library::{Dubbo3, Dubbo26, Dubbo27, Go};
    match (consumer, provider, scenario) {
        (Go, _, "sample" | "future" | "generic-async" | "callback") | (_, Go, "callback") => {
            Some("dubbo-go has no such thing")
        }
        (Dubbo26, _, "future" | "generic-async") | (_, Dubbo26, "future" | "generic-async") => {
            Some("methods with futures, and $invokeAsync, are younger than Dubbo 2.6")
        }
        (_, Go, "sample" | "future" | "generic-async") => Some("the provider lacks the method"),
        (Dubbo3 | Dubbo27 | Dubbo26, Go, "generic") => Some("dubbo-go does not find an enum by its name"),
        (Dubbo27 | Dubbo26, Go, "map") => {
            Some("dubbo-go gives up on a list whose class was named before it, and closes the connection")
        }
        _ => None,
    }
}

/// A running provider. Killed when dropped.
#[derive(Debug)]
pub struct DubboProvider {
    process: Process,
    address: SocketAddr,
}

impl DubboProvider {
    /// Starts one with this label, and further flags.
    pub async fn start(library: Library, label: &str, flags: &[&str]) -> Self {
        let mut command = library.command();
        command.args(["provider", "--label", label]).args(flags);
        let name = format!("the provider {label} on {}", library.name());
        off_thread(move || {
            let started = Process::start(&name, &mut command, None);
            let mut process = started.unwrap_or_else(|failed| panic!("{failed}"));
            let line = process.line(RUN).unwrap_or_else(|failed| panic!("{failed}"));
            let port = line.strip_prefix("ready ").and_then(|port| port.parse::<u16>().ok());
            let port = port.unwrap_or_else(|| panic!("{name} said {line:?}, not `ready PORT`"));
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

    /// Asks it to end, and waits until it has.
    pub async fn end(mut self) {
        self.terminate();
        let ended = off_thread(move || self.process.wait(RUN)).await;
        ended.unwrap_or_else(|failed| panic!("{failed}"));
    }
}

/// One provider of each library; its name is its label and the group of its `GreetingService`.
pub async fn one_of_each() -> Vec<(Library, DubboProvider)> {
    let start = |library: Library| {
        tokio::spawn(async move {
            let flags = ["--group", library.name(), "--version", library.version()];
            (library, DubboProvider::start(library, library.name(), &flags).await)
        })
    };
    let mut started = Vec::new();
    for starting in Library::ALL.map(start) {
        started.push(starting.await.unwrap_or_else(|error| panic!("a provider did not start: {error}")));
    }
    started
}

/// What a consumer said.
#[derive(Clone, Debug)]
pub struct Consumed {
    library: Library,
    ran: Ran,
}

/// Runs a consumer with these words behind its address.
pub async fn consumer(library: Library, address: SocketAddr, words: &[&str]) -> Consumed {
    let address = address.to_string();
    consume(library, &[&["--address", &address], words].concat()).await
}

/// Runs a consumer with all these words.
pub async fn consume(library: Library, words: &[&str]) -> Consumed {
    let mut command = library.command();
    command.arg("consumer").args(words);
    Consumed { library, ran: off_thread(move || command::run(command, RUN)).await }
}

impl Consumed {
    /// The scenarios that went well; fails if one did not.
    pub fn ok(&self) -> Vec<&str> {
        let Ran { code, stdout, stderr } = &self.ran;
        let name = self.library.name();
        assert_eq!(*code, Some(0), "the consumer on {name} failed:\n{stdout}\n{stderr}");
        stdout.lines().filter_map(|line| line.strip_prefix("ok ")).collect()
    }

    /// Why the scenario of this name failed; `None`: it did not.
    pub fn failed(&self, name: &str) -> Option<&str> {
        let mark = format!("FAIL {name}: ");
        self.ran.stdout.lines().find_map(|line| line.strip_prefix(&mark))
    }

    /// What it printed as JSON under this name, in order.
    pub fn told(&self, name: &str) -> Vec<Value> {
        self.ran.stdout.lines().filter_map(|line| under(name, line)).collect()
    }
}

fn under(name: &str, line: &str) -> Option<Value> {
    serde_json::from_str::<Value>(line).ok()?.get(name).cloned()
}

/// A consumer that calls until it is told to stop. Killed when dropped.
#[derive(Debug)]
pub struct Load {
    library: Library,
    process: Process,
}

impl Load {
    /// Starts one against this address, with these words behind the scenario `load`, and waits until it calls.
    pub async fn start(library: Library, address: SocketAddr, words: &[&str]) -> Self {
        let mut command = library.command();
        command.args(["consumer", "--address", &address.to_string(), "--scenario", "load"]).args(words);
        off_thread(move || {
            let started = Process::start(&format!("load from {}", library.name()), &mut command, None);
            let mut process = started.unwrap_or_else(|failed| panic!("{failed}"));
            let line = process.line(RUN).unwrap_or_else(|failed| panic!("{failed}"));
            assert_eq!(under("load", &line), Some("running".into()), "{} said {line:?}", library.name());
            Self { library, process }
        })
        .await
    }

    /// Stops it: how many calls each label answered, and what failed.
    pub async fn stop(mut self) -> Loaded {
        off_thread(move || {
            self.process.close_input();
            let line = self.process.line(RUN).unwrap_or_else(|failed| panic!("{failed}"));
            let told = under("load", &line);
            let told = told.unwrap_or_else(|| panic!("{} said {line:?} at its end", self.library.name()));
            let by = told["by"].as_object().into_iter().flatten();
            Loaded {
                by: by.filter_map(|(label, count)| Some((label.clone(), count.as_u64()?))).collect(),
                failed: told["failed"].as_u64().unwrap_or(u64::MAX),
                failures: told["failures"].clone(),
            }
        })
        .await
    }
}

/// What became of the calls of a [`Load`].
#[derive(Clone, Debug)]
pub struct Loaded {
    /// How many each label answered.
    pub by: Vec<(String, u64)>,
    /// How many failed.
    pub failed: u64,
    /// The first of these.
    pub failures: Value,
}
