//! Bytes from the format's description, and values that survive writing and reading.

use super::{MAX_DEPTH, Reader, Value, Writer};
use proptest::prelude::*;

fn read(bytes: &[u8]) -> Value {
    let mut reader = Reader::new(bytes);
    let value = reader.value().unwrap();
    assert!(reader.rest().is_empty(), "left over: {:?}", reader.rest());
    value
}

#[test]
fn the_examples_of_the_format_are_read() {
    let rows: &[(&[u8], Value)] = &[
        (&[0x90], Value::Int(0)),
        (&[0x80], Value::Int(-16)),
        (&[0xbf], Value::Int(47)),
        (&[0xc8, 0x00], Value::Int(0)),
        (&[0xc0, 0x00], Value::Int(-2048)),
        (&[0xd0, 0x00, 0x00], Value::Int(-262_144)),
        (&[0xd7, 0xff, 0xff], Value::Int(262_143)),
        (&[b'I', 0x00, 0x04, 0x00, 0x00], Value::Int(262_144)),
        (&[0xe0], Value::Long(0)),
        (&[0xd8], Value::Long(-8)),
        (&[0xef], Value::Long(15)),
        (&[0xf0, 0x00], Value::Long(-2048)),
        (&[0x38, 0x00, 0x00], Value::Long(-262_144)),
        (&[b'Y', 0x00, 0x04, 0x00, 0x00], Value::Long(262_144)),
        (&[0x5b], Value::Double(0.0)),
        (&[0x5d, 0x80], Value::Double(-128.0)),
        (&[0x5e, 0x7f, 0xff], Value::Double(32767.0)),
        (&[0x5f, 0x00, 0x00, 0x2f, 0xda], Value::Double(12.25)),
        (&[0x4b, 0x00, 0xe3, 0x83, 0x8f], Value::Date(894_621_060_000)),
        (&[0x01, 0xc3, 0x83], Value::from("\u{c3}")),
        (&[b'R', 0x00, 0x01, b'h', 0x04, b'e', b'l', b'l', b'o'], Value::from("hello")),
        (&[0x23, 1, 2, 3], Value::Bytes(vec![1, 2, 3])),
        (&[b'W', 0x90, 0x91, b'Z'], Value::list([Value::Int(0), Value::Int(1)])),
        (
            &[b'H', 0x91, 0x01, b'a', b'Z'],
            Value::Map { class: None, entries: vec![(Value::Int(1), "a".into())] },
        ),
    ];
    for (bytes, expected) in rows {
        assert_eq!(&read(bytes), expected, "{bytes:02x?}");
    }
}

#[test]
fn an_object_is_read_by_its_class_definition() {
    let bytes = b"C\x0bexample.Car\x92\x05color\x05model\x60\x03red\x08corvette";
    let car = read(bytes);
    assert_eq!(car.class(), Some("example.Car"));
    assert_eq!(car.field("model").and_then(Value::text), Some("corvette"));
    assert_eq!(car.encoded(), bytes);
}

#[test]
fn the_compact_forms_are_written() {
    assert_eq!(Value::Int(-17).encoded(), [0xc7, 0xef]);
    assert_eq!(Value::Long(-9).encoded(), [0xf7, 0xf7]);
    assert_eq!(Value::from("ab").encoded(), [2, b'a', b'b']);
    assert_eq!(Value::from("x".repeat(300)).encoded()[..2], [0x31, 0x2c]);
    assert_eq!(Value::from("x".repeat(1024)).encoded()[..3], [b'S', 0x04, 0x00]);
    assert_eq!(Value::Bytes(vec![7; 16]).encoded()[..2], [0x34, 0x10]);
    assert_eq!(Value::pojo_as_map("a.B", [("c", Value::Null)]).encoded(), b"M\x03a.B\x01cNZ");
}

#[test]
fn a_character_beyond_the_basic_plane_is_read_in_both_spellings() {
    let java = Value::from("\u{1f600}").encoded();
    assert_eq!(java, [2, 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]);
    assert_eq!(read(&java), Value::from("\u{1f600}"));
    assert_eq!(read(&[2, 0xf0, 0x9f, 0x98, 0x80]), Value::from("\u{1f600}"));
}

#[test]
fn a_class_and_a_type_are_written_once() {
    let order = || Value::object("Order", [("id", Value::Int(1))]);
    let typed = || Value::List { class: Some("[int".to_owned()), items: vec![] };
    let all = Value::list([order(), order(), typed(), typed()]);
    let bytes = all.encoded();
    assert_eq!(bytes.windows(5).filter(|window| window == b"Order").count(), 1);
    assert_eq!(bytes.windows(4).filter(|window| window == b"[int").count(), 1);
    assert_eq!(read(&bytes), all);
}

#[test]
fn a_seventeenth_class_is_named_in_the_long_form() {
    let all = Value::list((0..20).map(|n| Value::object(&format!("C{n}"), [("n", Value::Int(n))])));
    assert_eq!(read(&all.encoded()), all);
}

#[test]
fn nesting_without_end_is_refused() {
    let mut bytes = vec![0x79; MAX_DEPTH + 2];
    bytes.push(b'N');
    let error = Reader::new(&bytes).value().unwrap_err();
    assert!(error.to_string().contains("nested deeper"), "{error}");
}

#[test]
fn lengths_beyond_the_body_are_refused() {
    for bytes in
        [&[b'S', 0xff, 0xff, b'a'][..], &[b'B', 0xff, 0xff, 1], b"XI\x7f\xff\xff\xff", b"XI\xff\xff\xff\xff"]
    {
        assert!(Reader::new(bytes).value().is_err(), "{bytes:02x?}");
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::Int),
        (-3000i32..3000).prop_map(Value::Int),
        any::<i64>().prop_map(Value::Long),
        (-300_000i64..300_000).prop_map(Value::Long),
        (-1e9f64..1e9).prop_map(Value::Double),
        any::<i64>().prop_map(Value::Date),
        "\\PC{0,40}".prop_map(Value::Text),
        (0usize..70_000).prop_map(|len| Value::Text("\u{e9}\u{1f600}z".repeat(len / 4))),
        proptest::collection::vec(any::<u8>(), 0..2000).prop_map(Value::Bytes),
        (0usize..100).prop_map(Value::Reference),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let class = || proptest::option::of("[a-c]\\.[A-D]");
        prop_oneof![
            (class(), proptest::collection::vec(inner.clone(), 0..12))
                .prop_map(|(class, items)| Value::List { class, items }),
            (class(), proptest::collection::vec((inner.clone(), inner.clone()), 0..4))
                .prop_map(|(class, entries)| Value::Map { class, entries }),
            ("[a-c]\\.[A-D]", proptest::collection::vec(("[a-c]", inner), 0..4))
                .prop_map(|(class, fields)| Value::Object { class, fields }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_read_again(value in values()) {
        let mut writer = Writer::default();
        writer.value(&value);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.value().unwrap(), value);
        prop_assert!(reader.rest().is_empty());
    }

    #[test]
    fn a_body_that_was_cut_is_an_error_and_not_a_panic(value in values(), share in 0.0f64..1.0) {
        let bytes = value.encoded();
        let cut = (bytes.len() as f64 * share) as usize;
        prop_assert!(Reader::new(&bytes[..cut]).value().is_err());
    }

    #[test]
    fn random_bytes_are_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Reader::new(&bytes).value();
    }
}
