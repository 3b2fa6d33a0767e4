//! Encrypted connections: from clients, and to endpoints.
//!
//! The main thread keeps what the files hold that configuration names ([`Files`]), and looks at them once a second. What is
//! made of them lies in a handle that workers share; a handshake takes what is there when it begins. So a changed file
//! touches no connection that stands. To everybody else an encrypted connection is one more [`crate::wire::Stream`]: this
//! module never knows what is said on it, and a plain connection never comes here.

mod build;
mod certificate;
mod files;
mod handle;
mod handshake;
mod pem;
mod stream;
mod verify;
mod words;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;

pub use build::{Built, Settings};
pub use certificate::{Certificate, namespace_of};
pub use files::{FILES_LIMIT, Files, Look, News, try_out};
pub use handle::{Downstream, Handle, Upstream};
pub use handshake::{HANDSHAKE_TIME, Secured, accept};
pub use pem::{FILE_LIMIT, Fault, Part};
pub use words::HandshakeError;

/// Whether `text` is a DNS name or an IP address, as a certificate may have it.
pub fn is_host(text: &str) -> bool {
    ServerName::try_from(text).is_ok()
}

/// The one implementation of the cryptography, named wherever one is needed: nothing depends on what a process has
/// installed.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    PROVIDER.clone()
}
