//! Reads the files below some paths, all of them each time: simple, and right whatever an editor did.
//!
//! Bounded in depth, number and size. Names that begin with a dot are left out: editors' own files, and the folders
//! behind a mounted `ConfigMap`, whose files are seen through their links.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::files::Scan;
use crate::Error;

/// Folders inside of folders, at most.
const MAX_DEPTH: usize = 32;

/// Files, at most.
const MAX_FILES: usize = 100_000;

/// Size of a file, at most.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What files in folders are called.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// A path that the user named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) path: PathBuf,
    pub(super) is_folder: bool,
}

impl Root {
    /// All paths, which must exist.
    pub(super) fn all(paths: &[PathBuf]) -> Result<Vec<Self>, Error> {
        if paths.is_empty() {
            return Err(Error::NoPaths);
        }
        paths
            .iter()
            .map(|path| match fs::metadata(path) {
                Ok(metadata) => Ok(Self { path: path.clone(), is_folder: metadata.is_dir() }),
                Err(reason) => Err(Error::Path { path: path.clone(), reason }),
            })
            .collect()
    }
}

/// Reads everything.
pub(super) fn scan(roots: &[Root]) -> Scan {
    let mut walk = Walk::default();
    for root in roots {
        if root.is_folder {
            walk.folder(&root.path, 0);
        } else {
            walk.file(&root.path);
        }
    }
    walk.scan
}

#[derive(Default)]
struct Walk {
    scan: Scan,
    /// Real paths of what was seen: a file that is reached twice is read once, and links cannot lead in a circle.
    seen: BTreeSet<PathBuf>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, depth: usize) {
        if depth > MAX_DEPTH {
            let reason = format!("folders are read {MAX_DEPTH} deep at most");
            self.scan.unreachable.push((folder.to_owned(), reason));
            return;
        }
        let entries = match fs::canonicalize(folder).and_then(|real| Ok((real, fs::read_dir(folder)?))) {
            Ok((real, entries)) if self.seen.insert(real.clone()) => entries,
            Ok(_) => return,
            // Inside of a folder, gone is deleted; a folder that the user named is expected to be there.
            Err(error) if error.kind() == io::ErrorKind::NotFound && depth > 0 => return,
            Err(error) => return self.scan.unreachable.push((folder.to_owned(), error.to_string())),
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => paths.push(entry.path()),
                Err(error) => self.scan.unreachable.push((folder.to_owned(), error.to_string())),
            }
        }
        // In order, so that what is reached twice always has the same name.
        paths.sort();
        for path in paths {
            self.entry(&path, depth);
        }
    }

    fn entry(&mut self, path: &Path, depth: usize) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            return;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.folder(path, depth + 1),
            // Pipes and devices are no files: opening one may wait forever.
            Ok(metadata) if !metadata.is_file() => {}
            _ if path.extension().is_some_and(|found| EXTENSIONS.iter().any(|known| found == *known)) => {
                self.file(path);
            }
            _ => {}
        }
    }

    fn file(&mut self, path: &Path) {
        let bytes = match fs::canonicalize(path) {
            Ok(real) if !self.seen.insert(real.clone()) => return,
            Ok(_) if self.scan.files.len() >= MAX_FILES => {
                Err(format!("more than {MAX_FILES} files; this one is not read"))
            }
            Ok(_) => read(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => Err(error.to_string()),
        };
        self.scan.files.insert(path.to_owned(), bytes);
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("larger than {} MiB, the most that is read", MAX_BYTES >> 20));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_folders_are_found_by_their_extension_and_hidden_ones_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("deep/er")).unwrap();
        fs::create_dir_all(at("..data")).unwrap();
        for name in ["a.yaml", "deep/er/b.yml", "c.json", "d.txt", ".e.yaml", "..data/f.yaml"] {
            fs::write(at(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(at("deep"), at("circle")).unwrap();
        let roots = Root::all(&[folder.path().to_owned(), at("d.txt"), at("a.yaml")]).unwrap();
        let found: Vec<PathBuf> =
            scan(&roots).files.into_keys().map(|path| path.canonicalize().unwrap()).collect();
        let real = |name: &str| at(name).canonicalize().unwrap();
        assert_eq!(found.len(), 4, "{found:?}");
        for name in ["a.yaml", "c.json", "d.txt", "deep/er/b.yml"] {
            assert!(found.contains(&real(name)), "{name}");
        }
    }

    #[test]
    fn a_path_that_does_not_exist_is_an_error_at_start() {
        let error = Root::all(&["/does/not/exist".into()]).unwrap_err();
        assert!(error.to_string().starts_with("/does/not/exist: "), "{error}");
        assert!(Root::all(&[]).unwrap_err().to_string().contains("no path"));
    }

    #[test]
    fn a_named_folder_that_is_gone_is_unreachable_and_a_named_file_is_gone() {
        let roots = [
            Root { path: "/does/not/exist".into(), is_folder: true },
            Root { path: "/nor/does/this.yaml".into(), is_folder: false },
        ];
        let scan = scan(&roots);
        assert_eq!(scan.unreachable[0].0, Path::new("/does/not/exist"));
        assert!(scan.files.is_empty());
    }
}
