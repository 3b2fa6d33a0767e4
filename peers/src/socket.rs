//! One turn of a socket: read once, write once.
//!
//! The load engine and the echo server share a processor with the proxy that they measure, so they make as few
//! system calls as can be: a read that did not fill the buffer is not repeated, and all answers of a turn leave in
//! one write. (tokio forgets a socket's readiness after such a short read or write.)

use bytes::{Buf, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

/// Room that is made before each read: 64 KiB.
const READ: usize = 64 << 10;

/// Reads once. Ready with the number of bytes that were added; 0 means that the other side has closed.
pub fn read_once(
    stream: &mut TcpStream,
    into: &mut BytesMut,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    into.reserve(READ);
    poll_read_buf(Pin::new(stream), context, into)
}

/// Writes what it can. Ready when nothing is left.
pub fn write_out(
    stream: &mut TcpStream,
    from: &mut BytesMut,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !from.is_empty() {
        match Pin::new(&mut *stream).poll_write(context, from) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(written)) => from.advance(written),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
    }
    Poll::Ready(Ok(()))
}
