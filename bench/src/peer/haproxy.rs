//! haproxy as a proxy that copies bytes, from the system's package.

use super::free_address;
use super::package::installed_as;
use crate::template::fill;
use anyhow::Context;
use peers::process::Process;
use std::net::SocketAddr;
use std::process::Command;
use tempfile::TempDir;

const TEMPLATE: &str = include_str!("../../peers/haproxy-tcp.cfg");

/// Version of the installed haproxy, such as `2.6.12`. Installs it by apt-get where that can be done; `None`, and a
/// line that says so, where it cannot.
pub fn installed() -> Option<String> {
    installed_as("haproxy", version)
}

fn version() -> Option<String> {
    let output = Command::new("haproxy").arg("-v").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.split_whitespace().nth(2)?.split('-').next()?.to_owned())
}

/// Starts it; where it will listen, and the folder of its configuration, which must outlive it.
pub fn start(
    backend: SocketAddr,
    workers: usize,
    connections: u64,
) -> anyhow::Result<(Process, SocketAddr, TempDir)> {
    let listen = free_address()?;
    let folder = tempfile::tempdir().context("cannot make a folder for haproxy's configuration")?;
    let path = folder.path().join("haproxy.cfg");
    let values = [
        ("threads", workers.to_string()),
        ("connections", connections.to_string()),
        ("listen", listen.to_string()),
        ("backend", backend.to_string()),
    ];
    std::fs::write(&path, fill(TEMPLATE, &values.each_ref().map(|(name, value)| (*name, &**value)))?)?;
    let mut command = Command::new("haproxy");
    let process = Process::start("haproxy", command.arg("-db").arg("-f").arg(&path), None)?;
    Ok((process, listen, folder))
}
