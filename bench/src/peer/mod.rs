//! Other proxies: how they are had, configured and started.

pub mod envoy;
pub mod haproxy;
pub mod twemproxy;
mod package;

use anyhow::Context;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

/// Where what is installed for the comparison is kept: `meta-proxy/peers` in the user's cache.
fn cache() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(cache
        .context("neither XDG_CACHE_HOME nor HOME says where to keep what is installed")?
        .join("meta-proxy/peers"))
}

/// A free port for a proxy that cannot say which one the kernel gave it. It is on 127.0.0.2, where no client's
/// connection of this comparison takes its own port.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).context("no port on 127.0.0.2")?;
    Ok(listener.local_addr()?)
}
