//! `loadBalancer.consistentHash`: which clusters it makes, and what is said of one that cannot be.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

mod support;

use support::{ORDERS, documents, lines_of, load, said};

/// How the one cluster of a service balances whose rule says this, and what is said of it.
fn balancing(load_balancer: &str) -> (String, Vec<String>) {
    let rule = format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: orders, namespace: shop}}\nspec:\n  \
         host: orders\n  trafficPolicy:\n    loadBalancer:\n      {}\n",
        load_balancer.replace('\n', "\n      ")
    );
    let loaded = load(&documents(&[ORDERS, &rule])).unwrap();
    let clusters = lines_of(&loaded, "cluster");
    assert_eq!(clusters.len(), 1);
    (clusters[0].split(" EDS ").last().unwrap().to_owned(), said(&loaded))
}

#[test]
fn what_is_hashed_and_how_is_told_to_the_proxy() {
    let rows = [
        ("{httpHeaderName: key}", r#"RING_HASH by "key" ring=None"#),
        ("{httpHeaderName: key, ringHash: {}}", r#"RING_HASH by "key" ring=None"#),
        (
            "{httpHeaderName: X-User, ringHash: {minimumRingSize: 4096}}",
            r#"RING_HASH by "X-User" ring=Some(4096)"#,
        ),
        ("{httpHeaderName: key, minimumRingSize: 2048}", r#"RING_HASH by "key" ring=Some(2048)"#),
        ("{httpHeaderName: key, ringHash: {minimumRingSize: 0}}", r#"RING_HASH by "key" ring=None"#),
        (
            "{httpHeaderName: key, ringHash: {minimumRingSize: 1048576}}",
            r#"RING_HASH by "key" ring=Some(1048576)"#,
        ),
        ("{useSourceIp: true}", r#"RING_HASH by "source.address" ring=None"#),
        ("{useSourceIp: true, maglev: {}}", r#"MAGLEV by "source.address" table=None"#),
        ("{httpHeaderName: key, useSourceIp: false}", r#"RING_HASH by "key" ring=None"#),
        ("{httpHeaderName: key, maglev: {}}", r#"MAGLEV by "key" table=None"#),
        ("{httpHeaderName: key, maglev: {tableSize: 0}}", r#"MAGLEV by "key" table=None"#),
        ("{httpHeaderName: key, maglev: {tableSize: 251}}", r#"MAGLEV by "key" table=Some(251)"#),
        ("{httpHeaderName: key, maglev: {tableSize: 1048573}}", r#"MAGLEV by "key" table=Some(1048573)"#),
    ];
    for (hash, expected) in rows {
        assert_eq!(balancing(&format!("consistentHash: {hash}")), (expected.to_owned(), vec![]), "{hash}");
    }
}

#[test]
fn a_mistake_is_named_and_never_ends_in_another_way_of_balancing() {
    let rows = [
        (
            "consistentHash: {}",
            r#"RING_HASH by "" ring=None"#,
            "error: spec.trafficPolicy.loadBalancer.consistentHash.httpHeaderName: must name the attribute that is hashed, \
             whatever the protocol",
        ),
        (
            "consistentHash: {httpHeaderName: '', maglev: {}}",
            r#"MAGLEV by "" table=None"#,
            "error: spec.trafficPolicy.loadBalancer.consistentHash.httpHeaderName: must name the attribute that is hashed, \
             whatever the protocol",
        ),
        (
            "simple: RANDOM\nconsistentHash: {httpHeaderName: key}",
            r#"RING_HASH by "key" ring=None"#,
            "error: spec.trafficPolicy.loadBalancer.simple: `simple` and `consistentHash` exclude each other; remove one",
        ),
        (
            "consistentHash: {httpHeaderName: key, maglev: {}, ringHash: {}}",
            r#"MAGLEV by "key" table=None"#,
            "error: spec.trafficPolicy.loadBalancer.consistentHash.ringHash: `ringHash` and `maglev` exclude each other; \
             remove one",
        ),
        (
            "consistentHash: {httpHeaderName: key, maglev: {tableSize: 65536}}",
            r#"MAGLEV by "key" table=Some(65536)"#,
            "error: spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize: must be a prime up to 1048576, such as \
             65537; 65536 is not",
        ),
        (
            "consistentHash: {httpHeaderName: key, maglev: {tableSize: 5000011}}",
            r#"MAGLEV by "key" table=Some(5000011)"#,
            "error: spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize: must be a prime up to 1048576, such as \
             65537; 5000011 is not",
        ),
        (
            "consistentHash: {httpHeaderName: key, ringHash: {minimumRingSize: 1048577}}",
            r#"RING_HASH by "key" ring=Some(1048577)"#,
            "error: spec.trafficPolicy.loadBalancer.consistentHash.ringHash.minimumRingSize: must be at most 1048576",
        ),
        (
            "consistentHash: {httpHeaderName: key, minimumRingSize: 8388608}",
            r#"RING_HASH by "key" ring=Some(8388608)"#,
            "error: spec.trafficPolicy.loadBalancer.consistentHash.minimumRingSize: must be at most 1048576",
        ),
        (
            "consistentHash: {httpHeaderName: key, minimumRingSize: 5, ringHash: {minimumRingSize: 6}}",
            r#"RING_HASH by "key" ring=Some(6)"#,
            "error: spec.trafficPolicy.loadBalancer.consistentHash.minimumRingSize: is the older place of \
             `ringHash.minimumRingSize`, which is set too; remove this one",
        ),
        (
            "consistentHash: {httpHeaderName: key, minimumRingSize: 5, maglev: {}}",
            r#"MAGLEV by "key" table=None"#,
            "warning: spec.trafficPolicy.loadBalancer.consistentHash.minimumRingSize: has no effect: with `maglev` there \
             is no ring",
        ),
        (
            "consistentHash: {httpHeaderName: key, useSourceIp: true}",
            r#"RING_HASH by "key" ring=None"#,
            "error: spec.trafficPolicy.loadBalancer.consistentHash.useSourceIp: `httpHeaderName` and `useSourceIp` exclude \
             each other; remove one",
        ),
        (
            "consistentHash: {httpQueryParameterName: q}",
            "LEAST_REQUEST",
            "warning: spec.trafficPolicy.loadBalancer.consistentHash.httpQueryParameterName: not supported yet, so it has \
             no effect",
        ),
    ];
    for (text, line, message) in rows {
        let (cluster, said) = balancing(text);
        let short =
            |one: &String| one.split_once(": ").unwrap().1.replace("DestinationRule shop/orders: ", "");
        assert_eq!(cluster, line, "{text}");
        assert_eq!(said.iter().map(short).collect::<Vec<_>>(), [message], "{text}");
    }
}
