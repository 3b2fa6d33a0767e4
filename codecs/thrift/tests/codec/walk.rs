//! Where a buffered message ends is found by walking over it, whatever it holds and however it comes.

use codec_api::{Codec, Decoded, Side};
use proptest::prelude::*;

use crate::proxy::{codec, decode};
use crate::writer::{Head, Tree, body, message};

const FORMS: [&str; 3] = ["buffered-strict", "buffered-lenient", "buffered-compact"];

fn call(form: &str, body: &Tree) -> Vec<u8> {
    message(form, &Head::call("walk", 7), body)
}

/// Shows a message byte by byte, and tells how many bytes were looked at.
fn byte_by_byte(bytes: &[u8]) -> u64 {
    let mut codec = codec(Side::Downstream);
    for cut in 0..bytes.len() {
        let answer = codec.decode(&bytes[..cut]);
        assert!(matches!(answer, Ok(Decoded::Need { total }) if total > cut), "cut at {cut}: {answer:?}");
    }
    decode(&mut codec, bytes);
    codec.bytes_walked()
}

fn samples() -> Vec<Tree> {
    let text = |length| Tree::Text(vec![b'x'; length]);
    let list = |item: Tree, count| Tree::List(Box::new(item.clone()), vec![item; count]);
    let map = |key: Tree, value: Tree, count| {
        Tree::Map(Box::new((key.clone(), value.clone())), vec![(key, value); count])
    };
    let object = Tree::Struct(vec![(1, Tree::I32(5)), (2, Tree::Bool(false)), (3, text(5))]);
    let mut samples = vec![
        Tree::Bool(true),
        Tree::Bool(false),
        Tree::I8(-1),
        Tree::I16(i16::MIN),
        Tree::I32(i32::MAX),
        Tree::I64(i64::MIN),
        Tree::Double(0.1),
        Tree::Uuid([0xff; 16]),
        text(0),
        text(127),
        text(128),
        text(4000),
        Tree::Struct(vec![]),
        object.clone(),
    ];
    for item in samples.clone() {
        for count in [0, 1, 14, 15, 300] {
            samples.push(list(item.clone(), count));
            samples.push(Tree::Set(Box::new(item.clone()), vec![item.clone(); count]));
            samples.push(map(item.clone(), Tree::I16(3), count));
            samples.push(map(Tree::I8(3), item.clone(), count));
        }
    }
    samples.push(list(list(object, 3), 3));
    samples
}

#[test]
fn every_type_is_stepped_over() {
    for sample in samples() {
        let body = Tree::Struct(vec![(-1, Tree::I8(0)), (100, sample.clone()), (101, Tree::Bool(true))]);
        for form in FORMS {
            let bytes = call(form, &body);
            let two = [&bytes[..], b"\x80\x01\0\x01"].concat();
            let mut codec = codec(Side::Downstream);
            match codec.decode(&two) {
                Ok(Decoded::Message(message)) => {
                    assert_eq!(message.len, bytes.len(), "{form}: {}", call(form, &body).len());
                }
                other => panic!("{other:?}: {form}: {} bytes", bytes.len()),
            }
        }
    }
}

#[test]
fn work_is_linear_however_many_reads_there_are() {
    let object = Tree::Struct(vec![(1, Tree::I64(i64::MAX)), (2, Tree::Text(b"text".to_vec()))]);
    let wide = Tree::Struct((0..1000).map(|id| (id, object.clone())).collect());
    let long = Tree::Struct(vec![(1, Tree::List(Box::new(object.clone()), vec![object; 1000]))]);
    for form in FORMS {
        for body in [&wide, &long] {
            let bytes = call(form, body);
            let mut at_once = codec(Side::Downstream);
            decode(&mut at_once, &bytes);
            assert!(at_once.bytes_walked() <= bytes.len() as u64, "{form}: {} bytes", at_once.bytes_walked());
            // A part that is cut is looked at once for each of its bytes; the longest is a number of ten.
            assert!(byte_by_byte(&bytes) <= 7 * bytes.len() as u64, "{form}");
        }
    }
}

#[test]
fn lists_of_fixed_width_cost_nothing() {
    let numbers = Tree::List(Box::new(Tree::Double(0.5)), vec![Tree::Double(0.5); 10_000]);
    let entry = (Tree::I8(1), Tree::Uuid([1; 16]));
    let map = Tree::Map(Box::new(entry.clone()), vec![entry; 10_000]);
    let body = Tree::Struct(vec![(1, numbers), (2, map)]);
    for form in FORMS {
        let bytes = call(form, &body);
        assert!(bytes.len() > 250_000);
        let mut codec = codec(Side::Downstream);
        decode(&mut codec, &bytes);
        assert!(codec.bytes_walked() < 50, "{form}: {}", codec.bytes_walked());
    }
}

#[test]
fn what_is_awaited_is_known_where_lengths_tell() {
    let body = Tree::Struct(vec![(1, Tree::Text(vec![b'x'; 5000]))]);
    for form in FORMS {
        let bytes = call(form, &body);
        let mut codec = codec(Side::Downstream);
        let awaited = codec.decode(&bytes[..60]);
        // All but the stop of the struct, which is a part of its own.
        assert_eq!(awaited, Ok(Decoded::Need { total: bytes.len() }), "{form}");
    }
}

proptest! {
    #[test]
    fn any_struct_is_walked_over_in_any_pieces(body in body(), mut cuts in proptest::collection::vec(0_usize..4000, 0..12)) {
        cuts.sort_unstable();
        for form in FORMS {
            let bytes = call(form, &body);
            let mut codec = codec(Side::Downstream);
            for cut in cuts.iter().filter(|cut| **cut < bytes.len()) {
                let answer = codec.decode(&bytes[..*cut]);
                prop_assert!(matches!(answer, Ok(Decoded::Need { total }) if total > *cut && total <= bytes.len()), "{:?}", answer);
            }
            prop_assert_eq!(decode(&mut codec, &bytes).len, bytes.len());
        }
    }
}
