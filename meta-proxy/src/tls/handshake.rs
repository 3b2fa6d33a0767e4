//! Handshakes with clients and endpoints.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::wire::{BoxStream, Connecting, Connector};

use super::handle::{Downstream, Upstream};
use super::stream::Stream;
use super::words::HandshakeError;

/// How long a client's handshake may take.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Agrees with a client on how its connection is encrypted.
pub async fn accept(tls: &Downstream, stream: BoxStream) -> Result<BoxStream, HandshakeError> {
    const PEER: &str = "the client";
    let config = tls.config().ok_or_else(unread)?;
    match timeout(HANDSHAKE_TIME, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(Stream::new(stream.into(), PEER))),
        Ok(Err(error)) => Err(HandshakeError::of(&error, PEER)),
        Err(_) => Err(HandshakeError::new(format!("no handshake within {HANDSHAKE_TIME:?}"))),
    }
}

/// Connects by another connector, and agrees with the endpoint on how the connection is encrypted.
pub struct Secured {
    tls: Arc<Upstream>,
    below: Rc<dyn Connector>,
}

impl Secured {
    /// Over what `below` connects.
    pub fn new(tls: Arc<Upstream>, below: Rc<dyn Connector>) -> Self {
        Self { tls, below }
    }
}

impl Connector for Secured {
    fn connect(&self, address: SocketAddr) -> Connecting {
        const PEER: &str = "the endpoint";
        let (below, tls) = (self.below.connect(address), self.tls.clone());
        Box::pin(async move {
            let stream = below.await?;
            let config = tls.config().ok_or_else(unread)?;
            let name = server_name(&tls)?;
            match TlsConnector::from(config).connect(name, stream).await {
                Ok(stream) => Ok(Box::new(Stream::new(stream.into(), PEER)) as BoxStream),
                Err(error) => Err(HandshakeError::of(&error, PEER).into()),
            }
        })
    }

    fn what(&self) -> &'static str {
        "TLS connection"
    }
}

/// The name that the endpoint is asked for. Without one an address stands in its place, which is not told.
fn server_name(tls: &Upstream) -> io::Result<ServerName<'static>> {
    match &tls.settings().sni {
        None => Ok(IpAddr::from(Ipv4Addr::UNSPECIFIED).into()),
        Some(sni) => ServerName::try_from(sni.clone())
            .map_err(|_| HandshakeError::new(format!("{sni:?} is not a name that can be asked for")).into()),
    }
}

fn unread() -> HandshakeError {
    HandshakeError::new("the files of certificates and keys have not been read")
}
