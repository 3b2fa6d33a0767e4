//! Sequence ids are the proxy's own on the way up, and the client's again on the way down.

use codec_api::Side;

use crate::proxy::{FORMS, Proxy, codec, decode, recorded, vector};
use crate::writer::{Head, Tree, header_frame, message};

/// Ids whose varints are of every length.
const IDS: [u64; 6] = [1, 127, 128, 70_000, 0x7fff_ffff, 0xffff_fffe];

/// The pairs of requests and their responses.
const PAIRS: [(&str, &str); 7] = [
    ("call", "reply"),
    ("call-empty", "reply-void"),
    ("call-everything", "reply-everything"),
    ("call", "reply-declared"),
    ("call", "exception-internal"),
    ("call-multiplexed", "reply"),
    ("call-large", "reply"),
];

/// A response as an endpoint gives it that repeats the id of the request it saw: written by the codec itself, as a
/// proxy would that stands before the endpoint.
fn with_id(response: &[u8], id: u64) -> Vec<u8> {
    use codec_api::{Codec, Out, Outgoing, Raw};
    let message = decode(&mut codec(Side::Upstream), response);
    let mut out = Out::new();
    codec(Side::Downstream)
        .encode(&Outgoing { message: &message, bytes: Raw::Slice(response), id }, &mut out);
    out.to_vec()
}

#[test]
fn ids_are_rewritten_on_the_way_up_and_restored_on_the_way_down() {
    let messages = recorded();
    for form in FORMS.into_iter().filter(|form| !form.starts_with("zlib")) {
        for (request, response) in PAIRS {
            for ours in IDS {
                let mut proxy = Proxy::new(ours, &[("sharing", "shared(1)")]);
                let request = &messages[&format!("{request}.{form}")];
                let theirs = decode(&mut codec(Side::Downstream), request).id;
                let sent = proxy.up(request);
                assert_eq!(decode(&mut codec(Side::Downstream), &sent).id, ours, "{form}");
                let answer = with_id(&messages[&format!("{response}.{form}")], ours);
                assert_eq!(decode(&mut codec(Side::Upstream), &answer).id, ours, "{form}");
                let received = proxy.down(&answer);
                let expected = with_id(&messages[&format!("{response}.{form}")], theirs);
                assert_eq!(received, expected, "{form}, {ours}");
            }
        }
    }
}

#[test]
fn nothing_but_the_ids_is_touched() {
    // Frame length, THeader with its id at 8, message with its id at 4 + 52 + 4 + 4 + 3.
    let request = vector("call", "header-strict");
    let sent = Proxy::new(0x0102_0304, &[]).up(&request);
    let mut expected = request.clone();
    expected[8..12].copy_from_slice(&[1, 2, 3, 4]);
    let inner = request.windows(7).position(|bytes| bytes == *b"add\0\0\0\x01").unwrap() + 3;
    expected[inner..inner + 4].copy_from_slice(&[1, 2, 3, 4]);
    assert_eq!(sent, expected);

    // A longer varint makes a longer frame.
    let request = vector("call", "framed-compact");
    let sent = Proxy::new(300, &[]).up(&request);
    assert_eq!(sent[..4], (request.len() as u32 - 4 + 1).to_be_bytes());
    assert_eq!(sent[4..8], [0x82, 0x21, 0xac, 0x02]);
    assert_eq!(sent[8..], request[7..]);
}

#[test]
fn clients_that_always_send_the_same_id_are_told_apart() {
    let mut proxy = Proxy::new(10, &[("sharing", "shared(1)")]);
    for method in ["first", "second", "third"] {
        proxy.up(&message("framed-strict", &Head::call(method, 0), &Tree::Struct(vec![])));
    }
    // The framework gives them in the order of the requests.
    for (ours, method) in [(10, "first"), (11, "second"), (12, "third")] {
        let response = message("framed-strict", &Head::reply(method, ours), &Tree::Struct(vec![]));
        let expected = message("framed-strict", &Head::reply(method, 0), &Tree::Struct(vec![]));
        assert_eq!(proxy.down(&response), expected);
    }
}

#[test]
fn a_client_with_two_ids_gets_each_back() {
    let body = Tree::Struct(vec![]);
    for encoding in ["strict", "compact"] {
        let form = format!("buffered-{encoding}");
        let request = header_frame(encoding, 5, &message(&form, &Head::call("add", 99), &body));
        let mut proxy = Proxy::new(1000, &[]);
        let both = header_frame(encoding, 1000, &message(&form, &Head::call("add", 1000), &body));
        assert_eq!(proxy.up(&request), both);
        let response = header_frame(encoding, 1000, &message(&form, &Head::reply("add", 1000), &body));
        let expected = header_frame(encoding, 5, &message(&form, &Head::reply("add", 99), &body));
        assert_eq!(proxy.down(&response), expected);
    }
}

#[test]
fn an_exclusive_connection_keeps_what_is_under_zlib_and_understands_both_ids() {
    for form in ["zlib-strict", "zlib-compact"] {
        let request = vector("call", form);
        for repeats_the_inner in [false, true] {
            let mut proxy = Proxy::new(0x0102_0304, &[]);
            let mut expected = request.clone();
            expected[8..12].copy_from_slice(&[1, 2, 3, 4]);
            assert_eq!(proxy.up(&request), expected);
            let response = vector("reply", form);
            let answer = if repeats_the_inner { response.clone() } else { with_id(&response, 0x0102_0304) };
            assert_eq!(proxy.down(&answer), response, "{form}, {repeats_the_inner}");
            // Not every library compresses its responses.
            let mut proxy = Proxy::new(0x0102_0304, &[]);
            proxy.up(&request);
            let plain = vector("reply", &form.replace("zlib", "header"));
            assert_eq!(proxy.down(&plain), plain);
        }
    }
}

#[test]
fn a_shared_connection_carries_compressed_calls_without_their_compression() {
    for encoding in ["strict", "compact"] {
        let mut proxy = Proxy::new(1, &[("sharing", "per-downstream")]);
        // The first has by chance the proxy's own id inside.
        assert_eq!(
            proxy.up(&vector("call", &format!("zlib-{encoding}"))),
            vector("call", &format!("zlib-{encoding}"))
        );
        let sent = proxy.up(&vector("call", &format!("zlib-{encoding}")));
        let expected = with_request_id(&vector("call", &format!("header-{encoding}")), 2);
        assert_eq!(sent, expected);
        // And a response that was compressed with the proxy's id inside is put right.
        proxy.down(&vector("reply", &format!("header-{encoding}")));
        let response = with_id(&vector("reply", &format!("header-{encoding}")), 2);
        let expected = vector("reply", &format!("header-{encoding}"));
        assert_eq!(proxy.down(&response), expected);
    }
}

fn with_request_id(request: &[u8], id: u64) -> Vec<u8> {
    Proxy::new(id, &[]).up(request)
}

#[test]
fn a_response_compressed_with_an_id_that_is_not_the_clients_is_inflated() {
    for encoding in ["strict", "compact"] {
        // The recorded response bears the id 300 inside, which is what the proxy gave the call.
        let mut proxy = Proxy::new(300, &[]);
        proxy.up(&vector("call", &format!("header-{encoding}")));
        let received = proxy.down(&vector("reply-everything", &format!("zlib-{encoding}")));
        assert_eq!(received, with_id(&vector("reply-everything", &format!("header-{encoding}")), 1));
    }
}
