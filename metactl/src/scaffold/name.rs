//! The name of a protocol in its forms: as users write it, as a package, as a crate, as a type.

/// Longest name: a port's name, `tcp-metaprotocol-<name>`, has at most 63 letters, and may have a suffix.
const MAX_NAME: usize = 40;
/// Words of Rust that no module may be called, as far as a protocol could be called so.
const KEYWORDS: [&str; 12] =
    ["api", "as", "async", "box", "crate", "dyn", "fn", "mod", "self", "super", "type", "use"];

/// A protocol's name, in lower case, its words joined by `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Takes a name that no other codec has.
    pub(super) fn parse(text: &str, taken: &[&str]) -> Result<Self, String> {
        let form = "a name is lower case letters and digits, in words joined by `-`, and begins with a letter: my-rpc";
        let is_word = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        if let Some(rest) = text.strip_prefix("codec-") {
            return Err(format!("{text:?}: say {rest:?}; the crate is then called {text}"));
        }
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.split('-').all(is_word) {
            return Err(format!("{text:?} cannot be a protocol's name: {form}"));
        }
        if text.len() > MAX_NAME {
            return Err(format!(
                "{text:?} has {} letters; at most {MAX_NAME} fit in a port's name",
                text.len()
            ));
        }
        if taken.contains(&text) {
            return Err(format!("{text:?} is spoken by this build already: {}", taken.join(", ")));
        }
        if KEYWORDS.contains(&text) {
            return Err(format!("{text:?} cannot be the name of a crate; try {text}-rpc"));
        }
        Ok(Self(text.to_owned()))
    }

    /// As users write it.
    pub(super) fn protocol(&self) -> &str {
        &self.0
    }

    /// The package of the codec.
    pub(super) fn package(&self) -> String {
        format!("codec-{}", self.0)
    }

    /// The package of the proxy that knows it.
    pub(super) fn proxy(&self) -> String {
        format!("metactl-{}", self.0)
    }

    /// The codec's crate, as code names it.
    pub(super) fn krate(&self) -> String {
        self.package().replace('-', "_")
    }

    /// The type that implements the protocol.
    pub(super) fn kind(&self) -> String {
        let word = |word: &str| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
                .collect::<String>()
        };
        self.0.split('-').map(word).collect()
    }

    /// The example's text with this name in place of its own.
    pub(super) fn rename(&self, text: &str) -> String {
        text.replace("codec_tiny", &self.krate()).replace("Tiny", &self.kind()).replace("tiny", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_forms() {
        let name = Name::parse("my-rpc2", &["dubbo"]).unwrap();
        assert_eq!(
            (name.package().as_str(), name.krate().as_str(), name.kind().as_str()),
            ("codec-my-rpc2", "codec_my_rpc2", "MyRpc2")
        );
        assert_eq!(name.rename("use codec_tiny::Tiny; // tiny"), "use codec_my_rpc2::MyRpc2; // my-rpc2");
    }

    #[test]
    fn a_bad_name_is_refused_and_a_good_one_shown() {
        let rows = [
            ("", "my-rpc"),
            ("My", "lower case"),
            ("my_rpc", "joined by `-`"),
            ("my--rpc", "joined by `-`"),
            ("-rpc", "begins with a letter"),
            ("2rpc", "begins with a letter"),
            ("größe", "lower case letters"),
            ("../x", "lower case letters"),
            ("codec-foo", "say \"foo\""),
            ("dubbo", "spoken by this build already: dubbo, thrift, redis"),
            ("async", "try async-rpc"),
            (&"x".repeat(41), "at most 40"),
        ];
        for (text, words) in rows {
            let error = Name::parse(text, &["dubbo", "thrift", "redis"]).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
