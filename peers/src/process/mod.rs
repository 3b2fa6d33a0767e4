//! Child processes of tests, demos and measurements: started, listened to, and ended with their owner.
//!
//! A child's standard output is read line by line with a bound on each wait; what it says on standard error is kept
//! (the last lines) for the message when it does not do what was expected, and written to a file if asked.

mod envoy;
mod redis_server;

pub use envoy::{ENVOY_VERSION, envoy};
pub use redis_server::RedisServer;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Lines of standard output that may wait to be read; later ones only go to the log.
const LINES: usize = 1024;
/// Last lines of standard error that are kept.
const KEPT: usize = 20;
/// How often `wait` looks.
const LOOK: Duration = Duration::from_millis(5);
/// How long a proxy may take to say `ready`.
const READY: Duration = Duration::from_secs(10);

/// A child process did not do what was expected of it.
#[derive(Debug)]
pub struct Failed {
    what: String,
    last_words: Vec<String>,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.last_words.is_empty() {
            write!(f, "; its last words were:\n  {}", self.last_words.join("\n  "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failed {}

type Words = Arc<Mutex<VecDeque<String>>>;

/// A running child. Killed when dropped; its standard input stays open until then or until it is closed, and brings
/// it nothing.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
    words: Words,
    listeners: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts it. `log` receives everything that it prints, on either stream.
    pub fn start(name: &str, command: &mut Command, log: Option<&Path>) -> Result<Self, Failed> {
        let failed = |what: String| Failed { what, last_words: Vec::new() };
        let log = log
            .map(|path| {
                File::create(path)
                    .map_err(|error| failed(format!("cannot write {}: {error}", path.display())))
            })
            .transpose()?;
        let second = log.as_ref().and_then(|log| log.try_clone().ok());
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().map_err(|error| failed(format!("cannot start {name} ({program}): {error}")))?;
        let (send, lines) = sync_channel(LINES);
        let words = Words::default();
        let mut listeners = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let mut pass_on = move |line| drop(SyncSender::try_send(&send, line));
            listeners.push(thread::spawn(move || listen(stdout, log, &mut pass_on)));
        }
        if let Some(stderr) = child.stderr.take() {
            let words = Arc::clone(&words);
            listeners.push(thread::spawn(move || listen(stderr, second, &mut |line| keep(&words, line))));
        }
        Ok(Process { name: name.to_owned(), child, lines, words, listeners })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its standard output, waited for at most `within`.
    pub fn line(&mut self, within: Duration) -> Result<String, Failed> {
        match self.lines.recv_timeout(within) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => Err(self.failed(&format!("printed no line within {within:?}"))),
            Err(RecvTimeoutError::Disconnected) => Err(match self.wait(Duration::from_secs(1)) {
                Ok(status) => self.failed(&format!("ended ({status})")),
                Err(_) => self.failed("closed its output"),
            }),
        }
    }

    /// Closes its standard input, which some take for the word to stop.
    pub fn close_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) -> io::Result<()> {
        Ok(kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM)?)
    }

    /// Ends it at once (SIGKILL), and waits until all that it has printed is in the log.
    pub fn kill(&mut self) -> Result<(), Failed> {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.wait(READY).map(drop)
    }

    /// Waits for its end and for all that it has printed to be in the log, at most `within`.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus, Failed> {
        let end = Instant::now() + within;
        loop {
            let ended = self.child.try_wait();
            let ended = ended.map_err(|error| self.failed(&format!("cannot be waited for: {error}")))?;
            let is_late = Instant::now() >= end;
            match ended {
                // A child of its own may hold its output open longer than it lives.
                Some(status) if is_late || self.has_been_heard() => return Ok(status),
                None if is_late => return Err(self.failed(&format!("did not end within {within:?}"))),
                _ => thread::sleep(LOOK),
            }
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The last lines of its standard error.
    pub fn last_words(&self) -> Vec<String> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn has_been_heard(&self) -> bool {
        self.listeners.iter().all(JoinHandle::is_finished)
    }

    fn failed(&self, what: &str) -> Failed {
        Failed { what: format!("{} {what}", self.name), last_words: self.last_words() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(words: &Words, line: String) {
    let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
    words.push_back(line);
    while words.len() > KEPT {
        words.pop_front();
    }
}

/// Reads lines until the stream ends; a line that is no text is passed on with what can be read of it.
fn listen(stream: impl Read, mut log: Option<File>, each: &mut dyn FnMut(String)) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while matches!(stream.read_until(b'\n', &mut line), Ok(count) if count > 0) {
        // A full disk shall not end what is measured.
        let _ = log.as_mut().map(|log| log.write_all(&line));
        each(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
}

/// One listener of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Service and service port, such as `orders.shop.example:20880`.
    pub service: String,
    /// The socket that it accepts on.
    pub address: SocketAddr,
}

/// How to start `metactl run`.
#[derive(Clone, Debug, Default)]
pub struct Metactl {
    /// The binary.
    pub binary: PathBuf,
    /// Files and folders of YAML.
    pub paths: Vec<PathBuf>,
    /// Services (`HOST:PORT`) that shall listen on a loopback port of the kernel's choice.
    pub services: Vec<String>,
    /// Whether to open an admin port, on a loopback port of the kernel's choice.
    pub admin: bool,
    /// Workers.
    pub concurrency: Option<usize>,
    /// Further flags.
    pub flags: Vec<String>,
    /// Receives everything that it prints.
    pub log: Option<PathBuf>,
}

/// A proxy that said `ready`.
#[derive(Debug)]
pub struct Proxy {
    /// Its process.
    pub process: Process,
    /// Its listeners.
    pub listening: Vec<Listening>,
    /// Its admin port, if one was asked for.
    pub admin: Option<SocketAddr>,
}

impl Metactl {
    /// Starts it and waits, at most 10 seconds, until it says `ready`.
    pub fn start(&self) -> Result<Proxy, Failed> {
        self.start_until("ready")
    }

    /// Starts it and waits, at most 10 seconds, for a line that begins so: for one that will not be ready.
    pub fn start_until(&self, word: &str) -> Result<Proxy, Failed> {
        let mut command = Command::new(&self.binary);
        command.arg("run").args(&self.paths);
        for service in &self.services {
            command.arg("--listen").arg(format!("{service}=127.0.0.1:0"));
        }
        if self.admin {
            command.args(["--admin", "127.0.0.1:0"]);
        }
        if let Some(workers) = self.concurrency {
            command.arg("--concurrency").arg(workers.to_string());
        }
        command.args(&self.flags);
        Proxy::start("metactl", &mut command, self.log.as_deref(), word)
    }
}

impl Proxy {
    /// Starts one by its command line and waits, at most 10 seconds, for a line that begins so.
    pub fn start(name: &str, command: &mut Command, log: Option<&Path>, word: &str) -> Result<Self, Failed> {
        let mut process = Process::start(name, command, log)?;
        let (mut listening, mut admin) = (Vec::new(), None);
        let end = Instant::now() + READY;
        loop {
            let line = process.line(end.saturating_duration_since(Instant::now()))?;
            if let Some(address) = line.strip_prefix("admin ") {
                admin = address.parse().ok();
            }
            listening.extend(parse(&line));
            if line.starts_with(word) {
                return Ok(Self { process, listening, admin });
            }
        }
    }

    /// Where the service `HOST:PORT` is accepted.
    pub fn address(&self, service: &str) -> Result<SocketAddr, Failed> {
        let found = self.listening.iter().find(|listening| listening.service == service);
        found.map(|listening| listening.address).ok_or_else(|| {
            let known: Vec<_> = self.listening.iter().map(|listening| &*listening.service).collect();
            self.process.failed(&format!("does not listen for {service}, only for [{}]", known.join(", ")))
        })
    }
}

fn parse(line: &str) -> Option<Listening> {
    let (service, address) = line.strip_prefix("listening ")?.split_once(' ')?;
    Some(Listening { service: service.to_owned(), address: address.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Process {
        Process::start("the script", Command::new("sh").args(["-c", script]), None).unwrap()
    }

    #[test]
    fn lines_are_read_one_by_one() {
        let mut process = shell("echo one; echo two");
        assert_eq!(process.line(SOON).unwrap(), "one");
        assert_eq!(process.line(SOON).unwrap(), "two");
        assert!(process.wait(SOON).unwrap().success());
    }

    #[test]
    fn a_child_that_fails_is_quoted() {
        let error = shell("echo 'no such folder' >&2; exit 3").line(SOON).unwrap_err().to_string();
        assert!(error.contains("the script ended") && error.contains('3'), "{error}");
    }

    #[test]
    fn a_child_that_is_asked_to_end_may_end_in_order() {
        let mut process = shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done");
        assert_eq!(process.line(SOON).unwrap(), "up");
        process.terminate().unwrap();
        assert_eq!(process.line(SOON).unwrap(), "bye");
        assert!(process.wait(SOON).unwrap().success());
        assert!(process.has_ended());
    }

    #[test]
    fn a_child_that_reads_its_input_lives_until_it_is_killed() {
        let mut process = shell("echo up; exec cat");
        assert_eq!(process.line(SOON).unwrap(), "up");
        assert!(!process.has_ended());
        process.kill().unwrap();
        assert!(process.has_ended());
    }

    #[test]
    fn all_that_a_child_said_is_in_the_log_when_it_has_been_waited_for() {
        let folder = std::env::temp_dir().join(format!("peers-process-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let log = folder.join("log");
        let script = "for n in $(seq 1000); do echo $n; echo $n >&2; done";
        let mut process =
            Process::start("the script", Command::new("sh").args(["-c", script]), Some(&log)).unwrap();
        assert!(process.wait(SOON).unwrap().success());
        let said = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(said.lines().count(), 2000);
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let metactl = Metactl { binary: "no/such/metactl".into(), ..Metactl::default() };
        let error = metactl.start().unwrap_err().to_string();
        assert!(error.contains("no/such/metactl"), "{error}");
    }

    #[test]
    fn listeners_are_read_from_their_lines() {
        let listening = parse("listening orders.shop.example:20880 127.0.0.1:4711").unwrap();
        assert_eq!(listening.service, "orders.shop.example:20880");
        assert_eq!(listening.address, SocketAddr::from(([127, 0, 0, 1], 4711)));
        assert_eq!(parse("ready"), None);
    }
}
