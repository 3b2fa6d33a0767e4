//! The floor of a proxy that does not know the protocol: bytes are copied, one upstream connection per client.
//!
//! One future per client reads each side once per turn and writes what it read to the other side at once. It has no
//! timeouts, no limits and no backpressure.

use ::bytes::BytesMut;
use peers::socket::{read_once, write_out};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpStream};

/// Serves the listener until accepting fails. Needs a local runtime.
pub async fn serve(listener: TcpListener, backend: SocketAddr) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        client.set_nodelay(true)?;
        // A connection's error is that connection's end; its client sees it and tells.
        tokio::task::spawn_local(converse(client, backend));
    }
}

async fn converse(mut client: TcpStream, backend: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(backend).await?;
    server.set_nodelay(true)?;
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    poll_fn(|context| {
        let first = copy(&mut client, &mut server, &mut up, context)?;
        let second = copy(&mut server, &mut client, &mut down, context)?;
        if first.is_ready() || second.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

/// Ready when the first side has closed.
fn copy(
    from: &mut TcpStream,
    to: &mut TcpStream,
    buffer: &mut BytesMut,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        let read = read_once(from, buffer, context)?;
        if read == Poll::Ready(0) {
            return Poll::Ready(Ok(()));
        }
        // What is left is written when the socket wakes this task.
        let _ = write_out(to, buffer, context)?;
        if read.is_pending() {
            return Poll::Pending;
        }
    }
}
