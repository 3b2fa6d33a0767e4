//! Names bytes that are not Dubbo, for the person who wonders why a connection was closed.

use std::fmt::Write;

/// How other protocols begin.
const KNOWN: &[(&[u8], &str)] = &[
    (b"\x16\x03", "a TLS ClientHello; this port speaks plain Dubbo"),
    (b"PRI * HTTP/2.0", "HTTP/2, as gRPC and Dubbo's Triple protocol speak it"),
    (b"GET ", HTTP),
    (b"POST ", HTTP),
    (b"PUT ", HTTP),
    (b"HEAD ", HTTP),
    (b"PATCH ", HTTP),
    (b"DELETE ", HTTP),
    (b"OPTIONS ", HTTP),
    (b"CONNECT ", HTTP),
    (b"HTTP/1.", "an HTTP response"),
    (b"PROXY ", "a PROXY protocol header"),
    (b"\r\n\r\n\0\r\nQUIT\n", "a PROXY protocol header (version 2)"),
    (b"SSH-", "SSH"),
    (b"*1\r\n", "a Redis command"),
    (b"\x80\x01", "Thrift (strict binary)"),
];
const HTTP: &str = "an HTTP request";
/// Bytes that are shown.
const SHOWN: usize = 8;

/// Why `input`, which does not begin with the magic number, is not Dubbo.
pub(crate) fn describe(input: &[u8]) -> String {
    let mut text = "not Dubbo: a message begins with da bb, this one with".to_owned();
    for byte in input.iter().take(SHOWN) {
        // Writing to a String cannot fail.
        let _ = write!(text, " {byte:02x}");
    }
    let known = KNOWN.iter().find(|(start, _)| input.starts_with(start) || start.starts_with(input));
    match known {
        Some((_, what)) => text + ", which looks like " + what,
        None if matches!(input, [0, _, _, _, 0x80, 1, ..]) => text + ", which looks like framed Thrift",
        None if input.iter().take(SHOWN).all(|byte| byte.is_ascii_graphic() || b" \r\n\t".contains(byte)) => {
            text + ", which looks like plain text (Dubbo's telnet commands are not served here)"
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocols_are_called_by_name() {
        let rows: [(&[u8], &str); 9] = [
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS ClientHello"),
            (b"GET / HTTP/1.1\r\n", "an HTTP request"),
            (b"G", "an HTTP request"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "Triple"),
            (b"*1\r\n$4\r\nPING\r\n", "Redis"),
            (b"\0\0\0\x20\x80\x01\0\x01", "framed Thrift"),
            (b"ls -l\r\n", "telnet"),
            (b"\xda\xbc\0\0", "da bc 00 00"),
            (b"\x01\x02\x03\x04\x05\x06\x07\x08\x09", "01 02 03 04 05 06 07 08"),
        ];
        for (input, word) in rows {
            let text = describe(input);
            assert!(text.contains(word), "{text}");
        }
        assert!(!describe(b"\x01\x02\x03\x04\x05\x06\x07\x08\x09").contains("looks like"));
    }
}
