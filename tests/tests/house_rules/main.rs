//! The house rules as tests: which crate may use which, which way modules look, and what a file looks like.
//!
//! Nothing is built or run here but `cargo metadata`: the rules are read off the manifests and the sources. Each
//! failure names the file and line and says what would be right.

mod documents;
mod edges;
mod files;
mod modules;
mod source;
mod tree;

/// What is wrong in one place, and what would be right.
struct Breach {
    place: String,
    text: String,
}

impl Breach {
    fn new(place: impl std::fmt::Display, text: impl Into<String>) -> Self {
        Self { place: place.to_string(), text: text.into() }
    }

    fn at(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self::new(format_args!("{file}:{line}"), text)
    }
}

/// Fails with all of them, one a line.
fn none_of(breaches: &[Breach]) {
    let all: Vec<_> = breaches.iter().map(|breach| format!("  {}: {}", breach.place, breach.text)).collect();
    assert!(breaches.is_empty(), "{} breaches of a house rule:\n{}", breaches.len(), all.join("\n"));
}
