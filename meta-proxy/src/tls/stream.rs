//! An encrypted connection as a byte stream like any other.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use crate::wire::BoxStream;

use super::words;

/// An encrypted connection.
///
/// Bytes count as written when the stream below has taken them, encrypted, and not before: so a connection knows what
/// still waits for its peer, as with a plain one, and needs no flush. A write that could not be finished must be repeated
/// with the same bytes, or more, at the front, as [`crate::wire::poll_write_out`] does.
pub(super) struct Stream {
    inner: TlsStream<BoxStream>,
    /// Bytes of the write under way that are encrypted, and not yet all taken.
    under_way: usize,
    peer: &'static str,
}

impl Stream {
    pub(super) fn new(inner: TlsStream<BoxStream>, peer: &'static str) -> Self {
        Self { inner, under_way: 0, peer }
    }

    fn poll_write_by(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TlsStream<BoxStream>>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.under_way == 0 {
            self.under_way = ready!(write(Pin::new(&mut self.inner), cx))?;
        }
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        Poll::Ready(Ok(std::mem::take(&mut self.under_way)))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let peer = self.peer;
        match ready!(Pin::new(&mut self.inner).poll_read(cx, buffer)) {
            // Many peers close without a word. Whether a message was cut, its codec sees.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(words::later(error, peer))),
            Ok(()) => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_by(cx, |inner, cx| inner.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_by(cx, |inner, cx| inner.poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl Drop for Stream {
    /// Says goodbye, as far as that can be done without waiting: a peer may take an end without it for an attack.
    fn drop(&mut self) {
        let _ = Pin::new(&mut self.inner).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }
}
