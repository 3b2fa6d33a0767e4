//! `Service` and `EndpointSlice` objects: what they come to, and what is said of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

mod support;

use support::{documents, lines_of, load, said};

const HOST: &str = "orders.shop.svc.cluster.local";

/// `Service shop/orders` with this spec.
fn service(spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: orders, namespace: shop}}, spec: {{{spec}}}}}"
    )
}

const DUBBO: &str =
    "clusterIP: 10.0.0.7, ports: [{name: tcp-metaprotocol-dubbo, port: 20880, targetPort: 21880}]";

/// A slice of `shop/orders` with this name, port and endpoints.
fn slice(name: &str, port: &str, endpoints: &str) -> String {
    format!(
        "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {{name: {name}, namespace: shop, \
         labels: {{kubernetes.io/service-name: orders}}}}, ports: [{port}], endpoints: [{endpoints}]}}"
    )
}

const PORT: &str = "{name: tcp-metaprotocol-dubbo, port: 21880}";

/// The endpoints of the service.
fn endpoints(objects: &[&str]) -> String {
    let loaded = load(&documents(objects)).unwrap();
    let line = lines_of(&loaded, &format!("endpoints outbound|20880||{HOST}")).concat();
    line.split_once(" [").map_or(line.clone(), |(_, rest)| format!("[{rest}"))
}

#[test]
fn a_service_is_served_at_its_address_and_its_endpoints_at_theirs() {
    let loaded = load(&documents(&[&service(DUBBO), &slice("a", PORT, "{addresses: [10.1.0.1]}")])).unwrap();
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert_eq!(
        lines_of(&loaded, "listener"),
        [format!(r#"listener 10.0.0.7_20880 10.0.0.7:20880 dubbo ""={HOST}_20880@{HOST}"#)]
    );
    assert_eq!(
        lines_of(&loaded, "endpoints"),
        [format!(r#"endpoints outbound|20880||{HOST} ["10.1.0.1:21880"]"#)]
    );
}

#[test]
fn ports_name_their_protocol_or_say_it_apart() {
    let rows = [
        ("{name: tcp-metaprotocol-dubbo, port: 1}", Some("dubbo")),
        ("{name: tcp-metaprotocol-thrift-orders, port: 1}", Some("thrift")),
        ("{name: rpc, appProtocol: metaprotocol/thrift, port: 1}", Some("thrift")),
        ("{appProtocol: metaprotocol/redis, port: 1}", Some("redis")),
        ("{name: tcp-metaprotocol-dubbo, appProtocol: metaprotocol/thrift, port: 1}", Some("thrift")),
        ("{name: tcp-metaprotocol-dubbo, appProtocol: kubernetes.io/h2c, port: 1}", Some("dubbo")),
        ("{name: http, port: 1}", None),
    ];
    for (port, expected) in rows {
        let loaded = load(&service(&format!("clusterIP: 10.0.0.7, ports: [{port}]"))).unwrap();
        let listeners = lines_of(&loaded, "listener");
        let codec = listeners.first().and_then(|line| line.split(' ').nth(3));
        assert_eq!(codec, expected, "{port}");
    }
}

#[test]
fn endpoints_that_serve_are_found_once_in_all_slices() {
    let of = |first: &str, second: &str| {
        endpoints(&[&service(DUBBO), &slice("a", PORT, first), &slice("b", PORT, second)])
    };
    let rows = [
        // No word about it counts as ready.
        (
            "{addresses: [10.1.0.1]}",
            "{addresses: [10.1.0.2], conditions: {ready: true}}",
            r#"["10.1.0.1:21880", "10.1.0.2:21880"]"#,
        ),
        ("{addresses: [10.1.0.1]}", "{addresses: [10.1.0.1]}", r#"["10.1.0.1:21880"]"#),
        (
            "{addresses: [10.1.0.1]}",
            "{addresses: [10.1.0.2], conditions: {ready: false}}",
            r#"["10.1.0.1:21880"]"#,
        ),
        (
            "{addresses: [10.1.0.1]}",
            "{addresses: [10.1.0.2], conditions: {ready: false, serving: true, terminating: true}}",
            r#"["10.1.0.1:21880"]"#,
        ),
        // Nobody else is there.
        (
            "{addresses: [10.1.0.1], conditions: {ready: false}}",
            "{addresses: [10.1.0.2], conditions: {ready: false, serving: true, terminating: true}}",
            r#"["10.1.0.2:21880"]"#,
        ),
        // Go writes null for an empty list.
        ("{addresses: null}", "{addresses: [10.1.0.2], conditions: null}", r#"["10.1.0.2:21880"]"#),
    ];
    for (first, second, expected) in rows {
        assert_eq!(of(first, second), expected, "{first} {second}");
    }
}

#[test]
fn each_slice_has_ports_of_its_own_and_a_service_of_two_families_uses_its_first() {
    let other_port = "{name: tcp-metaprotocol-dubbo, port: 31880}, {name: metrics, port: 9090}";
    let (a, b) =
        (slice("a", PORT, "{addresses: [10.1.0.1]}"), slice("b", other_port, "{addresses: [10.1.0.2]}"));
    assert_eq!(endpoints(&[&service(DUBBO), &a, &b]), r#"["10.1.0.1:21880", "10.1.0.2:31880"]"#);

    let six = slice("c", PORT, "{addresses: ['fd00::1']}").replace("IPv4", "IPv6");
    assert_eq!(endpoints(&[&service(DUBBO), &a, &six]), r#"["10.1.0.1:21880"]"#);
    let first_six = service(&format!("{DUBBO}, ipFamilies: [IPv6, IPv4]"));
    assert_eq!(endpoints(&[&first_six, &a, &six]), r#"["fd00::1:21880"]"#);
}

#[test]
fn a_headless_service_and_an_external_name_have_no_address_of_their_own() {
    let headless =
        service("clusterIP: None, clusterIPs: [None], ports: [{name: tcp-metaprotocol-dubbo, port: 20880}]");
    let loaded = load(&documents(&[&headless, &slice("a", PORT, "{addresses: [10.1.0.1]}")])).unwrap();
    assert!(lines_of(&loaded, "listener")[0].starts_with("listener 127.0.0.1_20880 "));
    let external = service(
        "type: ExternalName, externalName: orders.example, ports: [{name: tcp-metaprotocol-dubbo, port: 20880}]",
    );
    let loaded = load(&external).unwrap();
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert!(lines_of(&loaded, "cluster")[0].contains("DNS"), "{:?}", lines_of(&loaded, "cluster"));
}

#[test]
fn what_cannot_be_served_is_told() {
    let entry = format!(
        "{{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {{name: twin, namespace: shop}}, spec: {{hosts: \
         [{HOST}], resolution: STATIC, ports: [{{number: 1, name: tcp-metaprotocol-dubbo}}]}}}}"
    );
    let rows: [(&[&str], &str); 4] = [
        (
            &[&service("ports: [{name: tcp-metaprotocol-dubbx, port: 1}]")],
            "error: Service shop/orders: spec.ports[0].name: port tcp-metaprotocol-dubbx names no protocol (did you mean `dubbo`?)",
        ),
        (
            &[&service("ports: [{name: a, appProtocol: metaprotocol/x, port: 1}]")],
            "error: Service shop/orders: spec.ports[0].appProtocol: port metaprotocol/x names no protocol",
        ),
        (
            &[&service("ports: [{name: tcp-metaprotocol-dubbo, port: 1, protocol: UDP}]")],
            "error: Service shop/orders: spec.ports[0].protocol: must be TCP",
        ),
        (
            &[&service(DUBBO), &entry],
            "error: ServiceEntry shop/twin: spec.hosts[0]: host orders.shop.svc.cluster.local is defined by Service shop/orders",
        ),
    ];
    for (objects, expected) in rows {
        let told = said(&load(&documents(objects)).unwrap());
        assert!(told.iter().any(|line| line.contains(expected)), "{expected}\n{told:#?}");
    }
    let empty = said(&load(&service(DUBBO)).unwrap());
    assert!(
        empty[0].contains("warning: Service shop/orders: spec.ports[0]: no endpoint is ready"),
        "{empty:?}"
    );
}
