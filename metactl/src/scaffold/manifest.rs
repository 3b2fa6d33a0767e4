//! The manifests of a new codec: a workspace of its own, with the codec and a proxy that knows it.

use std::path::Path;

use super::name::Name;

/// The folder's manifests and what is not to be kept of it.
pub(super) fn all(name: &Name, checkout: &Path) -> impl Iterator<Item = (&'static str, String)> {
    [
        ("Cargo.toml", codec(name, checkout)),
        ("proxy/Cargo.toml", proxy(name, checkout)),
        (".gitignore", ignored()),
    ]
    .into_iter()
}

fn codec(name: &Name, checkout: &Path) -> String {
    format!(
        r#"[package]
name = "{package}"
version = "0.1.0"
edition = "2024"
rust-version = "{rust}"
publish = false

[workspace]
members = ["proxy"]

[dependencies]
codec-api = {{ path = {api} }}

[dev-dependencies]
allocation-counter = "0.8.1"
codec-api = {{ path = {api}, features = ["laws"] }}
"#,
        package = name.package(),
        rust = env!("CARGO_PKG_RUST_VERSION"),
        api = quoted(&checkout.join("codecs/api")),
    )
}

fn proxy(name: &Name, checkout: &Path) -> String {
    format!(
        r#"[package]
name = "{proxy}"
version = "0.1.0"
edition = "2024"
rust-version = "{rust}"
publish = false

[dependencies]
{package} = {{ path = ".." }}
metactl = {{ path = {metactl} }}

[dev-dependencies]
tempfile = "3"
"#,
        proxy = name.proxy(),
        package = name.package(),
        rust = env!("CARGO_PKG_RUST_VERSION"),
        metactl = quoted(&checkout.join("metactl")),
    )
}

fn ignored() -> String {
    "/target\n/fuzz-failures\n".to_owned()
}

/// A path as TOML writes a text: quotes and backslashes are escaped as in Rust.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}
