//! Prose that names files, functions, metrics and limits: what it names exists and is as it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use crate::source::{is_word, line_of, words};
use crate::tree;
use crate::{Breach, none_of};

/// Endings of names that are files, when they stand in a code span.
const FILES: [&str; 11] =
    [".rs", ".md", ".toml", ".yaml", ".yml", ".proto", ".json", ".xml", ".svg", ".sh", ".java"];
/// Decisions may name what is designed and not built.
const DECISIONS: &str = "docs/adr/";

/// A piece of a document, and the byte at which it begins.
type Piece<'a> = (usize, &'a str);

/// The document with fenced blocks made blank.
fn without_fences(text: &str) -> String {
    let mut is_fenced = false;
    let mut prose = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let is_fence = line.trim_start().starts_with("```");
        if is_fenced || is_fence {
            prose.extend(line.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            prose.push_str(line);
        }
        is_fenced ^= is_fence;
    }
    prose
}

/// Targets of `[text](target)`.
fn links(prose: &str) -> Vec<Piece<'_>> {
    let target = |(at, _): (usize, &str)| {
        let start = at + 2;
        let length = prose[start..].find([')', '\n', ' '])?;
        Some((start, &prose[start..start + length]))
    };
    prose.match_indices("](").filter_map(target).collect()
}

/// What stands between single backticks.
fn spans(prose: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in prose.split_inclusive('\n') {
        let mut at = start;
        for (index, part) in line.split('`').enumerate() {
            if index % 2 == 1 {
                found.push((at, part));
            }
            at += part.len() + 1;
        }
        start += line.len();
    }
    found
}

/// The path from the root of what `link` names in a file of `folder`; `None`: it leads out of the repository.
fn resolve(folder: &Path, link: &str) -> Option<PathBuf> {
    let mut resolved = PathBuf::new();
    for part in folder.join(link).components() {
        let stays = match part {
            Component::ParentDir => resolved.pop(),
            part => {
                resolved.push(part);
                true
            }
        };
        if !stays {
            return None;
        }
    }
    Some(resolved)
}

/// The anchors of a document's headings, as code hosts make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let heading = |line: &str| Some(line.strip_prefix('#')?.trim_start_matches('#').trim().to_lowercase());
    let letter = |c: char| match c {
        ' ' => Some('-'),
        c if is_word(c) || c == '-' => Some(c),
        _ => None,
    };
    without_fences(text)
        .lines()
        .filter_map(heading)
        .map(|text| text.chars().filter_map(letter).collect())
        .collect()
}

fn link_is_broken(document: &str, link: &str) -> Option<String> {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(document).parent().unwrap_or(Path::new(""));
    let Some(target) = resolve(folder, file).filter(|_| !file.starts_with('/')) else {
        return Some(format!("{link} leads out of the repository"));
    };
    let target = if file.is_empty() { PathBuf::from(document) } else { target };
    if !tree::root().join(&target).exists() {
        return Some(format!("{link} leads to {}, which does not exist", target.display()));
    }
    let has_anchor = anchor.is_empty() || anchors(&tree::read(&target.to_string_lossy())).contains(anchor);
    (!has_anchor).then(|| format!("{} has no heading for #{anchor}", target.display()))
}

#[test]
fn links_lead_somewhere() {
    let mut breaches = Vec::new();
    for document in tree::with_extension("md") {
        let prose = without_fences(&tree::read(&document));
        for (at, link) in links(&prose).into_iter().filter(|(_, link)| !link.contains("://")) {
            if let Some(text) = link_is_broken(&document, link) {
                breaches.push(Breach::at(&document, line_of(&prose, at), text));
            }
        }
    }
    none_of(&breaches);
}

#[test]
fn files_that_documents_name_exist() {
    let top: BTreeSet<_> = std::fs::read_dir(tree::root())
        .expect("the repository can be read")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != "target")
        .collect();
    let mut breaches = Vec::new();
    for document in tree::with_extension("md") {
        let prose = without_fences(&tree::read(&document));
        for (at, span) in spans(&prose) {
            let Some((first, rest)) = span.split_once('/') else { continue };
            let is_file =
                FILES.iter().any(|ending| rest.ends_with(ending)) || rest.is_empty() || rest.ends_with('/');
            let is_pattern = span.contains(['*', '<', '{', ' ', 'N']);
            if !top.contains(first) || !is_file || is_pattern || span.contains("/target/") {
                continue;
            }
            if !tree::root().join(span).exists() {
                breaches.push(Breach::at(&document, line_of(&prose, at), format!("{span} does not exist")));
            }
        }
    }
    none_of(&breaches);
}

/// Documents that describe the code as it is.
fn of_the_code_as_it_is() -> impl Iterator<Item = String> {
    let is_meant = |path: &String| {
        let is_ours = path.starts_with("docs/") || !path.contains('/');
        is_ours && !path.starts_with(DECISIONS)
    };
    tree::with_extension("md").into_iter().filter(is_meant)
}

#[test]
fn functions_and_types_that_documents_name_exist() {
    let sources: String = tree::rust().map(|path| tree::read(&path)).collect();
    let mut breaches = Vec::new();
    for document in of_the_code_as_it_is() {
        let prose = without_fences(&tree::read(&document));
        for (at, span) in spans(&prose) {
            let path = span.strip_suffix("()").unwrap_or(span);
            let is_path = (path.contains("::") || path.len() < span.len())
                && path.chars().all(|c| is_word(c) || c == ':')
                && !path.starts_with("std::");
            let missing = |part: &&str| !part.is_empty() && words(&sources, part).next().is_none();
            if let Some(part) = path.split("::").find(missing).filter(|_| is_path) {
                let text = format!("`{span}`: nothing in the sources is called {part}");
                breaches.push(Breach::at(&document, line_of(&prose, at), text));
            }
        }
    }
    none_of(&breaches);
}

#[test]
fn the_document_of_metrics_names_exactly_what_is_exposed() {
    let file = "meta-proxy/src/telemetry/exposition.rs";
    let is_metric = |text: &&str| text.starts_with("meta_proxy_") || text.starts_with("istio_");
    let source = tree::read(file);
    let exposed: BTreeSet<_> = source.split('"').filter(is_metric).collect();
    let document = tree::read("docs/metrics.md");
    // A counter's samples end in _total; its family does not.
    let family = |text| str::strip_suffix(text, "_total").unwrap_or(text);
    let described: BTreeSet<_> =
        spans(&document).into_iter().map(|(_, span)| span).filter(is_metric).map(family).collect();
    let missing = exposed
        .difference(&described)
        .map(|name| Breach::new("docs/metrics.md", format!("does not name {name}")));
    let surplus = described.difference(&exposed).map(|name| {
        Breach::new(
            "docs/metrics.md",
            format!("names {name}, which {file} does not expose; names are frozen"),
        )
    });
    none_of(&missing.chain(surplus).collect::<Vec<_>>());
}

/// `NAME` and value of each constant of a file, without spaces.
fn constants(path: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let text = tree::read(path);
    for line in text.lines() {
        let Some((_, rest)) = line.split_once("const ") else { continue };
        let Some((name, rest)) = rest.split_once(':') else { continue };
        let Some((_, value)) = rest.split_once('=') else { continue };
        let value = value.split(';').next().unwrap_or_default().replace(' ', "");
        found.entry(name.trim().to_owned()).or_default().insert(value);
    }
    found
}

/// Rows of docs/limits.md are `| what | value | ``NAME = value`` | ``file`` |`.
#[test]
fn the_document_of_limits_has_the_values_of_the_code() {
    let document = "docs/limits.md";
    let text = tree::read(document);
    let (mut breaches, mut rows) = (Vec::new(), 0);
    for (index, line) in text.lines().enumerate().filter(|(_, line)| line.starts_with('|')) {
        let pieces: Vec<_> = line.split('`').collect();
        let [_, constant, _, file, _] = pieces[..] else { continue };
        let Some((name, value)) = constant.split_once(" = ") else { continue };
        rows += 1;
        let known = constants(file);
        let mut wrong = String::new();
        match known.get(name) {
            None => write!(wrong, "{file} has no constant {name}"),
            Some(values) if !values.contains(&value.replace(' ', "")) => {
                write!(
                    wrong,
                    "{name} is {} in {file}, not {value}",
                    values.iter().cloned().collect::<Vec<_>>().join(" or ")
                )
            }
            Some(_) => Ok(()),
        }
        .expect("a String takes everything");
        if !wrong.is_empty() {
            breaches.push(Breach::at(document, index + 1, wrong));
        }
    }
    assert!(rows > 0, "{document} has rows that name a constant and its file");
    none_of(&breaches);
}

#[test]
fn the_readme_quotes_the_example() {
    let file = "examples/dubbo-isolation/router/metarouter.yaml";
    let lines = tree::read(file);
    let quoted: String = lines
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| "    ".to_owned() + line + "\n")
        .collect();
    assert!(tree::read("README.md").contains(&quoted), "README.md does not quote {file} word for word");
}

#[test]
fn links_and_spans_are_found() {
    let text = "see [a](b.md#c) and `d/e.rs`\n```\n[x](y) `z`\n```\n`f::g()`\n";
    let prose = without_fences(text);
    assert_eq!(links(&prose), [(8, "b.md#c")]);
    assert_eq!(spans(&prose).into_iter().map(|(_, span)| span).collect::<Vec<_>>(), ["d/e.rs", "f::g()"]);
    assert_eq!(resolve(Path::new("docs/adr"), "../../README.md"), Some(PathBuf::from("README.md")));
    assert_eq!(resolve(Path::new("docs"), "../../x"), None);
    assert!(anchors("## How it's built: a `x`\n").contains("how-its-built-a-x"));
}
