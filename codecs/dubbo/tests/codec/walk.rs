//! Late attributes: arguments of every kind are walked over, and what stands behind them is found.

use bytes::Bytes;
use codec_api::{Attribute, Codec, Found, Out, Outgoing, Raw, Side};
use codec_dubbo::attachments::{self, Walker};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::conversation::{attribute, codec, decode, head, look_up, properties};
use crate::writer::{Call, Double, Length, List, Tree, text};

/// A call with these arguments and the attachment `batchJob` = `yes`.
fn call(arguments: Vec<Tree>) -> Call {
    Call::new(arguments, vec![(text("batchJob"), text("yes"))])
}

/// Bytes from the descriptor to the end.
fn behind_the_head(call: &Call) -> u64 {
    let empty =
        Call { descriptor: String::new(), arguments: vec![], attachments: Tree::Null, ..call.clone() };
    (call.frame().len() - empty.frame().len() + 2) as u64
}

fn named<'a>(name: impl Into<Option<&'a str>>) -> Option<String> {
    name.into().map(str::to_owned)
}

fn object(class: &str, fields: Vec<Tree>, length: Length) -> Tree {
    let fields = fields.into_iter().enumerate().map(|(place, value)| (format!("field{place}"), value));
    Tree::Object(class.to_owned(), fields.collect(), length)
}

#[test]
fn every_form_is_walked_over() {
    use Length::{Long, Short};
    let numbers = [0, -16, 47, 48, -2048, 2047, 2048, -0x40000, 0x3ffff, 0x40000, i32::MIN, i32::MAX];
    let mut forms =
        vec![Tree::Null, Tree::Bool(true), Tree::Bool(false), Tree::Millis(-1), Tree::Minutes(28_000_000)];
    for number in numbers {
        forms.extend([Tree::Int(number, Short), Tree::Int(number, Long)]);
        forms.extend([Tree::Long(number.into(), Short), Tree::Long(number.into(), Long)]);
    }
    forms.extend([-8, 15, 16, i64::MIN, i64::MAX].map(|number| Tree::Long(number, Short)));
    let doubles = [
        Double::Zero,
        Double::One,
        Double::Byte(-128),
        Double::Short(-1),
        Double::Millis(7),
        Double::Full(0.1),
    ];
    forms.extend(doubles.map(Tree::Double));
    for length in [0, 1, 15, 16, 31, 32, 255, 1023, 1024, 40_000] {
        for chunk in [0, 1, 7, 1000] {
            if chunk != 1 || length < 2000 {
                forms.push(Tree::Binary(vec![b'Z'; length], chunk));
                forms.push(Tree::Text("Z".repeat(length), chunk));
                forms.push(Tree::Text("größe 订单 😀".repeat(length / 12), chunk));
            }
        }
    }
    for count in [0, 1, 7, 8, 300] {
        let items = vec![Tree::Int(1, Long); count];
        for kind in [None, named("[int"), named("[object")] {
            forms.push(Tree::List(List::Open(kind.clone()), items.clone()));
            forms.push(Tree::List(List::Counted(kind.clone(), Short), items.clone()));
            forms.push(Tree::List(List::Counted(kind.clone(), Long), items.clone()));
            forms.push(Tree::Map(kind, items.iter().map(|item| (item.clone(), item.clone())).collect()));
        }
    }
    for class in 0..20 {
        forms.push(object(&format!("com.acme.C{class}"), vec![Tree::Null; class], Short));
        forms.push(object(&format!("com.acme.C{class}"), vec![Tree::Null; class], Long));
    }
    forms.extend([Tree::Reference(0), Tree::Reference(300)]);

    for form in &forms {
        let call = call(vec![form.clone()]);
        let (found, walked) = look_up(&call.frame(), &["batchJob"]);
        assert_eq!(found, [named("yes")], "behind {form:?}");
        assert_eq!(walked, behind_the_head(&call), "behind {form:?}");
    }
    let all = call(forms);
    assert_eq!(look_up(&all.frame(), &["batchJob"]), (vec![named("yes")], behind_the_head(&all)));
}

#[test]
fn values_are_offered_as_their_text() {
    use Length::{Long, Short};
    let long_text = "a".repeat(70_000);
    let rows: Vec<(Tree, Option<&str>)> = vec![
        (text("plain"), Some("plain")),
        (text(""), Some("")),
        (text("größe 订单"), Some("größe 订单")),
        (text("x😀y"), Some("x😀y")),
        (Tree::Text("in pieces 😀".into(), 3), Some("in pieces 😀")),
        (Tree::Text(long_text.clone(), 0x8000), Some(&long_text)),
        (Tree::Int(0, Short), Some("0")),
        (Tree::Int(-2049, Short), Some("-2049")),
        (Tree::Int(i32::MIN, Long), Some("-2147483648")),
        (Tree::Long(15_000, Short), Some("15000")),
        (Tree::Long(i64::MIN, Long), Some("-9223372036854775808")),
        (Tree::Bool(true), Some("true")),
        (Tree::Bool(false), Some("false")),
        (Tree::Null, None),
        (Tree::Double(Double::One), None),
        (Tree::Millis(0), None),
        (Tree::Map(None, vec![(text("a"), text("b"))]), None),
        (object("com.acme.Tag", vec![text("b")], Short), None),
    ];
    for (value, expected) in rows {
        let entries =
            vec![(text("before"), text("1")), (text("key"), value.clone()), (text("after"), text("2"))];
        let bytes = Call::new(vec![], entries).frame();
        assert_eq!(attribute(&bytes, "key").as_deref(), expected, "{value:?}");
        assert_eq!(attribute(&bytes, "after").as_deref(), Some("2"), "behind {value:?}");
    }
}

#[test]
fn names_match_whatever_their_case_and_form() {
    let entries = vec![
        (Tree::Int(7, Length::Short), text("no name")),
        (Tree::Null, text("no name")),
        (text("region"), text("lower")),
        (text("Region"), text("exact")),
        (Tree::Text("split name".into(), 5), text("joined")),
        (text("größe😀"), text("wide")),
    ];
    let bytes = Call::new(vec![], entries).frame();
    let names = ["Region", "REGION", "Split Name", "größe😀", "7", "absent"];
    let (found, _) = look_up(&bytes, &names);
    assert_eq!(found, [named("exact"), named("lower"), named("joined"), named("wide"), None, None]);
}

#[test]
fn the_head_is_not_overridden_by_attachments() {
    let entries = vec![(text("interface"), text("com.evil.Orders")), (text("Method"), text("cancel"))];
    let bytes = Call::new(vec![], entries).frame();
    let (found, _) = look_up(&bytes, &["interface", "method"]);
    assert_eq!(found, [named("com.acme.Orders"), named("place")]);
}

#[test]
fn a_generic_call_is_seen_through() {
    for method in ["$invoke", "$invokeAsync"] {
        let arguments = vec![
            text("cancel"),
            Tree::List(List::Counted(named("[string"), Length::Short), vec![text("java.lang.String")]),
            Tree::List(List::Counted(named("[object"), Length::Short), vec![text("order-1")]),
        ];
        let entries = vec![(text("generic"), text("gson")), (text("batchJob"), text("yes"))];
        let mut call = Call::new(arguments, entries);
        call.head[3] = text(method);
        call.descriptor = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;".into();
        let bytes = call.frame();
        let message = decode(Side::Downstream, &bytes);
        assert_eq!(head(&message, &bytes, "method"), Some("cancel"));
        assert_eq!(look_up(&bytes, &["generic", "batchJob"]).0, [named("true"), named("yes")]);

        call.descriptor = "Ljava/lang/Object;".repeat(3);
        let bytes = call.frame();
        let message = decode(Side::Downstream, &bytes);
        assert_eq!(
            head(&message, &bytes, "method"),
            Some(method),
            "a method of that name is not a generic call"
        );
        assert_eq!(look_up(&bytes, &["generic", "batchJob"]).0, [named("gson"), named("yes")]);
    }
}

#[test]
fn decoding_and_encoding_never_walk() {
    let bytes = call(vec![text(&"x".repeat(5000)); 9]).frame();
    let shared = Bytes::copy_from_slice(&bytes);
    let mut codec = codec(Side::Downstream);
    let mut out = Out::new();
    for _ in 0..100 {
        let Ok(codec_api::Decoded::Message(message)) = codec.decode(&bytes) else { panic!() };
        codec.encode(&Outgoing { message: &message, bytes: Raw::Shared(&shared), id: 1 }, &mut out);
    }
    assert_eq!(codec.bytes_walked(), 0);
    let message = decode(Side::Downstream, &bytes);
    let wanted = [Attribute::new(properties(), "batchJob")];
    codec.attributes(&message, &bytes, &wanted, &mut Found::default());
    assert!(codec.bytes_walked() > 45_000);
}

#[test]
fn the_walk_can_be_called_by_itself() {
    let call = call(vec![text("x")]);
    let bytes = call.frame();
    let wanted = [Attribute::new(properties(), "batchJob")];
    let mut found = Found::default();
    found.reset(1);
    let message = decode(Side::Downstream, &bytes);
    let walked = attachments::offer(&message, &bytes, &wanted, &mut found, &mut Walker::default());
    assert_eq!(walked as u64, behind_the_head(&call));
    assert_eq!(found.get(0, &wanted[0], &message, &bytes), Some(&b"yes"[..]));

    let mut foreign = message;
    foreign.context = u64::MAX;
    assert_eq!(attachments::offer(&foreign, &bytes, &wanted, &mut found, &mut Walker::default()), 0);
}

#[test]
fn a_call_without_attachments_has_no_attributes() {
    for attachments in [Tree::Null, Tree::Map(None, vec![]), Tree::Int(3, Length::Short), Tree::Reference(0)]
    {
        let call = Call { attachments, ..call(vec![text("x")]) };
        assert_eq!(attribute(&call.frame(), "batchJob"), None);
    }
    let typed = Tree::Map(named("java.util.TreeMap"), vec![(text("batchJob"), text("yes"))]);
    let call = Call { attachments: typed, ..call(vec![text("x")]) };
    assert_eq!(attribute(&call.frame(), "batchJob"), named("yes"));
}

/// A list in a list in a list …, so deep; each awaits another value behind the inner one.
fn nested(depth: usize) -> Tree {
    (0..depth)
        .fold(Tree::Null, |inner, _| Tree::List(List::Counted(None, Length::Short), vec![inner, Tree::Null]))
}

/// A list of links, each the last field of the one before.
fn linked(length: i32) -> Tree {
    (0..length).fold(Tree::Null, |next, number| {
        object("com.acme.Link", vec![Tree::Int(number, Length::Short), next], Length::Short)
    })
}

#[test]
fn depth_and_classes_have_limits() {
    assert_eq!(attribute(&call(vec![nested(512)]).frame(), "batchJob"), named("yes"));
    assert_eq!(attribute(&call(vec![nested(514)]).frame(), "batchJob"), None, "too deep to look behind");
    assert_eq!(attribute(&call(vec![linked(900)]).frame(), "batchJob"), named("yes"), "long, but not deep");
    let classes =
        |count: usize| (0..count).map(|class| object(&format!("C{class}"), vec![], Length::Short)).collect();
    assert_eq!(attribute(&call(classes(1024)).frame(), "batchJob"), named("yes"));
    assert_eq!(attribute(&call(classes(1025)).frame(), "batchJob"), None, "too many classes to remember");
}

/// A call whose one argument is these bytes.
fn with_argument(argument: &[u8]) -> Vec<u8> {
    let body = call(vec![Tree::Null]).body();
    let attachments = body.windows(9).position(|bytes| bytes == b"\x08batchJob").unwrap() - 1;
    let body = [&body[..attachments - 1], argument, &body[attachments..]].concat();
    crate::writer::frame(0xc2, 0, 1, &body)
}

#[test]
fn malformed_arguments_hide_the_attachments_and_nothing_else() {
    assert_eq!(attribute(&with_argument(b"N"), "batchJob"), named("yes"), "the frame itself is right");
    let rows: [(&[u8], &str); 19] = [
        (b"\x40", "a tag that is reserved"),
        (b"\x45", "a tag that is reserved"),
        (b"\x47", "a tag that is reserved"),
        (b"\x50", "a tag that is reserved"),
        (b"G", "a tag that is reserved"),
        (b"Z", "an end of nothing"),
        (b"\x60", "an object of no class"),
        (b"O\x90", "an object of no class"),
        (b"O\x8f", "an object of class -1"),
        (b"X\x8f", "a list of -1 items"),
        (b"VN\x90", "a list whose type is no type"),
        (b"V\x90\x90", "a type that was not there"),
        (b"M\x90Z", "a type that was not there"),
        (b"HNZ", "a key without a value"),
        (b"C\x01A\x8f\x60", "a class of -1 fields"),
        (b"C\x90\x90\x60", "a class without a name"),
        (b"A\0\x01xN", "bytes that go on with something else"),
        (b"R\0\x01xN", "a text that goes on with something else"),
        (b"\x01\xff", "a text that is not UTF-8"),
    ];
    for (argument, what) in rows {
        let bytes = with_argument(argument);
        assert_eq!(attribute(&bytes, "batchJob"), None, "{what}");
        assert_eq!(head(&decode(Side::Downstream, &bytes), &bytes, "method"), Some("place"), "{what}");
    }
}

#[test]
fn a_descriptor_that_is_none_hides_the_attachments() {
    for descriptor in ["V", "java.lang.String", "Ljava/lang/String", "I;"] {
        let call = Call { descriptor: descriptor.into(), ..call(vec![Tree::Null]) };
        assert_eq!(attribute(&call.frame(), "batchJob"), None, "{descriptor}");
    }
    let primitive = Call { descriptor: "I[[JLjava/util/List;".into(), ..call(vec![Tree::Null; 3]) };
    assert_eq!(attribute(&primitive.frame(), "batchJob"), named("yes"));
}

#[test]
fn bombs_cost_no_more_than_their_bytes() {
    let size = 4 << 20;
    let bombs: [(&[u8], &str); 9] = [
        (b"\x79", "lists of one list"),
        (b"\x7a", "lists of two lists"),
        (b"W", "open lists"),
        (b"H", "maps in place of keys"),
        (b"C\x00\x90", "classes without fields"),
        (b"\x78", "empty lists"),
        (b"X\x49\x7f\xff\xff\xff", "lists that claim 2 billion items"),
        (b"R\x00\x00", "texts in empty chunks"),
        (b"A\x00\x00", "bytes in empty chunks"),
    ];
    for (bomb, what) in bombs {
        let bytes = with_argument(&bomb.repeat(size / bomb.len()));
        let (found, walked) = look_up(&bytes, &["batchJob"]);
        assert!(walked <= bytes.len() as u64, "{what}");
        assert_eq!(found, [None], "{what}");
    }
    let (names, values) = (vec![0; 1 << 20], vec![b'N'; 1 << 20]);
    let fields = [&b"C\x01AI\x00\x10\x00\x00"[..], &names, b"\x60", &values].concat();
    assert_eq!(attribute(&with_argument(&fields), "batchJob"), named("yes"), "a class of a million fields");
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9 .]{0,40}", "[ -~£ж订😀]{0,12}", Just("x".repeat(1500)), Just("订单".repeat(600))]
}

fn length() -> impl Strategy<Value = Length> {
    prop_oneof![Just(Length::Short), Just(Length::Long)]
}

fn kind() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(prop_oneof![Just("[int".into()), Just("java.util.ArrayList".into()), "[a-z]{1,40}"])
}

fn leaf() -> impl Strategy<Value = Tree> {
    prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        (any::<i32>(), 0..32_u32, length())
            .prop_map(|(value, shift, length)| Tree::Int(value >> shift, length)),
        (any::<i64>(), 0..64_u32, length())
            .prop_map(|(value, shift, length)| Tree::Long(value >> shift, length)),
        any::<i64>().prop_map(Tree::Millis),
        any::<i32>().prop_map(Tree::Minutes),
        Just(Tree::Double(Double::Zero)),
        Just(Tree::Double(Double::One)),
        any::<i8>().prop_map(|value| Tree::Double(Double::Byte(value))),
        any::<i16>().prop_map(|value| Tree::Double(Double::Short(value))),
        any::<i32>().prop_map(|value| Tree::Double(Double::Millis(value))),
        any::<f64>().prop_map(|value| Tree::Double(Double::Full(value))),
        (words(), prop_oneof![Just(0), 1..50_usize]).prop_map(|(text, chunk)| Tree::Text(text, chunk)),
        (vec(any::<u8>(), 0..1200), prop_oneof![Just(0), 1..50_usize])
            .prop_map(|(data, chunk)| Tree::Binary(data, chunk)),
        (0..40).prop_map(Tree::Reference),
    ]
}

fn list() -> impl Strategy<Value = List> {
    prop_oneof![
        kind().prop_map(List::Open),
        (kind(), length()).prop_map(|(kind, length)| List::Counted(kind, length))
    ]
}

pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    leaf().prop_recursive(5, 60, 9, |inner| {
        let fields = vec(inner.clone(), 0..6);
        prop_oneof![
            (list(), vec(inner.clone(), 0..10)).prop_map(|(form, items)| Tree::List(form, items)),
            (kind(), vec((inner.clone(), inner), 0..5)).prop_map(|(kind, entries)| Tree::Map(kind, entries)),
            ("[A-E]", fields, length()).prop_map(|(class, fields, length)| object(&class, fields, length)),
        ]
    })
}

/// A value that is offered, and what it is offered as.
fn value() -> impl Strategy<Value = (Tree, String)> {
    prop_oneof![
        (words(), prop_oneof![Just(0), 1..50_usize])
            .prop_map(|(text, chunk)| (Tree::Text(text.clone(), chunk), text)),
        (any::<i32>(), length()).prop_map(|(value, length)| (Tree::Int(value, length), value.to_string())),
        (any::<i64>(), length()).prop_map(|(value, length)| (Tree::Long(value, length), value.to_string())),
        any::<bool>().prop_map(|value| (Tree::Bool(value), value.to_string())),
    ]
}

/// Arguments and attachments: some whose values are offered, `a0`, `a1` …, and some whose values are not.
fn any_call() -> impl Strategy<Value = (Call, Vec<String>)> {
    (vec(tree(), 0..5), vec((value(), tree()), 0..6)).prop_map(|(arguments, attachments)| {
        let mut entries = Vec::new();
        let mut values = Vec::new();
        for (place, ((tree, offered), other)) in attachments.into_iter().enumerate() {
            entries.extend([(text(&format!("a{place}")), tree), (text("other"), other)]);
            values.push(offered);
        }
        (Call::new(arguments, entries), values)
    })
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|place| format!("a{place}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn attachments_are_found_behind_any_arguments((call, values) in any_call()) {
        let names = names(values.len());
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (found, walked) = look_up(&call.frame(), &names);
        prop_assert_eq!(found, values.into_iter().map(Some).collect::<Vec<_>>());
        prop_assert_eq!(walked, behind_the_head(&call));
    }

    #[test]
    fn a_call_that_ends_early_shows_nothing_false((call, values) in any_call(), cut in any::<prop::sample::Index>()) {
        let body = call.body();
        let bytes = crate::writer::frame(0xc2, 0, 1, &body[..cut.index(body.len())]);
        let names = names(values.len());
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (found, walked) = look_up(&bytes, &names);
        prop_assert!(walked <= bytes.len() as u64);
        for (found, value) in found.into_iter().zip(values) {
            prop_assert!(found.is_none() || found == Some(value));
        }
    }

    #[test]
    fn changed_bytes_are_survived(
        (call, _) in any_call(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut body = call.body();
        for (place, byte) in changes {
            let place = place.index(body.len());
            body[place] = byte;
        }
        let bytes = crate::writer::frame(0xc2, 0, 1, &body);
        let mut codec = codec(Side::Downstream);
        let Ok(codec_api::Decoded::Message(message)) = codec.decode(&bytes) else { return Ok(()) };
        let wanted = [Attribute::new(properties(), "a0"), Attribute::new(properties(), "other")];
        let mut found = Found::default();
        found.reset(2);
        codec.attributes(&message, &bytes, &wanted, &mut found);
        prop_assert!(codec.bytes_walked() <= bytes.len() as u64);
    }

    #[test]
    fn random_bytes_are_survived(flags in any::<u8>(), status in any::<u8>(), body in vec(any::<u8>(), 0..600)) {
        for bytes in [crate::writer::frame(flags, status, 1, &body), with_argument(&body), body] {
            for side in [Side::Downstream, Side::Upstream] {
                let mut codec = codec(side);
                let Ok(codec_api::Decoded::Message(message)) = codec.decode(&bytes) else { continue };
                prop_assert!(message.len <= bytes.len());
                let wanted = [Attribute::new(properties(), "batchJob")];
                let mut found = Found::default();
                found.reset(1);
                codec.attributes(&message, &bytes[..message.len], &wanted, &mut found);
                prop_assert!(codec.bytes_walked() <= message.len as u64);
            }
        }
    }
}
