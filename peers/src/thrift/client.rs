//! A client: one connection, calls one after another or several ahead, answers in the order in which they come.
//!
//! Works over any byte stream, so that tests can use sockets as well as in-memory pipes with a paused clock.

use super::dialect::{Dialect, Envelope};
use super::message::Kind;
use super::value::Value;
use bytes::BytesMut;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long `connect` tries.
const CONNECT: Duration = Duration::from_secs(5);

/// A client's connection. Closed when dropped.
#[derive(Debug)]
pub struct Client<S = TcpStream> {
    stream: S,
    dialect: Dialect,
    received: BytesMut,
    last: i32,
    constant: Option<i32>,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A result.
    Value(Value),
    /// The method has no result, and ended well.
    Void,
    /// An exception that the IDL declares, with its number there.
    Declared(i16, Value),
    /// A `TApplicationException`: its code and text.
    Application(i32, String),
    /// No answer within the time given.
    TimedOut,
    /// The connection ended first; why.
    Closed(String),
    /// The answer could not be read, or answers another call; why.
    Malformed(String),
}

/// A call's end.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The sequence id of the response, if there was one.
    pub seqid: Option<i32>,
    /// Pairs of the response's header.
    pub headers: Vec<(String, String)>,
    /// What became of the call.
    pub outcome: Outcome,
}

impl Answer {
    /// The text that was answered, if it was one.
    pub fn text(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Value(value) => value.text(),
            _ => None,
        }
    }

    fn without_response(outcome: Outcome) -> Self {
        Answer { seqid: None, headers: Vec::new(), outcome }
    }
}

impl From<Envelope> for Answer {
    fn from(envelope: Envelope) -> Self {
        let Envelope { headers, message } = envelope;
        let outcome = match (message.kind, message.application(), message.fields.first()) {
            (_, Some((code, text)), _) => Outcome::Application(code, text.to_owned()),
            (Kind::Reply, _, None) => Outcome::Void,
            (Kind::Reply, _, Some((0, value))) => Outcome::Value(value.clone()),
            (Kind::Reply, _, Some((id, value))) => Outcome::Declared(*id, value.clone()),
            (kind, ..) => Outcome::Malformed(format!("a {kind:?} came as an answer")),
        };
        Answer { seqid: Some(message.seqid), headers, outcome }
    }
}

impl Client<TcpStream> {
    /// Connects within 5 seconds.
    pub async fn connect(address: SocketAddr, dialect: Dialect) -> io::Result<Self> {
        let stream = timeout(CONNECT, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream, dialect))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Speaks over a stream.
    pub fn over(stream: S, dialect: Dialect) -> Self {
        Client { stream, dialect, received: BytesMut::new(), last: 0, constant: None }
    }

    /// Gives every call this sequence id, as some clients do; otherwise they count from 1.
    #[must_use]
    pub fn with_constant_seqid(mut self, seqid: i32) -> Self {
        self.constant = Some(seqid);
        self
    }

    /// Sends a call, whose sequence id is set, and does not wait for its answer; its sequence id.
    pub async fn send(&mut self, mut call: Envelope) -> io::Result<i32> {
        self.last = self.last.wrapping_add(1);
        call.message.seqid = self.constant.unwrap_or(self.last);
        let mut out = BytesMut::new();
        self.dialect.write(&call, &mut out);
        self.stream.write_all(&out).await?;
        self.stream.flush().await?;
        Ok(call.message.seqid)
    }

    /// The next answer, waited for at most `within`.
    pub async fn next(&mut self, within: Duration) -> Answer {
        match timeout(within, self.receive()).await {
            Ok(answer) => answer,
            Err(_) => Answer::without_response(Outcome::TimedOut),
        }
    }

    async fn receive(&mut self) -> Answer {
        loop {
            match self.dialect.cut(&mut self.received) {
                Ok(Some(envelope)) => return envelope.into(),
                Ok(None) => {}
                Err(malformed) => {
                    return Answer::without_response(Outcome::Malformed(malformed.to_string()));
                }
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return Answer::without_response(Outcome::Closed("the other side closed it".into())),
                Ok(_) => {}
                Err(error) => return Answer::without_response(Outcome::Closed(error.to_string())),
            }
        }
    }

    /// Sends a call and waits for its answer, at most `within`. No other answer may be outstanding.
    pub async fn call(&mut self, call: impl Into<Envelope>, within: Duration) -> Answer {
        let seqid = match self.send(call.into()).await {
            Ok(seqid) => seqid,
            Err(error) => return Answer::without_response(Outcome::Closed(error.to_string())),
        };
        let answer = self.next(within).await;
        match answer.seqid {
            Some(other) if other != seqid => {
                let text = format!("call {seqid} was answered with number {other}: {answer:?}");
                Answer { outcome: Outcome::Malformed(text), ..answer }
            }
            _ => answer,
        }
    }
}
