//! `envoy.config.cluster.v3.Cluster` with our policy in its metadata.

mod balancing;
mod health;
#[cfg(test)]
mod health_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ::xds::envoy::envoy::config::cluster::v3::{self as pb, cluster as parts};
use ::xds::envoy::envoy::config::core::v3::{self as core, config_source::ConfigSourceSpecifier};
use ::xds::envoy::google::protobuf::UInt32Value;
use ::xds::{CLUSTER_POLICY_KEY, Resource, v1};
use codec_api::Side;

use crate::model::{self, Discovery, HostPort, Limits};
use crate::tls::Files;
use crate::xds::convert::endpoints::usable;
use crate::xds::convert::mistakes::{Mistakes, refuse_rest, take_set};
use crate::xds::convert::read::{check_name, configure, decode, decode_body, host_port, positive_duration};
use crate::xds::convert::tls;
use crate::xds::{Cluster, Codecs};

pub use balancing::HASH_ATTRIBUTE_LIMIT;
pub use health::{CHECK_THRESHOLD_LIMIT, LONGEST_CHECK_INTERVAL, SHORTEST_CHECK_INTERVAL};

/// How long a connection attempt may take where the cluster does not say.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Characters that a DNS name may have (RFC 1035).
const HOST_LIMIT: usize = 253;

/// Converts a cluster.
pub(crate) fn convert(
    resource: &Resource,
    (codecs, files): (&Codecs, &mut Files),
    mistakes: &mut Mistakes,
) -> Option<Cluster> {
    let mut message: pb::Cluster = decode_body(resource, mistakes)?;
    check_name(resource, "name", &std::mem::take(&mut message.name), mistakes);
    let discovery = discovery(&mut message, &resource.name, mistakes);
    let connect_timeout = positive_duration(message.connect_timeout.take(), "connect_timeout", mistakes);
    let limits = limits(message.circuit_breakers.take(), mistakes);
    let policy = policy(message.metadata.take(), mistakes);
    let hash_attribute = policy.as_ref().map(|policy| policy.hash_attribute.clone());
    let balancing = balancing::read(&mut message, hash_attribute, mistakes);
    let mut health = health::read(&mut message, mistakes);
    let socket = message.transport_socket.take();
    refuse_unserved(message, mistakes);
    let is_secured = socket.is_some();
    let tls = tls::upstream(socket, files, mistakes);

    let policy = policy?;
    let configured = configure(&policy.protocol, policy.options, Side::Upstream, codecs, mistakes);
    let idle_timeout = positive_duration(policy.idle_timeout, "idle_timeout", mistakes);
    let configured = configured?;
    let properties = configured.protocol.properties();
    health.checks = health::checks(policy.health_check, properties, &policy.protocol, mistakes);
    if is_secured && tls.is_none() {
        return None;
    }
    let model = model::Cluster {
        name: resource.name.clone(),
        protocol: policy.protocol,
        options: configured.options,
        discovery: discovery?,
        balancing: balancing?,
        connect_timeout: connect_timeout.unwrap_or(DEFAULT_CONNECT_TIMEOUT),
        idle_timeout,
        limits,
        health,
        tls: tls.as_ref().map(|tls| tls.settings().clone()),
    };
    Some(Cluster { model: Arc::new(model), factory: configured.factory, properties, tls })
}

fn refuse_unserved(message: pb::Cluster, mistakes: &mut Mistakes) {
    #[expect(deprecated, reason = "deprecated fields are refused like the others")]
    {
        refuse_rest!(
            message,
            "",
            mistakes,
            [
                transport_socket_matches,
                transport_socket_matcher,
                alt_stat_name,
                stats_matcher,
                per_connection_buffer_limit_bytes,
                per_connection_buffer_high_watermark_timeout,
                health_checks,
                max_requests_per_connection,
                upstream_http_protocol_options,
                common_http_protocol_options,
                http_protocol_options,
                http2_protocol_options,
                typed_extension_protocol_options,
                dns_refresh_rate,
                dns_jitter,
                dns_failure_refresh_rate,
                respect_dns_ttl,
                dns_lookup_family,
                dns_resolvers,
                use_tcp_for_dns_lookups,
                dns_resolution_config,
                typed_dns_resolver_config,
                wait_for_warm_on_init,
                cleanup_interval,
                upstream_bind_config,
                lb_subset_config,
                protocol_selection,
                upstream_connection_options,
                close_connections_on_host_health_failure,
                ignore_health_on_host_removal,
                filters,
                load_balancing_policy,
                lrs_server,
                lrs_report_endpoint_metrics,
                track_timeout_budgets,
                upstream_config,
                track_cluster_stats,
                preconnect_policy,
                connection_pool_per_downstream_connection,
                queuing_policies,
            ]
        );
    }
}

/// Where endpoints come from.
fn discovery(message: &mut pb::Cluster, name: &str, mistakes: &mut Mistakes) -> Option<Discovery> {
    use parts::{ClusterDiscoveryType, DiscoveryType};

    let (assigned, inline) = (message.eds_cluster_config.take(), message.load_assignment.take());
    let kind = match message.cluster_discovery_type.take() {
        Some(ClusterDiscoveryType::ClusterType(_)) => {
            mistakes.add_unsupported("cluster_type");
            return None;
        }
        // Protocol buffers cannot tell an unset type from the first one.
        None => DiscoveryType::Static,
        Some(ClusterDiscoveryType::Type(kind)) => {
            let Ok(kind) = DiscoveryType::try_from(kind) else {
                let text = format!("{kind} is not a type of cluster; EDS and STRICT_DNS are served");
                mistakes.add("type", text);
                return None;
            };
            kind
        }
    };
    match kind {
        DiscoveryType::Eds => {
            if inline.is_some() {
                mistakes.add(
                    "load_assignment",
                    "must not be set in a cluster of type EDS: its endpoints are a resource",
                );
            }
            let mut service = assigned.unwrap_or_default();
            check_source(service.eds_config.take(), mistakes);
            let assigned =
                Some(std::mem::take(&mut service.service_name)).filter(|service| !service.is_empty());
            Some(Discovery::Assigned(assigned.unwrap_or_else(|| name.to_owned())))
        }
        DiscoveryType::StrictDns => {
            if assigned.is_some() {
                mistakes.add("eds_cluster_config", "must not be set in a cluster of type STRICT_DNS");
            }
            let Some(inline) = inline else {
                mistakes.add("load_assignment", "must be set in a cluster of type STRICT_DNS");
                return None;
            };
            if !inline.cluster_name.is_empty() && inline.cluster_name != name {
                let text = format!("is {:?}, but the cluster is called {name:?}", inline.cluster_name);
                mistakes.add("load_assignment.cluster_name", text);
            }
            let hosts = usable(inline, "load_assignment", dns_host, mistakes)?;
            if hosts.is_empty() {
                mistakes.add("load_assignment.endpoints", "must hold an endpoint that may get requests");
            }
            Some(Discovery::Dns(hosts))
        }
        other => {
            let other = other.as_str_name();
            mistakes.add("type", format!("{other} is not supported yet; EDS and STRICT_DNS are served"));
            None
        }
    }
}

/// Endpoints come from where the cluster came from, and from nowhere else.
fn check_source(source: Option<core::ConfigSource>, mistakes: &mut Mistakes) {
    let Some(mut source) = source else { return };
    let at = "eds_cluster_config.eds_config";
    // There is one version of the API.
    source.resource_api_version = 0;
    let same = matches!(
        source.config_source_specifier.take(),
        None | Some(ConfigSourceSpecifier::Ads(_) | ConfigSourceSpecifier::Self_(_))
    );
    if !same {
        mistakes
            .add(at, "not supported yet: endpoints come from where their cluster came from (ads or self)");
    }
    refuse_rest!(source, at, mistakes, [authorities, initial_fetch_timeout]);
}

fn dns_host(address: Option<core::Address>, at: &str, mistakes: &mut Mistakes) -> Option<HostPort> {
    let (host, port) = host_port(address, at, mistakes)?;
    let wrong = |char: char| char.is_whitespace() || char.is_control();
    if host.len() > HOST_LIMIT || host.contains(wrong) {
        mistakes.add(
            format_args!("{at}.socket_address.address"),
            format!("{host:?} is neither a DNS name nor an IP address"),
        );
        return None;
    }
    Some(HostPort { host, port })
}

/// What is allowed at once. What is not set has no limit.
fn limits(breakers: Option<pb::CircuitBreakers>, mistakes: &mut Mistakes) -> Limits {
    let Some(mut breakers) = breakers else { return Limits::default() };
    let thresholds = std::mem::take(&mut breakers.thresholds);
    refuse_rest!(breakers, "circuit_breakers", mistakes, [per_host_thresholds]);
    let mut limits = Limits::default();
    for (index, mut threshold) in thresholds.into_iter().enumerate() {
        let at = format!("circuit_breakers.thresholds[{index}]");
        if take_set(&mut threshold.priority) {
            mistakes.add(
                format_args!("{at}.priority"),
                "not supported yet; the limits of priority DEFAULT are served",
            );
        } else if index > 0 {
            mistakes.add(&at, "sets the limits of priority DEFAULT a second time");
        }
        let value = |limit: Option<UInt32Value>| limit.map(|limit| limit.value);
        limits = Limits {
            max_connections: value(threshold.max_connections.take()),
            max_pending: value(threshold.max_pending_requests.take()),
            max_requests: value(threshold.max_requests.take()),
            max_retries: value(threshold.max_retries.take()),
        };
        refuse_rest!(threshold, &at, mistakes, [retry_budget, track_remaining, max_connection_pools]);
    }
    limits
}

/// Our policy. Other keys of the metadata are for other readers.
fn policy(metadata: Option<core::Metadata>, mistakes: &mut Mistakes) -> Option<v1::ClusterPolicy> {
    let at = format!("metadata.typed_filter_metadata[{CLUSTER_POLICY_KEY:?}]");
    let metadata = metadata.unwrap_or_default();
    let Some(any) = metadata.typed_filter_metadata.get(CLUSTER_POLICY_KEY) else {
        mistakes.add(at, "must be set: it names the protocol that the endpoints speak");
        return None;
    };
    decode(any, &at, mistakes)
}
