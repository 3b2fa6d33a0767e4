//! Redis servers behind one address, and who has which key.
//!
//! The servers are real ones. What a scenario wants to know without the proxy it asks them directly.

use std::net::SocketAddr;
use std::ops::{Index, IndexMut};

use peers::process::RedisServer;
use peers::redis::{Client, Reply};

use crate::eventually::{eventually, off_thread, soon};
use crate::objects::{Rule, Service};
use crate::scene::Setup;

/// Names of the servers' subsets, in their order.
pub const SUBSETS: [&str; 4] = ["one", "two", "three", "four"];

/// Spreads keys over all servers; a table, so that each gets its share of a few keys too.
pub const BY_KEY: &str = "loadBalancer: {consistentHash: {httpHeaderName: key, maglev: {tableSize: 65537}}}";

/// Running servers.
#[derive(Debug)]
pub struct Servers {
    servers: Vec<RedisServer>,
}

impl Servers {
    /// So many empty ones.
    pub async fn start(count: usize) -> Self {
        Self::with(&vec![&[][..]; count]).await
    }

    /// One for each list of further arguments.
    pub async fn with(arguments: &[&[&str]]) -> Self {
        let owned = |list: &&[&str]| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let arguments: Vec<_> = arguments.iter().map(owned).collect();
        let servers = off_thread(move || {
            let start = |list: &Vec<String>| {
                let list: Vec<_> = list.iter().map(String::as_str).collect();
                RedisServer::start(&list).unwrap_or_else(|failed| panic!("{failed}"))
            };
            arguments.iter().map(start).collect()
        });
        Self { servers: servers.await }
    }

    /// Where one listens.
    pub fn address(&self, server: usize) -> SocketAddr {
        self.servers[server].address()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.servers.len()
    }

    /// Speaks to one without the proxy.
    pub async fn direct(&self, server: usize) -> Client {
        connect(self.address(server)).await
    }

    /// Removes everything from all of them.
    pub async fn empty(&self) {
        for server in 0..self.count() {
            assert!(ask(&mut self.direct(server).await, "FLUSHALL").await.is_ok());
        }
    }

    /// A number that a server's `INFO` has under this name.
    pub async fn info(&self, server: usize, name: &str) -> u64 {
        info(&mut self.direct(server).await, name).await
    }

    /// Waits until a server has this many clients that wait in a blocking command.
    pub async fn until_blocked(&self, server: usize, clients: u64) {
        let mut direct = self.direct(server).await;
        eventually("clients are blocked", async || {
            let seen = info(&mut direct, "blocked_clients").await;
            if seen == clients { Ok(()) } else { Err(seen) }
        })
        .await;
    }

    /// For each server `count` keys that live on it; they are not set.
    pub async fn keys(&self, proxy: SocketAddr, count: usize) -> Vec<Vec<String>> {
        let mut client = connect(proxy).await;
        let mut keys = vec![Vec::new(); self.count()];
        for number in 0..1000 {
            let key = format!("key-{number}");
            assert!(ask(&mut client, &format!("SET {key} {number}")).await.is_ok());
            keys[self.holder(&key).await].push(key.clone());
            assert_eq!(ask(&mut client, &format!("DEL {key}")).await, Reply::Integer(1));
            if keys.iter().all(|keys| keys.len() >= count) {
                for keys in &mut keys {
                    keys.truncate(count);
                }
                return keys;
            }
        }
        let counts: Vec<_> = keys.iter().map(Vec::len).collect();
        panic!("1000 keys are not spread over the servers: {counts:?}")
    }

    /// The only server that has this key.
    pub async fn holder(&self, key: &str) -> usize {
        let mut holders = Vec::new();
        for server in 0..self.count() {
            let has = ask(&mut self.direct(server).await, &format!("EXISTS {key}")).await;
            holders.extend((has == Reply::Integer(1)).then_some(server));
        }
        assert_eq!(holders.len(), 1, "{key} is on the servers {holders:?}");
        holders[0]
    }
}

impl Index<usize> for Servers {
    type Output = RedisServer;

    fn index(&self, server: usize) -> &RedisServer {
        &self.servers[server]
    }
}

impl IndexMut<usize> for Servers {
    fn index_mut(&mut self, server: usize) -> &mut RedisServer {
        &mut self.servers[server]
    }
}

/// All of them behind one address, each as good as the next.
pub fn behind(servers: &Servers) -> Setup {
    Setup::new().put("service", service(servers)).put("rule", Rule::subsets(&SUBSETS[..servers.count()]))
}

/// All of them behind one address, which spreads keys over them.
pub fn sharded(servers: &Servers) -> Setup {
    let rule = Rule::subsets(&SUBSETS[..servers.count()]).policy(BY_KEY);
    Setup::new().put("service", service(servers)).put("rule", rule)
}

/// A service whose endpoints are these servers, each in a subset of its own.
pub fn service(servers: &Servers) -> Service {
    let addresses = (0..servers.count()).map(|server| servers.address(server));
    let service = Service::orders().speaking("redis");
    SUBSETS.into_iter().zip(addresses).fold(service, |service, (subset, at)| service.endpoint(subset, at))
}

/// Connects.
pub async fn connect(address: SocketAddr) -> Client {
    Client::connect(address).await.unwrap_or_else(|error| panic!("{address}: {error}"))
}

/// Sends a command, whose words are parted by blanks, and waits for its answer.
pub async fn ask(client: &mut Client, command: &str) -> Reply {
    let answer = client.call(&words(command)).await;
    answer.unwrap_or_else(|error| panic!("{command}: {error}"))
}

/// Sends commands in one piece, and waits for all answers.
pub async fn ask_all(client: &mut Client, commands: &[&str]) -> Vec<Reply> {
    let split: Vec<_> = commands.iter().map(|command| words(command)).collect();
    let split: Vec<_> = split.iter().map(Vec::as_slice).collect();
    let answers = client.pipeline(&split).await;
    answers.unwrap_or_else(|error| panic!("{commands:?}: {error}"))
}

/// Sends a command and does not wait.
pub async fn tell(client: &mut Client, command: &str) {
    client.send(&words(command)).await.unwrap_or_else(|error| panic!("{command}: {error}"));
}

/// Waits for the next answer.
pub async fn answer(client: &mut Client) -> Reply {
    let answer = soon("an answer", client.receive()).await;
    answer.unwrap_or_else(|error| panic!("no answer: {error}"))
}

/// The text of an error.
pub fn error(reply: &Reply) -> &str {
    reply.error().unwrap_or_else(|| panic!("not an error: {reply:?}"))
}

/// A number that `INFO` has under this name.
pub async fn info(direct: &mut Client, name: &str) -> u64 {
    let answer = ask(direct, "INFO").await;
    let text = answer.text().unwrap_or_else(|| panic!("INFO: {answer:?}"));
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("INFO has no number {name}:\n{text}"))
}

fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}
