//! `envoy.config.listener.v3.Listener` with the one filter that is ours.

use std::collections::HashMap;
use std::sync::Arc;

use ::xds::Resource;
use ::xds::envoy::envoy::config::core::v3 as core;
use ::xds::envoy::envoy::config::listener::v3 as pb;
use ::xds::v1;
use codec_api::{Properties, Side};

use crate::model;
use crate::tls::Files;
use crate::xds::convert::mistakes::{Mistakes, refuse_rest};
use crate::xds::convert::read::{
    check_name, configure, decode, decode_body, positive_duration, socket_address,
};
use crate::xds::convert::tls;
use crate::xds::{Codecs, Listener};

/// Services that one listener may have.
pub const SERVICES_LIMIT: usize = 10_000;

/// Converts a listener.
pub(crate) fn convert(
    resource: &Resource,
    (codecs, files): (&Codecs, &mut Files),
    mistakes: &mut Mistakes,
) -> Option<Listener> {
    let mut message: pb::Listener = decode_body(resource, mistakes)?;
    check_name(resource, "name", &std::mem::take(&mut message.name), mistakes);
    let address = socket_address(message.address.take(), "address", mistakes);
    let (filter, socket) = only_filter(std::mem::take(&mut message.filter_chains), mistakes);
    refuse_unserved(message, mistakes);
    let is_secured = socket.is_some();
    let tls = tls::downstream(socket, files, mistakes);

    let filter = filter?;
    let configured = configure(&filter.protocol, filter.options, Side::Downstream, codecs, mistakes);
    let properties = codecs.get(&filter.protocol).map(|protocol| protocol.properties());
    check_names(&filter.services, &filter.protocol, properties, mistakes);
    let services = services(filter.services, mistakes);
    let idle_timeout = positive_duration(filter.idle_timeout, "idle_timeout", mistakes);

    let configured = configured?;
    if is_secured && tls.is_none() {
        return None;
    }
    let properties = configured.protocol.properties();
    let model = model::Listener {
        name: resource.name.clone(),
        address: address?,
        protocol: filter.protocol,
        options: configured.options,
        services,
        idle_timeout,
        tls: tls.as_ref().map(|tls| tls.settings().clone()),
    };
    Some(Listener { model: Arc::new(model), factory: configured.factory, properties, tls })
}

fn refuse_unserved(mut message: pb::Listener, mistakes: &mut Mistakes) {
    // These describe the listener to people and other readers.
    (message.metadata, message.traffic_direction) = (None, 0);
    #[expect(deprecated, reason = "deprecated fields are refused like the others")]
    {
        refuse_rest!(
            message,
            "",
            mistakes,
            [
                additional_addresses,
                stat_prefix,
                stats_matcher,
                fcds_config,
                filter_chain_matcher,
                use_original_dst,
                default_filter_chain,
                per_connection_buffer_limit_bytes,
                per_connection_buffer_high_watermark_timeout,
                deprecated_v1,
                drain_type,
                listener_filters,
                listener_filters_timeout,
                continue_on_listener_filters_timeout,
                transparent,
                freebind,
                socket_options,
                tcp_fast_open_queue_length,
                udp_listener_config,
                api_listener,
                connection_balance_config,
                reuse_port,
                enable_reuse_port,
                access_log,
                tcp_backlog_size,
                max_connections_to_accept_per_socket_event,
                bind_to_port,
                enable_mptcp,
                ignore_global_conn_limit,
                bypass_overload_manager,
                tcp_keepalive,
                listener_specifier,
            ]
        );
    }
}

/// Our filter, which must be the only one of the only filter chain, and how its connections are encrypted.
fn only_filter(
    chains: Vec<pb::FilterChain>,
    mistakes: &mut Mistakes,
) -> (Option<v1::MetaProxy>, Option<core::TransportSocket>) {
    let Some(mut chain) = only(chains, "filter_chains", "filter chain", mistakes) else {
        return (None, None);
    };
    let filters = std::mem::take(&mut chain.filters);
    let socket = chain.transport_socket.take();
    // These describe the chain to people and other readers.
    (chain.name, chain.metadata) = (String::new(), None);
    let at = "filter_chains[0]";
    #[expect(deprecated, reason = "deprecated fields are refused like the others")]
    {
        refuse_rest!(
            chain,
            at,
            mistakes,
            [filter_chain_match, use_proxy_proto, transport_socket_connect_timeout]
        );
    }
    let filter = only(filters, "filter_chains[0].filters", "filter", mistakes);
    (filter.and_then(|filter| our_filter(filter, mistakes)), socket)
}

fn our_filter(filter: pb::Filter, mistakes: &mut Mistakes) -> Option<v1::MetaProxy> {
    let at = "filter_chains[0].filters[0].typed_config";
    match filter.config_type {
        Some(pb::filter::ConfigType::TypedConfig(any)) => decode(&any, at, mistakes),
        Some(pb::filter::ConfigType::ConfigDiscovery(_)) => {
            mistakes.add_unsupported("filter_chains[0].filters[0].config_discovery");
            None
        }
        None => {
            mistakes.add(at, "must be set");
            None
        }
    }
}

fn only<T>(list: Vec<T>, field: &str, what: &str, mistakes: &mut Mistakes) -> Option<T> {
    match <[T; 1]>::try_from(list) {
        Ok([item]) => Some(item),
        Err(list) => {
            mistakes.add(field, format!("must hold exactly one {what}, not {}", list.len()));
            None
        }
    }
}

/// Checks that the names of services tell them apart.
fn check_names(
    services: &[v1::Service],
    protocol: &str,
    properties: Option<&Properties>,
    mistakes: &mut Mistakes,
) {
    let mut seen = HashMap::new();
    for (index, service) in services.iter().enumerate().take(SERVICES_LIMIT) {
        let field = || format!("services[{index}].name");
        if service.name.is_empty() {
            if services.len() > 1 {
                mistakes.add(field(), "must not be empty where a listener has several services");
            }
            continue;
        }
        if properties.is_some_and(|properties| properties.service.is_none()) {
            mistakes.add(
                field(),
                format!("must be empty: {protocol} has no attribute that tells services apart"),
            );
        }
        if let Some(first) = seen.insert(service.name.to_ascii_lowercase(), index) {
            mistakes.add(field(), format!("{:?} is the name of services[{first}] too", service.name));
        }
    }
}

fn services(services: Vec<v1::Service>, mistakes: &mut Mistakes) -> Vec<model::Service> {
    if services.is_empty() {
        mistakes.add("services", "must hold at least one service");
    }
    if services.len() > SERVICES_LIMIT {
        mistakes.add(
            "services",
            format!("holds {} services; at most {SERVICES_LIMIT} are allowed", services.len()),
        );
        return Vec::new();
    }
    let read = services.into_iter().enumerate().map(|(index, service)| {
        if service.route_config_name.is_empty() {
            mistakes.add(format!("services[{index}].route_config_name"), "must not be empty");
        }
        let name = Some(service.name.to_ascii_lowercase()).filter(|name| !name.is_empty());
        model::Service { name, routes: service.route_config_name, host: service.host }
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use ::xds::envoy::envoy::config::core::v3 as core;
    use ::xds::envoy::envoy::config::listener::v3 as pb;
    use ::xds::envoy::google::protobuf::{Duration, ListValue, Value, value::Kind};
    use ::xds::{Resource, ResourceType, v1};
    use codec_api::OptionValue;

    use crate::model::Service;
    use crate::xds::convert::Converted;
    use crate::xds::convert::listener::SERVICES_LIMIT;
    use crate::xds::fixtures::{
        address, any, convert_good, filter, listener, meta_proxy, mistakes_of, options, refused, resource,
        seconds, service,
    };

    fn with_filter(change: impl FnOnce(&mut v1::MetaProxy)) -> Resource {
        let mut filter = meta_proxy();
        change(&mut filter);
        resource(ResourceType::Listener, "l", &listener("l", &filter))
    }

    fn with_listener(change: impl FnOnce(&mut pb::Listener)) -> Resource {
        let mut message = listener("l", &meta_proxy());
        change(&mut message);
        resource(ResourceType::Listener, "l", &message)
    }

    fn with_address(host: &str, port: u32) -> Resource {
        with_listener(|l| l.address = address(host, port))
    }

    #[test]
    fn a_good_listener_is_read_whole() {
        let mut filter = meta_proxy();
        filter.services = vec![service("Shop.Orders", "orders_20880"), service("shop.Users", "users_20880")];
        filter.idle_timeout = seconds(60);
        filter.options = options(&[("limit", Kind::NumberValue(7.0))]);
        let mut message = listener("l", &filter);
        message.address = address("::1", 65535);
        message.traffic_direction = core::TrafficDirection::Outbound.into();
        message.filter_chains[0].name = "label".to_owned();
        let Converted::Listener(listener) = convert_good(&resource(ResourceType::Listener, "l", &message))
        else {
            panic!("not a listener")
        };
        let model = &listener.model;
        assert_eq!((model.name.as_str(), model.address.to_string().as_str()), ("l", "[::1]:65535"));
        assert_eq!(
            (model.protocol.as_str(), model.idle_timeout),
            ("tiny", Some(std::time::Duration::from_mins(1)))
        );
        assert_eq!(model.options.0["limit"], OptionValue::Integer(7));
        let service = |name: &str, routes: &str| Service {
            name: Some(name.to_owned()),
            routes: routes.to_owned(),
            host: "orders.shop".to_owned(),
        };
        assert_eq!(
            model.services,
            [service("shop.orders", "orders_20880"), service("shop.users", "users_20880")]
        );
        assert_eq!(listener.properties.head, ["interface", "method"]);

        let Converted::Listener(listener) = convert_good(&with_filter(|_| {})) else {
            panic!("not a listener")
        };
        assert_eq!((&listener.model.services[0].name, listener.model.idle_timeout), (&None, None));
    }

    #[test]
    fn a_listener_has_an_address() {
        refused(
            with_listener(|l| l.name = "m".to_owned()),
            &[r#"name: is "m", but the resource is called "l""#],
        );
        refused(with_listener(|l| l.address = None), &["address.socket_address: must be set"]);
        let at = "address.socket_address";
        refused(
            with_address("localhost", 1),
            &[&format!("{at}.address: \"localhost\" is not an IP address")],
        );
        refused(with_address("", 1), &[&format!("{at}.address: must not be empty")]);
        refused(with_address("::1", 0), &[&format!("{at}.port_value: 0 is not a port from 1 to 65535")]);
        refused(
            with_address("::1", 65536),
            &[&format!("{at}.port_value: 65536 is not a port from 1 to 65535")],
        );
        let of =
            |socket| Some(core::Address { address: Some(core::address::Address::SocketAddress(socket)) });
        let named = core::SocketAddress {
            address: "::1".to_owned(),
            protocol: core::socket_address::Protocol::Udp.into(),
            port_specifier: Some(core::socket_address::PortSpecifier::NamedPort("rpc".to_owned())),
            ..Default::default()
        };
        let port = named.clone();
        refused(with_listener(|l| l.address = of(port)), &[&format!("{at}.named_port: not supported yet")]);
        let udp = core::SocketAddress {
            port_specifier: Some(core::socket_address::PortSpecifier::PortValue(1)),
            ..named
        };
        refused(with_listener(|l| l.address = of(udp)), &[&format!("{at}.protocol: not supported yet")]);
        let pipe = core::Address { address: Some(core::address::Address::Pipe(core::Pipe::default())) };
        refused(with_listener(|l| l.address = Some(pipe)), &["address.pipe: not supported yet"]);
    }

    #[test]
    fn a_listener_holds_our_filter_alone() {
        let chains = "filter_chains: must hold exactly one filter chain, not";
        refused(with_listener(|l| l.filter_chains.clear()), &[&format!("{chains} 0")]);
        refused(
            with_listener(|l| l.filter_chains.push(pb::FilterChain::default())),
            &[&format!("{chains} 2")],
        );
        let more = |l: &mut pb::Listener| l.filter_chains[0].filters.push(filter(&meta_proxy()));
        refused(with_listener(more), &["filter_chains[0].filters: must hold exactly one filter, not 2"]);
        let at = "filter_chains[0].filters[0].typed_config";
        let with_config = |config| with_listener(|l| l.filter_chains[0].filters[0].config_type = config);
        refused(with_config(None), &[&format!("{at}: must be set")]);
        let typed = |any| with_config(Some(pb::filter::ConfigType::TypedConfig(any)));
        let mirror =
            "\"type.googleapis.com/metaproxy.v1.Mirror\" is not the type of a metaproxy.v1.MetaProxy";
        refused(typed(any(&v1::Mirror::default())), &[&format!("{at}.type_url: {mirror}")]);
        let mut cut = any(&meta_proxy());
        cut.value.truncate(3);
        let mistakes = mistakes_of(&typed(cut));
        assert!(
            mistakes[0].starts_with(&format!("{at}.value: does not decode as a metaproxy.v1.MetaProxy: "))
        );
    }

    #[test]
    fn what_a_listener_would_ignore_is_refused() {
        refused(with_listener(|l| l.stat_prefix = "p".to_owned()), &["stat_prefix: not supported yet"]);
        let inspector = |l: &mut pb::Listener| l.listener_filters.push(pb::ListenerFilter::default());
        refused(with_listener(inspector), &["listener_filters: not supported yet"]);
    }

    #[test]
    fn options_are_what_the_codec_accepts() {
        let unknown =
            r#"protocol: "smtp" is not a protocol that this proxy speaks; known are tiny, plain, narrow"#;
        refused(with_filter(|f| f.protocol = "smtp".to_owned()), &[unknown]);
        let with = |fields: &[(&str, Kind)]| with_filter(|f| f.options = options(fields));
        refused(
            with(&[("limit", Kind::NumberValue(0.5)), ("colour", Kind::BoolValue(true))]),
            &[
                "options.colour: unknown option; known are limit, names",
                "options.limit: 0.5 is not a whole number from 1 to 9",
            ],
        );
        refused(with(&[("limit", Kind::NumberValue(f64::NAN))]), &["options.limit: NaN is not a number"]);
        let list = |value| Kind::ListValue(ListValue { values: vec![Value { kind: Some(value) }] });
        let deep = (0..20).fold(Kind::BoolValue(true), |inner, _| list(inner));
        let at = format!("options.names{}", "[0]".repeat(15));
        refused(with(&[("names", deep)]), &[&format!("{at}: is nested deeper than 16 lists and maps")]);
    }

    #[test]
    fn services_are_told_apart_by_their_names() {
        let with_services = |services: Vec<v1::Service>| with_filter(|f| f.services = services);
        let named =
            |names: &[&str]| with_services(names.iter().map(|name| service(name, "routes")).collect());
        refused(named(&[]), &["services: must hold at least one service"]);
        let empty = "services[1].name: must not be empty where a listener has several services";
        refused(named(&["a", ""]), &[empty]);
        let twice = r#"services[2].name: "Shop.orders" is the name of services[0] too"#;
        refused(named(&["shop.Orders", "b", "Shop.orders"]), &[twice]);
        refused(with_services(vec![service("", "")]), &["services[0].route_config_name: must not be empty"]);
        let plain =
            |f: &mut v1::MetaProxy| (f.protocol, f.services[0].name) = ("plain".to_owned(), "a".to_owned());
        let expected = "services[0].name: must be empty: plain has no attribute that tells services apart";
        refused(with_filter(plain), &[expected]);
        let many = (0..=SERVICES_LIMIT).map(|number| service(&format!("s{number}"), "routes")).collect();
        refused(with_services(many), &["services: holds 10001 services; at most 10000 are allowed"]);
    }

    #[test]
    fn an_idle_timeout_is_more_than_nothing_and_at_most_thirty_days() {
        let rows = [
            (0, "must be longer than 0s"),
            (-1, "-1 s and 0 ns is not a duration from 0s to 30 days"),
            (30 * 86400 + 1, "2592001 s and 0 ns is not a duration from 0s to 30 days"),
        ];
        for (value, message) in rows {
            refused(with_filter(|f| f.idle_timeout = seconds(value)), &[&format!("idle_timeout: {message}")]);
        }
        let nanos = Some(Duration { seconds: 1, nanos: 1_000_000_000 });
        let expected = "idle_timeout: 1 s and 1000000000 ns is not a duration from 0s to 30 days";
        refused(with_filter(|f| f.idle_timeout = nanos), &[expected]);
    }

    #[test]
    fn all_mistakes_of_a_listener_are_told_at_once() {
        let resource = with_listener(|l| {
            let mut broken = meta_proxy();
            (broken.protocol, broken.idle_timeout) = (String::new(), seconds(0));
            l.address = None;
            l.filter_chains[0].filters = vec![filter(&broken)];
        });
        let expected = [
            "address.socket_address: must be set",
            r#"protocol: "" is not a protocol that this proxy speaks; known are tiny, plain, narrow"#,
            "idle_timeout: must be longer than 0s",
        ];
        refused(resource, &expected);
    }
}
