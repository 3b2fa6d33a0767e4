//! The whole way: a client, the proxy with this protocol, and two servers that it chooses between by attribute.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// What takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running proxy, and the address that its service listens on.
struct Proxy {
    child: Child,
    address: SocketAddr,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It has ended already if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the proxy with the objects of `services`, its endpoints on these ports.
fn proxy(folder: &Path, ports: [u16; 2]) -> Proxy {
    let services = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../services");
    for file in std::fs::read_dir(services).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let text =
            text.replace(": 7101", &format!(": {}", ports[0])).replace(": 7102", &format!(": {}", ports[1]));
        std::fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_metactl-tiny"));
    command.arg("run").arg(folder).args([
        "--concurrency",
        "1",
        "--listen",
        "store.demo.example:7100=127.0.0.1:0",
    ]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = lines(child.stdout.take().unwrap());
    let next = || lines.recv_timeout(PATIENCE).expect("the proxy says what it does");
    let listening = next();
    let address =
        listening.strip_prefix("listening store.demo.example:7100 ").map(|address| address.parse().unwrap());
    let proxy = Proxy { child, address: address.expect("it says first where it listens") };
    assert_eq!(next(), "ready");
    proxy
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A server that answers each request with its own name; tells its port.
fn server(name: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream, name));
        }
    });
    port
}

fn serve(mut stream: TcpStream, name: &str) {
    while let Some(request) = take(&mut stream) {
        if request[4] == b'q' && stream.write_all(&frame(b'r', &request[5..9], "", "", name)).is_err() {
            return;
        }
    }
}

/// The next whole message.
fn take(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = vec![0; 4];
    stream.read_exact(&mut message).ok()?;
    let rest = u32::from_be_bytes(*message.first_chunk()?) as usize;
    message.resize(4 + rest, 0);
    stream.read_exact(&mut message[4..]).ok()?;
    Some(message)
}

/// A message of these parts; `zone` is its only attribute, if it is not empty.
fn frame(kind: u8, id: &[u8], method: &str, zone: &str, body: &str) -> Vec<u8> {
    let attributes =
        if zone.is_empty() { String::new() } else { format!("\x04zone{}{zone}", zone.len() as u8 as char) };
    let mut rest = vec![kind];
    rest.extend_from_slice(id);
    rest.push(method.len() as u8);
    rest.extend_from_slice(method.as_bytes());
    rest.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
    rest.extend_from_slice(attributes.as_bytes());
    rest.extend_from_slice(body.as_bytes());
    [&(rest.len() as u32).to_be_bytes()[..], &rest].concat()
}

/// What a client is answered: kind, id and body.
fn call(stream: &mut TcpStream, id: u32, method: &str, zone: &str) -> (u8, u32, String) {
    stream.write_all(&frame(b'q', &id.to_be_bytes(), method, zone, "body")).unwrap();
    let answer = take(stream).expect("the proxy answers");
    let id = u32::from_be_bytes(*answer[5..].first_chunk().unwrap());
    (answer[4], id, String::from_utf8_lossy(&answer[12..]).into_owned())
}

#[test]
fn requests_are_routed_by_method_and_attribute() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = proxy(folder.path(), [server("v1"), server("v2")]);
    let mut stream = TcpStream::connect(proxy.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let rows = [("get", "north", "v2"), ("get", "south", "v1"), ("get", "", "v1"), ("put", "north", "v1")];
    for (id, (method, zone, server)) in (7..).zip(rows) {
        assert_eq!(
            call(&mut stream, id, method, zone),
            (b'r', id, server.to_owned()),
            "{method} from {zone}"
        );
    }
    stream.write_all(&frame(b'p', &9_u32.to_be_bytes(), "", "", "")).unwrap();
    assert_eq!(
        take(&mut stream).unwrap(),
        frame(b'o', &9_u32.to_be_bytes(), "", "", ""),
        "a ping is answered"
    );
}

#[test]
fn a_request_that_cannot_be_served_is_answered_in_the_protocols_own_words() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens where these two did a moment ago.
    let closed = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let proxy = proxy(folder.path(), [closed(), closed()]);
    let mut stream = TcpStream::connect(proxy.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (kind, id, text) = call(&mut stream, 3, "get", "north");
    assert_eq!((kind, id), (b'e', 3));
    assert!(text.starts_with("connect-failure: "), "{text}");
}
