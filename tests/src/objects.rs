//! The user's objects, written as YAML.
//!
//! They are all in the namespace `shop`. What a scenario does not say is left out, so that each object in a failure's
//! message is as short as it can be.

use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;

/// Host of the service that most scenarios are about.
pub const HOST: &str = "orders.shop.example";
/// Its port.
pub const PORT: u16 = 20880;
/// Its Dubbo interface.
pub const INTERFACE: &str = "com.example.shop.OrderService";

/// A `ServiceEntry` whose endpoints bear a label each.
#[derive(Clone, Debug)]
pub struct Service {
    host: String,
    port: u16,
    address: Option<String>,
    interface: Option<String>,
    protocol: &'static str,
    endpoints: Vec<(String, SocketAddr)>,
}

impl Service {
    /// The service that most scenarios are about.
    pub fn orders() -> Self {
        Self::of(HOST)
    }

    /// Another one.
    pub fn of(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            port: PORT,
            address: None,
            interface: None,
            protocol: "dubbo",
            endpoints: Vec::new(),
        }
    }

    /// Says what it speaks; Dubbo unless told otherwise.
    #[must_use]
    pub fn speaking(mut self, protocol: &'static str) -> Self {
        self.protocol = protocol;
        self
    }

    /// Says at which port it is called.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Says where it is called, which decides who shares its listener.
    #[must_use]
    pub fn address(mut self, address: &str) -> Self {
        self.address = Some(address.to_owned());
        self
    }

    /// Says which interface it has, where several services share a port.
    #[must_use]
    pub fn interface(mut self, interface: &str) -> Self {
        self.interface = Some(interface.to_owned());
        self
    }

    /// Adds an endpoint that belongs to the subset of this name.
    #[must_use]
    pub fn endpoint(mut self, subset: &str, address: SocketAddr) -> Self {
        self.endpoints.push((subset.to_owned(), address));
        self
    }
}

impl Display for Service {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "apiVersion: networking.istio.io/v1\nkind: ServiceEntry")?;
        writeln!(f, "metadata:\n  name: {}\n  namespace: shop", name(&self.host))?;
        if let Some(interface) = &self.interface {
            writeln!(f, "  annotations: {{interface: {interface}}}")?;
        }
        writeln!(f, "spec:\n  hosts: [{}]\n  resolution: STATIC", self.host)?;
        if let Some(address) = &self.address {
            writeln!(f, "  addresses: [{address}]")?;
        }
        writeln!(
            f,
            "  ports: [{{number: {}, name: tcp-metaprotocol-{}, protocol: TCP}}]\n  endpoints:",
            self.port, self.protocol
        )?;
        for (subset, address) in &self.endpoints {
            let (ip, port) = (address.ip(), address.port());
            writeln!(
                f,
                "  - {{address: {ip}, labels: {{subset: {subset}}}, ports: {{tcp-metaprotocol-{}: {port}}}}}",
                self.protocol
            )?;
        }
        Ok(())
    }
}

/// A `DestinationRule`.
#[derive(Clone, Debug)]
pub struct Rule {
    host: String,
    /// Names, and policies of their own.
    subsets: Vec<(String, Option<String>)>,
    policy: Option<String>,
}

impl Rule {
    /// Of the service that most scenarios are about, with these subsets.
    pub fn subsets(names: &[&str]) -> Self {
        let subsets = names.iter().map(|&name| (name.to_owned(), None)).collect();
        Self { host: HOST.to_owned(), subsets, policy: None }
    }

    /// The same of another host.
    #[must_use]
    pub fn of(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Adds a subset with a traffic policy of its own.
    #[must_use]
    pub fn subset(mut self, name: &str, policy: &str) -> Self {
        self.subsets.push((name.to_owned(), Some(policy.to_owned())));
        self
    }

    /// Sets the traffic policy of the whole service, such as `connectionPool: {http: {http2MaxRequests: 1}}`.
    #[must_use]
    pub fn policy(mut self, policy: &str) -> Self {
        self.policy = Some(policy.to_owned());
        self
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "apiVersion: networking.istio.io/v1\nkind: DestinationRule")?;
        writeln!(
            f,
            "metadata:\n  name: {}\n  namespace: shop\nspec:\n  host: {}",
            name(&self.host),
            self.host
        )?;
        if let Some(policy) = &self.policy {
            writeln!(f, "  trafficPolicy: {{{policy}}}")?;
        }
        writeln!(f, "  subsets:{}", if self.subsets.is_empty() { " []" } else { "" })?;
        for (subset, policy) in &self.subsets {
            let policy = policy.as_ref().map(|policy| format!(", trafficPolicy: {{{policy}}}"));
            let policy = policy.unwrap_or_default();
            writeln!(f, "  - {{name: {subset}, labels: {{subset: {subset}}}{policy}}}")?;
        }
        Ok(())
    }
}

/// A `MetaRouter`.
#[derive(Clone, Debug)]
pub struct Router {
    host: String,
    routes: Vec<Route>,
    options: Option<String>,
    limit: Option<String>,
    health_check: Option<String>,
    tls: Option<String>,
    export_to: Option<String>,
    gateways: Option<String>,
}

impl Router {
    /// Of the service that most scenarios are about, with these routes.
    pub fn routes(routes: impl IntoIterator<Item = Route>) -> Self {
        Self {
            host: HOST.to_owned(),
            routes: routes.into_iter().collect(),
            options: None,
            limit: None,
            health_check: None,
            tls: None,
            export_to: None,
            gateways: None,
        }
    }

    /// The same of another host.
    #[must_use]
    pub fn of(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// These gateways serve it, such as `edge, mesh`.
    #[must_use]
    pub fn gateways(mut self, gateways: &str) -> Self {
        self.gateways = Some(gateways.to_owned());
        self
    }

    /// Only clients of these namespaces see it, such as `., web`.
    #[must_use]
    pub fn export_to(mut self, namespaces: &str) -> Self {
        self.export_to = Some(namespaces.to_owned());
        self
    }
}

impl Router {
    /// Sets options of the codec, such as `upstream: {transport: framed}`.
    #[must_use]
    pub fn options(mut self, options: &str) -> Self {
        self.options = Some(options.to_owned());
        self
    }

    /// Has the endpoints pinged, such as `interval: 1s`.
    #[must_use]
    pub fn health_check(mut self, health_check: &str) -> Self {
        self.health_check = Some(health_check.to_owned());
        self
    }
}

impl Router {
    /// Says how connections from clients are encrypted, such as `mode: SIMPLE, serverCertificate: a.crt, privateKey: a.key`.
    #[must_use]
    pub fn tls(mut self, tls: &str) -> Self {
        self.tls = Some(tls.to_owned());
        self
    }

    /// Limits how many requests may pass, such as `tokenBucket: {maxTokens: 5, fillInterval: 1s}`.
    #[must_use]
    pub fn limit(mut self, limit: &str) -> Self {
        self.limit = Some(limit.to_owned());
        self
    }
}

impl Display for Router {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter")?;
        writeln!(f, "metadata:\n  name: {}\n  namespace: shop", name(&self.host))?;
        writeln!(f, "spec:\n  hosts: [{}]", self.host)?;
        if let Some(gateways) = &self.gateways {
            writeln!(f, "  gateways: [{gateways}]")?;
        }
        if let Some(options) = &self.options {
            writeln!(f, "  options: {{{options}}}")?;
        }
        if let Some(limit) = &self.limit {
            writeln!(f, "  localRateLimit: {{{limit}}}")?;
        }
        if let Some(health_check) = &self.health_check {
            writeln!(f, "  healthCheck: {{{health_check}}}")?;
        }
        if let Some(tls) = &self.tls {
            writeln!(f, "  tls: {{{tls}}}")?;
        }
        if let Some(namespaces) = &self.export_to {
            writeln!(f, "  exportTo: [{namespaces}]")?;
        }
        writeln!(f, "  routes:{}", if self.routes.is_empty() { " []" } else { "" })?;
        self.routes.iter().try_for_each(|route| route.write(&self.host, f))
    }
}

/// One route of a `MetaRouter`.
#[derive(Clone, Debug)]
pub struct Route {
    name: Option<String>,
    conditions: Vec<(String, String)>,
    destinations: Vec<(String, Option<u32>)>,
    mirror: Option<(String, f64)>,
    mirrors_writes: bool,
    sets: Vec<(&'static str, String, String)>,
    timeout: Option<String>,
    retries: Option<String>,
}

impl Route {
    /// To a subset; to the whole service if its name is empty.
    pub fn to(subset: &str) -> Self {
        let destinations = vec![(subset.to_owned(), None)];
        Self {
            name: None,
            conditions: Vec::new(),
            destinations,
            mirror: None,
            mirrors_writes: false,
            sets: Vec::new(),
            timeout: None,
            retries: None,
        }
    }

    /// To several subsets, each with its share in percent.
    pub fn split(shares: &[(&str, u32)]) -> Self {
        let destinations =
            shares.iter().map(|(subset, share)| ((*subset).to_owned(), Some(*share))).collect();
        Self { destinations, ..Self::to("") }
    }

    /// Gives it a name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Adds a condition; see [`exact`] and its neighbours.
    #[must_use]
    pub fn when(mut self, attribute: &str, condition: impl Into<String>) -> Self {
        self.conditions.push((attribute.to_owned(), condition.into()));
        self
    }

    /// Copies a share of its requests, in percent, to a subset.
    #[must_use]
    pub fn mirror(mut self, subset: &str, percent: f64) -> Self {
        self.mirror = Some((subset.to_owned(), percent));
        self
    }

    /// Copies only what changes data.
    #[must_use]
    pub fn mirror_writes(mut self) -> Self {
        self.mirrors_writes = true;
        self
    }

    /// Sets an attribute of its requests before they leave.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.sets.push(("requestMutation", key.to_owned(), value.to_owned()));
        self
    }

    /// Sets an attribute of the responses before they return.
    #[must_use]
    pub fn set_response(mut self, key: &str, value: &str) -> Self {
        self.sets.push(("responseMutation", key.to_owned(), value.to_owned()));
        self
    }

    /// How long its requests may take, such as `200ms`.
    #[must_use]
    pub fn timeout(mut self, timeout: &str) -> Self {
        self.timeout = Some(timeout.to_owned());
        self
    }

    /// When its requests are tried again, such as `attempts: 2, idempotent: true`.
    #[must_use]
    pub fn retries(mut self, retries: &str) -> Self {
        self.retries = Some(retries.to_owned());
        self
    }

    fn write(&self, host: &str, f: &mut Formatter<'_>) -> fmt::Result {
        let destination = |subset: &str| match subset {
            "" => format!("{{host: {host}}}"),
            subset => format!("{{host: {host}, subset: {subset}}}"),
        };
        writeln!(f, "  - route:")?;
        for (subset, weight) in &self.destinations {
            let weight = weight.map(|weight| format!(", weight: {weight}")).unwrap_or_default();
            writeln!(f, "    - {{destination: {}{weight}}}", destination(subset))?;
        }
        if let Some(name) = &self.name {
            writeln!(f, "    name: {name}")?;
        }
        if !self.conditions.is_empty() {
            writeln!(f, "    match:\n      attributes:")?;
        }
        for (attribute, condition) in &self.conditions {
            writeln!(f, "        {attribute}: {condition}")?;
        }
        if let Some((subset, percent)) = &self.mirror {
            writeln!(f, "    mirror: {}\n    mirrorPercentage: {{value: {percent}}}", destination(subset))?;
        }
        if self.mirrors_writes {
            writeln!(f, "    mirrorRequests: writes")?;
        }
        for list in ["requestMutation", "responseMutation"] {
            let mut sets = self.sets.iter().filter(|(known, ..)| *known == list).peekable();
            if sets.peek().is_some() {
                writeln!(f, "    {list}:")?;
            }
            for (_, key, value) in sets {
                writeln!(f, "    - {{key: {}, value: {}}}", quoted(key), quoted(value))?;
            }
        }
        if let Some(timeout) = &self.timeout {
            writeln!(f, "    timeout: {timeout}")?;
        }
        if let Some(retries) = &self.retries {
            writeln!(f, "    retries: {{{retries}}}")?;
        }
        Ok(())
    }
}

/// The attribute is this text.
pub fn exact(text: &str) -> String {
    format!("{{exact: {}}}", quoted(text))
}

/// The attribute begins with this text.
pub fn prefix(text: &str) -> String {
    format!("{{prefix: {}}}", quoted(text))
}

/// The whole attribute matches this expression.
pub fn regex(text: &str) -> String {
    format!("{{regex: {}}}", quoted(text))
}

/// The request has the attribute, or has it not.
pub fn present(is_present: bool) -> String {
    format!("{{present: {is_present}}}")
}

/// The condition does not hold.
pub fn not(condition: &str) -> String {
    format!("{{not: {condition}}}")
}

/// A name for an object, from its host.
fn name(host: &str) -> &str {
    host.split('.').next().unwrap_or(host)
}

/// As a YAML scalar in double quotes, which JSON's strings are.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_what_a_user_would_write() {
        let route = Route::split(&[("v1", 90), ("v2", 10)])
            .named("create")
            .when("method", exact("create"))
            .when("zone", not(&prefix("\"a")))
            .mirror("v2", 12.5)
            .timeout("200ms")
            .retries("attempts: 2, idempotent: true");
        let text = Router::routes([route]).to_string();
        let routes = text.split_once("routes:\n").unwrap().1;
        let expected = r#"  - route:
    - {destination: {host: orders.shop.example, subset: v1}, weight: 90}
    - {destination: {host: orders.shop.example, subset: v2}, weight: 10}
    name: create
    match:
      attributes:
        method: {exact: "create"}
        zone: {not: {prefix: "\"a"}}
    mirror: {host: orders.shop.example, subset: v2}
    mirrorPercentage: {value: 12.5}
    timeout: 200ms
    retries: {attempts: 2, idempotent: true}
"#;
        assert_eq!(routes, expected);
    }
}
