//! A `THeader`'s keys are attributes, and can be set.

use codec_api::{Conduct, Edited, Edits, OptionValue, Options, Order, Protocol, Sharing, Side};
use codec_thrift::Thrift;

use crate::proxy::{FORMS, Proxy, look_up, recorded, settings, vector};
use crate::writer::{Head, Tree, block_frame, message};

fn texts<const N: usize>(values: [Option<&str>; N]) -> [Option<String>; N] {
    values.map(|value| value.map(str::to_owned))
}

#[test]
fn each_key_is_an_attribute() {
    for form in ["header-strict", "header-compact", "zlib-strict", "zlib-compact"] {
        let bytes = vector("call-multiplexed", form);
        let names = ["tier", "user", "USER", "empty", "absent", "service", "method"];
        let values =
            [Some("gold"), Some("größe 🛒"), Some("größe 🛒"), Some(""), None, Some("Cart"), Some("add")];
        assert_eq!(look_up(&bytes, &names), texts(values), "{form}");
    }
}

#[test]
fn a_key_that_is_called_as_the_head_is_not_seen() {
    let payload = message("buffered-strict", &Head::call("add", 1), &Tree::Struct(vec![]));
    let bytes = block_frame(b"\0\0\x01\x02\x06Method\x04evil\x04type\x06oneway", 1, &payload);
    assert_eq!(look_up(&bytes, &["Method", "type", "service"]), texts([Some("add"), Some("call"), None]));
}

#[test]
fn keys_that_travel_on_are_seen_and_what_is_not_understood_ends_them() {
    let payload = message("buffered-strict", &Head::call("add", 1), &Tree::Struct(vec![]));
    // Info 2, info 1, info 9, and what would be another info 1.
    let block = b"\0\0\x02\x01\x01a\x01x\x01\x01\x01b\x01y\x09\x01\x01\x01c\x01z\0";
    let bytes = block_frame(block, 1, &payload);
    assert_eq!(look_up(&bytes, &["a", "b", "c"]), texts([Some("x"), Some("y"), None]));
    // A count that is not true shows what is there; lengths beyond the block show nothing.
    let bytes = block_frame(b"\0\0\x01\x7f\x01a\x01x\x01b\x7fy\0\0\0\0\0\0", 1, &payload);
    assert_eq!(look_up(&bytes, &["a", "b"]), texts([Some("x"), None]));
}

#[test]
fn keys_are_set_and_nothing_else_is_touched() {
    for form in ["header-strict", "header-compact", "zlib-strict", "zlib-compact"] {
        let request = vector("call-everything", form);
        let edits = [("TIER", "silver"), ("x-new", "7")];
        let (sent, edited) = Proxy::new(300, &[]).up_with(&request, &edits).unwrap();
        assert_eq!(edited, Edited::Done);
        let names = ["tier", "x-new", "user", "empty", "method"];
        let expected = texts([Some("silver"), Some("7"), Some("größe 🛒"), Some(""), Some("everything")]);
        assert_eq!(look_up(&sent, &names), expected, "{form}");
        let payload = |bytes: &[u8]| bytes[14 + 4 * usize::from(bytes[13])..].to_vec();
        assert_eq!(payload(&sent), payload(&request), "{form}");
        assert_eq!(sent[..4], (sent.len() as u32 - 4).to_be_bytes());
        assert_eq!(sent[4..12], request[4..12]);
    }
}

#[test]
fn ids_are_rewritten_in_an_edited_message_too() {
    for encoding in ["strict", "compact"] {
        let request = vector("call", &format!("header-{encoding}"));
        let (sent, _) = Proxy::new(70_000, &[]).up_with(&request, &[("tier", "gold")]).unwrap();
        assert_eq!(sent, Proxy::new(70_000, &[]).up(&request));
    }
}

#[test]
fn a_message_without_a_theader_is_written_without_the_edits() {
    for form in FORMS.into_iter().filter(|form| form.starts_with("framed") || form.starts_with("buffered")) {
        let request = vector("call", form);
        let (sent, edited) = Proxy::new(1, &[]).up_with(&request, &[("tier", "tin")]).unwrap();
        assert_eq!((sent, edited), (request, Edited::Impossible), "{form}");
    }
}

#[test]
fn an_endpoint_that_is_spoken_to_with_theaders_gets_the_edits_as_keys() {
    for (name, request) in recorded().into_iter().filter(|(name, _)| name.starts_with("call.")) {
        let mut proxy = Proxy::new(1, &[("transport", "header")]);
        let (sent, edited) = proxy.up_with(&request, &[("tier", "tin")]).unwrap();
        assert_eq!(edited, Edited::Done);
        assert_eq!(look_up(&sent, &["tier", "method"]), texts([Some("tin"), Some("add")]), "{name}");
    }
}

#[test]
fn the_method_cannot_be_set() {
    let request = vector("call", "header-strict");
    let (sent, edited) = Proxy::new(1, &[]).up_with(&request, &[("method", "remove")]).unwrap();
    assert_eq!((sent, edited), (request, Edited::Impossible));
}

#[test]
fn keys_that_are_too_long_for_a_theader_are_not_set() {
    let request = vector("call", "header-strict");
    let long = "x".repeat(300_000);
    let (sent, edited) = Proxy::new(1, &[]).up_with(&request, &[("long", &long)]).unwrap();
    assert_eq!((sent, edited), (request, Edited::Impossible));
}

#[test]
fn options_decide_what_can_be_set_and_how_connections_are_shared() {
    let conduct = |side, options: &[(&str, &str)]| -> Conduct {
        let options =
            options.iter().map(|(name, value)| ((*name).to_owned(), OptionValue::Text((*value).to_owned())));
        Thrift.configure(side, &Options(options.collect())).unwrap().conduct()
    };
    for side in [Side::Downstream, Side::Upstream] {
        let rows = [
            ("auto", Edits::Sometimes),
            ("header", Edits::Always),
            ("framed", Edits::Never),
            ("buffered", Edits::Never),
        ];
        for (transport, edits) in rows {
            assert_eq!(conduct(side, &[("transport", transport)]).edits, edits);
        }
    }
    let downstream = conduct(Side::Downstream, &[("sharing", "shared(2)")]);
    assert_eq!((downstream.order, downstream.sharing), (Order::InOrder, None));
    let upstream = conduct(Side::Upstream, &[("sharing", "shared(2)")]);
    assert_eq!((upstream.order, upstream.sharing), (Order::ById, Some(Sharing::Shared(2))));
    assert_eq!(conduct(Side::Upstream, &[]).sharing, Some(Sharing::Exclusive));
    assert_eq!(settings(&[]).sharing, Thrift.properties().sharing);
}
