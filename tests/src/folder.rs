//! The folder of objects that `metactl` follows, and beside it the files that it writes.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder of YAML in a temporary folder.
#[derive(Debug)]
pub struct Folder {
    parent: TempDir,
    path: PathBuf,
}

impl Folder {
    /// An empty one.
    pub fn new() -> Self {
        let parent = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let path = parent.path().join("objects");
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { parent, path }
    }

    /// What `metactl` is told to follow.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its log goes.
    pub fn log(&self) -> PathBuf {
        self.parent.path().join("metactl.log")
    }

    /// Another file beside the folder.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.parent.path().join(name)
    }

    /// Where its access log goes.
    pub fn access_log(&self) -> PathBuf {
        self.parent.path().join("access.log")
    }

    /// Writes an object, or any text, into `NAME.yaml`, as an editor does that writes into the file itself.
    pub fn put(&self, name: &str, object: impl Display) {
        let path = self.file(name);
        fs::write(&path, object.to_string()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Removes `NAME.yaml`.
    pub fn delete(&self, name: &str) {
        let path = self.file(name);
        fs::remove_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Where `NAME.yaml` is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.yaml"))
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}
