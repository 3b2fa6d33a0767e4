//! A request that went to several endpoints, until all of them have answered.
//!
//! Each share travels as an exchange of its own, a *part*. When the last part has ended, the client's codec merges the
//! answers into the one response of the whole.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use codec_api::{Answer, Cause, LocalReply, Message, Shares, Status};

use crate::error::{Failure, Flag};

use super::{End, Exchange};

/// Bytes of answers that are gathered for one request.
const GATHERED_LIMIT: usize = 1 << 20;

/// The parts of one request.
pub struct Gathering {
    /// The request itself, until its parts have ended.
    whole: RefCell<Option<Exchange>>,
    of_key: Box<[u16]>,
    answers: RefCell<Vec<Kept>>,
    left: Cell<u16>,
    bytes: Cell<usize>,
    /// Of these bytes, those that are kept while other answers are awaited.
    kept: Cell<usize>,
}

enum Kept {
    Awaited,
    Response { message: Message, bytes: Bytes },
    Failed { cause: Cause, flag: Flag, text: Box<str> },
}

impl Kept {
    fn answer<'a>(&'a self, lost: LocalReply<'a>) -> Answer<'a> {
        match self {
            Self::Response { message, bytes } => Answer::Response { message, bytes },
            Self::Failed { cause, text, .. } => Answer::Failed(LocalReply { cause: *cause, text }),
            Self::Awaited => Answer::Failed(lost),
        }
    }
}

/// How a request ended whose parts have all ended.
pub(super) enum Sum {
    /// Every part was answered; the worst status.
    Answered(Status),
    /// A part failed, with this flag and for this reason.
    Failed(Flag, Box<str>),
}

impl Gathering {
    /// A gathering of `count` parts of `whole`, whose keys belong to them as `of_key` says.
    pub fn new(whole: Exchange, of_key: Box<[u16]>, count: u16) -> Rc<Self> {
        Rc::new(Self {
            whole: RefCell::new(Some(whole)),
            of_key,
            answers: RefCell::new((0..count).map(|_| Kept::Awaited).collect()),
            left: Cell::new(count),
            bytes: Cell::new(0),
            kept: Cell::new(0),
        })
    }

    /// The exchange of one part; `None`: the whole is over.
    pub fn part(self: &Rc<Self>, message: &Message, part: u16) -> Option<Exchange> {
        Some(self.whole.borrow().as_ref()?.part_of(message, self, part))
    }

    /// Notes that a part is about to be sent to `endpoint`.
    pub(super) fn attempt(&self, endpoint: SocketAddr) {
        if let Some(whole) = &mut *self.whole.borrow_mut() {
            whole.attempt(endpoint);
        }
    }

    /// Takes note of how a part ended.
    pub(super) fn end(self: &Rc<Self>, part: u16, end: End<'_>) {
        let kept = match end {
            End::Response { message, bytes } => {
                self.bytes.set(self.bytes.get() + message.len);
                let is_too_much = self.bytes.get() > GATHERED_LIMIT;
                let bytes = if is_too_much { Bytes::new() } else { bytes.to_bytes() };
                self.keep(self.kept.get() + bytes.len());
                Kept::Response { message: *message, bytes }
            }
            End::Sent => {
                Kept::Response { message: Message::new(codec_api::Kind::Response, 0), bytes: Bytes::new() }
            }
            End::Failed(failure, text) => Kept::Failed {
                cause: failure.cause().unwrap_or(Cause::ConnectionLost),
                flag: failure.flag(),
                text: text.unwrap_or(failure.text()).into(),
            },
        };
        if let Some(place) = self.answers.borrow_mut().get_mut(usize::from(part))
            && matches!(place, Kept::Awaited)
        {
            *place = kept;
            self.left.set(self.left.get() - 1);
        }
        if self.left.get() > 0 {
            return;
        }
        self.keep(0);
        let Some(whole) = self.whole.take() else { return };
        if self.bytes.get() > GATHERED_LIMIT {
            let text = format!(
                "the answers of {} endpoints have {} bytes together, more than the {GATHERED_LIMIT} that are merged",
                self.answers.borrow().len(),
                self.bytes.get()
            );
            return whole.end(End::Failed(Failure::Refused(Cause::TooLarge), Some(&text)));
        }
        whole.merge(self.clone());
    }

    /// Lets the client answer for so many bytes that are kept.
    fn keep(&self, bytes: usize) {
        let before = self.kept.replace(bytes);
        if let Some(client) = self.whole.borrow().as_ref().and_then(Exchange::client) {
            client.gather(before, bytes);
        }
    }

    /// How all parts together ended.
    pub(super) fn sum(&self) -> Sum {
        let mut worst = Status::Ok;
        for kept in &*self.answers.borrow() {
            match kept {
                Kept::Failed { flag, text, .. } => return Sum::Failed(*flag, text.clone()),
                // From a result to an endpoint's own trouble.
                Kept::Response { message, .. } if message.status as u8 > worst as u8 => {
                    worst = message.status;
                }
                Kept::Response { .. } | Kept::Awaited => {}
            }
        }
        Sum::Answered(worst)
    }

    /// Bytes of the answers.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Hands shares and answers to `merge`.
    pub(super) fn with(&self, merge: impl FnOnce(Shares<'_>, &[Answer<'_>])) {
        let kept = self.answers.borrow();
        let lost = LocalReply { cause: Cause::ConnectionLost, text: Failure::ConnectionLost.text() };
        let answers: Vec<_> = kept.iter().map(|kept| kept.answer(lost)).collect();
        merge(Shares { of_key: &self.of_key, count: answers.len() as u16 }, &answers);
    }
}
