//! Objects as text in, resources as lines out: so that a test is a row.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of this")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a resource that cannot be read is a failed test")]
#![allow(clippy::format_push_string, reason = "lines are put together as they read")]

mod transport;

use std::fs;
use std::path::PathBuf;

use controller::{Controller, Loaded, Options};
use prost::Message;
use xds::envoy::envoy::config::cluster::v3::{Cluster, cluster};
use xds::envoy::envoy::config::core::v3::{Address, address, socket_address};
use xds::envoy::envoy::config::endpoint::v3::{ClusterLoadAssignment, lb_endpoint};
use xds::envoy::envoy::config::listener::v3::{Listener, filter};
use xds::envoy::google::protobuf::{Duration, Struct, value};
use xds::v1::{self, attribute_matcher, value_matcher};
use xds::{Resource, ResourceType};

/// Two endpoints of one host, told apart by a label, and routes that may be put in.
pub const ORDERS: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: orders, namespace: shop}
spec:
  hosts: [orders.shop.svc.cluster.local]
  addresses: [10.0.0.1]
  ports: [{number: 20880, name: tcp-metaprotocol-dubbo, protocol: TCP}]
  resolution: STATIC
  endpoints:
  - {address: 10.1.0.1, labels: {version: v1}}
  - {address: 10.1.0.2, labels: {version: v2}}
";

pub const SUBSETS: &str = "
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: orders, namespace: shop}
spec:
  host: orders.shop.svc.cluster.local
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
";

/// A `MetaRouter` of `shop/orders` with this spec beside its hosts.
pub fn router(spec: &str) -> String {
    format!(
        "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nmetadata: {{name: orders, namespace: shop}}\nspec:\n  \
         hosts: [orders.shop.svc.cluster.local]\n  {}\n",
        spec.trim().replace('\n', "\n  ")
    )
}

/// One file of several documents.
pub fn documents(documents: &[&str]) -> String {
    documents.join("\n---\n")
}

/// What one file comes to; it is called `x.yaml` in what is said about it.
pub fn load(text: &str) -> Result<Loaded, Box<dyn std::error::Error>> {
    load_with(text, &Options::default())
}

pub fn load_with(text: &str, options: &Options) -> Result<Loaded, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("x.yaml");
    fs::write(&path, text)?;
    Ok(Controller::load_once(&[PathBuf::from(folder.path())], options)?)
}

/// What is said, without the folder.
pub fn said(loaded: &Loaded) -> Vec<String> {
    let strip = |text: String| text.split_once("x.yaml:").map_or(text.clone(), |(_, rest)| rest.to_owned());
    loaded.diagnostics.iter().map(|diagnostic| strip(diagnostic.to_string())).collect()
}

/// All resources, a line each; routes a line each.
pub fn lines(loaded: &Loaded) -> Vec<String> {
    loaded.resources.values().flat_map(render).collect()
}

/// The lines that begin so.
pub fn lines_of(loaded: &Loaded, prefix: &str) -> Vec<String> {
    lines(loaded).into_iter().filter(|line| line.starts_with(prefix)).collect()
}

pub fn render(resource: &Resource) -> Vec<String> {
    let body = resource.body.value.as_slice();
    match resource.kind {
        ResourceType::Listener => vec![listener(&Listener::decode(body).unwrap())],
        ResourceType::Cluster => vec![cluster(&Cluster::decode(body).unwrap())],
        ResourceType::Endpoints => {
            let endpoints = ClusterLoadAssignment::decode(body).unwrap();
            vec![format!("endpoints {} {:?}", endpoints.cluster_name, addresses(&endpoints))]
        }
        ResourceType::Routes => {
            let routes = v1::RouteConfiguration::decode(body).unwrap();
            let limits = routes.local_rate_limit.iter().flat_map(limits);
            let limits = limits.map(|line| format!("limit {} {line}", routes.name));
            let lines = routes.routes.iter().map(|entry| format!("route {} {}", routes.name, route(entry)));
            lines.chain(limits).collect()
        }
    }
}

fn listener(listener: &Listener) -> String {
    let filter = &listener.filter_chains[0].filters[0];
    assert_eq!(filter.name, "metaproxy.v1.MetaProxy");
    let Some(filter::ConfigType::TypedConfig(any)) = &filter.config_type else { panic!("no typed config") };
    assert_eq!(any.type_url, "type.googleapis.com/metaproxy.v1.MetaProxy");
    let proxy = v1::MetaProxy::decode(any.value.as_slice()).unwrap();
    let services: Vec<String> = proxy
        .services
        .iter()
        .map(|service| format!("{:?}={}@{}", service.name, service.route_config_name, service.host))
        .collect();
    format!(
        "listener {} {} {}{} {}{}",
        listener.name,
        socket(listener.address.as_ref().unwrap()),
        proxy.protocol,
        options(proxy.options.as_ref()),
        services.join(" "),
        transport::downstream(listener.filter_chains[0].transport_socket.as_ref())
    )
}

fn cluster(cluster: &Cluster) -> String {
    let metadata = cluster.metadata.as_ref().unwrap();
    let any = &metadata.typed_filter_metadata[xds::CLUSTER_POLICY_KEY];
    let policy = v1::ClusterPolicy::decode(any.value.as_slice()).unwrap();
    let Some(cluster::ClusterDiscoveryType::Type(kind)) = &cluster.cluster_discovery_type else {
        panic!("no type")
    };
    let kind = cluster::DiscoveryType::try_from(*kind).unwrap();
    let balancing = cluster::LbPolicy::try_from(cluster.lb_policy).unwrap();
    let mut line = format!(
        "cluster {} {}{} {}",
        cluster.name,
        policy.protocol,
        options(policy.options.as_ref()),
        kind.as_str_name()
    );
    match &cluster.load_assignment {
        Some(endpoints) => line += &format!(" {:?}", addresses(endpoints)),
        None => assert_eq!(cluster.eds_cluster_config.as_ref().unwrap().service_name, cluster.name),
    }
    line += &format!(" {}", balancing.as_str_name());
    match &cluster.lb_config {
        Some(cluster::LbConfig::RingHashLbConfig(ring)) => {
            line += &format!(
                " by {:?} ring={:?}",
                policy.hash_attribute,
                ring.minimum_ring_size.map(|size| size.value)
            );
        }
        Some(cluster::LbConfig::MaglevLbConfig(table)) => {
            line += &format!(
                " by {:?} table={:?}",
                policy.hash_attribute,
                table.table_size.map(|size| size.value)
            );
        }
        other => assert!(other.is_none() && policy.hash_attribute.is_empty(), "{other:?}"),
    }
    if let Some(timeout) = &cluster.connect_timeout {
        line += &format!(" connect={}", seconds(timeout));
    }
    if let Some(timeout) = &policy.idle_timeout {
        line += &format!(" idle={}", seconds(timeout));
    }
    if let Some(breakers) = &cluster.circuit_breakers {
        let limits = &breakers.thresholds[0];
        for (name, limit) in [
            ("connections", limits.max_connections),
            ("pending", limits.max_pending_requests),
            ("requests", limits.max_requests),
            ("retries", limits.max_retries),
        ] {
            line += &limit.map_or_else(String::new, |limit| format!(" {name}={}", limit.value));
        }
    }
    line + &health(cluster, &policy) + &transport::upstream(cluster.transport_socket.as_ref())
}

/// By what endpoints are judged.
fn health(cluster: &Cluster, policy: &v1::ClusterPolicy) -> String {
    let mut line = String::new();
    if let Some(outliers) = &cluster.outlier_detection {
        assert_eq!(outliers.enforcing_success_rate.map(|rate| rate.value), Some(0));
        assert_eq!(outliers.always_eject_one_host.map(|one| one.value), Some(true));
        line += " outliers";
        for (name, count, enforced) in [
            ("errors", outliers.consecutive_5xx, outliers.enforcing_consecutive_5xx),
            ("gateway", outliers.consecutive_gateway_failure, outliers.enforcing_consecutive_gateway_failure),
            ("percent", outliers.max_ejection_percent, None),
        ] {
            let enforced = enforced.map_or_else(String::new, |share| format!("@{}", share.value));
            line += &count.map_or_else(String::new, |count| format!(" {name}={}{enforced}", count.value));
        }
        for (name, time) in [("interval", &outliers.interval), ("base", &outliers.base_ejection_time)] {
            line += &time.as_ref().map_or_else(String::new, |time| format!(" {name}={}", seconds(time)));
        }
    }
    if let Some(check) = &policy.health_check {
        let time = |time: &Option<Duration>| seconds(time.as_ref().unwrap());
        line += &format!(
            " pings each {} in {} {}/{}",
            time(&check.interval),
            time(&check.timeout),
            check.unhealthy_threshold,
            check.healthy_threshold
        );
    }
    if let Some(config) = &cluster.common_lb_config {
        line += &format!(" panic={}", config.healthy_panic_threshold.unwrap().value);
    }
    line
}

fn route(route: &v1::Route) -> String {
    let mut line = route.name.clone();
    for attribute in &route.attributes {
        line += &format!(" {}", matcher(attribute));
    }
    for cluster in &route.clusters {
        line += &format!(" -> {} {}%", cluster.name, cluster.weight);
    }
    if let Some(mirror) = &route.mirror {
        let what = if mirror.writes_only { " of writes" } else { "" };
        line += &format!(" copy{what} {} {}", mirror.cluster, mirror.millionths);
    }
    if let Some(timeout) = &route.timeout {
        line += &format!(" timeout {}", seconds(timeout));
    }
    if let Some(retries) = &route.retries {
        line += &format!(" retries {}", retries.attempts);
        if let Some(timeout) = &retries.per_try_timeout {
            line += &format!(" of {}", seconds(timeout));
        }
        for requests in &retries.idempotent {
            let conditions: Vec<_> = requests.attributes.iter().map(matcher).collect();
            line += &format!(" [{}]", conditions.join(" "));
        }
    }
    if !route.misconfigured.is_empty() {
        line += &format!(" misconfigured {}", route.misconfigured);
    }
    line
}

/// A line for each condition, and one for the default bucket.
fn limits(limit: &v1::LocalRateLimit) -> Vec<String> {
    let bucket = |bucket: Option<&v1::TokenBucket>| {
        let bucket = bucket.unwrap();
        let interval = seconds(bucket.fill_interval.as_ref().unwrap());
        format!("{}+{}/{interval}s", bucket.max_tokens, bucket.tokens_per_fill)
    };
    let condition = |one: &v1::ConditionalBucket| {
        let all: Vec<_> = one.attributes.iter().map(matcher).collect();
        format!("[{}] {}", all.join(" "), bucket(one.token_bucket.as_ref()))
    };
    let default = limit.token_bucket.as_ref().map(|one| format!("else {}", bucket(Some(one))));
    limit.conditions.iter().map(condition).chain(default).collect()
}

fn matcher(attribute: &v1::AttributeMatcher) -> String {
    use attribute_matcher::Matcher as Outer;
    use value_matcher::Matcher as Inner;
    let name = &attribute.name;
    match attribute.matcher.as_ref().unwrap() {
        Outer::Exact(text) => format!("{name}={text}"),
        Outer::Prefix(text) => format!("{name}^{text}"),
        Outer::Regex(text) => format!("{name}~{text}"),
        Outer::Present(present) => format!("{name}?{present}"),
        Outer::Not(inner) => match inner.matcher.as_ref().unwrap() {
            Inner::Exact(text) => format!("!{name}={text}"),
            Inner::Prefix(text) => format!("!{name}^{text}"),
            Inner::Regex(text) => format!("!{name}~{text}"),
            Inner::Present(present) => format!("!{name}?{present}"),
        },
    }
}

fn addresses(endpoints: &ClusterLoadAssignment) -> Vec<String> {
    let all = endpoints.endpoints.iter().flat_map(|locality| &locality.lb_endpoints);
    all.map(|endpoint| match endpoint.host_identifier.as_ref().unwrap() {
        lb_endpoint::HostIdentifier::Endpoint(endpoint) => socket(endpoint.address.as_ref().unwrap()),
        lb_endpoint::HostIdentifier::EndpointName(name) => panic!("endpoint by name {name}"),
    })
    .collect()
}

fn socket(address: &Address) -> String {
    let Some(address::Address::SocketAddress(socket)) = &address.address else { panic!("no socket address") };
    let Some(socket_address::PortSpecifier::PortValue(port)) = socket.port_specifier else {
        panic!("no port")
    };
    format!("{}:{port}", socket.address)
}

fn options(options: Option<&Struct>) -> String {
    let Some(options) = options else { return String::new() };
    let mut fields: Vec<String> = options
        .fields
        .iter()
        .map(|(name, value)| match value.kind.as_ref().unwrap() {
            value::Kind::StringValue(text) => format!("{name}={text}"),
            value::Kind::NumberValue(number) => format!("{name}={number}"),
            other => format!("{name}={other:?}"),
        })
        .collect();
    fields.sort();
    format!("{{{}}}", fields.join(","))
}

fn seconds(duration: &Duration) -> f64 {
    duration.seconds as f64 + f64::from(duration.nanos) / 1e9
}
