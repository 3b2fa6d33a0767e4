//! Other people's Redis clients: libraries in Python, Node, Go and Java from `tests/interop/redis-*`, and the programs
//! that come with the server.
//!
//! A library runs named scenarios against an address; what it does to set a connection up is left as its authors have
//! it. What it says of a server must be what it says of a proxy before that server.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command::{self, Ran};
use crate::eventually::off_thread;

/// How long a program may take for all that it was asked for.
const RUN: Duration = Duration::from_mins(2);

/// A library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// redis-py, for Python.
    RedisPy,
    /// ioredis, for Node.
    Ioredis,
    /// node-redis, for Node.
    NodeRedis,
    /// go-redis, for Go.
    GoRedis,
    /// Jedis, for Java.
    Jedis,
    /// Lettuce, for Java.
    Lettuce,
}

impl Library {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::RedisPy, Self::Ioredis, Self::NodeRedis, Self::GoRedis, Self::Jedis, Self::Lettuce];

    /// Its name, which begins its keys too.
    pub fn name(self) -> &'static str {
        match self {
            Self::RedisPy => "redis-py",
            Self::Ioredis => "ioredis",
            Self::NodeRedis => "node-redis",
            Self::GoRedis => "go-redis",
            Self::Jedis => "jedis",
            Self::Lettuce => "lettuce",
        }
    }

    fn command(self) -> Command {
        let (folder, built) = match self {
            Self::RedisPy => ("redis-python", "target/venv/bin/redis-installed"),
            Self::Ioredis | Self::NodeRedis => ("redis-node", "node_modules/.package-lock.json"),
            Self::GoRedis => ("redis-go", "target/redis-interop"),
            Self::Jedis | Self::Lettuce => ("redis-java", "target/redis-interop.jar"),
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop").join(folder);
        let built = folder.join(built);
        assert!(built.exists(), "{} does not exist: `make interop` makes it", built.display());
        let (program, words): (PathBuf, &[&str]) = match self {
            Self::RedisPy => (folder.join("target/venv/bin/python"), &["main.py"]),
            Self::Ioredis | Self::NodeRedis => ("node".into(), &["main.js", self.name()]),
            Self::GoRedis => (built, &[]),
            Self::Jedis | Self::Lettuce => (
                "java".into(),
                &[
                    "-XX:TieredStopAtLevel=1",
                    "-XX:+UseSerialGC",
                    "-jar",
                    "target/redis-interop.jar",
                    self.name(),
                ],
            ),
        };
        let mut command = Command::new(program);
        command.args(words).current_dir(folder);
        command
    }
}

/// What a library is told.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Where the server is, or the proxy.
    pub address: SocketAddr,
    /// Begins all keys, channels and names.
    pub prefix: &'a str,
    /// The version of the protocol; the library decides if there is none.
    pub protocol: Option<u8>,
    /// `NAME:PASSWORD` of the user that logs in where logging in is tried.
    pub user: &'a str,
}

/// Runs all scenarios that a library has, and tells the lines that it printed: `ok NAME`, or `failed NAME: WHY`.
pub async fn run(library: Library, told: Told<'_>) -> Vec<String> {
    let mut command = library.command();
    command.arg(told.address.to_string()).args(["--prefix", told.prefix, "--user", told.user]);
    if let Some(protocol) = told.protocol {
        command.args(["--resp", &protocol.to_string()]);
    }
    let Ran { code, stdout, stderr } = off_thread(move || command::run(command, RUN)).await;
    let lines: Vec<_> = stdout.lines().map(str::to_owned).collect();
    let has_failed = lines.iter().any(|line| line.starts_with("failed "));
    assert_eq!(code, Some(has_failed.into()), "{} ended so:\n{stdout}\n{stderr}", library.name());
    lines
}

/// Runs a program that comes with the server, `redis-cli` or `redis-benchmark`, with `input` as its standard input.
pub async fn program<A: AsRef<OsStr>>(name: &str, at: SocketAddr, words: &[A], input: &str) -> Ran {
    let mut command = Command::new(name);
    command.args(["-h", &at.ip().to_string(), "-p", &at.port().to_string()]).args(words);
    let input = input.to_owned();
    off_thread(move || command::run_with(command, &input, RUN)).await
}
