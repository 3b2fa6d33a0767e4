//! The repository's files, with paths as people write them: from its root, with slashes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folders that hold no file of ours.
const FOREIGN: [&str; 2] = ["target", "node_modules"];
/// Folders whose Rust files are written by programs.
const GENERATED: &str = "generated";

/// The repository's root.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("this crate stands in a folder of the repository").to_owned()
}

/// The text of a file, by its path from the root.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| format!("cannot be read: {error}"))
}

/// All files whose name ends in `.extension`, sorted.
pub fn with_extension(extension: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).expect("a folder of the repository can be read");
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !FOREIGN.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|its| its == extension) {
                let path = path.strip_prefix(root()).expect("the walk began at the root");
                found.insert(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found
}

/// All Rust files that people write.
pub fn rust() -> impl Iterator<Item = String> {
    with_extension("rs").into_iter().filter(|path| !path.split('/').any(|part| part == GENERATED))
}
