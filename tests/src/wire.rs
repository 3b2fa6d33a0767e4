//! A connection on which anything can be sent: what no honest peer would send, as slowly as no honest peer would.

use std::net::SocketAddr;

use bytes::BytesMut;
use peers::dubbo::Frame;
use peers::dubbo::frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::eventually::soon;

/// A connection without manners.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    received: BytesMut,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What came before the end.
    pub received: Vec<u8>,
    /// Whether it was reset, not closed.
    pub was_reset: bool,
}

impl Wire {
    /// Connects.
    pub async fn to(address: SocketAddr) -> Self {
        let stream = soon("a connection", TcpStream::connect(address)).await;
        let stream = stream.unwrap_or_else(|error| panic!("{address}: {error}"));
        Self::over(stream)
    }

    /// The next connection that is accepted.
    pub async fn of(listener: &TcpListener) -> Self {
        let accepted = soon("a connection", listener.accept()).await;
        Self::over(accepted.unwrap_or_else(|error| panic!("not accepted: {error}")).0)
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap_or_else(|error| panic!("not a usable connection: {error}"));
        Self { stream, received: BytesMut::new() }
    }

    /// Writes all of this, if the other side takes it; `false`: it has closed.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        soon("what was written is taken", self.stream.write_all(bytes)).await.is_ok()
    }

    /// Writes what is taken without waiting; how much that was.
    pub fn send_some(&mut self, bytes: &[u8]) -> usize {
        self.stream.try_write(bytes).unwrap_or(0)
    }

    /// Sends no more; may still read.
    pub async fn shut(&mut self) {
        // The other side may have closed already, which the next read shows.
        let _ = self.stream.shutdown().await;
    }

    /// Goes away without a word, as a process that was killed may: the other side sees a reset.
    pub fn reset(self) {
        self.stream.set_zero_linger().unwrap_or_else(|error| panic!("not a usable connection: {error}"));
    }

    /// The next message.
    pub async fn frame(&mut self) -> Frame {
        loop {
            let cut = frame::cut(&mut self.received);
            if let Some(frame) = cut.unwrap_or_else(|malformed| panic!("not Dubbo: {malformed}")) {
                return frame;
            }
            let read = soon("a message", self.stream.read_buf(&mut self.received)).await;
            assert!(!matches!(read, Ok(0) | Err(_)), "closed before a message came: {read:?}");
        }
    }

    /// Waits until the other side has closed.
    pub async fn ended(mut self) -> Ended {
        let mut received = self.received.to_vec();
        let read = soon("the end of a connection", self.stream.read_to_end(&mut received)).await;
        Ended { received, was_reset: read.is_err() }
    }
}
