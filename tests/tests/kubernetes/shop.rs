//! A shop in a namespace of an API server: the service `orders`, its pods, and the proxy that fronts it.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use e2e::calls::started;
use e2e::eventually::eventually;
use e2e::kubernetes::{Cluster, Server};
use e2e::scene::{Scene, Setup};
use peers::dubbo::{Behaviour, Provider};

pub const OURS: &str = "metaprotocol.aeraki.io/v1alpha1";

/// Host of the service, in this namespace.
pub fn host(cluster: &Cluster) -> String {
    format!("orders.{}.svc.cluster.local", cluster.namespace())
}

/// The service, whose port is not that of its pods.
pub const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop}
spec:
  selector: {app: orders}
  ports: [{name: tcp-metaprotocol-dubbo, port: 20880, targetPort: 21880, protocol: TCP}]
";

/// An address of this machine that is not its loopback: an API server takes no other for an endpoint.
pub fn own_address() -> SocketAddr {
    // Nothing is sent; the system only says which of its addresses it would use.
    let found = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(198, 51, 100, 1), 9))?;
        socket.local_addr()
    });
    match found {
        Ok(address) if !address.ip().is_loopback() => SocketAddr::new(address.ip(), 0),
        other => {
            panic!("this machine has no address but its loopback, which no endpoint may have: {other:?}")
        }
    }
}

/// A provider that echoes what `echo` is called with, and answers its label to every other method, at an address that an endpoint may have.
pub async fn provider(label: &str) -> Provider {
    let builder = Provider::builder(label).listen(own_address()).on("echo", Behaviour::Echo);
    started(builder.otherwise(Behaviour::Who)).await
}

/// A pod with this version.
pub fn pod(version: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: orders-{version}, labels: {{app: orders, version: {version}}}}}, \
         spec: {{containers: [{{name: main, image: none}}]}}}}"
    )
}

/// A slice with one endpoint, which is the pod with this version.
pub fn slice(cluster: &Cluster, version: &str, address: SocketAddr) -> String {
    let slice = slice_of("orders", "tcp-metaprotocol-dubbo", version, address);
    slice.replace("namespace: shop", &format!("namespace: {}", cluster.namespace()))
}

/// The same of any service and port.
pub fn slice_of(service: &str, port: &str, version: &str, address: SocketAddr) -> String {
    format!(
        "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {{name: {service}-{version}, \
         labels: {{kubernetes.io/service-name: {service}}}}}, ports: [{{name: {port}, port: {}}}], endpoints: [{{addresses: \
         ['{}'], targetRef: {{kind: Pod, name: orders-{version}, namespace: shop}}}}]}}",
        address.port(),
        address.ip()
    )
}

/// Subsets by version.
pub fn rule(cluster: &Cluster, versions: &[&str]) -> String {
    let mut subsets = String::new();
    for version in versions {
        let _ = write!(subsets, "{{name: {version}, labels: {{version: {version}}}}}, ");
    }
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {{name: orders}}, spec: {{host: {}, subsets: \
         [{subsets}]}}}}",
        host(cluster)
    )
}

/// A router that sends all to a subset; to the whole service if its name is empty.
pub fn router(cluster: &Cluster, subset: &str) -> String {
    let (host, subset) =
        (host(cluster), if subset.is_empty() { String::new() } else { format!(", subset: {subset}") });
    format!(
        "{{apiVersion: {OURS}, kind: MetaRouter, metadata: {{name: orders}}, spec: {{hosts: [{host}], routes: [{{name: all, \
         route: [{{destination: {{host: {host}{subset}}}}}]}}]}}}}"
    )
}

/// A router that the controller takes and no proxy does: the controller knows no attributes, and this one is none that
/// can be set.
pub fn refused_by_proxies(cluster: &Cluster) -> String {
    router(cluster, "v2").replace("name: all", "name: all, requestMutation: [{key: interface, value: x}]")
}

/// Two pods `v1` and `v2` of the service, a subset for each, and all requests go to `v1`.
pub struct Shop {
    pub cluster: Cluster,
    pub providers: [Provider; 2],
}

impl Shop {
    pub async fn open(server: &Server) -> Self {
        let shop = Self::without_subsets(server).await;
        shop.cluster.apply(rule(&shop.cluster, &["v1", "v2"])).await;
        shop.cluster.apply(router(&shop.cluster, "v1")).await;
        shop
    }

    /// The same, but requests go to any of the pods.
    pub async fn without_subsets(server: &Server) -> Self {
        let cluster = Cluster::of(server).await;
        let providers = [provider("v1").await, provider("v2").await];
        cluster.apply(SERVICE).await;
        for (version, provider) in ["v1", "v2"].into_iter().zip(&providers) {
            cluster.apply(pod(version)).await;
            cluster.apply(slice(&cluster, version, provider.address())).await;
        }
        cluster.apply(router(&cluster, "")).await;
        Self { cluster, providers }
    }

    /// Host and port that the proxy fronts.
    pub fn service(&self) -> String {
        format!("{}:20880", host(&self.cluster))
    }

    /// What a proxy beside it starts from, as who may do everything.
    pub fn setup(&self, server: &Server) -> Setup {
        Setup::on_cluster(&server.admin_config(self.cluster.namespace()), self.cluster.namespace())
            .listen(&self.service())
    }

    /// A proxy at work.
    pub async fn scene(&self, server: &Server) -> Scene {
        self.setup(server).start().await
    }
}

/// A condition of an object: its status, reason and message.
pub async fn condition(cluster: &Cluster, name: &str, kind: &str) -> [String; 3] {
    let object = cluster.get(OURS, "MetaRouter", name).await;
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|one| one["type"] == kind).unwrap_or_default();
    // What speaks of an older generation is not yet said.
    if found["observedGeneration"] != object["metadata"]["generation"] {
        return Default::default();
    }
    ["status", "reason", "message"].map(|field| found[field].as_str().unwrap_or_default().to_owned())
}

/// Waits until a condition of a router has this status and reason, and returns its message.
pub async fn until(cluster: &Cluster, name: &str, expected: &str) -> String {
    let (kind, rest) = expected.split_once('=').expect("it is written as Type=Status Reason");
    eventually(&format!("{name}: {expected}"), async || {
        let [status, reason, message] = condition(cluster, name, kind).await;
        if format!("{status} {reason}") == rest {
            Ok(message)
        } else {
            Err(format!("{status} {reason} {message}"))
        }
    })
    .await
}

/// Waits for an event about the router `orders` that says all of this.
pub async fn until_event(cluster: &Cluster, texts: &[&str]) {
    eventually("an event names resource and field", async || {
        let events = cluster.list("events.k8s.io/v1", "Event").await;
        let about = events.iter().filter(|one| one["regarding"]["name"] == "orders");
        let notes: Vec<_> = about.map(|one| one["note"].as_str().unwrap_or_default().to_owned()).collect();
        let is_it = |note: &String| texts.iter().all(|text| note.contains(text));
        if notes.iter().any(is_it) { Ok(()) } else { Err(notes) }
    })
    .await;
}
