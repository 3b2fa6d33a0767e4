//! One end of a pipe: a client, or a connection that an endpoint has accepted.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

use super::tiny::Frame;
use super::words;

/// No step of a test takes longer, on whatever clock.
const PATIENCE: Duration = Duration::from_mins(10);
/// The clock stands still while anybody has something to do: whatever does not happen in this time waits for something.
const MOMENT: Duration = Duration::from_micros(100);

/// One end of a pipe.
pub struct Actor {
    stream: DuplexStream,
    unread: Vec<u8>,
    /// Requests that it has heard and not answered.
    heard: VecDeque<Frame>,
}

impl Actor {
    pub fn new(stream: DuplexStream) -> Self {
        Self { stream, unread: Vec::new(), heard: VecDeque::new() }
    }

    /// What it speaks on, to put something in between.
    pub fn into_stream(self) -> DuplexStream {
        self.stream
    }

    pub async fn send(&mut self, frame: &Frame) {
        self.send_bytes(&frame.encode()).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("in time").expect("the pipe is open");
    }

    /// The same, for a pipe that the other side may close.
    pub async fn try_send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("in time")
    }

    /// Sends no more, but goes on reading.
    pub async fn say_no_more(&mut self) {
        self.stream.shutdown().await.expect("the pipe is open");
    }

    /// Waits for the next frame; `None`: the other side has closed.
    pub async fn receive(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::take(&mut self.unread) {
                return Some(frame);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await.expect("in time");
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// Reads `count` bytes into `taken`, which has room for them.
    pub async fn take_into(&mut self, taken: &mut Vec<u8>, count: usize) {
        while taken.len() < count {
            let read = timeout(PATIENCE, self.stream.read_buf(taken)).await.expect("in time");
            assert_ne!(read.expect("the pipe is open"), 0);
        }
    }

    /// Answers everything with its own payload, for ever, but for methods that `is_ignored`.
    pub fn echo(mut self, is_ignored: fn(&str) -> bool) {
        tokio::task::spawn_local(async move {
            while let Some(frame) = self.receive().await {
                if frame.kind == b'q' && !is_ignored(&frame.method) {
                    self.send(&Frame::response_to(&frame)).await;
                }
            }
        });
    }

    /// The same, with its name in each answer: what the request's keys are called, else its method, `@` and the name.
    pub fn serve_as(mut self, name: u16) {
        tokio::task::spawn_local(async move {
            while let Some(frame) = self.receive().await {
                if frame.kind == b'q' && !words::has(&frame.method, "silent") {
                    self.send(&Frame { payload: named(&frame, name), ..Frame::response_to(&frame) }).await;
                }
            }
        });
    }

    /// Nothing comes, and the other side does not close, whatever is under way.
    pub async fn hears_nothing(&mut self) {
        let heard = timeout(MOMENT, self.receive()).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    /// Waits for a request, and answers it with its own payload.
    pub async fn answer(&mut self) -> Frame {
        let request = self.receive().await.expect("a request");
        self.send(&Frame::response_to(&request)).await;
        request
    }

    /// Waits for a request with this method.
    pub async fn hears(&mut self, method: &str) -> Frame {
        let frame = self.receive().await.expect("a message");
        assert_eq!(frame.method, method);
        self.heard.push_back(frame.clone());
        frame
    }

    /// Answers the oldest request that it has heard and not answered so, with the request's own payload.
    pub async fn answers_oldest(&mut self) {
        let request = self.heard.pop_front().expect("a request was heard");
        self.send(&Frame::response_to(&request)).await;
    }

    /// Waits for a request with this method, and answers it with its own payload.
    pub async fn answers(&mut self, method: &str) {
        self.hears(method).await;
        self.answers_oldest().await;
    }

    /// Sends a request with this method.
    pub async fn asks(&mut self, id: u64, method: &str) {
        self.send(&Frame::request(id, method)).await;
    }

    /// Waits for a good response with this id.
    pub async fn gets(&mut self, id: u64) -> String {
        let frame = self.receive().await.expect("a response");
        let text = String::from_utf8_lossy(&frame.payload).into_owned();
        assert_eq!((frame.kind, frame.id, frame.status), (b'r', id, 0), "{text}");
        text
    }

    /// Waits for a local reply with this id and cause.
    pub async fn gets_refusal(&mut self, id: u64, cause: &str) {
        let text = self.is_told(id).await;
        assert!(text.starts_with(cause), "{text}");
    }

    /// Waits for a local reply with this id: its cause and its text.
    pub async fn is_told(&mut self, id: u64) -> String {
        let frame = self.receive().await.expect("a response");
        let text = String::from_utf8_lossy(&frame.payload).into_owned();
        assert_eq!((frame.kind, frame.id, frame.status), (b'r', id, 9), "{text}");
        text
    }

    /// Waits for a request with this method, and does not mind pings.
    pub async fn hears_past_pings(&mut self, method: &str) -> Frame {
        loop {
            let frame = self.receive().await.expect("a message");
            if frame.kind == b'p' {
                self.send(&Frame::response_to(&frame)).await;
                continue;
            }
            assert_eq!(frame.method, method);
            self.heard.push_back(frame.clone());
            return frame;
        }
    }

    /// Waits for the other side to close, and answers its pings until then.
    pub async fn sees_the_end_past_pings(&mut self) {
        let mut pings = 0..10;
        while let Some(frame) = self.receive().await {
            assert_eq!(frame.kind, b'p', "{frame:?}");
            assert!(pings.next().is_some(), "it is still open");
            // It may be closed by now.
            let _ = self.try_send_bytes(&Frame::response_to(&frame).encode()).await;
        }
    }

    /// Goes in the middle of a message: one that closes between two may still read its answers.
    pub async fn vanishes(mut self) {
        self.send_bytes(&Frame::request(0, "cut").encode()[..7]).await;
    }

    /// Waits for the other side to close, whatever it says until then.
    pub async fn sees_garbage_and_the_end(&mut self) {
        let mut heard = Vec::new();
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut heard)).await.expect("in time");
        assert!(read.is_ok(), "{read:?}");
    }

    /// Waits for the other side to close, with nothing more to say.
    pub async fn sees_the_end(&mut self) {
        let heard = self.receive().await;
        assert!(heard.is_none(), "{heard:?}");
    }
}

/// How an endpoint called `name` answers a request.
fn named(request: &Frame, name: u16) -> Vec<u8> {
    let said = words::value(&request.method, "keys").unwrap_or(&request.method);
    let items: Vec<_> = said.split(',').map(|item| format!("{item}@{name}")).collect();
    items.join(",").into_bytes()
}
