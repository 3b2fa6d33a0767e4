//! What clients may send, how it is cut out of the stream, and which way it takes.

use std::time::Duration;

use codec_api::{Affinity, Cause, Codec, Decoded, Kind, Message, OptionValue, Options, Out, Side, Spread};
use proptest::prelude::*;

use crate::proxy::{Proxy, array, codec, decode, options};

fn client() -> Box<dyn Codec> {
    codec(Side::Downstream, &Options::default())
}

fn way(command: &str) -> (Kind, Affinity, Spread, bool, Option<Duration>) {
    let Message { kind, flow, .. } = decode(&mut *client(), command);
    (kind, flow.affinity, flow.spread, flow.writes, flow.time)
}

#[test]
fn each_command_takes_its_way() {
    use Affinity::{Alone, Free, LastWrite};
    use Spread::{All, Home, Keys, One, Sole};
    let ms = |millis| Some(Duration::from_millis(millis));
    for (command, affinity, spread, writes, time) in [
        ("GET k", Free, Keys, false, None),
        ("get k", Free, Keys, false, None),
        ("SET k v", Free, Keys, true, None),
        ("GET", Free, One, false, None),
        ("EVAL s 1 k", Free, Keys, true, None),
        ("EVAL s 0", Free, Home, true, None),
        ("EVAL_RO s 0", Free, Home, false, None),
        ("FCALL f 0", Free, Home, true, None),
        ("XREAD STREAMS s 0", Free, Keys, false, None),
        ("XREAD BLOCK 1500 STREAMS s 0", Alone, Keys, false, ms(1500)),
        ("XREAD BLOCK 0 STREAMS s 0", Alone, Keys, false, ms(0)),
        ("XREADGROUP GROUP g c BLOCK 5 STREAMS s >", Alone, Keys, true, ms(5)),
        ("XREAD STREAMS BLOCK 0", Free, Keys, false, None),
        ("BLPOP a b 2.5", Alone, Keys, true, ms(2500)),
        ("BLPOP a b 0", Alone, Keys, true, ms(0)),
        ("BLPOP a b x", Free, Keys, true, None),
        ("BLPOP a b -1", Free, Keys, true, None),
        ("BLPOP a b nan", Free, Keys, true, None),
        ("BLPOP a b inf", Alone, Keys, true, ms(0)),
        ("BLPOP a b 1e300", Alone, Keys, true, ms(0)),
        ("BLMPOP 1 1 l LEFT", Alone, Keys, true, ms(1000)),
        ("BLMOVE a b LEFT RIGHT 1", Alone, Keys, true, ms(1000)),
        ("WAIT 1 250", LastWrite, One, false, ms(250)),
        ("WAITAOF 1 0 0", LastWrite, One, false, ms(0)),
        ("DBSIZE", Free, All, false, None),
        ("FLUSHALL", Free, All, true, None),
        ("SCRIPT LOAD x", Free, All, false, None),
        ("SCRIPT KILL", Alone, Sole, false, None),
        ("SCAN 0", Free, Sole, false, None),
        ("INFO", Free, One, false, None),
        ("COMMAND DOCS get", Free, One, false, None),
        ("OBJECT ENCODING k", Free, Keys, false, None),
    ] {
        assert_eq!(way(command), (Kind::Request, affinity, spread, writes, time), "{command}");
    }
}

#[test]
fn what_is_refused_says_why() {
    for (command, words) in [
        ("SHUTDOWN", "SHUTDOWN is refused: it is for those who run the server"),
        ("client list", "CLIENT LIST is refused: connections to servers are shared"),
        ("CLUSTER SLOTS", "CLUSTER SLOTS is refused: clients of this proxy see one server"),
        ("CLIENT NOSUCH", "CLIENT is refused: it has no subcommand \"NOSUCH\""),
        ("NOSUCH a", "unknown command 'NOSUCH': this proxy does not know it"),
    ] {
        let told = Proxy::new().ask(&[command]).to_client;
        assert!(told.starts_with(&format!("-ERR {words}")), "{command}: {told}");
    }
}

#[test]
fn commands_of_modules_can_be_sent_to_where_their_first_argument_lives() {
    let unknown = options([("unknownCommands", OptionValue::Text("first-key".to_owned()))]);
    let mut codec = codec(Side::Downstream, &unknown);
    let message = decode(&mut *codec, "JSON.SET {a}b $ 1");
    assert_eq!((message.kind, message.flow.spread, message.flow.writes), (Kind::Request, Spread::Keys, true));
    let bytes = array("JSON.SET {a}b $ 1");
    let mut keys = Vec::new();
    codec.keys(&message, &bytes, &mut keys);
    assert_eq!(keys[0].of(&bytes), Some(&b"a"[..]));
    let mut proxy = Proxy::with(&unknown, &Options::default());
    let told = proxy.ask(&["MULTI", "JSON.GET a", "EXEC"]);
    assert!(told.to_client.contains("cannot be part of a transaction"), "{}", told.to_client);
}

#[test]
fn bytes_that_are_not_redis_end_the_connection_in_its_own_words() {
    for (bytes, words) in [
        ("*1\r\nx\r\n", "-ERR Protocol error: expected '$', got 'x'"),
        ("*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length"),
        ("*x\r\n", "-ERR Protocol error: invalid multibulk length"),
        ("*9999999999\r\n", "-ERR Protocol error: invalid multibulk length"),
        ("*1\r\n$536870913\r\n", "-ERR Protocol error: invalid bulk length"),
        ("*1\r\n$1\r\nabc\r\n", "-ERR Protocol error: a bulk string does not end where its length says"),
        ("SET k \"v\r\n", "-ERR Protocol error: unbalanced quotes in request"),
    ] {
        let mut codec = client();
        let error = codec.decode(bytes.as_bytes()).unwrap_err();
        let mut out = Out::new();
        codec.farewell(&error, &mut out);
        let told = String::from_utf8(out.to_vec()).unwrap();
        assert!(told.starts_with(words) && told.ends_with("\r\n"), "{bytes:?}: {told}");
    }
    let endless = vec![b'a'; 64 << 10];
    assert!(client().decode(&endless).unwrap_err().reason.contains("too big inline request"));
}

#[test]
fn an_announced_value_is_awaited_as_a_whole() {
    let head = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$67000000\r\n";
    let total = head.len() + 67_000_000 + 2;
    assert_eq!(client().decode(head.as_bytes()), Ok(Decoded::need(total)));
}

#[test]
fn of_a_request_that_is_too_long_the_rest_is_skipped_and_the_next_is_served() {
    let small = options([("maxMessageBytes", OptionValue::Integer(64 << 10))]);
    let mut codec = codec(Side::Downstream, &small);
    let long = [&b"*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n"[..], &vec![b'x'; 100_000], b"\r\n$2\r\nNX\r\n"]
        .concat();
    let stream = [long, array("GET k")].concat();
    let (mut at, mut refused, mut served) = (0, 0, Vec::new());
    while at < stream.len() {
        match codec.decode(&stream[at..]).unwrap() {
            Decoded::Reject(rejected) => {
                assert_eq!(rejected.cause, Cause::TooLarge);
                refused += usize::from(rejected.answer.is_some());
                at += rejected.skip as usize;
            }
            Decoded::Message(message) => {
                served.push(message.kind);
                at += message.len;
            }
            Decoded::Need { total } => panic!("{total} bytes are needed at {at}"),
        }
    }
    assert_eq!((refused, served), (1, vec![Kind::Notice, Kind::Request]));
}

#[test]
fn a_request_of_too_many_elements_is_skipped_one_by_one() {
    let few = options([("maxElements", OptionValue::Integer(1024))]);
    let mut codec = codec(Side::Downstream, &few);
    let Decoded::Reject(rejected) = codec.decode(b"*1025\r\n$3\r\nDEL\r\n").unwrap() else {
        panic!("it is taken")
    };
    assert!(rejected.text.contains("1024 elements"), "{}", rejected.text);
    assert_eq!(rejected.skip, 7);
    let rest = "$1\r\na\r\n".repeat(1025) + "PING\r\n";
    let Decoded::Message(message) = codec.decode(rest.as_bytes()).unwrap() else {
        panic!("it is not skipped")
    };
    assert_eq!((message.kind, message.len), (Kind::Notice, 7 * 1025));
    let Decoded::Message(message) = codec.decode(b"PING\r\n").unwrap() else { panic!("it is not served") };
    assert_eq!(message.kind, Kind::Own);
}

#[test]
fn a_promise_of_many_elements_holds_no_memory() {
    let mut codec = client();
    let held = allocation_counter::measure(|| {
        let _ = codec.decode(b"*1048576\r\n$3\r\nDEL\r\n");
    });
    assert_eq!(held.bytes_max, 0);
}

#[test]
fn get_and_set_allocate_nothing() {
    let (mut client, mut endpoint) = (client(), codec(Side::Upstream, &Options::default()));
    let (mut up, mut down) = (Out::new(), Out::new());
    up.lend(Vec::with_capacity(4096));
    down.lend(Vec::with_capacity(4096));
    let requests = [array("SET key value"), array("get key")];
    let replies = ["+OK\r\n", "$5\r\nvalue\r\n"];
    let held = allocation_counter::measure(|| {
        for (request, reply) in requests.iter().zip(replies) {
            let Ok(Decoded::Message(message)) = client.decode(request) else { return };
            let outgoing =
                codec_api::Outgoing { message: &message, bytes: codec_api::Raw::Slice(request), id: 0 };
            endpoint.encode(&outgoing, &mut up);
            let Ok(Decoded::Message(message)) = endpoint.decode(reply.as_bytes()) else { return };
            let bytes = codec_api::Raw::Slice(reply.as_bytes());
            client.encode(&codec_api::Outgoing { message: &message, bytes, id: 0 }, &mut down);
        }
    });
    assert_eq!(held.count_total, 0);
    assert_eq!(down.to_vec(), b"+OK\r\n$5\r\nvalue\r\n");
}

/// Bytes that a codec looked at are not looked at again: the looks of a request that comes byte by byte are counted by
/// how far each of them can have gone, which is what the codec asks for next.
#[test]
fn a_command_of_ten_thousand_elements_is_asked_for_in_few_steps() {
    let mut request = b"*10000\r\n$3\r\nDEL\r\n".to_vec();
    request.extend("$1\r\nk\r\n".repeat(9999).bytes());
    let (mut codec, mut shown, mut looks) = (client(), 1, 0);
    loop {
        looks += 1;
        match codec.decode(&request[..shown]).unwrap() {
            Decoded::Need { total } => shown = total,
            Decoded::Message(message) => break assert_eq!(message.len, request.len()),
            Decoded::Reject(rejected) => panic!("{rejected:?}"),
        }
    }
    assert!(looks < 40, "{looks} looks");
}

proptest! {
    #[test]
    fn any_words_are_read_as_they_were_written(words in prop::collection::vec("[a-z{}]{0,9}", 1..9), cut in 0usize..60) {
        let mut all = vec!["DEL"];
        all.extend(words.iter().map(String::as_str));
        let bytes = crate::proxy::of_words(&all);
        let mut codec = client();
        let _ = codec.decode(&bytes[..cut.clamp(1, bytes.len() - 1)]);
        let Decoded::Message(message) = codec.decode(&bytes).unwrap() else { panic!("it is not taken") };
        let mut keys = Vec::new();
        codec.keys(&message, &bytes, &mut keys);
        let keys: Vec<_> = keys.iter().map(|key| key.of(&bytes).unwrap()).collect();
        let whole = words.iter().zip(&keys).all(|(word, key)| word.as_bytes().windows(key.len().max(1)).any(|part| part == *key) || word.is_empty());
        prop_assert!(whole && keys.len() == words.len());
        prop_assert_eq!(message.head[1].of(&bytes), Some(words[0].as_bytes()));
    }

    #[test]
    fn a_conversation_of_any_commands_never_panics_and_answers_each_once(places in prop::collection::vec(0usize..24, 1..40)) {
        let commands = [
            "GET a", "MULTI", "EXEC", "DISCARD", "WATCH a", "UNWATCH", "SELECT 1", "HELLO 3", "HELLO 2", "RESET", "PING",
            "SUBSCRIBE a", "UNSUBSCRIBE", "CLIENT REPLY ON", "BLPOP a 0", "WAIT 0 0", "SHUTDOWN", "NOSUCH",
            "CLIENT TRACKING ON", "CLIENT TRACKING OFF", "MGET a b", "AUTH x", "CLIENT GETNAME", "EXEC a",
        ];
        let mut proxy = Proxy::new();
        let mut told = 0;
        for place in &places {
            let came = proxy.ask(&[commands[*place]]);
            told += came.to_client.matches("\r\n").count();
            // One line for each request that the endpoint got.
            let asked = came.to_endpoint.matches('*').count();
            told += proxy.hear(&"-ERR no\r\n".repeat(asked)).to_client.matches("\r\n").count();
        }
        // A name that is there takes two lines; there is none.
        prop_assert_eq!(told, places.len());
    }
}
