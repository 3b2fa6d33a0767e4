//! The echo server of measurements: answers every framed binary call with its first argument, as cheaply as it can.
//!
//! A call's answer differs from it in two bytes (kind and number of the field) if its name is the method's alone, so
//! the frame is copied and these two are written. It shares a processor with the proxy that is measured.

use super::malformed::Malformed;
use super::message::Kind;
use crate::socket::{read_once, write_out};
use bytes::{Buf, BytesMut};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpStream};

/// Answers that may wait for a client that does not read; no more is read from it until it does.
const UNREAD: usize = 16 << 20;
/// Longest frame.
const FRAME: usize = 64 << 20;
/// Bytes of a frame before the method's name: its length, version and kind, the name's length.
const BEFORE_NAME: usize = 12;
/// Bytes between the name and the argument: sequence id, type and number of the field.
const AFTER_NAME: usize = 7;

/// How many calls are answered before what was answered is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// All that one read has brought.
    Together,
    /// One, as Thrift's own servers do.
    Singly,
}

/// Serves every connection until accepting fails; all answers to what one read brought leave in one write. Needs a
/// local runtime: connections are tasks of this thread.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    accept(listener, Pace::Together).await
}

/// The same, but each answer is written before the next call is looked at.
pub async fn serve_one_by_one(listener: TcpListener) -> io::Result<()> {
    accept(listener, Pace::Singly).await
}

async fn accept(listener: TcpListener, pace: Pace) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(converse(stream, pace));
    }
}

async fn converse(mut stream: TcpStream, pace: Pace) {
    let (mut received, mut answers) = (BytesMut::new(), BytesMut::new());
    // A connection's error is that connection's end; the client sees it and tells.
    let _ = poll_fn(|context| turn(&mut stream, &mut received, &mut answers, pace, context)).await;
}

fn turn(
    stream: &mut TcpStream,
    received: &mut BytesMut,
    answers: &mut BytesMut,
    pace: Pace,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        let read = read_once(stream, received, context)?;
        if read == Poll::Ready(0) {
            return Poll::Ready(Ok(()));
        }
        let mut wrote = write_out(stream, answers, context)?;
        while answer_one(received, answers).map_err(io::Error::other)? {
            if pace == Pace::Singly {
                wrote = write_out(stream, answers, context)?;
            }
        }
        if pace == Pace::Together {
            wrote = write_out(stream, answers, context)?;
        }
        if read.is_pending() || (wrote.is_pending() && answers.len() > UNREAD) {
            return Poll::Pending;
        }
    }
}

/// Answers the call at the front, if it is whole.
fn answer_one(received: &mut BytesMut, answers: &mut BytesMut) -> Result<bool, Malformed> {
    let Some(length) = received.first_chunk().map(|length| u32::from_be_bytes(*length) as usize) else {
        return Ok(false);
    };
    if length > FRAME {
        return Err(Malformed::new(format!("a frame of {length} bytes")));
    }
    let Some(frame) = received.get(..4 + length) else { return Ok(false) };
    let malformed = || Malformed::new("a framed binary call with one text was expected");
    let head = frame.get(4..BEFORE_NAME).ok_or_else(malformed)?;
    let (&[0x80, 0x01, 0, kind], name) = head.split_first_chunk().ok_or_else(malformed)? else {
        return Err(malformed());
    };
    let name = name.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let number = name + BEFORE_NAME + AFTER_NAME;
    if name > length || !matches!(frame.get(number - 3..number), Some([11, 0, 1])) {
        return Err(malformed());
    }
    if kind == Kind::Call as u8 {
        let begin = answers.len();
        answers.extend_from_slice(frame);
        answers[begin + 7] = Kind::Reply as u8;
        answers[begin + number - 1] = 0;
    } else if kind != Kind::Oneway as u8 {
        return Err(malformed());
    }
    received.advance(4 + length);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thrift::dialect::Dialect;
    use crate::thrift::message::Message;
    use crate::thrift::value::Value;

    fn answers(calls: &[Message], cut: usize) -> (Vec<Message>, usize) {
        let (mut received, mut answers) = (BytesMut::new(), BytesMut::new());
        for call in calls {
            Dialect::FRAMED_BINARY.write(&call.clone().into(), &mut received);
        }
        received.truncate(received.len() - cut);
        while answer_one(&mut received, &mut answers).unwrap() {}
        let mut read = Vec::new();
        while let Some(envelope) = Dialect::FRAMED_BINARY.cut(&mut answers).unwrap() {
            read.push(envelope.message);
        }
        (read, received.len())
    }

    #[test]
    fn an_argument_comes_back_with_its_sequence_id() {
        let call = |seqid, text: &str| Message { seqid, ..Message::call("echo", [text.into()]) };
        let calls = [call(7, "a"), call(-1, &"b".repeat(70_000)), call(9, "")];
        let expected: Vec<_> =
            calls.iter().map(|call| call.answer(vec![(0, call.fields[0].1.clone())])).collect();
        assert_eq!(answers(&calls, 0), (expected, 0));
    }

    #[test]
    fn half_a_call_waits_for_its_rest_and_oneway_calls_are_not_answered() {
        let call = Message::call("echo", [Value::from("x")]);
        let (read, left) = answers(&[call.clone().oneway(), call.clone(), call], 5);
        assert_eq!((read.len(), left), (1, 24));
    }

    #[test]
    fn what_is_no_call_with_a_text_is_refused() {
        let mut answers = BytesMut::new();
        for call in [Message::call("echo", [Value::I32(1)]), Message::call("echo", []).answer(Vec::new())] {
            let mut received = BytesMut::new();
            Dialect::FRAMED_BINARY.write(&call.into(), &mut received);
            assert!(answer_one(&mut received, &mut answers).is_err());
        }
        assert!(answer_one(&mut BytesMut::from("HTTP/1.1 400 \r\n\r\n"), &mut answers).is_err());
    }
}
