//! Messages that are refused while their connection lives on: too long, or with a `THeader` that is not served.
//!
//! Whoever awaits something is answered: the client of a call, and the exchange of a response. What is refused is
//! noted among the requests that await an answer, so that answers keep their order.

use codec_api::{Cause, DecodeError, Decoded, Rejected, RequestHead, Side};

use crate::ThriftCodec;
use crate::codec::split;
use crate::envelope::{Envelope, Type};
use crate::form::{Context, Encoding, Form, Transport, Unserved};
use crate::header::{self, Fault, Header};

impl ThriftCodec {
    /// Why a message is refused for its length.
    pub(crate) fn too_large(&self, envelope: &Envelope, length: usize) -> (Cause, String) {
        let what = if envelope.is_request() { "call" } else { "response" };
        let limit = self.settings.max_message;
        (Cause::TooLarge, format!("the {what} of {length} bytes is longer than maxMessageBytes, {limit}"))
    }

    /// Refuses a message whose head says this much: what it is, its id, the id inside, the name.
    pub(crate) fn reject(
        &mut self,
        total: usize,
        form: Form,
        (kind, id, inner, name): (Type, u32, u32, &[u8]),
        (cause, text): (Cause, String),
    ) -> Result<Decoded, DecodeError> {
        let is_awaited = match self.side {
            Side::Downstream => kind == Type::Call && self.is_answered(name),
            Side::Upstream => matches!(kind, Type::Reply | Type::Exception),
        };
        if is_awaited {
            self.expect(form, inner, split(name).1)?;
        }
        let answer = RequestHead { id: id.into(), context: Context::bare(form).into() };
        let answer = is_awaited.then_some(answer);
        Ok(Decoded::Reject(Rejected { skip: total as u64, answer, cause, text }))
    }

    /// Refuses a frame for its length whose method would have to be awaited for too long. What it is is not known, so
    /// it is taken for a call that awaits an answer.
    pub(crate) fn unnamed(
        &mut self,
        total: usize,
        seqid: u32,
        encoding: Encoding,
    ) -> Result<Decoded, DecodeError> {
        let form = Form { transport: Transport::Header, encoding };
        let limit = self.settings.max_message;
        let text = format!("a message of {} bytes is longer than maxMessageBytes, {limit}", total - 4);
        self.refuse(total, self.id(seqid), Context::bare(form), (Cause::TooLarge, text))
    }

    /// Refuses a frame whose `THeader` can be read but whose payload cannot. What it was is not known, so it is taken
    /// for a call that awaits an answer.
    pub(crate) fn malformed(
        &mut self,
        total: usize,
        header: &Header,
        text: &str,
    ) -> Result<Decoded, DecodeError> {
        let form = Form { transport: Transport::Header, encoding: header.encoding };
        let text = format!("a message with a THeader: {text}");
        self.refuse(total, self.id(header.seqid), Context::bare(form), (Cause::BadMessage, text))
    }

    /// Refuses a frame for its `THeader`.
    pub(crate) fn unserved(
        &mut self,
        frame: &[u8],
        total: usize,
        fault: Fault,
    ) -> Result<Decoded, DecodeError> {
        let Ok(seqid) = header::seqid(frame) else {
            return Err(DecodeError::new("a THeader without an end"));
        };
        let form = Form { transport: Transport::Header, encoding: header::guess_encoding(frame) };
        let (unserved, cause, text) = match fault {
            Fault::Transform(id) => {
                let text = format!("THeader transform {id} is not served; 1, zlib, is, once");
                (Unserved::Transform, Cause::Unsupported, text)
            }
            Fault::Protocol(id) => {
                let text = format!("THeader protocol {id} is not served; 0, binary, and 2, compact, are");
                (Unserved::Protocol, Cause::Unsupported, text)
            }
            Fault::Bad(text) => (Unserved::Nothing, Cause::BadMessage, format!("a THeader: {text}")),
            Fault::Need(_) | Fault::NotOne => (Unserved::Nothing, Cause::BadMessage, "a THeader".to_owned()),
        };
        self.refuse(total, self.id(seqid), Context { unserved, ..Context::bare(form) }, (cause, text))
    }

    fn refuse(
        &mut self,
        total: usize,
        id: u32,
        context: Context,
        (cause, text): (Cause, String),
    ) -> Result<Decoded, DecodeError> {
        self.expect(context.form, id, b"")?;
        let answer = Some(RequestHead { id: id.into(), context: context.into() });
        Ok(Decoded::Reject(Rejected { skip: total as u64, answer, cause, text }))
    }
}
