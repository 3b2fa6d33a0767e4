//! What a certificate says: whose it is, and when it is good.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

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

/// The namespace in the SPIFFE id of a certificate in PEM, `spiffe://<trust domain>/ns/<namespace>/sa/<account>`; `None`:
/// it says none.
pub fn namespace_of(pem: &[u8]) -> Option<String> {
    let first = CertificateDer::from_pem_slice(pem).ok()?;
    let (_, certificate) = X509Certificate::from_der(&first).ok()?;
    let namespace = |uri: &&str| {
        let parts: Vec<_> = uri.strip_prefix("spiffe://")?.split('/').collect();
        match parts[..] {
            [_, "ns", namespace, "sa", _] => Some(namespace.to_owned()),
            _ => None,
        }
    };
    uris(&certificate).iter().find_map(namespace)
}

/// The URIs that a certificate is for, such as SPIFFE ids. A name of another type is none, whatever it looks like.
pub(super) fn uris<'a>(certificate: &'a X509Certificate<'_>) -> Vec<&'a str> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let uri = |name: &GeneralName<'a>| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(uri).collect()
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
