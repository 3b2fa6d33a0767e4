//! Writes our custom resource definitions into a folder, or to standard output where none is named.

use std::io::Write;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    for definition in crds::definitions() {
        match &folder {
            Some(folder) => std::fs::write(folder.join(definition.file_name()), definition.yaml())?,
            None => write!(std::io::stdout(), "---\n{}", definition.yaml())?,
        }
    }
    Ok(())
}
