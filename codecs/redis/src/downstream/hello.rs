//! The arguments of `HELLO`.

use super::answer::is_name;
use crate::number::integer;
use crate::request::Args;
use crate::said::Said;
use crate::secrets::MAX_SECRET;

/// What a client asks for with `HELLO`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hello {
    /// The version of RESP; `None`: as it is.
    pub(super) protocol: Option<u8>,
    /// User and password.
    pub(super) credentials: Option<(Vec<u8>, Vec<u8>)>,
    /// The name it wants to have.
    pub(super) name: Option<Vec<u8>>,
}

impl Hello {
    /// Reads them. The error is what Redis answers.
    pub(super) fn read(args: &Args<'_>) -> Result<Self, Said> {
        let mut hello = Self::default();
        let mut args = args.iter().skip(1);
        match args.next().map(integer) {
            None => {}
            Some(Some(version @ (2 | 3))) => hello.protocol = Some(version as u8),
            Some(None) => return Err(Said::VersionNotInteger),
            Some(Some(_)) => return Err(Said::NoProto),
        }
        let mut kept = 0;
        while let Some(option) = args.next() {
            if option.eq_ignore_ascii_case(b"AUTH") {
                let (Some(user), Some(secret)) = (args.next(), args.next()) else { return Err(Said::Syntax) };
                kept += user.len() + secret.len();
                hello.credentials = Some((user.to_vec(), secret.to_vec()));
            } else if option.eq_ignore_ascii_case(b"SETNAME") {
                let name = args.next().ok_or(Said::Syntax)?;
                kept += name.len();
                if !is_name(name) {
                    return Err(Said::BadName);
                }
                hello.name = Some(name.to_vec());
            } else {
                return Err(Said::Syntax);
            }
            if kept > MAX_SECRET {
                return Err(Said::TooLong);
            }
        }
        Ok(hello)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Hello, Said> {
        Hello::read(&Args::of(line.as_bytes()))
    }

    #[test]
    fn options_come_in_any_order_and_any_case() {
        let credentials = Some((b"ada".to_vec(), b"pw".to_vec()));
        let all = Hello { protocol: Some(3), credentials, name: Some(b"me".to_vec()) };
        assert_eq!(read("hello 3 setname me auth ada pw\n").as_ref(), Ok(&all));
        assert_eq!(read("HELLO 3 AUTH ada pw SETNAME me\n"), Ok(all));
        assert_eq!(read("HELLO\n"), Ok(Hello::default()));
    }

    #[test]
    fn mistakes_are_answered_as_redis_answers_them() {
        for (line, said) in [
            ("HELLO x\n", Said::VersionNotInteger),
            ("HELLO 4\n", Said::NoProto),
            ("HELLO 3 NAME a\n", Said::Syntax),
            ("HELLO 3 AUTH a\n", Said::Syntax),
            ("HELLO 3 SETNAME\n", Said::Syntax),
            ("HELLO 3 SETNAME \"a b\"\n", Said::BadName),
        ] {
            assert_eq!(read(line), Err(said), "{line}");
        }
        assert_eq!(read(&format!("HELLO 3 SETNAME {}\n", "a".repeat(MAX_SECRET + 1))), Err(Said::TooLong));
    }
}
