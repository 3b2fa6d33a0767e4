//! `bench row` as a process of its own, with rounds too short to mean anything.

use std::process::Command;

#[test]
fn a_row_measures_the_floor_with_every_reply_verified() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(["row", "--floor-only", "--rounds", "2", "--seconds", "0.1", "--warm-up", "0.05"]);
    command.args(["--load", "1x1", "--load", "5x3"]);
    let output = command.output().unwrap();
    let (table, progress) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{progress}");
    let rows: Vec<_> = table.lines().filter(|line| line.contains("| floor |")).collect();
    assert_eq!(rows.len(), 2, "{table}");
    assert!(rows[0].starts_with("| 1 × 1 |") && rows[1].starts_with("| 5 × 3 |"), "{table}");
    assert_eq!(progress.lines().count(), 4, "{progress}");
}

#[test]
fn a_proxy_that_does_not_exist_is_named() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    let output = command.args(["row", "--metactl", "no/such/metactl"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no/such/metactl"));
}
