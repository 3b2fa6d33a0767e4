//! Other proxies: how they are had, configured and started.

pub mod envoy;
pub mod haproxy;
pub mod twemproxy;
mod package;

use anyhow::Context;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A free port for a proxy that cannot say which one the kernel gave it. It is on 127.0.0.2, where no client's
/// connection of this comparison takes its own port.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).context("no port on 127.0.0.2")?;
    Ok(listener.local_addr()?)
}
