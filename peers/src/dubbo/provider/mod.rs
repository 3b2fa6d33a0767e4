//! A provider: a listener, or no listener and in-memory streams, behind which calls are answered as a test asks.
//!
//! What it does with a call depends on the method; a bounded number of workers may take a fixed time for each, and
//! calls beyond them queue, first come, first served. It counts what reaches it and remembers the latest calls.

mod connection;

use super::frame::Notice;
use super::hessian::Value;
use super::reply::Thrown;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long `stop` waits for tasks that were told to end.
const STOP: Duration = Duration::from_secs(2);
/// Calls that a provider remembers unless told otherwise.
const REMEMBERED: usize = 1024;

/// What a provider does with a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Behaviour {
    /// Answers the first argument, or null if there is none; a body that it cannot read comes back as it is.
    Echo,
    /// Answers the provider's label.
    Who,
    /// Answers this value.
    Answer(Value),
    /// Throws.
    Throw(Thrown),
    /// Answers a status other than 20 with this text.
    Status(u8, String),
    /// Never answers.
    Silent,
    /// Closes the connection.
    Close,
    /// Waits this long, then does the other. Takes no worker's time.
    After(Duration, Box<Behaviour>),
}

/// What a provider does with a new connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAccept {
    /// Serves it.
    #[default]
    Serve,
    /// Closes it at once.
    Close,
    /// Resets it at once.
    Reset,
    /// Keeps it open and never reads from it.
    Ignore,
}

/// A call that reached the provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Number of the connection, from 0 in the order of acceptance.
    pub connection: u64,
    /// The request's id on that connection.
    pub id: u64,
    /// Whether it wanted an answer.
    pub two_way: bool,
    /// Serialization of its body; the fields below are empty unless it was hessian2.
    pub serialization: u8,
    /// Path or interface.
    pub interface: String,
    /// Service version.
    pub version: String,
    /// Method.
    pub method: String,
    /// Arguments.
    pub arguments: Vec<Value>,
    /// Attachments in the order on the wire.
    pub attachments: Vec<(String, Value)>,
}

impl Seen {
    /// The attachment of exactly this name.
    pub fn attachment(&self, name: &str) -> Option<&Value> {
        self.attachments.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// What has reached a provider so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls, with and without answers.
    pub requests: u64,
    /// Calls that wanted no answer.
    pub oneways: u64,
    /// Calls answered, in whatever way.
    pub answered: u64,
    /// Heartbeats; each was answered.
    pub heartbeats: u64,
    /// Other events.
    pub notices: u64,
    /// Responses, which nobody asked for.
    pub responses: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Calls that a worker has finished.
    pub worked: u64,
    /// What the workers took for them, measured, in total.
    pub work_time: Duration,
}

/// How a provider shall behave; `start` or `off_network` make it.
#[derive(Clone, Debug)]
pub struct Builder {
    label: String,
    methods: HashMap<String, Behaviour>,
    otherwise: Behaviour,
    workers: Option<(usize, Duration)>,
    accepting: OnAccept,
    reset_on_close: bool,
    attachments: Vec<(String, Value)>,
    remembered: usize,
    address: SocketAddr,
}

impl Builder {
    /// What to do with calls of this method.
    #[must_use]
    pub fn on(mut self, method: &str, behaviour: Behaviour) -> Self {
        self.methods.insert(method.to_owned(), behaviour);
        self
    }

    /// What to do with calls of every other method; at first, echo.
    #[must_use]
    pub fn otherwise(mut self, behaviour: Behaviour) -> Self {
        self.otherwise = behaviour;
        self
    }

    /// At most `count` calls are worked on at a time, each for `time`; others wait their turn.
    #[must_use]
    pub fn workers(mut self, count: usize, time: Duration) -> Self {
        self.workers = Some((count, time));
        self
    }

    /// What to do with new connections.
    #[must_use]
    pub fn accepting(mut self, what: OnAccept) -> Self {
        self.accepting = what;
        self
    }

    /// Whenever the provider closes a connection, the other side sees a reset.
    #[must_use]
    pub fn reset_on_close(mut self) -> Self {
        self.reset_on_close = true;
        self
    }

    /// Adds an attachment to each response whose requester understands them.
    #[must_use]
    pub fn attachment(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attachments.push((name.to_owned(), value.into()));
        self
    }

    /// How many of the latest calls to remember; 1,024 unless told otherwise.
    #[must_use]
    pub fn remember(mut self, calls: usize) -> Self {
        self.remembered = calls;
        self
    }

    /// Where to listen; 127.0.0.1 with a port of the kernel's choice unless told otherwise.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Listens, on the current tokio runtime.
    pub async fn start(self) -> io::Result<Provider> {
        let listener = TcpListener::bind(self.address).await?;
        let address = listener.local_addr()?;
        let provider = Provider { core: Arc::new(Core::new(self)), address: Some(address) };
        let core = Arc::clone(&provider.core);
        core.tracker.spawn(accept(Arc::clone(&core), listener));
        Ok(provider)
    }

    /// Makes a provider without a listener; streams reach it through `Provider::serve`.
    pub fn off_network(self) -> Provider {
        Provider { core: Arc::new(Core::new(self)), address: None }
    }
}

/// A running provider. Stopped when dropped.
#[derive(Debug)]
pub struct Provider {
    core: Arc<Core>,
    address: Option<SocketAddr>,
}

impl Provider {
    /// A provider that answers its label to `who`, and to every other method its first argument.
    pub fn builder(label: &str) -> Builder {
        Builder {
            label: label.to_owned(),
            methods: HashMap::from([("who".to_owned(), Behaviour::Who)]),
            otherwise: Behaviour::Echo,
            workers: None,
            accepting: OnAccept::Serve,
            reset_on_close: false,
            attachments: Vec::new(),
            remembered: REMEMBERED,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }

    /// Where it listens. A provider made `off_network` has no address: asking for it is a mistake and panics.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("only a provider that was started has an address")
    }

    /// Its label.
    pub fn label(&self) -> &str {
        &self.core.plan.label
    }

    /// Serves one more stream, as if it had been accepted.
    pub fn serve<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.core.clone().attend(stream);
    }

    /// What has reached it so far.
    pub fn counts(&self) -> Counts {
        let Tally { requests, oneways, answered, heartbeats, notices, responses, malformed, .. } =
            &self.core.tally;
        let number = |counter: &AtomicU64| counter.load(Relaxed);
        Counts {
            requests: number(requests),
            oneways: number(oneways),
            answered: number(answered),
            heartbeats: number(heartbeats),
            notices: number(notices),
            responses: number(responses),
            malformed: number(malformed),
            connections: number(&self.core.tally.connections),
            open: self.core.open().len() as u64,
            worked: number(&self.core.tally.worked),
            work_time: Duration::from_nanos(number(&self.core.tally.work_nanos)),
        }
    }

    /// The latest calls, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.core.seen).iter().cloned().collect()
    }

    /// Sends a notice (or a heartbeat) on every open connection; on how many.
    pub fn announce(&self, notice: Notice) -> usize {
        let open = self.core.open();
        let frame = notice.frame(self.core.tally.events.fetch_add(1, Relaxed));
        open.values().filter(|connection| connection.try_send(frame.clone()).is_ok()).count()
    }

    /// Closes every open connection; new ones are welcome.
    pub fn sever(&self) {
        let mut connections = lock(&self.core.connections);
        connections.cancel();
        *connections = self.core.stopping.child_token();
    }

    /// Stops listening and closes every connection, answered or not; returns within 2 seconds.
    pub async fn stop(&self) {
        self.core.stopping.cancel();
        self.core.tracker.close();
        // What has not ended by then holds nothing but memory.
        let _ = timeout(STOP, self.core.tracker.wait()).await;
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.core.stopping.cancel();
    }
}

/// An address where connections are refused for as long as this lives: bound, and never listened on.
#[derive(Debug)]
pub struct Refusing {
    address: SocketAddr,
    _held: TcpSocket,
}

impl Refusing {
    /// Binds 127.0.0.1 with a port of the kernel's choice.
    pub fn new() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Refusing { address: socket.local_addr()?, _held: socket })
    }

    /// The address that refuses.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[derive(Debug, Default)]
struct Tally {
    requests: AtomicU64,
    oneways: AtomicU64,
    answered: AtomicU64,
    heartbeats: AtomicU64,
    notices: AtomicU64,
    responses: AtomicU64,
    malformed: AtomicU64,
    connections: AtomicU64,
    worked: AtomicU64,
    work_nanos: AtomicU64,
    outstanding: AtomicU64,
    events: AtomicU64,
}

#[derive(Debug)]
struct Core {
    plan: Builder,
    workers: Option<(Semaphore, Duration)>,
    tally: Tally,
    seen: Mutex<VecDeque<Seen>>,
    open: Mutex<HashMap<u64, mpsc::Sender<Bytes>>>,
    stopping: CancellationToken,
    connections: Mutex<CancellationToken>,
    tracker: TaskTracker,
}

impl Core {
    fn new(plan: Builder) -> Self {
        let stopping = CancellationToken::new();
        Core {
            workers: plan.workers.map(|(count, time)| (Semaphore::new(count), time)),
            plan,
            tally: Tally::default(),
            seen: Mutex::default(),
            open: Mutex::default(),
            connections: Mutex::new(stopping.child_token()),
            stopping,
            tracker: TaskTracker::new(),
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<Bytes>>> {
        lock(&self.open)
    }

    fn remember(&self, call: Seen) {
        let mut seen = lock(&self.seen);
        seen.push_back(call);
        while seen.len() > self.plan.remembered {
            seen.pop_front();
        }
    }

    fn behaviour(&self, method: &str) -> &Behaviour {
        self.plan.methods.get(method).unwrap_or(&self.plan.otherwise)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(core: Arc<Core>, listener: TcpListener) {
    loop {
        let stream = tokio::select! {
            () = core.stopping.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
        };
        // Both only matter to speed and to the way of closing; a socket that fails here fails again below.
        let _ = stream.set_nodelay(true);
        if core.plan.reset_on_close || core.plan.accepting == OnAccept::Reset {
            let _ = stream.set_zero_linger();
        }
        match core.plan.accepting {
            OnAccept::Serve => core.clone().attend(stream),
            OnAccept::Close | OnAccept::Reset => {
                core.tally.connections.fetch_add(1, Relaxed);
            }
            OnAccept::Ignore => core.clone().ignore(stream),
        }
    }
}

impl Core {
    fn ignore(self: Arc<Self>, stream: TcpStream) {
        self.tally.connections.fetch_add(1, Relaxed);
        let severed = lock(&self.connections).clone();
        self.tracker.spawn(async move {
            severed.cancelled().await;
            drop(stream);
        });
    }
}
