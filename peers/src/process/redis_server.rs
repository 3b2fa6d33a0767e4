//! A real Redis server as a child process: alone in a temporary folder, on a port that was free, without persistence.
//!
//! A server cannot be told to take any port and say which, so one is looked for, and another one if somebody was quicker.
//! It is on 127.0.0.2, where no client's connection takes its own port: a server that was killed gets its port back.

use super::{Failed, Process, READY};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// Where it listens.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Ports that are tried.
const ATTEMPTS: usize = 5;
/// What it logs when it answers.
const IS_READY: &str = "Ready to accept connections";
/// What it logs when its port is taken.
const IS_TAKEN: &str = "Address already in use";

/// A running server, or one that was killed. Ended when dropped.
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
    address: SocketAddr,
    program: PathBuf,
    arguments: Vec<String>,
    folder: TempDir,
}

impl RedisServer {
    /// Starts `redis-server` with these further arguments, such as `--requirepass x`, in which `PORT` stands for its port, and waits, at most 10 seconds, until
    /// it accepts connections.
    pub fn start<A: AsRef<str>>(arguments: &[A]) -> Result<Self, Failed> {
        Self::start_program(Path::new("redis-server"), arguments)
    }

    /// The same with another program that takes the same arguments.
    pub fn start_program<A: AsRef<str>>(program: &Path, arguments: &[A]) -> Result<Self, Failed> {
        let folder =
            tempfile::tempdir().map_err(|error| failed(format!("no folder for a server: {error}")))?;
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.as_ref().to_owned()).collect();
        let mut attempt = 1;
        loop {
            let port = TcpListener::bind((ADDRESS, 0)).and_then(|listener| listener.local_addr());
            let address = port.map_err(|error| failed(format!("no port on {ADDRESS}: {error}")))?;
            match launch(program, address, folder.path(), &arguments) {
                Ok(process) => {
                    return Ok(RedisServer {
                        process,
                        address,
                        program: program.to_owned(),
                        arguments,
                        folder,
                    });
                }
                Err(failed) if failed.to_string().contains(IS_TAKEN) && attempt < ATTEMPTS => attempt += 1,
                Err(failed) => return Err(failed),
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its working folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) -> Result<(), Failed> {
        self.process.kill()
    }

    /// Ends it if it runs, and starts it anew on the same port, with the same arguments and without its data.
    pub fn restart(&mut self) -> Result<(), Failed> {
        self.kill()?;
        self.process = launch(&self.program, self.address, self.folder.path(), &self.arguments)?;
        Ok(())
    }

    /// Stops it (SIGSTOP): connections are established and stay, and nothing is answered.
    pub fn pause(&self) -> Result<(), Failed> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) -> Result<(), Failed> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), Failed> {
        kill(Pid::from_raw(self.id().cast_signed()), signal)
            .map_err(|error| failed(format!("the server could not be sent {signal}: {error}")))
    }
}

fn failed(what: String) -> Failed {
    Failed { what, last_words: Vec::new() }
}

/// Starts it and waits until it accepts connections; an error tells the last lines of its log.
fn launch(
    program: &Path,
    address: SocketAddr,
    folder: &Path,
    arguments: &[String],
) -> Result<Process, Failed> {
    let mut command = Command::new(program);
    command.args(["--port", &address.port().to_string(), "--bind", &address.ip().to_string()]);
    command.args(["--save", "", "--appendonly", "no", "--protected-mode", "no", "--daemonize", "no"]);
    command.arg("--dir").arg(folder);
    command.args(arguments.iter().map(|word| word.replace("PORT", &address.port().to_string())));
    let mut process = Process::start("the Redis server", &mut command, None)?;
    let end = Instant::now() + READY;
    let mut said = Vec::new();
    loop {
        match process.line(end.saturating_duration_since(Instant::now())) {
            Ok(line) if line.contains(IS_READY) => return Ok(process),
            Ok(line) => said.push(line),
            Err(mut failed) => {
                failed.last_words.extend(said.into_iter().rev().take(super::KEPT).rev());
                return Err(failed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpStream;
    use std::time::Duration;

    fn ask(server: &RedisServer, words: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(format!("{words}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    }

    #[test]
    fn it_answers_and_comes_back_on_the_same_port_without_its_data() {
        let mut server = RedisServer::start::<&str>(&[]).unwrap();
        let address = server.address();
        assert_eq!(ask(&server, "SET a 1"), "+OK\r\n");
        assert_eq!(ask(&server, "GET a"), "$1\r\n");
        server.kill().unwrap();
        assert!(TcpStream::connect(address).is_err());
        server.restart().unwrap();
        assert_eq!((server.address(), ask(&server, "GET a")), (address, "$-1\r\n".to_owned()));
        server.restart().unwrap();
        assert_eq!(ask(&server, "PING"), "+PONG\r\n");
        assert!(std::fs::read_dir(server.folder()).unwrap().next().is_none(), "it keeps nothing");
    }

    #[test]
    fn a_paused_one_answers_when_it_goes_on() {
        let server = RedisServer::start(&["--requirepass", "x"]).unwrap();
        assert!(ask(&server, "PING").starts_with("-NOAUTH"));
        server.pause().unwrap();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        stream.write_all(b"AUTH x\r\n").unwrap();
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        assert!(lines.read_line(&mut line).is_err());
        server.resume().unwrap();
        lines.get_ref().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "+OK\r\n");
    }

    #[test]
    fn what_it_says_before_it_fails_is_told() {
        let error = RedisServer::start(&["--no-such-option", "1"]).unwrap_err().to_string();
        assert!(error.contains("ended") && error.contains("no-such-option"), "{error}");
        let error =
            RedisServer::start_program::<&str>(Path::new("no/such/server"), &[]).unwrap_err().to_string();
        assert!(error.contains("no/such/server"), "{error}");
    }

    #[test]
    fn a_port_that_is_taken_is_an_error_that_says_so() {
        let listener = TcpListener::bind((ADDRESS, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let error = launch(Path::new("redis-server"), address, folder.path(), &[]).unwrap_err().to_string();
        assert!(error.contains(IS_TAKEN), "{error}");
    }
}
