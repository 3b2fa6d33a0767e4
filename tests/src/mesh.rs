//! Controllers and proxies as processes of their own, with nothing but the discovery service between them.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use peers::dubbo::Client;
use peers::process::{Process, Proxy};
use serde_json::Value;

use crate::admin::Admin;
use crate::command;
use crate::eventually::{SOON, off_thread};
use crate::folder::Folder;
use crate::objects::{HOST, PORT};
use crate::scene::{COMPLAINTS, lines};

/// A folder or a cluster with objects, and all that runs because of it.
#[derive(Debug)]
pub struct Mesh {
    folder: Folder,
    /// What controllers follow: the flags that say so.
    followed: Vec<OsString>,
    /// Host and port of the service that proxies listen for.
    service: String,
    announced: Vec<String>,
    logs: Vec<PathBuf>,
}

/// A running controller.
#[derive(Debug)]
pub struct Controller {
    process: Process,
    /// Where it serves proxies.
    pub address: SocketAddr,
    /// Its pages.
    pub admin: Admin,
}

/// A running proxy.
#[derive(Debug)]
pub struct MeshProxy {
    process: Process,
    addresses: Vec<(String, SocketAddr)>,
    service: String,
    /// Its pages.
    pub admin: Admin,
}

impl Mesh {
    /// An empty folder.
    pub fn new() -> Self {
        let folder = Folder::new();
        let followed = vec![folder.path().into()];
        let (announced, logs) = (Vec::new(), Vec::new());
        Self { folder, followed, service: format!("{HOST}:{PORT}"), announced, logs }
    }

    /// The objects of a namespace in a cluster, which controllers reach as this file says; proxies listen for `service`.
    pub fn on_cluster(config: &Path, namespace: &str, service: &str) -> Self {
        let flags = ["--kubernetes".as_ref(), "--kubeconfig".as_ref(), config.as_os_str()];
        let mut followed: Vec<OsString> = flags.map(Into::into).into();
        followed.extend(["--namespace", namespace].map(Into::into));
        Self { followed, service: service.to_owned(), ..Self::new() }
    }

    /// The folder that controllers follow.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Announces a complaint that will hold this text.
    pub fn announce(&mut self, text: &str) {
        self.announced.push(text.to_owned());
    }

    fn log(&mut self, what: &str) -> PathBuf {
        let path = self.folder.beside(&format!("{}-{what}.log", self.logs.len()));
        self.logs.push(path.clone());
        path
    }

    /// Starts a controller on a port of the kernel's choice.
    pub async fn controller(&mut self) -> Controller {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        self.controller_at(any, &[]).await
    }

    /// Starts a controller with further flags at this address, perhaps that of one that has ended.
    pub async fn controller_at(&mut self, address: SocketAddr, flags: &[&str]) -> Controller {
        let mut command = Command::new(command::sibling("controller"));
        command.args(&self.followed).args(["--xds", &address.to_string(), "--admin", "127.0.0.1:0"]);
        command.args(flags);
        let log = self.log("controller");
        let started = off_thread(move || {
            let mut process = Process::start("controller", &mut command, Some(&log))?;
            let (mut xds, mut admin) = (None, None);
            let end = Instant::now() + SOON;
            loop {
                let line = process.line(end.saturating_duration_since(Instant::now()))?;
                match line.split_once(' ') {
                    Some(("xds", address)) => xds = address.parse().ok(),
                    Some(("admin", address)) => admin = address.parse().ok(),
                    _ if line == "ready" => return Ok((process, xds, admin)),
                    _ => {}
                }
            }
        });
        let (process, address, admin) =
            started.await.unwrap_or_else(|failed: peers::process::Failed| panic!("{failed}"));
        let address = address.unwrap_or_else(|| panic!("the controller did not say where it listens"));
        let admin = admin.unwrap_or_else(|| panic!("the controller did not say where its pages are"));
        Controller { process, address, admin: Admin::at(admin) }
    }

    /// Starts a proxy that is told by these controllers, and waits until it is ready. It keeps its state in a file of this
    /// name.
    pub async fn proxy(&mut self, name: &str, controllers: &[SocketAddr]) -> MeshProxy {
        self.proxy_until("ready", name, controllers, &[]).await
    }

    /// The same with further flags, until it prints a line that begins so.
    pub async fn proxy_until(
        &mut self,
        word: &'static str,
        name: &str,
        controllers: &[SocketAddr],
        flags: &[&str],
    ) -> MeshProxy {
        let mut command = Command::new(command::sibling("meta-proxy"));
        for controller in controllers {
            command.args(["--controller", &controller.to_string()]);
        }
        command.args(["--node-id", name, "--admin", "127.0.0.1:0", "--concurrency", "2"]);
        command.args(["--listen", &format!("{}=127.0.0.1:0", self.service)]);
        command.arg("--state").arg(self.state(name)).args(flags);
        let log = self.log(name);
        let started = off_thread(move || Proxy::start("meta-proxy", &mut command, Some(&log), word)).await;
        let proxy = started.unwrap_or_else(|failed| panic!("{failed}"));
        let addresses = proxy.listening.iter().map(|one| (one.service.clone(), one.address)).collect();
        let admin = Admin::at(proxy.admin.expect("it was asked for an admin port"));
        MeshProxy { process: proxy.process, addresses, service: self.service.clone(), admin }
    }

    /// The file in which the proxy of this name keeps its state.
    pub fn state(&self, name: &str) -> PathBuf {
        self.folder.beside(&format!("{name}.state"))
    }

    /// Fails if a log holds a complaint that was not announced, or if one is missing that was.
    pub fn end(self) {
        let all: Vec<String> = self.logs.iter().flat_map(|path| lines(path)).collect();
        let is_one = |line: &&String| COMPLAINTS.iter().any(|mark| line.contains(mark));
        let is_announced = |line: &&String| self.announced.iter().any(|text| line.contains(text));
        let surplus: Vec<_> = all.iter().filter(is_one).filter(|line| !is_announced(line)).collect();
        assert!(surplus.is_empty(), "complaints that were not announced:\n{surplus:#?}");
        let is_missing = |text: &&String| !all.iter().any(|line| line.contains(*text));
        let missing: Vec<_> = self.announced.iter().filter(is_missing).collect();
        assert!(missing.is_empty(), "announced, and never said: {missing:#?}\n{}", all.join("\n"));
    }
}

impl Default for Mesh {
    fn default() -> Self {
        Self::new()
    }
}

impl Controller {
    /// What it is called among the replicas on a cluster ends so.
    pub fn name_ends(&self) -> String {
        format!("-{}", self.process.id())
    }

    /// Ends it at once.
    pub async fn kill(mut self) -> SocketAddr {
        off_thread(move || self.process.kill()).await.unwrap_or_else(|failed| panic!("{failed}"));
        self.address
    }

    /// Asks it to end, and waits for that.
    pub async fn terminate(mut self) -> SocketAddr {
        self.process.terminate().unwrap_or_else(|error| panic!("SIGTERM: {error}"));
        let status =
            off_thread(move || self.process.wait(SOON)).await.unwrap_or_else(|failed| panic!("{failed}"));
        assert!(status.success(), "{status}");
        self.address
    }

    /// What it says of the proxy of this name, if that is connected.
    pub async fn sees(&self, name: &str) -> Option<Value> {
        let page = self.admin.get("/proxies").await;
        let all: Value =
            serde_json::from_str(&page.body).unwrap_or_else(|error| panic!("{error}: {}", page.body));
        all.as_array()?.iter().find(|proxy| proxy["id"] == name).cloned()
    }
}

impl MeshProxy {
    /// Where the service is accepted that most scenarios are about.
    pub fn address(&self) -> SocketAddr {
        let found = self.addresses.iter().find(|(known, _)| *known == self.service);
        found.unwrap_or_else(|| panic!("nothing listens for {}: {:?}", self.service, self.addresses)).1
    }

    /// A consumer of it.
    pub async fn client(&self) -> Client {
        let address = self.address();
        Client::connect(address).await.unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    /// Ends it at once.
    pub async fn kill(mut self) {
        off_thread(move || self.process.kill()).await.unwrap_or_else(|failed| panic!("{failed}"));
    }

    /// Asks it to end, and waits for that.
    pub async fn terminate(mut self, within: Duration) {
        self.process.terminate().unwrap_or_else(|error| panic!("SIGTERM: {error}"));
        let status = off_thread(move || self.process.wait(within)).await;
        let status = status.unwrap_or_else(|failed| panic!("{failed}"));
        assert!(status.success(), "{status}");
    }
}
