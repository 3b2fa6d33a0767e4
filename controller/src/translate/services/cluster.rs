//! Services of the cluster: `Service` objects, and the `EndpointSlice` objects that say where their endpoints are.
//!
//! A slice knows the ports of its endpoints, so `targetPort` is never looked at. Endpoints that are not ready are left
//! out, unless none is: then those that still serve while they terminate are better than nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crds::istio::Labels;
use crds::kubernetes::{EndpointConditions, EndpointSliceSpec, SERVICE_LABEL, ServicePort, ServiceSpec};

use super::{Endpoint, INTERFACE, NO_ADDRESS, Port, Service, Services, known_protocol};
use crate::object::{Object, Objects};
use crate::translate::exports::Exports;
use crate::translate::protocols::{self, Protocols};
use crate::translate::report::Report;
use crate::tree::FieldPath;

/// What `appProtocol` begins with where it names one of our protocols.
const APP_PROTOCOL: &str = "metaprotocol/";

/// The annotation that says whose clients see the service: what `exportTo` holds elsewhere, with commas between.
const EXPORT_TO: &str = "networking.istio.io/exportTo";

/// The slices of each service, by its namespace and name.
type Slices<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a EndpointSliceSpec>>;

pub(super) fn read<'a>(
    objects: &'a Objects,
    protocols: &Protocols,
    all: &mut Services<'a>,
    report: &mut Report,
) {
    let mut slices = Slices::new();
    for slice in &objects.slices {
        if let Some(service) = slice.labels.get(SERVICE_LABEL) {
            slices.entry((&slice.key.namespace, service)).or_default().push(&slice.spec);
        }
    }
    for object in &objects.cluster_services {
        let host = object.spec.host.as_str();
        let service = if is_ours(&object.spec) {
            let own = slices.get(&(object.key.namespace.as_str(), object.key.name.as_str()));
            service(object, own.map_or(&[], Vec::as_slice), protocols, report)
        } else {
            None
        };
        all.take(host, object, service);
    }
}

/// Whether a service has a port that names one of our protocols.
pub(in crate::translate) fn is_ours(spec: &ServiceSpec) -> bool {
    spec.ports.iter().any(|port| protocol_of(port).is_some())
}

/// What a port says of its protocol: as the user wrote it, the part that names one of ours, and where that stands.
fn protocol_of(port: &ServicePort) -> Option<((&str, &str), &'static str)> {
    let of_application = || {
        let text = port.app_protocol.as_deref()?;
        Some(((text, text.strip_prefix(APP_PROTOCOL)?), "appProtocol"))
    };
    let of_name = || {
        let name = port.name.as_deref()?;
        Some(((name, protocols::of_port_name(name)?), "name"))
    };
    of_application().or_else(of_name)
}

fn service<'a>(
    object: &'a Object<ServiceSpec>,
    slices: &[&EndpointSliceSpec],
    protocols: &Protocols,
    report: &mut Report,
) -> Option<Service<'a>> {
    let spec = &object.spec;
    let is_dns = spec.kind.as_deref() == Some("ExternalName");
    let mut ports: Vec<Port> = Vec::new();
    for (i, port) in spec.ports.iter().enumerate() {
        let path = FieldPath::spec().field("ports").index(i);
        let Some((named, field)) = protocol_of(port) else { continue };
        let protocol = match known_protocol(named, protocols) {
            Ok(protocol) => protocol,
            Err(message) => {
                report.error(object, &path.field(field), message);
                continue;
            }
        };
        if port.protocol.as_deref().is_some_and(|transport| transport != "TCP") {
            report.error(
                object,
                &path.field("protocol"),
                "must be TCP where a port names one of our protocols",
            );
            continue;
        }
        let endpoints = if is_dns { external(spec, port) } else { endpoints(spec, port, slices) };
        if endpoints.is_empty() {
            let message =
                format!("no endpoint is ready; requests to {} will be answered with an error", spec.host);
            report.warning(object, &path, message);
        }
        ports.push(Port { number: port.port, path, protocol, endpoints });
    }
    let interface = object.annotations.get(INTERFACE).map(String::as_str).filter(|name| !name.is_empty());
    let addresses = addresses(spec);
    let list = object.annotations.get(EXPORT_TO).map(String::as_str).unwrap_or_default();
    let path = FieldPath::root().field("metadata").field("annotations").field(EXPORT_TO);
    let list = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    let exports = Exports::read(list, object, &|_| path.clone(), report);
    let host = &spec.host;
    (!ports.is_empty()).then_some(Service { object, host, addresses, interface, ports, is_dns, exports })
}

/// Where clients connect to: a headless service has no address.
pub(in crate::translate) fn addresses(spec: &ServiceSpec) -> Vec<IpAddr> {
    let texts = if spec.cluster_ips.is_empty() { spec.cluster_ip.as_slice() } else { &spec.cluster_ips };
    let addresses: Vec<IpAddr> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    if addresses.is_empty() { vec![NO_ADDRESS] } else { addresses }
}

fn external(spec: &ServiceSpec, port: &ServicePort) -> Vec<Endpoint> {
    let endpoint = |name: &String| Endpoint { address: name.clone(), port: port.port, labels: Labels::new() };
    spec.external_name.iter().filter(|name| !name.is_empty()).map(endpoint).collect()
}

/// The endpoints of a port, each address once though it stands in several slices, as it may while it moves from one to
/// another.
fn endpoints(spec: &ServiceSpec, port: &ServicePort, slices: &[&EndpointSliceSpec]) -> Vec<Endpoint> {
    // A service of two families has slices for both, of the same endpoints.
    let preferred = spec.ip_families.first().map_or("IPv4", String::as_str);
    let has_preferred = slices.iter().any(|slice| slice.address_type == preferred);
    let fitting = slices.iter().filter(|slice| {
        if has_preferred { slice.address_type == preferred } else { slice.address_type != "FQDN" }
    });
    let (mut ready, mut leaving) = (Vec::new(), Vec::new());
    let (mut seen, mut seen_leaving) = (BTreeSet::new(), BTreeSet::new());
    for slice in fitting {
        let name = port.name.as_deref().unwrap_or_default();
        let is_it = |known: &&crds::kubernetes::SlicePort| known.name.as_deref().unwrap_or_default() == name;
        let Some(number) = slice.ports.iter().find(is_it).and_then(|port| port.port) else { continue };
        for endpoint in &slice.endpoints {
            let Some(address) = endpoint.addresses.first() else { continue };
            let (to, seen) = match state(&endpoint.conditions) {
                State::Ready => (&mut ready, &mut seen),
                State::Leaving => (&mut leaving, &mut seen_leaving),
                State::Away => continue,
            };
            if seen.insert((address.as_str(), number)) {
                to.push(Endpoint { address: address.clone(), port: number, labels: endpoint.labels.clone() });
            }
        }
    }
    if ready.is_empty() { leaving } else { ready }
}

/// What may be sent to an endpoint.
enum State {
    /// Requests.
    Ready,
    /// Requests, if there is nobody else.
    Leaving,
    /// Nothing.
    Away,
}

fn state(conditions: &EndpointConditions) -> State {
    let is_ready = conditions.ready.unwrap_or(true);
    let is_leaving = conditions.terminating.unwrap_or(false) && conditions.serving.unwrap_or(is_ready);
    match (is_ready, is_leaving) {
        (true, _) => State::Ready,
        (false, true) => State::Leaving,
        (false, false) => State::Away,
    }
}
