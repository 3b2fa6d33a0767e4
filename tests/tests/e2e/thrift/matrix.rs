//! Every library as client and as server of every other, on each wire that both speak, and from one wire to another.
//!
//! What is run for a wire: all types, nested structs, containers, uuids, 16 MiB, void, declared and undeclared
//! exceptions, an unknown method, oneway calls, 200 calls over 8 connections, 10,000 calls ahead of their answers;
//! headers and zlib where there is a header; two services where they share a port.

use std::collections::BTreeMap;

use e2e::libraries::{Library, LibraryServer, MULTIPLEXED, Row, Target, client, is_beyond};
use e2e::objects::{Route, Router, Service};
use e2e::scene::{Scene, Setup};

/// For a payload of 16 MiB; the codec's own limit is 8 MiB.
const LIMIT: &str = "maxMessageBytes: 33554432";
/// Go's client sends a oneway call as one that awaits an answer.
const ONEWAY: &str = "oneway: [note]";

/// A way through the proxy: the wire of the clients, the one of the server, and options towards the server.
struct Way {
    client: &'static str,
    server: &'static str,
    options: &'static str,
}

/// The proxy's port for a way, which is the service's name too.
fn port(number: usize) -> u16 {
    20_881 + number as u16
}

/// A scene with a service for each way to this server.
async fn scene(server: &LibraryServer, ways: &[Way]) -> (Scene, Vec<Target>) {
    let host = |number: usize| format!("way-{number}.shop.example");
    let mut setup = Setup::empty();
    for (number, way) in ways.iter().enumerate() {
        let host = host(number);
        let service = Service::of(&host).port(port(number)).speaking("thrift");
        let service = service.endpoint("all", server.address(way.server));
        let comma = if way.options.is_empty() { "" } else { ", " };
        let options =
            format!("downstream: {{{LIMIT}, {ONEWAY}}}, upstream: {{{LIMIT}{comma}{}}}", way.options);
        let router = Router::routes([Route::to("")]).of(&host).options(&options);
        setup = setup.put(&format!("service-{number}"), service).put(&format!("router-{number}"), router);
        setup = setup.listen(&format!("{host}:{}", port(number)));
    }
    let scene = setup.start().await;
    let target = |(number, way): (usize, &Way)| Target {
        name: format!("{}>{}", way.client, way.server),
        wire: way.client.to_owned(),
        address: scene.address_of(&format!("{}:{}", host(number), port(number))),
    };
    let targets = ways.iter().enumerate().map(target).collect();
    (scene, targets)
}

/// What a server of this library says of an exception that it did not declare, and of a method that it lacks.
fn exceptions(server: Library) -> [(&'static str, &'static str); 2] {
    match server {
        // It reads the field `code` of exceptions that have a `type`, so the type never leaves it.
        Library::Node => [("undeclared", "0 broken"), ("unknown", "0 Unknown function vanish")],
        Library::Java => [("undeclared", "6 Internal error"), ("unknown", "1 Invalid method name: 'vanish'")],
        Library::Python | Library::Go => {
            [("undeclared", "6 Internal error"), ("unknown", "1 Unknown function vanish")]
        }
    }
}

/// Fails unless all went well that goes well without a proxy; the number of scenarios of each target.
fn check(library: Library, server: Library, rows: &[Row]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in rows {
        *counts.entry(row.target.clone()).or_default() += 1;
        let (from, to) = row.target.split_once('>').expect("a way's name has both wires");
        let beyond = is_beyond((library, from), (server, to), &row.scenario);
        let expected = exceptions(server).into_iter().find(|(name, _)| *name == row.scenario);
        let is_right = match (&row.told, expected) {
            (Ok(told), Some((_, begin))) => told.starts_with(begin),
            (told, _) => told.is_ok() || beyond.is_some(),
        };
        if !is_right {
            wrong.push(row);
        }
    }
    assert!(wrong.is_empty(), "{} to {}: {wrong:#?}", library.name(), server.name());
    counts
}

/// Every client that speaks a way's wire goes that way.
async fn all_clients(server: Library, serving: &LibraryServer, ways: &[Way]) {
    let (scene, targets) = scene(serving, ways).await;
    for library in Library::ALL {
        let speaks = |target: &&Target| library.wires().any(|wire| wire == target.wire);
        let targets: Vec<_> = targets.iter().filter(speaks).cloned().collect();
        let rows = client(library, &targets, &[], &[]).await;
        let counts = check(library, server, &rows);
        for target in &targets {
            let least = match library {
                _ if target.wire == MULTIPLEXED => 2,
                Library::Python | Library::Node => 14,
                Library::Java | Library::Go => 13,
            };
            assert!(
                counts.get(&target.name) >= Some(&least),
                "{} ran too little: {counts:?}",
                library.name()
            );
        }
    }
    scene.end().await;
}

async fn every_wire(server: Library) {
    let serving = LibraryServer::start(server, server.name(), server.wires()).await;
    let straight = |wire| Way { client: wire, server: wire, options: "" };
    all_clients(server, &serving, &server.wires().map(straight).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn all_that_goes_to_a_python_server_goes_through_the_proxy() {
    every_wire(Library::Python).await;
}

#[tokio::test]
async fn all_that_goes_to_a_node_server_goes_through_the_proxy() {
    every_wire(Library::Node).await;
}

#[tokio::test]
async fn all_that_goes_to_a_java_server_goes_through_the_proxy() {
    every_wire(Library::Java).await;
}

#[tokio::test]
async fn all_that_goes_to_a_go_server_goes_through_the_proxy() {
    every_wire(Library::Go).await;
}

/// From what clients speak to what a server speaks.
const TRANSCODED: [Way; 5] = [
    Way {
        client: "framed/binary",
        server: "header/compact",
        options: "transport: header, protocol: compact",
    },
    Way { client: "header/compact", server: "framed/binary", options: "transport: framed, protocol: binary" },
    Way {
        client: "buffered/compact",
        server: "framed/binary",
        options: "transport: framed, protocol: binary",
    },
    Way { client: "framed/compact", server: "buffered/compact", options: "transport: buffered" },
    Way { client: "buffered/binary", server: "buffered/compact", options: "protocol: compact" },
];

#[tokio::test]
async fn a_server_may_speak_otherwise_than_its_clients() {
    for server in [Library::Python, Library::Go, Library::Java] {
        let serving = LibraryServer::start(server, server.name(), server.wires()).await;
        let speaks = |way: &Way| server.wires().any(|wire| wire == way.server);
        let ways: Vec<_> = TRANSCODED.into_iter().filter(speaks).collect();
        all_clients(server, &serving, &ways).await;
    }
}
