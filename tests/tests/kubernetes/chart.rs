//! The Helm chart on a real API server: what it renders is accepted, and what it starts serves.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use e2e::admin::Admin;
use e2e::calls::{calling, who};
use e2e::command;
use e2e::eventually::{SOON, off_thread};
use e2e::kubernetes::{Cluster, Server, render};
use peers::dubbo::Client;
use peers::process::{Process, Proxy};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::shop::{SERVICE, Shop, until};

/// Values with a gateway.
pub const GATEWAY: &str =
    "gateway: {enabled: true, listen: [{host: orders.shop.svc.cluster.local, port: 20880}]}";

/// Values that differ from the chart's own as much as they can.
const VARIANTS: [&str; 6] = [
    "",
    GATEWAY,
    "controller: {replicas: 1, namespaces: [shop, mall], rootNamespace: roots, allowCrossNamespace: true, log: debug}",
    "
images: {controller: mine/controller, proxy: mine/proxy, tag: '7', pullPolicy: Always, pullSecrets: [key]}
bind: '[::]'
controller:
  podAnnotations: {a: b}
  nodeSelector: {c: d}
  tolerations: [{key: k, operator: Exists}]
  affinity: {nodeAffinity: {}}
  priorityClassName: high
xds: {tls: {enabled: true, controllerSecret: controller-tls}}
",
    "
xds: {tls: {enabled: true, controllerSecret: c, proxySecret: p, serverName: controller.example}}
gateway:
  enabled: true
  replicas: 3
  concurrency: 4
  accessLog: true
  preStopSeconds: 0
  listen: [{host: a.example, port: 6379}, {host: b.example, port: 6379, bind: 6380}]
  service: {type: LoadBalancer, annotations: {e: f}, externalTrafficPolicy: Local}
  log: debug
",
    "
gateway:
  enabled: true
  replicas: 1
  listen: [{host: a.example, port: 20880}]
  state: {claim: states}
  secrets: [orders-tls, users-tls]
  resources: {}
",
];

/// The pods and containers of all deployments.
pub fn containers(objects: &[Value]) -> Vec<(&Value, &Value)> {
    let pods = deployments(objects).map(|deployment| &deployment["spec"]["template"]["spec"]);
    pods.map(|pod| (pod, &pod["containers"][0])).collect()
}

fn deployments(objects: &[Value]) -> impl Iterator<Item = &Value> {
    objects.iter().filter(|object| object["kind"] == "Deployment")
}

fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

async fn apply(cluster: &Cluster, objects: &[Value]) {
    for object in objects {
        if let Err(error) = cluster.apply_strictly(object).await {
            panic!("{error}:\n{object:#}");
        }
    }
}

#[tokio::test]
async fn every_object_is_accepted_and_its_pods_where_pods_are_restricted() {
    let server = Server::shared().await;
    for values in VARIANTS {
        let cluster = Cluster::of(server).await;
        for name in ["shop", "mall"] {
            cluster.beside(name).await;
        }
        let home = cluster.namespace();
        let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        cluster
            .apply(json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home, "labels": restricted},
            }))
            .await;
        let objects = render(home, values).unwrap_or_else(|error| panic!("{values}: {error}"));
        apply(&cluster, &objects).await;
        for deployment in deployments(&objects) {
            let mut spec = deployment["spec"]["template"]["spec"].clone();
            // There is no admission that knows such classes and accounts.
            spec.as_object_mut().unwrap().remove("priorityClassName");
            let metadata = json!({"name": deployment["metadata"]["name"], "namespace": home});
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
            apply(&cluster, &[pod]).await;
        }
    }
}

#[test]
fn what_belongs_together_finds_each_other() {
    for values in VARIANTS {
        let objects = render("mesh-system", values).unwrap();
        let pods: Vec<_> = deployments(&objects).map(|one| &one["spec"]["template"]).collect();
        let found = |selector: &Value| -> &Value {
            let has = |pod: &&&Value| {
                let labels = &pod["metadata"]["labels"];
                selector.as_object().unwrap().iter().all(|(key, value)| labels[key] == *value)
            };
            let found: Vec<_> = pods.iter().filter(has).collect();
            assert_eq!(found.len(), 1, "{selector} finds one deployment's pods");
            found[0]
        };
        let names = |pod: &Value| -> Vec<Value> {
            let ports = pod["spec"]["containers"][0]["ports"].as_array().unwrap();
            ports.iter().map(|port| port["name"].clone()).collect()
        };
        for service in of_kind(&objects, "Service") {
            let known = names(found(&service["spec"]["selector"]));
            for port in service["spec"]["ports"].as_array().unwrap() {
                assert!(known.contains(&port["targetPort"]), "{port}");
            }
        }
        for deployment in deployments(&objects) {
            let pod = found(&deployment["spec"]["selector"]["matchLabels"]);
            let container = &pod["spec"]["containers"][0];
            for probe in ["readinessProbe", "livenessProbe"] {
                assert!(names(pod).contains(&container[probe]["httpGet"]["port"]), "{container:#}");
            }
            let account = &pod["spec"]["serviceAccountName"];
            assert!(of_kind(&objects, "ServiceAccount").any(|one| one["metadata"]["name"] == *account));
            let is_theirs = |budget: &&Value| {
                budget["spec"]["selector"]["matchLabels"] == deployment["spec"]["selector"]["matchLabels"]
            };
            let budgets = of_kind(&objects, "PodDisruptionBudget").filter(is_theirs).count();
            let replicas = deployment["spec"]["replicas"].as_u64().unwrap();
            assert_eq!(budgets, usize::from(replicas > 1), "{values}: {replicas}");
            // Whoever is asked to stop may first do what it was given time for.
            let grace = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
            let waits = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap_or(0);
            let drain = texts(&container["args"]).into_iter().find_map(|arg| arg.strip_prefix("--drain="));
            assert!(grace > waits + drain.unwrap().parse::<u64>().unwrap(), "{container:#}");
        }
    }
}

#[tokio::test]
async fn the_programs_take_every_command_line() {
    for values in VARIANTS {
        let objects = render("mesh-system", values).unwrap();
        for (_, container) in containers(&objects) {
            let name = container["name"].as_str().unwrap().to_owned();
            let mut program = Command::new(command::sibling(&name));
            // It says what it knows of once it has understood what stands before.
            program.args(texts(&container["args"])).arg("--help");
            let ran = off_thread(move || command::run(program, SOON)).await;
            assert_eq!(ran.code, Some(0), "{name}: {}\n{container:#}", ran.stderr);
        }
    }
}

#[test]
fn a_mistake_in_the_values_is_refused_by_its_path() {
    let rows = [
        ("controller: {replica: 2}", "at '/controller': additional properties 'replica' not allowed"),
        ("controller: {replicas: 0}", "at '/controller/replicas': minimum"),
        ("controller: {namespaces: shop}", "at '/controller/namespaces': got string, want array"),
        ("controller: {namespaces: [Shop]}", "at '/controller/namespaces/0': 'Shop' does not match pattern"),
        ("proxy: {}", "additional properties 'proxy' not allowed"),
        ("bind: localhost", "at '/bind': 'localhost' does not match pattern"),
        ("gateway: {listen: [{host: a.example}]}", "at '/gateway/listen/0': missing property 'port'"),
        (
            "gateway: {listen: [{host: a.example, port: 65536}]}",
            "at '/gateway/listen/0/port': maximum: got 65,536, want 65,535",
        ),
        ("gateway: {service: {type: External}}", "at '/gateway/service/type': value must be one of"),
        ("gateway: {enabled: true}", "gateway.listen: must name the services that the gateway is for"),
        (
            "gateway: {enabled: true, listen: [{host: a, port: 15000}]}",
            "gateway.listen[0]: port 15000 is taken by the admin port; say another one in `bind`",
        ),
        (
            "gateway: {enabled: true, listen: [{host: a, port: 1}, {host: b, port: 2, bind: 1}]}",
            "gateway.listen[1]: port 1 is taken by a; say another one in `bind`",
        ),
        (
            "gateway: {enabled: true, listen: [{host: a, port: 1}], state: {claim: c}}",
            "gateway.state.claim: is for one replica, and gateway.replicas is more",
        ),
        ("xds: {tls: {enabled: true}}", "xds.tls.controllerSecret: must name a secret"),
        (
            "{gateway: {enabled: true, listen: [{host: a, port: 1}]}, xds: {tls: {enabled: true, controllerSecret: c}}}",
            "xds.tls.proxySecret: must name a secret",
        ),
    ];
    for (values, expected) in rows {
        let refusal = render("mesh-system", values).expect_err(values);
        assert!(refusal.contains(expected), "{values}: {refusal}");
    }
}

#[test]
fn the_chart_is_of_the_version_of_the_workspace() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/chart/Chart.yaml");
    let chart: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!((&chart["version"], &chart["appVersion"]), (&own.into(), &own.into()));
}

/// What a pod of the chart would run, on ports of the kernel's choice.
struct Pod {
    container: Value,
    folder: TempDir,
}

impl Pod {
    fn of(objects: &[Value], name: &str) -> Self {
        let containers = containers(objects);
        let (_, container) = containers.into_iter().find(|(_, container)| container["name"] == name).unwrap();
        Self { container: container.clone(), folder: tempfile::tempdir().unwrap() }
    }

    /// Its command line, with its own folder for what is mounted, and what else differs where there is no cluster.
    fn command(&self, namespace: &str, differs: &[(&str, &str)]) -> Command {
        let name = self.container["name"].as_str().unwrap();
        let mut command = Command::new(command::sibling(name));
        let pod = format!("{name}-0");
        for arg in texts(&self.container["args"]) {
            let arg = arg.replace("$(POD_NAME)", &pod).replace("$(POD_NAMESPACE)", namespace);
            let mut arg = arg.replace("/var/lib/meta-proxy", &self.folder.path().display().to_string());
            if let Some(at) = arg.find("0.0.0.0:") {
                arg.replace_range(at.., "127.0.0.1:0");
            }
            for (from, to) in differs {
                arg = arg.replace(from, to);
            }
            command.arg(arg);
        }
        for variable in self.container["env"].as_array().unwrap() {
            let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
                Some("metadata.name") => &pod,
                Some("metadata.namespace") => namespace,
                _ => variable["value"].as_str().unwrap(),
            };
            command.env(variable["name"].as_str().unwrap(), value);
        }
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Fails if it has complained of something.
    fn has_not_complained(&self) {
        let log = std::fs::read_to_string(self.log()).unwrap();
        let is_one =
            |line: &&str| [" WARN ", " ERROR ", "panicked at"].iter().any(|mark| line.contains(mark));
        assert_eq!(log.lines().filter(is_one).collect::<Vec<_>>(), [""; 0]);
    }

    /// Fails unless its probes are answered as they are when all is well.
    async fn is_well(&self, admin: Admin) {
        for probe in ["readinessProbe", "livenessProbe"] {
            let path = self.container[probe]["httpGet"]["path"].as_str().unwrap();
            let page = admin.get(path).await;
            assert_eq!(page.status, 200, "{path}: {}", page.body);
        }
    }
}

/// A controller as the chart starts it.
struct Controller {
    _process: Process,
    pod: Pod,
    xds: String,
    admin: Admin,
}

impl Controller {
    /// With the rights that the chart gives it.
    async fn start(server: &Server, home: &Cluster, objects: &[Value]) -> Self {
        apply(home, objects).await;
        let pod = Pod::of(objects, "controller");
        let account = containers(objects)[0].0["serviceAccountName"].as_str().unwrap().to_owned();
        let config = home.config_of(server, &account).await;
        let mut command = pod.command(home.namespace(), &[]);
        command.env("KUBECONFIG", config);
        let log = pod.log();
        let started = off_thread(move || {
            let mut process = Process::start("controller", &mut command, Some(&log))?;
            let (mut xds, mut admin) = (String::new(), None);
            let end = Instant::now() + SOON;
            loop {
                let line = process.line(end.saturating_duration_since(Instant::now()))?;
                match line.split_once(' ') {
                    Some(("xds", address)) => address.clone_into(&mut xds),
                    Some(("admin", address)) => admin = address.parse().ok(),
                    _ if line == "ready" => return Ok((process, xds, admin.map(Admin::at))),
                    _ => {}
                }
            }
        });
        let (process, xds, admin) =
            started.await.unwrap_or_else(|failed: peers::process::Failed| panic!("{failed}"));
        Self { _process: process, pod, xds, admin: admin.unwrap() }
    }
}

#[tokio::test]
async fn what_it_starts_serves_through_its_gateway_and_writes_status() {
    let server = Server::start().await;
    let shop = Shop::open(&server).await;
    // It has an address that no pod has, and the gateway is not for it.
    shop.cluster.apply(SERVICE.replace("name: orders", "name: others")).await;
    let home = shop.cluster.beside("mesh-system").await;
    let values = GATEWAY.replace("orders.shop", &format!("orders.{}", shop.cluster.namespace()));
    let objects = render(home.namespace(), &values).unwrap();
    let controller = Controller::start(&server, &home, &objects).await;
    controller.pod.is_well(controller.admin).await;

    let gateway = Pod::of(&objects, "meta-proxy");
    let service = format!("meta-proxy-controller.{}.svc:15010", home.namespace());
    let mut command = gateway.command(home.namespace(), &[(&service, &controller.xds)]);
    let log = gateway.log();
    let started = off_thread(move || Proxy::start("meta-proxy", &mut command, Some(&log), "ready")).await;
    let proxy = started.unwrap_or_else(|failed| panic!("{failed}"));
    gateway.is_well(Admin::at(proxy.admin.unwrap())).await;
    let known: Vec<_> = proxy.listening.iter().map(|one| &one.service).collect();
    assert_eq!(known, [&shop.service()]);
    let client = Client::connect(proxy.address(&shop.service()).unwrap()).await.unwrap();
    assert_eq!(who(&client, &calling("any")).await, "v1");
    assert_eq!(until(&shop.cluster, "orders", "Programmed=True Programmed").await, "1 of 1 proxies");
    gateway.has_not_complained();
    controller.pod.has_not_complained();
}

#[tokio::test]
async fn limited_to_namespaces_it_needs_no_rights_in_others() {
    let server = Server::start().await;
    let shop = Shop::open(&server).await;
    let home = shop.cluster.beside("mesh-system").await;
    let [own, other] = [shop.cluster.namespace(), Cluster::of(&server).await.namespace()].map(str::to_owned);
    let objects = render(home.namespace(), &format!("controller: {{namespaces: [{own}]}}")).unwrap();
    let controller = Controller::start(&server, &home, &objects).await;
    controller.pod.is_well(controller.admin).await;
    until(&shop.cluster, "orders", "Programmed=False NoProxies").await;
    controller.pod.has_not_complained();
    let config = home.config_of(&server, "meta-proxy-controller").await;
    let services = |namespace: &str| format!("/api/v1/namespaces/{namespace}/services");
    assert!(!home.may_not(&config, &services(&own)).await, "it may read its own");
    assert!(home.may_not(&config, &services(&other)).await, "it may read no other");
}
