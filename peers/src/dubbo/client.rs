//! A consumer: one connection, any number of outstanding calls, and what became of each.
//!
//! Works over any byte stream, so that tests can use sockets as well as in-memory pipes with a paused clock. It
//! answers heartbeats, remembers notices, and counts what it never asked for.

use super::call::Call;
use super::frame::{self, Frame, Header, Notice, heartbeat_answer};
use super::hessian::Value;
use super::reply::{Reply, Thrown};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

/// Frames that may wait to be written; more are refused as if the connection were closed.
const WRITE_QUEUE: usize = 1 << 16;
/// Bytes gathered into one write.
const WRITE_BATCH: usize = 64 << 10;
/// How long `connect` tries.
const CONNECT: Duration = Duration::from_secs(5);

/// A consumer's connection. Closed when dropped.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    writes: mpsc::Sender<Bytes>,
    tasks: [AbortHandle; 2],
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    closed: watch::Sender<Option<String>>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    waiting: HashMap<u64, Option<Waiting>>,
    received: Received,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    answer: oneshot::Sender<Arrived>,
}

#[derive(Debug)]
struct Arrived {
    frame: Frame,
    arrival: u64,
    after: Duration,
}

/// What came over the connection besides answers to calls that still waited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Answers to calls that still waited.
    pub answers: u64,
    /// Answers to calls that had given up.
    pub late: u64,
    /// Responses to ids that were never used, or that were answered before.
    pub strays: u64,
    /// Requests from the other side that were no events.
    pub requests: u64,
    /// Heartbeats from the other side; each was answered.
    pub heartbeats: u64,
    /// Notices in the order of arrival, heartbeats left out.
    pub notices: Vec<Notice>,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A value; `Value::Null` for null and void.
    Value(Value),
    /// An exception, thrown by the service or in its name.
    Exception(Thrown),
    /// A status other than 20, with its text.
    Status(u8, String),
    /// Status 20 in a serialization that is not read here: the body.
    Opaque(Bytes),
    /// No answer within the time given.
    TimedOut,
    /// The connection ended first; why.
    Closed(String),
    /// The answer could not be read; why.
    Malformed(String),
}

/// A call's end.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The call's id on this connection.
    pub id: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// Attachments of the response.
    pub attachments: Vec<(String, Value)>,
    /// The response's header, if there was a response.
    pub header: Option<Header>,
    /// Its place among all answers on this connection, from 0, if there was a response.
    pub arrival: Option<u64>,
    /// From `send` to the arrival of the response, or to giving up.
    pub after: Duration,
}

impl Answer {
    /// The text that was answered, if it was one.
    pub fn text(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Value(value) => value.text(),
            _ => None,
        }
    }

    /// Whether a value came back (null and opaque bodies included).
    pub fn is_ok(&self) -> bool {
        matches!(self.outcome, Outcome::Value(_) | Outcome::Opaque(_))
    }

    /// The response's attachment of exactly this name.
    pub fn attachment(&self, name: &str) -> Option<&Value> {
        self.attachments.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl Client {
    /// Connects within 5 seconds.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = timeout(CONNECT, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// A consumer over a stream that is connected already.
    pub fn over<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (from, to) = tokio::io::split(stream);
        let (writes, queue) = mpsc::channel(WRITE_QUEUE);
        let shared = Arc::new(Shared { state: Mutex::default(), closed: watch::Sender::new(None) });
        let reading = tokio::spawn(read(from, Arc::clone(&shared), writes.clone())).abort_handle();
        let writing = tokio::spawn(write(to, queue)).abort_handle();
        Client { shared, writes, tasks: [reading, writing] }
    }

    /// Sends a call and waits for its end, at most `within`.
    pub async fn call(&self, call: &Call, within: Duration) -> Answer {
        self.send(call).answer(within).await
    }

    /// Sends a call without waiting; any number may be outstanding.
    pub fn send(&self, call: &Call) -> Pending {
        self.ask(|id| call.request(id))
    }

    /// Sends a call that wants no answer.
    pub fn oneway(&self, call: &Call) {
        let id = self.shared.state().take_id();
        self.write(call.oneway(id));
    }

    /// Sends a heartbeat; whether its answer came within the time.
    pub async fn heartbeat(&self, within: Duration) -> bool {
        let answer = self.ask(|id| Notice::Heartbeat.frame(id)).answer(within).await;
        answer.header.is_some_and(|header| header.event && header.status == frame::status::OK)
    }

    /// Sends bytes as they stand: half messages, garbage, or a request under an id of the caller's choice.
    pub fn write(&self, bytes: Bytes) {
        // A queue that is gone says nothing yet: the reader still takes in what was answered before the end.
        if let Err(TrySendError::Full(_)) = self.writes.try_send(bytes) {
            self.shared.close("its queue of writes is full");
        }
    }

    /// What came besides answers, so far.
    pub fn received(&self) -> Received {
        self.shared.state().received.clone()
    }

    /// Calls that still wait.
    pub fn outstanding(&self) -> usize {
        self.shared.state().waiting.values().flatten().count()
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.closed.borrow().is_some()
    }

    /// Waits for the connection to end, at most `within`; why it ended, or `None`.
    pub async fn closed(&self, within: Duration) -> Option<String> {
        let mut closed = self.shared.closed.subscribe();
        let ended = timeout(within, closed.wait_for(Option::is_some)).await;
        ended.ok().and_then(Result::ok).and_then(|reason| reason.clone())
    }

    fn ask(&self, frame: impl FnOnce(u64) -> Bytes) -> Pending {
        let (answer, arrives) = oneshot::channel();
        let since = Instant::now();
        let id = {
            let mut state = self.shared.state();
            let id = state.take_id();
            state.waiting.insert(id, Some(Waiting { since, answer }));
            id
        };
        if self.is_closed() {
            self.shared.state().waiting.clear();
        } else {
            self.write(frame(id));
        }
        Pending { id, since, arrives, shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A call that was sent.
#[derive(Debug)]
pub struct Pending {
    id: u64,
    since: Instant,
    arrives: oneshot::Receiver<Arrived>,
    shared: Arc<Shared>,
}

impl Pending {
    /// The call's id on its connection.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Waits for the call's end, at most `within` from now.
    pub async fn answer(self, within: Duration) -> Answer {
        let Pending { id, since, arrives, shared } = self;
        let without = |outcome| Answer {
            id,
            outcome,
            attachments: Vec::new(),
            header: None,
            arrival: None,
            after: since.elapsed(),
        };
        match timeout(within, arrives).await {
            Ok(Ok(Arrived { frame, arrival, after })) => {
                let (outcome, attachments) = classified(&frame);
                Answer { id, outcome, attachments, header: Some(frame.header), arrival: Some(arrival), after }
            }
            Ok(Err(_)) => without(Outcome::Closed(
                shared.closed.borrow().clone().unwrap_or_else(|| "closed".to_owned()),
            )),
            Err(_) => {
                if let Some(waiting) = shared.state().waiting.get_mut(&id) {
                    *waiting = None;
                }
                without(Outcome::TimedOut)
            }
        }
    }
}

fn classified(frame: &Frame) -> (Outcome, Vec<(String, Value)>) {
    if frame.header.event {
        return (Outcome::Value(Value::Null), Vec::new());
    }
    match Reply::read(frame) {
        Ok((Reply::Value(value), attachments)) => (Outcome::Value(value), attachments),
        Ok((Reply::Exception(thrown), attachments)) => (Outcome::Exception(thrown), attachments),
        Ok((Reply::Status(status, text), attachments)) => (Outcome::Status(status, text), attachments),
        Ok((Reply::Opaque(body), attachments)) => (Outcome::Opaque(body), attachments),
        Err(error) => (Outcome::Malformed(error.to_string()), Vec::new()),
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every waiting call; the first reason stays.
    fn close(&self, reason: &str) {
        self.closed.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert_with(|| reason.to_owned());
            first
        });
        self.state().waiting.clear();
    }

    /// Takes a frame in; what must be written in answer to it.
    fn arrived(&self, frame: Frame) -> Option<Bytes> {
        let mut state = self.state();
        if frame.header.request {
            if !frame.header.event {
                state.received.requests += 1;
                return None;
            }
            let notice = Notice::of(&frame);
            if notice != Notice::Heartbeat {
                state.received.notices.push(notice);
            } else if frame.header.two_way {
                state.received.heartbeats += 1;
                return Some(heartbeat_answer(&frame.header));
            }
            return None;
        }
        match state.waiting.remove(&frame.header.id) {
            None => state.received.strays += 1,
            Some(None) => state.received.late += 1,
            Some(Some(Waiting { since, answer })) => {
                let arrival = state.received.answers;
                state.received.answers += 1;
                let arrived = Arrived { frame, arrival, after: since.elapsed() };
                if answer.send(arrived).is_err() {
                    state.received.answers -= 1;
                    state.received.late += 1;
                }
            }
        }
        None
    }
}

impl State {
    fn take_id(&mut self) -> u64 {
        let id = self.next;
        self.next += 1;
        id
    }
}

async fn read(mut stream: impl AsyncRead + Unpin, shared: Arc<Shared>, writes: mpsc::Sender<Bytes>) {
    let mut received = BytesMut::with_capacity(WRITE_BATCH);
    let reason = loop {
        match frame::cut(&mut received) {
            Ok(Some(frame)) => {
                if let Some(answer) = shared.arrived(frame)
                    && let Err(TrySendError::Full(_)) = writes.try_send(answer)
                {
                    break "its queue of writes is full".to_owned();
                }
                continue;
            }
            Ok(None) => {}
            Err(malformed) => break format!("it sent what is not Dubbo: {malformed}"),
        }
        match stream.read_buf(&mut received).await {
            Ok(0) if received.is_empty() => break "the other side closed".to_owned(),
            Ok(0) => break format!("the other side closed inside a message, after {} bytes", received.len()),
            Ok(_) => {}
            Err(error) => break format!("reading failed: {error}"),
        }
    };
    shared.close(&reason);
}

/// Writes what is queued; ends when the connection fails, which the reader will notice and tell.
async fn write(mut stream: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Bytes>) {
    let mut batch = BytesMut::new();
    while let Some(frame) = queue.recv().await {
        batch.extend_from_slice(&frame);
        while batch.len() < WRITE_BATCH
            && let Ok(more) = queue.try_recv()
        {
            batch.extend_from_slice(&more);
        }
        if stream.write_all_buf(&mut batch).await.is_err() {
            return;
        }
    }
}
