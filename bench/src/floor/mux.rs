//! The floor of a proxy that knows the protocol: what passing calls on costs when nothing is decided or counted.
//!
//! All clients share one upstream connection; ids are rewritten on the way up and restored on the way down. One
//! future per connection reads once per turn, hands whole frames to the other side's out-buffer, and writes its own
//! once. It has no timeouts, no limits and no backpressure: it is a yardstick, not a proxy.

use super::side::{Shared, converse};
use slab::Slab;
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::{TcpListener, TcpStream};

/// How a protocol with ids is taken apart, as far as this floor must.
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    /// Length of the message at the front, if it is whole.
    pub whole: fn(&[u8]) -> Option<usize>,
    /// The id of a whole message.
    pub id: fn(&[u8]) -> u64,
    /// Writes another id into a whole message.
    pub set_id: fn(&mut [u8], u64),
}

/// Calls that the upstream owes an answer: the id there is the place in the table.
struct Switch {
    frames: Frames,
    upstream: Shared,
    owed: RefCell<Slab<(u64, Shared)>>,
}

/// Connects to the backend and serves the listener until either fails. Needs a local runtime.
pub async fn serve(listener: TcpListener, backend: SocketAddr, frames: Frames) -> io::Result<()> {
    let upstream = TcpStream::connect(backend).await?;
    upstream.set_nodelay(true)?;
    let switch = Rc::new(Switch { frames, upstream: Shared::default(), owed: RefCell::default() });
    let up = tokio::task::spawn_local(converse(upstream, Rc::clone(&switch.upstream), frames.whole, {
        let switch = Rc::clone(&switch);
        move |frame: &mut [u8]| switch.answer(frame)
    }));
    let down = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (switch, side) = (Rc::clone(&switch), Shared::default());
            let own = Rc::clone(&side);
            tokio::task::spawn_local(converse(stream, own, frames.whole, move |frame: &mut [u8]| {
                switch.call(frame, &side);
            }));
        }
    };
    tokio::select! {
        ended = up => ended?,
        failed = down => failed,
    }
}

impl Switch {
    fn call(&self, frame: &mut [u8], from: &Shared) {
        let place = self.owed.borrow_mut().insert(((self.frames.id)(frame), Rc::clone(from)));
        (self.frames.set_id)(frame, place as u64);
        self.upstream.borrow_mut().put(frame);
    }

    fn answer(&self, frame: &mut [u8]) {
        let owed = self.owed.borrow_mut().try_remove((self.frames.id)(frame) as usize);
        if let Some((id, client)) = owed {
            (self.frames.set_id)(frame, id);
            client.borrow_mut().put(frame);
        }
    }
}
