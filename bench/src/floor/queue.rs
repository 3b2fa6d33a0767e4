//! The floor of a proxy that knows a protocol without ids, whose server answers in order.
//!
//! All clients share one upstream connection; who asked is remembered in the order of asking, and the next answer is the
//! oldest one's. A client's answers keep the order of its calls by that. Otherwise it is the floor with ids.

use super::side::{Shared, converse};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::{TcpListener, TcpStream};

/// How a protocol that answers in order is taken apart, as far as this floor must.
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    /// Length of the call at the front, if it is whole.
    pub call: fn(&[u8]) -> Option<usize>,
    /// Length of the answer at the front, if it is whole.
    pub answer: fn(&[u8]) -> Option<usize>,
}

/// The shared connection, and whom it owes answers.
#[derive(Default)]
struct Line {
    upstream: Shared,
    owed: RefCell<VecDeque<Shared>>,
}

/// Connects to the backend and serves the listener until either fails. Needs a local runtime.
pub async fn serve(listener: TcpListener, backend: SocketAddr, frames: Frames) -> io::Result<()> {
    let upstream = TcpStream::connect(backend).await?;
    upstream.set_nodelay(true)?;
    let line = Rc::new(Line::default());
    let up = tokio::task::spawn_local(converse(upstream, Rc::clone(&line.upstream), frames.answer, {
        let line = Rc::clone(&line);
        move |answer: &mut [u8]| {
            let owed = line.owed.borrow_mut().pop_front();
            if let Some(client) = owed {
                client.borrow_mut().put(answer);
            }
        }
    }));
    let down = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (line, side) = (Rc::clone(&line), Shared::default());
            let own = Rc::clone(&side);
            tokio::task::spawn_local(converse(stream, own, frames.call, move |call: &mut [u8]| {
                line.owed.borrow_mut().push_back(Rc::clone(&side));
                line.upstream.borrow_mut().put(call);
            }));
        }
    };
    tokio::select! {
        ended = up => ended?,
        failed = down => failed,
    }
}
