//! Hosts that are served: their addresses, their ports and what those speak, and the endpoints behind them.
//!
//! Services of the cluster come first, for a name of the cluster is theirs. A service without a port that names one of
//! our protocols is none of our business, whatever else it says.

pub(super) mod cluster;
pub(super) mod entries;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use crds::istio::Labels;

use super::exports::Exports;
use super::protocols::{Protocol, Protocols};
use super::report::Report;
use crate::nearest;
use crate::object::{Head, Objects};
use crate::status::{Finding, Near, Reason};
use crate::tree::FieldPath;

/// The annotation that says what the codec's service attribute holds for this service (Dubbo: the interface).
const INTERFACE: &str = "interface";

/// Where a service without addresses is listened for.
pub(super) const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A service that is served.
#[derive(Debug)]
pub(crate) struct Service<'a> {
    /// The object that defines it.
    pub(crate) object: &'a Head,
    pub(crate) host: &'a str,
    pub(crate) addresses: Vec<IpAddr>,
    /// From its annotation.
    pub(crate) interface: Option<&'a str>,
    /// At least one.
    pub(crate) ports: Vec<Port>,
    pub(crate) is_dns: bool,
    /// Whose clients may see it.
    pub(crate) exports: Exports,
}

/// A port that names one of our protocols.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    /// Where it stands.
    pub(crate) path: FieldPath,
    pub(crate) protocol: Protocol,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// An endpoint of a port.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// An IP address, or a name where the service is resolved by DNS.
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) labels: Labels,
}

impl Service<'_> {
    pub(crate) fn namespace(&self) -> &str {
        &self.object.key.namespace
    }

    pub(crate) fn port(&self, number: u16) -> Option<&Port> {
        self.ports.iter().find(|port| port.number == number)
    }
}

/// All services that are served, by host.
#[derive(Debug, Default)]
pub(crate) struct Services<'a> {
    served: BTreeMap<&'a str, Service<'a>>,
    /// Hosts of the objects that define a service and are not served.
    others: BTreeMap<&'a str, &'a Head>,
}

impl<'a> Services<'a> {
    pub(crate) fn of(objects: &'a Objects, protocols: &Protocols, report: &mut Report) -> Self {
        let mut all = Self::default();
        cluster::read(objects, protocols, &mut all, report);
        entries::read(objects, protocols, &mut all, report);
        all
    }

    /// Whether the host, which stands at `path` of an object, is free. Says so where it is not.
    fn is_free(&self, host: &str, object: &Head, path: &FieldPath, report: &mut Report) -> bool {
        let Some(winner) = self.served.get(host) else { return true };
        let message =
            format!("host {host} is defined by {} already, which comes first", winner.object.describe());
        report.error(object, path, Reason::Conflicted.says(message));
        false
    }

    /// Takes what an object defines: a service, or nothing that can be served.
    fn take(&mut self, host: &'a str, object: &'a Head, service: Option<Service<'a>>) {
        match service {
            Some(service) => drop(self.served.insert(host, service)),
            None => drop(self.others.insert(host, object)),
        }
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Service<'a>> {
        self.served.values()
    }

    /// The service of a host as written in an object of `namespace`: its exact host, else that of a Kubernetes service
    /// in the same namespace.
    pub(crate) fn find(&self, host: &str, namespace: &str) -> Option<&Service<'a>> {
        self.served.get(host).or_else(|| self.served.get(long_name(host, namespace).as_str()))
    }

    /// Why [`Self::find`] found nothing.
    pub(crate) fn why_not(&self, host: &str, namespace: &str) -> Finding {
        let other = self.others.get(host).or_else(|| self.others.get(long_name(host, namespace).as_str()));
        if let Some(object) = other {
            let object = object.describe();
            return Reason::BackendNotFound.says(format!(
                "host {host} is not served: {object} has no port named tcp-metaprotocol-<protocol>, or has mistakes"
            ));
        }
        let text = format!("no Service or ServiceEntry has host {host}");
        let near = Some(Near { host: host.to_owned(), at: text.len() });
        Finding { near, ..Reason::BackendNotFound.says(text) }
    }
}

/// The host of a Kubernetes service of that name in a namespace.
pub(super) fn long_name(host: &str, namespace: &str) -> String {
    format!("{host}.{namespace}.svc.cluster.local")
}

/// The protocol that a text names, which stands in the name of a port; or what is wrong with it.
fn known_protocol((name, text): (&str, &str), protocols: &Protocols) -> Result<Protocol, String> {
    let unknown = || {
        let known: Vec<&str> = protocols.names().collect();
        format!(
            "port {name} names no protocol{}; there are {} and what ApplicationProtocol objects register",
            nearest::hint(text, known.iter().copied()),
            known.join(", ")
        )
    };
    protocols.longest(text).cloned().ok_or_else(unknown)
}
