//! Models as resources: what they look like on the wire, and their versions.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crds::FreeForm;
use prost::{Message, Name};
use serde_json::Value;
use xds::envoy::envoy::config::cluster::v3 as cluster_v3;
use xds::envoy::envoy::config::cluster::v3::cluster::{LbConfig, LbPolicy, MaglevLbConfig, RingHashLbConfig};
use xds::envoy::envoy::config::core::v3 as core;
use xds::envoy::envoy::config::endpoint::v3 as endpoint_v3;
use xds::envoy::envoy::config::listener::v3 as listener_v3;
use xds::envoy::envoy::r#type::v3::Percent;
use xds::envoy::google::protobuf;
use xds::{Resource, ResourceType, v1};
use xxhash_rust::xxh3::Xxh3;

use super::model::{
    Action, AttributeMatcher, Balancing, Cluster, ClusterId, Discovery, Endpoints, HealthCheck, Listener,
    Matcher, Outliers, RateLimit, Retries, Route, RouteConfiguration, Settings, TokenBucket, Traced,
    ValueMatcher,
};
use super::transport;

/// Name of our filter in a listener.
const FILTER: &str = "metaproxy.v1.MetaProxy";

/// Raised when the same model is written in another way: versions hash the model, and a proxy that comes back after an
/// upgrade is told only what has another version.
const FORM: u32 = 1;

fn resource<T: Hash, M: Message + Name>(
    kind: ResourceType,
    name: String,
    traced: &Traced<T>,
    message: &M,
) -> Resource {
    let mut hasher = Xxh3::new();
    FORM.hash(&mut hasher);
    traced.value.hash(&mut hasher);
    let version = format!("{:016x}", hasher.digest());
    Resource { origins: Arc::from(traced.origins.as_slice()), ..Resource::new(kind, name, version, message) }
}

pub(crate) fn listener(traced: &Traced<Listener>) -> Resource {
    let Listener { gateway, address, port, codec, options, services, tls } = &traced.value;
    let name = match gateway {
        Some(gateway) => xds::names::gateway_listener(gateway, *port),
        None => xds::names::listener(address, *port),
    };
    let service = |service: &super::model::ListenerService| v1::Service {
        name: service.name.clone(),
        route_config_name: service.route_config_name.clone(),
        host: service.host.clone(),
    };
    let proxy = v1::MetaProxy {
        protocol: codec.clone(),
        options: options_struct(options),
        services: services.iter().map(service).collect(),
        idle_timeout: None,
    };
    let filter = listener_v3::Filter {
        name: FILTER.to_owned(),
        config_type: Some(listener_v3::filter::ConfigType::TypedConfig(any(&proxy))),
    };
    let message = listener_v3::Listener {
        name: name.clone(),
        address: Some(socket_address(&address.to_string(), *port)),
        filter_chains: vec![listener_v3::FilterChain {
            filters: vec![filter],
            transport_socket: tls.as_ref().map(transport::downstream),
            ..Default::default()
        }],
        ..Default::default()
    };
    resource(ResourceType::Listener, name, traced, &message)
}

pub(crate) fn routes(traced: &Traced<RouteConfiguration>) -> Resource {
    let RouteConfiguration { name, routes, rate_limit } = &traced.value;
    let message = v1::RouteConfiguration {
        name: name.clone(),
        routes: routes.iter().map(route).collect(),
        local_rate_limit: rate_limit.as_ref().map(local_rate_limit),
    };
    resource(ResourceType::Routes, name.clone(), traced, &message)
}

fn local_rate_limit(limit: &RateLimit) -> v1::LocalRateLimit {
    let bucket = |bucket: &TokenBucket| v1::TokenBucket {
        max_tokens: bucket.max_tokens,
        tokens_per_fill: bucket.tokens_per_fill,
        fill_interval: Some(duration(bucket.fill_interval)),
    };
    let condition = |(matchers, own): &(Vec<AttributeMatcher>, TokenBucket)| v1::ConditionalBucket {
        attributes: matchers.iter().map(attribute).collect(),
        token_bucket: Some(bucket(own)),
    };
    v1::LocalRateLimit {
        token_bucket: limit.default.as_ref().map(bucket),
        conditions: limit.conditions.iter().map(condition).collect(),
    }
}

fn route(route: &Route) -> v1::Route {
    let mut message = v1::Route {
        name: route.name.clone(),
        attributes: route.matchers.iter().map(attribute).collect(),
        ..Default::default()
    };
    match &route.action {
        Action::Misconfigured(problem) => message.misconfigured.clone_from(problem),
        Action::Forward { clusters, mirror, timeout, request_mutation, response_mutation, retries } => {
            let set = |(name, value): &(String, String)| v1::SetAttribute {
                name: name.clone(),
                value: value.clone(),
            };
            message.request_mutation = request_mutation.iter().map(set).collect();
            message.response_mutation = response_mutation.iter().map(set).collect();
            let weighted =
                |(id, weight): &(ClusterId, u32)| v1::WeightedCluster { name: id.name(), weight: *weight };
            message.clusters = clusters.iter().map(weighted).collect();
            message.mirror = mirror.as_ref().map(|mirror| v1::Mirror {
                cluster: mirror.cluster.name(),
                millionths: mirror.millionths,
                writes_only: mirror.writes_only,
            });
            message.timeout = timeout.map(duration);
            message.retries = retries.as_ref().map(wire_retries);
        }
    }
    message
}

fn wire_retries(retries: &Retries) -> v1::Retries {
    let requests = |matchers: &Vec<AttributeMatcher>| v1::Requests {
        attributes: matchers.iter().map(attribute).collect(),
    };
    v1::Retries {
        attempts: retries.attempts,
        per_try_timeout: retries.per_try_timeout.map(duration),
        idempotent: retries.idempotent.iter().map(requests).collect(),
    }
}

fn attribute(attribute: &AttributeMatcher) -> v1::AttributeMatcher {
    use v1::attribute_matcher::Matcher as Outer;
    use v1::value_matcher::Matcher as Inner;
    let matcher = match attribute.matcher.clone() {
        Matcher::Is(ValueMatcher::Exact(text)) => Outer::Exact(text),
        Matcher::Is(ValueMatcher::Prefix(text)) => Outer::Prefix(text),
        Matcher::Is(ValueMatcher::Regex(text)) => Outer::Regex(text),
        Matcher::Is(ValueMatcher::Present(present)) => Outer::Present(present),
        Matcher::Not(value) => Outer::Not(v1::ValueMatcher {
            matcher: Some(match value {
                ValueMatcher::Exact(text) => Inner::Exact(text),
                ValueMatcher::Prefix(text) => Inner::Prefix(text),
                ValueMatcher::Regex(text) => Inner::Regex(text),
                ValueMatcher::Present(present) => Inner::Present(present),
            }),
        }),
    };
    v1::AttributeMatcher { name: attribute.name.clone(), matcher: Some(matcher) }
}

pub(crate) fn cluster(traced: &Traced<Cluster>) -> Resource {
    use cluster_v3::cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig};
    let Cluster { name, host, codec, options, discovery, settings, health_check } = &traced.value;
    let is_judged = settings.outliers.is_some() || health_check.is_some();
    let (lb_policy, lb_config, hash_attribute) = balancing(&settings.balancing);
    let policy = v1::ClusterPolicy {
        protocol: codec.clone(),
        options: options_struct(options),
        idle_timeout: settings.idle_timeout.map(duration),
        hash_attribute,
        health_check: health_check.as_ref().map(check),
    };
    let mut message = cluster_v3::Cluster {
        name: name.clone(),
        connect_timeout: settings.connect_timeout.map(duration),
        lb_policy: lb_policy.into(),
        lb_config,
        circuit_breakers: circuit_breakers(settings),
        outlier_detection: settings.outliers.as_ref().map(outliers),
        common_lb_config: is_judged.then(|| panic_threshold(settings)),
        transport_socket: transport::upstream(&settings.tls, host),
        metadata: Some(core::Metadata {
            typed_filter_metadata: HashMap::from([(xds::CLUSTER_POLICY_KEY.to_owned(), any(&policy))]),
            ..Default::default()
        }),
        ..Default::default()
    };
    let discovery_type = match discovery {
        Discovery::Assigned => {
            message.eds_cluster_config =
                Some(EdsClusterConfig { service_name: name.clone(), eds_config: Some(same_stream()) });
            DiscoveryType::Eds
        }
        Discovery::Dns(names) => {
            let names = names.iter().map(|(host, port)| (host.as_str(), *port));
            message.load_assignment = Some(assignment(name, names));
            DiscoveryType::StrictDns
        }
    };
    message.cluster_discovery_type = Some(ClusterDiscoveryType::Type(discovery_type.into()));
    resource(ResourceType::Cluster, name.clone(), traced, &message)
}

/// Endpoints come by the stream that their cluster came by. Envoy wants to be told so.
fn same_stream() -> core::ConfigSource {
    let ads = core::config_source::ConfigSourceSpecifier::Ads(core::AggregatedConfigSource {});
    core::ConfigSource {
        config_source_specifier: Some(ads),
        resource_api_version: core::ApiVersion::V3.into(),
        ..Default::default()
    }
}

/// How an endpoint is chosen, and the attribute that is hashed, if one is.
fn balancing(balancing: &Balancing) -> (LbPolicy, Option<LbConfig>, String) {
    let wrapped = |value: Option<u64>| value.map(|value| protobuf::UInt64Value { value });
    match balancing {
        Balancing::LeastRequest => (LbPolicy::LeastRequest, None, String::new()),
        Balancing::Random => (LbPolicy::Random, None, String::new()),
        Balancing::RoundRobin => (LbPolicy::RoundRobin, None, String::new()),
        Balancing::RingHash { attribute, minimum_ring_size } => {
            let minimum_ring_size = wrapped(*minimum_ring_size);
            let config = RingHashLbConfig { minimum_ring_size, ..Default::default() };
            (LbPolicy::RingHash, Some(LbConfig::RingHashLbConfig(config)), attribute.clone())
        }
        Balancing::Maglev { attribute, table_size } => {
            let config = MaglevLbConfig { table_size: wrapped(*table_size) };
            (LbPolicy::Maglev, Some(LbConfig::MaglevLbConfig(config)), attribute.clone())
        }
    }
}

fn circuit_breakers(settings: &Settings) -> Option<cluster_v3::CircuitBreakers> {
    let wrapped = |value: Option<u32>| value.map(|value| protobuf::UInt32Value { value });
    let thresholds = cluster_v3::circuit_breakers::Thresholds {
        priority: core::RoutingPriority::Default.into(),
        max_connections: wrapped(settings.max_connections),
        max_pending_requests: wrapped(settings.max_pending_requests),
        max_requests: wrapped(settings.max_requests),
        max_retries: wrapped(settings.max_retries),
        ..Default::default()
    };
    let limits = [
        settings.max_connections,
        settings.max_pending_requests,
        settings.max_requests,
        settings.max_retries,
    ];
    limits
        .iter()
        .any(Option::is_some)
        .then(|| cluster_v3::CircuitBreakers { thresholds: vec![thresholds], ..Default::default() })
}

/// As Istio tells it to Envoy, and one endpoint may always be ejected.
fn outliers(outliers: &Outliers) -> cluster_v3::OutlierDetection {
    let wrapped = |value: u32| Some(protobuf::UInt32Value { value });
    let enforced = |count: u32| wrapped(if count > 0 { 100 } else { 0 });
    let (errors, gateway) = (outliers.consecutive_errors, outliers.consecutive_gateway_errors);
    cluster_v3::OutlierDetection {
        consecutive_5xx: errors.and_then(wrapped),
        enforcing_consecutive_5xx: errors.and_then(enforced),
        consecutive_gateway_failure: gateway.and_then(wrapped),
        enforcing_consecutive_gateway_failure: gateway.and_then(enforced),
        interval: outliers.interval.map(duration),
        base_ejection_time: outliers.base_ejection_time.map(duration),
        max_ejection_percent: outliers.max_ejection_percent.and_then(wrapped),
        enforcing_success_rate: wrapped(0),
        always_eject_one_host: Some(protobuf::BoolValue { value: true }),
        ..Default::default()
    }
}

/// Envoy's own default would be 50.
fn panic_threshold(settings: &Settings) -> cluster_v3::cluster::CommonLbConfig {
    let percent = settings.outliers.as_ref().and_then(|outliers| outliers.min_health_percent).unwrap_or(0);
    cluster_v3::cluster::CommonLbConfig {
        healthy_panic_threshold: Some(Percent { value: percent.into() }),
        ..Default::default()
    }
}

fn check(check: &HealthCheck) -> v1::HealthCheck {
    v1::HealthCheck {
        interval: Some(duration(check.interval)),
        timeout: Some(duration(check.timeout)),
        unhealthy_threshold: check.unhealthy_threshold,
        healthy_threshold: check.healthy_threshold,
    }
}

pub(crate) fn endpoints(traced: &Traced<Endpoints>) -> Resource {
    let Endpoints { name, addresses } = &traced.value;
    let texts: Vec<(String, u16)> =
        addresses.iter().map(|address| (IpAddr::to_string(&address.ip()), address.port())).collect();
    let message = assignment(name, texts.iter().map(|(host, port)| (host.as_str(), *port)));
    resource(ResourceType::Endpoints, name.clone(), traced, &message)
}

fn assignment<'a>(
    name: &str,
    addresses: impl Iterator<Item = (&'a str, u16)>,
) -> endpoint_v3::ClusterLoadAssignment {
    let endpoint = |(host, port): (&str, u16)| endpoint_v3::LbEndpoint {
        host_identifier: Some(endpoint_v3::lb_endpoint::HostIdentifier::Endpoint(endpoint_v3::Endpoint {
            address: Some(socket_address(host, port)),
            ..Default::default()
        })),
        ..Default::default()
    };
    let lb_endpoints: Vec<_> = addresses.map(endpoint).collect();
    let locality = endpoint_v3::LocalityLbEndpoints { lb_endpoints, ..Default::default() };
    endpoint_v3::ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: if locality.lb_endpoints.is_empty() { Vec::new() } else { vec![locality] },
        ..Default::default()
    }
}

fn socket_address(address: &str, port: u16) -> core::Address {
    core::Address {
        address: Some(core::address::Address::SocketAddress(core::SocketAddress {
            address: address.to_owned(),
            port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port.into())),
            ..Default::default()
        })),
    }
}

pub(super) fn any<M: Message + Name>(message: &M) -> protobuf::Any {
    protobuf::Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

fn duration(duration: Duration) -> protobuf::Duration {
    protobuf::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// Options as the wire carries them; none at all where there are none.
fn options_struct(options: &FreeForm) -> Option<protobuf::Struct> {
    (!options.is_empty()).then(|| fields(options))
}

fn fields(options: &FreeForm) -> protobuf::Struct {
    protobuf::Struct {
        fields: options.iter().map(|(name, value)| (name.clone(), wire_value(value))).collect(),
    }
}

fn wire_value(value: &Value) -> protobuf::Value {
    use protobuf::value::Kind;
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or_default()),
        Value::String(value) => Kind::StringValue(value.clone()),
        Value::Array(values) => {
            Kind::ListValue(protobuf::ListValue { values: values.iter().map(wire_value).collect() })
        }
        Value::Object(object) => Kind::StructValue(fields(object)),
    };
    protobuf::Value { kind: Some(kind) }
}
