//! A small whole protocol, good, or with one known mistake.
//!
//! ```text
//! 0           4     5   9              10
//! length (4)  kind  id  method length  method  attributes length (2)  attributes  payload
//! ```
//!
//! The first length is that of what follows it. An attribute is a name and a value, each behind one byte of length.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use codec_api::{
    Attribute, Cause, Codec, Conduct, DecodeError, Decoded, Edit, Edited, Edits, Factory, Found, Kind,
    LocalReply, Message, OptionError, Options, Out, Outgoing, Properties, Protocol, Refusal, Rejected,
    RequestHead, Sharing, Side, Span, Status, Value,
};

pub const LIMIT: usize = 64 << 10;
const HEAD: usize = 10;
const METHOD: usize = 0;

static PROPERTIES: Properties = Properties {
    head: &["method"],
    service: None,
    operation: Some(METHOD),
    id_bits: 32,
    sharing: Sharing::Shared(1),
    request_timeout: Duration::from_secs(15),
    heartbeat: Some(Duration::from_mins(1)),
};

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    None,
    LengthIsOneShort,
    TakesWhateverIsThere,
    KeepsTheLengthOfTheLast,
    LosesHalfTheId,
    DoesNotRestoreTheId,
    AllocatesWhatIsAnnounced,
    KeepsEachRequest,
    ScansAgainAndAgain,
    ScansTheWholeBuffer,
    AsksForWhatItHas,
    AsksForBytesThatMayNotCome,
    PanicsOnShortInput,
    NeverReturns,
    TrustsTheMethodsLength,
    ShiftsTheMethod,
    OffersValuesBeyondTheMessage,
    ChecksTheLimitAfterTheBody,
    SkipsTooLittle,
    RefusesWithoutAnAnswer,
    RepliesWithNothing,
    RepliesWithAnotherId,
    RepliesThatAllIsWell,
    CountsLettersInsteadOfBytes,
    RepliesTheSameToAll,
    PongsWithAnotherId,
    GoesAwayInSilence,
    LosesEdits,
    EditsTwice,
    EditsThePayload,
    WritesBeforeItRefuses,
    WriteIsNotEncode,
    Tidies,
    RemembersOneways,
    AnswersTheLastRequest,
    RefusesEqualIds,
    TakesEveryOption,
}

/// The protocol.
pub struct Tiny(pub Bug);

impl Protocol for Tiny {
    fn name(&self) -> &'static str {
        "tiny"
    }

    fn properties(&self) -> &'static Properties {
        &PROPERTIES
    }

    fn configure(&self, side: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>> {
        if self.0 != Bug::TakesEveryOption {
            options.only(&[])?;
        }
        Ok(Arc::new(Connections { bug: self.0, side }))
    }
}

struct Connections {
    bug: Bug,
    side: Side,
}

impl Factory for Connections {
    fn codec(&self) -> Box<dyn Codec> {
        Box::new(Connection {
            bug: self.bug,
            side: self.side,
            length: None,
            kept: Vec::new(),
            ids: Vec::new(),
            seen: BTreeSet::new(),
        })
    }

    fn conduct(&self) -> Conduct {
        let mut conduct = Conduct::default();
        conduct.edits = Edits::Always;
        conduct
    }
}

struct Connection {
    bug: Bug,
    side: Side,
    /// Where mistakes are kept.
    length: Option<usize>,
    kept: Vec<Vec<u8>>,
    ids: Vec<u64>,
    seen: BTreeSet<u64>,
}

/// A message of these parts.
pub fn frame(kind: u8, id: u32, method: &str, attributes: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut section = Vec::new();
    for (name, value) in attributes {
        for text in [name, value] {
            section.push(text.len() as u8);
            section.extend_from_slice(text.as_bytes());
        }
    }
    let mut bytes = ((8 + method.len() + section.len() + payload.len()) as u32).to_be_bytes().to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.push(method.len() as u8);
    bytes.extend_from_slice(method.as_bytes());
    bytes.extend_from_slice(&(section.len() as u16).to_be_bytes());
    bytes.extend_from_slice(&section);
    bytes.extend_from_slice(payload);
    bytes
}

/// Where the attributes of a message begin and end.
fn section(bytes: &[u8]) -> Option<(usize, usize)> {
    let start = HEAD + usize::from(*bytes.get(HEAD - 1)?) + 2;
    let length: &[u8; 2] = bytes.get(start - 2..)?.first_chunk()?;
    let end = start + usize::from(u16::from_be_bytes(*length));
    (end <= bytes.len()).then_some((start, end))
}

/// Places of the names and values of a message's attributes, as far as they make sense.
fn attributes(bytes: &[u8]) -> Vec<[Span; 2]> {
    let mut found = Vec::new();
    let Some((mut at, end)) = section(bytes) else { return found };
    loop {
        let mut text = || {
            let start = at + 1;
            let stop = start + usize::from(*bytes.get(at).filter(|_| at < end)?);
            at = stop;
            (stop <= end).then(|| Span::new(start, stop))
        };
        let (Some(name), Some(value)) = (text(), text()) else { return found };
        found.push([name, value]);
    }
}

impl Connection {
    /// Mistakes that a codec makes before it looks.
    fn stumble(&mut self, input: &[u8]) {
        match self.bug {
            Bug::ScansAgainAndAgain => {
                std::hint::black_box(
                    input.iter().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte)),
                );
            }
            Bug::ScansTheWholeBuffer if input.len() > 4 => {
                let len = 4 + u32::from_be_bytes([input[0], input[1], input[2], input[3]]) as usize;
                let behind = input.get(len..).unwrap_or_default();
                std::hint::black_box(
                    behind.iter().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte)),
                );
            }
            Bug::NeverReturns if input.get(4) == Some(&b'q') && input.get(9) == Some(&0x80) => loop {
                std::thread::yield_now();
            },
            Bug::PanicsOnShortInput => assert!(input.len() >= 4, "too short"),
            _ => {}
        }
    }

    fn needs(&self, shown: usize, total: usize) -> Decoded {
        match self.bug {
            Bug::AsksForWhatItHas if shown > 7 => Decoded::need(shown),
            Bug::AsksForBytesThatMayNotCome => Decoded::need(total.max(64)),
            _ => Decoded::need(total),
        }
    }

    fn length(&mut self, input: &[u8]) -> Option<usize> {
        let announced = 4 + u32::from_be_bytes(*input.first_chunk()?) as usize;
        if self.bug == Bug::KeepsTheLengthOfTheLast {
            return Some(*self.length.get_or_insert(announced));
        }
        Some(if self.bug == Bug::LengthIsOneShort { announced - 1 } else { announced })
    }

    fn too_large(&self, len: usize, head: &[u8; HEAD]) -> Decoded {
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]).into();
        let awaits = head[4] == b'q' && self.bug != Bug::RefusesWithoutAnAnswer;
        let skip = if self.bug == Bug::SkipsTooLittle { LIMIT as u64 } else { len as u64 };
        let text = format!("{len} bytes are more than {LIMIT}");
        let answer = awaits.then_some(RequestHead { id, context: 0 });
        Decoded::Reject(Rejected { skip, answer, cause: Cause::TooLarge, text })
    }

    fn remember(&mut self, message: &Message, bytes: &[u8]) -> Result<(), DecodeError> {
        match self.bug {
            Bug::KeepsEachRequest => self.kept.push(bytes.to_vec()),
            Bug::RemembersOneways if matches!(message.kind, Kind::Request | Kind::Oneway) => {
                self.ids.push(message.id);
            }
            Bug::RefusesEqualIds if self.side == Side::Downstream && !self.seen.insert(message.id) => {
                return Err(DecodeError::new(format!("id {} is in use", message.id)));
            }
            Bug::AnswersTheLastRequest => self.ids = vec![message.id],
            _ => {}
        }
        Ok(())
    }
}

impl Codec for Connection {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        self.stumble(input);
        let (Some(len), Some(head)) = (self.length(input), input.first_chunk::<HEAD>()) else {
            return Ok(self.needs(input.len(), HEAD));
        };
        if len < HEAD + 2 {
            return Err(DecodeError::new(format!("{len} bytes are no message")));
        }
        let kind = match head[4] {
            b'q' => Kind::Request,
            b'1' => Kind::Oneway,
            b'r' | b'e' => Kind::Response,
            b'p' => Kind::Ping,
            b'o' => Kind::Pong,
            b'g' => Kind::GoingAway,
            other => return Err(DecodeError::new(format!("kind {other:#04x} is unknown"))),
        };
        let is_checked = self.bug != Bug::ChecksTheLimitAfterTheBody || input.len() >= len;
        if is_checked && len > LIMIT {
            return Ok(self.too_large(len, head));
        }
        if self.bug == Bug::AllocatesWhatIsAnnounced {
            self.kept = vec![Vec::with_capacity(len)];
        }
        if input.len() < len {
            return Ok(self.needs(input.len(), len));
        }
        let bytes = &input[..len];
        let mut message = Message::new(kind, len);
        message.id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]).into();
        if self.bug == Bug::LosesHalfTheId {
            message.id &= 0xffff;
        }
        if head[4] == b'e' {
            message.status = Status::ServerError;
        }
        let end = HEAD + usize::from(head[9]);
        if self.bug != Bug::TrustsTheMethodsLength && section(bytes).is_none() {
            return Err(DecodeError::new("the message ends before its attributes do"));
        }
        let shift = usize::from(self.bug == Bug::ShiftsTheMethod);
        message.head[METHOD] = Span::new(HEAD + shift, end + shift);
        if self.bug == Bug::TakesWhateverIsThere {
            message.len = input.len();
        }
        self.remember(&message, bytes)?;
        Ok(Decoded::Message(message))
    }

    fn attributes(&mut self, _: &Message, bytes: &[u8], wanted: &[Attribute], found: &mut Found) {
        for [name, value] in attributes(bytes) {
            if let Some(name) = name.of(bytes) {
                found.offer(wanted, name, || Value::Span(value));
            }
        }
        if self.bug == Bug::OffersValuesBeyondTheMessage {
            found.offer(wanted, b"x-law", || Value::Span(Span::new(bytes.len(), bytes.len() + 1)));
        }
    }

    fn encode(&mut self, message: &Outgoing<'_>, out: &mut Out) {
        let bytes = message.bytes.as_slice();
        let id = if self.bug == Bug::DoesNotRestoreTheId { message.message.id } else { message.id };
        out.put(&bytes[..5]);
        out.put(&(id as u32).to_be_bytes());
        if self.bug == Bug::Tidies {
            out.put(&bytes[9..].to_ascii_lowercase());
        } else {
            message.bytes.put_from(9, out);
        }
    }

    fn write(
        &mut self,
        message: &Outgoing<'_>,
        edits: &[Edit<'_>],
        out: &mut Out,
    ) -> Result<Edited, Refusal> {
        if edits.is_empty() || self.bug == Bug::LosesEdits {
            self.encode(message, out);
            if self.bug == Bug::WriteIsNotEncode && message.message.kind == Kind::Request {
                out.put(b" ");
            }
            return Ok(Edited::Done);
        }
        let bytes = message.bytes.as_slice();
        let Some((_, end)) = section(bytes) else { return Ok(Edited::Impossible) };
        let text = |span: &Span| String::from_utf8_lossy(span.of(bytes).unwrap_or_default()).into_owned();
        let mut all: Vec<_> =
            attributes(bytes).iter().map(|[name, value]| (text(name), text(value))).collect();
        let mut method = text(&message.message.head[METHOD]);
        for edit in edits {
            if edit.value.len() > 255 {
                if self.bug == Bug::WritesBeforeItRefuses {
                    out.put(b"x");
                }
                let text = format!("the value of {} is longer than 255 bytes", edit.name);
                return Err(Refusal { cause: Cause::BadMessage, text });
            }
            if edit.name.eq_ignore_ascii_case("method") {
                edit.value.clone_into(&mut method);
                continue;
            }
            let known = all.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(edit.name));
            match known.filter(|_| self.bug != Bug::EditsTwice) {
                Some((_, value)) => edit.value.clone_into(value),
                None => all.insert(0, (edit.name.to_owned(), edit.value.to_owned())),
            }
        }
        let all: Vec<_> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let cut = usize::from(self.bug == Bug::EditsThePayload && end < bytes.len());
        out.put(&frame(bytes[4], message.id as u32, &method, &all, &bytes[end..bytes.len() - cut]));
        Ok(Edited::Done)
    }

    fn local_reply(&mut self, request: RequestHead, reply: LocalReply<'_>, out: &mut Out) {
        let text = &reply.text.as_bytes()[..reply.text.len().min(500)];
        let id = match self.bug {
            Bug::RepliesWithNothing if reply.cause == Cause::Denied => return,
            Bug::RepliesWithAnotherId => request.id + 1,
            Bug::RemembersOneways if !self.ids.is_empty() => self.ids.remove(0),
            Bug::AnswersTheLastRequest => self.ids.last().copied().unwrap_or(request.id),
            _ => request.id,
        };
        let kind = if self.bug == Bug::RepliesThatAllIsWell { b'r' } else { b'e' };
        let text = if self.bug == Bug::RepliesTheSameToAll { b"no" } else { text };
        let mut bytes = frame(kind, id as u32, "", &[], text);
        if self.bug == Bug::CountsLettersInsteadOfBytes {
            let letters = reply.text.chars().take(500).count();
            bytes[..4].copy_from_slice(&(8 + letters as u32).to_be_bytes());
        }
        out.put(&bytes);
    }

    fn pong(&mut self, ping: &Outgoing<'_>, out: &mut Out) {
        let id = if self.bug == Bug::PongsWithAnotherId { 0 } else { ping.id };
        out.put(&frame(b'o', id as u32, "", &[], b""));
    }

    fn ping(&mut self, id: u64, out: &mut Out) {
        out.put(&frame(b'p', id as u32, "", &[], b""));
    }

    fn going_away(&mut self, out: &mut Out) {
        let kind = if self.bug == Bug::GoesAwayInSilence { b'p' } else { b'g' };
        out.put(&frame(kind, 0, "", &[], b""));
    }
}
