//! A way to an API server that can be shut, so that who goes through it sees nothing, while others do.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on while it is open.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    is_open: watch::Sender<bool>,
}

impl Gate {
    /// One that leads to this port of this machine.
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.unwrap_or_else(|error| panic!("no free port: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("no address: {error}"));
        let (is_open, opens) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, port, opens.clone()));
            }
        });
        Self { address, is_open }
    }

    /// Where it is entered.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all who are in it, and lets nobody in.
    pub fn shut(&self) {
        self.is_open.send_replace(false);
    }

    /// Lets them in again.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }
}

async fn pass(mut inner: TcpStream, port: u16, mut is_open: watch::Receiver<bool>) {
    if !*is_open.borrow_and_update() {
        return;
    }
    let Ok(mut outer) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut inner, &mut outer) => {}
        _ = is_open.changed() => {}
    }
}
