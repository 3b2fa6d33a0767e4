//! From settings and the content of their files to what a handshake needs.

use std::fmt::Debug;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use crate::model::{DownstreamTls, Identity, Roots, TlsVersion, Trust, UpstreamTls};

use super::certificate::Certificate;
use super::pem::{self, Fault, Part, Reader};
use super::provider;
use super::verify::{Anyone, Named};

/// Where systems keep their roots; the first that is there counts.
const SYSTEM_ROOTS: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Sessions that a cluster keeps to resume: as many as there are for one name.
const SESSIONS: usize = 8;

/// What was made of the files.
pub struct Built<C> {
    /// For handshakes.
    pub config: Arc<C>,
    /// The certificate that is shown, if one is.
    pub certificate: Option<Certificate>,
}

/// Settings of one side.
pub trait Settings: Clone + Debug + Eq + Hash {
    /// What its handshakes need.
    type Config;

    /// All files that it needs, and what for.
    fn files(&self) -> Vec<(Part, PathBuf)>;

    /// Makes it of what the files hold.
    fn build(&self, reader: &mut Reader) -> Result<Built<Self::Config>, Fault>;
}

impl Settings for UpstreamTls {
    type Config = ClientConfig;

    fn files(&self) -> Vec<(Part, PathBuf)> {
        let roots = match &self.trust {
            Trust::Anyone => None,
            Trust::Signed { roots, .. } => Some((Part::Roots, root_file(roots).0)),
        };
        roots.into_iter().chain(self.identity.iter().flat_map(identity_files)).collect()
    }

    fn build(&self, reader: &mut Reader) -> Result<Built<ClientConfig>, Fault> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(self.minimum))
            .expect("the provider has all versions");
        let builder = match &self.trust {
            Trust::Anyone => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone::new())),
            Trust::Signed { roots, names } => {
                let (file, is_systems) = root_file(roots);
                let roots = pem::roots(&file, is_systems, reader)?;
                let verifier = Named::new(roots, names.clone());
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        let (mut config, certificate) = match &self.identity {
            None => (builder.with_no_client_auth(), None),
            Some(identity) => {
                let (key, certificate) = pem::identity(identity, reader)?;
                let resolver = Arc::new(SingleCertAndKey::from(key));
                (builder.with_client_cert_resolver(resolver), Some(certificate))
            }
        };
        config.enable_sni = self.sni.is_some();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Built { config: Arc::new(config), certificate })
    }
}

impl Settings for DownstreamTls {
    type Config = ServerConfig;

    fn files(&self) -> Vec<(Part, PathBuf)> {
        let roots = self.clients.clone().map(|path| (Part::Roots, path));
        identity_files(&self.identity).into_iter().chain(roots).collect()
    }

    fn build(&self, reader: &mut Reader) -> Result<Built<ServerConfig>, Fault> {
        let (key, certificate) = pem::identity(&self.identity, reader)?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(self.minimum))
            .expect("the provider has all versions");
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = pem::roots(path, false, reader)?;
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots, provider()).build().map_err(
                        |error| fault_of_roots(path, format!("cannot be used to check clients: {error}")),
                    )?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        // A client that comes back is known by its ticket, on whichever worker; changed files make new tickets.
        if let Ok(ticketer) = Ticketer::new() {
            config.ticketer = ticketer;
        }
        Ok(Built { config: Arc::new(config), certificate: Some(certificate) })
    }
}

fn fault_of_roots(path: &Path, message: String) -> Fault {
    Fault { part: Part::Roots, file: path.to_owned(), message }
}

fn identity_files(identity: &Identity) -> [(Part, PathBuf); 2] {
    [(Part::Certificate, identity.certificate.clone()), (Part::Key, identity.key.clone())]
}

/// Where roots are, and whether they are the system's.
fn root_file(roots: &Roots) -> (PathBuf, bool) {
    match roots {
        Roots::File(path) => (path.clone(), false),
        Roots::System => {
            let found = SYSTEM_ROOTS.iter().find(|path| Path::new(path).is_file());
            (PathBuf::from(found.unwrap_or(&SYSTEM_ROOTS[0])), true)
        }
    }
}

fn versions(minimum: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    match minimum {
        TlsVersion::V1_2 => &BOTH,
        TlsVersion::V1_3 => &BOTH[..1],
    }
}
