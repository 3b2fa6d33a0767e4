//! Resources as a control plane would send them, and two protocols, for tests.

#![expect(
    clippy::unnecessary_wraps,
    reason = "fields that hold messages are options, and so is what goes into them"
)]

use std::sync::Arc;
use std::time::Duration;

use ::xds::envoy::envoy::config::{
    cluster::v3 as cluster, core::v3 as core, endpoint::v3 as endpoint, listener::v3 as listener,
};
use ::xds::envoy::google::protobuf::{self, Any};
use ::xds::{CLUSTER_POLICY_KEY, Rejection, Resource, ResourceType, v1};
use codec_api::{
    Codec, Conduct, DecodeError, Decoded, Edits, Factory, LocalReply, OptionError, Options, Out, Outgoing,
    Properties, Protocol, RequestHead, Sharing, Side,
};
use prost::{Message, Name};

use crate::tls::Files;
use crate::xds::Codecs;
use crate::xds::convert::{Converted, convert};

/// A protocol whose only option is `limit`, a number from 1 to 9, and which encodes and decodes nothing.
struct Silent(&'static str, &'static Properties);

static WITH_SERVICES: Properties = properties(&["interface", "method"], Some(0));
static WITHOUT_SERVICES: Properties = Properties { heartbeat: None, ..properties(&["command"], None) };

const fn properties(head: &'static [&'static str], service: Option<usize>) -> Properties {
    Properties {
        head,
        service,
        operation: None,
        id_bits: 64,
        sharing: Sharing::Shared(1),
        request_timeout: Duration::from_secs(1),
        heartbeat: Some(Duration::from_secs(1)),
    }
}

impl Protocol for Silent {
    fn name(&self) -> &'static str {
        self.0
    }

    fn properties(&self) -> &'static Properties {
        self.1
    }

    fn configure(&self, side: Side, options: &Options) -> Result<Arc<dyn Factory>, Vec<OptionError>> {
        // `only` and `integer` together report every mistake.
        let mut mistakes = options.only(&["limit", "names"]).err().unwrap_or_default();
        mistakes.extend(options.integer("limit", 1..=9, 5).err());
        if side == Side::Upstream && options.0.contains_key("names") {
            mistakes.push(OptionError {
                path: "names[0].first".to_owned(),
                message: "is for clients".to_owned(),
            });
        }
        if mistakes.is_empty() { Ok(Arc::new(Silent(self.0, self.1))) } else { Err(mistakes) }
    }
}

impl Factory for Silent {
    fn codec(&self) -> Box<dyn Codec> {
        Box::new(Silent(self.0, self.1))
    }

    fn conduct(&self) -> Conduct {
        let mut conduct = Conduct::default();
        if self.0 == "plain" {
            conduct.edits = Edits::Always;
            conduct.keys = Some("command");
        }
        conduct.has_only_head = self.0 == "narrow";
        conduct
    }
}

impl Codec for Silent {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        Ok(Decoded::need(input.len() + 1))
    }

    fn encode(&mut self, _: &Outgoing<'_>, _: &mut Out) {}

    fn local_reply(&mut self, _: RequestHead, _: LocalReply<'_>, _: &mut Out) {}
}

/// `tiny`, which tells services apart by `interface`, and `plain`, which cannot, but has a place for attributes, and keys; and
/// `narrow`, like `plain`, whose requests have no attributes beside their head's.
pub(crate) fn codecs() -> Codecs {
    Codecs::new(vec![
        Arc::new(Silent("tiny", &WITH_SERVICES)),
        Arc::new(Silent("plain", &WITHOUT_SERVICES)),
        Arc::new(Silent("narrow", &WITHOUT_SERVICES)),
    ])
}

/// A resource of version 1, called as its message is.
pub(crate) fn resource<M: Message + Name>(kind: ResourceType, name: &str, message: &M) -> Resource {
    Resource::new(kind, name.to_owned(), "1".to_owned(), message)
}

pub(crate) fn convert_good(resource: &Resource) -> Converted {
    convert(resource, &codecs(), &mut Files::unread()).unwrap()
}

/// Every mistake in `resource`, as `field: message`.
pub(crate) fn mistakes_of(resource: &Resource) -> Vec<String> {
    let text = |rejection: Rejection| {
        assert_eq!((rejection.kind, &rejection.name), (resource.kind, &resource.name));
        format!("{}: {}", rejection.field, rejection.message)
    };
    convert(resource, &codecs(), &mut Files::unread()).unwrap_err().rejections.into_iter().map(text).collect()
}

/// Checks that `resource` is refused for these mistakes and no others.
#[track_caller]
pub(crate) fn refused(resource: impl std::borrow::Borrow<Resource>, expected: &[&str]) {
    assert_eq!(mistakes_of(resource.borrow()), expected);
}

pub(crate) fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

pub(crate) fn seconds(seconds: i64) -> Option<protobuf::Duration> {
    Some(protobuf::Duration { seconds, nanos: 0 })
}

pub(crate) fn millis(millis: i32) -> Option<protobuf::Duration> {
    Some(protobuf::Duration { seconds: 0, nanos: millis * 1_000_000 })
}

pub(crate) fn options(fields: &[(&str, protobuf::value::Kind)]) -> Option<protobuf::Struct> {
    let value = |kind: &protobuf::value::Kind| protobuf::Value { kind: Some(kind.clone()) };
    Some(protobuf::Struct {
        fields: fields.iter().map(|(name, kind)| ((*name).to_owned(), value(kind))).collect(),
    })
}

pub(crate) fn address(host: &str, port: u32) -> Option<core::Address> {
    let socket = core::SocketAddress {
        address: host.to_owned(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port)),
        ..Default::default()
    };
    Some(core::Address { address: Some(core::address::Address::SocketAddress(socket)) })
}

pub(crate) fn service(name: &str, routes: &str) -> v1::Service {
    v1::Service {
        name: name.to_owned(),
        route_config_name: routes.to_owned(),
        host: "orders.shop".to_owned(),
    }
}

pub(crate) fn meta_proxy() -> v1::MetaProxy {
    v1::MetaProxy {
        protocol: "tiny".to_owned(),
        services: vec![service("", "orders.shop_20880")],
        ..Default::default()
    }
}

pub(crate) fn filter(filter: &v1::MetaProxy) -> listener::Filter {
    let config = listener::filter::ConfigType::TypedConfig(any(filter));
    listener::Filter { name: "metaproxy".to_owned(), config_type: Some(config) }
}

pub(crate) fn listener(name: &str, meta_proxy: &v1::MetaProxy) -> listener::Listener {
    let chain = listener::FilterChain { filters: vec![filter(meta_proxy)], ..Default::default() };
    listener::Listener {
        name: name.to_owned(),
        address: address("127.0.0.1", 20880),
        filter_chains: vec![chain],
        ..Default::default()
    }
}

pub(crate) fn matcher(name: &str, matcher: v1::attribute_matcher::Matcher) -> v1::AttributeMatcher {
    v1::AttributeMatcher { name: name.to_owned(), matcher: Some(matcher) }
}

pub(crate) fn route(name: &str, clusters: &[(&str, u32)]) -> v1::Route {
    let cluster =
        |(name, weight): &(&str, u32)| v1::WeightedCluster { name: (*name).to_owned(), weight: *weight };
    v1::Route {
        name: name.to_owned(),
        clusters: clusters.iter().map(cluster).collect(),
        ..Default::default()
    }
}

pub(crate) fn routes(name: &str, routes: Vec<v1::Route>) -> v1::RouteConfiguration {
    v1::RouteConfiguration { name: name.to_owned(), routes, local_rate_limit: None }
}

pub(crate) fn policy(policy: &v1::ClusterPolicy) -> Option<core::Metadata> {
    let typed = [(CLUSTER_POLICY_KEY.to_owned(), any(policy))].into_iter().collect();
    Some(core::Metadata { typed_filter_metadata: typed, ..Default::default() })
}

pub(crate) fn cluster(name: &str) -> cluster::Cluster {
    use cluster::cluster::{ClusterDiscoveryType, DiscoveryType};
    cluster::Cluster {
        name: name.to_owned(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
        metadata: policy(&v1::ClusterPolicy { protocol: "tiny".to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

pub(crate) fn lb_endpoint(host: &str, port: u32) -> endpoint::LbEndpoint {
    let endpoint = endpoint::Endpoint { address: address(host, port), ..Default::default() };
    let identifier = endpoint::lb_endpoint::HostIdentifier::Endpoint(endpoint);
    endpoint::LbEndpoint { host_identifier: Some(identifier), ..Default::default() }
}

pub(crate) fn assignment(
    name: &str,
    endpoints: Vec<endpoint::LbEndpoint>,
) -> endpoint::ClusterLoadAssignment {
    endpoint::ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: vec![endpoint::LocalityLbEndpoints { lb_endpoints: endpoints, ..Default::default() }],
        ..Default::default()
    }
}
