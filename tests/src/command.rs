//! `metactl` as a command that does one thing and ends.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::eventually::{SOON, off_thread};

/// Names the binary where it does not stand in its usual place.
const VARIABLE: &str = "METACTL_BIN";

/// How often the end is looked for.
const LOOK: Duration = Duration::from_millis(1);

/// What a command did.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; `None`: a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// The binary: what `METACTL_BIN` says, else the release build in the target folder of this test.
pub fn binary() -> PathBuf {
    let path = std::env::var_os(VARIABLE).map_or_else(beside_this_test, PathBuf::from);
    built(path, "metactl")
}

/// Another binary of the workspace, which stands beside `metactl`.
pub fn sibling(name: &str) -> PathBuf {
    let metactl = std::env::var_os(VARIABLE).map_or_else(beside_this_test, PathBuf::from);
    built(metactl.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX)), name)
}

fn built(path: PathBuf, package: &str) -> PathBuf {
    assert!(
        path.is_file(),
        "{} does not exist: `make test` builds it (cargo build --release -p {package}), or name another metactl by {VARIABLE}",
        path.display()
    );
    path
}

/// `target/debug/deps/this-test` becomes `target/release/metactl`.
fn beside_this_test() -> PathBuf {
    let own = std::env::current_exe()
        .unwrap_or_else(|error| panic!("this test does not know where it is: {error}"));
    let target = own.ancestors().nth(3).unwrap_or(&own);
    target.join("release").join(format!("metactl{}", std::env::consts::EXE_SUFFIX))
}

/// Runs `metactl` with these arguments.
pub async fn metactl<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ran {
    let mut command = Command::new(binary());
    command.args(arguments);
    off_thread(move || run(command, SOON)).await
}

/// Runs a command, for at most `within`.
pub fn run(command: Command, within: Duration) -> Ran {
    run_with(command, "", within)
}

/// Runs a command that reads this from its standard input, for at most `within`.
pub fn run_with(mut command: Command, input: &str, within: Duration) -> Ran {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // It may end before it has read all; nobody waits for this thread, which ends with the child at the latest.
        thread::spawn(move || stdin.write_all(input.as_bytes()));
    }
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = (thread::spawn(|| all(stdout)), thread::spawn(|| all(stderr)));
    let end = Instant::now() + within;
    let status = loop {
        let ended = child.try_wait().unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Some(status) = ended {
            break status;
        }
        if Instant::now() >= end {
            // Whether or not it was about to end, the test fails now.
            let _ = child.kill();
            let _ = child.wait();
            panic!("{name} did not end within {within:?}");
        }
        thread::sleep(LOOK);
    };
    let said =
        |reader: thread::JoinHandle<String>| reader.join().unwrap_or_else(|_| panic!("{name}: unreadable"));
    Ran { code: status.code(), stdout: said(stdout), stderr: said(stderr) }
}

fn all(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What was read before an error is shown all the same.
        let _ = stream.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
