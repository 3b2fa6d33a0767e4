//! The processes of a comparison: the echo server, the floors, our own proxy, and others.
//!
//! Each is started before the first round and lives until the last, so that rounds can be interleaved.

use crate::conversation::first_answer;
use crate::peer::envoy::Envoy;
use crate::peer::{haproxy, twemproxy};
use crate::protocol::{Body, Folder, Protocol, Routes};
use anyhow::{Context, ensure};
use peers::load::Workload;
use peers::process::{Metactl, Process};
use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a process of this program may take to listen.
const START: Duration = Duration::from_secs(10);
/// Bytes of payload of the first call.
const PAYLOAD: usize = 100;

/// What all proxies of a comparison have in common.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// What they speak.
    pub protocol: &'static dyn Protocol,
    /// Where calls are answered.
    pub backend: SocketAddr,
    /// What they route.
    pub routes: Routes,
    /// How many workers they have.
    pub workers: usize,
}

/// Who is measured.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Our proxy: its command line tool, and further flags for `metactl run`.
    Ours(PathBuf, Vec<String>),
    /// Our proxy under a further setting of the protocol, which is its name in tables.
    OursWith(PathBuf, &'static str),
    /// Envoy.
    Envoy(Envoy),
    /// haproxy copying bytes; the most connections that it may have.
    Haproxy(u64),
    /// twemproxy, which has one worker.
    Twemproxy,
    /// The floor that shares one upstream connection.
    SharedFloor,
    /// The floor that copies bytes.
    BytesFloor,
}

impl Kind {
    /// The name in tables.
    pub fn name(&self) -> &str {
        match self {
            Kind::Ours(_, flags) if flags.iter().any(|flag| flag == "--access-log") => "ours, access log",
            Kind::Ours(..) => "ours",
            Kind::OursWith(_, setting) => setting,
            Kind::Envoy(envoy) => &envoy.name,
            Kind::Haproxy(_) => "haproxy tcp",
            Kind::Twemproxy => "twemproxy",
            Kind::SharedFloor => "muxfloor",
            Kind::BytesFloor => "l4floor",
        }
    }

    /// Starts it, and waits until it has answered a call.
    pub fn start(&self, scene: &Scene) -> anyhow::Result<Contender> {
        let began = Instant::now();
        let (process, address, folder) = match self {
            Kind::Ours(metactl, flags) => {
                ours(metactl, flags, scene, &scene.protocol.ours(scene.routes, scene.backend)?)?
            }
            Kind::OursWith(metactl, setting) => {
                ours(metactl, &[], scene, &scene.protocol.ours_with(setting, scene.routes, scene.backend)?)?
            }
            Kind::Envoy(envoy) => {
                let (process, address, folder) =
                    envoy.start(scene.protocol, scene.backend, scene.routes, scene.workers)?;
                (process, address, Some(folder))
            }
            Kind::Haproxy(connections) => {
                let (process, address, folder) = haproxy::start(scene.backend, scene.workers, *connections)?;
                (process, address, Some(folder))
            }
            Kind::Twemproxy => {
                let (process, address, folder) = twemproxy::start(scene.backend)?;
                (process, address, Some(folder))
            }
            Kind::SharedFloor => own("floor", scene.protocol, Some(scene.backend))?,
            Kind::BytesFloor => own("bytes", scene.protocol, Some(scene.backend))?,
        };
        let mut contender = Contender {
            name: self.name().to_owned(),
            address,
            started_in: Duration::ZERO,
            scene: *scene,
            process,
            _folder: folder,
        };
        let answered =
            first_answer(address, &mut *contender.workload(Body { payload: PAYLOAD, object: false }));
        contender.started_in = began.elapsed();
        answered.with_context(|| {
            let words = contender.process.last_words().pop().unwrap_or_default();
            format!("{} does not answer; its last words were: `{words:.300}`", contender.name)
        })?;
        Ok(contender)
    }
}

/// A process that answers at an address.
#[derive(Debug)]
pub struct Contender {
    /// Its name in tables.
    pub name: String,
    /// Where it accepts calls.
    pub address: SocketAddr,
    /// From its start to its first answer.
    pub started_in: Duration,
    scene: Scene,
    process: Process,
    _folder: Option<TempDir>,
}

impl Contender {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Requests that it routes.
    pub fn workload(&self, body: Body) -> Box<dyn Workload> {
        self.scene.protocol.workload(self.scene.routes, body)
    }
}

/// The server behind all proxies.
#[derive(Debug)]
pub struct Echo {
    /// Where it answers.
    pub address: SocketAddr,
    _process: Box<dyn Debug>,
}

impl Echo {
    /// Starts it.
    pub fn start(protocol: &dyn Protocol) -> anyhow::Result<Self> {
        let (process, address, _) = own("echo", protocol, None)?;
        Ok(Echo { address, _process: Box::new(process) })
    }

    /// Starts the server that the protocol is named after in its place, with what loads of this payload ask for.
    pub fn real(protocol: &dyn Protocol, payload: usize) -> anyhow::Result<Self> {
        let backend = protocol.real_server(payload)?;
        Ok(Echo { address: backend.address, _process: backend.process })
    }
}

type Started = (Process, SocketAddr, Option<TempDir>);

fn ours(
    metactl: &std::path::Path,
    flags: &[String],
    scene: &Scene,
    wanted: &Folder,
) -> anyhow::Result<Started> {
    let folder = tempfile::tempdir().context("cannot make a folder for the configuration")?;
    for (name, text) in &wanted.files {
        std::fs::write(folder.path().join(name), text)?;
    }
    let metactl = Metactl {
        binary: metactl.to_owned(),
        paths: vec![folder.path().to_owned()],
        services: vec![wanted.service.to_owned()],
        concurrency: Some(scene.workers),
        flags: flags.to_vec(),
        ..Metactl::default()
    };
    let proxy = metactl.start()?;
    let address = proxy.address(wanted.service)?;
    Ok((proxy.process, address, Some(folder)))
}

/// This program under another subcommand; it says where it listens in its first line.
fn own(name: &str, protocol: &dyn Protocol, backend: Option<SocketAddr>) -> anyhow::Result<Started> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let mut command = Command::new(program);
    command.args([name, "--protocol", protocol.name()]);
    if let Some(backend) = backend {
        command.args(["--backend", &backend.to_string()]);
    }
    let mut process = Process::start(name, &mut command, None)?;
    let line = process.line(START)?;
    let address = line.strip_prefix("listening ").and_then(|address| address.parse().ok());
    let address = address.with_context(|| format!("{name} said `{line}`, not where it listens"))?;
    Ok((process, address, None))
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
