//! Reads the files again whenever something changed, after a moment of quiet.
//!
//! A thread waits for the operating system's notices, because they come from a thread and reading files blocks. It ends
//! when its [`Folder`] is dropped. What a notice says is not believed beyond "something happened": everything is read.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tracing::{debug, error, warn};

use super::files::Files;
use super::scan::{self, Root};
use crate::Error;
use crate::source::{Batch, Source};
use crate::status::{Severity, Status};

/// How long nothing must happen before files are read (decisions 27): editors write several times for one save.
const QUIET: Duration = Duration::from_millis(50);

/// Then they are read all the same, so that a folder that is always written to is read at all.
const PATIENCE: Duration = Duration::from_millis(500);

/// Files and folders as a source of objects.
#[derive(Debug)]
pub struct Folder {
    batches: mpsc::Receiver<Batch>,
    wake: SyncSender<()>,
    reported: Status,
}

impl Folder {
    /// Starts to watch `paths`, which must exist.
    pub fn watch(paths: &[PathBuf]) -> Result<Self, Error> {
        let roots = Root::all(paths)?;
        let (wake, woken) = sync_channel(1);
        let watcher = Watch::new(roots, wake.clone())?;
        let (batches_in, batches) = mpsc::channel(1);
        thread::Builder::new()
            .name("folder".to_owned())
            .spawn(move || watcher.run(&woken, &batches_in))
            .map_err(Error::Thread)?;
        Ok(Self { batches, wake, reported: Status::default() })
    }
}

impl Source for Folder {
    async fn next(&mut self) -> Option<Batch> {
        self.batches.recv().await
    }

    fn report(&mut self, status: &Status) {
        for diagnostic in status.new_diagnostics(&self.reported) {
            match diagnostic.severity {
                Severity::Error => error!("{diagnostic}"),
                Severity::Warning => warn!("{diagnostic}"),
            }
        }
        for refusal in status.new_refusals(Some(&self.reported)) {
            error!("{refusal}");
        }
        self.reported = status.clone();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.batches.close();
        // Full means that the thread is about to look anyway.
        self.wake.try_send(()).ok();
    }
}

struct Watch {
    roots: Vec<Root>,
    watcher: RecommendedWatcher,
    files: Files,
}

impl Watch {
    fn new(roots: Vec<Root>, wake: SyncSender<()>) -> Result<Self, Error> {
        let filter = Filter::of(&roots);
        let first = roots.first().map(|root| root.path.clone()).unwrap_or_default();
        let on_event = move |event: notify::Result<notify::Event>| {
            if event.as_ref().map_or(true, |event| filter.concerns(event)) {
                // Full means that a look is due already.
                wake.try_send(()).ok();
            }
        };
        let watcher =
            notify::recommended_watcher(on_event).map_err(|reason| Error::Watch { path: first, reason })?;
        let mut watch = Self { roots, watcher, files: Files::default() };
        watch.arm()?;
        Ok(watch)
    }

    /// Asks for notices. A file is watched through its folder, since saving often means replacing it; a folder through
    /// the one above it as well, so that it is noticed when it comes back.
    fn arm(&mut self) -> Result<(), Error> {
        for root in &self.roots {
            let path = absolute(&root.path);
            let above = path.parent().unwrap_or(&path);
            let watch = |watcher: &mut RecommendedWatcher, path: &Path, mode| {
                watcher.watch(path, mode).map_err(|reason| Error::Watch { path: path.to_owned(), reason })
            };
            let watches_above = watch(&mut self.watcher, above, RecursiveMode::NonRecursive);
            if root.is_folder {
                watch(&mut self.watcher, &path, RecursiveMode::Recursive)?;
            } else {
                watches_above?;
            }
        }
        Ok(())
    }

    fn run(mut self, woken: &Receiver<()>, batches: &mpsc::Sender<Batch>) {
        let mut is_first = true;
        loop {
            let changed = self.files.update(scan::scan(&self.roots));
            if (changed || is_first) && batches.blocking_send(self.files.batch()).is_err() {
                return;
            }
            is_first = false;
            if woken.recv().is_err() || batches.is_closed() {
                return;
            }
            wait_for_quiet(woken);
            // A folder that was renamed and came back is not watched any more.
            if let Err(error) = self.arm() {
                debug!("{error}");
            }
        }
    }
}

fn wait_for_quiet(woken: &Receiver<()>) {
    let start = Instant::now();
    while start.elapsed() < PATIENCE && woken.recv_timeout(QUIET) != Err(RecvTimeoutError::Timeout) {}
}

/// Which notices are about our files.
struct Filter {
    folders: Vec<PathBuf>,
    names: Vec<PathBuf>,
}

impl Filter {
    fn of(roots: &[Root]) -> Self {
        let paths = |roots: Vec<&Root>| roots.into_iter().map(|root| absolute(&root.path)).collect();
        Self {
            folders: paths(roots.iter().filter(|root| root.is_folder).collect()),
            names: paths(roots.iter().collect()),
        }
    }

    fn concerns(&self, event: &notify::Event) -> bool {
        let ours = event.paths.is_empty()
            || event.paths.iter().any(|path| {
                self.names.contains(path) || self.folders.iter().any(|folder| path.starts_with(folder))
            });
        ours && (event.need_rescan() || is_finished_change(event.kind, &event.paths))
    }
}

/// Whether a notice says that something is as it is meant to be: writing has ended, or a name has changed. A file that
/// is merely open for writing is half a file.
fn is_finished_change(kind: EventKind, paths: &[PathBuf]) -> bool {
    match kind {
        // A new file is not written yet, unless it is a link, which is finished at once.
        EventKind::Create(CreateKind::File) => paths.iter().any(|path| path.is_symlink()) || !NOTICES_CLOSING,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Remove(_)
        | EventKind::Modify(ModifyKind::Name(_))
        | EventKind::Create(_) => true,
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => !NOTICES_CLOSING,
        _ => false,
    }
}

/// Only Linux says when a file that was written to is closed.
const NOTICES_CLOSING: bool = cfg!(target_os = "linux");

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Long enough for any machine; only a failing test waits this long.
    const LIMIT: Duration = Duration::from_secs(20);

    fn router(name: &str) -> String {
        format!(
            "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nmetadata: {{name: {name}}}\n\
             spec: {{hosts: [{name}]}}\n"
        )
    }

    /// The names in the next batch that has exactly these names.
    async fn until(folder: &mut Folder, names: &[&str]) {
        let wait = async {
            loop {
                let batch = folder.next().await.expect("the thread runs as long as its folder");
                let mut found: Vec<&str> =
                    batch.objects.iter().map(|object| object.key().name.as_str()).collect();
                found.sort_unstable();
                if found == names {
                    return;
                }
            }
        };
        tokio::time::timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("never saw {names:?}"));
    }

    #[tokio::test]
    async fn writes_renames_deletions_and_new_folders_are_noticed() {
        let temporary = tempfile::tempdir().unwrap();
        let at = |name: &str| temporary.path().join(name);
        fs::create_dir(at("in")).unwrap();
        fs::write(at("in/a.yaml"), router("a")).unwrap();
        let mut folder = Folder::watch(&[at("in")]).unwrap();
        until(&mut folder, &["a"]).await;
        fs::write(at("in/b.yaml"), router("b")).unwrap();
        until(&mut folder, &["a", "b"]).await;
        fs::write(at("in/.c"), router("c")).unwrap();
        fs::rename(at("in/.c"), at("in/b.yaml")).unwrap();
        until(&mut folder, &["a", "c"]).await;
        fs::create_dir(at("in/new")).unwrap();
        fs::write(at("in/new/d.yaml"), router("d")).unwrap();
        until(&mut folder, &["a", "c", "d"]).await;
        fs::remove_file(at("in/a.yaml")).unwrap();
        until(&mut folder, &["c", "d"]).await;
    }

    #[tokio::test]
    async fn a_file_that_is_replaced_and_a_folder_that_comes_back_are_noticed() {
        let temporary = tempfile::tempdir().unwrap();
        let at = |name: &str| temporary.path().join(name);
        fs::create_dir(at("in")).unwrap();
        fs::write(at("one.yaml"), router("a")).unwrap();
        let mut folder = Folder::watch(&[at("one.yaml"), at("in")]).unwrap();
        until(&mut folder, &["a"]).await;
        fs::write(at("swap"), router("b")).unwrap();
        fs::rename(at("swap"), at("one.yaml")).unwrap();
        until(&mut folder, &["b"]).await;
        fs::rename(at("in"), at("out")).unwrap();
        fs::write(at("out/c.yaml"), router("c")).unwrap();
        fs::rename(at("out"), at("in")).unwrap();
        until(&mut folder, &["b", "c"]).await;
        fs::write(at("in/d.yaml"), router("d")).unwrap();
        until(&mut folder, &["b", "c", "d"]).await;
    }

    #[test]
    fn half_written_files_and_reading_are_no_change() {
        use notify::event::DataChange;
        let path = [PathBuf::from("/x/a.yaml")];
        assert!(!is_finished_change(EventKind::Modify(ModifyKind::Data(DataChange::Any)), &path));
        assert!(!is_finished_change(EventKind::Access(AccessKind::Open(AccessMode::Any)), &path));
        assert!(!is_finished_change(EventKind::Create(CreateKind::File), &path));
        assert!(is_finished_change(EventKind::Access(AccessKind::Close(AccessMode::Write)), &path));
    }
}
