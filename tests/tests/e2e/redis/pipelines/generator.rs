//! Random pipelines of Redis commands whose answers depend on nothing but the data that they name.
//!
//! What is left out, since it differs on purpose: `CLIENT ID`, `INFO` and `LIST` (connections are shared), `SELECT`,
//! `AUTH` and what begins a mode inside `MULTI` (refused with a reason), unknown commands (refused by the policy table),
//! `WAIT` where the last write may have gone by a pooled connection (which others may have had and closed since).

use fastrand::Rng;

/// One command, or what a client sends in place of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// For the person who reads a failure.
    pub told: String,
    /// What goes on the wire.
    pub bytes: Vec<u8>,
}

/// Which keys a pipeline names, and what it is made of.
#[derive(Debug)]
pub struct Generator {
    random: Rng,
    /// Begins all keys and channels.
    name: String,
    sent: Vec<Sent>,
    /// Whether a command may have needed a connection of its own.
    was_private: bool,
}

/// A wrong number of arguments, in several ways.
const WRONG_ARITY: [&[&str]; 8] = [
    &["GET"],
    &["get", "a", "b"],
    &["MSET", "only"],
    &["CLIENT", "SETNAME"],
    &["Select"],
    &["ECHO"],
    &["WATCH"],
    &["BLPOP", "nothing"],
];

/// Commands without keys.
const KEYLESS: [&[&str]; 8] = [
    &["PING"],
    &["ping", "hello"],
    &["ECHO", "a b"],
    &["CLIENT", "GETNAME"],
    &["CLIENT", "SETNAME", "a b"],
    &["CLIENT", "NO-EVICT", "ON"],
    &["CLIENT", "NO-EVICT", "off"],
    &["PUBLISH", "nobody-listens", "x"],
];

/// What is no Redis, and so the end of a connection.
const MALFORMED: [&str; 6] = [
    "*1\r\n:5\r\n",
    "*x\r\n",
    "*2147483648\r\n",
    "*1\r\n$-1\r\n",
    "*1\r\n$536870913\r\n",
    "GET \"unbalanced\r\n",
];

impl Generator {
    /// The same seed makes the same pipeline.
    pub fn new(seed: u64, name: &str) -> Self {
        Self { random: Rng::with_seed(seed), name: name.to_owned(), sent: Vec::new(), was_private: false }
    }

    /// A pipeline whose last command ends its connection.
    pub fn pipeline(mut self) -> Vec<Sent> {
        for _ in 0..self.random.usize(1..12) {
            match self.random.u8(0..100) {
                0..40 => self.ordinary(),
                40..60 => self.transaction(),
                60..68 => self.blocking(),
                68..74 => self.subscription(),
                74..82 => self.session(),
                82..88 => self.stray(),
                88..92 => self.unanswered(),
                92..96 => self.keyless(),
                96..98 => self.nothing(),
                _ => self.command(&["RESET"]),
            }
        }
        if self.random.u8(0..8) == 0 {
            let malformed = self.random.choice(MALFORMED).expect("there are some");
            self.raw(malformed);
        } else {
            self.command(&["QUIT"]);
        }
        self.sent
    }

    fn command(&mut self, arguments: &[&str]) {
        let is_simple = |argument: &&str| {
            let is_plain = |byte: u8| byte.is_ascii_graphic() && !br#"'"\"#.contains(&byte);
            !argument.is_empty() && argument.len() < 100 && argument.bytes().all(is_plain)
        };
        // An inline command begins with a letter, and nothing in it needs quotes.
        if self.random.u8(0..8) == 0 && arguments.iter().all(is_simple) {
            let end = self.random.choice(["\r\n", "\n", " \r\n"]).expect("there are some");
            return self.raw(&(arguments.join(" ") + end));
        }
        let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments {
            bytes.extend(format!("${}\r\n{argument}\r\n", argument.len()).into_bytes());
        }
        let told: Vec<_> = arguments.iter().map(|argument| argument.get(..60).unwrap_or(argument)).collect();
        self.sent.push(Sent { told: told.join(" "), bytes });
    }

    fn raw(&mut self, line: &str) {
        self.sent.push(Sent { told: format!("{line:?}"), bytes: line.as_bytes().to_vec() });
    }

    /// A key; its first letter tells its type, most of the time.
    fn key(&mut self, letter: char) -> String {
        let letter = if self.random.u8(0..20) == 0 { self.random.lowercase() } else { letter };
        format!("{}{letter}{}", self.name, self.random.u8(0..3))
    }

    /// A short value as a rule, seldom a long one.
    fn value(&mut self) -> String {
        let length = match self.random.u8(0..60) {
            0 => self.random.usize(50_000..300_000),
            1..6 => self.random.usize(1000..10_000),
            6 => 0,
            _ => self.random.usize(1..40),
        };
        let letter = self.random.alphanumeric();
        std::iter::repeat_n(letter, length).collect()
    }

    fn ordinary(&mut self) {
        let [string, other, list, hash] = ['s', 's', 'l', 'h'].map(|letter| self.key(letter));
        let (set, stream, value) = (self.key('z'), self.key('x'), self.value());
        match self.random.u8(0..26) {
            0..5 => self.command(&["GET", &string]),
            5..9 => self.command(&["SET", &string, &value]),
            9 => self.command(&["MGET", &string, &other, &list]),
            10 => self.command(&["mset", &string, &value, &other, "2"]),
            11 => self.command(&["INCR", &string]),
            12 => self.command(&["Append", &string, "x"]),
            13 => self.command(&["DEL", &string, &list]),
            14 => self.command(&["EXISTS", &string, &string, &hash]),
            15 => self.command(&["RPUSH", &list, "a", &value]),
            16 => self.command(&["LRANGE", &list, "0", "-1"]),
            17 => self.command(&["HSET", &hash, "field", &value]),
            18 => self.command(&["HGETALL", &hash]),
            19 => self.command(&["ZADD", &set, "1.5", "member"]),
            20 => self.command(&["ZRANGE", &set, "0", "-1", "WITHSCORES"]),
            21 => self.command(&["TTL", &string]),
            22 => self.command(&["XADD", &stream, "1-1", "field", "value"]),
            23 => self.command(&["EVAL", "return {KEYS[1], ARGV[1], 7}", "1", &string, "argument"]),
            24 => self.command(&["GETRANGE", &string, "0", "5"]),
            _ => self.command(&["type", &list]),
        }
    }

    fn keyless(&mut self) {
        if !self.was_private && self.random.u8(0..4) == 0 {
            return self.command(&["WAIT", "0", "0"]);
        }
        self.was_private = true;
        let command = self.random.choice(KEYLESS).expect("there are some");
        self.command(command);
    }

    /// Is skipped, and never answered.
    fn nothing(&mut self) {
        let nothing = self.random.choice(["\r\n", "*0\r\n", "*-1\r\n"]).expect("there are some");
        self.raw(nothing);
    }

    /// Answered with an error by the server, or by the proxy in the server's words.
    fn stray(&mut self) {
        match self.random.u8(0..6) {
            0 => self.command(&["EXEC"]),
            1 => self.command(&["DISCARD"]),
            2 => self.command(&["UNWATCH"]),
            3 => self.command(&["UNSUBSCRIBE"]),
            _ => {
                let command = self.random.choice(WRONG_ARITY).expect("there are some");
                self.command(command);
            }
        }
    }

    fn transaction(&mut self) {
        self.was_private = true;
        if self.random.bool() {
            for _ in 0..self.random.u8(1..3) {
                let key = self.key('s');
                self.command(&["WATCH", &key]);
            }
            for _ in 0..self.random.u8(0..3) {
                self.ordinary();
            }
            if self.random.u8(0..6) == 0 {
                return self.command(&["UNWATCH"]);
            }
        }
        self.command(&["MULTI"]);
        for _ in 0..self.random.u8(0..5) {
            match self.random.u8(0..24) {
                0 => self.command(&["MULTI"]),
                1 => self.command(&["WATCH", "anything"]),
                2 => {
                    let wrong = self.random.choice(&WRONG_ARITY[..3]).expect("there are some");
                    self.command(wrong);
                }
                3 => self.command(&["BLPOP", "never-there", "0"]),
                4 => self.command(&["PING"]),
                5 => self.nothing(),
                _ => self.ordinary(),
            }
        }
        match self.random.u8(0..12) {
            0..8 => self.command(&["EXEC"]),
            8..11 => self.command(&["discard"]),
            _ => self.command(&["RESET"]),
        }
    }

    fn blocking(&mut self) {
        self.was_private = true;
        let [list, other] = ['l', 'l'].map(|letter| self.key(letter));
        let stream = self.key('x');
        if self.random.bool() {
            self.command(&["LPUSH", &list, "one", "two"]);
        }
        match self.random.u8(0..5) {
            0 => self.command(&["BLPOP", &list, "0.01"]),
            1 => self.command(&["BRPOP", &other, &list, "0.02"]),
            2 => self.command(&["BLMOVE", &list, &other, "LEFT", "RIGHT", "0.01"]),
            3 => self.command(&["XREAD", "BLOCK", "10", "STREAMS", &stream, "0"]),
            _ => self.command(&["BLPOP", &list, "not-a-number"]),
        }
    }

    /// From the first to the last channel: a mode of its own in RESP2.
    fn subscription(&mut self) {
        let [one, two] = ["one", "two"].map(|channel| format!("{}{channel}", self.name));
        self.command(&["SUBSCRIBE", &one, &two]);
        for _ in 0..self.random.u8(0..4) {
            match self.random.u8(0..5) {
                0 => self.command(&["PING"]),
                1 => self.command(&["PING", "payload"]),
                2 => self.command(&["PSUBSCRIBE", &one]),
                3 => self.command(&["UNSUBSCRIBE", &one]),
                _ => self.command(&["GET", &one]),
            }
        }
        self.command(&["PUNSUBSCRIBE"]);
        if self.random.bool() {
            self.command(&["UNSUBSCRIBE"]);
        } else {
            self.command(&["UNSUBSCRIBE", &two, &one]);
        }
    }

    fn session(&mut self) {
        let number = self.random.u8(0..16).to_string();
        match self.random.u8(0..9) {
            0..3 => self.command(&["SELECT", &number]),
            3 => self.command(&["SELECT", "16"]),
            4 => self.command(&["SELECT", "none"]),
            5 => self.command(&["CLIENT", "SETNAME", &number]),
            6 => self.command(&["HELLO", "3"]),
            7 => self.command(&["HELLO", "2"]),
            _ => self.command(&["HELLO", "4"]),
        }
    }

    /// Commands whose client wants no answers.
    fn unanswered(&mut self) {
        let is_one = self.random.bool();
        self.command(&["CLIENT", "REPLY", if is_one { "SKIP" } else { "OFF" }]);
        for _ in 0..if is_one { 1 } else { self.random.u8(0..4) } {
            self.ordinary();
        }
        if !is_one {
            self.command(&["CLIENT", "REPLY", "ON"]);
        }
    }
}
