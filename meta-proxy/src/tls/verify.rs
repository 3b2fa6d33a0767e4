//! Whether an endpoint's certificate is believed.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::model::SubjectName;

use super::certificate::{names, uris};
use super::provider;

/// Believes those that the roots have signed, for one of some names.
#[derive(Debug)]
pub(super) struct Named {
    roots: Arc<RootCertStore>,
    names: Vec<SubjectName>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Believes everybody.
#[derive(Debug)]
pub(super) struct Anyone {
    algorithms: WebPkiSupportedAlgorithms,
}

/// A certificate that is for others.
#[derive(Debug)]
pub(super) struct WrongName {
    presented: Vec<String>,
    expected: Vec<String>,
}

impl fmt::Display for WrongName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let presented =
            if self.presented.is_empty() { "nobody".to_owned() } else { self.presented.join(", ") };
        write!(f, "is for {presented}, not for {}", self.expected.join(" or "))
    }
}

impl std::error::Error for WrongName {}

impl Named {
    pub(super) fn new(roots: Arc<RootCertStore>, names: Vec<SubjectName>) -> Self {
        Self { roots, names, algorithms: provider().signature_verification_algorithms }
    }

    fn check_name(
        &self,
        end_entity: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
    ) -> Result<(), Error> {
        let leaf = X509Certificate::from_der(end_entity).ok().map(|(_, leaf)| leaf);
        let (presented, uris) = leaf.as_ref().map(|leaf| (names(leaf), uris(leaf))).unwrap_or_default();
        let has = |name: &SubjectName| match name {
            SubjectName::Host(host) => ServerName::try_from(host.as_str())
                .is_ok_and(|name| verify_server_name(parsed, &name).is_ok()),
            SubjectName::Uri(uri) => uris.contains(&uri.as_str()),
        };
        if self.names.iter().any(has) {
            return Ok(());
        }
        let expected = self.names.iter().map(|name| name.text().to_owned()).collect();
        let wrong = OtherError(Arc::new(WrongName { presented, expected }));
        Err(CertificateError::Other(wrong).into())
    }
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms)?;
        self.check_name(end_entity, &parsed)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Anyone {
    pub(super) fn new() -> Self {
        Self { algorithms: provider().signature_verification_algorithms }
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
