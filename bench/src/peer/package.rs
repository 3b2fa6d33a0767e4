//! Peers that the system's package manager has.

use nix::unistd::Uid;
use std::process::Command;

/// What `version` says, once this package is installed: by apt-get where that can be done. `None`, and a line on standard
/// error that says so, where it cannot.
pub(super) fn installed_as(package: &str, version: fn() -> Option<String>) -> Option<String> {
    if let Some(version) = version() {
        return Some(version);
    }
    if Uid::effective().is_root() {
        eprintln!("installing {package} by apt-get");
        let mut command = Command::new("apt-get");
        command.args(["install", "-q", "-y", "--no-install-recommends", package]);
        // Runlevel 1, so that no service is started.
        command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
        // Whether it worked is seen below.
        let _ = command.output();
    }
    let version = version();
    if version.is_none() {
        eprintln!("{package} is left out: it is not installed, and apt-get as this user cannot change that");
    }
    version
}
