//! Encrypted connections: which files they need, and what is asked of whoever is at the other end.

use std::path::PathBuf;

/// How connections to endpoints are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UpstreamTls {
    /// The name that an endpoint is asked for; `None`: none is told.
    pub sni: Option<String>,
    /// Which endpoints are believed.
    pub trust: Trust,
    /// What endpoints are shown that ask who calls.
    pub identity: Option<Identity>,
    /// The oldest version that is spoken.
    pub minimum: TlsVersion,
}

/// How connections from clients are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DownstreamTls {
    /// What clients are shown.
    pub identity: Identity,
    /// Who must have signed the certificates of clients; `None`: they are not asked for one.
    pub clients: Option<PathBuf>,
    /// The oldest version that is spoken.
    pub minimum: TlsVersion,
}

/// Which endpoints are believed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Whoever answers.
    Anyone,
    /// Those whose certificate is signed and has one of the names.
    Signed {
        /// By whom.
        roots: Roots,
        /// Never empty.
        names: Vec<SubjectName>,
    },
}

/// Whose signature counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Roots {
    /// The certificates in this file.
    File(PathBuf),
    /// Those that the system comes with.
    System,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The certificate, and those between it and a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A name that a certificate may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SubjectName {
    /// A DNS name or an IP address.
    Host(String),
    /// A URI, such as a SPIFFE id.
    Uri(String),
}

impl SubjectName {
    /// As it is written.
    pub fn text(&self) -> &str {
        match self {
            Self::Host(text) | Self::Uri(text) => text,
        }
    }
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TlsVersion {
    /// 1.2, the oldest that there is here.
    #[default]
    V1_2,
    /// 1.3
    V1_3,
}
