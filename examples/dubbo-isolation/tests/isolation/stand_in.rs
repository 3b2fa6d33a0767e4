//! A stand-in for the proxy: deals calls out to the provider with the fewest outstanding, among all of them, or,
//! once the router is in place, among those that are meant for the call.

use dubbo_isolation::experiment::Front;
use dubbo_isolation::marking::Marking;
use peers::dubbo::frame::{self, Header};
use peers::dubbo::{Frame, Request, Value};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::spawn_local;

type Writes = UnboundedSender<Frame>;

/// The stand-in, on a thread of its own for as long as the test process lives.
pub(crate) struct StandIn {
    address: SocketAddr,
    routed: Arc<AtomicBool>,
}

impl StandIn {
    pub(crate) fn start(providers: [SocketAddr; 4], marking: Marking) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let stand_in = StandIn { address: listener.local_addr()?, routed: Arc::default() };
        let routed = Arc::clone(&stand_in.routed);
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
            runtime.block_on(serve(listener, providers, routed, marking))
        });
        Ok(stand_in)
    }
}

impl Front for StandIn {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn put_router(&mut self) -> anyhow::Result<()> {
        self.routed.store(true, Relaxed);
        Ok(())
    }

    fn check(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

struct Owed {
    client: Writes,
    id: u64,
    provider: usize,
}

struct Switch {
    providers: Vec<Writes>,
    outstanding: [usize; 4],
    owed: HashMap<u64, Owed>,
    next: u64,
    routed: Arc<AtomicBool>,
    marking: Marking,
}

impl Switch {
    fn request(&mut self, mut frame: Frame, client: &Writes) {
        let request = Request::read(&frame).expect("the demo's own calls");
        let text = |name: &str| request.attachment(name).and_then(Value::text);
        let batch = match self.marking {
            Marking::Attachment => text("batchJob") == Some("true"),
            Marking::Application => text("remote.application").is_some_and(|name| name.starts_with("batch-")),
        };
        let meant = match (self.routed.load(Relaxed), batch) {
            (false, _) => 0..4,
            (true, false) => 0..2,
            (true, true) => 2..4,
        };
        let provider = meant.min_by_key(|&nth| self.outstanding[nth]).expect("no range is empty");
        self.outstanding[provider] += 1;
        self.next += 1;
        self.owed.insert(self.next, Owed { client: client.clone(), id: frame.header.id, provider });
        frame.header.id = self.next;
        let _ = self.providers[provider].send(frame);
    }

    fn response(&mut self, mut frame: Frame) {
        let owed = self.owed.remove(&frame.header.id).expect("an answer to what was asked");
        self.outstanding[owed.provider] -= 1;
        frame.header = Header { id: owed.id, ..frame.header };
        let _ = owed.client.send(frame);
    }
}

async fn serve(
    listener: TcpListener,
    providers: [SocketAddr; 4],
    routed: Arc<AtomicBool>,
    marking: Marking,
) -> io::Result<()> {
    let switch =
        Switch { providers: Vec::new(), outstanding: [0; 4], owed: HashMap::new(), next: 0, routed, marking };
    let switch = Rc::new(RefCell::new(switch));
    for provider in providers {
        let stream = TcpStream::connect(provider).await?;
        let (writes, queue) = unbounded_channel();
        switch.borrow_mut().providers.push(writes);
        let switch = Rc::clone(&switch);
        spawn_local(converse(stream, queue, move |frame| switch.borrow_mut().response(frame)));
    }
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (writes, queue) = unbounded_channel();
        let switch = Rc::clone(&switch);
        spawn_local(converse(stream, queue, move |frame| switch.borrow_mut().request(frame, &writes)));
    }
}

async fn converse(stream: TcpStream, mut queue: UnboundedReceiver<Frame>, mut on: impl FnMut(Frame)) {
    stream.set_nodelay(true).expect("a connected socket");
    let (mut reads, mut writes) = stream.into_split();
    let mut received = bytes::BytesMut::new();
    loop {
        tokio::select! {
            read = reads.read_buf(&mut received) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    while let Some(frame) = frame::cut(&mut received).expect("Dubbo") {
                        on(frame);
                    }
                }
            },
            Some(frame) = queue.recv() => {
                if writes.write_all(&frame.header.frame(&frame.body)).await.is_err() {
                    return;
                }
            }
        }
    }
}
