//! Attributes in fastjson2: heads, attachments of every kind, and bytes that are none.

use codec_api::{Cause, Codec, Decoded, Kind, Side, Span};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::conversation::{attribute, codec, decode, head, look_up};
use crate::jsonb::{Call, Json, NULL, leaf, text};
use crate::writer::frame;

fn named<'a>(text: impl Into<Option<&'a str>>) -> Option<String> {
    text.into().map(str::to_owned)
}

/// A call with these attachments before `batchJob` = `yes`.
fn call(attachments: Vec<(Json, Json)>) -> Call {
    let last = (text("batchJob"), text("yes"));
    Call::new(vec![text("x")], attachments.into_iter().chain([last]).collect())
}

/// Each form of a value that holds no other.
fn leaves() -> Vec<Json> {
    let mut leaves: Vec<Json> = (0xaf..=0xb3).map(|tag| leaf(&[tag])).collect();
    for value in [0, -16, 47, 48, -17, -2048, 2047, 2048, -0x40000, 0x3ffff, 0x40000, i32::MIN, i32::MAX] {
        leaves.push(Json::Int(value));
        // A character; a double, a float, a decimal and a big integer that are whole.
        for tag in [0x90, 0xb4, 0xb6, 0xb8, 0xba] {
            leaves.push(Json::Leaf([&[tag][..], &Json::Int(value).bytes()].concat()));
        }
    }
    let others: [&[u8]; 26] = [
        b"\xbd\x80",
        b"\xbc\xff\xff",
        b"\xbf\0\0\0\x01",
        b"\xbe\0\0\0\0\0\0\0\x01",
        b"\xd8",
        b"\xef",
        b"\xc8\x01",
        b"\xd7\xff",
        b"\xc0\0\0",
        b"\xb5\0\0\0\0\0\0\0\0",
        b"\xb7\0\0\0\0",
        b"\xb9\x02\x38\x96",
        b"\xb9\x02\xbb\x01\x05",
        b"\xb9\x02\xbe\0\0\0\0\0\0\0\x01",
        b"\xbb\x0a0123456789",
        b"\x91\x03abc",
        b"\xa7\x01\x02\x03\x38\x99",
        b"\xa8\x07\xe8\x01\x02\x03\x04\x05\0",
        b"\xa9\x07\xe8\x01\x02",
        b"\xaa\x07\xe8\x01\x02\x03\x04\x05\0\x4cUTC",
        b"\xab\0\0\0\0\0\0\0\0",
        b"\xac\0\0\0\0",
        b"\xad\0\0\0\0",
        b"\xae\xbe\0\0\0\0\0\0\0\x01\x05",
        b"\x7f\x4dcode\x01",
        b"\x7f\x01",
    ];
    leaves.extend(others.map(leaf));
    for length in [0, 1, 47, 48, 2047, 2048, 300_000] {
        leaves.push(text(&"Z".repeat(length)));
        leaves.push(Json::Utf16("Z".repeat(length)));
    }
    leaves.extend([Json::Latin1("Zoë".into()), leaf(b"\x7b\x02\0Z"), leaf(b"\x7e\x02\xb6\xab")]);
    leaves.push(Json::Reference("$.first".into()));
    leaves
}

#[test]
fn every_form_is_walked_over() {
    let mut forms = leaves();
    for count in [0, 1, 15, 16, 300] {
        forms.push(Json::Array(vec![Json::Int(1); count]));
        forms.push(Json::Map(vec![(text("k"), leaf(&[NULL])); count]));
        let items = Json::Array(vec![text("x"); count]);
        forms.push(Json::Typed("java.util.TreeSet".into(), 0, Box::new(items)));
    }
    forms.push(leaf(b"\x92\x00\xa6\x7f\x4dcode\x01\x07\x7f\x01\x08\xa5"));
    forms.push(Json::Map(vec![(Json::Int(3), text("a number for a name"))]));
    for form in &forms {
        let bytes = call(vec![(text("key"), form.clone())]).frame();
        assert_eq!(attribute(&bytes, "batchJob"), named("yes"), "behind {form:?}");
    }
    let all = call(forms.into_iter().map(|form| (text("key"), form)).collect()).frame();
    assert_eq!(attribute(&all, "batchJob"), named("yes"));
}

#[test]
fn values_are_offered_as_their_text() {
    let rows: [(Json, Option<&str>); 20] = [
        (text("plain"), Some("plain")),
        (text(""), Some("")),
        (text("größe 🛒"), Some("größe 🛒")),
        (Json::Latin1("Zoë".into()), Some("Zoë")),
        (Json::Utf16("東京 🛒".into()), Some("東京 🛒")),
        (leaf(b"\x7b\x02\x67\x71"), Some("東")),
        (leaf(b"\x7d\x02\x67\x71"), Some("東")),
        (Json::Int(0), Some("0")),
        (Json::Int(-2049), Some("-2049")),
        (leaf(b"\xbd\xff"), Some("-1")),
        (leaf(b"\xbc\x7f\xff"), Some("32767")),
        (leaf(b"\xbe\x80\0\0\0\0\0\0\0"), Some("-9223372036854775808")),
        (leaf(b"\xb1"), Some("true")),
        (leaf(b"\xb0"), Some("false")),
        (leaf(&[NULL]), None),
        (leaf(b"\xb3"), None),
        (leaf(b"\x7e\x02\xb6\xab"), None),
        (Json::Array(vec![]), None),
        (Json::Map(vec![(text("a"), text("b"))]), None),
        (Json::Typed("com.acme.Tag".into(), 0, Box::new(text("b"))), None),
    ];
    for (value, expected) in rows {
        let bytes = call(vec![(text("key"), value.clone())]).frame();
        assert_eq!(attribute(&bytes, "key").as_deref(), expected, "{value:?}");
        assert_eq!(attribute(&bytes, "batchJob"), named("yes"), "behind {value:?}");
    }
}

#[test]
fn a_head_that_is_not_in_utf_8_is_offered_late() {
    let mut call = call(vec![(text("interface"), text("com.evil")), (text("METHOD"), text("cancel"))]);
    call.head[1] = Json::Utf16("com.acme.订单".into());
    call.head[2] = leaf(b"\x7e\x02\xb6\xab");
    call.head[3] = Json::Latin1("größe".into());
    let bytes = call.frame();
    let message = decode(Side::Downstream, &bytes);
    assert_eq!(message.head[..3], [Span::LATE, Span::LATE, Span::NONE]);
    let (found, _) = look_up(&bytes, &["interface", "METHOD", "version", "dubbo", "batchJob"]);
    assert_eq!(
        found,
        [named("com.acme.订单"), named("größe"), None, named("2.0.2"), named("yes")],
        "and no attachment takes its place"
    );
}

#[test]
fn a_generic_call_is_seen_through() {
    for method in ["$invoke", "$invokeAsync"] {
        let mut call = call(vec![(text("generic"), text("gson"))]);
        call.head[3] = text(method);
        call.descriptor = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;".into();
        call.arguments = vec![text("cancel"), leaf(b"\x94"), leaf(b"\x94")];
        let bytes = call.frame();
        assert_eq!(head(&decode(Side::Downstream, &bytes), &bytes, "method"), Some("cancel"));
        assert_eq!(look_up(&bytes, &["generic", "batchJob"]).0, [named("true"), named("yes")]);

        call.arguments[0] = Json::Utf16("删除".into());
        assert_eq!(attribute(&call.frame(), "method"), named("删除"));
        call.arguments[0] = leaf(&[NULL]);
        assert_eq!(attribute(&call.frame(), "method"), named(method));
        call.descriptor = "Ljava/lang/Object;".repeat(3);
        assert_eq!(look_up(&call.frame(), &["method", "generic"]).0, [named(method), named("gson")]);
    }
}

#[test]
fn an_unversioned_service_has_no_version() {
    let mut call = call(vec![]);
    call.head[2] = leaf(&[NULL]);
    let bytes = call.frame();
    let message = decode(Side::Downstream, &bytes);
    assert_eq!((message.kind, message.opaque), (Kind::Request, None));
    assert_eq!(head(&message, &bytes, "version"), None);
    assert_eq!(head(&message, &bytes, "interface"), Some("com.acme.Orders"));
}

#[test]
fn a_body_without_a_head_is_refused() {
    let rows: [(&[u8], &str); 5] = [
        (b"", "ends before the head's dubbo"),
        (b"\0\0\0\x06\x4e2.0.2", "ends before the head's interface"),
        (b"\0\0\0\x06\x4e2.0.2\xff\xff\xff\xff\x4aa", "ends before the head's interface"),
        (
            b"\0\0\0\x06\x4e2.0.2\0\0\0\x01\x05",
            "the head's interface, at byte 26, is no whole fastjson2 text",
        ),
        (b"\0\0\0\x03\x4axy", "the head's dubbo, at byte 16, is no whole fastjson2 text"),
    ];
    for (body, words) in rows {
        let bytes = frame(0xd7, 0, 5, body);
        let Ok(Decoded::Reject(refused)) = codec(Side::Downstream).decode(&bytes) else {
            panic!("{body:02x?}")
        };
        assert_eq!((refused.skip, refused.cause), (bytes.len() as u64, Cause::BadMessage));
        assert_eq!(refused.answer.map(|answer| answer.id), Some(5));
        assert!(refused.text.contains(words), "{}", refused.text);
    }
}

#[test]
fn malformed_attachments_hide_what_is_behind_them() {
    let rows: [(&[u8], &str); 14] = [
        (b"\xa5", "an end of nothing"),
        (b"\x92\xb1\xa6\xa5", "a type without a name"),
        (b"\x93\x05", "a reference that is no path"),
        (b"\xa4\xf0", "an array of -16 items"),
        (b"\xa4\x48\x7f\xff\xff\xff", "an array of 2 billion items"),
        (b"\x91\x48\xff\xff\xff\xff", "-1 bytes"),
        (b"\x79\x48\x7f\xff\xff\xff", "a text that is longer than the message"),
        (b"\xa6\x4aa", "a map without an end"),
        (b"\x90\xb1", "a character that is no number"),
        (b"\xa8\x07", "a time that is cut"),
        (b"\xb9\x02\xb1", "a decimal without digits"),
        (b"\x7f\xb1", "a name that is none"),
        (b"\x9f", "a tag of an array, cut"),
        (b"\xbe\0", "a number that is cut"),
    ];
    for (value, what) in rows {
        let bytes = call(vec![(text("key"), leaf(value))]).frame();
        assert_eq!(attribute(&bytes, "batchJob"), None, "{what}");
        assert_eq!(attribute(&bytes, "method"), named("place"), "{what}");
    }
    let not_a_map = Call { attachments: text("batchJob"), ..call(vec![]) };
    assert_eq!(attribute(&not_a_map.frame(), "batchJob"), None);
    let short = Call { arguments: vec![], ..call(vec![]) };
    assert_eq!(attribute(&short.frame(), "batchJob"), None, "the map is taken for the argument");
    let typed = Json::Typed("java.util.TreeMap".into(), 0, Box::new(call(vec![]).attachments));
    let typed = Call { attachments: typed, ..call(vec![]) };
    assert_eq!(attribute(&typed.frame(), "batchJob"), named("yes"));
}

#[test]
fn depth_has_a_limit_and_bombs_cost_no_more_than_their_bytes() {
    let nested = |depth: usize| [&b"\x96".repeat(depth)[..], &[NULL], &[NULL].repeat(depth)].concat();
    let behind = |value: &[u8]| attribute(&call(vec![(text("key"), leaf(value))]).frame(), "batchJob");
    assert_eq!(behind(&nested(513)), named("yes"));
    assert_eq!(behind(&nested(514)), None, "too deep to look behind");
    let linked = [&b"\x95".repeat(100_000)[..], &[NULL]].concat();
    assert_eq!(behind(&linked), named("yes"), "long, but not deep");
    for (bomb, what) in [
        (&b"\x96"[..], "arrays of two arrays"),
        (b"\xa6", "maps in place of names"),
        (b"\xa6\x49", "maps in maps"),
        (b"\x92\x49\x00", "types of types"),
        (b"\xa4\x48\x7f\xff\xff\xff", "arrays that claim 2 billion items"),
        (b"\x94", "empty arrays"),
    ] {
        let bytes = call(vec![(text("key"), leaf(&bomb.repeat((1 << 20) / bomb.len())))]).frame();
        let (found, walked) = look_up(&bytes, &["batchJob"]);
        assert!(walked <= bytes.len() as u64, "{what}");
        assert_eq!(found, [None], "{what}");
    }
}

fn tree() -> impl Strategy<Value = Json> {
    prop::sample::select(leaves()).prop_recursive(5, 60, 9, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Json::Array),
            vec((text_of("[a-zé ]{0,60}"), inner.clone()), 0..5).prop_map(Json::Map),
            ("[a-z]{1,60}", 0..300, inner).prop_map(|(name, number, value)| Json::Typed(
                name,
                number,
                Box::new(value)
            )),
        ]
    })
}

fn text_of(pattern: &'static str) -> impl Strategy<Value = Json> {
    pattern.prop_map(|words| text(&words))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn attachments_are_found_behind_any_others(arguments in vec(tree(), 0..3), others in vec(tree(), 0..4)) {
        let entries = others.into_iter().map(|value| (text("other"), value));
        let entries = entries.chain([(text("key"), text("found"))]).collect();
        let bytes = Call::new(arguments, entries).frame();
        prop_assert_eq!(attribute(&bytes, "key"), named("found"));
    }

    #[test]
    fn changed_bytes_are_survived(value in tree(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = call(vec![(text("key"), value)]).frame();
        for (place, byte) in changes {
            let place = 16 + place.index(bytes.len() - 16);
            bytes[place] = byte;
        }
        let (_, walked) = look_up(&bytes, &["batchJob", "key"]);
        prop_assert!(walked <= bytes.len() as u64);
    }

    #[test]
    fn random_bodies_are_survived(body in vec(any::<u8>(), 0..600)) {
        let bytes = call(vec![(text("key"), leaf(&body))]).frame();
        prop_assert!(look_up(&bytes, &["batchJob"]).1 <= bytes.len() as u64);
        look_up(&frame(0xd7, 0, 1, &body), &["batchJob"]);
    }
}
