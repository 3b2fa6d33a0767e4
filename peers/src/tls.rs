//! Certificates of an authority of one's own, and TLS around peers that speak none.
//!
//! A [`Tunnel`] carries connections one to one: it takes them plain and hands them on encrypted, or the other way round. So
//! every peer of this crate can be put behind TLS, or in front of it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How long a handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// What may go wrong while certificates are made.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

impl Authority {
    /// A new one of this name.
    pub fn new(name: &str) -> Result<Self, Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Its own certificate, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for these names: DNS names, IP addresses, e-mail addresses (with an `@`), and URIs.
    pub fn issue(&self, names: &[&str]) -> Result<Issued, Error> {
        self.sign(CertificateParams::new(Vec::new())?, names)
    }

    /// One that has expired long ago.
    pub fn issue_expired(&self, names: &[&str]) -> Result<Issued, Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        self.sign(params, names)
    }

    fn sign(&self, mut params: CertificateParams, names: &[&str]) -> Result<Issued, Error> {
        for name in names {
            params.subject_alt_names.push(match (name.parse(), name.contains('@'), name.contains("://")) {
                (Ok(address), ..) => SanType::IpAddress(address),
                (_, true, _) => SanType::Rfc822Name((*name).try_into()?),
                (_, _, true) => SanType::URI((*name).try_into()?),
                _ => SanType::DnsName((*name).try_into()?),
            });
        }
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

impl Issued {
    /// Writes it to `NAME.crt` and `NAME.key` in a folder.
    pub fn write(&self, folder: &Path, name: &str) -> io::Result<(PathBuf, PathBuf)> {
        let (certificate, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, &self.certificate)?;
        std::fs::write(&key, &self.key)?;
        Ok((certificate, key))
    }

    /// The certificate in DER.
    pub fn der(&self) -> Result<Vec<u8>, Error> {
        Ok(CertificateDer::from_pem_slice(self.certificate.as_bytes())?.to_vec())
    }

    fn chain(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes())?;
        Ok((vec![certificate], PrivateKeyDer::from_pem_slice(self.key.as_bytes())?))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn roots(authority: &Authority) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate.as_bytes())?)?;
    Ok(Arc::new(roots))
}

/// How a client does it that believes whom `authority` has signed, and shows `own` to those who ask.
pub fn connector(authority: &Authority, own: Option<&Issued>) -> Result<TlsConnector, Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots(authority)?);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let (chain, key) = own.chain()?;
            builder.with_client_auth_cert(chain, key)?
        }
    };
    Ok(Arc::new(config).into())
}

/// How a server does it that shows `own`, and takes only clients whom `clients` has signed, if it is given.
pub fn acceptor(own: &Issued, clients: Option<&Authority>) -> Result<TlsAcceptor, Error> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots(clients)?, provider());
            builder.with_client_cert_verifier(verifier.build()?)
        }
    };
    let (chain, key) = own.chain()?;
    Ok(Arc::new(builder.with_single_cert(chain, key)?).into())
}

/// The certificate that a server shows to a client who asks for this name, in DER.
pub async fn shown(server: SocketAddr, connector: &TlsConnector, name: &str) -> Result<Vec<u8>, Error> {
    let stream = TcpStream::connect(server).await?;
    let agreed = connector.connect(ServerName::try_from(name.to_owned())?, stream);
    let stream = timeout(HANDSHAKE_TIME, agreed).await??;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    Ok(shown.ok_or("a server that shows no certificate")?.to_vec())
}

/// Which way a tunnel goes.
#[derive(Clone)]
enum Way {
    /// Plain in, encrypted out, to an endpoint of this name.
    Encrypting(TlsConnector, ServerName<'static>),
    /// Encrypted in, plain out.
    Decrypting(TlsAcceptor),
}

/// What a tunnel has seen so far.
#[derive(Debug, Default)]
struct Seen {
    open: AtomicU64,
    handshakes: AtomicU64,
    failures: AtomicU64,
    names: Mutex<Vec<String>>,
}

/// Carries connections to an address. Ends, with all of them, when it is dropped.
#[derive(Debug)]
pub struct Tunnel {
    address: SocketAddr,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

impl Tunnel {
    /// For clients that speak no TLS, to a server of this name that does.
    pub async fn encrypting(to: SocketAddr, connector: TlsConnector, name: &str) -> Result<Self, Error> {
        Ok(Self::start(to, Way::Encrypting(connector, ServerName::try_from(name.to_owned())?)).await?)
    }

    /// For a server that speaks no TLS, whose clients do.
    pub async fn decrypting(to: SocketAddr, acceptor: TlsAcceptor) -> Result<Self, Error> {
        Ok(Self::start(to, Way::Decrypting(acceptor)).await?)
    }

    async fn start(to: SocketAddr, way: Way) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, seen) = (listener.local_addr()?, Arc::new(Seen::default()));
        let counts = seen.clone();
        let accepting = tokio::spawn(async move {
            let mut carried = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (way, seen) = (way.clone(), counts.clone());
                carried.spawn(async move {
                    let _ = carry(stream, to, way, &seen).await;
                });
            }
        });
        Ok(Self { address, seen, accepting })
    }

    /// Where it takes connections.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that it carries now.
    pub fn open(&self) -> u64 {
        self.seen.open.load(Ordering::Relaxed)
    }

    /// Handshakes that have succeeded.
    pub fn handshakes(&self) -> u64 {
        self.seen.handshakes.load(Ordering::Relaxed)
    }

    /// Handshakes that have failed.
    pub fn failures(&self) -> u64 {
        self.seen.failures.load(Ordering::Relaxed)
    }

    /// The names that clients asked for, in the order in which they came.
    pub fn names(&self) -> Vec<String> {
        self.seen.names.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(mut stream: TcpStream, to: SocketAddr, way: Way, seen: &Seen) -> io::Result<()> {
    let mut onward = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    onward.set_nodelay(true)?;
    let late = || io::Error::from(io::ErrorKind::TimedOut);
    let note = |is_good: bool| {
        let count = if is_good { &seen.handshakes } else { &seen.failures };
        count.fetch_add(1, Ordering::Relaxed);
    };
    match way {
        Way::Encrypting(connector, name) => {
            let agreed = timeout(HANDSHAKE_TIME, connector.connect(name, onward)).await;
            note(matches!(agreed, Ok(Ok(_))));
            let mut onward = agreed.map_err(|_| late())??;
            seen.open.fetch_add(1, Ordering::Relaxed);
            let carried = copy_bidirectional(&mut stream, &mut onward).await;
            seen.open.fetch_sub(1, Ordering::Relaxed);
            carried?;
        }
        Way::Decrypting(acceptor) => {
            let agreed = timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await;
            note(matches!(agreed, Ok(Ok(_))));
            let mut stream = agreed.map_err(|_| late())??;
            let name = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
            seen.names.lock().unwrap_or_else(PoisonError::into_inner).push(name);
            seen.open.fetch_add(1, Ordering::Relaxed);
            let carried = copy_bidirectional(&mut stream, &mut onward).await;
            seen.open.fetch_sub(1, Ordering::Relaxed);
            carried?;
        }
    }
    Ok(())
}
