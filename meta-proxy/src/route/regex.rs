//! Regular expressions, each compiled once, within limits.
//!
//! An expression must match a whole value, which need not be UTF-8. As in RE2, whose expressions users bring along, a
//! dot is a character and `\d`, `\s`, `\w`, `\b` are about ASCII. The limits below hold for whatever a user writes: how
//! long and how deep an expression is, how large it becomes, how much memory matching may use, and how long a value it
//! is tried on.

use std::fmt;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::literal::Extractor;

use crate::model::{AttributeMatcher, Matcher, RouteConfiguration, ValueMatcher};

/// Bytes that an expression may have as text.
pub const REGEX_LENGTH_LIMIT: usize = 4096;
/// Groups and repetitions inside each other that an expression may have.
pub const REGEX_NEST_LIMIT: u32 = 64;
/// Bytes that one compiled expression may take.
pub const REGEX_SIZE_LIMIT: usize = 256 << 10;
/// Bytes that the compiled expressions of one route configuration may take together.
pub const REGEX_TOTAL_LIMIT: usize = 64 << 20;
/// Bytes that a worker may keep to match one expression fast; beyond that it matches slower.
pub const REGEX_CACHE_LIMIT: usize = 256 << 10;
/// A value longer than this many bytes matches no expression: whoever sends it must not cost seconds of work.
pub const REGEX_VALUE_LIMIT: usize = 16 << 10;

/// A compiled expression. A clone shares what was compiled, with memory of its own to match with.
#[derive(Debug, Clone)]
pub(crate) struct Regex {
    /// What every value that matches begins with. Among many routes most are told apart by it.
    prefix: Arc<[u8]>,
    engine: meta::Regex,
}

/// Whether the whole of `value` matches.
#[inline]
pub(crate) fn matches(regex: &Regex, value: &[u8]) -> bool {
    value.starts_with(&regex.prefix)
        && value.len() <= REGEX_VALUE_LIMIT
        && regex.engine.is_match(Input::new(value).anchored(Anchored::Yes))
}

/// The compiled expressions of one route configuration, by their source.
#[derive(Clone, Default)]
pub struct Regexes {
    places: HashMap<Arc<str>, u32, FixedState>,
    compiled: Vec<(Arc<str>, Regex)>,
    /// Bytes that they take.
    size: usize,
}

impl fmt::Debug for Regexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.compiled.iter().map(|(source, _)| source)).finish()
    }
}

impl Regexes {
    /// Compiles `source`, unless it has been compiled already, and tells its place. The error says what is wrong with
    /// it, in one line that does not repeat `source`.
    pub fn compile(&mut self, source: &str) -> Result<usize, String> {
        if let Some(place) = self.places.get(source) {
            return Ok(*place as usize);
        }
        let regex = compile(source)?;
        let size = regex.engine.memory_usage();
        self.size += size;
        if self.size > REGEX_TOTAL_LIMIT {
            self.size -= size;
            return Err(format!(
                "the regular expressions of one route configuration take more than {} MiB together",
                REGEX_TOTAL_LIMIT >> 20
            ));
        }
        let place = self.compiled.len();
        let source: Arc<str> = source.into();
        self.places.insert(Arc::clone(&source), place as u32);
        self.compiled.push((source, regex));
        Ok(place)
    }

    /// Compiles every expression of `configuration` that it does not hold yet.
    pub(crate) fn compile_all(&mut self, configuration: &RouteConfiguration) -> Result<(), RegexError> {
        let routes = configuration.routes.iter().map(|route| {
            let of_retries = route.retries.iter().flat_map(|retries| retries.idempotent.iter().flatten());
            route.matchers.iter().chain(of_retries)
        });
        let limits = configuration.rate_limit.iter().flat_map(|limit| &limit.conditions);
        self.compile_lists("routes", routes)?;
        self.compile_lists("rate_limit.conditions", limits.map(|condition| condition.matchers.iter()))
    }

    fn compile_lists<'a, L: Iterator<Item = &'a AttributeMatcher>>(
        &mut self,
        what: &'static str,
        lists: impl Iterator<Item = L>,
    ) -> Result<(), RegexError> {
        for (list, matchers) in lists.enumerate() {
            for (matcher, condition) in matchers.enumerate() {
                let (Matcher::Is(value) | Matcher::Not(value)) = &condition.matcher;
                if let ValueMatcher::Regex(source) = value {
                    let place = || format!("{what}[{list}].matchers[{matcher}]");
                    self.compile(source).map_err(|reason| RegexError { place: place(), reason })?;
                }
            }
        }
        Ok(())
    }

    /// Where [`compile`](Self::compile) has put `source`.
    pub(crate) fn place(&self, source: &str) -> Option<u32> {
        self.places.get(source).copied()
    }

    /// Sources and expressions, by their places.
    pub(crate) fn into_parts(self) -> (Box<[Arc<str>]>, Box<[Regex]>) {
        let (sources, compiled): (Vec<_>, Vec<_>) = self.compiled.into_iter().unzip();
        (sources.into(), compiled.into())
    }
}

/// An expression that does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegexError {
    /// Where it stands, such as `routes[1].matchers[0]`; the matchers of a route's retries come after its own.
    pub place: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for RegexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

impl std::error::Error for RegexError {}

fn compile(source: &str) -> Result<Regex, String> {
    if source.len() > REGEX_LENGTH_LIMIT {
        let length = source.len();
        return Err(format!(
            "the regular expression is {length} bytes long; at most {REGEX_LENGTH_LIMIT} are allowed"
        ));
    }
    let parse = |source: &str, nest_limit: u32| {
        let config = syntax::Config::new().utf8(false).nest_limit(nest_limit);
        syntax::parse_with(source, &config).map_err(|error| describe(&error.to_string()))
    };
    // On its own first: inside the frame below, `a)(b` would be two groups, and columns would be shifted.
    parse(source, REGEX_NEST_LIMIT)?;
    let source = with_ascii_classes(source);
    // The line break ends a comment, should the expression end in one; only then does the first form not parse. The
    // frame and the classes nest a little deeper.
    let whole = parse(&format!(r"\A(?:{source})\z"), REGEX_NEST_LIMIT + 4)
        .or_else(|_| parse(&format!("\\A(?:{source}\n)\\z"), REGEX_NEST_LIMIT + 4))?;
    let config = meta::Config::new()
        .utf8_empty(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(REGEX_SIZE_LIMIT))
        .hybrid_cache_capacity(REGEX_CACHE_LIMIT);
    let engine = meta::Builder::new().configure(config).build_from_hir(&whole);
    let engine = engine.map_err(|error| match error.size_limit() {
        Some(limit) => format!("the regular expression takes more than {} KiB when compiled", limit >> 10),
        None => format!("the regular expression does not compile: {error}"),
    })?;
    let prefixes = Extractor::new().extract(&whole);
    let prefix = prefixes.longest_common_prefix().unwrap_or_default().into();
    Ok(Regex { prefix, engine })
}

/// The same expression with RE2's meaning of the classes that the parser takes for Unicode ones, which are also some
/// hundred times larger. Each form stands inside `[…]` as well as outside.
fn with_ascii_classes(source: &str) -> String {
    let mut ascii = String::with_capacity(source.len() + 32);
    let mut rest = source.chars();
    while let Some(char) = rest.next() {
        if char != '\\' {
            ascii.push(char);
            continue;
        }
        match rest.next() {
            Some('d') => ascii.push_str("[0-9]"),
            Some('D') => ascii.push_str("[^0-9]"),
            Some('s') => ascii.push_str(r"[\t\n\f\r\x20]"),
            Some('S') => ascii.push_str(r"[^\t\n\f\r\x20]"),
            Some('w') => ascii.push_str("[0-9A-Za-z_]"),
            Some('W') => ascii.push_str("[^0-9A-Za-z_]"),
            Some('b') => ascii.push_str(r"(?-u:\b)"),
            Some('B') => ascii.push_str(r"(?-u:\B)"),
            Some(other) => ascii.extend([char, other]),
            None => ascii.push(char),
        }
    }
    ascii
}

/// One line out of the parser's drawing: the expression, a caret under the place, and `error: reason`.
fn describe(drawing: &str) -> String {
    let reason = drawing.lines().last().unwrap_or_default().trim_start_matches("error: ");
    // The drawing indents a one-line expression by four columns.
    let column = drawing
        .lines()
        .nth(2)
        .filter(|line| line.trim_start().starts_with('^'))
        .and_then(|line| line.find('^'));
    match column.and_then(|column| column.checked_sub(4)) {
        Some(column) => format!("the regular expression does not compile: {reason} (column {})", column + 1),
        None => format!("the regular expression does not compile: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::route::regex::{REGEX_LENGTH_LIMIT, REGEX_VALUE_LIMIT, Regexes, matches};

    #[test]
    fn what_all_values_begin_with_is_known_and_no_more() {
        for (source, prefix) in [
            ("get.*", "get"),
            ("get(Order|Orders)", "getOrder"),
            ("(get|put).*", ""),
            ("get?", "ge"),
            ("(?i)get", ""),
            (".*", ""),
            ("", ""),
            (r"com\.shop\.[A-Z]+", "com.shop."),
            ("a+b", "a"),
        ] {
            let mut regexes = Regexes::default();
            let place = regexes.compile(source).unwrap();
            assert_eq!(&*regexes.compiled[place].1.prefix, prefix.as_bytes(), "{source}");
        }
    }

    fn full_match(source: &str, value: impl AsRef<[u8]>) -> bool {
        let mut regexes = Regexes::default();
        let place = regexes.compile(source).unwrap();
        matches(&regexes.compiled[place].1, value.as_ref())
    }

    #[test]
    fn a_regex_matches_whole_values_only() {
        assert!(full_match("a|ab", "ab"), "the shorter alternative comes first and must not win");
        assert!(full_match("get.*", "getOrder"));
        assert!(!full_match("get", "getOrder"));
        assert!(!full_match("Order", "getOrder"));
        assert!(full_match("", "") && !full_match("", "a"));
        assert!(full_match("^s.*o$", "sayHello"));
        assert!(full_match("(?x) a b # both", "ab"), "a comment at its end swallows nothing of the frame");
        assert!(!full_match("(?x) a b # both", "abc"));
        assert!(full_match("äh?", "ä") && !full_match("..", "ä"), "a dot is a character");
    }

    #[test]
    fn classes_are_those_of_re2() {
        assert!(full_match(r"\d+\s\w+", "42 items") && !full_match(r"\d", "٣") && !full_match(r"\w", "ä"));
        assert!(full_match(r"\D\S\W", "ää-") && !full_match(r"\D", "1"));
        assert!(full_match(r"[\w-]{36}", "0b0e4cf4-7f0c-4a4e-9d0b-3e3f6d2c1a55"));
        assert!(full_match(r"[^\d\s]+", "ab") && !full_match(r"[^\d\s]+", "a b"));
        assert!(
            full_match(r".*\bget\b.*", "ä get") && full_match(r"\\w", r"\w") && full_match(r"a\Bb", "ab")
        );
    }

    #[test]
    fn a_value_need_not_be_text() {
        assert!(full_match(r"(?s-u:.)+", b"\xff\n\xfe"));
        assert!(!full_match(".+", b"\xff"));
    }

    #[test]
    fn a_value_beyond_the_limit_matches_nothing() {
        assert!(full_match("a*", "a".repeat(REGEX_VALUE_LIMIT)));
        assert!(!full_match("a*", "a".repeat(REGEX_VALUE_LIMIT + 1)));
    }

    #[test]
    fn a_mistake_is_told_in_one_line() {
        let rows = [
            ("get(", "the regular expression does not compile: unclosed group (column 4)"),
            ("a)(b", "the regular expression does not compile: unopened group (column 2)"),
            (
                "*",
                "the regular expression does not compile: repetition operator missing expression (column 1)",
            ),
            (
                r"a\",
                "the regular expression does not compile: incomplete escape sequence, reached end of pattern \
                     prematurely (column 2)",
            ),
            (r"\w{200}{40}", "the regular expression takes more than 256 KiB when compiled"),
        ];
        for (source, message) in rows {
            assert_eq!(Regexes::default().compile(source).unwrap_err(), message, "{source}");
        }
        let deep = format!("{}a{}", "(".repeat(100), ")".repeat(100));
        let message = Regexes::default().compile(&deep).unwrap_err();
        assert!(message.contains("nest"), "{message}");
        let message = Regexes::default().compile(&"a".repeat(REGEX_LENGTH_LIMIT + 1)).unwrap_err();
        assert_eq!(message, "the regular expression is 4097 bytes long; at most 4096 are allowed");
    }

    #[test]
    fn all_expressions_together_are_limited() {
        let mut regexes = Regexes::default();
        let error =
            (0..10_000).find_map(|number| regexes.compile(&format!(r"\w{{1000}}{number}")).err()).unwrap();
        assert_eq!(
            error,
            "the regular expressions of one route configuration take more than 64 MiB together"
        );
    }
}
