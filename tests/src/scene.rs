//! A running `metactl`, the folder that it follows, and its end.
//!
//! A [`Setup`] says what there is before the start, a [`Scene`] is what runs. A scene is ended by the scenario, which
//! then learns whether the log holds a complaint that was not announced.

use std::fmt::Display;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use peers::dubbo::Client;
use peers::process::{Metactl, Proxy};

use crate::admin::Admin;
use crate::command;
use crate::eventually::{SOON, off_thread};
use crate::folder::Folder;
use crate::objects::{HOST, PORT};

/// What begins a line that a person should look at.
pub(crate) const COMPLAINTS: [&str; 3] = [" WARN ", " ERROR ", "panicked at"];

/// What there is before `metactl` starts.
#[derive(Debug)]
pub struct Setup {
    folder: Folder,
    metactl: Metactl,
    announced: Vec<String>,
    tolerated: Vec<String>,
}

impl Setup {
    /// An empty folder, followed by a proxy of two workers that listens for [`HOST`] and logs each exchange.
    pub fn new() -> Self {
        let folder = Folder::new();
        let metactl = Metactl {
            binary: command::binary(),
            paths: vec![folder.path().to_owned()],
            services: vec![format!("{HOST}:{PORT}")],
            admin: true,
            concurrency: Some(2),
            flags: vec!["--access-log".to_owned(), folder.access_log().display().to_string()],
            log: Some(folder.log()),
        };
        Self { folder, metactl, announced: Vec::new(), tolerated: Vec::new() }
    }

    /// The same, but it listens for no service until it is told of one.
    pub fn empty() -> Self {
        let mut setup = Self::new();
        setup.metactl.services.clear();
        setup
    }

    /// A proxy that follows the objects of a namespace in a cluster, which it reaches as this file says; it listens for
    /// no service yet.
    pub fn on_cluster(config: &Path, namespace: &str) -> Self {
        let mut setup = Self::empty();
        setup.metactl.paths.clear();
        let setup = setup.flag("--kubeconfig", &config.display().to_string()).flag("--namespace", namespace);
        setup.switch("--kubernetes")
    }

    /// Puts an object into a file of this name.
    #[must_use]
    pub fn put(self, name: &str, object: impl Display) -> Self {
        self.folder.put(name, object);
        self
    }

    /// The folder that it will follow.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Listens for this service (`HOST:PORT`) as well, on a port of the kernel's choice.
    #[must_use]
    pub fn listen(mut self, service: &str) -> Self {
        self.metactl.services.push(service.to_owned());
        self
    }

    /// Adds a flag and its value to the command line.
    #[must_use]
    pub fn flag(mut self, flag: &str, value: &str) -> Self {
        self.metactl.flags.extend([flag.to_owned(), value.to_owned()]);
        self
    }

    /// Adds a flag without a value.
    #[must_use]
    pub fn switch(mut self, flag: &str) -> Self {
        self.metactl.flags.push(flag.to_owned());
        self
    }

    /// Runs this many workers.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.metactl.concurrency = Some(workers);
        self
    }

    /// Announces a complaint that will hold this text.
    #[must_use]
    pub fn announce(mut self, text: &str) -> Self {
        self.announced.push(text.to_owned());
        self
    }

    /// Puts up with complaints that hold this text, which depend on when something is looked at.
    #[must_use]
    pub fn tolerate(mut self, text: &str) -> Self {
        self.tolerated.push(text.to_owned());
        self
    }

    /// Starts `metactl run` and waits until it is ready.
    pub async fn start(self) -> Scene {
        self.start_until("ready").await
    }

    /// Starts `metactl run` and waits for its admin port only: for a scene that something is missing in.
    pub async fn start_unready(self) -> Scene {
        self.start_until("admin ").await
    }

    async fn start_until(self, word: &'static str) -> Scene {
        let Setup { folder, metactl, announced, tolerated } = self;
        let started = off_thread(move || metactl.start_until(word)).await;
        let proxy = started.unwrap_or_else(|failed| panic!("{failed}"));
        let addresses = proxy.listening.iter().map(|one| (one.service.clone(), one.address)).collect();
        let admin = Admin::at(proxy.admin.expect("a scene always asks for an admin port"));
        Scene { folder, id: proxy.process.id(), proxy: Some(proxy), addresses, admin, announced, tolerated }
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

/// A running `metactl`.
#[derive(Debug)]
pub struct Scene {
    folder: Folder,
    id: u32,
    /// `None` once it has ended.
    proxy: Option<Proxy>,
    addresses: Vec<(String, SocketAddr)>,
    admin: Admin,
    announced: Vec<String>,
    tolerated: Vec<String>,
}

impl Scene {
    /// The folder that it follows.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Its admin port.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Where the service is accepted that most scenarios are about.
    pub fn address(&self) -> SocketAddr {
        self.address_of(&format!("{HOST}:{PORT}"))
    }

    /// Where a service (`HOST:PORT`) is accepted.
    pub fn address_of(&self, service: &str) -> SocketAddr {
        let found = self.addresses.iter().find(|(known, _)| known == service);
        found.unwrap_or_else(|| panic!("nothing listens for {service}; there are {:?}", self.addresses)).1
    }

    /// A consumer of the service that most scenarios are about.
    pub async fn client(&self) -> Client {
        self.client_of(&format!("{HOST}:{PORT}")).await
    }

    /// A consumer of a service (`HOST:PORT`).
    pub async fn client_of(&self, service: &str) -> Client {
        let address = self.address_of(service);
        Client::connect(address).await.unwrap_or_else(|error| panic!("{service} at {address}: {error}"))
    }

    /// Announces a complaint that will hold this text.
    pub fn announce(&mut self, text: &str) {
        self.announced.push(text.to_owned());
    }

    /// Lines of its log that hold this text.
    pub fn logged(&self, text: &str) -> Vec<String> {
        lines(&self.folder.log()).into_iter().filter(|line| line.contains(text)).collect()
    }

    /// Lines of its access log.
    pub fn exchanges(&self) -> Vec<serde_json::Value> {
        let parse =
            |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        lines(&self.folder.access_log()).iter().map(parse).collect()
    }

    /// Bytes of memory that its process holds.
    pub fn resident_bytes(&self) -> usize {
        let path = format!("/proc/{}/status", self.id);
        let status = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
        kibibytes.unwrap_or_else(|| panic!("{path} has no VmRSS:\n{status}")) << 10
    }

    /// Waits until it listens for a service (`HOST:PORT`) that it did not listen for at its start.
    pub async fn until_listening(&mut self, service: &str) -> SocketAddr {
        let line = self.until_told(&format!("listening {service} ")).await;
        let address = line.rsplit(' ').next().and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("{line:?} names no address"));
        self.addresses.push((service.to_owned(), address));
        address
    }

    /// Waits for a line of its standard output that begins so.
    pub async fn until_told(&mut self, word: &str) -> String {
        let mut proxy = self.proxy.take().expect("it has not ended");
        let (wanted, end) = (word.to_owned(), Instant::now() + SOON);
        let (proxy, line) = off_thread(move || {
            loop {
                let line = proxy.process.line(end.saturating_duration_since(Instant::now()));
                if line.as_ref().map_or(true, |line| line.starts_with(&wanted)) {
                    return (proxy, line);
                }
            }
        })
        .await;
        self.proxy = Some(proxy);
        line.unwrap_or_else(|failed| panic!("{failed}"))
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        let proxy = self.proxy.as_ref().expect("it has not ended");
        proxy.process.terminate().unwrap_or_else(|error| panic!("SIGTERM: {error}"));
    }

    /// Waits until it has ended, at most `within`.
    pub async fn wait(&mut self, within: Duration) -> ExitStatus {
        let mut proxy = self.proxy.take().expect("it has not ended");
        off_thread(move || proxy.process.wait(within)).await.unwrap_or_else(|failed| panic!("{failed}"))
    }

    /// Ends it if it runs, and fails if its log holds a complaint that was not announced, or lacks one that was.
    pub async fn end(mut self) {
        if let Some(mut proxy) = self.proxy.take() {
            let killed = off_thread(move || {
                let has_ended = proxy.process.has_ended();
                proxy.process.kill().map(|()| has_ended)
            });
            let has_ended = killed.await.unwrap_or_else(|failed| panic!("{failed}"));
            assert!(!has_ended, "metactl ended by itself; its log:\n{}", self.log());
        }
        let is_one = |line: &String| COMPLAINTS.iter().any(|mark| line.contains(mark));
        let complaints: Vec<_> = lines(&self.folder.log()).into_iter().filter(is_one).collect();
        let expected = self.announced.iter().chain(&self.tolerated);
        let is_announced = |line: &String| expected.clone().any(|text| line.contains(text));
        let surplus: Vec<_> = complaints.iter().filter(|line| !is_announced(line)).collect();
        assert!(surplus.is_empty(), "complaints that were not announced:\n{surplus:#?}");
        let is_missing = |text: &&String| !complaints.iter().any(|line| line.contains(*text));
        let missing: Vec<_> = self.announced.iter().filter(is_missing).collect();
        assert!(missing.is_empty(), "announced, and never said: {missing:#?}\n{}", self.log());
    }

    fn log(&self) -> String {
        lines(&self.folder.log()).join("\n")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(proxy) = self.proxy.take() {
            drop(proxy);
            if std::thread::panicking() {
                eprintln!("the log of metactl:\n{}", self.log());
            } else {
                panic!("a scene must be ended: scene.end().await");
            }
        }
    }
}

pub(crate) fn lines(path: &Path) -> Vec<String> {
    match fs::read_to_string(path) {
        Ok(text) => text.lines().map(str::to_owned).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}
