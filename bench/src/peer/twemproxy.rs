//! twemproxy (the program `nutcracker`), from the system's package.

use super::free_address;
use super::package::installed_as;
use crate::template::fill;
use anyhow::Context;
use peers::process::Process;
use std::net::SocketAddr;
use std::process::Command;
use tempfile::TempDir;

const TEMPLATE: &str = include_str!("../../peers/twemproxy.yaml");
/// The program.
const PROGRAM: &str = "nutcracker";
/// Bytes of each of its buffers.
const BUFFER: &str = "2048";

/// Version of the installed twemproxy, such as `0.5.0`. Installs it by apt-get where that can be done; `None`, and a line
/// that says so, where it cannot.
pub fn installed() -> Option<String> {
    installed_as(PROGRAM, version)
}

fn version() -> Option<String> {
    let output = Command::new(PROGRAM).arg("-V").output().ok()?;
    // It says so on standard error.
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(text.lines().next()?.strip_prefix("This is nutcracker-")?.to_owned())
}

/// Starts it; where it will listen, and the folder of its configuration, which must outlive it.
pub fn start(backend: SocketAddr) -> anyhow::Result<(Process, SocketAddr, TempDir)> {
    // It insists on a port for its statistics.
    let (listen, statistics) = (free_address()?, free_address()?);
    let folder = tempfile::tempdir().context("cannot make a folder for twemproxy's configuration")?;
    let path = folder.path().join("twemproxy.yaml");
    let values = [("listen", listen.to_string()), ("backend", backend.to_string())];
    std::fs::write(&path, fill(TEMPLATE, &values.each_ref().map(|(name, value)| (*name, &**value)))?)?;
    let mut command = Command::new(PROGRAM);
    command.arg("--conf-file").arg(&path).args(["--mbuf-size", BUFFER]);
    command.args([
        "--stats-addr",
        &statistics.ip().to_string(),
        "--stats-port",
        &statistics.port().to_string(),
    ]);
    command.arg("--output").arg(folder.path().join("log")).arg("--pid-file").arg(folder.path().join("pid"));
    Ok((Process::start("twemproxy", &mut command, None)?, listen, folder))
}
