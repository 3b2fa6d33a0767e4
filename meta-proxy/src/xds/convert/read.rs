//! Reading what several kinds of resource have in common.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::xds::Resource;
use ::xds::envoy::envoy::config::core::v3 as core;
use ::xds::envoy::google::protobuf::{self, Any, value};
use codec_api::{Factory, OptionValue, Options, Protocol, Side};
use prost::{Message, Name};

use crate::xds::Codecs;
use crate::xds::convert::mistakes::{Mistakes, path, refuse_rest};

/// The longest duration that is accepted.
pub const DURATION_LIMIT: Duration = Duration::from_hours(30 * 24);
/// Lists and maps inside each other that a codec's options may have.
pub const OPTIONS_DEPTH_LIMIT: usize = 16;
/// Whole numbers up to this are exact in a `google.protobuf.Value`, which holds a double.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

/// Decodes `any`, which must be an `M`.
pub(crate) fn decode<M: Message + Name + Default>(any: &Any, at: &str, mistakes: &mut Mistakes) -> Option<M> {
    let expected = M::full_name();
    if any.type_url.rsplit('/').next() != Some(&expected) {
        mistakes.add(path(at, "type_url"), format!("{:?} is not the type of a {expected}", any.type_url));
        return None;
    }
    match M::decode(&*any.value) {
        Ok(message) => Some(message),
        Err(error) => {
            mistakes.add(path(at, "value"), format!("does not decode as a {expected}: {error}"));
            None
        }
    }
}

/// Decodes the body of `resource`.
pub(crate) fn decode_body<M: Message + Name + Default>(
    resource: &Resource,
    mistakes: &mut Mistakes,
) -> Option<M> {
    decode(&resource.body, "body", mistakes)
}

/// Checks that the message in `resource` has the resource's name.
pub(crate) fn check_name(resource: &Resource, field: &str, name: &str, mistakes: &mut Mistakes) {
    if name != resource.name {
        mistakes.add(field, format!("is {name:?}, but the resource is called {:?}", resource.name));
    }
}

/// A duration from nothing to [`DURATION_LIMIT`]; `None` if it is not set or wrong.
pub(crate) fn duration(
    value: Option<protobuf::Duration>,
    field: impl std::fmt::Display,
    mistakes: &mut Mistakes,
) -> Option<Duration> {
    let value = value?;
    let parts = u64::try_from(value.seconds).ok().zip(u32::try_from(value.nanos).ok());
    let read = parts
        .filter(|(_, nanos)| *nanos < 1_000_000_000)
        .map(|(seconds, nanos)| Duration::new(seconds, nanos));
    let read = read.filter(|read| *read <= DURATION_LIMIT);
    if read.is_none() {
        let (seconds, nanos) = (value.seconds, value.nanos);
        mistakes.add(field, format!("{seconds} s and {nanos} ns is not a duration from 0s to 30 days"));
    }
    read
}

/// As [`duration`], but more than nothing.
pub(crate) fn positive_duration(
    value: Option<protobuf::Duration>,
    field: &str,
    mistakes: &mut Mistakes,
) -> Option<Duration> {
    let read = duration(value, field, mistakes)?;
    if read.is_zero() {
        mistakes.add(field, "must be longer than 0s");
        return None;
    }
    Some(read)
}

/// As [`positive_duration`], and it must be set.
pub(crate) fn required_duration(
    value: Option<protobuf::Duration>,
    field: &str,
    mistakes: &mut Mistakes,
) -> Option<Duration> {
    if value.is_none() {
        mistakes.add(field, "must be set");
    }
    positive_duration(value, field, mistakes)
}

/// The host and TCP port at `at`.
pub(crate) fn host_port(
    address: Option<core::Address>,
    at: &str,
    mistakes: &mut Mistakes,
) -> Option<(String, u16)> {
    use core::address::Address;
    use core::socket_address::PortSpecifier;

    let mut socket = match address.and_then(|address| address.address) {
        Some(Address::SocketAddress(socket)) => socket,
        Some(Address::Pipe(_)) => {
            mistakes.add_unsupported(path(at, "pipe"));
            return None;
        }
        Some(Address::EnvoyInternalAddress(_)) => {
            mistakes.add_unsupported(path(at, "envoy_internal_address"));
            return None;
        }
        None => {
            mistakes.add(path(at, "socket_address"), "must be set");
            return None;
        }
    };
    let at = &path(at, "socket_address");
    let host = std::mem::take(&mut socket.address);
    if host.is_empty() {
        mistakes.add(path(at, "address"), "must not be empty");
    }
    let port = match socket.port_specifier.take() {
        Some(PortSpecifier::PortValue(port)) => {
            u16::try_from(port).ok().filter(|port| *port != 0).ok_or(port)
        }
        Some(PortSpecifier::NamedPort(_)) => {
            mistakes.add_unsupported(path(at, "named_port"));
            return None;
        }
        None => Err(0),
    };
    if let Err(port) = port {
        mistakes.add(path(at, "port_value"), format!("{port} is not a port from 1 to 65535"));
    }
    refuse_rest!(socket, at, mistakes, [protocol, resolver_name, ipv4_compat, network_namespace_filepath]);
    port.ok().filter(|_| !host.is_empty()).map(|port| (host, port))
}

/// The IP address and TCP port at `at`.
pub(crate) fn socket_address(
    address: Option<core::Address>,
    at: &str,
    mistakes: &mut Mistakes,
) -> Option<SocketAddr> {
    let (host, port) = host_port(address, at, mistakes)?;
    let ip = host.parse::<IpAddr>().ok();
    if ip.is_none() {
        mistakes.add(format_args!("{at}.socket_address.address"), format!("{host:?} is not an IP address"));
    }
    ip.map(|ip| SocketAddr::new(ip, port))
}

/// A protocol that has accepted its options.
pub(crate) struct Configured {
    pub(crate) protocol: Arc<dyn Protocol>,
    pub(crate) options: Options,
    pub(crate) factory: Arc<dyn Factory>,
}

/// Finds the protocol called `name` and has it check the options for one side.
pub(crate) fn configure(
    name: &str,
    options: Option<protobuf::Struct>,
    side: Side,
    codecs: &Codecs,
    mistakes: &mut Mistakes,
) -> Option<Configured> {
    let Some(protocol) = codecs.get(name) else {
        let known = codecs.names().collect::<Vec<_>>().join(", ");
        mistakes
            .add("protocol", format!("{name:?} is not a protocol that this proxy speaks; known are {known}"));
        return None;
    };
    let options = Options(map(options.unwrap_or_default(), "options", OPTIONS_DEPTH_LIMIT, mistakes)?);
    match protocol.configure(side, &options) {
        Ok(factory) => Some(Configured { protocol: Arc::clone(protocol), options, factory }),
        Err(errors) => {
            if errors.is_empty() {
                mistakes.add("options", format!("are refused by the codec of {name}"));
            }
            for error in errors {
                mistakes.add(path("options", &error.path).trim_end_matches('.'), error.message);
            }
            None
        }
    }
}

fn map(
    message: protobuf::Struct,
    at: &str,
    depth: usize,
    mistakes: &mut Mistakes,
) -> Option<BTreeMap<String, OptionValue>> {
    let Some(depth) = depth.checked_sub(1) else {
        mistakes.add(at, format!("is nested deeper than {OPTIONS_DEPTH_LIMIT} lists and maps"));
        return None;
    };
    // Sorted before they are read, so that mistakes come in the same order each time.
    let fields: BTreeMap<_, _> = message.fields.into_iter().collect();
    let read = fields.into_iter().map(|(name, value)| {
        let value = option(value, &path(at, &name), depth, mistakes)?;
        Some((name, value))
    });
    // All are read, for the sake of their mistakes.
    read.collect::<Vec<_>>().into_iter().collect()
}

fn option(message: protobuf::Value, at: &str, depth: usize, mistakes: &mut Mistakes) -> Option<OptionValue> {
    Some(match message.kind {
        None | Some(value::Kind::NullValue(_)) => OptionValue::Null,
        Some(value::Kind::BoolValue(value)) => OptionValue::Bool(value),
        Some(value::Kind::StringValue(value)) => OptionValue::Text(value),
        Some(value::Kind::NumberValue(value)) if !value.is_finite() => {
            mistakes.add(at, format!("{value} is not a number"));
            return None;
        }
        Some(value::Kind::NumberValue(value)) if value.fract() == 0.0 && value.abs() <= EXACT_INTEGERS => {
            OptionValue::Integer(value as i64)
        }
        Some(value::Kind::NumberValue(value)) => OptionValue::Decimal(value.to_string()),
        Some(value::Kind::StructValue(fields)) => OptionValue::Map(map(fields, at, depth, mistakes)?),
        Some(value::Kind::ListValue(list)) => {
            let Some(depth) = depth.checked_sub(1) else {
                mistakes.add(at, format!("is nested deeper than {OPTIONS_DEPTH_LIMIT} lists and maps"));
                return None;
            };
            let read = list.values.into_iter().enumerate();
            let read = read.map(|(index, value)| option(value, &format!("{at}[{index}]"), depth, mistakes));
            OptionValue::List(read.collect::<Vec<_>>().into_iter().collect::<Option<_>>()?)
        }
    })
}
