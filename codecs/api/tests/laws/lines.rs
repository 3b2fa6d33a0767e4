//! A protocol of lines: no ids, no lengths, answers in the order of the requests. Good, or with one known mistake.
//!
//! A request is `GET …` or `PUT …`, a notice that nobody answers `NOTE …`; an answer begins with `+` or `-`.

use std::sync::Arc;
use std::time::Duration;

use codec_api::laws::{Law, Laws, Recorded};
use codec_api::{
    Codec, Conduct, DecodeError, Decoded, Factory, Kind, LocalReply, Message, OptionError, OptionValue,
    Options, Order, Out, Outgoing, Properties, Protocol, RequestHead, Sharing, Side, Span, Status,
};

const LIMIT: usize = 16 << 10;
const COMMAND: usize = 0;
/// The option: lines that are written end with a carriage return and a line feed.
const CRLF: &str = "crlf";

static PROPERTIES: Properties = Properties {
    head: &["command"],
    service: None,
    operation: Some(COMMAND),
    id_bits: 64,
    sharing: Sharing::Exclusive,
    request_timeout: Duration::from_secs(15),
    heartbeat: None,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    LooksFromTheStartEachTime,
    GoesOnWhereTheLastLineEnded,
    WritesTextsAsTheyAre,
    NotesWhatNobodyAnswers,
    HasNoLimit,
    LosesTheEnding,
}

struct Lines(Bug);

impl Protocol for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn properties(&self) -> &'static Properties {
        &PROPERTIES
    }

    fn configure(&self, _: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>> {
        options.only(&[CRLF])?;
        let has_return = options.bool(CRLF, false).map_err(|error| vec![error])?;
        Ok(Arc::new(Connections { bug: self.0, ending: if has_return { "\r\n" } else { "\n" } }))
    }
}

struct Connections {
    bug: Bug,
    ending: &'static str,
}

impl Factory for Connections {
    fn codec(&self) -> Box<dyn Codec> {
        Box::new(Connection { bug: self.bug, ending: self.ending, looked: 0, asked: Vec::new() })
    }

    fn conduct(&self) -> Conduct {
        let mut conduct = Conduct::default();
        conduct.order = Order::InOrder;
        conduct
    }
}

struct Connection {
    bug: Bug,
    ending: &'static str,
    /// How much of the first line has been searched for its end.
    looked: usize,
    /// First letters of what awaits an answer, in order; they begin the answer to a refusal.
    asked: Vec<u8>,
}

impl Codec for Connection {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        let from = if self.bug == Bug::LooksFromTheStartEachTime { 0 } else { self.looked.min(input.len()) };
        let end = input[from..].iter().position(|byte| *byte == b'\n').map(|place| from + place + 1);
        if end.unwrap_or(input.len() + 1) > LIMIT && self.bug != Bug::HasNoLimit {
            return Err(DecodeError::new(format!("a line of more than {LIMIT} bytes")));
        }
        let Some(len) = end else {
            self.looked = input.len();
            return Ok(Decoded::need(input.len() + 1));
        };
        self.looked = if self.bug == Bug::GoesOnWhereTheLastLineEnded { len } else { 0 };
        let line = &input[..len];
        let kind = match line {
            [b'+' | b'-', ..] => Kind::Response,
            _ if line.starts_with(b"NOTE ") => Kind::Oneway,
            _ if line.starts_with(b"GET ") || line.starts_with(b"PUT ") => Kind::Request,
            _ => return Err(DecodeError::new("neither GET, PUT, NOTE, nor an answer")),
        };
        let mut message = Message::new(kind, len);
        if kind == Kind::Response {
            message.status = if line[0] == b'+' { Status::Ok } else { Status::ServerError };
        } else {
            message.head[COMMAND] = Span::new(0, line.iter().position(|byte| *byte == b' ').unwrap_or(0));
        }
        if kind == Kind::Request || (kind == Kind::Oneway && self.bug == Bug::NotesWhatNobodyAnswers) {
            self.asked.push(line[0]);
        }
        Ok(Decoded::Message(message))
    }

    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        if message.message.kind == Kind::Response && !self.asked.is_empty() {
            self.asked.remove(0);
        }
        let line = message.bytes.as_slice();
        let line = line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n")).unwrap_or(line);
        out.put(line);
        if self.bug != Bug::LosesTheEnding {
            out.put(self.ending.as_bytes());
        }
    }

    fn local_reply(&mut self, _: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        let first = if self.asked.is_empty() { '?' } else { char::from(self.asked.remove(0)) };
        let text: String = reply.text.chars().take(200).collect();
        let text = match self.bug {
            Bug::WritesTextsAsTheyAre => text,
            _ => text.replace(char::is_control, " "),
        };
        out.put(format!("-{first} {:?} {text}{}", reply.cause, self.ending).as_bytes());
    }
}

fn laws(bug: Bug) -> Laws {
    laws_of_lines_that_end_in("\n", bug)
}

/// The laws where an endpoint's lines end so, and a client's in a line feed.
fn laws_of_lines_that_end_in(ending: &str, bug: Bug) -> Laws {
    Laws::of(Lines(bug))
        .message(Recorded::request("get", "GET key\n").shows("command", "GET"))
        .message(Recorded::response("get", format!("+value{ending}")))
        .message(Recorded::request("put", "PUT key value\n"))
        .message(Recorded::response("put", format!("-read only{ending}")).status(Status::ServerError))
        .message(Recorded::oneway("note", "NOTE that\n"))
        .long(|bytes| format!("PUT {}\n", "x".repeat(bytes)).into_bytes())
        .limit(LIMIT)
        .memory(16 << 10, |work| allocation_counter::measure(work).bytes_max)
        .without_ids()
        .cases(600)
}

#[test]
fn a_good_codec_without_ids_and_lengths_keeps_all_laws() {
    laws(Bug::None).check();
}

#[test]
fn each_mistake_breaks_its_law() {
    let rows = [
        (Bug::LooksFromTheStartEachTime, Law::Linear),
        (Bug::GoesOnWhereTheLastLineEnded, Law::Several),
        (Bug::WritesTextsAsTheyAre, Law::LocalReply),
        (Bug::NotesWhatNobodyAnswers, Law::Oneway),
        (Bug::HasNoLimit, Law::Limit),
    ];
    for (bug, law) in rows {
        let broken: Vec<Law> = laws(bug).breaches().into_iter().map(|breach| breach.law).collect();
        assert!(broken.contains(&law), "{bug:?} breaks {broken:?}, not {law}");
    }
}

#[test]
fn a_proxy_that_speaks_two_dialects_keeps_the_laws() {
    let crlf = Options([(CRLF.to_owned(), OptionValue::Bool(true))].into());
    let laws =
        |bug| laws_of_lines_that_end_in("\r\n", bug).options(Side::Upstream, crlf.clone()).transcodes();
    laws(Bug::None).check();
    let broken: Vec<Law> =
        laws(Bug::LosesTheEnding).breaches().into_iter().map(|breach| breach.law).collect();
    assert!(broken.contains(&Law::Correlation), "{broken:?}");
}
