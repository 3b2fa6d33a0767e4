//! kube-apiserver and etcd as processes.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use peers::process::Process;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{Cluster, Gate};
use crate::command;
use crate::eventually::off_thread;

/// How long an API server may take to be ready, on a machine that does much else.
const READY: Duration = Duration::from_mins(2);

/// How often is looked whether it is.
const LOOK: Duration = Duration::from_millis(50);

/// Token of the user that may do everything.
const ADMIN: &str = "admin-of-the-tests";

/// Runs a program until its own standard input ends, which it does with the test whatever ends that.
const LEASH: &str =
    r#""$@" & child=$!; read -r _; kill -9 $child; wait $child 2>/dev/null; rm -rf "$FOLDER""#;

/// The definitions of Istio's kinds, as small as they can be.
const ISTIO: &str = include_str!("istio.yaml");

/// The server of this process that all scenarios share which do not break it.
static SHARED: OnceCell<Server> = OnceCell::const_new();

/// A running API server and its etcd. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    port: u16,
    etcd_port: u16,
    is_leashed: bool,
    api: Option<Mutex<Process>>,
    _etcd: Mutex<Process>,
}

impl Server {
    /// One that lives as long as this process.
    pub async fn shared() -> &'static Self {
        SHARED.get_or_init(|| Self::start_with(true)).await
    }

    /// One of its own for a scenario that kills it, or that looks at the whole of it.
    pub async fn start() -> Self {
        Self::start_with(false).await
    }

    /// The same, but Istio's kinds are not installed.
    pub async fn without_istio() -> Self {
        Self::start_bare(false).await
    }

    async fn start_with(is_leashed: bool) -> Self {
        let server = Self::start_bare(is_leashed).await;
        server.install_istio().await;
        server
    }

    async fn start_bare(is_leashed: bool) -> Self {
        let server = off_thread(move || Self::spawn(is_leashed)).await;
        server.until_ready().await;
        let cluster = Cluster::of(&server).await;
        let folder = root().join("crds").join("yaml");
        for file in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = file.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
            cluster.apply(read(&path)).await;
        }
        cluster.until_served(&["metarouters", "applicationprotocols"]).await;
        server
    }

    /// Installs definitions of Istio's kinds.
    pub async fn install_istio(&self) {
        let cluster = Cluster::of(self).await;
        cluster.apply(ISTIO).await;
        cluster.until_served(&["destinationrules", "serviceentries", "workloadentries"]).await;
    }

    fn spawn(is_leashed: bool) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let path = folder.path().to_owned();
        let [port, etcd_port, peer_port] = free_ports();
        std::fs::write(path.join("tokens.csv"), format!("{ADMIN},admin,admin,\"system:masters\"\n"))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        keys(&path);
        let mut etcd = Command::new(assets().join("etcd"));
        etcd.args(["--unsafe-no-fsync", "--data-dir"]).arg(path.join("etcd"));
        let (client, peer) =
            (format!("http://127.0.0.1:{etcd_port}"), format!("http://127.0.0.1:{peer_port}"));
        for (flag, value) in [
            ("--listen-client-urls", &client),
            ("--advertise-client-urls", &client),
            ("--listen-peer-urls", &peer),
            ("--initial-advertise-peer-urls", &peer),
            ("--initial-cluster", &format!("default={peer}")),
        ] {
            etcd.args([flag, value]);
        }
        let etcd = start("etcd", etcd, &path, is_leashed);
        let mut server = Self { folder, port, etcd_port, is_leashed, api: None, _etcd: Mutex::new(etcd) };
        server.spawn_api();
        server
    }

    fn spawn_api(&mut self) {
        let path = self.folder.path();
        let mut api = Command::new(assets().join("kube-apiserver"));
        api.arg(format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port))
            .arg(format!("--secure-port={}", self.port))
            .arg(format!("--cert-dir={}", path.join("certs").display()))
            .arg(format!("--token-auth-file={}", path.join("tokens.csv").display()))
            .arg(format!("--service-account-key-file={}", path.join("sa.pub").display()))
            .arg(format!("--service-account-signing-key-file={}", path.join("sa.key").display()))
            .args([
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                "--service-cluster-ip-range=10.0.0.0/16",
                "--authorization-mode=RBAC",
                "--service-account-issuer=https://127.0.0.1/",
                "--disable-admission-plugins=ServiceAccount",
                "--allow-privileged=true",
                "--endpoint-reconciler-type=none",
                "--profiling=false",
            ]);
        self.api = Some(Mutex::new(start("kube-apiserver", api, path, self.is_leashed)));
    }

    /// Kills the API server (SIGKILL). Its etcd runs on.
    pub async fn kill_api(&mut self) {
        let api = self.api.take().expect("it runs");
        let mut api = api.into_inner().unwrap_or_else(PoisonError::into_inner);
        off_thread(move || api.kill()).await.unwrap_or_else(|failed| panic!("{failed}"));
    }

    /// Starts it again where it was, and waits until it is ready.
    pub async fn start_api(&mut self) {
        self.spawn_api();
        self.until_ready().await;
    }

    /// Throws away all history, so that who was away cannot catch up: their watches are answered with 410 Gone.
    pub async fn compact(&self) {
        let base = format!("http://127.0.0.1:{}/v3", self.etcd_port);
        // base64 of a key that there is not: any answer names the revision.
        let range = post(&format!("{base}/kv/range"), r#"{"key": "eA=="}"#).await;
        let revision =
            range["header"]["revision"].as_str().unwrap_or_else(|| panic!("etcd said {range}")).to_owned();
        post(&format!("{base}/kv/compaction"), &format!(r#"{{"revision": "{revision}", "physical": true}}"#))
            .await;
    }

    /// A way to it that can be shut.
    pub async fn gate(&self) -> Gate {
        Gate::to(self.port).await
    }

    /// A file for those who may do everything and go through a gate.
    pub fn config_by(&self, gate: &Gate, namespace: &str) -> PathBuf {
        let mut config = self.config(ADMIN, namespace);
        config["clusters"][0]["cluster"]["server"] = format!("https://{}", gate.address()).into();
        self.write("gate", namespace, &config)
    }

    /// A client that may do everything.
    pub async fn admin(&self) -> Client {
        let config: Kubeconfig = serde_json::from_value(self.config(ADMIN, "default"))
            .unwrap_or_else(|error| panic!("a configuration of the tests' own: {error}"));
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await;
        let config = config.unwrap_or_else(|error| panic!("the configuration of the tests' own: {error}"));
        Client::try_from(config).unwrap_or_else(|error| panic!("no client for the API server: {error}"))
    }

    /// A file for those who may do everything, as `--kubeconfig` takes it. Whoever uses it keeps its leases in this
    /// namespace, so that the controllers of two scenarios do not take each other for replicas.
    pub fn admin_config(&self, namespace: &str) -> PathBuf {
        self.config_file("admin", ADMIN, namespace)
    }

    /// A file for who has this token.
    pub fn config_file(&self, name: &str, token: &str, namespace: &str) -> PathBuf {
        self.write(name, namespace, &self.config(token, namespace))
    }

    fn write(&self, name: &str, namespace: &str, config: &serde_json::Value) -> PathBuf {
        let path = self.folder.path().join(format!("{name}-{namespace}.kubeconfig"));
        std::fs::write(&path, config.to_string())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    fn config(&self, token: &str, namespace: &str) -> serde_json::Value {
        serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {
                "server": format!("https://127.0.0.1:{}", self.port),
                "certificate-authority": self.folder.path().join("certs").join("apiserver.crt"),
            }}],
            "users": [{"name": "tests", "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests", "namespace": namespace}}],
        })
    }

    async fn until_ready(&self) {
        let is_ready = async {
            loop {
                if self.folder.path().join("certs").join("apiserver.crt").exists() && self.is_ready().await {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let ready = tokio::time::timeout(READY, is_ready).await;
        let log = self.folder.path().join("kube-apiserver.log");
        assert!(
            ready.is_ok(),
            "kube-apiserver is not ready within {READY:?}; its log:\n{}",
            last_lines(&log)
        );
    }

    async fn is_ready(&self) -> bool {
        // Its certificate may be half written.
        let Ok(config) = serde_json::from_value::<Kubeconfig>(self.config(ADMIN, "default")) else {
            return false;
        };
        let Ok(config) = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await else {
            return false;
        };
        let Ok(client) = Client::try_from(config) else { return false };
        let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else { return false };
        client.request_text(request).await.is_ok_and(|text| text == "ok")
    }
}

/// The folder with the programs.
fn assets() -> PathBuf {
    let script = root().join("tests").join("tools").join("kubernetes");
    let mut command = Command::new(&script);
    command.arg("path");
    let path = PathBuf::from(command::run(command, READY).stdout.trim());
    for program in ["etcd", "kube-apiserver"] {
        let file = path.join(program);
        assert!(
            file.is_file(),
            "{} does not exist: `make test` or {} builds it",
            file.display(),
            script.display()
        );
    }
    path
}

/// The repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn last_lines(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: io::Result<Vec<_>> = (0..N).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect();
    let ports = listeners
        .and_then(|all| all.iter().map(|one| Ok(one.local_addr()?.port())).collect::<io::Result<Vec<_>>>());
    let ports = ports.unwrap_or_else(|error| panic!("no free port: {error}"));
    ports.try_into().expect("as many as were asked for")
}

/// A key pair for the tokens of service accounts.
fn keys(folder: &Path) {
    let pair = rcgen::KeyPair::generate().unwrap_or_else(|error| panic!("no key pair: {error}"));
    for (name, text) in [("sa.key", pair.serialize_pem()), ("sa.pub", pair.public_key_pem())] {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

fn start(name: &str, command: Command, folder: &Path, is_leashed: bool) -> Process {
    let mut command = command;
    if is_leashed {
        let mut leashed = Command::new("sh");
        leashed.args(["-c", LEASH, name]).arg(command.get_program()).args(command.get_args());
        leashed.env("FOLDER", folder);
        command = leashed;
    }
    let log = folder.join(format!("{name}.log"));
    Process::start(name, &mut command, Some(&log)).unwrap_or_else(|failed| panic!("{failed}"))
}

/// Asks etcd something.
async fn post(url: &str, body: &str) -> serde_json::Value {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let rest = url.trim_start_matches("http://");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let asked = async {
        let mut stream = tokio::net::TcpStream::connect(host).await?;
        let request = format!(
            "POST /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = crate::eventually::soon(url, asked).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    let (start, end) = (answer.find('{').unwrap_or(0), answer.rfind('}').map_or(0, |end| end + 1));
    serde_json::from_str(&answer[start..end]).unwrap_or_else(|error| panic!("{url}: {error}: {answer}"))
}
