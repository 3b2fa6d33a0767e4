//! Files as certificates, keys and roots, and what is wrong with one, in words that name it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};
use xxhash_rust::xxh3::xxh3_128;

use crate::model::Identity;

use super::certificate::Certificate;
use super::provider;

/// Bytes that a file may have.
pub const FILE_LIMIT: u64 = 1 << 20;

/// Which of the files that TLS needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The certificate that is shown.
    Certificate,
    /// Its key.
    Key,
    /// The roots that the other end's certificate is checked against.
    Roots,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it is for.
    pub part: Part,
    /// Where it is.
    pub file: PathBuf,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.file.display(), self.message)
    }
}

/// The content of files, each of which is read once, until [`Reader::forget`].
#[derive(Default)]
pub struct Reader {
    contents: BTreeMap<PathBuf, Result<Content, String>>,
    /// What was made of files of roots, for all who name the same: a system has a hundred and more.
    roots: HashMap<(PathBuf, u128), Weak<RootCertStore>>,
}

#[derive(Clone)]
struct Content {
    bytes: Arc<[u8]>,
    hash: u128,
}

impl Reader {
    /// From now on files are read anew.
    pub(super) fn forget(&mut self) {
        self.contents.clear();
        self.roots.retain(|_, roots| roots.strong_count() > 0);
    }

    fn content(&mut self, path: &Path) -> &Result<Content, String> {
        self.contents.entry(path.to_owned()).or_insert_with(|| {
            let bytes: Arc<[u8]> = read(path)?.into();
            Ok(Content { hash: xxh3_128(&bytes), bytes })
        })
    }

    /// Hash of what a file holds, or of why it cannot be read.
    pub(super) fn hash(&mut self, path: &Path) -> u128 {
        match self.content(path) {
            Ok(content) => content.hash,
            Err(message) => xxh3_128(message.as_bytes()),
        }
    }

    fn get(&mut self, part: Part, path: &Path) -> Result<Content, Fault> {
        let content = self.content(path).clone();
        content.map_err(|message| Fault { part, file: path.to_owned(), message })
    }
}

/// Only a regular file is opened: a pipe would let everybody wait.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error| format!("cannot be read: {error}");
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(FILE_LIMIT + 1).read_to_end(&mut content).map_err(cannot)?;
    if content.len() as u64 > FILE_LIMIT {
        return Err(format!("has more than {FILE_LIMIT} bytes"));
    }
    Ok(content)
}

/// The certificate and the key of `identity`, which belong together, and what there is to tell of the certificate.
pub(super) fn identity(
    identity: &Identity,
    reader: &mut Reader,
) -> Result<(CertifiedKey, Certificate), Fault> {
    let chain = certificates(Part::Certificate, &identity.certificate, reader)?;
    let of_certificate =
        |message| Fault { part: Part::Certificate, file: identity.certificate.clone(), message };
    let (_, leaf) = X509Certificate::from_der(&chain[0])
        .map_err(|error| of_certificate(format!("holds a certificate that cannot be understood: {error}")))?;
    let told = Certificate::of(&identity.certificate, &leaf);

    let of_key = |message| Fault { part: Part::Key, file: identity.key.clone(), message };
    let key = private_key(&reader.get(Part::Key, &identity.key)?.bytes).map_err(of_key)?;
    CertifiedKey::from_der(chain, key, &provider()).map(|key| (key, told)).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            of_key(format!("is not the key of the certificate in {}", identity.certificate.display()))
        }
        rustls::Error::InvalidCertificate(error) => {
            of_certificate(format!("holds a certificate that cannot be used: {error}"))
        }
        error => of_key(format!("holds a key that cannot be used: {error}")),
    })
}

/// All certificates of a file: at least one.
fn certificates(part: Part, path: &Path, reader: &mut Reader) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let content = reader.get(part, path)?;
    let fault = |message| Fault { part, file: path.to_owned(), message };
    let read: Result<Vec<_>, Error> = CertificateDer::pem_slice_iter(&content.bytes).collect();
    let read = read.map_err(|error| fault(not_pem(&error)))?;
    if read.is_empty() {
        return Err(fault("holds no certificate: no PEM block `CERTIFICATE`".to_owned()));
    }
    Ok(read)
}

fn private_key(content: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(content).map_err(|error| match error {
        Error::NoItemsFound if is_encrypted(content) => {
            "holds a key that is encrypted; it must stand there without a passphrase".to_owned()
        }
        Error::NoItemsFound => "holds no private key: no PEM block `PRIVATE KEY`".to_owned(),
        error => not_pem(&error),
    })
}

fn is_encrypted(content: &[u8]) -> bool {
    const MARK: &[u8] = b"BEGIN ENCRYPTED PRIVATE KEY";
    content.windows(MARK.len()).any(|window| window == MARK)
}

fn not_pem(error: &Error) -> String {
    // What the library says of these quotes bytes as numbers.
    match error {
        Error::MissingSectionEnd { .. } => "is not PEM: a block does not end".to_owned(),
        Error::IllegalSectionStart { .. } => "is not PEM: a line that begins a block is malformed".to_owned(),
        Error::Base64Decode(_) => "is not PEM: a block is not base64".to_owned(),
        other => format!("is not PEM: {other}"),
    }
}

/// The roots in a file. A system's own may hold some that cannot be used.
pub(super) fn roots(path: &Path, is_systems: bool, reader: &mut Reader) -> Result<Arc<RootCertStore>, Fault> {
    let fault = |message| Fault { part: Part::Roots, file: path.to_owned(), message };
    let key = (path.to_owned(), reader.hash(path));
    if let Some(known) = reader.roots.get(&key).and_then(Weak::upgrade) {
        return Ok(known);
    }
    let mut roots = RootCertStore::empty();
    for (index, certificate) in certificates(Part::Roots, path, reader)?.into_iter().enumerate() {
        match roots.add(certificate) {
            Err(error) if !is_systems => {
                return Err(fault(format!(
                    "holds a certificate that cannot be a root, number {}: {error}",
                    index + 1
                )));
            }
            _ => {}
        }
    }
    if roots.is_empty() {
        return Err(fault("holds no certificate that can be a root".to_owned()));
    }
    let roots = Arc::new(roots);
    reader.roots.insert(key, Arc::downgrade(&roots));
    Ok(roots)
}
