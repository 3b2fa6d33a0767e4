//! `metactl codec new` writes what compiles and keeps the laws, and what the tutorial shows.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn metactl(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_metactl")).args(arguments).current_dir(folder).output().unwrap()
}

/// What a command that must succeed prints.
fn succeeds(output: &Output) -> String {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", said(&output.stdout), said(&output.stderr));
    said(&output.stdout)
}

fn cargo(arguments: &[&str], folder: &Path) -> Output {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.arg("--offline").args(arguments).current_dir(folder);
    // Between runs of this test its dependencies stay compiled.
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("scaffold"));
    command.output().unwrap()
}

/// The files of a folder that are kept, by their paths in it.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

#[test]
fn a_new_codec_compiles_and_keeps_the_laws() {
    let folder = tempfile::tempdir().unwrap();
    let root = root();
    let said =
        succeeds(&metactl(&["codec", "new", "my-rpc", "--api", root.to_str().unwrap()], folder.path()));
    assert!(said.contains("metactl::main(vec![std::sync::Arc::new(codec_my_rpc::MyRpc)])"), "{said}");

    let codec = folder.path().join("codec-my-rpc");
    // The versions that this workspace was tested with, which are all there without a network.
    std::fs::copy(root.join("Cargo.lock"), codec.join("Cargo.lock")).unwrap();
    let tested = succeeds(&cargo(&["test"], &codec));
    assert!(tested.contains("test the_codec_keeps_the_laws ... ok"), "{tested}");
    let fuzzed = succeeds(&cargo(&["run", "--example", "fuzz", "--", "--seconds", "1"], &codec));
    assert!(fuzzed.contains("my-rpc: ") && fuzzed.contains("no law broken"), "{fuzzed}");

    let metadata = succeeds(&cargo(&["metadata", "--format-version=1"], &codec));
    for package in ["codec-my-rpc", "metactl-my-rpc", "metactl", "codec-api"] {
        assert!(metadata.contains(&format!("\"name\":\"{package}\"")), "{package} is not among its packages");
    }
    let main = std::fs::read_to_string(codec.join("proxy/src/main.rs")).unwrap();
    assert!(main.contains("use codec_my_rpc::MyRpc;") && main.lines().count() <= 20, "{main}");

    let again = metactl(&["codec", "new", "my-rpc", "--api", root.to_str().unwrap()], folder.path());
    let complaint = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && complaint.contains("codec-my-rpc exists"), "{complaint}");
}

#[test]
fn what_is_written_is_the_example_under_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = root();
    let arguments = ["codec", "new", "tiny", "--path", "here", "--api", root.to_str().unwrap()];
    succeeds(&metactl(&arguments, folder.path()));
    let (written, example) = (folder.path().join("here"), root.join("examples/tiny"));
    let is_kept = |path: &String| !path.ends_with("Cargo.toml") && path != ".gitignore";
    let names: BTreeSet<_> = files(&written).into_iter().filter(is_kept).collect();
    let expected: BTreeSet<_> = files(&example).into_iter().filter(is_kept).collect();
    assert_eq!(names, expected);
    for name in names {
        assert_eq!(
            std::fs::read(written.join(&name)).unwrap(),
            std::fs::read(example.join(&name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn a_mistake_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let rows: [(&[&str], &str); 4] = [
        (&["codec", "new", "My_RPC"], "lower case letters and digits"),
        (&["codec", "new", "dubbo"], "spoken by this build already"),
        (&["codec", "new", "my-rpc"], "name one by --api"),
        (&["codec", "new", "my-rpc", "--api", "."], "has no codecs/api/Cargo.toml"),
    ];
    for (arguments, words) in rows {
        let output = metactl(arguments, folder.path());
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(complaint.contains(words), "{arguments:?}: {complaint}");
    }
    assert_eq!(files(folder.path()).len(), 0, "nothing was written");
}

/// The blocks of a document that begin with this fence, each with the number of its line.
fn blocks(document: &str, fence: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in document.lines().enumerate() {
        match &mut open {
            None if line == fence => open = Some((number + 1, String::new())),
            Some(_) if line == "```" => found.extend(open.take()),
            Some((_, text)) => *text = std::mem::take(text) + line + "\n",
            None => {}
        }
    }
    found
}

#[test]
fn the_tutorial_quotes_what_is_compiled_and_run() {
    let root = root();
    let document = std::fs::read_to_string(root.join("docs/write-a-codec.md")).unwrap();
    let example = root.join("examples/tiny");
    for (fence, extension, least) in [("```rust", ".rs", 8), ("```yaml", ".yaml", 2)] {
        let names = files(&example).into_iter().filter(|name| name.ends_with(extension));
        let sources: Vec<String> =
            names.map(|name| std::fs::read_to_string(example.join(name)).unwrap()).collect();
        let blocks = blocks(&document, fence);
        assert!(blocks.len() >= least, "only {} blocks of {fence}", blocks.len());
        for (line, block) in blocks {
            let stands = sources.iter().any(|source| source.contains(&block));
            assert!(stands, "docs/write-a-codec.md:{line}: not word for word in examples/tiny:\n{block}");
        }
    }
}
