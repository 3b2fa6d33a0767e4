//! The instructions that a request costs, counted by valgrind, do not grow unnoticed.
//!
//! Counts are of a release build of `src/bin/instructions`; `instructions.txt` holds the committed ones.
//! `UPDATE=1 cargo test -p bench --test instructions` rewrites it; a commit that does so says why.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Growth that is noise: a new compiler patch, another inlining decision.
const TOLERANCE: f64 = 1.05;

/// Names of the measurements, and what the program is told.
const MEASURED: &[(&str, &[&str])] = &[
    ("1 route by method", &["--routes", "1"]),
    ("10000 routes by method", &["--routes", "10000"]),
    ("1 route by method, limited", &["--routes", "1", "--limited"]),
    ("1 route by method, endpoints judged", &["--routes", "1", "--judged"]),
    ("1 route by method, retries allowed", &["--routes", "1", "--retried"]),
    ("1 route by attachment", &["--routes", "1", "--attribute", "batchJob"]),
    ("10000 routes by attachment", &["--routes", "10000", "--attribute", "batchJob"]),
    ("redis, 1 route by command", &["--protocol", "redis", "--attribute", "command"]),
    (
        "redis, 10000 routes by command",
        &["--protocol", "redis", "--attribute", "command", "--routes", "10000"],
    ),
];

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).expect("tests are built in target/PROFILE/deps");
    let program = target.join("release/instructions");
    assert!(program.exists(), "{} is missing: `make test` builds it", program.display());
    program
}

fn counted(arguments: &[&str], requests: u32) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program())
        .args(arguments)
        .args(["--requests", &requests.to_string()])
        .output()
        .expect("valgrind is installed: `make test` installs it");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let line = text.lines().find_map(|line| line.split_once("Collected :")).expect("callgrind tells its sum");
    line.1.trim().parse().unwrap()
}

/// Instructions per request; the harness's own are in it.
fn per_request(arguments: &[&str]) -> f64 {
    let (few, many) = (1600, 4800);
    (counted(arguments, many) - counted(arguments, few)) as f64 / f64::from(many - few)
}

fn committed(path: &Path) -> BTreeMap<String, f64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let pair =
        |line: &str| line.split_once(": ").map(|(name, count)| (name.to_owned(), count.parse().unwrap()));
    text.lines().filter_map(pair).collect()
}

#[test]
fn a_request_costs_no_more_instructions_than_were_committed_whatever_the_number_of_routes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt");
    let now: BTreeMap<String, f64> =
        MEASURED.iter().map(|(name, arguments)| ((*name).to_owned(), per_request(arguments))).collect();
    println!("{now:#?}");
    for (what, attribute) in [("", "method"), ("", "attachment"), ("redis, ", "command")] {
        let one = now[&format!("{what}1 route by {attribute}")];
        let many = now[&format!("{what}10000 routes by {attribute}")];
        assert!(
            many <= 1.1 * one,
            "{what}10,000 routes by {attribute} cost {many:.0} instructions, 1 route {one:.0}"
        );
    }
    if std::env::var_os("UPDATE").is_some() {
        let mut text = String::new();
        for (name, count) in &now {
            writeln!(text, "{name}: {count:.0}").unwrap();
        }
        std::fs::write(&path, text).unwrap();
    }
    let committed = committed(&path);
    for (name, count) in now {
        let allowed = committed.get(&name).unwrap_or_else(|| panic!("{name} is not in {}", path.display()));
        assert!(
            count <= allowed * TOLERANCE,
            "{name}: {count:.0} instructions per request, committed {allowed:.0}"
        );
    }
}
