//! One connection of a floor that shares: what waits to be written on it, and its turns.

use bytes::{Buf, BytesMut};
use peers::socket::{read_once, write_out};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::net::TcpStream;

/// What waits to be written on one connection.
#[derive(Default)]
pub(super) struct Side {
    out: BytesMut,
    waker: Option<Waker>,
}

impl Side {
    pub(super) fn put(&mut self, frame: &[u8]) {
        self.out.extend_from_slice(frame);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

pub(super) type Shared = Rc<RefCell<Side>>;

/// Hands each whole message that comes to `on`, and writes what others put here, until the connection ends.
pub(super) async fn converse(
    mut stream: TcpStream,
    side: Shared,
    whole: fn(&[u8]) -> Option<usize>,
    mut on: impl FnMut(&mut [u8]),
) -> io::Result<()> {
    let mut received = BytesMut::new();
    let mut take = |received: &mut BytesMut| {
        while let Some(length) = whole(received) {
            on(&mut received[..length]);
            received.advance(length);
        }
    };
    poll_fn(|context| turn(&mut stream, &mut received, &side, &mut take, context)).await
}

fn turn(
    stream: &mut TcpStream,
    received: &mut BytesMut,
    side: &Shared,
    take: &mut impl FnMut(&mut BytesMut),
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        let read = read_once(stream, received, context)?;
        if read == Poll::Ready(0) {
            return Poll::Ready(Ok(()));
        }
        take(received);
        let mut side = side.borrow_mut();
        // Whether all was written or not, the socket wakes this task when there is more to do.
        let _ = write_out(stream, &mut side.out, context)?;
        if read.is_pending() {
            side.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
    }
}
