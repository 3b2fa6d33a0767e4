//! Thrift, framed and binary: calls of an echo server, routed by method.
//!
//! Its servers answer one call at a time per connection, so that our proxy gives each call a connection of its own unless
//! told otherwise; a server that takes calls while it answers may be told to be shared. Both are measured, and Envoy with
//! payloads decoded (its default) and passed through.

use super::{Aim, Body, By, Figure, Folder, Place, Protocol, Routes};
use crate::floor::{Frames, mux};
use crate::template::fill;
use anyhow::ensure;
use peers::load::Workload;
use peers::thrift::{EchoLoad, echo};
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::Pin;
use tokio::net::TcpListener;

const SERVICE: &str = "echo.bench.example:9090";
const SERVICE_ENTRY: &str = include_str!("../../config/thrift-service-entry.yaml");
const META_ROUTER: &str = include_str!("../../config/thrift-metarouter.yaml");
const ENVOY: &str = include_str!("../../peers/envoy-thrift.yaml");
/// The placeholder of Envoy's template that only its settings fill in.
const PASSTHROUGH: &str = "{{payload_passthrough}}";
/// Our proxy with all clients on one connection to the server, by its name in tables.
const SHARED: &str = "ours, shared";
/// Bytes of a frame before the method's name: its length, version and kind, the name's length.
const BEFORE_NAME: usize = 12;

/// What shall be reached.
const AIMS: [Aim; 7] = [
    Aim { load: "1x1", ours: "ours", reach: 0.42, ..Aim::CPU },
    Aim { load: "50x1", ours: "ours", reach: 0.45, ..Aim::CPU },
    Aim { load: "50x1", ours: SHARED, reach: 0.25, ..Aim::CPU },
    Aim { load: "16x16", ours: "ours", reach: 0.45, ..Aim::CPU },
    Aim { load: "16x16", ours: SHARED, reach: 0.07, ..Aim::CPU },
    Aim { load: "50x1", payload: 16 << 10, ours: "ours", reach: 0.60, ..Aim::CPU },
    Aim { load: "50@3000", ours: "ours", reach: 0.45, figure: Figure::P99, ..Aim::CPU },
];

/// The protocol of Apache Thrift: binary, in the framed transport.
#[derive(Debug)]
pub(super) struct Thrift;

impl Protocol for Thrift {
    fn name(&self) -> &'static str {
        "thrift"
    }

    fn workload(&self, _: Routes, body: Body) -> Box<dyn Workload> {
        // Envoy answers the calls of one connection as they come back. That ours keeps their order is tested elsewhere.
        Box::new(EchoLoad::new(body.payload).in_any_order())
    }

    fn ours(&self, routes: Routes, backend: SocketAddr) -> anyhow::Result<Folder> {
        folder("exclusive", routes, backend)
    }

    fn envoy(&self, template: Option<&str>, place: &Place) -> anyhow::Result<String> {
        let mut list = String::new();
        for method in methods(place.routes)? {
            // Writing to a string cannot fail.
            let _ =
                write!(list, "\n{:20}- {{match: {{method_name: {method}}}, route: {{cluster: echo}}}}", "");
        }
        let values = [
            ("listen_address", place.listen.ip().to_string()),
            ("listen_port", place.listen.port().to_string()),
            ("backend_address", place.backend.ip().to_string()),
            ("backend_port", place.backend.port().to_string()),
            ("routes", list),
        ];
        let template = template.unwrap_or(ENVOY).replace(PASSTHROUGH, "false");
        fill(&template, &values.each_ref().map(|(name, value)| (*name, &**value)))
    }

    fn settings(&self) -> &'static [&'static str] {
        &[SHARED]
    }

    fn ours_with(&self, setting: &str, routes: Routes, backend: SocketAddr) -> anyhow::Result<Folder> {
        ensure!(setting == SHARED, "thrift has no setting `{setting}`; there is: {SHARED}");
        folder("shared(1)", routes, backend)
    }

    fn envoys(&self) -> Vec<(&'static str, String)> {
        vec![("Envoy, passthrough", ENVOY.replace(PASSTHROUGH, "true"))]
    }

    fn aims(&self) -> &'static [Aim] {
        &AIMS
    }

    fn remark(&self) -> &'static str {
        "Where ours is not said to be shared, each call has an upstream connection to itself, and *muxfloor*, which shares \
         one, is no floor of that row. "
    }

    fn frames(&self) -> Frames {
        Frames::WithIds(mux::Frames { whole, id, set_id })
    }

    fn echo(&self, listener: TcpListener) -> Pin<Box<dyn Future<Output = io::Result<()>>>> {
        Box::pin(echo::serve(listener))
    }
}

fn folder(sharing: &str, routes: Routes, backend: SocketAddr) -> anyhow::Result<Folder> {
    let mut list = String::new();
    for method in methods(routes)? {
        // Writing to a string cannot fail.
        let _ = write!(
            list,
            "\n    - match: {{attributes: {{method: {{exact: {method}}}}}}}\n      route: [{{destination: {{host: echo.bench.example}}}}]"
        );
    }
    let entry = fill(SERVICE_ENTRY, &[("backend_port", &backend.port().to_string())])?;
    let table = fill(META_ROUTER, &[("sharing", sharing), ("routes", &list)])?;
    Ok(Folder { files: vec![("service-entry.yaml", entry), ("metarouter.yaml", table)], service: SERVICE })
}

/// The method of each route; that of the last one is called.
fn methods(routes: Routes) -> anyhow::Result<impl Iterator<Item = String>> {
    ensure!(
        routes.by == By::Exact,
        "thrift is measured with routes by the whole method: framed calls have nothing else that Envoy could look at"
    );
    let others = (0..routes.last()).map(|number| format!("echo{number:05}"));
    Ok(others.chain(["echo".to_owned()]))
}

fn whole(received: &[u8]) -> Option<usize> {
    let length = 4 + received.first_chunk().copied().map(u32::from_be_bytes)? as usize;
    (received.len() >= length).then_some(length)
}

/// Where the sequence id is, behind the name; `None` in a message that is too short for one.
fn place(frame: &[u8]) -> Option<Range<usize>> {
    let name = u32::from_be_bytes(frame.get(8..BEFORE_NAME)?.first_chunk().copied()?);
    let begin = BEFORE_NAME + name as usize;
    (begin + 4 <= frame.len()).then_some(begin..begin + 4)
}

fn id(frame: &[u8]) -> u64 {
    let bytes = place(frame).and_then(|place| frame[place].first_chunk().copied());
    // What has none is the answer to nothing.
    bytes.map_or(u64::MAX, |bytes| u32::from_be_bytes(bytes).into())
}

/// Ids that the floor gives are places among what is outstanding: 32 bits are enough.
fn set_id(frame: &mut [u8], id: u64) {
    if let Some(place) = place(frame) {
        frame[place].copy_from_slice(&(id as u32).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

    fn place_of(count: usize) -> Place {
        Place {
            listen: "127.0.0.2:20900".parse().unwrap(),
            backend: "127.0.0.1:21909".parse().unwrap(),
            routes: Routes { by: By::Exact, count },
        }
    }

    #[test]
    fn each_proxy_gets_as_many_routes_as_were_asked_for_and_the_last_one_is_called() {
        for count in [1, 3, 100] {
            let place = place_of(count);
            let envoy = Thrift.envoy(None, &place).unwrap();
            let lists = [
                (envoy, "match: {method_name: ", "}"),
                (
                    Thrift.ours(place.routes, place.backend).unwrap().files[1].1.clone(),
                    "{method: {exact: ",
                    "}",
                ),
            ];
            for (text, before, after) in lists {
                let methods: Vec<_> =
                    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect();
                assert_eq!((methods.len(), *methods.last().unwrap()), (count, "echo"), "{text}");
                assert!(!text.contains("{{"), "{text}");
            }
        }
    }

    #[test]
    fn addresses_reach_both_proxies() {
        let place = place_of(1);
        let envoy = Thrift.envoy(None, &place).unwrap();
        assert!(envoy.contains("{address: 127.0.0.2, port_value: 20900}"), "{envoy}");
        assert!(envoy.contains("{address: 127.0.0.1, port_value: 21909}"), "{envoy}");
        let ours = Thrift.ours(place.routes, place.backend).unwrap();
        assert!(ours.files[0].1.contains("{tcp-metaprotocol-thrift: 21909}"), "{}", ours.files[0].1);
    }

    #[test]
    fn settings_differ_in_what_they_are_named_after() {
        let place = place_of(1);
        let decoded = Thrift.envoy(None, &place).unwrap();
        assert!(decoded.contains("payload_passthrough: false"), "{decoded}");
        for (name, template) in Thrift.envoys() {
            let text = Thrift.envoy(Some(&template), &place).unwrap();
            assert_eq!(text, decoded.replace("passthrough: false", "passthrough: true"), "{name}");
        }
        let [first, shared] =
            [Thrift.ours(place.routes, place.backend), Thrift.ours_with(SHARED, place.routes, place.backend)]
                .map(|folder| folder.unwrap().files[1].1.clone());
        assert!(
            first.contains("sharing: exclusive") && shared.contains("sharing: shared(1)"),
            "{first}{shared}"
        );
        assert!(Thrift.ours_with("ours, alone", place.routes, place.backend).is_err());
    }

    #[test]
    fn routes_that_envoy_has_not_are_refused() {
        let place = Place { routes: Routes { by: By::Regex, count: 1 }, ..place_of(1) };
        assert!(Thrift.envoy(None, &place).is_err() && Thrift.ours(place.routes, place.backend).is_err());
    }

    #[test]
    fn the_floor_finds_and_writes_the_sequence_id() {
        let mut out = BytesMut::new();
        let mut load = EchoLoad::new(100);
        load.request(0, 1, &mut out);
        let first = out.len();
        load.request(0, 2, &mut out);
        assert_eq!((whole(&out), whole(&out[..first - 1]), whole(&out[..3])), (Some(first), None, None));
        assert_eq!((id(&out[..first]), id(&out[first..])), (1, 2));
        set_id(&mut out[..first], 0x0102_0304);
        assert_eq!(id(&out[..first]), 0x0102_0304);
        assert_eq!(id(&out[first..]), 2, "the next message is not touched");
        assert_eq!(id(&[0, 0, 0, 8, 0x80, 1, 0, 1, 0, 0, 0, 9]), u64::MAX, "no room for a sequence id");
    }

    #[test]
    fn aims_name_what_is_measured() {
        for aim in Thrift.aims() {
            assert!(aim.ours == "ours" || Thrift.settings().contains(&aim.ours), "{aim:?}");
        }
    }
}
