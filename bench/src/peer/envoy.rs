//! Envoy, from the Python package that ships its binary.

use super::free_address;
use crate::protocol::{Place, Protocol, Routes};
use anyhow::Context;
use peers::process::Process;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub use peers::process::ENVOY_VERSION as VERSION;

/// An Envoy to be measured.
#[derive(Clone, Debug)]
pub struct Envoy {
    /// Its name in tables.
    pub name: String,
    /// The binary.
    pub binary: PathBuf,
    /// Another template than the committed one.
    pub template: Option<String>,
}

impl Envoy {
    /// The best one that we know, installed if it is not.
    pub fn installed() -> anyhow::Result<Self> {
        Ok(Envoy { name: "Envoy".to_owned(), binary: peers::process::envoy()?, template: None })
    }

    /// The same binary under another template; named after its file.
    #[must_use = "it is another one"]
    pub fn with_template(&self, path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Envoy { name, template: Some(text), ..self.clone() })
    }

    /// The same binary under each further template that the protocol brings.
    #[must_use = "they are others"]
    pub fn with_templates_of(&self, protocol: &dyn Protocol) -> Vec<Self> {
        let named = |(name, text): (&str, String)| Envoy {
            name: name.to_owned(),
            template: Some(text),
            ..self.clone()
        };
        protocol.envoys().into_iter().map(named).collect()
    }

    /// Starts it; where it will listen, and the folder of its configuration, which must outlive it.
    pub fn start(
        &self,
        protocol: &dyn Protocol,
        backend: SocketAddr,
        routes: Routes,
        workers: usize,
    ) -> anyhow::Result<(Process, SocketAddr, TempDir)> {
        let listen = free_address()?;
        let folder = tempfile::tempdir().context("cannot make a folder for Envoy's configuration")?;
        let path = folder.path().join("envoy.yaml");
        let place = Place { listen, backend, routes };
        fs::write(&path, protocol.envoy(self.template.as_deref(), &place)?)?;
        let mut command = Command::new(&self.binary);
        command.arg("--config-path").arg(&path).args(["--concurrency", &workers.to_string()]);
        command.args(["--disable-hot-restart", "--log-level", "error"]);
        Ok((Process::start(&self.name, &mut command, None)?, listen, folder))
    }
}
