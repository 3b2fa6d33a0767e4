//! Bound addresses, and the tasks that accept connections on them.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::snapshot::{ListenerSpec, Snapshot};
use crate::telemetry::{ListenerSeries, Telemetry};

use super::workers::{Dealer, Workers};

/// Who counts what no worker sees: connections that are refused.
const ACCEPTOR: usize = usize::MAX;
/// Connections that the system establishes before they are accepted; beyond, a client's attempt is repeated after a second.
const BACKLOG: u32 = 4096;
/// How long to wait when the system has no more file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The listeners that are bound, by name.
pub struct Listeners {
    bound: BTreeMap<String, Bound>,
    unbound: BTreeMap<String, String>,
    cap: usize,
    telemetry: Arc<Telemetry>,
}

struct Bound {
    wanted: SocketAddr,
    address: SocketAddr,
    /// Opens it; `None`: it is open.
    open: Option<oneshot::Sender<()>>,
    accepting: JoinHandle<()>,
}

impl Listeners {
    /// None yet; each will accept up to `cap` connections.
    pub fn new(cap: usize, telemetry: Arc<Telemetry>) -> Self {
        Self { bound: BTreeMap::new(), unbound: BTreeMap::new(), cap, telemetry }
    }

    /// Accepts connections on all that are bound.
    pub fn open(&mut self) {
        for open in self.bound.values_mut().filter_map(|bound| bound.open.take()) {
            // It may have been closed meanwhile.
            let _ = open.send(());
        }
    }

    /// Whether it accepts connections.
    pub fn is_open(&self, name: &str) -> bool {
        self.bound.get(name).is_some_and(|bound| bound.open.is_none())
    }

    /// Where each is bound.
    pub fn addresses(&self) -> BTreeMap<String, Result<SocketAddr, String>> {
        let bound = self.bound.iter().map(|(name, bound)| (name.clone(), Ok(bound.address)));
        bound.chain(self.unbound.iter().map(|(name, error)| (name.clone(), Err(error.clone())))).collect()
    }

    /// Whether it is bound.
    pub fn is_bound(&self, name: &str) -> bool {
        self.bound.contains_key(name)
    }

    /// Whether it could not be bound.
    pub fn is_unbound(&self, name: &str) -> bool {
        self.unbound.contains_key(name)
    }

    /// Whether there is one that could not be bound.
    pub fn has_unbound(&self) -> bool {
        !self.unbound.is_empty()
    }

    /// Those that could not be bound, and why.
    pub fn unbound(&self) -> impl Iterator<Item = (&String, &String)> {
        self.unbound.iter()
    }

    /// Closes those that `snapshot` no longer has, or has elsewhere.
    pub fn retain(&mut self, snapshot: &Snapshot) {
        let stays = |name: &String, wanted: Option<SocketAddr>| {
            snapshot
                .listeners
                .get(name)
                .is_some_and(|spec| wanted == Some(spec.model.address) || wanted.is_none())
        };
        self.unbound.retain(|name, _| stays(name, None));
        self.bound.retain(|name, bound| {
            let stays = stays(name, Some(bound.wanted));
            if !stays {
                bound.accepting.abort();
            }
            stays
        });
    }

    /// Closes all.
    pub fn close(&mut self) {
        for (_, bound) in std::mem::take(&mut self.bound) {
            bound.accepting.abort();
        }
    }

    /// Binds a listener, at its own address or `elsewhere`. Its connections wait until it is opened.
    pub fn bind(
        &mut self,
        spec: &ListenerSpec,
        elsewhere: Option<SocketAddr>,
        workers: &Workers,
    ) -> Result<SocketAddr, String> {
        let (name, wanted) = (&spec.model.name, spec.model.address);
        let target = elsewhere.unwrap_or(wanted);
        let bound = listen(target).and_then(|socket| Ok((socket.local_addr()?, socket)));
        let (address, socket) = bound.map_err(|error| {
            let error = format!("{target} cannot be bound: {error}");
            self.unbound.insert(name.clone(), error.clone());
            error
        })?;
        self.unbound.remove(name);
        let listener: Arc<str> = name.as_str().into();
        let series = self.telemetry.listener(ACCEPTOR, listener.clone());
        let (open, opened) = oneshot::channel();
        let accept = accept(socket, listener, workers.dealer(), (self.cap, series));
        let accepting = tokio::spawn(async move {
            if opened.await.is_ok() {
                accept.await;
            }
        });
        self.bound.insert(name.clone(), Bound { wanted, address, open: Some(open), accepting });
        Ok(address)
    }
}

/// Binds `address`. That it is in use by another process is an error; what an earlier one has left behind is not.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections and deals them out, for ever.
async fn accept(
    socket: TcpListener,
    listener: Arc<str>,
    mut dealer: Dealer,
    (cap, series): (usize, Arc<ListenerSeries>),
) {
    let taken = Arc::new(AtomicUsize::new(0));
    let mut is_full = false;
    loop {
        let (stream, address) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%listener, %error, "cannot accept");
                sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        if taken.load(Ordering::Relaxed) >= cap {
            series.refused.inc();
            if !std::mem::replace(&mut is_full, true) {
                tracing::warn!(%listener, cap, "refuses connections: it has as many as it may");
            }
            continue;
        }
        is_full = false;
        match stream.into_std() {
            Ok(stream) => dealer.deal(&listener, stream, address, &taken),
            Err(error) => tracing::debug!(%listener, %error, "client connection lost"),
        }
    }
}
