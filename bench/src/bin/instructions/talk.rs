//! What a protocol's clients and endpoints say to each other while instructions are counted.
//!
//! All responses have one length, so that the client can read a batch of them at once.

use codec_api::Protocol;
use peers::dubbo::call::Call;
use peers::redis::request;

/// One protocol.
#[derive(Clone, Copy)]
pub struct Talk {
    /// Its codec.
    pub protocol: &'static dyn Protocol,
    /// What the attribute of the last of so many routes is.
    pub value: fn(usize) -> String,
    /// A request with an attribute of this name and value, and this id where it has one.
    pub request: fn(&str, &str, u64) -> Vec<u8>,
    /// Answers the request at the front, if it is whole; its length.
    pub answer: fn(&[u8], &mut Vec<u8>) -> Option<usize>,
    /// Bytes of a response.
    pub response: usize,
    /// Whether a response is the endpoint's.
    pub is_good: fn(&[u8]) -> bool,
}

const DUBBO: Talk = Talk {
    protocol: &codec_dubbo::Dubbo,
    value: |number| format!("value{number}"),
    request: call,
    answer: answer_null,
    // A header and a null result without attachments.
    response: 17,
    is_good: |response| response[3] == 20 && response[16] == 0x92,
};

const REDIS: Talk = Talk {
    protocol: &codec_redis::Redis,
    value: |_| "GET".to_owned(),
    request: |_, command, number| command_of(command, number),
    answer: answer_text,
    response: TEXT.len(),
    is_good: |response| response == TEXT,
};

/// The answer to GET: a text of 30 bytes.
const TEXT: &[u8] = b"$30\r\n123456789012345678901234567890\r\n";
/// Bytes of a GET of a key of 16 bytes.
const GET: usize = b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000000\r\n".len();

/// The protocol of this name.
pub fn named(name: &str) -> Result<Talk, String> {
    [DUBBO, REDIS]
        .into_iter()
        .find(|talk| talk.protocol.name() == name)
        .ok_or_else(|| format!("instructions are not counted for {name}"))
}

fn call(attribute: &str, value: &str, id: u64) -> Vec<u8> {
    let method = if attribute == "method" { value } else { "get" };
    let call = Call::new("com.example.Shop", method).argument("x".repeat(100)).attachment(attribute, value);
    call.request(id).to_vec()
}

fn answer_null(unread: &[u8], answers: &mut Vec<u8>) -> Option<usize> {
    let head = unread.get(..16)?;
    let end = 16 + u32::from_be_bytes([head[12], head[13], head[14], head[15]]) as usize;
    if end > unread.len() {
        return None;
    }
    answers.extend_from_slice(&[0xda, 0xbb, 0x02, 20]);
    answers.extend_from_slice(&head[4..12]);
    answers.extend_from_slice(&[0, 0, 0, 1, 0x92]);
    Some(end)
}

fn command_of(command: &str, number: u64) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    request(&[command, &format!("key:{number:012}")], &mut out);
    out.to_vec()
}

fn answer_text(unread: &[u8], answers: &mut Vec<u8>) -> Option<usize> {
    unread.get(..GET)?;
    answers.extend_from_slice(TEXT);
    Some(GET)
}
