//! A relay between a proxy and its controller that cuts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Carries connections to a controller.
pub struct Relay {
    pub address: SocketAddr,
    cut: watch::Sender<u64>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Relays to `target`. The first connection ends after `limit` bytes towards the proxy, each further one after as
    /// many more.
    pub async fn start(target: SocketAddr, limit: Option<usize>) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (cut, cuts) = watch::channel(0);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = socket.accept().await else { return };
                let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                let limit = limit.map_or(usize::MAX, |limit| limit * number);
                tokio::spawn(carry(client, target, limit, cuts.clone()));
            }
        });
        Self { address, cut, connections, accepting }
    }

    /// Ends all connections that there are.
    pub fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Ends all connections, and takes no more.
    pub async fn stop(self) {
        self.accepting.abort();
        // Its end is that it was aborted.
        let _ = self.accepting.await;
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

async fn carry(mut client: TcpStream, target: SocketAddr, limit: usize, mut cuts: watch::Receiver<u64>) {
    cuts.mark_unchanged();
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let (mut left, mut up, mut down) = (limit, [0; 4096], [0; 4096]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(count @ 1..) if server.write_all(&up[..count]).await.is_ok() => {}
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(count @ 1..) => {
                    let count = count.min(left);
                    if client.write_all(&down[..count]).await.is_err() || count == left {
                        return;
                    }
                    left -= count;
                }
                _ => return,
            },
            _ = cuts.changed() => return,
        }
    }
}
