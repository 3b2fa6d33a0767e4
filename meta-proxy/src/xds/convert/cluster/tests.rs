//! Clusters that are good, and what is told of those that are not.

use std::time::Duration;

use ::xds::envoy::envoy::config::cluster::v3::circuit_breakers::Thresholds;
use ::xds::envoy::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, LbConfig, LbPolicy};
use ::xds::envoy::envoy::config::cluster::v3::{self as pb, cluster as parts};
use ::xds::envoy::envoy::config::core::v3 as core;
use ::xds::envoy::google::protobuf::{Any, UInt32Value, UInt64Value, value::Kind};
use ::xds::{Resource, ResourceType, v1};

use crate::model::{self, Discovery, Health, HostPort, Limits, LoadBalancing};
use crate::xds::convert::Converted;
use crate::xds::fixtures::{
    assignment, cluster, convert_good, lb_endpoint, options, policy, refused, resource, seconds,
};

pub fn with(change: impl FnOnce(&mut pb::Cluster)) -> Resource {
    let mut message = cluster("c");
    change(&mut message);
    resource(ResourceType::Cluster, "c", &message)
}

pub fn with_policy(change: impl FnOnce(&mut v1::ClusterPolicy)) -> Resource {
    let mut message = v1::ClusterPolicy { protocol: "tiny".to_owned(), ..Default::default() };
    change(&mut message);
    with(|cluster| cluster.metadata = policy(&message))
}

fn with_dns(hosts: &[(&str, u32)]) -> Resource {
    let hosts = hosts.iter().map(|(host, port)| lb_endpoint(host, *port)).collect();
    with(|cluster| {
        cluster.cluster_discovery_type =
            Some(ClusterDiscoveryType::Type(parts::DiscoveryType::StrictDns.into()));
        cluster.load_assignment = Some(assignment("c", hosts));
    })
}

pub fn good(resource: &Resource) -> model::Cluster {
    let Converted::Cluster(cluster) = convert_good(resource) else { panic!("not a cluster") };
    assert_eq!(cluster.properties.head, ["interface", "method"]);
    model::Cluster::clone(&cluster.model)
}

#[test]
fn a_cluster_that_says_little_has_defaults() {
    let expected = model::Cluster {
        name: "c".to_owned(),
        protocol: "tiny".to_owned(),
        options: codec_api::Options::default(),
        discovery: Discovery::Assigned("c".to_owned()),
        balancing: LoadBalancing::RoundRobin,
        connect_timeout: Duration::from_secs(1),
        idle_timeout: None,
        limits: Limits::default(),
        health: Health { panic_threshold: 50, ..Health::default() },
        tls: None,
    };
    assert_eq!(good(&with(|_| {})), expected);
}

#[test]
fn a_cluster_that_says_much_is_read_whole() {
    let number = |value| Some(UInt32Value { value });
    let mut message = cluster("c");
    message.metadata = policy(&v1::ClusterPolicy {
        protocol: "tiny".to_owned(),
        options: options(&[("limit", Kind::NumberValue(3.0))]),
        idle_timeout: seconds(9),
        ..Default::default()
    });
    let ads = core::config_source::ConfigSourceSpecifier::Ads(core::AggregatedConfigSource {});
    let source = core::ConfigSource {
        config_source_specifier: Some(ads),
        resource_api_version: core::ApiVersion::V3.into(),
        ..Default::default()
    };
    message.eds_cluster_config =
        Some(parts::EdsClusterConfig { eds_config: Some(source), service_name: "s".to_owned() });
    message.lb_policy = LbPolicy::LeastRequest.into();
    let two = parts::LeastRequestLbConfig { choice_count: number(2), ..Default::default() };
    message.lb_config = Some(LbConfig::LeastRequestLbConfig(two));
    message.connect_timeout = seconds(2);
    let thresholds = Thresholds {
        max_connections: number(4),
        max_requests: number(0),
        max_retries: number(5),
        ..Default::default()
    };
    message.circuit_breakers =
        Some(pb::CircuitBreakers { thresholds: vec![thresholds], ..Default::default() });
    let read = good(&resource(ResourceType::Cluster, "c", &message));
    assert_eq!(read.discovery, Discovery::Assigned("s".to_owned()));
    assert_eq!(read.balancing, LoadBalancing::LeastRequest);
    assert_eq!(
        (read.connect_timeout, read.idle_timeout),
        (Duration::from_secs(2), Some(Duration::from_secs(9)))
    );
    let limits =
        Limits { max_connections: Some(4), max_pending: None, max_requests: Some(0), max_retries: Some(5) };
    assert_eq!(read.limits, limits);
    assert_eq!(read.options.0.len(), 1);
}

#[test]
fn a_cluster_of_names_holds_them_once() {
    let host = |host: &str, port| HostPort { host: host.to_owned(), port };
    let read = good(&with_dns(&[("orders.shop", 1), ("10.0.0.1", 2), ("orders.shop", 1)]));
    assert_eq!(read.discovery, Discovery::Dns(vec![host("orders.shop", 1), host("10.0.0.1", 2)]));
}

#[test]
fn endpoints_are_assigned_or_looked_up_by_name() {
    let kind = |kind| with(|cluster| cluster.cluster_discovery_type = kind);
    let served = "EDS and STRICT_DNS are served";
    refused(kind(None), &[&format!("type: STATIC is not supported yet; {served}")]);
    let logical = Some(ClusterDiscoveryType::Type(2));
    refused(kind(logical), &[&format!("type: LOGICAL_DNS is not supported yet; {served}")]);
    refused(
        kind(Some(ClusterDiscoveryType::Type(99))),
        &[&format!("type: 99 is not a type of cluster; {served}")],
    );
    let custom = Some(ClusterDiscoveryType::ClusterType(parts::CustomClusterType::default()));
    refused(kind(custom), &["cluster_type: not supported yet"]);
    let inline = |cluster: &mut pb::Cluster| cluster.load_assignment = Some(assignment("c", vec![]));
    let expected = "load_assignment: must not be set in a cluster of type EDS: its endpoints are a resource";
    refused(with(inline), &[expected]);
    let path =
        core::config_source::ConfigSourceSpecifier::PathConfigSource(core::PathConfigSource::default());
    let source = core::ConfigSource { config_source_specifier: Some(path), ..Default::default() };
    let config = parts::EdsClusterConfig { eds_config: Some(source), ..Default::default() };
    let expected = "eds_cluster_config.eds_config: not supported yet: endpoints come from where their cluster came \
                    from (ads or self)";
    refused(with(|cluster| cluster.eds_cluster_config = Some(config)), &[expected]);
}

#[test]
fn names_that_are_looked_up_are_checked() {
    refused(with_dns(&[]), &["load_assignment.endpoints: must hold an endpoint that may get requests"]);
    let at = "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address";
    let expected = format!("{at}.address: \"a b\" is neither a DNS name nor an IP address");
    refused(with_dns(&[("a b", 1)]), &[&expected]);
    refused(with_dns(&[("a", 0)]), &[&format!("{at}.port_value: 0 is not a port from 1 to 65535")]);
    let strict = Some(ClusterDiscoveryType::Type(parts::DiscoveryType::StrictDns.into()));
    let missing = with(|cluster| cluster.cluster_discovery_type = strict);
    refused(missing, &["load_assignment: must be set in a cluster of type STRICT_DNS"]);
}

#[test]
fn balancing_is_what_is_served() {
    let served = "ROUND_ROBIN, LEAST_REQUEST, RANDOM, RING_HASH and MAGLEV are served";
    let random = with(|cluster| cluster.lb_policy = LbPolicy::Random.into());
    assert_eq!(good(&random).balancing, LoadBalancing::Random);
    let provided = with(|cluster| cluster.lb_policy = LbPolicy::ClusterProvided.into());
    refused(provided, &[&format!("lb_policy: CLUSTER_PROVIDED is not supported yet; {served}")]);
    let unknown = with(|cluster| cluster.lb_policy = 77);
    refused(unknown, &[&format!("lb_policy: 77 is not supported yet; {served}")]);
    let three =
        parts::LeastRequestLbConfig { choice_count: Some(UInt32Value { value: 3 }), ..Default::default() };
    let config = Some(LbConfig::LeastRequestLbConfig(three));
    let other = config.clone();
    refused(
        with(|cluster| cluster.lb_config = other),
        &["lb_config: is not the one of the cluster's lb_policy"],
    );
    let least =
        with(|cluster| (cluster.lb_policy, cluster.lb_config) = (LbPolicy::LeastRequest.into(), config));
    refused(least, &["least_request_lb_config.choice_count: not supported yet"]);
}

/// A cluster that hashes `attribute`, with this configuration of its policy.
fn hashing(attribute: &str, lb_policy: LbPolicy, config: impl Into<Option<LbConfig>>) -> Resource {
    let hash_attribute = attribute.to_owned();
    let message = v1::ClusterPolicy { protocol: "tiny".to_owned(), hash_attribute, ..Default::default() };
    with(|cluster| {
        cluster.metadata = policy(&message);
        (cluster.lb_policy, cluster.lb_config) = (lb_policy.into(), config.into());
    })
}

fn ring(size: u64) -> LbConfig {
    let minimum_ring_size = Some(UInt64Value { value: size });
    let config = parts::RingHashLbConfig { minimum_ring_size, ..Default::default() };
    LbConfig::RingHashLbConfig(config)
}

fn table(size: u64) -> LbConfig {
    let table_size = Some(UInt64Value { value: size });
    LbConfig::MaglevLbConfig(parts::MaglevLbConfig { table_size })
}

#[test]
fn what_is_hashed_and_how_is_read() {
    let attribute = "X-User".to_owned();
    let rings = [
        (None, None),
        (Some(LbConfig::RingHashLbConfig(parts::RingHashLbConfig::default())), None),
        (Some(ring(4096)), Some(4096)),
        (Some(ring(1 << 20)), Some(1 << 20)),
    ];
    for (config, minimum_ring_size) in rings {
        let read = good(&hashing("X-User", LbPolicy::RingHash, config));
        assert_eq!(
            read.balancing,
            LoadBalancing::RingHash { attribute: attribute.clone(), minimum_ring_size }
        );
    }
    let default = Some(LbConfig::MaglevLbConfig(parts::MaglevLbConfig::default()));
    for (config, table_size) in
        [(None, 65_537), (default, 65_537), (Some(table(251)), 251), (Some(table(1_048_573)), 1_048_573)]
    {
        let read = good(&hashing("X-User", LbPolicy::Maglev, config));
        assert_eq!(read.balancing, LoadBalancing::Maglev { attribute: attribute.clone(), table_size });
    }
}

#[test]
fn what_is_hashed_is_named_where_something_is_hashed() {
    for (policy, name) in [(LbPolicy::RingHash, "RING_HASH"), (LbPolicy::Maglev, "MAGLEV")] {
        let expected =
            format!("hash_attribute: must be set where lb_policy is {name}: it names what is hashed");
        refused(hashing("", policy, None), &[&expected]);
        refused(hashing(&"a".repeat(257), policy, None), &["hash_attribute: is longer than 256 bytes"]);
    }
    for (policy, name) in [(LbPolicy::RoundRobin, "ROUND_ROBIN"), (LbPolicy::LeastRequest, "LEAST_REQUEST")] {
        let expected =
            format!("hash_attribute: must not be set where lb_policy is {name}, which hashes nothing");
        refused(hashing("key", policy, None), &[&expected]);
    }
}

#[test]
fn rings_and_tables_that_cannot_be_are_refused() {
    let too_many = "ring_hash_lb_config.minimum_ring_size: must be at most 1048576, not";
    for size in [(1 << 20) + 1, u64::MAX] {
        refused(hashing("key", LbPolicy::RingHash, ring(size)), &[&format!("{too_many} {size}")]);
    }
    let no_prime = "maglev_lb_config.table_size: must be a prime up to 1048576, not";
    for size in [0, 1, 65_536, 5_000_011, (1 << 32) + 1, u64::MAX] {
        refused(hashing("key", LbPolicy::Maglev, table(size)), &[&format!("{no_prime} {size}")]);
    }
    let other = "lb_config: is not the one of the cluster's lb_policy";
    refused(hashing("key", LbPolicy::Maglev, ring(5)), &[other]);
    refused(hashing("key", LbPolicy::RingHash, table(5)), &[other]);
    let unserved = parts::RingHashLbConfig {
        hash_function: parts::ring_hash_lb_config::HashFunction::MurmurHash2.into(),
        maximum_ring_size: Some(UInt64Value { value: 9 }),
        ..Default::default()
    };
    refused(
        hashing("key", LbPolicy::RingHash, LbConfig::RingHashLbConfig(unserved)),
        &[
            "ring_hash_lb_config.hash_function: not supported yet",
            "ring_hash_lb_config.maximum_ring_size: not supported yet",
        ],
    );
}

#[test]
fn limits_are_those_of_the_default_priority() {
    let with_thresholds = |thresholds: Vec<Thresholds>| {
        with(|c| c.circuit_breakers = Some(pb::CircuitBreakers { thresholds, ..Default::default() }))
    };
    let at = "circuit_breakers.thresholds";
    let high = Thresholds { priority: core::RoutingPriority::High.into(), ..Default::default() };
    let expected = format!("{at}[0].priority: not supported yet; the limits of priority DEFAULT are served");
    refused(with_thresholds(vec![high]), &[&expected]);
    let expected = format!("{at}[1]: sets the limits of priority DEFAULT a second time");
    refused(with_thresholds(vec![Thresholds::default(); 2]), &[&expected]);
    let pools = Thresholds { max_connection_pools: Some(UInt32Value { value: 1 }), ..Default::default() };
    refused(with_thresholds(vec![pools]), &[&format!("{at}[0].max_connection_pools: not supported yet")]);
    let per_host = vec![Thresholds::default()];
    let breakers = pb::CircuitBreakers { per_host_thresholds: per_host, ..Default::default() };
    let expected = "circuit_breakers.per_host_thresholds: not supported yet";
    refused(with(|c| c.circuit_breakers = Some(breakers)), &[expected]);
}

#[test]
fn a_cluster_has_a_policy_that_its_codec_accepts() {
    let at = "metadata.typed_filter_metadata[\"metaproxy.v1\"]";
    let expected = format!("{at}: must be set: it names the protocol that the endpoints speak");
    refused(with(|cluster| cluster.metadata = None), &[&expected]);
    let unknown =
        r#"protocol: "smtp" is not a protocol that this proxy speaks; known are tiny, plain, narrow"#;
    refused(with_policy(|policy| policy.protocol = "smtp".to_owned()), &[unknown]);
    let names = options(&[("names", Kind::BoolValue(true))]);
    refused(with_policy(|policy| policy.options = names), &["options.names[0].first: is for clients"]);
    refused(
        with_policy(|policy| policy.idle_timeout = seconds(0)),
        &["idle_timeout: must be longer than 0s"],
    );
    refused(with(|c| c.connect_timeout = seconds(0)), &["connect_timeout: must be longer than 0s"]);
}

#[test]
fn what_a_cluster_would_ignore_is_refused() {
    let resource = with(|cluster| {
        cluster.health_checks = vec![core::HealthCheck::default()];
        cluster.dns_lookup_family = parts::DnsLookupFamily::V6Only.into();
        cluster.typed_extension_protocol_options.insert("k".to_owned(), Any::default());
    });
    let fields = ["health_checks", "typed_extension_protocol_options", "dns_lookup_family"];
    let expected = fields.map(|field| format!("{field}: not supported yet"));
    refused(resource, &expected.each_ref().map(String::as_str));
}
