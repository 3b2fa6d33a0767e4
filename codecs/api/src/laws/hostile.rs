//! The law of bytes that nobody sane would send, and the session in which it is tried.
//!
//! A session is a connection as the proxy would serve it: what decodes is looked at, passed on and answered, in order.
//! All its choices come from the input itself, so that an input alone repeats it.

use std::hash::Hasher;

use fastrand::Rng;

use super::breach::{Breach, Law};
use super::cost;
use super::inbox::{Event, Inbox};
use super::looking::in_range;
use super::mutation::mutate;
use super::shares::keys_of;
use super::stage::{Role, Stage, alike, answer, local_reply, write};
use crate::{
    Cause, Codec, Edit, Kind, LocalReply, Message, Out, Outgoing, Raw, RequestHead, Shares, Side, Spread,
};

/// What one byte of input may cost in memory, the kit's own copies included.
const MEMORY_PER_BYTE: usize = 24;
/// Requests that an endpoint has been sent before it answers.
const ASKED: usize = 4;

/// Mutated and random bytes, from clients and from endpoints.
pub(super) fn hostile(stage: &Stage) -> Result<(), Breach> {
    let mut rng = Rng::with_seed(stage.laws.seed);
    for from in [Side::Downstream, Side::Upstream] {
        let corpus = corpus(stage, from);
        for _ in 0..stage.laws.cases {
            let input = mutate(&mut rng, &corpus);
            session(stage, from, &input)?;
        }
    }
    heads(stage, &mut rng)
}

/// What mutations begin with.
pub(super) fn corpus(stage: &Stage, from: Side) -> Vec<Vec<u8>> {
    stage.messages().filter(|m| m.from == from).map(|m| m.bytes.clone()).collect()
}

/// One connection on which `input` arrives. Tells what came of it, as a number that differs for different courses.
pub(super) fn session(stage: &Stage, from: Side, input: &[u8]) -> Result<u64, Breach> {
    let what = match from {
        Side::Downstream => "bytes of a hostile client",
        Side::Upstream => "bytes of a hostile endpoint",
    };
    stage.trial.set(Law::Hostile, what, input);
    let mut result = Ok(0);
    let most = stage.laws.memory + MEMORY_PER_BYTE * input.len();
    let mut work = || result = Session::new(stage, from, input).run(input);
    cost::holds(stage, what, most, &mut || {
        stage.trial.set(Law::Hostile, what, input);
        work();
    })
    .map_err(|breach| breach.with(input))?;
    result
}

struct Session<'a> {
    stage: &'a Stage,
    from: Side,
    rng: Rng,
    client: Box<dyn Codec>,
    endpoint: Box<dyn Codec>,
    /// Requests whose client awaits an answer, in order.
    asked: Vec<RequestHead>,
    course: Course,
    input: &'a [u8],
}

/// Remembers what happened, in the roughest way.
#[derive(Default)]
struct Course(std::hash::DefaultHasher);

impl Course {
    fn note(&mut self, word: &str, number: usize) {
        self.0.write(word.as_bytes());
        self.0.write_u32(usize::BITS - number.leading_zeros());
    }
}

impl<'a> Session<'a> {
    fn new(stage: &'a Stage, from: Side, input: &'a [u8]) -> Self {
        let mut seed = std::hash::DefaultHasher::new();
        seed.write(input);
        let (client, endpoint) = (stage.codec(Role::Downstream), stage.codec(Role::Upstream));
        let rng = Rng::with_seed(seed.finish());
        Self { stage, from, rng, client, endpoint, asked: Vec::new(), course: Course::default(), input }
    }

    fn breach(&self, found: impl Into<String>, right: impl Into<String>) -> Breach {
        let who = if self.from == Side::Downstream { "client" } else { "endpoint" };
        Breach::new(Law::Hostile, format!("bytes of a hostile {who}"))
            .with(self.input)
            .found(found)
            .right(right)
    }

    fn run(mut self, input: &[u8]) -> Result<u64, Breach> {
        if self.from == Side::Upstream {
            self.ask()?;
        }
        let mut inbox = Inbox::limited(self.stage.laws.limit);
        let largest = *self.rng.choice(&[1, 16, 300, 4096, 65536]).unwrap_or(&1);
        // Byte by byte would take the square of a long input's length for a codec that counts what it is shown.
        let largest = if input.len() > 2048 { largest.max(300) } else { largest };
        let mut at = 0;
        while at < input.len() {
            let end = input.len().min(at + self.rng.usize(1..=largest));
            inbox.read(&input[at..end]);
            at = end;
            loop {
                let codec = if self.from == Side::Downstream { &mut self.client } else { &mut self.endpoint };
                let event =
                    inbox.next(&mut **codec).map_err(|wrong| self.breach(wrong.found, wrong.right))?;
                match event {
                    Event::Idle => break,
                    Event::Error(error) => {
                        let words: String = error.reason.chars().filter(char::is_ascii_alphabetic).collect();
                        self.course.note(&words, 0);
                        return Ok(self.course.0.finish());
                    }
                    Event::Rejected(rejected) => {
                        self.course.note("rejected", rejected.cause as usize);
                        if self.from == Side::Downstream
                            && let Some(head) = rejected.answer
                        {
                            self.reply(head, rejected.cause, &rejected.text)?;
                        }
                    }
                    Event::Message(message, bytes) if self.from == Side::Downstream => {
                        self.client_says(&message, &bytes)?;
                    }
                    Event::Message(message, bytes) => self.endpoint_says(&message, &bytes)?,
                }
            }
        }
        Ok(self.course.0.finish())
    }

    /// Sends the endpoint some recorded requests, so that it has something to answer.
    fn ask(&mut self) -> Result<(), Breach> {
        let requests: Vec<_> = self.stage.of(Side::Downstream, Kind::Request).collect();
        let count = if self.stage.is_shared() { ASKED } else { 1 };
        for number in 0..count.min(requests.len() * ASKED) {
            let request = requests[self.rng.usize(..requests.len())];
            let message =
                self.stage.whole(Law::Hostile, &mut *self.client, &request.bytes, &request.describe())?;
            let id = if number % 2 == 0 { message.id } else { number as u64 };
            self.stage.write(Law::Hostile, &mut *self.endpoint, (&message, &request.bytes), id)?;
            self.asked.push(message.request_head());
        }
        self.stage.trial.set(Law::Hostile, "bytes of a hostile endpoint", self.input);
        Ok(())
    }

    fn note(&mut self, message: &Message) {
        self.course.note(if message.opaque.is_some() { "opaque" } else { "clear" }, message.kind as usize);
        let heads = message.head.iter().filter(|span| !span.is_none()).count();
        self.course.note("message", heads * 8 + message.status as usize);
    }

    fn client_says(&mut self, message: &Message, bytes: &[u8]) -> Result<(), Breach> {
        self.note(message);
        match message.kind {
            Kind::Request | Kind::Oneway => {
                in_range(self.stage, self.from, bytes)
                    .map_err(|found| self.breach(found, "each offered Span stands inside the message"))?;
                self.deal(message, bytes)?;
                self.pass_on(message, bytes)?;
                if message.kind == Kind::Request {
                    let cause = Cause::ALL[self.rng.usize(..Cause::ALL.len())];
                    self.reply(message.request_head(), cause, "the proxy says so")?;
                }
            }
            Kind::Own => {
                answer(&mut *self.client, message, bytes);
            }
            Kind::Ping => {
                let mut out = Out::new();
                self.client.pong(&Outgoing { message, bytes: Raw::Slice(bytes), id: message.id }, &mut out);
            }
            _ => {}
        }
        Ok(())
    }

    /// Its keys stand inside it, and belong to two endpoints.
    fn deal(&mut self, message: &Message, bytes: &[u8]) -> Result<(), Breach> {
        let _ = std::hint::black_box(self.client.session().len());
        if message.flow.spread != Spread::Keys {
            return Ok(());
        }
        let Some(keys) = keys_of(&mut *self.client, message, bytes) else {
            return Err(self.breach("a key outside of the message", "each stands inside it"));
        };
        let of_key: Vec<u16> = (0..keys.len()).map(|key| (key % 2) as u16).collect();
        let shares = Shares { of_key: &of_key, count: 2 };
        let whole = Outgoing { message, bytes: Raw::Slice(bytes), id: message.id };
        for share in 0..if keys.len() > 1 { 2 } else { 0 } {
            let mut part = Vec::new();
            let said = self.client.split(&whole, shares, share, &mut part);
            if said.as_ref().is_ok_and(|said| said.len != part.len()) {
                let found = format!("a share of {} bytes, said to be {said:?}", part.len());
                return Err(self.breach(found, "its length is that of its bytes"));
            }
        }
        Ok(())
    }

    /// What goes to the endpoint is what came from the client, and nothing more.
    fn pass_on(&mut self, message: &Message, bytes: &[u8]) -> Result<(), Breach> {
        let id = self.rng.u64(..) & self.stage.mask();
        let edits = [Edit { name: "x-law", value: "a value" }];
        let edits = if self.rng.bool() { &edits[..] } else { &[] };
        let (written, out) = write(&mut *self.endpoint, (message, bytes), id, edits);
        if written.is_err() {
            self.course.note("refused", 0);
            if !out.is_empty() {
                let found = format!("{written:?} after {} bytes were written", out.len());
                return Err(self.breach(found, "a refusal has written nothing"));
            }
            return Ok(());
        }
        let decoded = self.stage.codec(Role::Endpoint).decode(&out);
        let arrived = match &decoded {
            Ok(crate::Decoded::Message(arrived)) => {
                let has_id = self.stage.has_id(arrived, id) || message.kind == Kind::Oneway;
                alike(arrived.kind, message.kind) && arrived.len == out.len() && has_id
            }
            // An edit, or a longer id, may have made it too long.
            Ok(crate::Decoded::Reject(rejected)) => rejected.cause == Cause::TooLarge,
            _ => false,
        };
        if arrived {
            return Ok(());
        }
        let found = format!("passed on, the message is {decoded:?} to the endpoint, of {} bytes", out.len());
        Err(self
            .breach(found, format!("one {:?} with id {id:#x} of all bytes that were written", message.kind)))
    }

    fn reply(&mut self, head: RequestHead, cause: Cause, text: &str) -> Result<(), Breach> {
        if local_reply(&mut *self.client, head, LocalReply { cause, text }).is_empty() {
            return Err(self.breach("a local reply of no bytes", "a response; its client waits for one"));
        }
        Ok(())
    }

    fn endpoint_says(&mut self, message: &Message, bytes: &[u8]) -> Result<(), Breach> {
        self.note(message);
        match message.kind {
            Kind::Push => drop(write(&mut *self.client, (message, bytes), 0, &[])),
            Kind::Response if message.flow.more => {
                drop(write(&mut *self.client, (message, bytes), 0, &[]));
            }
            Kind::Response if !self.asked.is_empty() => {
                let head = self.asked.remove(0);
                let (written, out) = write(&mut *self.client, (message, bytes), head.id, &[]);
                if written.is_err() {
                    if !out.is_empty() {
                        return Err(self.breach("a refusal after bytes were written", "nothing is written"));
                    }
                    self.reply(head, Cause::BadMessage, "the response cannot be read")?;
                }
            }
            Kind::Ping => {
                let mut out = Out::new();
                self.endpoint.pong(&Outgoing { message, bytes: Raw::Slice(bytes), id: message.id }, &mut out);
            }
            Kind::Request => {
                let reply = LocalReply { cause: Cause::Unsupported, text: "not served" };
                local_reply(&mut *self.endpoint, message.request_head(), reply);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Heads that no request had.
fn heads(stage: &Stage, rng: &mut Rng) -> Result<(), Breach> {
    for number in 0..stage.laws.cases.min(256) {
        let context = if number % 4 == 0 { u64::MAX } else { rng.u64(..) >> rng.u32(..64) };
        let head = RequestHead { id: rng.u64(..) & stage.mask(), context };
        let cause = Cause::ALL[rng.usize(..Cause::ALL.len())];
        let what = format!("the local reply to a head that no request had, context {context:#x}");
        stage.trial.set(Law::Hostile, &what, &[]);
        let reply = LocalReply { cause, text: "no" };
        if local_reply(&mut *stage.codec(Role::Downstream), head, reply).is_empty() {
            return Err(Breach::new(Law::Hostile, what).found("nothing").right("a response"));
        }
    }
    Ok(())
}
