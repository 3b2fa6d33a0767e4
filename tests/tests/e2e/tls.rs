//! Encrypted connections on both sides, with files that change under load, and clients and servers that are not ours.

use std::net::SocketAddr;
use std::path::Path;

use e2e::calls::{after, calling, provider, started, until_answered_by, who};
use e2e::command::metactl;
use e2e::eventually::{SOON, eventually, eventually_eq};
use e2e::folder::Folder;
use e2e::objects::{HOST, Router, Rule, Service};
use e2e::redis::{Servers, ask};
use e2e::redis_clients::program;
use e2e::scene::{Scene, Setup};
use peers::dubbo::{Behaviour, Client, EchoLoad, Outcome, Provider};
use peers::load::{self, Plan};
use peers::tls::{Authority, Issued, Tunnel, acceptor, connector};

/// The name that endpoints are asked for.
const ENDPOINT: &str = "endpoint.shop.example";
/// What the metric of changed files is called.
const RELOADS: &str = "meta_proxy_tls_reloads_total";

/// Everybody's certificates, those of the proxy in the folder of the objects.
struct Safe {
    authority: Authority,
    client: Issued,
    endpoint: Issued,
}

impl Safe {
    fn new() -> Self {
        Self::of("the shop")
    }

    fn of(authority: &str) -> Self {
        let authority = Authority::new(authority).unwrap();
        let (client, endpoint) =
            (authority.issue(&["consumer"]).unwrap(), authority.issue(&[ENDPOINT]).unwrap());
        Self { authority, client, endpoint }
    }

    /// Writes the proxy's: `ca.crt`, `front` for clients, and `back` for endpoints.
    fn write(&self, folder: &Path) {
        std::fs::write(folder.join("ca.crt"), self.authority.certificate()).unwrap();
        self.rotate(folder);
    }

    /// Writes new ones of the proxy. Answers what clients are shown.
    fn rotate(&self, folder: &Path) -> Issued {
        let front = self.authority.issue(&[HOST]).unwrap();
        front.write(folder, "front").unwrap();
        self.authority.issue(&["the proxy"]).unwrap().write(folder, "back").unwrap();
        front
    }

    /// A consumer's way to the proxy.
    async fn to_proxy(&self, proxy: SocketAddr) -> Tunnel {
        let connector = connector(&self.authority, Some(&self.client)).unwrap();
        Tunnel::encrypting(proxy, connector, HOST).await.unwrap()
    }

    /// The proxy's way to an endpoint.
    async fn to_endpoint(&self, endpoint: SocketAddr) -> Tunnel {
        let acceptor = acceptor(&self.endpoint, Some(&self.authority)).unwrap();
        Tunnel::decrypting(endpoint, acceptor).await.unwrap()
    }

    /// The certificate that a new client is shown, in DER.
    async fn shown(&self, proxy: SocketAddr) -> Vec<u8> {
        peers::tls::shown(proxy, &connector(&self.authority, Some(&self.client)).unwrap(), HOST)
            .await
            .unwrap()
    }
}

/// Both ends show a certificate, on both sides.
fn mutual() -> (Rule, Router) {
    let rule = format!(
        "tls: {{mode: MUTUAL, clientCertificate: back.crt, privateKey: back.key, caCertificates: ca.crt, sni: {ENDPOINT}}}"
    );
    let router = "mode: MUTUAL, serverCertificate: front.crt, privateKey: front.key, caCertificates: ca.crt";
    (Rule::subsets(&[]).policy(&rule), Router::routes([]).tls(router))
}

fn setup(safe: &Safe, service: Service) -> Setup {
    let (rule, router) = mutual();
    let setup = Setup::new().put("service", service).put("rule", rule).put("router", router);
    safe.write(setup.folder().path());
    setup
}

async fn reloads(scene: &Scene) -> u64 {
    scene.admin().metrics().await.count(RELOADS, &[])
}

#[tokio::test]
async fn certificates_change_under_load_and_no_call_and_no_connection_is_lost() {
    let safe = Safe::new();
    let slow = std::time::Duration::from_millis(5);
    let echo = Provider::builder("v1").on("echo", after(slow, Behaviour::Echo)).otherwise(Behaviour::Who);
    let provider = started(echo.remember(0)).await;
    let back = safe.to_endpoint(provider.address()).await;
    let scene = setup(&safe, Service::orders().endpoint("v1", back.address())).start().await;
    let front = safe.to_proxy(scene.address()).await;
    let load =
        load::start(Plan::closed(front.address(), 20, 5), EchoLoad::new(calling("echo"), 100)).unwrap();
    let folder = scene.folder().path().to_owned();
    let mut others = Vec::new();
    for change in 1..=3 {
        let next = safe.rotate(&folder);
        // Each side's pair of files may be caught in the middle, and then once more.
        eventually("changed files are in force", async || {
            let shown = safe.shown(scene.address()).await;
            if shown == next.der().unwrap() { Ok(()) } else { Err("the old certificate") }
        })
        .await;
        eventually("both sides have changed", async || {
            let seen = reloads(&scene).await;
            if seen >= 2 * change { Ok(()) } else { Err(seen) }
        })
        .await;
        // A new client is served by the new ones.
        let client = Client::connect(front.address()).await.unwrap();
        assert_eq!(who(&client, &calling("who")).await, "v1");
        others.push(client);
    }
    assert_eq!(front.open(), 23, "20 connections under load, and three others");
    let report = load.finish().await;
    assert_eq!((report.errors, report.closed), (0, 0), "{:?}", report.first_error);
    assert_eq!(report.completed, report.sent);
    assert!(report.completed > 1000, "{}", report.completed);
    assert_eq!((front.failures(), back.failures()), (0, 0));
    assert!(
        !back.names().is_empty() && back.names().iter().all(|name| name == ENDPOINT),
        "{:?}",
        back.names()
    );
    let metrics = scene.admin().metrics().await;
    assert!(metrics.count("meta_proxy_downstream_tls_handshakes_total", &[]) >= 23);
    assert_eq!(metrics.count("meta_proxy_downstream_tls_failures_total", &[]), 0);
    assert_eq!(metrics.labels("meta_proxy_tls_certificate_not_after_seconds").len(), 2);
    scene.end().await;
}

#[tokio::test]
async fn who_is_not_let_in_is_cut_off_and_counted() {
    let safe = Safe::new();
    let provider = provider("v1").await;
    let back = safe.to_endpoint(provider.address()).await;
    let scene = setup(&safe, Service::orders().endpoint("v1", back.address())).start().await;
    let plain = scene.client().await;
    let answer = plain.call(&calling("who"), SOON).await;
    assert!(matches!(answer.outcome, Outcome::Closed(_)), "{answer:?}");
    let stranger = connector(&safe.authority, None).unwrap();
    let stranger = Tunnel::encrypting(scene.address(), stranger, HOST).await.unwrap();
    let client = Client::connect(stranger.address()).await.unwrap();
    let answer = client.call(&calling("who"), SOON).await;
    assert!(matches!(answer.outcome, Outcome::Closed(_)), "{answer:?}");
    let failed =
        async || scene.admin().metrics().await.count("meta_proxy_downstream_tls_failures_total", &[]);
    eventually_eq("both are counted", 2, failed).await;
    let front = safe.to_proxy(scene.address()).await;
    let client = Client::connect(front.address()).await.unwrap();
    assert_eq!(who(&client, &calling("who")).await, "v1");
    scene.end().await;
}

#[tokio::test]
async fn an_endpoint_that_is_not_believed_gets_no_call_and_the_consumer_reads_why() {
    let safe = Safe::new();
    let provider = provider("v1").await;
    let other = Safe::of("somebody else");
    let stranger = acceptor(&other.endpoint, None).unwrap();
    let back = Tunnel::decrypting(provider.address(), stranger).await.unwrap();
    let scene = setup(&safe, Service::orders().endpoint("v1", back.address())).start().await;
    let front = safe.to_proxy(scene.address()).await;
    let client = Client::connect(front.address()).await.unwrap();
    let answer = client.call(&calling("who"), SOON).await;
    let text = format!("{:?}", answer.outcome);
    let expected = format!(
        "{}: TLS: the endpoint's certificate is not signed by a CA that is trusted here (unknown issuer)",
        back.address()
    );
    assert!(text.contains(&expected), "{text}");
    let failed = scene.admin().metrics().await.count("meta_proxy_upstream_tls_failures_total", &[]);
    assert!(failed >= 1);
    assert_eq!(provider.counts().requests, 0);
    scene.end().await;
}

#[tokio::test]
async fn a_bad_file_is_told_the_last_good_one_stays_and_a_missing_one_is_waited_for() {
    let safe = Safe::new();
    let provider = provider("v1").await;
    let back = safe.to_endpoint(provider.address()).await;
    let setup = setup(&safe, Service::orders().endpoint("v1", back.address()));
    let folder = setup.folder().path().to_owned();
    let key = folder.join("front.key");
    let hidden = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let place = "filter_chains[0].transport_socket.typed_config.common_tls_context.tls_certificates[0].private_key.filename";
    let setup = setup
        .announce(&format!("{place}: {} cannot be read: No such file", key.display()))
        .announce(&format!("for {HOST}:20880 yet; services that can be reached: none"));
    let mut scene = setup.start_unready().await;
    let refused = async || scene.logged("the proxy refused").pop().ok_or("nothing");
    let line = eventually("the refusal is told", refused).await;
    assert!(line.contains("MetaRouter shop/orders (") && line.contains("router.yaml:8)"), "{line}");

    std::fs::write(&key, &hidden).unwrap();
    let address = scene.until_listening(&format!("{HOST}:20880")).await;
    let front = safe.to_proxy(address).await;
    let client = Client::connect(front.address()).await.unwrap();
    until_answered_by("v1", &client, &calling("who")).await;

    scene.announce(&format!("TLS: {} holds no private key", key.display()));
    // At once: an empty file would be another bad one.
    let nonsense = folder.join("nonsense");
    std::fs::write(&nonsense, "nonsense").unwrap();
    std::fs::rename(&nonsense, &key).unwrap();
    let stale = async || scene.admin().metrics().await.count("meta_proxy_tls_stale", &[]);
    eventually_eq("the bad file is counted", 1, stale).await;
    let shown = scene.admin().json("/certs").await;
    let of_listener = shown.as_array().unwrap().iter().find(|one| one["of"] == "listener").unwrap();
    assert!(of_listener["stale"].as_str().unwrap().contains("holds no private key"), "{of_listener}");
    assert_eq!(of_listener["certificate"]["names"][0], HOST);
    assert!(!shown.to_string().contains("PRIVATE KEY-"), "no secrets");
    let new = Client::connect(front.address()).await.unwrap();
    assert_eq!(who(&new, &calling("who")).await, "v1");
    std::fs::write(&key, &hidden).unwrap();
    let stale = async || scene.admin().metrics().await.count("meta_proxy_tls_stale", &[]);
    eventually_eq("it is good again", 0, stale).await;
    assert_eq!(who(&client, &calling("who")).await, "v1");
    let told = scene.logged(" WARN TLS: ");
    assert_eq!(told.len(), 1, "a bad file is told once: {told:?}");
    scene.end().await;
}

#[tokio::test]
async fn redis_is_encrypted_on_both_sides_and_speaks_with_its_own_command_line() {
    let safe = Safe::new();
    let folder = Folder::new();
    safe.write(folder.path());
    safe.endpoint.write(folder.path(), "redis").unwrap();
    safe.client.write(folder.path(), "cli").unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key, ca) = (file("redis.crt"), file("redis.key"), file("ca.crt"));
    let arguments = [
        "--tls-port",
        "PORT",
        "--port",
        "0",
        "--tls-auth-clients",
        "yes",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
    ];
    let servers = Servers::with(&[&arguments]).await;
    let service = Service::orders().speaking("redis").endpoint("one", servers.address(0));
    let router = mutual().1.health_check("interval: 2s, timeout: 2s");
    let scene = setup(&safe, service).put("router", router).start().await;
    let answered = async || {
        let answered = scene.admin().metrics().await.count("meta_proxy_upstream_pings_answered_total", &[]);
        if answered > 0 { Ok(()) } else { Err(answered) }
    };
    eventually("pings are encrypted too", answered).await;
    let (own, own_key) = (file("cli.crt"), file("cli.key"));
    let secured = ["--tls", "--sni", HOST, "--cacert", &ca, "--cert", &own, "--key", &own_key];
    let script = "SET a 1\nINCR a\nMULTI\nINCR a\nEXEC\nGET a\nBLPOP none 0.01\n";
    let ran = program("redis-cli", scene.address(), &secured, script).await;
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
    assert!(ran.stdout.starts_with("OK\n2\nOK\nQUEUED\n3\n3\n"), "{}", ran.stdout);

    let front = safe.to_proxy(scene.address()).await;
    let mut client = e2e::redis::connect(front.address()).await;
    let large = "x".repeat(3 << 20);
    assert!(ask(&mut client, &format!("SET large {large}")).await.is_ok());
    assert_eq!(ask(&mut client, "GET large").await.text(), Some(&*large));
    let ran = program("redis-cli", scene.address(), &["PING"], "").await;
    assert!(ran.stdout.is_empty() || ran.stdout.contains("closed"), "{ran:?}");
    scene.end().await;
}

#[tokio::test]
async fn validate_warns_of_files_and_explain_shows_how_it_is_encrypted() {
    let safe = Safe::new();
    let folder = Folder::new();
    let (rule, router) = mutual();
    folder.put("service", Service::orders().endpoint("v1", ([127, 0, 0, 1], 1).into()));
    folder.put("rule", rule);
    folder.put("router", router);
    let path = folder.path().display().to_string();
    let ran = metactl(["validate", &path]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for (object, file) in [("MetaRouter", "front.crt"), ("DestinationRule", "ca.crt")] {
        let is_it = |line: &str| {
            line.starts_with("warning: ")
                && line.contains(&format!("warning: {object} shop/orders ("))
                && line.contains(&format!("on this machine, {path}/{file} cannot be read: No such file"))
        };
        assert!(ran.stdout.lines().any(is_it), "{}", ran.stdout);
    }
    safe.write(folder.path());
    let ran = metactl(["validate", &path]).await;
    assert!(!ran.stdout.contains("warning") && ran.code == Some(0), "{ran:?}");
    let ran = metactl(["explain", &path, "--host", HOST]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let front = format!("tls       MUTUAL with {path}/front.crt, clients checked by {path}/ca.crt\n");
    let back =
        format!("TLS MUTUAL with {path}/back.crt, SNI {ENDPOINT}, checked for {ENDPOINT} by {path}/ca.crt\n");
    assert!(ran.stdout.contains(&front) && ran.stdout.contains(&back), "{}", ran.stdout);
}
