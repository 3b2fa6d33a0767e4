//! The protocols that this build of the proxy speaks.

use std::sync::Arc;

use codec_api::Protocol;

/// The registered protocols, in the order in which they were registered.
#[derive(Clone, Default)]
pub struct Codecs(Vec<Arc<dyn Protocol>>);

impl Codecs {
    /// Registers `protocols`. Of two with the same name, the first counts.
    pub fn new(protocols: Vec<Arc<dyn Protocol>>) -> Self {
        Self(protocols)
    }

    /// The protocol of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Protocol>> {
        self.0.iter().find(|protocol| protocol.name() == name)
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|protocol| protocol.name())
    }
}
