//! What is in force of some TLS settings: shared by all workers, replaced by the main thread.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use x509_parser::prelude::{GeneralName, X509Certificate};

use crate::model::{DownstreamTls, UpstreamTls};

use super::build::{Built, Settings};

/// Towards endpoints.
pub type Upstream = Handle<UpstreamTls>;
/// From clients.
pub type Downstream = Handle<DownstreamTls>;

/// TLS settings, and what was made of their files last.
pub struct Handle<S: Settings> {
    settings: S,
    current: RwLock<Current<S::Config>>,
}

struct Current<C> {
    /// `None`: the files were not read.
    built: Option<Built<C>>,
    /// What is wrong with the files now, so that what they held before is in force.
    fault: Option<String>,
}

/// What there is to tell of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its file.
    pub file: PathBuf,
    /// The names that it is for.
    pub names: Vec<String>,
    /// From when on it is good, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub not_after: i64,
}

impl Certificate {
    pub(super) fn of(file: &Path, certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self {
            file: file.to_owned(),
            names: names(certificate),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        }
    }

    /// Why it is not good now, if it is not.
    pub fn complaint(&self) -> Option<&'static str> {
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
        if now > self.not_after {
            Some("has expired")
        } else if now < self.not_before {
            Some("is not valid yet")
        } else {
            None
        }
    }
}

/// The names that a certificate is for.
pub(super) fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) | GeneralName::RFC822Name(name) => {
            Some((*name).to_owned())
        }
        GeneralName::IPAddress(octets) => {
            let four = <[u8; 4]>::try_from(*octets).map(std::net::IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*octets).map(std::net::IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

impl<S: Settings> Handle<S> {
    pub(super) fn new(settings: S, built: Option<Built<S::Config>>) -> Self {
        Self { settings, current: RwLock::new(Current { built, fault: None }) }
    }

    /// The settings.
    pub fn settings(&self) -> &S {
        &self.settings
    }

    /// What is in force; `None`: the files were not read.
    pub(super) fn config(&self) -> Option<Arc<S::Config>> {
        self.read(|current| current.built.as_ref().map(|built| built.config.clone()))
    }

    /// The certificate that is shown, if one is.
    pub fn certificate(&self) -> Option<Certificate> {
        self.read(|current| current.built.as_ref()?.certificate.clone())
    }

    /// What is wrong with the files now; what they held before is in force.
    pub fn fault(&self) -> Option<String> {
        self.read(|current| current.fault.clone())
    }

    fn read<T>(&self, read: impl FnOnce(&Current<S::Config>) -> T) -> T {
        // Nothing panics while it holds the lock.
        read(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn replace(&self, built: Built<S::Config>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) =
            Current { built: Some(built), fault: None };
    }

    pub(super) fn set_fault(&self, fault: Option<String>) {
        self.current.write().unwrap_or_else(PoisonError::into_inner).fault = fault;
    }
}
