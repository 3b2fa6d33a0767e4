//! What is in force of some TLS settings: shared by all workers, replaced by the main thread.

use std::sync::{Arc, PoisonError, RwLock};

use crate::model::{DownstreamTls, UpstreamTls};

use super::build::{Built, Settings};
use super::certificate::Certificate;

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
