//! One connection of a provider: reads calls, does what was asked for, writes answers as they become ready.

use super::{Behaviour, Core, Seen, lock};
use crate::dubbo::call::Request;
use crate::dubbo::frame::{self, Frame, HESSIAN2, Header, Notice, heartbeat_answer, status};
use crate::dubbo::hessian::Value;
use crate::dubbo::reply::Reply;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Answers that may wait to be written on one connection.
const WRITE_QUEUE: usize = 4096;
/// Bytes gathered into one write.
const WRITE_BATCH: usize = 64 << 10;
/// Calls that may wait for a worker or a delay; more are answered with status 100.
const OUTSTANDING: u64 = 100_000;

/// One connection as its calls see it.
#[derive(Clone)]
struct Line {
    number: u64,
    out: mpsc::Sender<Bytes>,
    /// Cancelled to close it.
    hang_up: CancellationToken,
}

impl Core {
    pub(super) fn attend<S>(self: Arc<Self>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let number = self.tally.connections.fetch_add(1, Relaxed);
        let hang_up = lock(&self.connections).child_token();
        let (out, queue) = mpsc::channel(WRITE_QUEUE);
        self.open().insert(number, out.clone());
        let core = Arc::clone(&self);
        let line = Line { number, out, hang_up: hang_up.clone() };
        self.tracker.spawn(async move {
            let (reads, writes) = tokio::io::split(stream);
            tokio::select! {
                () = hang_up.cancelled() => {}
                () = Arc::clone(&core).read(line, reads) => {}
                () = write(writes, queue) => {}
            }
            core.open().remove(&number);
        });
    }

    async fn read(self: Arc<Self>, line: Line, mut stream: impl AsyncRead + Unpin) {
        let mut received = BytesMut::with_capacity(WRITE_BATCH);
        while !line.hang_up.is_cancelled() {
            match frame::cut(&mut received) {
                Ok(Some(frame)) => {
                    self.message(&line, &frame).await;
                    continue;
                }
                Ok(None) => {}
                Err(_) => {
                    self.tally.malformed.fetch_add(1, Relaxed);
                    return;
                }
            }
            match stream.read_buf(&mut received).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    async fn message(self: &Arc<Self>, line: &Line, frame: &Frame) {
        let Header { request, event, two_way, .. } = frame.header;
        if !request {
            self.tally.responses.fetch_add(1, Relaxed);
        } else if !event {
            self.call(line, frame).await;
        } else if Notice::of(frame) != Notice::Heartbeat {
            self.tally.notices.fetch_add(1, Relaxed);
        } else {
            self.tally.heartbeats.fetch_add(1, Relaxed);
            if two_way {
                // A connection that is gone shows at the next read.
                let _ = line.out.send(heartbeat_answer(&frame.header)).await;
            }
        }
    }

    async fn call(self: &Arc<Self>, line: &Line, frame: &Frame) {
        let Header { two_way, serialization, .. } = frame.header;
        self.tally.requests.fetch_add(1, Relaxed);
        if !two_way {
            self.tally.oneways.fetch_add(1, Relaxed);
        }
        let mut work =
            Work { core: Arc::clone(self), line: line.clone(), header: frame.header, attached: false };
        let request = match (serialization == HESSIAN2).then(|| Request::read(frame)).transpose() {
            Ok(request) => request,
            Err(malformed) => {
                self.tally.malformed.fetch_add(1, Relaxed);
                return work.answer(&Reply::Status(status::BAD_REQUEST, malformed.to_string())).await;
            }
        };
        let behaviour = self.behaviour(request.as_ref().map_or("", |request| &request.method)).clone();
        let echo = match &request {
            Some(request) => Reply::Value(request.arguments.first().cloned().unwrap_or(Value::Null)),
            None => Reply::Opaque(frame.body.clone()),
        };
        work.attached = request.as_ref().is_some_and(Request::takes_attachments);
        self.remember(seen(line.number, frame.header, request));
        if self.workers.is_none() && !matches!(behaviour, Behaviour::After(..)) {
            work.end(&behaviour, &echo).await;
        } else if self.tally.outstanding.fetch_add(1, Relaxed) >= OUTSTANDING {
            self.tally.outstanding.fetch_sub(1, Relaxed);
            let text = format!("{OUTSTANDING} calls wait already");
            work.answer(&Reply::Status(status::THREADPOOL_EXHAUSTED, text)).await;
        } else {
            let stopping = self.stopping.clone();
            self.tracker.spawn(async move { stopping.run_until_cancelled(work.wait(behaviour, echo)).await });
        }
    }
}

fn seen(connection: u64, header: Header, request: Option<Request>) -> Seen {
    let Header { id, two_way, serialization, .. } = header;
    let (interface, version, method, arguments, attachments) =
        request.map_or_else(Default::default, |request| {
            (request.interface, request.version, request.method, request.arguments, request.attachments)
        });
    Seen { connection, id, two_way, serialization, interface, version, method, arguments, attachments }
}

/// A call that is being worked on.
struct Work {
    core: Arc<Core>,
    line: Line,
    header: Header,
    /// Whether the requester understands attachments.
    attached: bool,
}

impl Work {
    /// Takes a worker for its time, waits as the behaviour asks, then ends the call.
    async fn wait(self, mut behaviour: Behaviour, echo: Reply) {
        if let Some((workers, time)) = &self.core.workers
            && let Ok(_worker) = workers.acquire().await
        {
            let began = Instant::now();
            sleep(*time).await;
            let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.core.tally.work_nanos.fetch_add(nanos, Relaxed);
            self.core.tally.worked.fetch_add(1, Relaxed);
        }
        while let Behaviour::After(delay, then) = behaviour {
            sleep(delay).await;
            behaviour = *then;
        }
        self.core.tally.outstanding.fetch_sub(1, Relaxed);
        self.end(&behaviour, &echo).await;
    }

    async fn end(&self, behaviour: &Behaviour, echo: &Reply) {
        let label = &*self.core.plan.label;
        match behaviour {
            Behaviour::Echo => self.answer(echo).await,
            Behaviour::Who if matches!(echo, Reply::Opaque(_)) => {
                self.answer(&Reply::Opaque(Bytes::copy_from_slice(label.as_bytes()))).await;
            }
            Behaviour::Who => self.answer(&Reply::Value(label.into())).await,
            Behaviour::Answer(value) => self.answer(&Reply::Value(value.clone())).await,
            Behaviour::Throw(thrown) => self.answer(&Reply::Exception(thrown.clone())).await,
            Behaviour::Status(status, text) => self.answer(&Reply::Status(*status, text.clone())).await,
            Behaviour::Close => self.line.hang_up.cancel(),
            // `wait` has used up every delay.
            Behaviour::Silent | Behaviour::After(..) => {}
        }
    }

    async fn answer(&self, reply: &Reply) {
        if !self.header.two_way {
            return;
        }
        let attachments = if self.attached { &*self.core.plan.attachments } else { &[] };
        // Counted when it is handed over; a connection that has ended takes it to nobody.
        self.core.tally.answered.fetch_add(1, Relaxed);
        let _ = self.line.out.send(reply.frame(&self.header, attachments)).await;
    }
}

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
