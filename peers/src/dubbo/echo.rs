//! The echo server of measurements: answers every call with its first argument, as cheaply as it can.
//!
//! It looks at no more than it must (five strings are skipped by their lengths, the argument is copied as it
//! stands) and writes once per read, since it shares a processor with the proxy that is measured.

use super::frame::{self, HEADER, Header, heartbeat_answer, status};
use super::hessian::Reader;
use super::malformed::Malformed;
use crate::socket::{read_once, write_out};
use bytes::{Buf, BufMut, BytesMut};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpStream};

/// First byte of a response body that holds a value and no attachments.
const VALUE: u8 = 0x91;

/// Answers that may wait for a client that does not read; no more is read from it until it does.
const UNREAD: usize = 16 << 20;

/// Serves every connection until accepting fails. Needs a local runtime: connections are tasks of this thread.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(converse(stream));
    }
}

async fn converse(mut stream: TcpStream) {
    let (mut received, mut answers) = (BytesMut::new(), BytesMut::new());
    // A connection's error is that connection's end; the client sees it and tells.
    let _ = poll_fn(|context| turn(&mut stream, &mut received, &mut answers, context)).await;
}

fn turn(
    stream: &mut TcpStream,
    received: &mut BytesMut,
    answers: &mut BytesMut,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        let read = read_once(stream, received, context)?;
        if read == Poll::Ready(0) {
            return Poll::Ready(Ok(()));
        }
        answer_all(received, answers).map_err(io::Error::other)?;
        let wrote = write_out(stream, answers, context)?;
        if read.is_pending() || (wrote.is_pending() && answers.len() > UNREAD) {
            return Poll::Pending;
        }
    }
}

fn answer_all(received: &mut BytesMut, answers: &mut BytesMut) -> Result<(), Malformed> {
    while let Some((header, length)) = Header::parse(received)? {
        let Some(body) = received.get(HEADER..HEADER + length) else { return Ok(()) };
        if header.event {
            answers.put_slice(&heartbeat_answer(&header));
        } else if header.two_way && header.serialization == frame::HESSIAN2 {
            let argument = first_argument(body)?;
            let answer = Header::response(header.id, status::OK);
            answer.frame_into(&[], answers);
            let end = answers.len();
            answers[end - 4..].copy_from_slice(&(argument.len() as u32 + 1).to_be_bytes());
            answers.put_u8(VALUE);
            answers.put_slice(argument);
        }
        received.advance(HEADER + length);
    }
    Ok(())
}

/// The bytes of the first argument of a request body.
fn first_argument(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut rest = body;
    for _ in 0..5 {
        rest = &rest[short_string(rest)?..];
    }
    let mut reader = Reader::new(rest);
    let length = if let Ok(length) = short_string(rest) {
        length
    } else {
        reader.value()?;
        rest.len() - reader.rest().len()
    };
    Ok(&rest[..length])
}

/// Bytes of the string at the front, if it is one of ASCII characters in the short forms.
fn short_string(bytes: &[u8]) -> Result<usize, Malformed> {
    let (begin, length) = match *bytes {
        [short @ 0..=0x1f, ..] => (1, usize::from(short)),
        [high @ 0x30..=0x33, low, ..] => (2, (usize::from(high - 0x30) << 8) + usize::from(low)),
        [b'S', high, low, ..] => (3, usize::from(u16::from_be_bytes([high, low]))),
        _ => return Err(Malformed::new("a string of less than 64 KiB was expected")),
    };
    match bytes.get(begin..begin + length) {
        Some(text) if text.is_ascii() => Ok(begin + length),
        _ => Err(Malformed::new("an ASCII string was expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dubbo::call::Call;
    use crate::dubbo::frame::{Notice, cut};
    use crate::dubbo::hessian::Value;
    use crate::dubbo::reply::Reply;

    fn answers(requests: &[u8]) -> (BytesMut, usize) {
        let (mut received, mut answers) = (BytesMut::from(requests), BytesMut::new());
        answer_all(&mut received, &mut answers).unwrap();
        (answers, received.len())
    }

    #[test]
    fn every_kind_of_argument_comes_back() {
        let arguments = [
            Value::from("x".repeat(100)),
            Value::from("y".repeat(2000)),
            Value::from("\u{e9}".repeat(70_000)),
            Value::Bytes(vec![1; 5000]),
            Value::object("a.B", [("c", Value::list([Value::Int(1)]))]),
        ];
        for argument in arguments {
            let (mut answers, left) = answers(&Call::new("i.J", "m").argument(argument.clone()).request(77));
            let frame = cut(&mut answers).unwrap().unwrap();
            assert_eq!((frame.header.id, left, answers.len()), (77, 0, 0));
            assert_eq!(Reply::read(&frame).unwrap().0, Reply::Value(argument));
        }
    }

    #[test]
    fn half_a_request_waits_for_its_rest() {
        let request = Call::new("i.J", "m").argument("x").request(1);
        let mut both = request.to_vec();
        both.extend_from_slice(&request[..20]);
        let (answers, left) = answers(&both);
        assert_eq!((answers.len(), left), (HEADER + 3, 20));
    }

    #[test]
    fn heartbeats_are_answered_and_oneway_calls_are_not() {
        assert!(!answers(&Notice::Heartbeat.frame(1)).0.is_empty());
        assert!(answers(&Call::new("i", "m").argument("x").oneway(1)).0.is_empty());
    }
}
