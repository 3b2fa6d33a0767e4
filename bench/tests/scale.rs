//! `scale` with a mesh too small to mean anything.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

use std::process::Command;

#[test]
fn a_change_reaches_all_that_follow_it() {
    let small =
        "--services 200 --endpoints 1000 --proxies 10 --follows 50 --all 2 --changes 5 --within 10000";
    let output = Command::new(env!("CARGO_BIN_EXE_scale")).args(small.split(' ')).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("200 services, 1000 endpoints"), "{printed}");
    assert!(printed.contains("10 proxies (2 follow all, the others 50 each): synced"), "{printed}");
    assert!(printed.contains("one change of a route, to the last of 2 to 4 followers"), "{printed}");
}
