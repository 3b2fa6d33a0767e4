//! A protocol whose clients have sessions, whose requests have several keys, and whose endpoints speak unasked. Good, or
//! with one known mistake.
//!
//! Lines: `GET a b …` is split by key, `USE x` asks for a session, `NAME` is answered by the proxy; an answer begins with
//! `+` or `-`, what comes unasked with `>`. A local reply names the request that it answers by its first letter.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use codec_api::laws::{Law, Laws, Recorded};
use codec_api::{
    Affinity, After, Answer, Codec, Conduct, DecodeError, Decoded, Factory, Kind, LocalReply, Message,
    OptionError, Options, Order, Out, Outgoing, Properties, Protocol, Refusal, RequestHead, Shares, Sharing,
    Side, Span, Spread, Status,
};

const LIMIT: usize = 16 << 10;
const WORDS: [&str; 3] = ["GET", "USE", "NAME"];

static PROPERTIES: Properties = Properties {
    head: &["command"],
    service: None,
    operation: Some(0),
    id_bits: 64,
    sharing: Sharing::Shared(1),
    request_timeout: Duration::from_secs(15),
    heartbeat: None,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    NamesAWordThatThereIsNot,
    AnswersNothingItself,
    KeepsARefusedSession,
    LosesAGrantedSession,
    SetsUpLessThanItSays,
    LosesTheLastKey,
    RefusesOneShareOnly,
    HashesBeyondTheMessage,
    MergesInSilence,
    MergesFailuresIntoSuccess,
    TakesWhatIsUnaskedForAnAnswer,
    CutsWhatIsUnasked,
}

struct Turns(Bug);

impl Protocol for Turns {
    fn name(&self) -> &'static str {
        "turns"
    }

    fn properties(&self) -> &'static Properties {
        &PROPERTIES
    }

    fn configure(&self, _: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>> {
        options.only(&[])?;
        Ok(Arc::new(Turns(self.0)))
    }
}

impl Factory for Turns {
    fn codec(&self) -> Box<dyn Codec> {
        Box::new(Connection {
            bug: self.0,
            looked: 0,
            asked: VecDeque::new(),
            session: Vec::new(),
            before: None,
        })
    }

    fn conduct(&self) -> Conduct {
        let mut conduct = Conduct::default();
        conduct.order = Order::InOrder;
        conduct.words = &WORDS;
        conduct.keys = Some("key");
        conduct
    }
}

struct Connection {
    bug: Bug,
    looked: usize,
    /// First letters of what awaits an answer.
    asked: VecDeque<u8>,
    session: Vec<u8>,
    before: Option<Vec<u8>>,
}

impl Connection {
    fn settle(&mut self, is_granted: bool) -> char {
        match self.before.take() {
            Some(before) if !is_granted && self.bug != Bug::KeepsARefusedSession => self.session = before,
            Some(before) if is_granted && self.bug == Bug::LosesAGrantedSession => self.session = before,
            _ => {}
        }
        self.asked.pop_front().map_or('?', char::from)
    }
}

/// The places of a line's words.
fn words(line: &[u8]) -> Vec<Span> {
    let mut at = 0;
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let word = |word: &[u8]| {
        at += word.len() + 1;
        Span::new(at - 1 - word.len(), at - 1)
    };
    line.split(|byte| *byte == b' ').map(word).collect()
}

/// What a line is, but for what it changes.
fn message(line: &[u8], bug: Bug) -> Option<Message> {
    let mut message = Message::new(Kind::Request, line.len());
    let word = if bug == Bug::NamesAWordThatThereIsNot { 9 } else { 0 };
    match line.first()? {
        b'+' => message.kind = Kind::Response,
        b'-' => (message.kind, message.status) = (Kind::Response, Status::ServerError),
        b'>' => message.kind = Kind::Push,
        b'G' if line.starts_with(b"GET ") => {
            message.head[0] = Span::word(word);
            message.flow.spread = Spread::Keys;
        }
        b'U' if line.starts_with(b"USE ") => {
            message.head[0] = Span::word(1);
            message.flow.affinity = Affinity::Session;
        }
        b'N' if line == b"NAME\n" => (message.kind, message.head[0]) = (Kind::Own, Span::new(0, 4)),
        _ => return None,
    }
    Some(message)
}

impl Codec for Connection {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        let from = self.looked.min(input.len());
        let end = input[from..].iter().position(|byte| *byte == b'\n').map(|place| from + place + 1);
        if end.unwrap_or(input.len() + 1) > LIMIT {
            return Err(DecodeError::new(format!("a line of more than {LIMIT} bytes")));
        }
        let Some(len) = end else {
            self.looked = input.len();
            return Ok(Decoded::need(input.len() + 1));
        };
        self.looked = 0;
        let line = &input[..len];
        let Some(message) = message(line, self.bug) else {
            return Err(DecodeError::new("no line of this protocol"));
        };
        if matches!(message.kind, Kind::Request | Kind::Own) {
            self.asked.push_back(line[0]);
        }
        if message.flow.affinity == Affinity::Session {
            self.before = Some(std::mem::replace(&mut self.session, line[4..].to_vec()));
        }
        Ok(Decoded::Message(message))
    }

    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        let is_push = message.message.kind == Kind::Push;
        if message.message.kind == Kind::Response
            || (is_push && self.bug == Bug::TakesWhatIsUnaskedForAnAnswer)
        {
            self.settle(message.message.status == Status::Ok);
        }
        let line = message.bytes.as_slice();
        let cut = usize::from(is_push && self.bug == Bug::CutsWhatIsUnasked);
        out.put(&line[..line.len() - cut]);
    }

    fn local_reply(&mut self, _: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        let first = self.settle(false);
        let text: String =
            reply.text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
        out.put(format!("-{first} {:?} {text}\n", reply.cause).as_bytes());
    }

    fn answer(&mut self, _: &Outgoing<'_>, out: &mut Out) -> After {
        self.settle(true);
        if self.bug != Bug::AnswersNothingItself {
            out.put(b"+turns\n");
        }
        After::Stay
    }

    fn session(&self) -> &[u8] {
        &self.session
    }

    fn prelude(&mut self, session: &[u8], out: &mut Out) -> usize {
        if session.is_empty() {
            return 0;
        }
        if self.bug != Bug::SetsUpLessThanItSays {
            out.put(b"USE ");
            out.put(session);
        }
        1
    }

    fn keys(&mut self, message: &Message, bytes: &[u8], keys: &mut Vec<Span>) {
        keys.extend(words(&bytes[..message.len]).into_iter().skip(1));
        if self.bug == Bug::HashesBeyondTheMessage {
            keys.push(Span::new(message.len, message.len + 1));
        }
    }

    fn split(
        &mut self,
        whole: &Outgoing<'_>,
        shares: Shares<'_>,
        share: u16,
        part: &mut Vec<u8>,
    ) -> Result<Message, Refusal> {
        if self.bug == Bug::RefusesOneShareOnly && share == 1 {
            return Err(Refusal { cause: codec_api::Cause::Scattered, text: "not this one".to_owned() });
        }
        let bytes = whole.bytes.as_slice();
        let keys: Vec<Span> = words(bytes).into_iter().skip(1).collect();
        let mut own: Vec<&[u8]> = keys
            .iter()
            .zip(shares.of_key)
            .filter(|(_, of)| **of == share)
            .filter_map(|(key, _)| key.of(bytes))
            .collect();
        if self.bug == Bug::LosesTheLastKey && own.len() > 1 {
            own.pop();
        }
        part.extend_from_slice(b"GET ");
        part.extend_from_slice(&own.join(&b' '));
        part.push(b'\n');
        Ok(message(part, self.bug).expect("it is a GET"))
    }

    fn merge(&mut self, _: RequestHead, _: Shares<'_>, answers: &[Answer<'_>], out: &mut Out) {
        self.settle(true);
        let has_failed = answers.iter().any(|answer| matches!(answer, Answer::Failed(_)));
        match self.bug {
            Bug::MergesInSilence => {}
            Bug::MergesFailuresIntoSuccess => out.put(b"+all\n"),
            _ => out.put(if has_failed { b"-some\n" } else { b"+all\n" }),
        }
    }
}

fn laws(bug: Bug) -> Laws {
    Laws::of(Turns(bug))
        .message(Recorded::request("one", "GET a\n").shows("command", "GET"))
        .message(Recorded::response("one", "+1\n"))
        .message(Recorded::request("more", "GET a b c d\n"))
        .message(Recorded::response("more", "+1 2 3 4\n"))
        .message(Recorded::request("use", "USE x\n").shows("command", "USE"))
        .message(Recorded::response("use", "+used\n"))
        .message(Recorded::from_client(Kind::Own, "name", "NAME\n").shows("command", "NAME"))
        .message(Recorded::from_endpoint(Kind::Push, "news", ">news\n"))
        .long(|bytes| format!("GET {}\n", "x".repeat(bytes)).into_bytes())
        .limit(LIMIT)
        .memory(16 << 10, |work| allocation_counter::measure(work).bytes_max)
        .without_ids()
        .cases(600)
}

#[test]
fn a_good_codec_with_sessions_shares_and_pushes_keeps_all_laws() {
    laws(Bug::None).check();
}

#[test]
fn each_mistake_breaks_its_law() {
    for (bug, law) in [
        (Bug::NamesAWordThatThereIsNot, Law::Attributes),
        (Bug::AnswersNothingItself, Law::Own),
        (Bug::KeepsARefusedSession, Law::Session),
        (Bug::LosesAGrantedSession, Law::Session),
        (Bug::SetsUpLessThanItSays, Law::Session),
        (Bug::LosesTheLastKey, Law::Shares),
        (Bug::RefusesOneShareOnly, Law::Shares),
        (Bug::HashesBeyondTheMessage, Law::Shares),
        (Bug::MergesInSilence, Law::Shares),
        (Bug::MergesFailuresIntoSuccess, Law::Shares),
        (Bug::TakesWhatIsUnaskedForAnAnswer, Law::Push),
        (Bug::CutsWhatIsUnasked, Law::Push),
    ] {
        let broken: Vec<Law> = laws(bug).breaches().into_iter().map(|breach| breach.law).collect();
        assert!(broken.contains(&law), "{bug:?} breaks {broken:?}, not {law}");
    }
}
