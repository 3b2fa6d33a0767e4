//! The server of measurements: answers GET with the value that follows from the key, as cheaply as it can.
//!
//! It keeps nothing: what is SET is confirmed and forgotten. Beside GET it knows what proxies and clients say when they
//! connect. All answers to what one read brought leave in one write, as a real server's do.

use super::malformed::Malformed;
use super::request::cut;
use super::stock;
use crate::socket::{read_once, write_out};
use bytes::{Buf, BufMut, BytesMut};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpStream};

/// Answers that may wait for a client that does not read; no more is read from it until it does.
const UNREAD: usize = 16 << 20;
/// A GET of a key in stock up to the key, as almost all commands of a measurement begin.
const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$16\r\n";
/// Its length.
const WHOLE: usize = GET.len() + stock::KEY + 2;
/// What HELLO tells, as far as clients look at it.
const HELLO_2: &[u8] = b"*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:2\r\n";
const HELLO_3: &[u8] = b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n";
const INFO: &[u8] = b"$31\r\n# Server\r\nredis_version:7.0.0\r\n\r\n";

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
        let stays = answer_all(received, answers).map_err(io::Error::other)?;
        let wrote = write_out(stream, answers, context)?;
        if !stays && wrote.is_ready() {
            return Poll::Ready(Ok(()));
        }
        if read.is_pending() || (wrote.is_pending() && answers.len() > UNREAD) {
            return Poll::Pending;
        }
    }
}

/// Answers all whole commands; whether the connection stays open.
fn answer_all(received: &mut BytesMut, answers: &mut BytesMut) -> Result<bool, Malformed> {
    let (mut at, mut stays) = (0, true);
    let mut words = Vec::new();
    while stays {
        let rest = &received[at..];
        if let Some((GET, [key @ .., b'\r', b'\n'])) =
            rest.get(..WHOLE).map(|whole| whole.split_at(GET.len()))
            && stock::reply(key, answers).is_some()
        {
            at += WHOLE;
            continue;
        }
        let Some(length) = cut(rest, &mut words)? else { break };
        stays = answer(&words, answers);
        at += length;
    }
    drop(words);
    received.advance(at);
    Ok(stays)
}

/// Answers one command; whether the connection stays open.
fn answer(words: &[&[u8]], answers: &mut BytesMut) -> bool {
    let Some((name, arguments)) = words.split_first() else { return true };
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    match arguments {
        [key] if is("GET") => {
            if stock::reply(key, answers).is_none() {
                answers.put_slice(b"$-1\r\n");
            }
        }
        [] if is("PING") => answers.put_slice(b"+PONG\r\n"),
        [_, _, ..] if is("SET") => answers.put_slice(b"+OK\r\n"),
        [b"3", ..] if is("HELLO") => answers.put_slice(HELLO_3),
        _ if is("HELLO") => answers.put_slice(HELLO_2),
        _ if is("INFO") => answers.put_slice(INFO),
        _ if is("COMMAND") => answers.put_slice(b"*0\r\n"),
        _ if ["SELECT", "AUTH", "CLIENT", "QUIT"].into_iter().any(is) => answers.put_slice(b"+OK\r\n"),
        _ => {
            let name = String::from_utf8_lossy(name).replace(['\r', '\n'], " ");
            answers.put_slice(format!("-ERR unknown command '{name:.100}'\r\n").as_bytes());
        }
    }
    !is("QUIT")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::reply::Reply;
    use crate::redis::request::request;

    /// All answers, bytes that are left unread, and whether the connection stays.
    fn answers(commands: &[u8]) -> (Vec<Reply>, usize, bool) {
        let (mut received, mut answers) = (BytesMut::from(commands), BytesMut::new());
        let stays = answer_all(&mut received, &mut answers).unwrap();
        let mut replies = Vec::new();
        while let Some((reply, length)) = Reply::read(&answers).unwrap() {
            replies.push(reply);
            answers.advance(length);
        }
        assert!(answers.is_empty(), "{answers:?}");
        (replies, received.len(), stays)
    }

    #[test]
    fn the_quick_way_answers_as_the_other_does() {
        let key = stock::key(100, 7);
        let (mut quick, mut slow) = (BytesMut::new(), BytesMut::new());
        request(&[b"GET".as_slice(), &key], &mut quick);
        assert!(quick.starts_with(GET) && quick.len() == WHOLE);
        request(&[b"get".as_slice(), &key], &mut slow);
        let expected = vec![Reply::Bulk(stock::value(&key).unwrap())];
        assert_eq!(answers(&quick), (expected.clone(), 0, true));
        assert_eq!(answers(&slow), (expected.clone(), 0, true));
        quick.extend_from_slice(&slow[..slow.len() - 1]);
        assert_eq!(answers(&quick), (expected, slow.len() - 1, true));
    }

    #[test]
    fn what_is_said_on_connecting_is_answered() {
        let ok = || Reply::Simple("OK".to_owned());
        let said = b"PING\r\nselect 3\r\nAUTH u p\r\nCLIENT SETNAME x\r\nSET a b EX 3\r\nGET a\r\nINFO\r\nCOMMAND DOCS\r\n\r\nHELLO 3\r\nHELLO\r\n";
        let (replies, left, stays) = answers(said);
        assert!(left == 0 && stays);
        assert_eq!(replies[..6], [Reply::Simple("PONG".to_owned()), ok(), ok(), ok(), ok(), Reply::NullBulk]);
        assert!(replies[6].text().unwrap().contains("redis_version"));
        assert_eq!(replies[7], Vec::new().into());
        assert_eq!(replies[8].get("proto"), Some(&3.into()));
        assert_eq!(replies[9].get("proto"), Some(&2.into()));
    }

    #[test]
    fn an_unknown_command_is_named_and_quit_is_the_end() {
        let (replies, left, stays) = answers(b"FLY away\r\nQUIT\r\nPING\r\n");
        assert_eq!(replies[0].error(), Some("ERR unknown command 'FLY'"));
        assert_eq!((replies.len(), left, stays), (2, 6, false));
        assert!(answer_all(&mut BytesMut::from("*1\r\n:1\r\n"), &mut BytesMut::new()).is_err());
    }
}
