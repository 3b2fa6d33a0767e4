//! Dubbo: calls of an echo service, routed by method or by an attachment.

use super::{Body, By, Folder, Place, Protocol, Routes};
use crate::floor::{Frames, mux};
use crate::template::fill;
use peers::dubbo::hessian::Value;
use peers::dubbo::{Call, EchoLoad, echo};
use peers::load::Workload;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::net::TcpListener;

const INTERFACE: &str = "com.example.bench.EchoService";
const SERVICE: &str = "echo.bench.example:20880";
const SERVICE_ENTRY: &str = include_str!("../../config/service-entry.yaml");
const META_ROUTER: &str = include_str!("../../config/metarouter.yaml");
const ENVOY: &str = include_str!("../../peers/envoy-dubbo.yaml");
/// The attachment that routes look at.
const ATTACHMENT: &str = "batchjob";
/// Header bytes of a message; its last four are the length of the body.
const HEADER: usize = 16;

/// The protocol of Apache Dubbo 2, with hessian2.
#[derive(Debug)]
pub(super) struct Dubbo;

impl Protocol for Dubbo {
    fn name(&self) -> &'static str {
        "dubbo"
    }

    fn workload(&self, routes: Routes, body: Body) -> Box<dyn Workload> {
        let mut call = Call::new(INTERFACE, &method(routes));
        if routes.by == By::Attachment {
            call = call.attachment(ATTACHMENT, &*value(routes.last()));
        }
        if body.object {
            call = call.argument(order());
        }
        Box::new(EchoLoad::new(call, body.payload))
    }

    fn ours(&self, routes: Routes, backend: SocketAddr) -> anyhow::Result<Folder> {
        let mut list = String::new();
        for number in 0..routes.count {
            // Writing to a string cannot fail.
            let _ = write!(
                list,
                "\n    - match: {{attributes: {{{}}}}}\n      route: [{{destination: {{host: echo.bench.example}}}}]",
                our_condition(routes.by, number)
            );
        }
        let entry = fill(SERVICE_ENTRY, &[("backend_port", &backend.port().to_string())])?;
        let table = fill(META_ROUTER, &[("routes", &list)])?;
        Ok(Folder {
            files: vec![("service-entry.yaml", entry), ("metarouter.yaml", table)],
            service: SERVICE,
        })
    }

    fn envoy(&self, template: Option<&str>, place: &Place) -> anyhow::Result<String> {
        let mut list = String::new();
        for number in 0..place.routes.count {
            let condition = envoy_condition(place.routes.by, number);
            // As above.
            let _ = write!(list, "\n{:24}- {{match: {{{condition}}}, route: {{cluster: echo}}}}", "");
        }
        let values = [
            ("listen_address", place.listen.ip().to_string()),
            ("listen_port", place.listen.port().to_string()),
            ("backend_address", place.backend.ip().to_string()),
            ("backend_port", place.backend.port().to_string()),
            ("routes", list),
        ];
        fill(template.unwrap_or(ENVOY), &values.each_ref().map(|(name, value)| (*name, &**value)))
    }

    fn has_objects(&self) -> bool {
        true
    }

    fn frames(&self) -> Frames {
        Frames::WithIds(mux::Frames { whole, id, set_id })
    }

    fn echo(&self, listener: TcpListener) -> Pin<Box<dyn Future<Output = io::Result<()>>>> {
        Box::pin(echo::serve(listener))
    }
}

fn name(number: usize) -> String {
    format!("echo{number:05}")
}

fn value(number: usize) -> String {
    format!("job{number:05}")
}

/// The method of a request that the last route matches.
fn method(routes: Routes) -> String {
    match routes.by {
        By::Exact => name(routes.last()),
        By::Prefix | By::Regex => name(routes.last()) + "All",
        By::Attachment => "echo".to_owned(),
    }
}

fn our_condition(by: By, number: usize) -> String {
    match by {
        By::Exact => format!("method: {{exact: {}}}", name(number)),
        By::Prefix => format!("method: {{prefix: {}}}", name(number)),
        By::Regex => format!("method: {{regex: '{}Al+'}}", name(number)),
        By::Attachment => format!("{ATTACHMENT}: {{exact: {}}}", value(number)),
    }
}

/// Envoy wants a method in every route.
fn envoy_condition(by: By, number: usize) -> String {
    match by {
        By::Exact => format!("method: {{name: {{exact: {}}}}}", name(number)),
        By::Prefix => format!("method: {{name: {{prefix: {}}}}}", name(number)),
        By::Regex => format!("method: {{name: {{safe_regex: {{regex: '{}Al+'}}}}}}", name(number)),
        By::Attachment => format!(
            "method: {{name: {{exact: echo}}}}, headers: [{{name: {ATTACHMENT}, string_match: {{exact: {}}}}}]",
            value(number)
        ),
    }
}

/// An order with 32 lines: 2 KiB of hessian2 in the form that Java writes, with one class definition for all lines.
fn order() -> Value {
    let line = |number: i32| {
        let fields = [
            ("sku", Value::from(format!("article-number-{number:020}-of-the-catalogue"))),
            ("quantity", Value::Int(number)),
            ("cents", Value::Long(1990 + i64::from(number))),
            ("gift", Value::Bool(number % 2 == 0)),
        ];
        Value::object("com.example.bench.OrderLine", fields)
    };
    let fields = [
        ("id", Value::Long(4_711_000_000)),
        ("customer", Value::from("a customer with a name")),
        ("lines", Value::list((0..32).map(line))),
    ];
    Value::object("com.example.bench.Order", fields)
}

fn whole(received: &[u8]) -> Option<usize> {
    let length = received.get(12..HEADER)?.first_chunk().copied().map(u32::from_be_bytes)? as usize;
    (received.len() >= HEADER + length).then_some(HEADER + length)
}

fn id(frame: &[u8]) -> u64 {
    frame[4..].first_chunk().copied().map_or(0, u64::from_be_bytes)
}

fn set_id(frame: &mut [u8], id: u64) {
    frame[4..12].copy_from_slice(&id.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use peers::dubbo::Request;

    const BACKEND: &str = "127.0.0.1:21880";
    const KINDS: [By; 4] = [By::Exact, By::Prefix, By::Regex, By::Attachment];

    fn place(by: By, count: usize) -> Place {
        let listen = "127.0.0.2:20900".parse().unwrap();
        Place { listen, backend: BACKEND.parse().unwrap(), routes: Routes { by, count } }
    }

    #[test]
    fn each_proxy_gets_as_many_routes_as_were_asked_for() {
        for by in KINDS {
            for count in [1, 3, 100] {
                let place = place(by, count);
                let envoy = Dubbo.envoy(None, &place).unwrap();
                assert_eq!(envoy.matches("route: {cluster: echo}").count(), count, "{by:?}");
                assert!(!envoy.contains("{{") && envoy.contains("21880") && envoy.contains("20900"));
                let ours = Dubbo.ours(place.routes, place.backend).unwrap();
                assert_eq!(ours.files[1].1.matches("- match:").count(), count, "{by:?}");
                assert!(ours.files[0].1.contains("21880"), "{}", ours.files[0].1);
            }
        }
    }

    #[test]
    fn a_template_without_routes_is_refused() {
        assert!(Dubbo.envoy(Some("static_resources: {}"), &place(By::Exact, 1)).is_err());
    }

    #[test]
    fn the_object_behind_the_payload_has_two_kibibytes() {
        let length = order().encoded().len();
        assert!((2000..2200).contains(&length), "{length}");
    }

    #[test]
    fn a_request_is_one_that_only_the_last_route_matches() {
        let routes = Routes { by: By::Attachment, count: 10 };
        let mut out = BytesMut::new();
        Dubbo.workload(routes, Body { payload: 100, object: true }).request(0, 1, &mut out);
        assert_eq!((whole(&out), id(&out)), (Some(out.len()), 1));
        let frame = peers::dubbo::frame::cut(&mut out).unwrap().unwrap();
        let request = Request::read(&frame).unwrap();
        assert_eq!(request.attachment(ATTACHMENT), Some(&"job00009".into()));
        assert_eq!(request.arguments.len(), 2);
        assert!(our_condition(By::Prefix, 9).contains("echo00009"));
        assert_eq!(method(Routes { by: By::Prefix, count: 10 }), "echo00009All");
    }
}
