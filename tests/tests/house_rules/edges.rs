//! Which crate of the workspace may use which.
//!
//! `codec-api ← codec-x ← binaries; crds ← controller → xds ← meta-proxy → codec-api`; the command line and the tests
//! may use everything. The table below is the rule; ARCHITECTURE.md says why.

use std::process::Command;

use serde_json::Value;

use crate::tree;
use crate::{Breach, none_of};

/// Crate, what it may use, and what its own tests may use besides. A star stands for any ending.
const MAY_USE: &[(&str, &[&str], &[&str])] = &[
    // Its tests switch on its feature `laws`.
    ("codec-api", &[], &["codec-api"]),
    ("codec-*", &["codec-api"], &[]),
    ("xds", &[], &[]),
    ("crds", &[], &[]),
    ("controller", &["crds", "xds"], &[]),
    // A codec is named by its main.rs alone; see the test below.
    ("meta-proxy", &["codec-api", "codec-*", "xds"], &["peers"]),
    ("metactl", &["codec-api", "codec-*", "controller", "crds", "meta-proxy", "xds"], &["peers"]),
    // Written apart from the codecs, which it checks.
    ("peers", &[], &[]),
    ("e2e", &["*"], &[]),
    ("bench", &["*"], &[]),
];
/// Crates under this folder may use everything.
const EXAMPLES: &str = "examples/";
/// Runtimes and sockets, which a codec never needs.
const INPUT_OUTPUT: [&str; 5] = ["tokio", "tokio-util", "mio", "socket2", "axum"];

struct Package {
    name: String,
    manifest: String,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    is_for_tests: bool,
}

fn packages() -> Vec<Package> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--no-deps", "--format-version=1", "--offline"]).current_dir(tree::root());
    let output = command.output().expect("cargo runs, for it runs this test");
    let said = String::from_utf8_lossy(&output.stderr);
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    assert!(!packages.is_empty(), "cargo metadata lists no package; it said: {said}");
    packages.iter().map(package).collect()
}

fn package(value: &Value) -> Package {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifest = text(&value["manifest_path"]);
    let root = tree::root().to_string_lossy().into_owned();
    let dependency =
        |value: &Value| Dependency { name: text(&value["name"]), is_for_tests: value["kind"] == "dev" };
    Package {
        name: text(&value["name"]),
        manifest: manifest.strip_prefix(&root).unwrap_or(&manifest).trim_start_matches('/').to_owned(),
        dependencies: value["dependencies"].as_array().into_iter().flatten().map(dependency).collect(),
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

fn line_of(manifest: &str, dependency: &str) -> usize {
    let is_it = |line: &str| line.split(['.', ' ', '=']).next() == Some(dependency);
    tree::read(manifest).lines().position(is_it).map_or(1, |line| line + 1)
}

#[test]
fn crates_use_only_what_the_table_of_edges_allows() {
    let packages = packages();
    let mut breaches = Vec::new();
    for package in packages.iter().filter(|package| !package.manifest.starts_with(EXAMPLES)) {
        let Some((_, always, in_tests)) = MAY_USE.iter().find(|(pattern, ..)| fits(pattern, &package.name))
        else {
            let text =
                "this crate has no row in MAY_USE, tests/tests/house_rules/edges.rs: say what it may use";
            breaches.push(Breach::new(&package.manifest, text));
            continue;
        };
        for dependency in &package.dependencies {
            let is_ours = packages.iter().any(|other| other.name == dependency.name);
            let mut allowed = always.iter().chain(in_tests.iter().filter(|_| dependency.is_for_tests));
            if !is_ours || allowed.any(|pattern| fits(pattern, &dependency.name)) {
                continue;
            }
            let allowed =
                if always.is_empty() { "no crate of the workspace".to_owned() } else { always.join(", ") };
            let text = format!("{} may not use {}; it may use {allowed}", package.name, dependency.name);
            breaches.push(Breach::at(&package.manifest, line_of(&package.manifest, &dependency.name), text));
        }
    }
    none_of(&breaches);
}

#[test]
fn codecs_do_no_input_or_output() {
    let mut breaches = Vec::new();
    for package in packages().iter().filter(|package| fits("codec-*", &package.name)) {
        for dependency in package.dependencies.iter().filter(|dependency| !dependency.is_for_tests) {
            if INPUT_OUTPUT.contains(&dependency.name.as_str()) {
                let text = format!(
                    "a codec turns bytes into messages and does no I/O: it may not use {}",
                    dependency.name
                );
                breaches.push(Breach::at(
                    &package.manifest,
                    line_of(&package.manifest, &dependency.name),
                    text,
                ));
            }
        }
    }
    none_of(&breaches);
}

#[test]
fn in_the_proxy_only_main_names_a_codec() {
    let codecs = packages().into_iter().map(|package| package.name).filter(|name| fits("codec-*", name));
    let codecs: Vec<_> =
        codecs.filter(|name| name != "codec-api").map(|name| name.replace('-', "_")).collect();
    assert!(!codecs.is_empty(), "the workspace has codecs");
    let mut breaches = Vec::new();
    let is_meant = |path: &String| path.starts_with("meta-proxy/src/") && path != "meta-proxy/src/main.rs";
    for path in tree::rust().filter(is_meant) {
        let code = crate::source::code_only(&tree::read(&path));
        for codec in &codecs {
            for at in crate::source::words(&code, codec) {
                let text = format!("names {codec}; only main.rs may, which hands the codecs to the library");
                breaches.push(Breach::at(&path, crate::source::line_of(&code, at), text));
            }
        }
    }
    none_of(&breaches);
}
