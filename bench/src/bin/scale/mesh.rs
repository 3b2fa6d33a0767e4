//! The objects of a large mesh.

use std::fmt::Write as _;

use xds::names;

/// Its size.
#[derive(Debug, Clone, Copy)]
pub struct Mesh {
    /// Services, each with a `MetaRouter`.
    pub services: usize,
    /// Endpoints of all of them.
    pub endpoints: usize,
}

/// Every service's port.
const PORT: u16 = 20880;

impl Mesh {
    /// The host of a service.
    pub fn host(service: usize) -> String {
        format!("s{service}.shop.svc.cluster.local")
    }

    /// Name of its routes.
    pub fn routes(service: usize) -> String {
        names::route_config(&Self::host(service), PORT)
    }

    /// Name of its cluster.
    pub fn cluster(service: usize) -> String {
        names::cluster(&Self::host(service), PORT, "")
    }

    /// Name of its listener.
    pub fn listener(service: usize) -> String {
        names::listener(Self::address(service), PORT)
    }

    fn address(service: usize) -> String {
        format!("10.{}.{}.{}", 1 + (service >> 16), (service >> 8) & 255, service & 255)
    }

    /// The `ServiceEntry` of a service.
    pub fn service(self, service: usize) -> String {
        let (host, address) = (Self::host(service), Self::address(service));
        let mut text = format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: s{service}, namespace: shop}}\n\
             spec:\n  hosts: [{host}]\n  addresses: [{address}]\n  \
             ports: [{{number: {PORT}, name: tcp-metaprotocol-dubbo, protocol: TCP}}]\n  resolution: STATIC\n  endpoints:\n"
        );
        let count = self.endpoints / self.services + usize::from(service < self.endpoints % self.services);
        for endpoint in 0..count {
            let number = service * (self.endpoints / self.services + 1) + endpoint;
            let (high, middle, low) = (64 + (number >> 16), (number >> 8) & 255, number & 255);
            // A String takes everything.
            let _ = writeln!(text, "  - {{address: 10.{high}.{middle}.{low}}}");
        }
        text
    }

    /// The `MetaRouter` of a service; another `version` of it routes by another condition.
    pub fn router(service: usize, version: usize) -> String {
        let host = Self::host(service);
        format!(
            "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nmetadata: {{name: s{service}, namespace: shop}}\n\
             spec:\n  hosts: [{host}]\n  routes:\n  - name: one\n    match: {{attributes: {{version: {{exact: \"{version}\"}}}}}}\n    \
             route: [{{destination: {{host: {host}}}}}]\n  - name: rest\n    route: [{{destination: {{host: {host}}}}}]\n"
        )
    }
}
