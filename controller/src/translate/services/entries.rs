//! Services that `ServiceEntry` objects define.

use std::net::IpAddr;

use crds::istio::{Labels, ServiceEntrySpec, ServicePort, WorkloadEntrySpec};

use super::{Endpoint, INTERFACE, NO_ADDRESS, Port, Service, Services, known_protocol};
use crate::object::{Head, Object, Objects};
use crate::translate::exports::Exports;
use crate::translate::protocols::{self, Protocol, Protocols};
use crate::translate::report::Report;
use crate::tree::FieldPath;

pub(super) fn read<'a>(
    objects: &'a Objects,
    protocols: &Protocols,
    all: &mut Services<'a>,
    report: &mut Report,
) {
    for object in &objects.services {
        if !is_ours(&object.spec) {
            all.others.extend(object.spec.hosts.iter().map(|host| (host.as_str(), &object.head)));
            continue;
        }
        report.unserved(object);
        let Some(host) = host(object, report) else { continue };
        if all.is_free(host, object, &FieldPath::spec().field("hosts").index(0), report) {
            let service = service(object, host, (objects, protocols), report);
            all.take(host, object, service);
        }
    }
}

/// Whether a service has a port that names one of our protocols.
pub(in crate::translate) fn is_ours(spec: &ServiceEntrySpec) -> bool {
    let names_a_protocol =
        |port: &ServicePort| port.name.as_deref().and_then(protocols::of_port_name).is_some();
    spec.ports.iter().any(names_a_protocol)
}

fn host<'a>(object: &'a Object<ServiceEntrySpec>, report: &mut Report) -> Option<&'a str> {
    let hosts = FieldPath::spec().field("hosts");
    let Some(host) = object.spec.hosts.first().filter(|host| !host.is_empty()) else {
        report.error(object, &hosts, "must hold the service's host");
        return None;
    };
    if host.contains('*') {
        report.error(object, &hosts.index(0), format!("wildcard hosts such as {host} are not supported yet"));
        return None;
    }
    for i in 1..object.spec.hosts.len() {
        let message =
            format!("not supported yet, so it has no effect: only the first host, {host}, is served");
        report.warning(object, &hosts.index(i), message);
    }
    Some(host)
}

fn service<'a>(
    object: &'a Object<ServiceEntrySpec>,
    host: &'a str,
    (objects, protocols): (&'a Objects, &Protocols),
    report: &mut Report,
) -> Option<Service<'a>> {
    let is_dns = match object.spec.resolution.as_deref() {
        Some("STATIC") => false,
        Some("DNS") => true,
        other => {
            let message =
                format!("resolution {} is not supported; it must be STATIC or DNS", other.unwrap_or("NONE"));
            report.error(object, &FieldPath::spec().field("resolution"), message);
            return None;
        }
    };
    let addresses = addresses(object, report)?;
    let workloads = workloads(object, objects, is_dns, report)?;
    let mut ports: Vec<Port> = Vec::new();
    for (i, port) in object.spec.ports.iter().enumerate() {
        let path = FieldPath::spec().field("ports").index(i);
        let Some(protocol) = protocol(object, port, &path, protocols, report) else { continue };
        if ports.iter().any(|earlier| earlier.number == port.number) {
            report.error(object, &path.field("number"), format!("port {} stands here twice", port.number));
            continue;
        }
        let endpoints = endpoints(object, host, port, &workloads);
        if endpoints.is_empty() {
            let (field, message) = match object.spec.workload_selector {
                Some(_) => ("workloadSelector", "selects no WorkloadEntry of this namespace"),
                None => ("endpoints", "there are none"),
            };
            let message = format!("{message}; requests to {host} will be answered with an error");
            report.warning(object, &FieldPath::spec().field(field), message);
        }
        ports.push(Port { number: port.number, path, protocol, endpoints });
    }
    let interface = object.annotations.get(INTERFACE).map(String::as_str).filter(|name| !name.is_empty());
    let list = object.spec.export_to.iter().map(String::as_str);
    let exports = Exports::read(list, object, &|i| FieldPath::spec().field("exportTo").index(i), report);
    (!ports.is_empty()).then_some(Service { object, host, addresses, interface, ports, is_dns, exports })
}

fn addresses(object: &Object<ServiceEntrySpec>, report: &mut Report) -> Option<Vec<IpAddr>> {
    if object.spec.addresses.is_empty() {
        return Some(vec![NO_ADDRESS]);
    }
    let mut addresses = Vec::new();
    for (i, text) in object.spec.addresses.iter().enumerate() {
        let path = FieldPath::spec().field("addresses").index(i);
        match text.parse() {
            Ok(address) if !addresses.contains(&address) => addresses.push(address),
            Ok(_) => {}
            Err(_) if text.contains('/') => {
                report.error(
                    object,
                    &path,
                    format!("{text} is a range, which is not supported; name single addresses"),
                );
            }
            Err(_) => report.error(object, &path, format!("{text:?} is not an IP address")),
        }
    }
    (!addresses.is_empty()).then_some(addresses)
}

fn protocol(
    object: &Object<ServiceEntrySpec>,
    port: &ServicePort,
    path: &FieldPath,
    protocols: &Protocols,
    report: &mut Report,
) -> Option<Protocol> {
    let name = port.name.as_deref()?;
    let text = protocols::of_port_name(name)?;
    known_protocol((name, text), protocols)
        .map_err(|message| report.error(object, &path.field("name"), message))
        .ok()
}

/// The endpoints, whatever the port, without those whose address is none; `None` where it is unclear which are meant.
fn workloads<'a>(
    object: &'a Object<ServiceEntrySpec>,
    objects: &'a Objects,
    is_dns: bool,
    report: &mut Report,
) -> Option<Vec<&'a WorkloadEntrySpec>> {
    let spec = &object.spec;
    let mut sound = Vec::new();
    let Some(selector) = &spec.workload_selector else {
        for (i, endpoint) in spec.endpoints.iter().enumerate() {
            let path = FieldPath::spec().field("endpoints").index(i).field("address");
            if has_address(object, endpoint, &path, is_dns, report) {
                sound.push(endpoint);
            }
        }
        return Some(sound);
    };
    let path = FieldPath::spec().field("workloadSelector");
    if !spec.endpoints.is_empty() {
        report.error(object, &path, "endpoints and workloadSelector exclude each other; remove one");
        return None;
    }
    if selector.labels.is_empty() {
        report.error(object, &path, "must have labels");
        return None;
    }
    for workload in &objects.workloads {
        let has = |(name, value): (&String, &String)| workload.spec.labels.get(name) == Some(value);
        if workload.key.namespace == object.key.namespace && selector.labels.iter().all(has) {
            report.unserved(workload);
            if has_address(workload, &workload.spec, &FieldPath::spec().field("address"), is_dns, report) {
                sound.push(&workload.spec);
            }
        }
    }
    Some(sound)
}

/// Whether an endpoint's address is one.
fn has_address(
    object: &Head,
    endpoint: &WorkloadEntrySpec,
    path: &FieldPath,
    is_dns: bool,
    report: &mut Report,
) -> bool {
    let message = match endpoint.address.as_deref() {
        None | Some("") => "is missing".to_owned(),
        Some(text) if text.starts_with("unix:") => {
            format!("{text} is a Unix socket, which is not supported yet")
        }
        Some(text) if !is_dns && text.parse::<IpAddr>().is_err() => {
            format!("{text:?} is not an IP address; names need `resolution: DNS` in their ServiceEntry")
        }
        Some(_) => return true,
    };
    report.error(object, path, message);
    false
}

fn endpoints(
    object: &Object<ServiceEntrySpec>,
    host: &str,
    port: &ServicePort,
    workloads: &[&WorkloadEntrySpec],
) -> Vec<Endpoint> {
    let spec = &object.spec;
    let default = port.target_port.unwrap_or(port.number);
    if spec.resolution.as_deref() == Some("DNS")
        && spec.endpoints.is_empty()
        && spec.workload_selector.is_none()
    {
        return vec![Endpoint { address: host.to_owned(), port: default, labels: Labels::new() }];
    }
    let endpoint = |workload: &&WorkloadEntrySpec| Endpoint {
        address: workload.address.clone().unwrap_or_default(),
        port: port.name.as_ref().and_then(|name| workload.ports.get(name)).copied().unwrap_or(default),
        labels: workload.labels.clone(),
    };
    workloads.iter().map(endpoint).collect()
}
