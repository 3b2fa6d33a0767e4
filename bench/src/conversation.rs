//! Single calls outside of any load: to learn when a proxy answers, and to hold connections that have been used.

use anyhow::{Context, bail, ensure};
use bytes::{Buf, BytesMut};
use peers::load::{Cut, Workload};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How often a proxy that does not listen yet is tried.
const LOOK: Duration = Duration::from_micros(500);

/// Makes one call on a new connection and verifies its answer; the connection stays open. `number` tells it from
/// others of the same workload.
pub fn converse(target: SocketAddr, workload: &mut dyn Workload, number: u32) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&target, ANSWER)?;
    call(stream, workload, number)
}

/// Tries until the proxy listens, at most 10 seconds, then makes one call.
pub fn first_answer(target: SocketAddr, workload: &mut dyn Workload) -> anyhow::Result<()> {
    let end = Instant::now() + ANSWER;
    loop {
        match TcpStream::connect(target) {
            Ok(stream) => return call(stream, workload, 0).map(drop),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused && Instant::now() < end => {
                thread::sleep(LOOK);
            }
            Err(error) => return Err(error).with_context(|| format!("nobody listens at {target}")),
        }
    }
}

fn call(mut stream: TcpStream, workload: &mut dyn Workload, number: u32) -> anyhow::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let (mut request, mut received, mut piece) = (BytesMut::new(), BytesMut::new(), [0; 4096]);
    let sent = 1;
    workload.request(number, sent, &mut request);
    stream.write_all(&request)?;
    loop {
        match workload.cut(number, &received).map_err(anyhow::Error::msg)? {
            Cut::Need => {
                let count = stream.read(&mut piece).context("no answer")?;
                ensure!(count > 0, "the proxy closed the connection instead of answering");
                received.extend_from_slice(&piece[..count]);
            }
            Cut::Skip { length } => received.advance(length),
            Cut::Reply { id, verdict, .. } => {
                ensure!(id.is_none_or(|id| id == sent), "an answer to another call: {id:?}");
                let Err(reason) = verdict else { return Ok(stream) };
                bail!(reason);
            }
        }
    }
}
