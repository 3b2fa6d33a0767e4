//! Pings an endpoint from time to time, and tells how it goes.
//!
//! On a connection of its own, which is set up as the codec wants it and carries no requests. What is sent when is this
//! module's; what follows from the answers is [`Roster`](super::standing::Roster)'s.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use codec_api::{Codec, DecodeError, Decoded, Kind, Message, Order, Out, Outgoing, Raw, Rejected, Status};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::local::Local;
use crate::model::HealthCheck;
use crate::wire::{BoxStream, Inbox, Pace, Reader, WireError, poll_write_out};

use super::cluster::Cluster;

/// Reads in a row, before others get their turn.
const READS_PER_TURN: usize = 3;
/// Each pause is shorter by up to this part of itself, so that proxies do not all come at once.
const JITTER: u32 = 10;

/// Pings an endpoint for as long as it lives.
pub(super) struct Probe {
    policy: HealthCheck,
    task: JoinHandle<()>,
}

impl Probe {
    /// Starts to ping `address`, at some time within the first interval.
    pub(super) fn start(cluster: &Rc<Cluster>, address: SocketAddr, policy: &HealthCheck) -> Self {
        let prober = Prober {
            cluster: Rc::downgrade(cluster),
            local: cluster.local().clone(),
            address,
            policy: policy.clone(),
        };
        Self { policy: policy.clone(), task: tokio::task::spawn_local(prober.run()) }
    }

    /// Whether it does as `policy` says.
    pub(super) fn follows(&self, policy: &HealthCheck) -> bool {
        self.policy == *policy
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Prober {
    cluster: Weak<Cluster>,
    local: Rc<Local>,
    address: SocketAddr,
    policy: HealthCheck,
}

impl Prober {
    async fn run(self) {
        let mut line = None;
        let mut next = Instant::now() + self.at_most(self.policy.interval);
        loop {
            self.rest(&mut line, next).await;
            let start = Instant::now();
            let within = self.policy.timeout;
            let result = match timeout(within, self.ask(&mut line)).await {
                Ok(result) => result,
                Err(_) => Err(format!("no answer within {within:?}")),
            };
            self.local.tick();
            if result.is_err() {
                line = None;
            }
            let Some(cluster) = self.cluster.upgrade() else { return };
            let result = result.as_ref().copied().map_err(String::as_str);
            cluster.settings().usage.roster.pinged(cluster.name(), self.address, result, &self.policy);
            next = start + self.policy.interval.saturating_sub(self.at_most(self.policy.interval / JITTER));
        }
    }

    /// A random part of `time`.
    fn at_most(&self, time: Duration) -> Duration {
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        Duration::from_micros(self.local.random(micros.max(1)).into())
    }

    /// Pings once, and waits for the answer.
    async fn ask(&self, line: &mut Option<Line>) -> Result<(), String> {
        if let Some(line) = line {
            match line.ping(&self.local).await {
                // It may have been closed for having been idle.
                Err(WireError::Closed | WireError::Io(_)) => {}
                result => return result.map_err(|error| error.to_string()),
            }
        }
        *line = None;
        let opened = self.open().await.map_err(|error| error.to_string())?;
        let line = line.insert(opened);
        line.until(&self.local, |voice| voice.setups == 0).await.map_err(|error| error.to_string())?;
        line.ping(&self.local).await.map_err(|error| error.to_string())
    }

    async fn open(&self) -> io::Result<Line> {
        let gone = || io::Error::other("the cluster has gone");
        let connecting = self.cluster.upgrade().ok_or_else(gone)?.connector().connect(self.address);
        let stream = connecting.await?;
        let cluster = self.cluster.upgrade().ok_or_else(gone)?;
        let mut codec = cluster.settings().factory.codec();
        let mut out = Out::new();
        let setups = codec.prelude(&[], &mut out);
        let voice = Voice { codec, out, order: cluster.order(), setups, ping: 0, answer: None };
        Ok(Line { stream, inbox: Inbox::default(), voice })
    }

    /// Listens until `next`: an endpoint may ping by itself, or close.
    async fn rest(&self, line: &mut Option<Line>, next: Instant) {
        if let Some(open) = line
            && timeout_at(next, open.until(&self.local, |_| false)).await.is_ok()
        {
            *line = None;
        }
        sleep_until(next).await;
    }
}

/// The connection.
struct Line {
    stream: BoxStream,
    inbox: Inbox,
    voice: Voice,
}

/// What is said on it.
struct Voice {
    codec: Box<dyn Codec>,
    out: Out,
    order: Order,
    /// Responses to come before it may be pinged.
    setups: usize,
    /// Id of the last ping.
    ping: u64,
    /// How that was answered.
    answer: Option<Status>,
}

impl Line {
    async fn ping(&mut self, local: &Local) -> Result<(), WireError> {
        let voice = &mut self.voice;
        // It fits into the narrowest ids that there are.
        voice.ping = voice.ping % u64::from(u16::MAX) + 1;
        voice.answer = None;
        voice.codec.ping(voice.ping, &mut voice.out);
        self.until(local, |voice| voice.answer.is_some()).await?;
        match self.voice.answer {
            None | Some(Status::Ok) => Ok(()),
            Some(status) => Err(WireError::Protocol(format!("it was answered with {}", status.name()))),
        }
    }

    /// Writes what there is to be said, and reads until it is enough.
    async fn until(&mut self, local: &Local, is_enough: impl Fn(&Voice) -> bool) -> Result<(), WireError> {
        poll_fn(|cx| {
            local.tick();
            let turn = self.poll_turn(cx, local, &is_enough);
            self.inbox.settle(local);
            turn
        })
        .await
    }

    fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        local: &Local,
        is_enough: &impl Fn(&Voice) -> bool,
    ) -> Poll<Result<(), WireError>> {
        for _ in 0..READS_PER_TURN {
            while self.inbox.drain(&mut self.voice)? == Pace::More {}
            if is_enough(&self.voice) {
                return Poll::Ready(Ok(()));
            }
            if let Poll::Ready(Err(error)) = poll_write_out(&mut self.stream, cx, &mut self.voice.out, &mut 0)
            {
                return Poll::Ready(Err(WireError::Io(error)));
            }
            match self.inbox.poll_fill(&mut self.stream, cx, local) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Voice {
    fn answered(&mut self, message: &Message, bytes: Raw<'_>) -> Result<(), WireError> {
        if self.setups > 0 {
            self.setups -= 1;
            if message.status != Status::Ok {
                let text = String::from_utf8_lossy(&bytes.as_slice()[..message.len.min(200)]).into_owned();
                return Err(WireError::Protocol(format!("the set-up was refused: {}", text.trim())));
            }
        } else if self.order == Order::InOrder || message.id == self.ping {
            self.answer = Some(message.status);
        }
        Ok(())
    }
}

impl Reader for Voice {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        self.codec.decode(input)
    }

    fn message(&mut self, message: &Message, bytes: Raw<'_>) -> Result<(), WireError> {
        match message.kind {
            Kind::Response | Kind::Pong if !message.flow.more => self.answered(message, bytes)?,
            Kind::Ping => {
                let ping = Outgoing { message, bytes, id: message.id };
                self.codec.pong(&ping, &mut self.out);
            }
            // It carries no requests, so that nobody waits for anything else.
            _ => {}
        }
        Ok(())
    }

    fn rejected(&mut self, rejected: Rejected) {
        if rejected.answer.is_some() {
            self.answer = Some(Status::ServerError);
        }
    }
}
