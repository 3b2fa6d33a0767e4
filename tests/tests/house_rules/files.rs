//! What a Rust file and a manifest look like.

use std::path::Path;

use crate::source::{code_only, line_of, words};
use crate::tree;
use crate::{Breach, none_of};

/// Lines that a file may have.
const MOST_LINES: usize = 500;
/// Lines that a binary's main.rs may have.
const MOST_LINES_OF_MAIN: usize = 40;
/// Names that say nothing of what a module does.
const EMPTY_NAMES: [&str; 10] =
    ["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "shared", "prelude"];
/// Where the proxy's binary is put together with codecs.
const LINKS_CODECS: &str = "meta-proxy/src/main.rs";
/// What the proxy, and the laws that hold for every protocol, know nothing of.
const PROTOCOLS: [&str; 5] = ["dubbo", "thrift", "redis", "brpc", "trpc"];
/// What stands for work that was not done, written so that this file does not hold it.
const UNDONE: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

#[test]
fn no_file_is_long() {
    let mut breaches = Vec::new();
    for path in tree::rust() {
        let lines = tree::read(&path).lines().count();
        let is_main = path.ends_with("src/main.rs");
        let most = if is_main { MOST_LINES_OF_MAIN } else { MOST_LINES };
        if lines > most {
            let advice =
                if is_main { "move what it does into the library" } else { "split it by what its parts do" };
            breaches.push(Breach::new(&path, format!("has {lines} lines, and may have {most}: {advice}")));
        }
    }
    none_of(&breaches);
}

#[test]
fn each_module_says_what_it_is_for() {
    let is_silent = |path: &String| !tree::read(path).starts_with("//!");
    let text = "begins without //!: say in a few lines what it does, and what it must not know";
    none_of(&tree::rust().filter(is_silent).map(|path| Breach::at(&path, 1, text)).collect::<Vec<_>>());
}

#[test]
fn modules_are_named_for_what_they_do_and_stand_in_their_folders() {
    let mut breaches = Vec::new();
    for path in tree::rust() {
        let without_extension = path.trim_end_matches(".rs");
        for part in without_extension.split('/').filter(|part| EMPTY_NAMES.contains(part)) {
            breaches.push(Breach::new(&path, format!("`{part}` says nothing: name it for what it does")));
        }
        let is_root = Path::new(&path).file_stem().is_some_and(|stem| stem == "lib" || stem == "main");
        if !is_root && tree::root().join(without_extension).is_dir() {
            breaches.push(Breach::new(
                &path,
                format!("stands beside its folder: move it to {without_extension}/mod.rs"),
            ));
        }
    }
    none_of(&breaches);
}

#[test]
fn no_file_of_the_proxy_or_the_contract_names_a_protocol() {
    let mut breaches = Vec::new();
    let is_bound = |path: &String| {
        path.starts_with("meta-proxy/") && path != LINKS_CODECS || path.starts_with("codecs/api/src/laws/")
    };
    for path in tree::rust().filter(is_bound) {
        let text = tree::read(&path).to_ascii_lowercase();
        for protocol in PROTOCOLS {
            for (at, _) in text.match_indices(protocol) {
                let line = line_of(&text, at);
                breaches.push(Breach::at(
                    &path,
                    line,
                    format!("names {protocol}: only {LINKS_CODECS} and programs that link codecs may"),
                ));
            }
        }
    }
    none_of(&breaches);
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    let mut breaches = Vec::new();
    for path in tree::rust() {
        let text = tree::read(&path);
        for word in UNDONE {
            for at in words(&text, word) {
                breaches.push(Breach::at(
                    &path,
                    line_of(&text, at),
                    format!("{word}: do it, or write an issue"),
                ));
            }
        }
        let code = code_only(&text);
        for (at, _) in code.match_indices("#[ignore") {
            breaches.push(Breach::at(
                &path,
                line_of(&code, at),
                "an ignored test proves nothing: mend or remove it",
            ));
        }
    }
    none_of(&breaches);
}

#[test]
fn all_crates_have_the_lints_and_versions_of_the_workspace() {
    let mut breaches = Vec::new();
    for path in tree::with_extension("toml").into_iter().filter(|path| path.ends_with("/Cargo.toml")) {
        let text = tree::read(&path);
        if text.contains("[workspace]") {
            continue;
        }
        if !text.contains("[lints]\nworkspace = true") {
            breaches.push(Breach::new(
                &path,
                "has not the workspace's lints: add `[lints]` and `workspace = true`",
            ));
        }
        let mut is_dependency = false;
        for (index, line) in text.lines().enumerate() {
            if line.starts_with('[') {
                is_dependency = line.contains("dependencies");
            } else if is_dependency && line.contains('=') && !line.contains("workspace") {
                let advice = "names a version of its own: put it into [workspace.dependencies] and write `.workspace = true`";
                breaches.push(Breach::at(&path, index + 1, advice));
            }
        }
    }
    none_of(&breaches);
}
