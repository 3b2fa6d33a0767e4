//! Messages that this codec writes itself: local replies, heartbeats, notices.
//!
//! Everything is hessian2. A consumer that asked in another serialization reads the text of a status all the same
//! (each reply names its own serialization), but refuses a *result* in another one; it gets status 100 instead.

use codec_api::{LocalReply, Out, RequestHead};

use crate::frame::{EVENT, HEADER, Header, REQUEST, TWO_WAY};
use crate::head::Context;
use crate::hessian::write::{NULL, put_text, small_int};
use crate::serialization::HESSIAN2;
use crate::status::{EXCEPTIONS, OK, Reply, THREAD_POOL_EXHAUSTED, reply};

/// Fields of a `RpcException` that are written; Java leaves the others as its constructor made them. The empty stack
/// trace keeps the decoder's own out of the client's log.
const FIELDS: [&str; 4] = ["code", "detailMessage", "cause", "stackTrace"];

/// Answers a request in the proxy's own name.
pub(crate) fn local_reply(request: RequestHead, local: LocalReply<'_>, out: &mut Out) {
    let readable = Context::from(request.context).serialization == HESSIAN2;
    let mut body = Vec::with_capacity(local.text.len() + 160);
    let status = match reply(local.cause) {
        Reply::Exception(code) if readable => {
            body.push(small_int(EXCEPTIONS[0] as i8));
            put_exception(code, local.text, &mut body);
            OK
        }
        Reply::Exception(_) => {
            put_text(local.text, &mut body);
            THREAD_POOL_EXHAUSTED
        }
        Reply::Status(status) => {
            put_text(local.text, &mut body);
            status
        }
    };
    put(HESSIAN2, status, request.id, &body, out);
}

/// An `org.apache.dubbo.rpc.RpcException`, as a class definition and its one object.
fn put_exception(code: i8, text: &str, body: &mut Vec<u8>) {
    body.push(b'C');
    put_text("org.apache.dubbo.rpc.RpcException", body);
    body.push(small_int(FIELDS.len() as i8));
    for field in FIELDS {
        put_text(field, body);
    }
    body.extend_from_slice(&[0x60, small_int(code)]);
    put_text(text, body);
    body.extend_from_slice(&[NULL, 0x70]);
    put_text("[java.lang.StackTraceElement", body);
}

/// Asks whether the other side is alive.
pub(crate) fn ping(id: u64, out: &mut Out) {
    put(REQUEST | TWO_WAY | EVENT | HESSIAN2, 0, id, &[NULL], out);
}

/// Answers a heartbeat with its own body, which is a null in its own serialization.
pub(crate) fn pong(ping: &[u8], id: u64, out: &mut Out) {
    let Ok(Some(asked)) = Header::read(ping) else { return };
    let body = match ping.get(HEADER..) {
        None | Some([]) if asked.serialization() == HESSIAN2 => &[NULL],
        body => body.unwrap_or_default(),
    };
    put(EVENT | asked.serialization(), OK, id, body, out);
}

/// Tells a client that no further requests are wanted.
pub(crate) fn read_only(out: &mut Out) {
    put(REQUEST | EVENT | HESSIAN2, 0, 0, b"\x01R", out);
}

fn put(flags: u8, status: u8, id: u64, body: &[u8], out: &mut Out) {
    let header = Header { flags, status, id, body: body.len() as u32 };
    out.put(&header.bytes());
    out.put(body);
}
