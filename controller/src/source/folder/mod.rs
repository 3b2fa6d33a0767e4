//! Objects from files and folders.
//!
//! [`files`](self) is the pure part: what the files say, given their bytes. `scan` reads the bytes, `watch` does so
//! whenever something changed. A file that is not YAML keeps saying what it said before; a file that is gone says
//! nothing. What is wrong inside of one object is that object's matter, not the file's.

mod files;
mod scan;
mod watch;

use std::path::PathBuf;

pub use watch::Folder;

use self::files::Files;
use self::scan::Root;
use super::Batch;
use crate::Error;

/// What the files say now. Folders are read recursively (`*.yaml`, `*.yml`, `*.json`, nothing that is hidden); a file
/// that is named is read whatever it is called.
pub fn read_once(paths: &[PathBuf]) -> Result<Batch, Error> {
    let roots = Root::all(paths)?;
    let mut files = Files::default();
    files.update(scan::scan(&roots));
    Ok(files.batch())
}
