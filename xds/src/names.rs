//! Names of resources, the same on both sides of the wire.
//!
//! Routes are named `<host>_<port>`, clusters `outbound|<port>|<subset>|<host>`: what users of Istio and Aeraki know
//! from their dashboards and dumps.

use std::fmt;

/// Name of the route configuration of a host's port.
pub fn route_config(host: &str, port: u16) -> String {
    format!("{host}_{port}")
}

/// Name of the cluster of a host's port; an empty `subset` means all its endpoints.
pub fn cluster(host: &str, port: u16, subset: &str) -> String {
    format!("outbound|{port}|{subset}|{host}")
}

/// Name of the listener at an address.
pub fn listener(address: impl fmt::Display, port: u16) -> String {
    format!("{address}_{port}")
}

/// Name of a gateway's listener; `gateway` is `<namespace>/<name>`.
pub fn gateway_listener(gateway: &str, port: u16) -> String {
    format!("gateway|{port}|{gateway}")
}

/// The parts of a cluster's name, if it has the form that [`cluster`] gives.
pub fn parse_cluster(name: &str) -> Option<ClusterName<'_>> {
    let mut parts = name.splitn(4, '|');
    if parts.next()? != "outbound" {
        return None;
    }
    let port = parts.next()?.parse().ok()?;
    Some(ClusterName { port, subset: parts.next()?, host: parts.next()? })
}

/// What a cluster's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterName<'a> {
    /// The service's port, not the endpoints'.
    pub port: u16,
    /// Empty: all endpoints.
    pub subset: &'a str,
    /// The service's host.
    pub host: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_name_says_its_parts() {
        let name = cluster("orders.shop", 20880, "v1");
        assert_eq!(name, "outbound|20880|v1|orders.shop");
        assert_eq!(
            parse_cluster(&name),
            Some(ClusterName { port: 20880, subset: "v1", host: "orders.shop" })
        );
        assert_eq!(parse_cluster("inbound|1||"), None);
        assert_eq!(parse_cluster("outbound|x||h"), None);
    }
}
