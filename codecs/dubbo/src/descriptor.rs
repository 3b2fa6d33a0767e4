//! The parameter types of a call, as its head writes them: `Ljava/lang/String;[I` are two.
//!
//! They tell how many arguments stand between the head and the attachments. The grammar is that of JVM field
//! descriptors (JVMS §4.3.2), one after the other.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::one_of;
use nom::combinator::{all_consuming, recognize};
use nom::multi::many0_count;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

/// Parameter types of Dubbo's generic call: method, types, arguments.
pub(crate) const GENERIC: &[u8] = b"Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;";

/// Number of types in `descriptor`. `None`: it is not one.
pub(crate) fn count(descriptor: &[u8]) -> Option<usize> {
    let (_, count) = all_consuming(many0_count(one_type)).parse_complete(descriptor).ok()?;
    Some(count)
}

/// A primitive type or a class, or an array of either.
fn one_type(input: &[u8]) -> IResult<&[u8], &[u8], ()> {
    let class = take_while1(|byte: u8| !matches!(byte, b';' | b'[' | b'.'));
    let element = alt((recognize(one_of("ZBCDFIJS")), delimited(tag("L"), class, tag(";"))));
    preceded(take_while(|byte| byte == b'['), element).parse_complete(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_counted() {
        let rows: [(&str, usize); 8] = [
            ("", 0),
            ("I", 1),
            ("ZBCDFIJS", 8),
            ("Ljava/lang/String;", 1),
            ("Ljava/lang/String;[I", 2),
            ("[[Lcom/acme/Order$Line;J[Z", 3),
            ("Ljava/util/List;Ljava/util/Map;I", 3),
            ("Lcom/größe/Café;I", 2),
        ];
        for (descriptor, types) in rows {
            assert_eq!(count(descriptor.as_bytes()), Some(types), "{descriptor}");
        }
        assert_eq!(count(GENERIC), Some(3));
    }

    #[test]
    fn what_is_not_a_descriptor_has_no_count() {
        for wrong in [
            "V",
            "X",
            "[",
            "I[",
            "L;",
            "Ljava/lang/String",
            "java.lang.String",
            "Ljava.lang.String;",
            "I ",
            "L[I;",
        ] {
            assert_eq!(count(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
