//! Why a controller cannot start. Mistakes in objects are never errors of this kind: they are diagnostics.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a controller cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No path was named.
    #[error("no path was named: name at least one file or folder that holds objects as YAML or JSON")]
    NoPaths,
    /// A path does not exist or cannot be looked at.
    #[error("{}: {reason}", path.display())]
    Path {
        /// As the user named it.
        path: PathBuf,
        /// What the operating system said.
        reason: std::io::Error,
    },
    /// The operating system does not let us watch.
    #[error("cannot watch {}: {reason}", path.display())]
    Watch {
        /// What was to be watched.
        path: PathBuf,
        /// Why not.
        reason: notify::Error,
    },
    /// No thread for the watcher.
    #[error("cannot start the thread that watches files: {0}")]
    Thread(std::io::Error),
    /// No API server, or none that can be spoken to.
    #[error("cannot use Kubernetes: {0}")]
    Kubernetes(String),
    /// A port cannot be had.
    #[error("cannot listen on {address}: {reason}")]
    Serve {
        /// Where.
        address: SocketAddr,
        /// What the operating system said.
        reason: std::io::Error,
    },
    /// The certificates cannot be used.
    #[error("cannot serve with TLS: {0}")]
    Tls(String),
}
