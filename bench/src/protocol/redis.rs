//! Redis: GET of keys in stock, routed by the command or by what a key begins with.
//!
//! Envoy routes by key only; where ours has a route by command, Envoy has one that takes everything. The server is an echo
//! server that derives each value from its key, or a real one.

use super::{Aim, Backend, Body, By, Figure, Folder, Place, Protocol, Routes};
use crate::floor::{Frames, queue};
use crate::template::fill;
use anyhow::ensure;
use peers::load::Workload;
use peers::process::RedisServer;
use peers::redis::{GetLoad, echo, length, stock};
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::net::TcpListener;

const SERVICE: &str = "cache.bench.example:6379";
const SERVICE_ENTRY: &str = include_str!("../../config/redis-service-entry.yaml");
const META_ROUTER: &str = include_str!("../../config/redis-metarouter.yaml");
const ENVOY: &str = include_str!("../../peers/envoy-redis.yaml");
/// What every key begins with: the first digit of a length.
const PREFIX: &str = "0";
/// Bytes of payload of the first call to each proxy.
const FIRST: usize = 100;

/// What shall be reached.
const AIMS: [Aim; 4] = [
    Aim { load: "1x1", reach: 0.72, stretch: Some(0.65), ..Aim::CPU },
    Aim { load: "50x1", reach: 0.60, stretch: Some(0.50), ..Aim::CPU },
    Aim { load: "16x16", reach: 0.30, stretch: Some(0.22), ..Aim::CPU },
    Aim { load: "50@3000", reach: 0.80, stretch: Some(0.70), figure: Figure::P99, ..Aim::CPU },
];

/// The protocol of Redis, RESP2.
#[derive(Debug)]
pub(super) struct Redis;

impl Protocol for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn workload(&self, _: Routes, body: Body) -> Box<dyn Workload> {
        Box::new(GetLoad::new(body.payload))
    }

    fn ours(&self, routes: Routes, backend: SocketAddr) -> anyhow::Result<Folder> {
        let mut list = String::new();
        let conditions = match prefixes(routes)? {
            Some(prefixes) => prefixes.map(|prefix| format!("key: {{prefix: '{prefix}'}}")).collect(),
            None => vec!["command: {exact: GET}".to_owned()],
        };
        for condition in conditions {
            // Writing to a string cannot fail.
            let _ = write!(
                list,
                "\n    - match: {{attributes: {{{condition}}}}}\n      route: [{{destination: {{host: cache.bench.example}}}}]"
            );
        }
        let (address, port) = (backend.ip().to_string(), backend.port().to_string());
        let entry = fill(SERVICE_ENTRY, &[("backend_address", &address), ("backend_port", &port)])?;
        let table = fill(META_ROUTER, &[("routes", &list)])?;
        Ok(Folder {
            files: vec![("service-entry.yaml", entry), ("metarouter.yaml", table)],
            service: SERVICE,
        })
    }

    fn envoy(&self, template: Option<&str>, place: &Place) -> anyhow::Result<String> {
        let routes = match prefixes(place.routes)? {
            None => "{catch_all_route: {cluster: echo}}".to_owned(),
            Some(prefixes) => prefixes.fold("\n                  routes:".to_owned(), |mut list, prefix| {
                // As above.
                let _ = write!(list, "\n{:20}- {{prefix: '{prefix}', cluster: echo}}", "");
                list
            }),
        };
        let values = [
            ("listen_address", place.listen.ip().to_string()),
            ("listen_port", place.listen.port().to_string()),
            ("backend_address", place.backend.ip().to_string()),
            ("backend_port", place.backend.port().to_string()),
            ("routes", routes),
        ];
        fill(template.unwrap_or(ENVOY), &values.each_ref().map(|(name, value)| (*name, &**value)))
    }

    fn aims(&self) -> &'static [Aim] {
        &AIMS
    }

    fn remark(&self) -> &'static str {
        "GET of 65,536 keys in turn, whose values follow from them. Ours routes by command; Envoy, which cannot, has one \
         route for everything. *muxfloor* has no ids to rewrite here: the next answer on the shared connection is the \
         oldest call's. *twemproxy* shares one connection too; its configuration is `bench/peers/twemproxy.yaml`. "
    }

    fn frames(&self) -> Frames {
        Frames::InOrder(queue::Frames { call: whole, answer: whole })
    }

    fn is_twemproxys(&self) -> bool {
        true
    }

    fn echo(&self, listener: TcpListener) -> Pin<Box<dyn Future<Output = io::Result<()>>>> {
        Box::pin(echo::serve(listener))
    }

    fn real_server(&self, payload: usize) -> anyhow::Result<Backend> {
        let server = RedisServer::start::<&str>(&[])?;
        for payload in [FIRST, payload] {
            stock::fill(server.address(), payload)?;
        }
        Ok(Backend { address: server.address(), process: Box::new(server) })
    }
}

/// What the keys of each route begin with, or `None` for a route by command.
fn prefixes(routes: Routes) -> anyhow::Result<Option<impl Iterator<Item = String>>> {
    match routes.by {
        By::Exact => {
            ensure!(
                routes.count == 1,
                "redis is measured with one route by command, or with many by key (prefix)"
            );
            Ok(None)
        }
        By::Prefix => {
            let others = (0..routes.last()).map(|number| format!("other{number:05}:"));
            Ok(Some(others.chain([PREFIX.to_owned()])))
        }
        By::Regex | By::Attachment => {
            anyhow::bail!("redis is measured with routes by command (exact) or by key (prefix)")
        }
    }
}

/// Calls and answers are of one form. What is none stays unread, and its client waits.
fn whole(received: &[u8]) -> Option<usize> {
    length::length(received).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

    fn place_of(by: By, count: usize) -> Place {
        Place {
            listen: "127.0.0.2:20900".parse().unwrap(),
            backend: "127.0.0.3:21909".parse().unwrap(),
            routes: Routes { by, count },
        }
    }

    #[test]
    fn each_proxy_gets_as_many_routes_as_were_asked_for_and_only_the_last_one_fits() {
        for count in [1, 3, 100] {
            let place = place_of(By::Prefix, count);
            let ours = Redis.ours(place.routes, place.backend).unwrap().files[1].1.clone();
            for text in [Redis.envoy(None, &place).unwrap(), ours] {
                let prefixes: Vec<_> =
                    text.split("prefix: '").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
                assert_eq!((prefixes.len(), *prefixes.last().unwrap()), (count, "0"), "{text}");
                assert!(!text.contains("{{"), "{text}");
            }
            let mut out = BytesMut::new();
            Redis.workload(place.routes, Body { payload: 100, object: false }).request(0, 1, &mut out);
            assert!(out.ends_with(b"\r\n00100:0000000000\r\n"), "{out:?}");
        }
    }

    #[test]
    fn one_route_by_command_is_one_for_everything_with_envoy() {
        let place = place_of(By::Exact, 1);
        assert!(
            Redis.envoy(None, &place).unwrap().contains("prefix_routes: {catch_all_route: {cluster: echo}}")
        );
        let ours = Redis.ours(place.routes, place.backend).unwrap();
        assert!(ours.files[1].1.contains("command: {exact: GET}"), "{}", ours.files[1].1);
        for wrong in [place_of(By::Exact, 2), place_of(By::Regex, 1), place_of(By::Attachment, 1)] {
            assert!(Redis.envoy(None, &wrong).is_err() && Redis.ours(wrong.routes, wrong.backend).is_err());
        }
    }

    #[test]
    fn addresses_reach_both_proxies() {
        let place = place_of(By::Exact, 1);
        let envoy = Redis.envoy(None, &place).unwrap();
        assert!(envoy.contains("{address: 127.0.0.2, port_value: 20900}"), "{envoy}");
        assert!(envoy.contains("{address: 127.0.0.3, port_value: 21909}"), "{envoy}");
        let entry = Redis.ours(place.routes, place.backend).unwrap().files[0].1.clone();
        assert!(entry.contains("127.0.0.3") && entry.contains("{tcp-metaprotocol-redis: 21909}"), "{entry}");
    }

    #[test]
    fn the_floor_finds_where_calls_and_answers_end() {
        assert_eq!(whole(b"*1\r\n$4\r\nPING\r\n*1"), Some(14));
        assert_eq!(whole(b"$3\r\nabc\r\n"), Some(9));
        assert_eq!((whole(b"$3\r\nab"), whole(b"HTTP/1.1\r\n")), (None, None));
    }
}
