//! The laws of all codecs, over messages recorded from redis-cli and Redis 7.0.

use codec_api::laws::{Laws, Recorded};
use codec_api::{Cause, Kind, OptionValue, Options, Side, Status};
use codec_redis::{MAX_MESSAGE_BYTES, Redis};

/// The longest message that the codecs of this test take; the least that the option allows, so that the test is quick.
const MAX_MESSAGE: u32 = 64 << 10;
/// What a connection holds beside its messages: queues, names, a session.
const MEMORY: usize = 32 << 10;

/// A request as clients write it.
fn request(words: &str) -> Vec<u8> {
    let words: Vec<&str> = words.split(' ').collect();
    let bulks = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), bulks.collect::<String>()).into_bytes()
}

fn asked(words: &str) -> Recorded {
    Recorded::request(words, request(words)).payload("")
}

fn answered(words: &str, reply: &str) -> Recorded {
    Recorded::response(words, reply).payload("")
}

fn own(words: &str) -> Recorded {
    Recorded::from_client(Kind::Own, words, request(words))
}

fn laws() -> Laws {
    let options = Options([(MAX_MESSAGE_BYTES.to_owned(), OptionValue::Integer(MAX_MESSAGE.into()))].into());
    Laws::of(Redis)
        .options(Side::Downstream, options.clone())
        .options(Side::Upstream, options)
        .long(|bytes| [&b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n"[..], &bulk(bytes)].concat())
        .limit(MAX_MESSAGE as usize)
        .memory(MEMORY, |work| allocation_counter::measure(work).bytes_max)
        .without_ids()
}

fn bulk(bytes: usize) -> Vec<u8> {
    let mut bulk = format!("${bytes}\r\n").into_bytes();
    bulk.resize(bulk.len() + bytes, b'x');
    bulk.extend(b"\r\n");
    bulk
}

/// What ordinary clients and servers say.
pub(crate) fn ordinary() -> Laws {
    let hello = "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n\
                 :8\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
    let wrong = "-ERR value is not an integer or out of range\r\n";
    laws()
        .message(
            asked("GET k")
                .shows("command", "GET")
                .shows("key", "k")
                .shows("db", "0")
                .shows("user", "default"),
        )
        .message(answered("GET k", "$5\r\nvalue\r\n").status(Status::Ok))
        .message(asked("get {user:1}:name").shows("command", "GET").shows("key", "{user:1}:name"))
        .message(answered("get {user:1}:name", "$-1\r\n"))
        .message(asked("SET k value"))
        .message(answered("SET k value", "+OK\r\n"))
        .message(asked("INCR k"))
        .message(answered("INCR k", wrong).status(Status::ApplicationError))
        .message(asked("MGET a none b").shows("key", "a"))
        .message(answered("MGET a none b", "*3\r\n$5\r\nvalue\r\n$-1\r\n$5\r\nvalue\r\n"))
        .message(asked("MSET a 1 b 2"))
        .message(answered("MSET a 1 b 2", "+OK\r\n"))
        .message(asked("DEL a b c"))
        .message(answered("DEL a b c", ":2\r\n"))
        .message(asked("RENAME a b"))
        .message(answered("RENAME a b", "-ERR no such key\r\n"))
        .message(asked("KEYS *").shows("command", "KEYS"))
        .message(answered("KEYS *", "*2\r\n$1\r\nk\r\n$1\r\nh\r\n"))
        .message(asked("DBSIZE"))
        .message(answered("DBSIZE", ":2\r\n"))
        .message(asked("EVAL return 2 a b c").shows("key", "a"))
        .message(asked("xgroup create s g $").shows("command", "XGROUP").shows("subcommand", "CREATE"))
        .message(asked("HGETALL h"))
        .message(answered("HGETALL h", "%1\r\n$1\r\nf\r\n$1\r\n1\r\n"))
        .message(asked("SELECT 3").shows("db", "3"))
        .message(answered("SELECT 3", "+OK\r\n"))
        .message(asked("AUTH ada secret").shows("user", "ada"))
        .message(asked("HELLO 3"))
        .message(answered("HELLO 3", hello))
        .message(own("PING"))
        .message(own("PING hello"))
        .message(own("CLIENT GETNAME"))
        .message(own("CLIENT ID"))
        .message(own("CLIENT SETINFO lib-name laws"))
        .message(own("EXEC"))
        .message(own("HELLO 4"))
        .message(Recorded::from_client(Kind::Notice, "nothing", "*0\r\n"))
        .message(Recorded::request("SHUTDOWN", request("SHUTDOWN")).refused(Cause::Unsupported))
        .message(Recorded::request("client list", request("client list")).refused(Cause::Unsupported))
        .message(Recorded::request("NOSUCH a", request("NOSUCH a")).refused(Cause::Unsupported))
        .message(Recorded::from_endpoint(
            Kind::Push,
            "invalidate",
            ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
        ))
}

/// What clients and servers say that have more to do with each other.
pub(crate) fn entangled() -> Laws {
    laws()
        .message(asked("GET k"))
        .message(answered("GET k", "$-1\r\n"))
        .message(asked("WATCH k").shows("key", "k"))
        .message(answered("WATCH k", "+OK\r\n"))
        .message(asked("BLPOP a b 0.5"))
        .message(answered("BLPOP a b 0.5", "*-1\r\n"))
        .message(asked("XREAD BLOCK 10 STREAMS s t 0 0").shows("key", "s"))
        .message(answered("XREAD BLOCK 10 STREAMS s t 0 0", "*-1\r\n"))
        .message(asked("WAIT 1 100"))
        .message(answered("WAIT 1 100", ":0\r\n"))
        .message(asked("SUBSCRIBE c"))
        .message(answered("SUBSCRIBE c", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"))
        .message(Recorded::from_endpoint(
            Kind::Push,
            "SUBSCRIBE c",
            "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n",
        ))
        .message(asked("UNSUBSCRIBE"))
        .message(answered("UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"))
        .message(asked("MONITOR"))
        .message(answered("MONITOR", "+OK\r\n"))
        .message(own("DISCARD"))
        .message(own("RESET"))
}

/// Inline commands, which endpoints get as arrays.
pub(crate) fn inline() -> Laws {
    laws()
        .transcodes()
        .message(
            Recorded::request("GET k", "GET k\r\n").shows("command", "GET").shows("key", "k").payload(""),
        )
        .message(answered("GET k", "$5\r\nvalue\r\n"))
        .message(Recorded::request("set", "set k \"a\\x41\\r\\n\"\n").shows("key", "k").payload(""))
        .message(answered("set", "+OK\r\n"))
        .message(Recorded::request("mget", " mget  a 'b c' {d}\r\n").payload(""))
        .message(answered("mget", "*3\r\n$-1\r\n$-1\r\n$-1\r\n"))
        .message(Recorded::from_client(Kind::Own, "ping", "ping\r\n"))
        .message(Recorded::from_client(Kind::Notice, "blank", " \r\n"))
        .message(Recorded::request("get \"\\x41\"", "get \"\\x41\"\n").refused(Cause::Unsupported))
}

#[test]
fn the_codec_keeps_the_laws_with_ordinary_clients() {
    ordinary().check();
}

#[test]
fn the_codec_keeps_the_laws_with_clients_that_need_connections_of_their_own() {
    entangled().check();
}

#[test]
fn the_codec_keeps_the_laws_with_people_who_type() {
    inline().check();
}
