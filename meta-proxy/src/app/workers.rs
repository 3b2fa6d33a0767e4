//! The threads that serve.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::LocalOptions;
use tokio::sync::{mpsc, oneshot};
use tokio::time::interval;

use crate::bootstrap::Bootstrap;
use crate::downstream::{Command, Seat, Worker};
use crate::local::Local;
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use crate::wire::Tcp;

/// How often a draining proxy looks whether it is idle.
const IDLE_CHECK: Duration = Duration::from_millis(20);

/// All workers.
pub struct Workers(Vec<Handle>);

struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    load: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Workers {
    /// Starts as many as `bootstrap` says.
    pub fn start(bootstrap: &Bootstrap, telemetry: &Arc<Telemetry>) -> io::Result<Self> {
        let count = bootstrap.concurrency.max(1);
        let queued = bootstrap.queued_bytes / count;
        let seed =
            |index: usize| bootstrap.seed.map_or_else(|| fastrand::u64(..), |seed| seed + index as u64);
        (0..count)
            .map(|index| Handle::start(index, seed(index), queued, telemetry.clone()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Lets every worker serve by `snapshot`, and waits until it does.
    pub async fn apply(&self, snapshot: &Arc<Snapshot>) {
        let mut done = Vec::with_capacity(self.0.len());
        for worker in &self.0 {
            let (sender, receiver) = oneshot::channel();
            let _ = worker.commands.send(Command::Apply(snapshot.clone(), sender));
            done.push(receiver);
        }
        for receiver in done {
            let _ = receiver.await;
        }
    }

    /// A way to deal out connections.
    pub fn dealer(&self) -> Dealer {
        let seats = self.0.iter().map(|worker| (worker.commands.clone(), worker.load.clone())).collect();
        Dealer { workers: seats, next: 0 }
    }

    /// Tells clients to go elsewhere.
    pub fn drain(&self) {
        for worker in &self.0 {
            let _ = worker.commands.send(Command::Drain);
        }
    }

    /// Connections of all workers.
    pub fn load(&self) -> usize {
        self.0.iter().map(|worker| worker.load.load(Ordering::Relaxed)).sum()
    }

    /// Waits until no worker has a connection.
    pub async fn are_idle(&self) {
        let mut ticks = interval(IDLE_CHECK);
        while self.load() > 0 {
            ticks.tick().await;
        }
    }

    /// Ends all threads.
    pub fn stop(self) {
        for worker in self.0 {
            let _ = worker.commands.send(Command::Stop);
            if worker.thread.join().is_err() {
                tracing::error!("a worker had panicked");
            }
        }
    }
}

impl Handle {
    fn start(index: usize, seed: u64, queued: usize, telemetry: Arc<Telemetry>) -> io::Result<Self> {
        let load = Arc::new(AtomicUsize::new(0));
        let (commands, received) = mpsc::unbounded_channel();
        let (started, has_started) = std::sync::mpsc::channel();
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default());
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error))),
            };
            let _ = started.send(Ok(()));
            runtime.block_on(async {
                let local = Rc::new(Local::new(index, seed, queued, telemetry));
                Worker::new(local, Rc::new(Tcp)).run(received).await;
            });
        };
        let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(work)?;
        has_started.recv().map_err(io::Error::other)??;
        Ok(Self { commands, load, thread })
    }
}

/// Deals out connections to the workers: each goes to the one with the fewest.
pub struct Dealer {
    workers: Vec<(mpsc::UnboundedSender<Command>, Arc<AtomicUsize>)>,
    next: usize,
}

impl Dealer {
    /// Gives a connection to a worker. `taken` counts the connections of its listener.
    pub fn deal(
        &mut self,
        listener: &Arc<str>,
        stream: TcpStream,
        address: SocketAddr,
        taken: &Arc<AtomicUsize>,
    ) {
        let count = self.workers.len();
        self.next = (self.next + 1) % count;
        let in_turn = (self.next..self.next + count).map(|place| &self.workers[place % count]);
        let Some((commands, load)) = in_turn.min_by_key(|(_, load)| load.load(Ordering::Relaxed)) else {
            return;
        };
        let seat = Seat::take([load.clone(), taken.clone()]);
        let _ = commands.send(Command::Serve(listener.clone(), stream, address, seat));
    }
}
