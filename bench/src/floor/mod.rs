//! Yardsticks: programs of a proxy's shape that decide, count and limit nothing.
//!
//! `mux` and `queue` share one upstream connection among all clients, as our proxy does: one rewrites ids, the other, for
//! protocols without ids, remembers who asked in which order. `bytes` copies bytes over one upstream connection per
//! client, as a proxy must that does not know the protocol.

pub mod bytes;
pub mod mux;
pub mod queue;
mod side;

use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// How the messages of a protocol are taken apart by the floor that shares a connection.
#[derive(Clone, Copy, Debug)]
pub enum Frames {
    /// They bear ids.
    WithIds(mux::Frames),
    /// They are answered in order.
    InOrder(queue::Frames),
}

/// Connects to the backend and serves the listener until either fails. Needs a local runtime.
pub async fn serve(listener: TcpListener, backend: SocketAddr, frames: Frames) -> io::Result<()> {
    match frames {
        Frames::WithIds(frames) => mux::serve(listener, backend, frames).await,
        Frames::InOrder(frames) => queue::serve(listener, backend, frames).await,
    }
}
