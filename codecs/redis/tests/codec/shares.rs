//! Keys, and requests that go to several endpoints.

use codec_api::{
    Answer, Cause, Codec, Decoded, LocalReply, Message, Options, Out, Outgoing, Raw, Refusal, Shares, Side,
    Status,
};

use crate::proxy::{array, codec, decode};

fn client() -> Box<dyn Codec> {
    codec(Side::Downstream, &Options::default())
}

fn keys(command: &str) -> Vec<String> {
    let (mut client, bytes, mut keys) = (client(), array(command), Vec::new());
    let message = decode(&mut *client, command);
    client.keys(&message, &bytes, &mut keys);
    keys.iter().map(|key| String::from_utf8_lossy(key.of(&bytes).unwrap()).into_owned()).collect()
}

fn split(command: &str, of_key: &[u16]) -> Result<Vec<String>, Refusal> {
    let (mut client, bytes) = (client(), array(command));
    let message = decode(&mut *client, command);
    let count = of_key.iter().max().map_or(0, |most| most + 1);
    let whole = Outgoing { message: &message, bytes: Raw::Slice(&bytes), id: 0 };
    (0..count)
        .map(|share| {
            let mut part = Vec::new();
            let said = client.split(&whole, Shares { of_key, count }, share, &mut part)?;
            assert_eq!(said.len, part.len());
            Ok(String::from_utf8(part).unwrap())
        })
        .collect()
}

/// A share's answer, as its endpoint gave it; `None`: it failed.
fn merge(command: &str, of_key: &[u16], replies: &[Option<&str>]) -> String {
    let mut client = client();
    let request = decode(&mut *client, command);
    let read = |reply: &&str| -> Message {
        let mut endpoint = codec(Side::Upstream, &Options::default());
        let Ok(Decoded::Message(message)) = endpoint.decode(reply.as_bytes()) else { panic!("{reply}") };
        message
    };
    let messages: Vec<Option<Message>> = replies.iter().map(|reply| reply.as_ref().map(read)).collect();
    let answers: Vec<Answer<'_>> = messages
        .iter()
        .zip(replies)
        .map(|(message, reply)| match (message, reply) {
            (Some(message), Some(reply)) => Answer::Response { message, bytes: reply.as_bytes() },
            _ => Answer::Failed(LocalReply { cause: Cause::ConnectFailure, text: "no route to host" }),
        })
        .collect();
    let mut out = Out::new();
    let shares = Shares { of_key, count: replies.len() as u16 };
    client.merge(request.request_head(), shares, &answers, &mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn of_a_key_with_a_tag_the_tag_is_hashed() {
    assert_eq!(keys("GET {user:1}:name"), ["user:1"]);
    assert_eq!(keys("MGET a {b}c d{}"), ["a", "b", "d{}"]);
    assert_eq!(keys("MSET a 1 {b} 2"), ["a", "b"]);
    assert_eq!(keys("EVAL s 2 k{1} k{2} arg"), ["1", "2"]);
    assert_eq!(keys("XREAD BLOCK 0 STREAMS s{t} 0"), ["t"]);
}

#[test]
fn each_share_is_a_request_with_its_keys_in_their_order() {
    let parts = split("MGET a b c d", &[0, 1, 0, 2]).unwrap();
    assert_eq!(parts, ["MGET a c", "MGET b", "MGET d"].map(|part| String::from_utf8(array(part)).unwrap()));
    let parts = split("mset a 1 b 2 c 3", &[1, 0, 1]).unwrap();
    assert_eq!(parts, ["MSET b 2", "MSET a 1 c 3"].map(|part| String::from_utf8(array(part)).unwrap()));
}

#[test]
fn what_cannot_be_split_is_refused() {
    for command in ["MSETNX a 1 b 2", "RENAME a b", "SUNION a b", "BLPOP a b 0", "WATCH a b", "EVAL s 2 a b"]
    {
        assert_eq!(split(command, &[0, 1]).unwrap_err().cause, Cause::Scattered, "{command}");
    }
    let long = format!("MSET a {} b 2", "x".repeat(1 << 20));
    assert_eq!(split(&long, &[0, 1]).unwrap_err().cause, Cause::TooLarge);
}

#[test]
fn a_split_in_a_transaction_is_refused() {
    let mut client = client();
    let multi = array("MULTI");
    assert!(client.decode(&multi).is_ok());
    let message = decode(&mut *client, "MGET a b");
    let bytes = array("MGET a b");
    let whole = Outgoing { message: &message, bytes: Raw::Slice(&bytes), id: 0 };
    let shares = Shares { of_key: &[0, 1], count: 2 };
    assert_eq!(client.split(&whole, shares, 0, &mut Vec::new()).unwrap_err().cause, Cause::Scattered);
}

#[test]
fn answers_are_merged_as_their_command_says() {
    let rows = [
        ("DEL a b", vec![Some(":1\r\n"), Some(":1\r\n")], ":2\r\n"),
        ("DBSIZE", vec![Some(":1\r\n"), Some(":20\r\n"), Some(":300\r\n")], ":321\r\n"),
        ("MSET a 1 b 2", vec![Some("+OK\r\n"), Some("+OK\r\n")], "+OK\r\n"),
        ("WAIT 1 0", vec![Some(":2\r\n"), Some(":1\r\n")], ":1\r\n"),
        ("WAITAOF 1 1 0", vec![Some("*2\r\n:1\r\n:2\r\n"), Some("*2\r\n:0\r\n:3\r\n")], "*2\r\n:0\r\n:2\r\n"),
        (
            "SCRIPT EXISTS x y",
            vec![Some("*2\r\n:1\r\n:0\r\n"), Some("*2\r\n:1\r\n:1\r\n")],
            "*2\r\n:1\r\n:0\r\n",
        ),
        (
            "KEYS *",
            vec![Some("*1\r\n$1\r\na\r\n"), Some("*0\r\n"), Some("*1\r\n$1\r\nb\r\n")],
            "*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        ),
        ("FLUSHALL", vec![Some("+OK\r\n"), Some("+OK\r\n")], "+OK\r\n"),
    ];
    for (command, replies, expected) in rows {
        assert_eq!(merge(command, &[0, 1], &replies), expected, "{command}");
    }
    let values =
        merge("MGET a b c", &[1, 0, 1], &[Some("*1\r\n$1\r\nb\r\n"), Some("*2\r\n$1\r\na\r\n_\r\n")]);
    assert_eq!(values, "*3\r\n$1\r\na\r\n$1\r\nb\r\n_\r\n");
}

#[test]
fn a_share_that_fails_fails_the_whole_and_is_named() {
    let told = merge("DEL a b", &[0, 1], &[Some(":1\r\n"), Some("-LOADING Redis is loading\r\n")]);
    assert_eq!(told, "-LOADING Redis is loading (share 2 of 2; the others were sent theirs)\r\n");
    let told = merge("DEL a b", &[0, 1], &[None, Some(":1\r\n")]);
    assert_eq!(told, "-CONNECTFAILURE no route to host (share 1 of 2; the others were sent theirs)\r\n");
    let told = merge("MGET a b", &[0, 1], &[Some("!7\r\nERR bad\r\n"), Some("*1\r\n_\r\n")]);
    assert_eq!(told, "-ERR bad (share 1 of 2; the others were sent theirs)\r\n");
}

#[test]
fn answers_that_do_not_fit_together_are_an_error() {
    for (command, replies) in [
        ("DEL a b", [Some("+OK\r\n"), Some(":1\r\n")]),
        ("MGET a b", [Some("*2\r\n_\r\n_\r\n"), Some("*1\r\n_\r\n")]),
        ("MGET a b", [Some("*0\r\n"), Some("*1\r\n_\r\n")]),
        ("KEYS *", [Some(":1\r\n"), Some("*0\r\n")]),
        ("SCRIPT EXISTS a", [Some("*1\r\n:1\r\n"), Some("*2\r\n:1\r\n:1\r\n")]),
    ] {
        assert!(merge(command, &[0, 1], &replies).starts_with("-ERR "), "{command}");
    }
    let long = format!("*1\r\n${}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
    assert!(merge("KEYS *", &[], &[Some(&long), Some("*0\r\n")]).starts_with("-TOOLARGE "));
}

#[test]
fn an_endpoints_error_is_the_applications_unless_the_server_is_at_fault() {
    for (reply, status) in [
        ("+OK\r\n", Status::Ok),
        ("-ERR no\r\n", Status::ApplicationError),
        ("-WRONGTYPE no\r\n", Status::ApplicationError),
        ("!9\r\nERR large\r\n", Status::ApplicationError),
        ("-LOADING no\r\n", Status::ServerError),
        ("!11\r\nMASTERDOWN \r\n", Status::ServerError),
        ("-READONLY no\r\n", Status::ServerError),
        ("-BUSY no\r\n", Status::Overloaded),
        ("-OOM no\r\n", Status::Overloaded),
        ("-ERR max number of clients reached\r\n", Status::Overloaded),
    ] {
        let mut endpoint = codec(Side::Upstream, &Options::default());
        let Ok(Decoded::Message(message)) = endpoint.decode(reply.as_bytes()) else { panic!("{reply}") };
        assert_eq!(message.status, status, "{reply}");
    }
}
