//! `metactl codec new`: begins a codec, as a crate that compiles, keeps the laws, and runs behind a proxy of its own.
//!
//! What is written is `examples/tiny` under another name, so that the workspace's own tests compile and run it. Only
//! the manifests differ: those of the example belong to this workspace.

mod manifest;
mod name;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use meta_proxy::xds::Codecs;

use crate::cli::NewCodec;
use name::Name;

/// The sources, by their places in the new folder.
const SOURCES: [(&str, &str); 10] = [
    ("src/lib.rs", include_str!("../../../examples/tiny/src/lib.rs")),
    ("src/codec.rs", include_str!("../../../examples/tiny/src/codec.rs")),
    ("src/frame.rs", include_str!("../../../examples/tiny/src/frame.rs")),
    ("tests/laws.rs", include_str!("../../../examples/tiny/tests/laws.rs")),
    ("examples/fuzz.rs", include_str!("../../../examples/tiny/examples/fuzz.rs")),
    ("proxy/src/main.rs", include_str!("../../../examples/tiny/proxy/src/main.rs")),
    ("proxy/tests/run.rs", include_str!("../../../examples/tiny/proxy/tests/run.rs")),
    (
        "services/application-protocol.yaml",
        include_str!("../../../examples/tiny/services/application-protocol.yaml"),
    ),
    ("services/service-entry.yaml", include_str!("../../../examples/tiny/services/service-entry.yaml")),
    ("services/metarouter.yaml", include_str!("../../../examples/tiny/services/metarouter.yaml")),
];
/// The recorded messages.
const VECTORS: [(&str, &[u8]); 6] = [
    ("vectors/request-get.bin", include_bytes!("../../../examples/tiny/vectors/request-get.bin")),
    ("vectors/response-get.bin", include_bytes!("../../../examples/tiny/vectors/response-get.bin")),
    ("vectors/request-put.bin", include_bytes!("../../../examples/tiny/vectors/request-put.bin")),
    ("vectors/response-put.bin", include_bytes!("../../../examples/tiny/vectors/response-put.bin")),
    ("vectors/oneway-note.bin", include_bytes!("../../../examples/tiny/vectors/oneway-note.bin")),
    ("vectors/ping.bin", include_bytes!("../../../examples/tiny/vectors/ping.bin")),
];
/// What a checkout of this project has, and nothing else.
const MARK: &str = "codecs/api/Cargo.toml";

/// Writes the crate and tells what to do with it.
pub fn new(new: &NewCodec, codecs: &Codecs) -> Result<ExitCode, String> {
    let name = Name::parse(&new.name, &codecs.names().collect::<Vec<_>>())?;
    let checkout = checkout(new.api.as_deref())?;
    let folder = new.path.clone().unwrap_or_else(|| PathBuf::from(name.package()));
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        return Err(format!("{} exists: name another folder by --path", folder.display()));
    }
    let sources = SOURCES.iter().map(|(place, text)| (*place, name.rename(text).into_bytes()));
    let vectors = VECTORS.iter().map(|(place, bytes)| (*place, bytes.to_vec()));
    let manifests = manifest::all(&name, &checkout).map(|(place, text)| (place, text.into_bytes()));
    for (place, bytes) in sources.chain(vectors).chain(manifests) {
        write(&folder.join(place), &bytes)?;
    }
    println!("{}", farewell(&name, &folder));
    Ok(ExitCode::SUCCESS)
}

/// The checkout of this project that the new crate is to depend on.
fn checkout(named: Option<&Path>) -> Result<PathBuf, String> {
    let found = if let Some(path) = named {
        path.to_owned()
    } else {
        let here = std::env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
        let above = here.ancestors().find(|folder| folder.join(MARK).is_file()).map(Path::to_owned);
        above.ok_or_else(|| {
            "no checkout of this project here or above: name one by --api, for the new crate depends on its \
             codecs/api, and its proxy on its metactl"
                .to_owned()
        })?
    };
    let path = found.canonicalize().map_err(|error| format!("--api {}: {error}", found.display()))?;
    if path.join(MARK).is_file() {
        return Ok(path);
    }
    Err(format!("--api {}: no checkout of this project, for it has no {MARK}", found.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let wrong = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => format!("{} exists and is left as it is", path.display()),
        _ => format!("{}: {error}", path.display()),
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(wrong)?;
    }
    let mut file = std::fs::File::create_new(path).map_err(wrong)?;
    std::io::Write::write_all(&mut file, bytes).map_err(wrong)
}

/// What is there, and which line registers it.
fn farewell(name: &Name, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "{folder} has a codec of a small protocol, {protocol}, to be changed into yours:
  src/frame.rs      how a message stands in bytes
  src/codec.rs      bytes to messages and back, local replies
  src/lib.rs        its name, properties, options
  tests/laws.rs     the laws of all codecs, over the messages in vectors/
  proxy/            a metactl that knows it; services/ has objects to run it with

  cd {folder}
  cargo test                                               its laws
  cargo run --release --example fuzz -- --seconds 60       mutated messages
  cargo run -p {proxy} -- run services                  a proxy

The line that registers it, in proxy/src/main.rs or in a main.rs of yours:
  metactl::main(vec![std::sync::Arc::new({krate}::{kind})])",
        protocol = name.protocol(),
        proxy = name.proxy(),
        krate = name.krate(),
        kind = name.kind(),
    )
}
