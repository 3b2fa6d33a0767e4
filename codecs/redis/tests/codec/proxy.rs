//! Both codecs of a conversation, joined as the proxy joins them, on one upstream connection and without waiting.

use std::collections::{BTreeMap, VecDeque};

use codec_api::{
    Affinity, After, Cause, Codec, Decoded, Kind, LocalReply, Message, OptionValue, Options, Out, Outgoing,
    Protocol, Raw, RequestHead, Side,
};
use codec_redis::Redis;

/// A request as clients write it.
pub fn array(words: &str) -> Vec<u8> {
    let words: Vec<&str> = words.split(' ').collect();
    of_words(&words)
}

/// A request of these words.
pub fn of_words(words: &[&str]) -> Vec<u8> {
    let bulks = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), bulks.collect::<String>()).into_bytes()
}

/// Options by name.
pub fn options<const N: usize>(options: [(&str, OptionValue); N]) -> Options {
    Options(BTreeMap::from(options.map(|(name, value)| (name.to_owned(), value))))
}

/// A codec of one side.
pub fn codec(side: Side, options: &Options) -> Box<dyn Codec> {
    Redis.configure(side, options).unwrap().codec()
}

/// What awaits its turn to be answered.
enum Waiting {
    Sent,
    Own(Message, Vec<u8>),
    Failed(RequestHead, Cause, String),
}

/// A proxy with one client and one endpoint.
pub struct Proxy {
    pub client: Box<dyn Codec>,
    pub endpoint: Box<dyn Codec>,
    waiting: VecDeque<Waiting>,
    /// Responses that come before the next one that is for the client.
    swallowed: usize,
    pub has_closed: bool,
}

/// What came of some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Came {
    /// What the client got.
    pub to_client: String,
    /// What the endpoint got.
    pub to_endpoint: String,
    /// Which connections the requests asked for, and the pins that ended.
    pub affinities: Vec<Affinity>,
}

impl Proxy {
    pub fn new() -> Self {
        Self::with(&Options::default(), &Options::default())
    }

    pub fn with(downstream: &Options, upstream: &Options) -> Self {
        Self {
            client: codec(Side::Downstream, downstream),
            endpoint: codec(Side::Upstream, upstream),
            waiting: VecDeque::new(),
            swallowed: 0,
            has_closed: false,
        }
    }

    /// The client sends commands.
    pub fn ask(&mut self, commands: &[&str]) -> Came {
        self.send(&commands.iter().flat_map(|command| array(command)).collect::<Vec<_>>(), None)
    }

    /// The client sends a command, and the proxy cannot serve it.
    pub fn fail(&mut self, command: &str, cause: Cause) -> Came {
        self.send(&array(command), Some(cause))
    }

    /// The client sends bytes.
    pub fn send(&mut self, bytes: &[u8], failing: Option<Cause>) -> Came {
        let (mut came, mut up, mut down) = (Came::default(), Out::new(), Out::new());
        let mut at = 0;
        while at < bytes.len() {
            let message = match self.client.decode(&bytes[at..]).unwrap() {
                Decoded::Message(message) => message,
                Decoded::Reject(rejected) => {
                    at += rejected.skip as usize;
                    if let Some(head) = rejected.answer {
                        self.waiting.push_back(Waiting::Failed(head, rejected.cause, rejected.text));
                    }
                    continue;
                }
                Decoded::Need { total } => panic!("{total} bytes are needed of {}", bytes.len() - at),
            };
            let whole = &bytes[at..at + message.len];
            at += message.len;
            match (message.kind, failing) {
                (Kind::Own, _) => self.waiting.push_back(Waiting::Own(message, whole.to_vec())),
                (Kind::Request, Some(cause)) => {
                    self.waiting.push_back(Waiting::Failed(
                        message.request_head(),
                        cause,
                        "so it is".to_owned(),
                    ));
                }
                (Kind::Request, None) => {
                    came.affinities.push(message.flow.affinity);
                    if message.flow.affinity == Affinity::Pin {
                        self.swallowed += self.endpoint.prepare(&message, &mut up);
                    }
                    let outgoing = Outgoing { message: &message, bytes: Raw::Slice(whole), id: 0 };
                    self.endpoint.write(&outgoing, &[], &mut up).unwrap();
                    self.waiting.push_back(Waiting::Sent);
                }
                _ => {}
            }
        }
        self.answer(&mut down);
        came.to_endpoint = text(&up);
        came.to_client = text(&down);
        came
    }

    /// The endpoint sends bytes.
    pub fn hear(&mut self, bytes: &str) -> Came {
        let (mut came, mut down) = (Came::default(), Out::new());
        let mut at = 0;
        while at < bytes.len() {
            let Decoded::Message(message) = self.endpoint.decode(&bytes.as_bytes()[at..]).unwrap() else {
                panic!("no whole reply in {:?}", &bytes[at..]);
            };
            let whole = &bytes.as_bytes()[at..at + message.len];
            at += message.len;
            if message.flow.affinity == Affinity::Unpin {
                came.affinities.push(Affinity::Unpin);
            }
            if message.kind == Kind::Response && self.swallowed > 0 {
                self.swallowed -= 1;
                continue;
            }
            let outgoing = Outgoing { message: &message, bytes: Raw::Slice(whole), id: 0 };
            self.client.write(&outgoing, &[], &mut down).unwrap();
            if message.kind == Kind::Response && !message.flow.more {
                assert!(
                    matches!(self.waiting.pop_front(), Some(Waiting::Sent)),
                    "an answer that nobody asked for"
                );
            }
            self.answer(&mut down);
        }
        came.to_client = text(&down);
        came
    }

    /// Answers whatever is next and can be answered by the proxy.
    fn answer(&mut self, down: &mut Out) {
        while let Some(next) = self.waiting.pop_front() {
            match next {
                Waiting::Sent => return self.waiting.push_front(Waiting::Sent),
                Waiting::Own(message, bytes) => {
                    let outgoing = Outgoing { message: &message, bytes: Raw::Slice(&bytes), id: 0 };
                    self.has_closed |= self.client.answer(&outgoing, down) == After::Close;
                }
                Waiting::Failed(head, cause, text) => {
                    self.client.local_reply(head, LocalReply { cause, text: &text }, down);
                }
            }
        }
    }
}

fn text(out: &Out) -> String {
    String::from_utf8(out.to_vec()).unwrap()
}

/// What the codec says of a command.
pub fn decode(codec: &mut dyn Codec, command: &str) -> Message {
    let bytes = array(command);
    match codec.decode(&bytes).unwrap() {
        Decoded::Message(message) => message,
        other => panic!("{command}: {other:?}"),
    }
}
