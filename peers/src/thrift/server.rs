//! A server: a listener, or no listener and in-memory streams, behind which calls are answered as a test asks.
//!
//! Like Thrift's own servers it answers the calls of a connection one at a time; a call that is never answered
//! therefore stalls its connection. Told to, it answers each call as soon as it can, in whatever order. It counts what
//! reaches it and remembers the latest calls.

use super::dialect::{Dialect, Envelope};
use super::message::{Kind, Message};
use super::value::Value;
use bytes::{Bytes, BytesMut};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Calls that a server remembers.
const REMEMBERED: usize = 1024;
/// Answers of a connection that may wait to be written.
const ANSWERS: usize = 1024;

/// What a server does with a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Behaviour {
    /// Answers the first argument; void if there is none.
    Echo,
    /// Answers the server's label.
    Who,
    /// Answers the pairs of the call's header, as a map.
    Headers,
    /// Answers this result.
    Answer(Value),
    /// Answers nothing but that the method has ended.
    Void,
    /// Throws an exception that the IDL declares with this number.
    Declared(i16, Value),
    /// Throws a `TApplicationException` with this code and text.
    Application(i32, String),
    /// Never answers.
    Silent,
    /// Closes the connection.
    Close,
    /// Waits this long, then does the other.
    After(Duration, Box<Behaviour>),
}

/// A call that reached the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Number of the connection, from 0 in the order of acceptance.
    pub connection: u64,
    /// The call, and what came in its header.
    pub call: Envelope,
}

/// What has reached a server so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls, with and without answers.
    pub calls: u64,
    /// Calls that wanted no answer.
    pub oneways: u64,
    /// Calls answered, in whatever way.
    pub answered: u64,
    /// Messages that could not be read; each ended its connection.
    pub malformed: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
}

/// How a server shall behave; `start` or `off_network` make it.
#[derive(Clone, Debug)]
pub struct Builder {
    label: String,
    dialect: Dialect,
    methods: HashMap<String, Behaviour>,
    otherwise: Behaviour,
    at_once: bool,
}

impl Builder {
    /// What it speaks; framed binary unless told otherwise.
    #[must_use]
    pub fn speaking(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// What to do with calls of this method; of a multiplexed one, by its name behind the colon.
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

    /// Answers each call as soon as it can, whatever becomes of those before it.
    #[must_use]
    pub fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Listens on 127.0.0.1 with a port of the kernel's choice, on the current tokio runtime.
    pub async fn start(self) -> io::Result<Server> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = listener.local_addr()?;
        let server = Server { core: Arc::new(Core::new(self)), address: Some(address) };
        tokio::spawn(Arc::clone(&server.core).accept(listener));
        Ok(server)
    }

    /// Makes a server without a listener; streams reach it through `Server::serve`.
    pub fn off_network(self) -> Server {
        Server { core: Arc::new(Core::new(self)), address: None }
    }
}

/// A running server. Stopped when dropped.
#[derive(Debug)]
pub struct Server {
    core: Arc<Core>,
    address: Option<SocketAddr>,
}

impl Server {
    /// A framed binary server that answers its label to `whoAmI`, and to every other method its first argument.
    pub fn builder(label: &str) -> Builder {
        Builder {
            label: label.to_owned(),
            dialect: Dialect::FRAMED_BINARY,
            methods: HashMap::from([("whoAmI".to_owned(), Behaviour::Who)]),
            otherwise: Behaviour::Echo,
            at_once: false,
        }
    }

    /// Where it listens. A server made `off_network` has no address: asking for it is a mistake and panics.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("only a server that was started has an address")
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
        tokio::spawn(Arc::clone(&self.core).attend(stream));
    }

    /// What has reached it so far.
    pub fn counts(&self) -> Counts {
        let Tally { calls, oneways, answered, malformed, connections, open } = &self.core.tally;
        let number = |counter: &AtomicU64| counter.load(Relaxed);
        Counts {
            calls: number(calls),
            oneways: number(oneways),
            answered: number(answered),
            malformed: number(malformed),
            connections: number(connections),
            open: number(open),
        }
    }

    /// The latest calls, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.core.seen().iter().cloned().collect()
    }

    /// Stops listening and closes every connection, answered or not.
    pub fn stop(&self) {
        self.core.stopping.cancel();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

#[derive(Debug, Default)]
struct Tally {
    calls: AtomicU64,
    oneways: AtomicU64,
    answered: AtomicU64,
    malformed: AtomicU64,
    connections: AtomicU64,
    open: AtomicU64,
}

#[derive(Debug)]
struct Core {
    plan: Builder,
    tally: Tally,
    seen: Mutex<VecDeque<Seen>>,
    stopping: CancellationToken,
}

/// What a behaviour comes to.
enum Act {
    Answer(Message),
    Nothing,
    Close,
}

/// Whether a connection goes on to its next call.
#[derive(PartialEq, Eq)]
enum Progress {
    Ready,
    Stalled,
}

impl Core {
    fn new(plan: Builder) -> Self {
        Core { plan, tally: Tally::default(), seen: Mutex::default(), stopping: CancellationToken::new() }
    }

    fn seen(&self) -> MutexGuard<'_, VecDeque<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let stream = tokio::select! {
                () = self.stopping.cancelled() => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(_) => continue,
                },
            };
            // It only matters to speed.
            let _ = stream.set_nodelay(true);
            tokio::spawn(Arc::clone(&self).attend(stream));
        }
    }

    /// A connection's error is that connection's end; the client sees it and tells.
    async fn attend<S: AsyncRead + AsyncWrite + Send + 'static>(self: Arc<Self>, stream: S) {
        let number = self.tally.connections.fetch_add(1, Relaxed);
        self.tally.open.fetch_add(1, Relaxed);
        let (reader, writer) = tokio::io::split(stream);
        let (answers, written) = mpsc::channel(ANSWERS);
        let severed = self.stopping.child_token();
        let reads = Arc::clone(&self).read(reader, number, answers, severed.clone());
        tokio::select! {
            () = severed.cancelled() => {}
            _ = async { tokio::join!(reads, write(writer, written)) } => {}
        }
        self.tally.open.fetch_sub(1, Relaxed);
    }

    async fn read(
        self: Arc<Self>,
        mut reader: impl AsyncRead + Unpin,
        connection: u64,
        answers: mpsc::Sender<Bytes>,
        severed: CancellationToken,
    ) {
        let mut received = BytesMut::new();
        loop {
            match self.plan.dialect.cut(&mut received) {
                Ok(Some(call)) => {
                    self.note(connection, &call);
                    let acted = Arc::clone(&self).act(call, answers.clone(), severed.clone());
                    if self.plan.at_once {
                        tokio::spawn(acted);
                    } else if acted.await == Progress::Stalled {
                        return until_closed(reader).await;
                    }
                    continue;
                }
                Ok(None) => {}
                Err(_) => {
                    self.tally.malformed.fetch_add(1, Relaxed);
                    return severed.cancel();
                }
            }
            if !matches!(reader.read_buf(&mut received).await, Ok(count) if count > 0) {
                return;
            }
        }
    }

    fn note(&self, connection: u64, call: &Envelope) {
        self.tally.calls.fetch_add(1, Relaxed);
        if call.message.kind == Kind::Oneway {
            self.tally.oneways.fetch_add(1, Relaxed);
        }
        let mut seen = self.seen();
        seen.push_back(Seen { connection, call: call.clone() });
        while seen.len() > REMEMBERED {
            seen.pop_front();
        }
    }

    async fn act(
        self: Arc<Self>,
        call: Envelope,
        answers: mpsc::Sender<Bytes>,
        severed: CancellationToken,
    ) -> Progress {
        let method = call.message.name.rsplit(':').next().unwrap_or_default();
        let mut behaviour = self.plan.methods.get(method).unwrap_or(&self.plan.otherwise);
        while let Behaviour::After(delay, then) = behaviour {
            tokio::time::sleep(*delay).await;
            behaviour = then;
        }
        match self.answer(behaviour, &call) {
            Act::Close => severed.cancel(),
            _ if call.message.kind == Kind::Oneway => {}
            Act::Nothing => return Progress::Stalled,
            Act::Answer(answer) => {
                let mut out = BytesMut::new();
                self.plan.dialect.write(&answer.into(), &mut out);
                self.tally.answered.fetch_add(1, Relaxed);
                // A connection that has ended wants no answers.
                let _ = answers.send(out.freeze()).await;
            }
        }
        Progress::Ready
    }

    fn answer(&self, behaviour: &Behaviour, call: &Envelope) -> Act {
        let result = |value: Value| Act::Answer(call.message.answer(vec![(0, value)]));
        match behaviour {
            Behaviour::Echo => match call.message.fields.first() {
                Some((_, argument)) => result(argument.clone()),
                None => Act::Answer(call.message.answer(Vec::new())),
            },
            Behaviour::Who => result(Value::from(&*self.plan.label)),
            Behaviour::Headers => {
                result(Value::texts(call.headers.iter().map(|(key, value)| (&**key, &**value))))
            }
            Behaviour::Answer(value) => result(value.clone()),
            Behaviour::Void => Act::Answer(call.message.answer(Vec::new())),
            Behaviour::Declared(id, value) => Act::Answer(call.message.answer(vec![(*id, value.clone())])),
            Behaviour::Application(code, text) => Act::Answer(call.message.exception(*code, text)),
            Behaviour::Silent | Behaviour::After(..) => Act::Nothing,
            Behaviour::Close => Act::Close,
        }
    }
}

/// Reads what nobody will look at, as a connection's kernel does while its server is busy for ever.
async fn until_closed(mut reader: impl AsyncRead + Unpin) {
    let mut unread = BytesMut::new();
    while matches!(reader.read_buf(&mut unread).await, Ok(count) if count > 0) {
        unread.clear();
    }
}

async fn write(mut writer: impl AsyncWrite + Unpin, mut answers: mpsc::Receiver<Bytes>) {
    while let Some(answer) = answers.recv().await {
        if writer.write_all(&answer).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}
