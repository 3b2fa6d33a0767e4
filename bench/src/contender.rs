//! The processes of a comparison: the echo server, the floor, and our own proxy.
//!
//! Each is started before the first round and lives until the last, so that rounds can be interleaved.

use anyhow::{Context, ensure};
use peers::process::{Metactl, Process};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The measured interface and method.
pub const INTERFACE: &str = "com.example.bench.EchoService";
/// The method that the route names.
pub const METHOD: &str = "echo";

const SERVICE: &str = "echo.bench.example:20880";
const SERVICE_ENTRY: &str = include_str!("../config/service-entry.yaml");
const META_ROUTER: &str = include_str!("../config/metarouter.yaml");
/// The endpoint's port in config/service-entry.yaml.
const PORT: &str = "tcp-metaprotocol-dubbo: 21880";
/// How long a process may take to listen.
const START: Duration = Duration::from_secs(10);

/// A process that answers at an address.
#[derive(Debug)]
pub struct Contender {
    /// Its name in the table.
    pub name: &'static str,
    /// Where it accepts calls.
    pub address: SocketAddr,
    process: Process,
    _folder: Option<TempDir>,
}

impl Contender {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The echo server.
    pub fn echo() -> anyhow::Result<Self> {
        Self::own("echo", &[])
    }

    /// The floor before this backend.
    pub fn floor(backend: SocketAddr) -> anyhow::Result<Self> {
        Self::own("floor", &["--backend".to_owned(), backend.to_string()])
    }

    /// Our proxy before this backend, with one worker and one route by method; `flags` are added to `metactl run`.
    pub fn ours(metactl: &Path, backend: SocketAddr, flags: &[String]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder for the configuration")?;
        ensure!(
            SERVICE_ENTRY.matches(PORT).count() == 1,
            "config/service-entry.yaml names `{PORT}` other than once"
        );
        let entry = SERVICE_ENTRY.replace(PORT, &format!("tcp-metaprotocol-dubbo: {}", backend.port()));
        std::fs::write(folder.path().join("service-entry.yaml"), entry)?;
        std::fs::write(folder.path().join("metarouter.yaml"), META_ROUTER)?;
        let metactl = Metactl {
            binary: metactl.to_owned(),
            paths: vec![folder.path().to_owned()],
            services: vec![SERVICE.to_owned()],
            concurrency: Some(1),
            flags: flags.to_vec(),
            ..Metactl::default()
        };
        let proxy = metactl.start()?;
        let address = proxy.address(SERVICE)?;
        Ok(Contender { name: "ours", address, process: proxy.process, _folder: Some(folder) })
    }

    /// This program under another subcommand; it says where it listens in its first line.
    fn own(name: &'static str, flags: &[String]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program does not know where it is")?;
        let mut process = Process::start(name, Command::new(program).arg(name).args(flags), None)?;
        let line = process.line(START)?;
        let address = line.strip_prefix("listening ").and_then(|address| address.parse().ok());
        let address = address.with_context(|| format!("{name} said `{line}`, not where it listens"))?;
        Ok(Contender { name, address, process, _folder: None })
    }
}

/// `metactl` beside this program.
pub fn metactl_beside() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()
        .context("this program does not know where it is; name metactl by --metactl")?;
    let path = own.with_file_name(format!("metactl{}", std::env::consts::EXE_SUFFIX));
    ensure!(
        path.exists(),
        "{} does not exist: build it (cargo build --release -p metactl) or name another by --metactl",
        path.display()
    );
    Ok(path)
}
