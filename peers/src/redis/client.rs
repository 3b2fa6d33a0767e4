//! A client: one connection, commands one after another or many ahead, replies in the order in which they come.
//!
//! Works over any byte stream, so that tests can use sockets as well as in-memory pipes with a paused clock. Every wait
//! has a bound. Errors are `TimedOut`, `UnexpectedEof` where the other side has closed, and `InvalidData` where what came
//! is not RESP.

use super::length::length;
use super::malformed::Malformed;
use super::reply::Reply;
use super::request::request;
use bytes::BytesMut;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long `connect` tries.
const CONNECT: Duration = Duration::from_secs(5);
/// How long anything else is waited for, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pushes that are set aside; the oldest are forgotten.
const ASIDE: usize = 65_536;

/// A client's connection. Closed when dropped.
#[derive(Debug)]
pub struct Client<S = TcpStream> {
    stream: S,
    received: BytesMut,
    aside: VecDeque<Vec<Reply>>,
    patience: Duration,
}

impl Client<TcpStream> {
    /// Connects within 5 seconds.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = timeout(CONNECT, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Speaks over a stream.
    pub fn over(stream: S) -> Self {
        Client { stream, received: BytesMut::new(), aside: VecDeque::new(), patience: PATIENCE }
    }

    /// Bounds each wait by this in place of 10 seconds.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends a command and waits for its reply; nothing else may be outstanding. Pushes that come first are set aside.
    pub async fn call<A: AsRef<[u8]>>(&mut self, words: &[A]) -> io::Result<Reply> {
        self.send(words).await?;
        self.receive().await
    }

    /// Sends commands in one write and waits for as many replies.
    pub async fn pipeline<A: AsRef<[u8]>>(&mut self, commands: &[&[A]]) -> io::Result<Vec<Reply>> {
        let mut out = BytesMut::new();
        for words in commands {
            request(words, &mut out);
        }
        self.send_raw(&out).await?;
        let mut replies = Vec::with_capacity(commands.len());
        for _ in commands {
            replies.push(self.receive().await?);
        }
        Ok(replies)
    }

    /// Sends a command and does not wait.
    pub async fn send<A: AsRef<[u8]>>(&mut self, words: &[A]) -> io::Result<()> {
        let mut out = BytesMut::new();
        request(words, &mut out);
        self.send_raw(&out).await
    }

    /// Sends these bytes: lines, several commands, a piece of one.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        timeout(self.patience, sent).await?
    }

    /// The next reply. Pushes that come first are set aside.
    pub async fn receive(&mut self) -> io::Result<Reply> {
        loop {
            match self.receive_any().await? {
                Reply::Push(items) => self.set_aside(items),
                reply => return Ok(reply),
            }
        }
    }

    /// The next message, whether reply or push: with RESP3, confirmations of SUBSCRIBE and its like are pushes.
    pub async fn receive_any(&mut self) -> io::Result<Reply> {
        let message = self.receive_raw().await?;
        let read = Reply::read(&message).map_err(no_resp)?;
        read.map(|(reply, _)| reply).ok_or_else(|| no_resp(Malformed::new("a message within a message")))
    }

    /// The next message as its bytes.
    pub async fn receive_raw(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(length) = length(&self.received).map_err(no_resp)? {
                return Ok(self.received.split_to(length).to_vec());
            }
            if self.read().await? == 0 {
                let text =
                    format!("the other side closed it after {} bytes of a message", self.received.len());
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
        }
    }

    /// The oldest push that was set aside, or the next one. Replies that come first are an error.
    pub async fn push(&mut self) -> io::Result<Vec<Reply>> {
        if let Some(items) = self.aside.pop_front() {
            return Ok(items);
        }
        match self.receive_any().await? {
            Reply::Push(items) => Ok(items),
            other => Err(no_resp(format!("a push was awaited, and a reply came: {other:.200?}"))),
        }
    }

    /// Waits until the other side has closed; an error if it said something before.
    pub async fn ended(&mut self) -> io::Result<()> {
        loop {
            if !self.received.is_empty() {
                let words = String::from_utf8_lossy(&self.received).into_owned();
                return Err(no_resp(format!("the end was awaited, and more came: {words:.200?}")));
            }
            match self.read().await {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends no more; replies are still read.
    pub async fn half_close(&mut self) -> io::Result<()> {
        timeout(self.patience, self.stream.shutdown()).await?
    }

    async fn read(&mut self) -> io::Result<usize> {
        let read = timeout(self.patience, self.stream.read_buf(&mut self.received)).await;
        read.map_err(|_| {
            io::Error::new(io::ErrorKind::TimedOut, format!("nothing came within {:?}", self.patience))
        })?
    }

    fn set_aside(&mut self, items: Vec<Reply>) {
        if self.aside.len() == ASIDE {
            self.aside.pop_front();
        }
        self.aside.push_back(items);
    }
}

fn no_resp(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
