//! Calls that nobody answers: those that say so, and those of which the options say it.

use codec_api::{Cause, Codec, Decoded, Kind, Side};
use codec_thrift::{Settings, ThriftCodec};

use crate::proxy::{FORMS, Proxy, decode, look_up, recorded};
use crate::writer::{Head, Tree, message};

fn listed(methods: &[&str]) -> Settings {
    let oneway = methods.iter().map(|name| (*name).into()).collect();
    Settings { oneway, ..Settings::default() }
}

#[test]
fn a_call_of_a_listed_method_is_oneway_in_every_form() {
    let messages = recorded();
    for form in FORMS {
        for (name, methods, kind) in [
            ("call", &["note", "add"][..], Kind::Oneway),
            ("call-multiplexed", &["add"], Kind::Oneway),
            ("call-multiplexed", &["Cart:add"], Kind::Oneway),
            ("call-multiplexed", &["Shop:add", "Cart", "Add"], Kind::Request),
            ("call", &["Cart:add", "ad", ""], Kind::Request),
            ("oneway", &[], Kind::Oneway),
        ] {
            let bytes = &messages[&format!("{name}.{form}")];
            let mut codec = ThriftCodec::new(Side::Downstream, listed(methods));
            assert_eq!(decode(&mut codec, bytes).kind, kind, "{name}.{form}: {methods:?}");
        }
    }
}

#[test]
fn it_takes_no_turn_and_travels_as_it_came() {
    let body = Tree::Struct(vec![]);
    let mut proxy = Proxy::new(1, &[]);
    proxy.downstream = ThriftCodec::new(Side::Downstream, listed(&["note"]));
    let note = message("framed-strict", &Head::call("note", 1), &body);
    assert_eq!(proxy.up(&note), note, "the endpoint sees a call");
    proxy.up(&message("framed-strict", &Head::call("add", 2), &body));
    let reply = proxy.answer(2, Cause::Timeout);
    assert!(reply.windows(3).any(|bytes| bytes == b"add"), "{reply:02x?}");
}

#[test]
fn it_is_not_answered_when_it_is_too_long() {
    let body = Tree::Struct(vec![(1, Tree::Text(vec![b'x'; 3000]))]);
    let mut codec = ThriftCodec::new(Side::Downstream, Settings { max_message: 2048, ..listed(&["note"]) });
    for (method, is_answered) in [("note", false), ("add", true)] {
        let bytes = message("framed-strict", &Head::call(method, 1), &body);
        let Ok(Decoded::Reject(rejected)) = codec.decode(&bytes) else { panic!("it is refused") };
        assert_eq!(rejected.answer.is_some(), is_answered, "{method}");
    }
}

#[test]
fn routes_see_a_oneway_call_for_what_it_is() {
    let bytes = recorded().remove("oneway.framed-strict").unwrap();
    assert_eq!(look_up(&bytes, &["type"]), [Some("oneway".to_owned())]);
}
