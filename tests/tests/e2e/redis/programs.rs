//! The programs that come with the server, unmodified: `redis-cli` and `redis-benchmark`.

use std::fmt::Write as _;
use std::process::Command;

use e2e::command::Ran;
use e2e::eventually::{SOON, eventually, off_thread};
use e2e::objects::{Route, Router};
use e2e::redis::{Servers, ask, behind, connect, sharded};
use e2e::redis_clients::program;
use peers::process::Process;

/// What `redis-cli` prints, without what it says of each step; fails if it complains.
async fn cli(at: std::net::SocketAddr, words: &[&str], input: &str) -> String {
    let Ran { code, stdout, stderr } = program("redis-cli", at, words, input).await;
    assert_eq!((code, &*stderr), (Some(0), ""), "redis-cli {words:?}: {stdout}");
    stdout
}

/// What two ways print, directly and through the proxy: the same.
async fn both_ways(servers: &Servers, at: std::net::SocketAddr, words: &[&str], input: &str) -> String {
    let direct = cli(servers.address(0), words, input).await;
    assert_eq!(cli(at, words, input).await, direct, "redis-cli {words:?}");
    direct
}

#[tokio::test]
async fn the_command_line_prints_what_it_prints_with_a_server() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let at = scene.address();
    let script = "SELECT 3\nMULTI\nSET a 1\nINCR a\nEXEC\nMULTI\nSET a\nEXEC\nMULTI\nSET a 9\nDISCARD\nGET a\n\
        WATCH a\nMULTI\nINCR a\nEXEC\nBLPOP none 0.01\nHSET h f v\nHGETALL h\nZADD z 1.5 m\nZRANGE z 0 -1 WITHSCORES\n\
        GET h\nFLUSHDB\nEVAL \"return {1,'two',{3}}\" 0\nOBJECT ENCODING a\nPING\nECHO hi\nQUIT\n";
    for protocol in ["-2", "-3"] {
        for format in ["--no-raw", "--csv", "--json"] {
            let told = both_ways(&servers, at, &[protocol, format], script).await;
            assert!(told.contains("EXECABORT") && told.contains("hi"), "{told}");
        }
        let told = both_ways(&servers, at, &[protocol, "-n", "5", "-x", "SET", "piped"], "from stdin").await;
        assert_eq!(told, "OK\n");
        let told = both_ways(&servers, at, &[protocol, "-n", "5", "GET", "piped"], "").await;
        assert_eq!(told, "from stdin\n");
    }
    let told = both_ways(&servers, at, &["-r", "5", "-i", "0.01", "INCRBY", "n", "0"], "").await;
    assert_eq!(told, "0\n".repeat(5));
    scene.end().await;
}

#[tokio::test]
async fn the_command_line_surveys_many_keys() {
    let servers = Servers::start(3).await;
    let scene = sharded(&servers).start().await;
    let mut input = String::new();
    for number in 0..1000 {
        let (key, value) = (format!("key:{number}"), "x".repeat(number % 100));
        write!(input, "*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n{value}\r\n", key.len(), value.len())
            .unwrap();
    }
    input.push_str("*3\r\n$5\r\nRPUSH\r\n$8\r\nthe-list\r\n$1\r\nx\r\n*1\r\n$4\r\nNONE\r\n");
    let piped = program("redis-cli", scene.address(), &["--pipe"], &input).await;
    assert!(piped.stdout.ends_with("errors: 1, replies: 1002\n"), "{piped:?}");
    assert_eq!(piped.code, Some(1), "one of them is no command: {piped:?}");

    let one = Servers::start(1).await;
    let single = behind(&one).start().await;
    let piped = program("redis-cli", single.address(), &["--pipe"], &input).await;
    assert!(piped.stdout.ends_with("errors: 1, replies: 1002\n"), "{piped:?}");
    let scanned = cli(single.address(), &["--scan", "--pattern", "key:*"], "").await;
    let mut keys: Vec<_> = scanned.lines().collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 1000);
    for survey in ["--bigkeys", "--memkeys"] {
        let told = cli(single.address(), &[survey], "").await;
        assert!(told.contains("Sampled 1001 keys in the keyspace!"), "{told}");
    }
    single.end().await;
    scene.end().await;
}

#[tokio::test]
async fn the_command_line_measures_how_long_an_answer_takes() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let told = cli(scene.address(), &["--latency", "--raw"], "").await;
    let numbers: Vec<f64> = told.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert!(numbers.len() == 4 && numbers[3] > 1.0, "least, most, mean, count: {told}");
    scene.end().await;
}

#[tokio::test]
async fn the_command_line_hears_what_is_published() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    for protocol in ["-2", "-3"] {
        let mut command = Command::new("redis-cli");
        command.args(["-h", &scene.address().ip().to_string(), "-p", &scene.address().port().to_string()]);
        command.args([protocol, "--csv", "SUBSCRIBE", "news"]);
        let started = off_thread(move || Process::start("redis-cli", &mut command, None)).await;
        let mut process = started.unwrap();
        let mut direct = servers.direct(0).await;
        eventually("it listens", async || {
            let heard = ask(&mut direct, "PUBLISH news hello").await;
            if heard.integer() == Some(1) { Ok(()) } else { Err(heard) }
        })
        .await;
        let lines = off_thread(move || [(); 3].map(|()| process.line(SOON).unwrap())).await;
        let heard = ["\"subscribe\",\"news\",1", "\"message\",\"news\",\"hello\""];
        assert_eq!(lines[1..], heard, "the first one says that it listens: {lines:?}");
        eventually("nobody listens when it has gone", async || {
            let heard = ask(&mut direct, "PUBLISH news hello").await;
            if heard.integer() == Some(0) { Ok(()) } else { Err(heard) }
        })
        .await;
    }
    scene.end().await;
}

/// The tests that `redis-benchmark` names with their rates.
fn rows(ran: &Ran) -> Vec<String> {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains("Error") && !ran.stderr.contains("rror"), "{ran:?}");
    let lines = ran.stdout.split(['\r', '\n']);
    lines
        .filter(|line| line.contains("requests per second"))
        .filter_map(|line| Some(line.split_once(": ")?.0.to_owned()))
        .collect()
}

#[tokio::test]
async fn the_full_set_of_the_benchmark_runs() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let spread = Servers::start(3).await;
    let shards = sharded(&spread).start().await;
    let direct = rows(&program("redis-benchmark", servers.address(0), &["-q", "-n", "1000"], "").await);
    assert!(direct.len() >= 19, "{direct:?}");
    for (pipelined, clients) in [("1", "50"), ("16", "20"), ("16", "200")] {
        let words = ["-q", "-n", "3000", "-P", pipelined, "-c", clients, "-r", "1000"];
        for at in [scene.address(), shards.address()] {
            let ran = program("redis-benchmark", at, &words, "").await;
            assert_eq!(rows(&ran), direct, "-P {pipelined} -c {clients}");
        }
    }
    let words = ["-q", "-n", "3000", "-3", "--dbnum", "7", "--threads", "2", "-P", "8"];
    assert_eq!(rows(&program("redis-benchmark", scene.address(), &words, "").await), direct);
    let seventh = ask(&mut connect(servers.address(0)).await, "INFO keyspace").await;
    assert!(seventh.text().is_some_and(|text| text.contains("db7:keys=")), "{seventh:?}");
    let errors = ask(&mut connect(servers.address(0)).await, "INFO errorstats").await;
    assert_eq!(errors.text().map(|text| text.lines().count()), Some(1), "{errors:?}");
    scene.end().await;
    shards.end().await;
}

#[tokio::test]
async fn redis_cli_shows_that_a_limit_is_reached() {
    let servers = Servers::start(1).await;
    let limit = "conditions: [{match: {attributes: {command: {exact: GET}}}, tokenBucket: {maxTokens: 1, fillInterval: 720h}}]";
    let scene = behind(&servers).put("router", Router::routes([Route::to("")]).limit(limit)).start().await;
    let told = cli(scene.address(), &[], "SET a 1\nGET a\nGET a\nPING\n").await;
    assert_eq!(told, "OK\n1\nRATELIMITED the rate limit of this service is reached\n\nPONG\n");
    scene.end().await;
}
