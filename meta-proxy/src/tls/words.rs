//! Why a handshake failed, for the person who reads it.

use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use super::verify::WrongName;

/// A handshake that failed.
#[derive(Debug)]
pub struct HandshakeError(String);

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS: {}", self.0)
    }
}

impl std::error::Error for HandshakeError {}

impl HandshakeError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What went wrong in a handshake with `peer`: "the client", say.
    pub(super) fn of(error: &io::Error, peer: &str) -> Self {
        Self(describe(error, peer))
    }

    /// Whether it is what made a connection attempt fail.
    pub fn is_cause_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>)
    }
}

impl From<HandshakeError> for io::Error {
    fn from(error: HandshakeError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

fn describe(error: &io::Error, peer: &str) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(error)) => format!("{peer}'s certificate {}", certificate(error)),
        Some(Error::NoCertificatesPresented) => format!("{peer} shows no certificate"),
        Some(Error::AlertReceived(alert)) => format!("{peer} refuses: {}", alert_words(*alert)),
        Some(Error::InvalidMessage(_)) => format!("{peer} does not speak TLS"),
        Some(error) => error.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            format!("{peer} closed the connection during the handshake")
        }
        None => error.to_string(),
    }
}

/// What is wrong with a certificate, in words that follow "the certificate".
fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "is not signed by a CA that is trusted here (unknown issuer)".to_owned()
        }
        CertificateError::BadSignature => "does not bear the signature of its CA".to_owned(),
        CertificateError::Other(other) if other.0.is::<WrongName>() => other.0.to_string(),
        CertificateError::Other(other) if other.0.to_string().contains("CaUsedAsEndEntity") => {
            "is that of a CA; it must show one that a CA has signed".to_owned()
        }
        other => format!("cannot be used: {other}"),
    }
}

fn alert_words(alert: AlertDescription) -> String {
    let text = match alert {
        AlertDescription::CertificateRequired => "it asks for a certificate (mode MUTUAL)",
        AlertDescription::UnknownCA => "it does not trust the CA of our certificate",
        AlertDescription::CertificateExpired => "our certificate has expired",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown => "it does not take our certificate",
        AlertDescription::ProtocolVersion => "it does not speak this version of TLS",
        AlertDescription::UnrecognisedName => "it has no certificate for the name that was asked for (SNI)",
        AlertDescription::HandshakeFailure => "nothing that both could agree on",
        _ => return format!("alert {alert:?}"),
    };
    format!("{text} (alert {alert:?})")
}

/// An error on a connection that had been agreed on.
pub(super) fn later(error: io::Error, peer: &str) -> io::Error {
    let is_tls = error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Error>);
    if is_tls { HandshakeError::of(&error, peer).into() } else { error }
}
