//! Writes what a connection has to say: one call to the system for everything that waits.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use codec_api::Out;
use tokio::io::AsyncWrite;

/// Pieces per vectored write.
const PIECES: usize = 64;

/// Writes until nothing waits or the stream takes no more. `Ready(Ok)`: nothing waits. Tells how many bytes were taken
/// through `taken`.
pub fn poll_write_out<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    out: &mut Out,
    taken: &mut usize,
) -> Poll<io::Result<()>> {
    while !out.is_empty() {
        let count = if out.is_single() {
            ready!(Pin::new(&mut *stream).poll_write(cx, out.first()))?
        } else {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let filled = out.slices(&mut pieces);
            ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &pieces[..filled]))?
        };
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        out.advance(count);
        *taken += count;
    }
    Poll::Ready(Ok(()))
}
