//! Bytes between a socket and a codec, the same for both sides of the proxy.
//!
//! A connection is one task that works in *turns*: it reads once, hands whole messages on, and writes once. This
//! module has the pieces of a turn; it knows nothing of requests, routes or clusters.

mod inbox;
mod waker;
mod write;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

pub use inbox::{Inbox, Pace, Reader, WireError};
pub use waker::WakeSlot;
pub use write::poll_write_out;

/// A byte stream: TCP, TLS, or in tests a duplex pipe.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// A stream of any kind.
pub type BoxStream = Box<dyn Stream>;

/// A connection attempt under way.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<BoxStream>>>>;

/// Makes connections to endpoints.
pub trait Connector {
    /// Starts connecting to `address`. The caller bounds the time it takes.
    fn connect(&self, address: SocketAddr) -> Connecting;
}

/// Plain TCP, without Nagle's delay.
pub struct Tcp;

impl Connector for Tcp {
    fn connect(&self, address: SocketAddr) -> Connecting {
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        })
    }
}
