//! `bench` as a process of its own, with rounds too short to mean anything and without other proxies.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

use std::process::{Command, Output};

fn bench(arguments: &[&str]) -> (Output, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (printed, progress) = (text(&output.stdout), text(&output.stderr));
    (output, printed, progress)
}

#[test]
fn a_row_measures_the_floors_with_every_reply_verified() {
    let (output, table, progress) = bench(&[
        "row",
        "--floor-only",
        "--rounds",
        "2",
        "--seconds",
        "0.1",
        "--warm-up",
        "0.05",
        "--load",
        "1x1",
        "--load",
        "5x3",
        "--load",
        "4@500",
    ]);
    assert!(output.status.success(), "{progress}");
    for floor in ["muxfloor", "l4floor"] {
        let rows: Vec<_> = table.lines().filter(|line| line.contains(&format!("| {floor} |"))).collect();
        assert_eq!(rows.len(), 3, "{table}");
        for (row, load) in rows.iter().zip(["1 × 1", "5 × 3", "500/s over 4"]) {
            assert!(row.starts_with(&format!("| {load} |")), "{table}");
        }
    }
    assert_eq!(progress.lines().count(), 12, "{progress}");
}

#[test]
fn another_protocol_has_its_own_section_and_floors() {
    let (output, table, progress) =
        bench(&["full", "--protocol", "thrift", "--floor-only", "--scale", "0.05", "--only", "thrift"]);
    assert!(output.status.success(), "{progress}");
    for line in ["## Thrift", "| 16 × 16, shared: CPU µs |", "| 50 × 1, 16 KiB: requests/s |"] {
        assert!(table.contains(line), "{table}");
    }
    let (output, _, words) = bench(&["full", "--protocol", "thrift", "--floor-only", "--only", "depth"]);
    assert!(!output.status.success() && words.contains("no section"), "{words}");
}

#[test]
fn answers_without_ids_have_a_floor_too_before_either_server() {
    let (output, table, progress) =
        bench(&["full", "--protocol", "redis", "--floor-only", "--scale", "0.05", "--only", "redis"]);
    assert!(output.status.success(), "{progress}");
    for line in ["## Redis", "| 16 × 16: CPU µs |", "| ≤ 0.3 | ≤ 0.22 |"] {
        assert!(table.contains(line), "{table}");
    }
    let real = ["row", "--protocol", "redis", "--floor-only", "--server", "real"];
    let short =
        ["--rounds", "1", "--seconds", "0.1", "--warm-up", "0.05", "--load", "16x16", "--payload", "3000"];
    let (output, table, progress) = bench(&[&real[..], &short].concat());
    assert!(output.status.success(), "{progress}");
    for floor in ["muxfloor", "l4floor"] {
        assert!(table.contains(&format!("| 16 × 16, 3000 B | {floor} |")), "{table}");
    }
}

#[test]
fn a_section_becomes_a_part_of_the_document_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("benchmarks.md");
    let before =
        "<!-- payload -->\nas it was\n<!-- end of payload -->\n<!-- depth -->\nold\n<!-- end of depth -->\n";
    std::fs::write(&document, before).unwrap();
    let docs = folder.path().to_str().unwrap();
    let (output, _, progress) =
        bench(&["full", "--only", "depth", "--floor-only", "--scale", "0.1", "--docs", docs]);
    assert!(output.status.success(), "{progress}");
    let text = std::fs::read_to_string(&document).unwrap();
    assert!(
        text.starts_with("# Benchmarks") && text.contains("as it was") && !text.contains("\nold\n"),
        "{text}"
    );
    let depths = text
        .lines()
        .filter(|line| ["| 1 |", "| 4 |", "| 16 |", "| 64 |"].iter().any(|row| line.starts_with(row)));
    assert_eq!(depths.count(), 4, "{text}");
}

#[test]
fn what_cannot_be_measured_is_named() {
    let (output, _, words) = bench(&["row", "--metactl", "no/such/metactl"]);
    assert!(!output.status.success() && words.contains("no/such/metactl"), "{words}");
    let (output, _, words) = bench(&["full", "--only", "speed", "--floor-only"]);
    assert!(!output.status.success() && words.contains("speed") && words.contains("reach"), "{words}");
    let (output, _, words) = bench(&["row", "--floor-only", "--protocol", "telnet"]);
    assert!(!output.status.success() && words.contains("dubbo"), "{words}");
    let (output, _, words) = bench(&["row", "--floor-only", "--protocol", "thrift", "--object"]);
    assert!(!output.status.success() && words.contains("object"), "{words}");
    let (output, _, words) = bench(&["row", "--floor-only", "--server", "real"]);
    assert!(!output.status.success() && words.contains("echo server only"), "{words}");
}
