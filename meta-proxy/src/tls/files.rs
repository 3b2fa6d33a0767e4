//! The files that configuration names: read when it comes, and looked at again and again.
//!
//! Belongs to the main thread. Content is compared, not times: so a file that is rewritten, one that is renamed into its
//! place, and a symlink that is turned to another folder, as Kubernetes does it, are all seen the same way.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::model::{DownstreamTls, UpstreamTls};

use super::build::Settings;
use super::certificate::Certificate;
use super::handle::{Downstream, Handle, Upstream};
use super::pem::{Fault, Reader};

/// Files that may be in use at a time.
pub const FILES_LIMIT: usize = 1000;

/// What is in use of the files, by the settings that name them.
pub struct Files {
    upstream: HashMap<UpstreamTls, Kept<UpstreamTls>>,
    downstream: HashMap<DownstreamTls, Kept<DownstreamTls>>,
    /// Where all these are.
    in_use: BTreeSet<PathBuf>,
    reader: Reader,
    is_reading: bool,
}

struct Kept<S: Settings> {
    handle: Arc<Handle<S>>,
    /// Hash of what the files held when they were looked at last.
    seen: u128,
    /// They could not be used then. They may have been caught in the middle of a change: whether it is told is decided by
    /// the next look.
    doubt: Option<Fault>,
}

/// Something that a look at the files has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Changed files are in force for new connections.
    Reloaded(Vec<PathBuf>),
    /// Changed files cannot be used; what they held before stays in force.
    Stale(Fault),
}

/// What a look at the files comes to.
#[derive(Debug, Default)]
pub struct Look {
    /// What has changed.
    pub news: Vec<News>,
    /// Settings whose files cannot be used now, so that what they held before is in force.
    pub stale: usize,
    /// The certificates that are shown to others.
    pub certificates: Vec<Certificate>,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            upstream: HashMap::new(),
            downstream: HashMap::new(),
            in_use: BTreeSet::new(),
            reader: Reader::default(),
            is_reading: true,
        }
    }
}

impl Files {
    /// Takes every file for good without a look at it: for tools that judge configuration away from where it is served.
    pub fn unread() -> Self {
        Self { is_reading: false, ..Self::default() }
    }

    /// What connections to endpoints are encrypted by.
    pub fn upstream(&mut self, settings: &UpstreamTls) -> Result<Arc<Upstream>, Fault> {
        match self.upstream.get(settings) {
            Some(kept) => Ok(kept.handle.clone()),
            None => self.begin(settings, |files| &mut files.upstream),
        }
    }

    /// What connections from clients are encrypted by.
    pub fn downstream(&mut self, settings: &DownstreamTls) -> Result<Arc<Downstream>, Fault> {
        match self.downstream.get(settings) {
            Some(kept) => Ok(kept.handle.clone()),
            None => self.begin(settings, |files| &mut files.downstream),
        }
    }

    fn begin<S: Settings>(
        &mut self,
        settings: &S,
        known: fn(&mut Self) -> &mut HashMap<S, Kept<S>>,
    ) -> Result<Arc<Handle<S>>, Fault> {
        if !self.is_reading {
            return Ok(Arc::new(Handle::new(settings.clone(), None)));
        }
        self.reader.forget();
        let files = settings.files();
        for (part, file) in &files {
            let is_new = !self.in_use.contains(file);
            if is_new && self.in_use.len() >= FILES_LIMIT {
                let message = format!("is one file too many: TLS may use {FILES_LIMIT}");
                return Err(Fault { part: *part, file: file.clone(), message });
            }
        }
        let built = settings.build(&mut self.reader)?;
        let seen = fingerprint(settings, &mut self.reader);
        let handle = Arc::new(Handle::new(settings.clone(), Some(built)));
        self.in_use.extend(files.into_iter().map(|(_, file)| file));
        known(self).insert(settings.clone(), Kept { handle: handle.clone(), seen, doubt: None });
        Ok(handle)
    }

    /// Looks whether files have changed. New connections are made by what they hold now; what nobody uses is forgotten.
    pub fn look(&mut self) -> Look {
        let mut look = Look::default();
        self.reader.forget();
        self.in_use.clear();
        inspect(&mut self.upstream, (&mut self.reader, &mut self.in_use), &mut look);
        inspect(&mut self.downstream, (&mut self.reader, &mut self.in_use), &mut look);
        look.certificates.sort_by(|one, other| one.file.cmp(&other.file));
        look.certificates.dedup();
        look
    }
}

fn inspect<S: Settings>(
    known: &mut HashMap<S, Kept<S>>,
    (reader, in_use): (&mut Reader, &mut BTreeSet<PathBuf>),
    look: &mut Look,
) {
    known.retain(|_, kept| Arc::strong_count(&kept.handle) > 1);
    for (settings, kept) in known {
        in_use.extend(settings.files().into_iter().map(|(_, file)| file));
        look.news.extend(kept.look(settings, reader));
        look.stale += usize::from(kept.handle.fault().is_some());
        look.certificates.extend(kept.handle.certificate());
    }
}

impl<S: Settings> Kept<S> {
    fn look(&mut self, settings: &S, reader: &mut Reader) -> Option<News> {
        let seen = fingerprint(settings, reader);
        if seen == self.seen {
            let fault = self.doubt.take()?;
            self.handle.set_fault(Some(fault.to_string()));
            return Some(News::Stale(fault));
        }
        self.seen = seen;
        match settings.build(reader) {
            Ok(built) => {
                self.doubt = None;
                self.handle.replace(built);
                Some(News::Reloaded(settings.files().into_iter().map(|(_, file)| file).collect()))
            }
            Err(fault) => {
                self.doubt = Some(fault);
                None
            }
        }
    }
}

/// Hash of where the files of `settings` are and what they hold, or why they cannot be read.
fn fingerprint<S: Settings>(settings: &S, reader: &mut Reader) -> u128 {
    let mut hasher = Xxh3::new();
    for (_, path) in settings.files() {
        hasher.update(path.as_os_str().as_encoded_bytes());
        hasher.update(&reader.hash(&path).to_le_bytes());
    }
    hasher.digest128()
}

/// Reads the files of `settings` once, as a proxy would. Answers the certificate that would be shown, if one would.
pub fn try_out<S: Settings>(settings: &S) -> Result<Option<Certificate>, Fault> {
    settings.build(&mut Reader::default()).map(|built| built.certificate)
}
