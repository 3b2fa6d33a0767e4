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
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub use inbox::{Inbox, Pace, Reader, WireError};
pub use waker::WakeSlot;
pub use write::poll_write_out;

/// A byte stream: TCP, TLS, or in tests a duplex pipe. A write that could not be finished is repeated with the same bytes, or
/// more, at the front.
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

    /// What it makes, for people.
    fn what(&self) -> &'static str {
        "connection"
    }
}

/// How long a connection is quiet before the system asks whether its peer is still there.
const KEEPALIVE_TIME: Duration = Duration::from_mins(5);
/// How long the system waits between asking again.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// Takes Nagle's delay from a connection, and has the system see to it that a peer which vanished is noticed: one that only
/// listens, as a subscriber does, may be quiet for ever.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Plain TCP.
pub struct Tcp;

impl Connector for Tcp {
    fn connect(&self, address: SocketAddr) -> Connecting {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            prepare(&stream)?;
            Ok(Box::new(stream) as BoxStream)
        })
    }
}
