//! Which way a request takes: the policy of its command, as the client's state has it.

use std::time::Duration;

use codec_api::{Affinity, Cause, DecodeError, Decoded, Kind, Message, Rejected, RequestHead, Span, Spread};

use super::{COMMAND, Downstream, Due, HEAD, KEY, Replies, SUBCOMMAND, Standing, first_key};
use crate::context;
use crate::holds::Holds;
use crate::number::integer;
use crate::policy::{Hold, Own, Policy, Session, Subscribe, Topic, Wait, Way};
use crate::request::{Args, split};
use crate::said::Said;
use crate::table::{COUNT, Command, WRITE};

/// Longest time that is taken for one; beyond it is for ever.
const LONGEST_WAIT: f64 = 1e9;
/// Bytes of a command's name that are repeated to whoever sent it.
const SHOWN: usize = 64;

/// A request on its way to a decision.
pub(super) struct Request<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) args: Args<'a>,
    pub(super) command: Command,
    pub(super) policy: Policy,
    pub(super) message: Message,
}

impl Request<'_> {
    /// Arguments, the name included.
    pub(super) fn count(&self) -> usize {
        self.args.len()
    }

    /// Whether it has as many arguments as its command.
    fn is_complete(&self) -> bool {
        let arity = self.command.row().arity;
        let needed = usize::from(arity.unsigned_abs());
        if arity < 0 { self.count() >= needed } else { self.count() == needed }
    }

    /// The argument at this index, in upper case.
    pub(super) fn word(&self, index: usize) -> String {
        self.args.get(index).map(|arg| String::from_utf8_lossy(arg).to_ascii_uppercase()).unwrap_or_default()
    }

    /// Whether its keys stand in it as they are meant.
    fn has_plain_keys(&self) -> bool {
        let mut is_plain = true;
        let args = (self.count(), self.args.places());
        crate::table::each_key(self.command.row().keys, self.bytes, args, |place| {
            is_plain &= self.args.is_plain(&place);
        });
        is_plain
    }

    /// Which endpoints it goes to, by its policy.
    pub(super) fn find_spread(&mut self) {
        let has_key = !self.message.head[KEY].is_none();
        self.message.flow.spread = match self.policy.way {
            Way::Key | Way::Split(_) | Way::Block(_) if has_key => Spread::Keys,
            // A script or function without keys.
            Way::Key if self.command.row().only_key == 0 && self.is_complete() => Spread::Home,
            Way::All(_) => Spread::All,
            Way::Home => Spread::Home,
            Way::Sole | Way::Apart => Spread::Sole,
            _ => Spread::One,
        };
    }

    /// How long it may wait, as it says itself. `None`: it does not say, or does not wait.
    fn time(&self, wait: Wait) -> Option<Duration> {
        let seconds = |index| {
            let text = std::str::from_utf8(self.args.get(index)?).ok()?;
            text.parse().ok().filter(|seconds: &f64| *seconds >= 0.0)
        };
        let millis = |index| {
            let millis = integer(self.args.get(index)?)?;
            (millis >= 0).then_some(millis as f64 / 1000.0)
        };
        let time = match wait {
            Wait::Last => seconds(self.count().checked_sub(1)?)?,
            Wait::Seconds(index) => seconds(index.into())?,
            Wait::Millis(index) => millis(index.into())?,
            Wait::Block => {
                let streams = self.find("STREAMS", self.count())?;
                millis(self.find("BLOCK", streams)? + 1)?
            }
            Wait::Unknown => 0.0,
        };
        Some(if time > LONGEST_WAIT { Duration::ZERO } else { Duration::from_secs_f64(time) })
    }

    /// The index of the first argument behind the name, and before `end`, that is this word.
    fn find(&self, word: &str, end: usize) -> Option<usize> {
        let is_word = |arg: &[u8]| arg.eq_ignore_ascii_case(word.as_bytes());
        Some(1 + self.args.iter().take(end).skip(1).position(is_word)?)
    }
}

impl Downstream {
    /// Says of a whole request, sent as an array, which way it takes.
    pub(super) fn decide(&mut self, bytes: &[u8]) -> Decoded {
        self.decide_args(bytes, Args::of(bytes), 0)
    }

    /// The same of an inline command.
    pub(super) fn inline(&mut self, bytes: &[u8]) -> Result<Decoded, DecodeError> {
        if split(bytes).is_none() {
            return Err(DecodeError::new("Protocol error: unbalanced quotes in request"));
        }
        Ok(self.decide_args(bytes, Args::of(bytes), context::INLINE))
    }

    fn decide_args(&mut self, bytes: &[u8], args: Args<'_>, inline: u64) -> Decoded {
        if self.standing == Standing::Leaving {
            return Decoded::Message(Message::new(Kind::Notice, bytes.len()));
        }
        let Some(container) = args.get(0).and_then(Command::find) else {
            return self.unknown(bytes, &args, inline);
        };
        let sub = args.get(1).and_then(|name| container.subcommand(name));
        let command = sub.unwrap_or(container);
        let mut message = Message::new(Kind::Request, bytes.len());
        message.context = context::of(command) | inline;
        message.head = HEAD;
        let field = |index: usize, known: &str, word: usize| match args.places().nth(index) {
            Some(place) if bytes.get(place.clone()) == Some(known.as_bytes()) => {
                Span::new(place.start, place.end)
            }
            _ => Span::word(word as u16),
        };
        message.head[COMMAND] = field(0, container.row().name, container.place());
        if sub.is_some() {
            let name = crate::table::WORDS[COUNT + command.place()];
            message.head[SUBCOMMAND] = field(1, name, COUNT + command.place());
        }
        if let Some(place) = first_key(command, bytes, &args) {
            let is_plain = args.is_plain(&place);
            message.head[KEY] = if is_plain { Span::new(place.start, place.end) } else { Span::LATE };
        }
        let policy = command.policy();
        message.flow.writes = policy.writes || command.row().flags & WRITE != 0;
        let request = Request { bytes, args, command, policy, message };
        if inline != 0 && !request.has_plain_keys() {
            let why = "a key of an inline command is written with escapes: send it as an array";
            return self.refuse_for(&request, why);
        }
        self.route(request)
    }

    /// Follows the policy.
    fn route(&mut self, request: Request<'_>) -> Decoded {
        let way = request.policy.way;
        let may_ask =
            matches!(way, Way::Session(Session::Auth | Session::Hello) | Way::Own(Own::Quit | Own::Reset));
        if self.standing == Standing::Stranger && !may_ask {
            return self.say_so(request, Said::NoAuth);
        }
        if self.transaction.is_some() {
            return self.inside(request);
        }
        match way {
            Way::Key | Way::Split(_) | Way::One | Way::Sole | Way::Home | Way::All(_) => {
                self.forward(request)
            }
            Way::Apart => self.wait(request, Affinity::Alone, None),
            Way::Block(wait) => match request.time(wait) {
                Some(time) => self.wait(request, Affinity::Alone, Some(time)),
                None => self.forward(request),
            },
            Way::LastWrite(wait) => {
                let time = request.time(wait);
                self.wait(request, Affinity::LastWrite, time)
            }
            Way::Own(_) => self.own(request),
            Way::Session(session) => self.change_session(session, request),
            Way::Transaction(part) => self.outside(part, request),
            Way::Subscribe(subscribe) => self.subscribe(subscribe, request),
            Way::Hold(hold) => self.hold(hold, request),
            Way::Container | Way::Refuse(_) => self.refuse(request),
        }
    }

    /// Sends it to its endpoint, on any connection.
    pub(super) fn forward(&mut self, mut request: Request<'_>) -> Decoded {
        request.find_spread();
        self.send(&request, Due::default())
    }

    fn wait(&mut self, mut request: Request<'_>, affinity: Affinity, time: Option<Duration>) -> Decoded {
        request.find_spread();
        request.message.flow.affinity = affinity;
        request.message.flow.time = time;
        self.send(&request, Due::default())
    }

    /// Sends it as it is.
    pub(super) fn send(&mut self, request: &Request<'_>, due: Due) -> Decoded {
        self.ask(due);
        Decoded::Message(request.message)
    }

    /// From here on the client has a connection of its own.
    pub(super) fn pin(&mut self, mut request: Request<'_>, hold: Holds, spread: Spread) -> Decoded {
        let due = Due::adding(hold.without(self.holds));
        self.holds = self.holds.with(hold);
        request.message.flow.affinity = Affinity::Pin;
        request.message.flow.spread = spread;
        request.message.context |= context::MARKED;
        self.send(&request, due)
    }

    /// The client's own connection goes back, unless it has it for something else too.
    pub(super) fn unpin(&mut self, mut request: Request<'_>, hold: Holds, due: Due) -> Decoded {
        self.holds = self.holds.without(hold);
        // Either way it is about the connection: what ends here must end there too, so that nothing keeps it back.
        let is_last = self.holds.is_empty();
        request.message.flow.affinity = if is_last { Affinity::Unpin } else { Affinity::Pin };
        self.send(&request, due)
    }

    fn subscribe(&mut self, subscribe: Subscribe, mut request: Request<'_>) -> Decoded {
        if subscribe.begins && !request.is_complete() {
            return self.say_so(request, Said::Arity);
        }
        let has_key = !request.message.head[KEY].is_none();
        let spread = if subscribe.topic == Topic::Shard && has_key { Spread::Keys } else { Spread::Home };
        request.message.flow.time = Some(Duration::ZERO);
        let is_alone = self.holds.is_empty();
        if is_alone && self.session.asked().protocol == 3 {
            request.message.flow.affinity = Affinity::Private;
            request.message.flow.spread = spread;
            request.message.context |= context::MARKED;
            return self.send(&request, Due::default());
        }
        self.pin(request, Holds::SUBSCRIPTION, spread)
    }

    fn hold(&mut self, hold: Hold, mut request: Request<'_>) -> Decoded {
        if !request.is_complete() {
            return self.say_so(request, Said::Arity);
        }
        let is_on = hold == Hold::Monitor || request.word(2) == "ON";
        if !is_on && request.word(2) != "OFF" {
            return self.say_so(request, Said::Syntax);
        }
        if hold == Hold::Tracking && is_on {
            if request.find("REDIRECT", request.count()).is_some() {
                let why = "REDIRECT is refused: the client that it names is not one of the server";
                return self.refuse_for(&request, why);
            }
            if self.session.asked().protocol != 3 {
                return self.refuse_for(&request, "it needs RESP3: send HELLO 3 first");
            }
        }
        let reason = Holds::of(hold);
        request.message.context |= context::MARKED;
        match is_on {
            true => self.pin(request, reason, Spread::Sole),
            false if self.holds.has(reason) => self.unpin(request, reason, Due::default()),
            false => self.say_so(request, Said::Ok),
        }
    }

    /// What the proxy answers itself.
    pub(super) fn own(&mut self, mut request: Request<'_>) -> Decoded {
        let Way::Own(own) = request.policy.way else { return self.refuse(request) };
        if !request.is_complete() || (own == Own::Ping && request.count() > 2) {
            return self.say_so(request, Said::Arity);
        }
        match own {
            Own::Ping if !self.holds.is_empty() => return self.forward(request),
            Own::Reset => {
                request.message.flow.affinity = Affinity::Unpin;
                // Its own answer is wanted, whatever was before.
                self.replies = Replies::On;
            }
            Own::Reply => return self.reply_mode(request),
            Own::Quit => {
                self.standing = Standing::Leaving;
                self.look_again();
            }
            _ => {}
        }
        if self.session.asked().protocol == 3 {
            request.message.context |= context::RESP3;
        }
        request.message.kind = Kind::Own;
        self.send(&request, Due::default())
    }

    fn reply_mode(&mut self, mut request: Request<'_>) -> Decoded {
        request.message.kind = Kind::Own;
        let replies = match request.word(2).as_str() {
            "ON" => Replies::On,
            "OFF" => Replies::Off,
            "SKIP" => Replies::Skip,
            _ => return self.say_so(request, Said::Syntax),
        };
        request.message.context |= context::saying(Said::Ok);
        let is_off = self.replies == Replies::Off;
        self.replies = Replies::On;
        self.ask(Due::default().and(Due::SILENT, replies != Replies::On));
        self.replies = if is_off && replies == Replies::Skip { Replies::Off } else { replies };
        self.look_again();
        Decoded::Message(request.message)
    }

    /// Answers with these words.
    pub(super) fn say_so(&mut self, request: Request<'_>, said: Said) -> Decoded {
        self.say_with(request, said, Due::default())
    }

    /// Answers with these words, and something is to be done then.
    pub(super) fn say_with(&mut self, mut request: Request<'_>, said: Said, due: Due) -> Decoded {
        request.message.kind = Kind::Own;
        request.message.flow = codec_api::Flow::default();
        request.message.context |= context::saying(said);
        self.send(&request, due)
    }

    /// Refuses it, as its policy says.
    pub(super) fn refuse(&mut self, request: Request<'_>) -> Decoded {
        match request.policy.way {
            Way::Refuse(reason) => self.refuse_for(&request, reason),
            _ if request.count() < 2 => self.spoil_or_say(request),
            _ => {
                let name = request.word(1).chars().take(SHOWN).collect::<String>();
                self.refuse_for(&request, &format!("it has no subcommand {name:?} that this proxy knows"))
            }
        }
    }

    fn spoil_or_say(&mut self, mut request: Request<'_>) -> Decoded {
        if self.spoiled() {
            request.message.context |= context::QUEUED;
        }
        self.say_so(request, Said::Arity)
    }

    /// Refuses it for this reason.
    pub(super) fn refuse_for(&mut self, request: &Request<'_>, reason: &str) -> Decoded {
        let name = request.command.row().name.replace('|', " ");
        self.reject(&request.message, &format!("{name} is refused: {reason}"))
    }

    fn reject(&mut self, message: &Message, text: &str) -> Decoded {
        let mut head = message.request_head();
        if self.spoiled() {
            head.context |= context::QUEUED;
        }
        self.ask(Due::default());
        let (skip, text) = (message.len as u64, text.to_owned());
        Decoded::Reject(Rejected { skip, answer: Some(head), cause: Cause::Unsupported, text })
    }

    fn unknown(&mut self, bytes: &[u8], args: &Args<'_>, inline: u64) -> Decoded {
        let mut message = Message::new(Kind::Request, bytes.len());
        message.context = context::UNKNOWN | inline;
        message.head = HEAD;
        if self.standing == Standing::Stranger {
            message.kind = Kind::Own;
            message.context |= context::saying(Said::NoAuth);
            self.ask(Due::default());
            return Decoded::Message(message);
        }
        let name = args.get(0).unwrap_or_default();
        let name = &name[..name.len().min(SHOWN)];
        if !self.settings.first_key || name.is_empty() {
            let text = format!("unknown command '{}': this proxy does not know it", name.escape_ascii());
            return self.reject(&message, &text);
        }
        if self.transaction.is_some() {
            let text =
                format!("'{}' cannot be part of a transaction: its keys are not known", name.escape_ascii());
            return self.reject(&message, &text);
        }
        let mut places = args.places();
        message.head[COMMAND] = places.next().map_or(Span::NONE, |place| Span::new(place.start, place.end));
        if let Some(key) = places.next().filter(|place| args.is_plain(place)) {
            message.head[KEY] = Span::new(key.start, key.end);
            message.flow.spread = Spread::Keys;
        }
        message.flow.writes = true;
        self.ask(Due::default());
        Decoded::Message(message)
    }

    /// Refuses a request whose bytes have not all come.
    pub(super) fn too_large(&mut self, skip: u64, what: &str) -> Decoded {
        let context = if self.spoiled() { context::UNKNOWN | context::QUEUED } else { context::UNKNOWN };
        self.ask(Due::default());
        let limits = &self.settings.limits;
        let limit = if what == "bytes" { limits.message as u64 } else { limits.elements.into() };
        let text = format!("the request is longer than {limit} {what}");
        let answer = Some(RequestHead { id: 0, context });
        Decoded::Reject(Rejected { skip, answer, cause: Cause::TooLarge, text })
    }
}
