//! The addresses that clients connect to. Services that share one are told apart by what their messages name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::exports::{Exports, Reach};
use super::model::{Listener, ListenerService, ServerTls, Traced};
use super::report::Report;
use super::routers::Routers;
use super::services::{Port, Service, Services};
use crate::tree::FieldPath;

type Member<'s, 'a> = (&'s Service<'a>, &'s Port);

/// All listeners, by address and port.
pub(crate) fn all(
    services: &Services<'_>,
    routers: &Routers<'_>,
    report: &mut Report,
) -> Vec<Traced<Listener>> {
    let mut places: BTreeMap<(IpAddr, u16), Vec<Member<'_, '_>>> = BTreeMap::new();
    for service in services.iter().filter(|service| !routers.is_closed(service.host)) {
        for port in &service.ports {
            for address in &service.addresses {
                places.entry((*address, port.number)).or_default().push((service, port));
            }
        }
    }
    let build = |(place, mut members): ((IpAddr, u16), Vec<Member<'_, '_>>)| {
        // The oldest is first, and what collides with it is left out.
        members.sort_by_key(|(service, _)| (service.object.created, &service.object.key));
        listener(place, &members, routers, report)
    };
    places.into_iter().filter_map(build).collect()
}

/// Those of gateways, by gateway and port: at every address that the machine has.
pub(crate) fn of_gateways(
    services: &Services<'_>,
    routers: &Routers<'_>,
    report: &mut Report,
) -> Vec<Traced<Listener>> {
    let mut places: BTreeMap<(&str, u16), Vec<Member<'_, '_>>> = BTreeMap::new();
    for service in services.iter().filter(|service| !routers.is_closed(service.host)) {
        let gateways = routers.reach(service.host).into_iter().flat_map(|reach| &reach.gateways);
        for (gateway, port) in
            gateways.flat_map(|gateway| service.ports.iter().map(move |port| (gateway, port)))
        {
            places.entry((gateway, port.number)).or_default().push((service, port));
        }
    }
    let build = |((gateway, port), mut members): ((&str, u16), Vec<Member<'_, '_>>)| {
        members.sort_by_key(|(service, _)| (service.object.created, &service.object.key));
        let mut built = listener((IpAddr::V4(Ipv4Addr::UNSPECIFIED), port), &members, routers, report)?;
        built.value.gateway = Some(gateway.to_owned());
        let gateways = BTreeSet::from([gateway.to_owned()]);
        (built.exports, built.reach) = (Exports::All, Some(Reach { is_for_mesh: false, gateways }));
        Some(built)
    };
    places.into_iter().filter_map(build).collect()
}

fn listener(
    (address, port): (IpAddr, u16),
    members: &[Member<'_, '_>],
    routers: &Routers<'_>,
    report: &mut Report,
) -> Option<Traced<Listener>> {
    let (first, first_port) = members.first()?;
    let codec = &first_port.protocol.codec;
    let options = routers.downstream_options(first.host, &first_port.protocol.options);
    let mut kept: Vec<(Member<'_, '_>, String)> = Vec::new();
    for (service, own_port) in members {
        let name = service.interface.unwrap_or(service.host).to_owned();
        if let Some(message) = collision(&kept, (service, own_port), &name) {
            let place = format!("{address} port {port} is taken by {}", first.object.describe());
            report.error(service.object, &own_port.path, format!("{place}{message}"));
            continue;
        }
        if let Some(message) = disagreement(routers, first.host, service.host) {
            let message = format!(
                "hosts {} and {} share {address} port {port}, so {message}",
                first.host, service.host
            );
            match routers.get(service.host).or_else(|| routers.get(first.host)) {
                Some(router) => report.error(router, &FieldPath::spec().field("tls"), message),
                None => report.error(service.object, &own_port.path, message),
            }
            continue;
        }
        kept.push(((service, own_port), name));
        if routers.downstream_options(service.host, &own_port.protocol.options) != options
            && let Some(router) = routers.get(service.host).or_else(|| routers.get(first.host))
        {
            let message = format!(
                "hosts {} and {} share {address} port {port}, so their options must be the same; those of {} are in force",
                first.host, service.host, first.host
            );
            report.error(router, &FieldPath::spec().field("options").field("downstream"), message);
        }
    }
    let is_alone = kept.len() == 1;
    let service = |((service, own_port), name): &(Member<'_, '_>, String)| ListenerService {
        // Alone, it takes every message, unless its annotation says which are its own.
        name: if is_alone && (service.interface.is_none() || !own_port.protocol.names_services()) {
            String::new()
        } else {
            name.clone()
        },
        route_config_name: xds::names::route_config(service.host, port),
        host: service.host.to_owned(),
    };
    let services = kept.iter().map(service).collect();
    let mut origins: Vec<_> =
        kept.iter().map(|((service, port), _)| service.object.origin(&port.path)).collect();
    origins.extend(routers.origin_of_options(first.host, |options| options.downstream.is_some()));
    let tls = routers.tls(first.host).cloned();
    if let Some(router) = routers.get(first.host).filter(|_| tls.is_some()) {
        origins.push(router.origin(&FieldPath::spec().field("tls")));
    }
    let value = Listener { gateway: None, address, port, codec: codec.clone(), options, services, tls };
    // Whom it has nothing for beside, the routes of the others are not shown to.
    let exports = kept.iter().map(|((service, _), _)| service.exports.clone());
    let exports = exports.reduce(|all, one| all.or(&one)).unwrap_or_default();
    Some(Traced { value, origins, exports, reach: None })
}

/// Why a host's clients cannot be served as those of the first one are, in words that follow "they share a port, so".
fn disagreement(routers: &Routers<'_>, first: &str, other: &str) -> Option<String> {
    let (theirs, ours) = (routers.tls(first), routers.tls(other));
    if theirs == ours {
        return None;
    }
    let has = |host: &str, tls: Option<&ServerTls>| match (routers.get(host), tls) {
        (Some(router), Some(_)) => format!("{host} has that of {}", router.describe()),
        (Some(router), None) => format!("{host} has none in {}", router.describe()),
        (None, _) => format!("{host} has none, for it has no MetaRouter"),
    };
    Some(format!(
        "their `spec.tls` must be the same: {}, {}; {other} is not served there",
        has(first, theirs),
        has(other, ours)
    ))
}

/// Why a service cannot share an address with those that are there, in words that follow "is taken by …".
fn collision(kept: &[(Member<'_, '_>, String)], (_, port): Member<'_, '_>, name: &str) -> Option<String> {
    let ((_, first), _) = kept.first()?;
    let (theirs, ours) = (&first.protocol.codec, &port.protocol.codec);
    if theirs != ours {
        return Some(format!(
            ", which speaks {theirs}, not {ours}; give one of them another address or port"
        ));
    }
    if !port.protocol.names_services() {
        return Some(format!(
            ", and messages of {ours} do not say which service they are for; give one of them another address or port"
        ));
    }
    let ((twin, _), _) = kept.iter().find(|(_, other)| other.eq_ignore_ascii_case(name))?;
    Some(format!(
        ", and messages for {} and this one both name {name}; give each an annotation `interface` of its own",
        twin.object.key
    ))
}
