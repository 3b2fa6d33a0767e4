//! examples/redis-sharding: its objects as they stand there, but for the addresses of the servers, and the commands of
//! its README with what it says that `redis-cli` prints.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::command;
use e2e::eventually::{SOON, eventually, off_thread};
use e2e::redis::{Servers, ask};
use e2e::scene::{Scene, Setup};

/// What the example's service is called.
const SERVICE: &str = "redis.shop.example:6380";
/// What the service of the copy is called.
const COPY: &str = "copy.shop.example:6390";
/// The port of the first server; the others follow.
const FIRST: u16 = 6381;
/// Where the second half of the README begins.
const SECOND: &str = "## A copy of what is written";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/redis-sharding").join(name)
}

fn text(name: &str) -> String {
    let path = file(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An object of the example, with these servers in place of those that the README starts.
fn object(name: &str, servers: &Servers) -> String {
    let mut object = text(name);
    for server in 0..servers.count() {
        let address = servers.address(server);
        let port = format!("tcp-metaprotocol-redis: {}}}", FIRST + server as u16);
        object = object.replace(&port, &format!("tcp-metaprotocol-redis: {}}}", address.port()));
        object = object.replace("address: 127.0.0.1", &format!("address: {}", address.ip()));
    }
    assert!(!object.contains("redis: 638"), "an endpoint was forgotten:\n{object}");
    object
}

/// A command of the README, and what it prints.
#[derive(Debug)]
struct Line {
    command: String,
    printed: String,
}

/// Lines of the README, or of its second half, that say what they print.
fn lines(half: usize) -> Vec<Line> {
    let readme = text("README.md");
    let halves: Vec<_> = readme.split(SECOND).collect();
    assert_eq!(halves.len(), 2, "the README has the heading {SECOND:?}");
    let line = |line: &str| {
        let (command, printed) = line.strip_prefix("    ")?.split_once("  # ")?;
        let is_loop = command.starts_with("for ");
        (!is_loop).then(|| Line { command: command.trim().to_owned(), printed: printed.to_owned() })
    };
    halves[half].lines().filter_map(line).collect()
}

/// What a command of the README prints, its lines joined.
async fn printed(line: &Line, scene: &Scene, servers: &Servers) -> String {
    let mut command = line.command.clone();
    let at = |address: SocketAddr| format!("redis-cli --no-raw -h {} -p {}", address.ip(), address.port());
    command = command.replace("redis-cli -p 6380", &at(scene.address_of(SERVICE)));
    for server in 0..servers.count() {
        let written = format!("redis-cli -p {}", FIRST + server as u16);
        command = command.replace(&written, &at(servers.address(server)));
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]);
    let ran = off_thread(move || command::run(shell, SOON)).await;
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{command}");
    ran.stdout.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn is_as_written(printed: &str, line: &Line) -> bool {
    match line.printed.strip_suffix('…') {
        Some(begin) => printed.starts_with(begin),
        None => printed == line.printed,
    }
}

#[tokio::test]
async fn the_commands_of_its_readme_print_what_it_says() {
    let servers = Servers::start(4).await;
    let mut setup = Setup::empty().listen(SERVICE);
    for name in ["service-entry", "destination-rule", "metarouter"] {
        setup = setup.put(name, object(&format!("objects/{name}.yaml"), &servers));
    }
    let setup = setup.listen(COPY).announce(&format!("for {COPY} yet"));
    let scene = setup.start().await;
    let first = lines(0);
    assert!(first.len() >= 10, "{first:?}");
    for line in &first {
        let printed = printed(line, &scene, &servers).await;
        assert!(is_as_written(&printed, line), "{line:?}, not {printed:?}");
    }
    let mut keys = 0;
    for server in 0..3 {
        keys += ask(&mut servers.direct(server).await, "DBSIZE").await.integer().unwrap();
    }
    assert_eq!(keys, 4 + 3 + 1, "fruit, what is ann's, and the jobs that are done");

    for name in ["copy", "metarouter"] {
        scene.folder().put(name, object(&format!("mirror/{name}.yaml"), &servers));
    }
    let second = lines(1);
    assert_eq!(second.len(), 2, "{second:?}");
    eventually("a copy is made", async || {
        for line in &second {
            let printed = printed(line, &scene, &servers).await;
            if !is_as_written(&printed, line) {
                return Err(format!("{line:?}, not {printed:?}"));
            }
        }
        Ok(())
    })
    .await;
    scene.end().await;
}

#[test]
fn its_files_are_the_ones_that_its_readme_names() {
    let readme = text("README.md");
    for name in ["objects/service-entry.yaml", "objects/destination-rule.yaml", "objects/metarouter.yaml"] {
        assert!(readme.contains(&format!("`{name}`")) && file(name).is_file(), "{name}");
    }
    let in_mirror: Vec<_> =
        fs::read_dir(file("mirror")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(in_mirror.len(), 2, "{in_mirror:?}");
}
