//! Endpoints that behave as a test says, from one moment to the next.

use std::cell::Cell;
use std::rc::Rc;

use super::actor::Actor;
use super::tiny::Frame;

/// What an endpoint does with requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Answers with this status: 0 is good, 1 the application's error, 2 the server's, 3 overload.
    Answers(u8),
    /// Does not answer.
    Silent,
    /// Closes the connection.
    HangsUp,
}

/// What an endpoint does, and what it has seen.
pub struct Part {
    pub manner: Cell<Manner>,
    /// Whether it answers pings.
    pub pongs: Cell<bool>,
    /// The status of these answers.
    pub pong_status: Cell<u8>,
    pub requests: Cell<usize>,
    pub pings: Cell<usize>,
    /// Connections that it has accepted.
    pub connections: Cell<usize>,
    /// Closes a connection after a ping on it.
    pub leaves_after_ping: Cell<bool>,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            manner: Cell::new(Manner::Answers(0)),
            pongs: Cell::new(true),
            pong_status: Cell::default(),
            requests: Cell::default(),
            pings: Cell::default(),
            connections: Cell::default(),
            leaves_after_ping: Cell::default(),
        }
    }
}

fn count(cell: &Cell<usize>) {
    cell.set(cell.get() + 1);
}

impl Part {
    /// Requests since it was asked last.
    pub fn take_requests(&self) -> usize {
        self.requests.take()
    }
}

impl Actor {
    /// Behaves as `part` says, until the other side closes.
    pub fn play(mut self, part: Rc<Part>) {
        count(&part.connections);
        tokio::task::spawn_local(async move {
            while let Some(frame) = self.receive().await {
                match (frame.kind, part.manner.get()) {
                    (b'p', _) => {
                        count(&part.pings);
                        if part.pongs.get() {
                            let status = part.pong_status.get();
                            self.send(&Frame { status, ..Frame::new(b'o', frame.id, "", b"") }).await;
                        }
                        if part.leaves_after_ping.get() {
                            return;
                        }
                    }
                    (b'q', manner) => {
                        count(&part.requests);
                        match manner {
                            Manner::Answers(status) => {
                                self.send(&Frame { status, ..Frame::response_to(&frame) }).await;
                            }
                            Manner::Silent => {}
                            Manner::HangsUp => return,
                        }
                    }
                    _ => {}
                }
            }
        });
    }
}
