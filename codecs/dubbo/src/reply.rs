//! Messages that this codec writes itself: local replies, heartbeats, notices.
//!
//! A local reply is in the serialization of its request where that is hessian2 or fastjson2, else in hessian2. A
//! consumer that asked in another one reads the text of a status all the same (each reply names its own serialization),
//! but refuses a *result* in another one; it gets status 100 instead.

use codec_api::{LocalReply, Out, RequestHead};

use crate::frame::{EVENT, HEADER, Header, REQUEST, TWO_WAY};
use crate::head::Context;
use crate::hessian::write::{self as hessian, NULL, small_int};
use crate::jsonb::write as jsonb;
use crate::serialization::{FASTJSON2, HESSIAN2};
use crate::status::{EXCEPTIONS, OK, Reply, THREAD_POOL_EXHAUSTED, reply};

/// Fields of a `RpcException` that are written; Java leaves the others as its constructor made them. The empty stack
/// trace keeps the decoder's own out of the client's log. dubbo-go takes an object for an exception if it has the last
/// four.
const FIELDS: [&str; 5] = ["code", "detailMessage", "suppressedExceptions", "cause", "stackTrace"];

/// Whose classes a consumer has: Dubbo was Alibaba's up to 2.6. One that lacks the class of an exception takes it for an
/// error of the connection, and tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// Up to 2.6, and dubbo-go, which has neither's. Compatible classes of 2.7 bear the same names.
    Alibaba,
    /// From 2.7 on.
    Apache,
}

impl Era {
    /// The class of an `RpcException`.
    fn rpc_exception(self) -> &'static str {
        match self {
            Self::Alibaba => "com.alibaba.dubbo.rpc.RpcException",
            Self::Apache => "org.apache.dubbo.rpc.RpcException",
        }
    }
}

/// Answers a request in the proxy's own name.
pub(crate) fn local_reply(request: RequestHead, era: Era, local: LocalReply<'_>, out: &mut Out) {
    let asked = Context::from(request.context).serialization;
    let serialization = if asked == FASTJSON2 { FASTJSON2 } else { HESSIAN2 };
    let (status, code) = match reply(local.cause) {
        Reply::Exception(code) if asked == serialization => (OK, Some(code)),
        Reply::Exception(_) => (THREAD_POOL_EXHAUSTED, None),
        Reply::Status(status) => (status, None),
    };
    let text = hessian::shortened(local.text);
    let mut body = Vec::with_capacity(text.len() + 160);
    match (serialization, code) {
        (HESSIAN2, None) => hessian::put_text(text, &mut body),
        (HESSIAN2, Some(code)) => {
            body.push(small_int(EXCEPTIONS[0] as i8));
            put_exception(era.rpc_exception(), code, text, &mut body);
        }
        (_, None) => jsonb::put_element(&mut body, |body| jsonb::put_text(text, body)),
        (_, Some(code)) => {
            body.extend_from_slice(&[0, 0, 0, 2, 0xbd, EXCEPTIONS[0] as u8]);
            jsonb::put_element(&mut body, |body| put_jsonb_exception(code, text, body));
        }
    }
    put(serialization, status, request.id, &body, out);
}

/// An `RpcException`, as the definition of its class and its one object.
fn put_exception(class: &str, code: u8, text: &str, body: &mut Vec<u8>) {
    body.push(b'C');
    hessian::put_text(class, body);
    body.push(small_int(FIELDS.len() as i8));
    for field in FIELDS {
        hessian::put_text(field, body);
    }
    body.extend_from_slice(&[0x60, small_int(code.cast_signed())]);
    hessian::put_text(text, body);
    body.extend_from_slice(&[NULL, NULL, 0x70]);
    hessian::put_text("[java.lang.StackTraceElement", body);
}

/// The same in JSONB, which Dubbo 3 alone speaks, as 3.3 writes it: a type's name with its number, then a map of names with theirs.
fn put_jsonb_exception(code: u8, text: &str, body: &mut Vec<u8>) {
    body.push(0x92);
    jsonb::put_text(Era::Apache.rpc_exception(), body);
    body.extend_from_slice(&[0, 0xa6]);
    let name = |number: u8, name: &str, body: &mut Vec<u8>| {
        body.push(0x7f);
        jsonb::put_text(name, body);
        body.push(number);
    };
    name(1, "code", body);
    body.push(code);
    name(2, "detailMessage", body);
    jsonb::put_text(text, body);
    name(3, "stackTrace", body);
    body.extend_from_slice(&[0x94, 0xa5]);
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
