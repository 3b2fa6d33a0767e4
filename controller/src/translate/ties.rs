//! What ties objects together: those that have nothing in common mean the same together and alone.
//!
//! Whatever one stage looks up of another object stands here: hosts, addresses that services share, gateways that
//! `MetaRouter`s share, slices of a service, labels that choose endpoints. Too many ties cost time, one too few is a
//! mistake; `snapshot` compares both ways with each other in a property test. Protocols are no ties: all objects are
//! translated with all of them.

use std::fmt::Display;
use std::net::IpAddr;

use crds::istio::ServiceEntrySpec;
use crds::kubernetes::{SERVICE_LABEL, ServiceSpec};
use xxhash_rust::xxh3::xxh3_64;

use super::services::{NO_ADDRESS, cluster, entries, long_name};
use crate::object::{AnyObject, Key, Kind, Unread};

/// What an object has in common with others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ties {
    /// Hashes of what it names. Objects that have one in common must be translated together, and those that have the same
    /// one by accident may.
    pub(crate) names: Vec<u64>,
    /// Hosts that it defines, which patterns may fit.
    pub(crate) hosts: Vec<String>,
    /// Hosts that it applies to by their ends.
    pub(crate) patterns: Vec<Pattern>,
}

/// A `DestinationRule` for many hosts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pattern {
    /// It applies to services of this namespace.
    pub(crate) namespace: String,
    /// What their hosts end with.
    pub(crate) suffix: String,
}

impl Ties {
    /// Those of an object.
    pub(crate) fn of(object: &AnyObject) -> Self {
        let mut ties = Self::default();
        let Key { namespace, name, .. } = object.key();
        match object {
            AnyObject::ApplicationProtocol(_) => {}
            AnyObject::Service(service) => {
                ties.defines(&service.spec.host);
                ties.name("slices", &[namespace, name]);
                ties.places_of_service(&service.spec);
            }
            AnyObject::EndpointSlice(slice) => {
                if let Some(service) = slice.labels.get(SERVICE_LABEL) {
                    ties.name("slices", &[namespace, service]);
                }
            }
            AnyObject::ServiceEntry(entry) => {
                entry.spec.hosts.iter().for_each(|host| ties.defines(host));
                ties.places_of_entry(&entry.spec);
                let chosen = entry.spec.workload_selector.iter().flat_map(|selector| &selector.labels).next();
                ties.labels(namespace, chosen);
            }
            AnyObject::WorkloadEntry(workload) => ties.labels(namespace, &workload.spec.labels),
            AnyObject::DestinationRule(rule) => ties.rule(&rule.spec.host, namespace),
            AnyObject::MetaRouter(router) => {
                let destinations = router.spec.routes.iter().flat_map(|route| {
                    let shares = route.route.iter().map(|share| &share.destination.host);
                    shares.chain(route.mirror.iter().map(|mirror| &mirror.host))
                });
                router.spec.hosts.iter().chain(destinations).for_each(|host| ties.host(host, namespace));
                for gateway in &router.spec.gateways {
                    let (namespace, name) = gateway.split_once('/').unwrap_or((namespace, gateway));
                    ties.name("gateway", &[&namespace, &name]);
                }
            }
        }
        ties.names.sort_unstable();
        ties.names.dedup();
        ties
    }

    /// Those of an object that cannot be read.
    pub(crate) fn of_unread(unread: &Unread) -> Self {
        let mut ties = Self::default();
        match unread.key.kind {
            Kind::DestinationRule => ties.rule(&unread.host, &unread.key.namespace),
            _ => ties.host(&unread.host, &unread.key.namespace),
        }
        ties
    }

    /// Those of both.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.names.extend(other.names);
        self.names.sort_unstable();
        self.names.dedup();
        self.hosts.extend(other.hosts);
        self.patterns.extend(other.patterns);
        self
    }

    fn name(&mut self, what: &str, parts: &[&dyn Display]) {
        let mut text = what.to_owned();
        for part in parts {
            text.push('\0');
            text.push_str(&part.to_string());
        }
        self.names.push(xxh3_64(text.as_bytes()));
    }

    fn defines(&mut self, host: &str) {
        self.name("host", &[&host]);
        self.hosts.push(host.to_owned());
    }

    /// A host as it is written in an object of a namespace.
    fn host(&mut self, host: &str, namespace: &str) {
        self.name("host", &[&host]);
        self.name("host", &[&long_name(host, namespace)]);
    }

    fn rule(&mut self, host: &str, namespace: &str) {
        match host.strip_prefix('*') {
            Some(suffix) => {
                self.patterns.push(Pattern { namespace: namespace.to_owned(), suffix: suffix.to_owned() });
            }
            None => self.host(host, namespace),
        }
    }

    fn labels<'l>(&mut self, namespace: &str, labels: impl IntoIterator<Item = (&'l String, &'l String)>) {
        for (name, value) in labels {
            self.name("label", &[&namespace, name, value]);
        }
    }

    fn places(&mut self, addresses: &[IpAddr], ports: &[u16]) {
        for (address, port) in
            addresses.iter().flat_map(|address| ports.iter().map(move |port| (address, port)))
        {
            self.name("place", &[address, port]);
        }
    }

    fn places_of_service(&mut self, spec: &ServiceSpec) {
        if cluster::is_ours(spec) {
            let ports: Vec<u16> = spec.ports.iter().map(|port| port.port).collect();
            self.places(&cluster::addresses(spec), &ports);
        }
    }

    fn places_of_entry(&mut self, spec: &ServiceEntrySpec) {
        if entries::is_ours(spec) {
            let mut addresses: Vec<IpAddr> =
                spec.addresses.iter().filter_map(|text| text.parse().ok()).collect();
            if spec.addresses.is_empty() {
                addresses.push(NO_ADDRESS);
            }
            let ports: Vec<u16> = spec.ports.iter().map(|port| port.number).collect();
            self.places(&addresses, &ports);
        }
    }
}
