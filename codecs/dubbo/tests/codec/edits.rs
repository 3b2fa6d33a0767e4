//! Attachments that a route sets: what is written is what a client or provider would have written itself.

use bytes::Bytes;
use codec_api::{Codec, Decoded, Edit, Edited, Message, Out, Outgoing, Raw, Side};
use codec_dubbo::{DubboCodec, Settings};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::conversation::{attribute, codec, decode};
use crate::jsonb::{self, Json, leaf};
use crate::walk::tree;
use crate::writer::{Call, Length, List, Tree, Writer, frame, text};

const EDITS: [Edit<'static>; 2] =
    [Edit { name: "Env", value: "blau größer 🛒" }, Edit { name: "zone", value: "north" }];

/// What `codec` writes, and what it says of it.
fn write(codec: &mut DubboCodec, bytes: &[u8], edits: &[Edit<'_>]) -> (Edited, Vec<u8>) {
    let side = if bytes[2] & 0x80 == 0 { Side::Upstream } else { Side::Downstream };
    let message = decode(side, bytes);
    let shared = Bytes::copy_from_slice(bytes);
    let mut written = Vec::new();
    for raw in [Raw::Slice(bytes), Raw::Shared(&shared)] {
        let mut out = Out::new();
        let edited =
            codec.write(&Outgoing { message: &message, bytes: raw, id: message.id }, edits, &mut out);
        written.push((edited.unwrap(), out.to_vec()));
    }
    assert_eq!(written[0], written[1], "however the bytes are held");
    written.remove(0)
}

/// The request with these edits.
fn edited(bytes: &[u8], edits: &[Edit<'_>]) -> Vec<u8> {
    let (done, written) = write(&mut codec(Side::Upstream), bytes, edits);
    assert_eq!(done, Edited::Done);
    let (again, twice) = write(&mut codec(Side::Upstream), &written, edits);
    assert_eq!((again, &twice), (Edited::Done, &written), "the same edit again changes nothing");
    written
}

fn is_impossible(codec: &mut DubboCodec, bytes: &[u8], edits: &[Edit<'_>], why: &str) {
    assert_eq!(write(codec, bytes, edits), (Edited::Impossible, bytes.to_vec()), "{why}");
}

/// A call with these attachments.
fn call(attachments: Vec<(Tree, Tree)>) -> Call {
    Call::new(vec![Tree::List(List::Open(None), vec![text("x")])], attachments)
}

#[test]
fn an_attachment_is_replaced_in_its_place_or_added_behind_the_others() {
    let leaves = [
        text("green"),
        Tree::Text("in pieces".into(), 3),
        Tree::Int(7, Length::Long),
        Tree::Long(1 << 40, Length::Short),
        Tree::Bool(true),
        Tree::Null,
        Tree::Millis(0),
        Tree::Binary(vec![1; 40], 7),
        Tree::Reference(1),
    ];
    for value in leaves {
        let entries = |env: Tree| {
            vec![(text("a"), text("1")), (text("env"), env), (text("b"), Tree::Int(2, Length::Short))]
        };
        let mut expected = entries(text("blau größer 🛒"));
        expected.push((text("zone"), text("north")));
        assert_eq!(edited(&call(entries(value)).frame(), &EDITS), call(expected).frame());
    }
    for two_way in [true, false] {
        let empty = Call { two_way, ..call(vec![]) };
        let both = Call {
            two_way,
            ..call(vec![(text("Env"), text("blau größer 🛒")), (text("zone"), text("north"))])
        };
        assert_eq!(edited(&empty.frame(), &EDITS), both.frame(), "into an empty map");
        let null = Call { attachments: Tree::Null, ..empty };
        assert_eq!(edited(&null.frame(), &EDITS), both.frame(), "into a map where there was none");
    }
}

#[test]
fn every_spelling_of_a_name_is_set_and_the_last_of_two_edits_counts() {
    let entries =
        vec![(text("ENV"), text("1")), (text("env"), text("2")), (Tree::Text("env".into(), 1), text("3"))];
    let expected = entries.iter().map(|(name, _)| (name.clone(), text("x"))).collect();
    let edits = [Edit { name: "env", value: "no" }, Edit { name: "Env", value: "x" }];
    assert_eq!(edited(&call(entries).frame(), &edits), call(expected).frame());
}

#[test]
fn what_others_may_refer_to_stays() {
    let holder = |inner: Tree| Tree::Map(Some("com.acme.Tag".into()), vec![(text("k"), inner)]);
    let object = Tree::Object("com.acme.Env".into(), vec![("name".into(), text("x"))], Length::Short);
    for value in [holder(Tree::Null), object.clone(), Tree::List(List::Open(None), vec![])] {
        // The second value uses the type or class that the first one names, and refers to it.
        let behind = Tree::List(
            List::Counted(None, Length::Short),
            vec![Tree::Reference(2), holder(object.clone()), Tree::Reference(0)],
        );
        let mut entries = vec![(text("ENV"), value), (text("tags"), behind)];
        let before = call(entries.clone());
        entries.extend([(text("ENV"), text("blau größer 🛒")), (text("zone"), text("north"))]);
        let after = edited(&before.frame(), &EDITS);
        assert_eq!(after, call(entries).frame());
        assert_eq!(attribute(&after, "env").as_deref(), Some("blau größer 🛒"));
    }
}

#[test]
fn fastjson2_is_edited_likewise() {
    let long = "x".repeat(3000);
    let edits = [Edit { name: "Env", value: &long }, EDITS[1]];
    let leaves = [
        jsonb::text("green"),
        Json::Latin1("Zoë".into()),
        Json::Int(-3),
        leaf(b"\xb1"),
        leaf(&[jsonb::NULL]),
    ];
    for value in leaves {
        let entries = |env: Json| vec![(jsonb::text("a"), Json::Int(1)), (Json::Utf16("env".into()), env)];
        let mut expected = entries(jsonb::text(&long));
        expected.push((jsonb::text("zone"), jsonb::text("north")));
        let call = |entries| jsonb::Call::new(vec![jsonb::text("x")], entries);
        assert_eq!(edited(&call(entries(value)).frame(), &edits), call(expected).frame());
    }
    let tags = Json::Typed("java.util.TreeMap".into(), 0, Box::new(Json::Map(vec![])));
    let mut entries = vec![(jsonb::text("env"), tags), (jsonb::text("b"), Json::Reference("$.env".into()))];
    let before = jsonb::Call::new(vec![], entries.clone());
    entries.extend([(jsonb::text("env"), jsonb::text(&long)), (jsonb::text("zone"), jsonb::text("north"))]);
    let after = edited(&before.frame(), &edits);
    assert_eq!(after, jsonb::Call::new(vec![], entries).frame());
    assert_eq!(attribute(&after, "Env"), Some(long.clone()));
    let null = jsonb::Call { attachments: leaf(&[jsonb::NULL]), ..jsonb::Call::new(vec![], vec![]) };
    let both = vec![(jsonb::text("Env"), jsonb::text(&long)), (jsonb::text("zone"), jsonb::text("north"))];
    assert_eq!(edited(&null.frame(), &edits), jsonb::Call::new(vec![], both).frame());
}

#[test]
fn what_has_no_place_for_edits_is_written_without() {
    let mut upstream = codec(Side::Upstream);
    let usual = call(vec![(text("env"), text("green"))]);
    for name in ["interface", "METHOD", "version", "dubbo"] {
        let edits = [EDITS[1], Edit { name, value: "x" }];
        is_impossible(&mut upstream, &usual.frame(), &edits, "a field of the head");
    }
    let too_long = "ß".repeat(0x1_0000);
    let edit = [Edit { name: "env", value: &too_long }];
    is_impossible(&mut upstream, &usual.frame(), &edit, "a text that hessian2 cannot count in one chunk");
    let longest = [Edit { name: "env", value: &too_long[..0xffff * 2] }];
    assert_eq!(attribute(&edited(&usual.frame(), &longest), "env").map(|text| text.len()), Some(0xffff * 2));
    let reference = Call { attachments: Tree::Reference(0), ..usual.clone() };
    is_impossible(&mut upstream, &reference.frame(), &EDITS, "a reference in place of the attachments");
    let foreign = Call { serialization: 22, ..usual.clone() };
    is_impossible(&mut upstream, &foreign.frame(), &EDITS, "another serialization");
    let mut generic = usual;
    generic.head[3] = text("$invoke");
    generic.descriptor = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;".into();
    generic.arguments = vec![text("m"), Tree::Null, Tree::Null];
    let edit = [Edit { name: "Generic", value: "gson" }];
    is_impossible(&mut upstream, &generic.frame(), &edit, "what a generic call is");
    assert_eq!(attribute(&edited(&generic.frame(), &EDITS), "zone").as_deref(), Some("north"));
}

#[test]
fn a_message_that_would_be_too_long_is_written_without() {
    let bytes = call(vec![(text("pad"), text(&"x".repeat(900)))]).frame();
    let room = 1024 - (bytes.len() - 16);
    let long = "y".repeat(room);
    let settings = Settings { max_body: 1024, ..Settings::default() };
    // Name and value have a byte of length each, and two where they are longer than 31.
    let fits = Edit { name: "k", value: &long[..room - 4] };
    assert!(fits.value.len() > 31);
    let (done, written) = write(&mut DubboCodec::new(Side::Upstream, settings), &bytes, &[fits]);
    assert_eq!((done, written.len()), (Edited::Done, 16 + 1024));
    let longer = Edit { name: "k", value: &long[..room - 3] };
    is_impossible(&mut DubboCodec::new(Side::Upstream, settings), &bytes, &[longer], "one byte more");
}

/// A codec that has seen requests of these protocol versions.
fn asked(versions: &[&str]) -> DubboCodec {
    let mut codec = codec(Side::Downstream);
    for version in versions {
        let mut call = call(vec![]);
        call.head[0] = if version.is_empty() { Tree::Null } else { text(version) };
        assert!(matches!(codec.decode(&call.frame()), Ok(Decoded::Message(Message { .. }))));
    }
    codec
}

fn result(kind: i32, values: &[Tree]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.tree(&Tree::Int(kind, Length::Short));
    for value in values {
        writer.tree(value);
    }
    frame(2, 20, 7, &writer.bytes)
}

fn value(kind: i32) -> Vec<Tree> {
    let result = Tree::Object("com.acme.Order".into(), vec![("id".into(), text("1"))], Length::Short);
    if matches!(kind, 2 | 5) { vec![] } else { vec![result] }
}

fn set() -> Tree {
    Tree::Map(None, vec![(text("Env"), text("blau größer 🛒")), (text("zone"), text("north"))])
}

#[test]
fn attachments_of_results_are_edited() {
    for kind in 3..6 {
        for before in [Tree::Map(None, vec![(text("dubbo"), text("2.0.2"))]), Tree::Null] {
            let after = match &before {
                Tree::Map(_, entries) => {
                    let added = [(text("Env"), text("blau größer 🛒")), (text("zone"), text("north"))];
                    Tree::Map(None, entries.iter().cloned().chain(added).collect())
                }
                _ => set(),
            };
            let with = |map: Tree| result(kind, &[value(kind), vec![map]].concat());
            let written = write(&mut asked(&["2.0.1"]), &with(before), &EDITS);
            assert_eq!(written, (Edited::Done, with(after)), "whoever asked has attachments already");
        }
    }
    let map = Json::Map(vec![
        (jsonb::text("Env"), jsonb::text(EDITS[0].value)),
        (jsonb::text("zone"), jsonb::text("north")),
    ]);
    for kind in 3..6 {
        let elements = |map: Json| if kind == 5 { vec![map] } else { vec![jsonb::text("r"), map] };
        let before = jsonb::result(kind, &elements(Json::Map(vec![])));
        let after = jsonb::result(kind, &elements(map.clone()));
        assert_eq!(write(&mut asked(&[]), &before, &EDITS), (Edited::Done, after));
    }
}

#[test]
fn a_result_gets_attachments_only_if_every_caller_on_the_connection_can_read_them() {
    let rows: [(&[&str], bool); 9] = [
        (&["2.0.2"], true),
        (&["2.0.2", "2.0.99", "2.0.10"], true),
        (&["2.0.1"], false),
        (&["2.0.100"], false),
        (&["2.7.3"], false),
        (&[""], false),
        (&["2.0.2", "2.0.1"], false),
        (&["2.0.1", "2.0.2"], false),
        (&[], false),
    ];
    for (versions, can) in rows {
        for kind in 0..3 {
            let before = result(kind, &value(kind));
            let after = result(kind + 3, &[value(kind), vec![set()]].concat());
            let expected = if can { (Edited::Done, after) } else { (Edited::Impossible, before.clone()) };
            assert_eq!(write(&mut asked(versions), &before, &EDITS), expected, "{versions:?}, kind {kind}");
        }
    }
    let before = jsonb::result(1, &[jsonb::text("r")]);
    let map =
        vec![(jsonb::text("Env"), jsonb::text(EDITS[0].value)), (jsonb::text("zone"), jsonb::text("north"))];
    let after = jsonb::result(4, &[jsonb::text("r"), Json::Map(map)]);
    assert_eq!(write(&mut asked(&["2.0.2"]), &before, &EDITS), (Edited::Done, after));
}

#[test]
fn responses_without_a_place_are_written_as_they_are() {
    let rows: [(Vec<u8>, &str); 8] = [
        (frame(2, 31, 7, b"\x07timeout"), "a status with a text"),
        (frame(22, 20, 7, b"\x94"), "another serialization"),
        (result(6, &[text("x")]), "an unknown kind"),
        (result(1, &[text("x"), text("y")]), "more than a value"),
        (result(1, &[]), "no value"),
        (result(4, &[text("x")]), "no attachments"),
        (jsonb::result(1, &[jsonb::text("x"), jsonb::text("y")]), "more than a value"),
        (jsonb::result(4, &[jsonb::text("x"), jsonb::text("y")]), "attachments that are no map"),
    ];
    for (bytes, why) in rows {
        is_impossible(&mut asked(&["2.0.2"]), &bytes, &EDITS, why);
    }
}

fn is_container(tree: &Tree) -> bool {
    matches!(tree, Tree::List(..) | Tree::Map(..) | Tree::Object(..))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_not_edited_stays_byte_for_byte(
        arguments in vec(tree(), 0..4),
        values in vec(tree(), 0..6),
        which in any::<prop::sample::Index>(),
    ) {
        let name = |place: usize| text(&format!("a{place}"));
        let entries: Vec<_> = values.into_iter().enumerate().map(|(place, value)| (name(place), value)).collect();
        let which = which.index(entries.len() + 1);
        let mut expected = entries.clone();
        match expected.get_mut(which) {
            Some((_, value)) if !is_container(value) => *value = text("set"),
            _ => expected.push((name(which), text("set"))),
        }
        let edit = format!("A{which}");
        let is_new = which == entries.len();
        if is_new {
            expected[which].0 = text(&edit);
        }
        let before = Call::new(arguments.clone(), entries).frame();
        let after = edited(&before, &[Edit { name: &edit, value: "set" }]);
        prop_assert_eq!(after, Call::new(arguments, expected).frame());
    }

    #[test]
    fn changed_bytes_are_survived(
        arguments in vec(tree(), 0..3),
        values in vec(tree(), 0..3),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let entries = values.into_iter().map(|value| (text("env"), value)).collect();
        let mut bytes = Call::new(arguments, entries).frame();
        for (place, byte) in changes {
            let place = 16 + place.index(bytes.len() - 16);
            bytes[place] = byte;
        }
        let Ok(Decoded::Message(_)) = codec(Side::Downstream).decode(&bytes) else { return Ok(()) };
        let (_, written) = write(&mut codec(Side::Upstream), &bytes, &EDITS);
        prop_assert_eq!(written.len() - 16, u32::from_be_bytes(written[12..16].try_into().unwrap()) as usize);
    }
}
