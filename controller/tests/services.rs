//! `ServiceEntry` objects, `WorkloadEntry` objects, `DestinationRule`s, `ApplicationProtocol`s: what they come to, and what is said of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

mod support;

use controller::{Options, translate};
use support::{ORDERS, SUBSETS, documents, lines, lines_of, load, load_with, router, said};

const HOST: &str = "orders.shop.svc.cluster.local";

/// A `ServiceEntry` `shop/<name>` of host `<name>` with this spec beside its hosts.
fn service(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1alpha3\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
         hosts: [{name}]\n  {}\n",
        spec.trim().replace('\n', "\n  ")
    )
}

fn rule(namespace: &str, name: &str, host: &str, policy: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{host: '{host}', trafficPolicy: {policy}}}\n"
    )
}

const DUBBO: &str = "ports: [{number: 1, name: tcp-metaprotocol-dubbo}]\nresolution: STATIC";

#[test]
fn a_service_without_routes_has_everything_it_needs() {
    let loaded = load(&documents(&[ORDERS, SUBSETS])).unwrap();
    assert_eq!(said(&loaded), Vec::<String>::new());
    let cluster = |subset: &str| format!("cluster outbound|20880|{subset}|{HOST} dubbo EDS LEAST_REQUEST");
    let endpoints =
        |subset: &str, addresses: &str| format!("endpoints outbound|20880|{subset}|{HOST} [{addresses}]");
    assert_eq!(
        lines(&loaded),
        [
            cluster("v1"),
            cluster("v2"),
            cluster(""),
            endpoints("v1", r#""10.1.0.1:20880""#),
            endpoints("v2", r#""10.1.0.2:20880""#),
            endpoints("", r#""10.1.0.1:20880", "10.1.0.2:20880""#),
            format!(r#"listener 10.0.0.1_20880 10.0.0.1:20880 dubbo ""={HOST}_20880@{HOST}"#),
            format!("route {HOST}_20880 default -> outbound|20880||{HOST} 100%"),
        ]
    );
}

#[test]
fn only_what_a_route_or_a_subset_needs_is_there() {
    let spec = format!("routes:\n- route: [{{destination: {{host: {HOST}, subset: v1}}}}]");
    let loaded = load(&documents(&[ORDERS, SUBSETS, &router(&spec)])).unwrap();
    let names: Vec<String> = lines_of(&loaded, "cluster")
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names, [format!("outbound|20880|v1|{HOST}"), format!("outbound|20880|v2|{HOST}")]);
}

#[test]
fn endpoints_come_from_where_the_service_says() {
    let workload = |name: &str, namespace: &str, app: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: w{name}, namespace: {namespace}}}\n\
             spec: {{address: 10.2.0.{name}, labels: {{app: {app}}}, ports: {{other: 9}}}}\n"
        )
    };
    let port = "ports: [{number: 1, name: tcp-metaprotocol-dubbo, targetPort: 2}]";
    let rows = [
        (
            format!("{port}\nresolution: STATIC\nendpoints: [{{address: 10.1.0.1}}]"),
            r#"endpoints outbound|1||a ["10.1.0.1:2"]"#,
        ),
        (
            format!(
                "{port}\nresolution: STATIC\nendpoints: [{{address: '::1', ports: {{tcp-metaprotocol-dubbo: 3}}}}]"
            ),
            r#"endpoints outbound|1||a ["::1:3"]"#,
        ),
        (
            format!("{port}\nresolution: STATIC\nendpoints: [{{address: 10.1.0.1}}, {{address: 10.1.0.1}}]"),
            r#"endpoints outbound|1||a ["10.1.0.1:2"]"#,
        ),
        (
            format!("{port}\nresolution: STATIC\nworkloadSelector: {{labels: {{app: x}}}}"),
            r#"endpoints outbound|1||a ["10.2.0.1:2", "10.2.0.2:2"]"#,
        ),
        (
            format!("{port}\nresolution: DNS"),
            r#"cluster outbound|1||a dubbo STRICT_DNS ["a:2"] LEAST_REQUEST"#,
        ),
        (
            format!("{port}\nresolution: DNS\nendpoints: [{{address: b.example}}]"),
            r#"cluster outbound|1||a dubbo STRICT_DNS ["b.example:2"] LEAST_REQUEST"#,
        ),
    ];
    let others = [
        workload("1", "shop", "x"),
        workload("2", "shop", "x"),
        workload("3", "shop", "y"),
        workload("4", "web", "x"),
    ];
    for (spec, expected) in rows {
        let text = documents(&[&service("a", &spec), &others.join("---\n")]);
        let loaded = load(&text).unwrap();
        assert_eq!(said(&loaded), Vec::<String>::new(), "{spec}");
        let kind = expected.split(' ').next().unwrap_or_default();
        assert_eq!(lines_of(&loaded, kind), [expected], "{spec}");
    }
}

#[test]
fn addresses_and_interfaces_decide_who_listens_where() {
    let with = |name: &str, addresses: &str, interface: &str| {
        let text =
            service(name, &format!("{DUBBO}\naddresses: {addresses}\nendpoints: [{{address: 10.1.0.1}}]"));
        let annotations = format!("namespace: shop, annotations: {{interface: {interface}}}");
        if interface.is_empty() { text } else { text.replace("namespace: shop", &annotations) }
    };
    let rows = [
        (vec![with("a", "[]", "")], vec![r#"listener 127.0.0.1_1 127.0.0.1:1 dubbo ""=a_1@a"#]),
        (vec![with("a", "[]", "x.A")], vec![r#"listener 127.0.0.1_1 127.0.0.1:1 dubbo "x.A"=a_1@a"#]),
        (
            vec![with("a", "[10.0.0.1, '::1']", "")],
            vec![
                r#"listener 10.0.0.1_1 10.0.0.1:1 dubbo ""=a_1@a"#,
                r#"listener ::1_1 ::1:1 dubbo ""=a_1@a"#,
            ],
        ),
        (
            vec![with("a", "[]", ""), with("b", "[]", "x.B")],
            vec![r#"listener 127.0.0.1_1 127.0.0.1:1 dubbo "a"=a_1@a "x.B"=b_1@b"#],
        ),
        (
            vec![with("a", "[10.0.0.1]", ""), with("b", "[10.0.0.2]", "")],
            vec![
                r#"listener 10.0.0.1_1 10.0.0.1:1 dubbo ""=a_1@a"#,
                r#"listener 10.0.0.2_1 10.0.0.2:1 dubbo ""=b_1@b"#,
            ],
        ),
    ];
    for (services, expected) in rows {
        let loaded = load(&services.join("---\n")).unwrap();
        assert_eq!(said(&loaded), Vec::<String>::new());
        assert_eq!(lines_of(&loaded, "listener"), expected);
    }
}

#[test]
fn services_that_cannot_share_an_address_are_both_named_and_the_older_serves() {
    let redis = "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: ApplicationProtocol\nmetadata: {name: redis}\n\
                 spec: {protocol: redis}\n";
    let speaking = |name: &str, protocol: &str| {
        service(name, &format!("ports: [{{number: 1, name: tcp-metaprotocol-{protocol}}}]\nresolution: DNS"))
    };
    let dated = |text: String, year: u32| {
        text.replace(
            "namespace: shop",
            &format!("namespace: shop, creationTimestamp: '{year}-01-01T00:00:00Z'"),
        )
    };
    let interface =
        |text: String| text.replace("namespace: shop", "namespace: shop, annotations: {interface: X.y}");
    let rows = [
        (
            [dated(speaking("a", "redis"), 2026), dated(speaking("b", "redis"), 2025)],
            "11:11: error: ServiceEntry shop/a: spec.ports[0]: 127.0.0.1 port 1 is taken by ServiceEntry shop/b (x.yaml:14), and \
             messages of redis do not say which service they are for; give one of them another address or port",
            r#"redis ""=b_1@b"#,
        ),
        (
            [speaking("a", "dubbo"), speaking("b", "redis")],
            "19:11: error: ServiceEntry shop/b: spec.ports[0]: 127.0.0.1 port 1 is taken by ServiceEntry shop/a (x.yaml:6), which \
             speaks dubbo, not redis; give one of them another address or port",
            r#"dubbo ""=a_1@a"#,
        ),
        (
            [interface(speaking("a", "dubbo")), interface(speaking("b", "dubbo"))],
            "19:11: error: ServiceEntry shop/b: spec.ports[0]: 127.0.0.1 port 1 is taken by ServiceEntry shop/a (x.yaml:6), and \
             messages for ServiceEntry shop/a and this one both name X.y; give each an annotation `interface` of its own",
            r#"dubbo "X.y"=a_1@a"#,
        ),
    ];
    for (services, expected, serves) in rows {
        let loaded = load(&format!("{redis}---\n{}", services.join("---\n"))).unwrap();
        let folder = loaded.diagnostics[0].file.clone().unwrap();
        let folder = format!("{}/", folder.parent().unwrap().display());
        let said: Vec<String> = said(&loaded).into_iter().map(|line| line.replace(&folder, "")).collect();
        assert_eq!(said, [expected]);
        assert_eq!(lines_of(&loaded, "listener"), [format!("listener 127.0.0.1_1 127.0.0.1:1 {serves}")]);
    }
}

#[test]
fn mistakes_in_services_are_named() {
    let rows = [
        (
            "ports: [{number: 1, name: tcp-metaprotocol-duboo}]\nresolution: DNS",
            "6:29: error: ServiceEntry shop/a: spec.ports[0].name: port tcp-metaprotocol-duboo names no protocol (did you mean \
             `dubbo`?); there are dubbo, redis, thrift and what ApplicationProtocol objects register",
        ),
        (
            "ports: [{number: 1, name: tcp-metaprotocol-dubbo}]",
            "4:1: error: ServiceEntry shop/a: spec.resolution: resolution NONE is not supported; it must be STATIC or DNS",
        ),
        (
            "ports: [{number: 1, name: tcp-metaprotocol-dubbo}]\nresolution: DNS\naddresses: [10.0.0.0/8]",
            "8:15: error: ServiceEntry shop/a: spec.addresses[0]: 10.0.0.0/8 is a range, which is not supported; name single \
             addresses",
        ),
        (
            "ports: [{number: 1, name: tcp-metaprotocol-dubbo}]\nresolution: STATIC\nendpoints: [{address: 10.0.0.1}, {address: b.c}]",
            "8:46: error: ServiceEntry shop/a: spec.endpoints[1].address: \"b.c\" is not an IP address; names need \
             `resolution: DNS` in their ServiceEntry",
        ),
        (
            "ports: [{number: 1, name: tcp-metaprotocol-dubbo}]\nresolution: DNS\nworkloadSelector: {labels: {a: b}}\nendpoints: [{address: b}]",
            "8:3: error: ServiceEntry shop/a: spec.workloadSelector: endpoints and workloadSelector exclude each other; remove one",
        ),
        (
            "ports: [{number: 1, name: tcp-metaprotocol-dubbo}, {number: 1, name: tcp-metaprotocol-dubbo-2}]\nresolution: DNS",
            "6:63: error: ServiceEntry shop/a: spec.ports[1].number: port 1 stands here twice",
        ),
        (
            "ports: [{number: 70000, name: tcp-metaprotocol-dubbo}]\nresolution: DNS",
            "6:20: error: ServiceEntry shop/a: spec.ports[0].number: must be between 1 and 65535, not 70000",
        ),
        (
            "ports: [{number: 1, name: tcp-metaprotocol-dubbo}]\nresolution: STATIC",
            "4:1: warning: ServiceEntry shop/a: spec.endpoints: there are none; requests to a will be answered with an error",
        ),
        (
            "ports: [{number: 1, name: tcp-metaprotocol-dubbo}]\nresolution: DNS\nsubjectAltNames: [x]",
            "8:3: warning: ServiceEntry shop/a: spec.subjectAltNames: not supported yet, so it has no effect",
        ),
        (
            "ports: [{number: 1, name: tcp-metaprotocol-dubbo}]\nresolution: STATIC\nendpoints: [{address: 10.0.0.1, weight: 5}]",
            "8:35: warning: ServiceEntry shop/a: spec.endpoints[0].weight: not supported yet, so it has no effect",
        ),
    ];
    for (spec, expected) in rows {
        assert_eq!(said(&load(&service("a", spec)).unwrap()), [expected], "{spec}");
    }
}

#[test]
fn a_service_that_names_none_of_our_protocols_is_none_of_our_business() {
    let text =
        service("a", "ports: [{number: 443, name: https}]\nresolution: DYNAMIC_DNS\nsubjectAltNames: [x]");
    let other_rule = rule("shop", "a", "a", "{tls: {mode: MUTUAL}}");
    let loaded = load(&documents(&[&text, &other_rule])).unwrap();
    assert!(said(&loaded).is_empty(), "{:?}", said(&loaded));
    assert!(lines(&loaded).is_empty());
}

#[test]
fn a_bad_endpoint_or_port_leaves_the_others() {
    let spec = "ports: [{number: 1, name: tcp-metaprotocol-dubbo}, {number: 2, name: tcp-metaprotocol-what}]\n\
                resolution: STATIC\nendpoints: [{address: 10.0.0.1}, {address: b.c}]";
    let loaded = load(&service("a", spec)).unwrap();
    assert_eq!(said(&loaded).len(), 2);
    assert_eq!(lines_of(&loaded, "endpoints"), [r#"endpoints outbound|1||a ["10.0.0.1:1"]"#]);
}

#[test]
fn a_rule_sets_what_its_clusters_do_and_a_subset_overrides_it_field_by_field() {
    let text = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: orders, namespace: shop}\nspec:\n  \
                host: orders\n  trafficPolicy:\n    loadBalancer: {simple: ROUND_ROBIN}\n    connectionPool:\n      \
                tcp: {maxConnections: 5, connectTimeout: 250ms, idleTimeout: 1m}\n      http: {http1MaxPendingRequests: 6, maxRetries: 8}\n  \
                subsets:\n  - name: v1\n    labels: {version: v1}\n    trafficPolicy:\n      loadBalancer: {simple: LEAST_CONN}\n      \
                connectionPool:\n        tcp: {maxConnections: 0, idleTimeout: 0s}\n        http: {http2MaxRequests: 7}\n";
    let loaded = load(&documents(&[ORDERS, text])).unwrap();
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert_eq!(
        lines_of(&loaded, "cluster"),
        [
            format!(
                "cluster outbound|20880|v1|{HOST} dubbo EDS LEAST_REQUEST connect=0.25 connections=5 pending=6 requests=7 retries=8"
            ),
            format!(
                "cluster outbound|20880||{HOST} dubbo EDS ROUND_ROBIN connect=0.25 idle=60 connections=5 pending=6 retries=8"
            ),
        ]
    );
}

#[test]
fn mistakes_in_rules_are_named_and_the_rest_applies() {
    let rows = [
        (
            "{loadBalancer: {simple: ROUND_ROBBIN}}",
            "18:63: error: DestinationRule shop/orders: spec.trafficPolicy.loadBalancer.simple: there is no ROUND_ROBBIN (did you \
             mean `ROUND_ROBIN`?); there are ROUND_ROBIN, LEAST_REQUEST, LEAST_CONN, RANDOM, \
             UNSPECIFIED",
        ),
        (
            "{loadBalancer: {simple: PASSTHROUGH}}",
            "18:63: warning: DestinationRule shop/orders: spec.trafficPolicy.loadBalancer.simple: PASSTHROUGH is not supported yet; \
             requests go to the less loaded endpoint of two",
        ),
        (
            "{connectionPool: {tcp: {connectTimeout: 0s}}}",
            "18:79: error: DestinationRule shop/orders: spec.trafficPolicy.connectionPool.tcp.connectTimeout: must be more than 0s",
        ),
        (
            "{connectionPool: {tcp: {maxConnections: -1}}}",
            "18:79: error: DestinationRule shop/orders: spec.trafficPolicy.connectionPool.tcp.maxConnections: must be at least 0, \
             not -1",
        ),
    ];
    for (policy, expected) in rows {
        let loaded = load(&documents(&[ORDERS, &rule("shop", "orders", "orders", policy)])).unwrap();
        assert_eq!(said(&loaded), [expected], "{policy}");
        assert_eq!(lines_of(&loaded, "cluster").len(), 1);
    }
}

#[test]
fn a_subset_that_selects_nothing_is_worth_a_warning() {
    let text = SUBSETS.replace("{version: v2}", "{version: v3}");
    assert_eq!(
        said(&load(&documents(&[ORDERS, &text])).unwrap()),
        [format!(
            "23:16: warning: DestinationRule shop/orders: spec.subsets[1].labels: subset v2 selects no endpoint of host {HOST}"
        )]
    );
}

#[test]
fn the_nearest_rule_applies() {
    let limit = |max: u32| format!("{{connectionPool: {{tcp: {{maxConnections: {max}}}}}}}");
    let own = Options {
        translate: translate::Options { own_namespace: Some("web".into()), ..translate::Options::default() },
    };
    let rows = [
        (vec![("shop", "*.local", 1), ("shop", "*.shop.svc.cluster.local", 2)], Options::default(), 2, 0),
        (vec![("shop", "*", 1), ("shop", HOST, 2)], Options::default(), 2, 0),
        (vec![("shop", "orders", 1)], Options::default(), 1, 0),
        (vec![("shop", HOST, 1), ("web", "*", 2)], own.clone(), 2, 0),
        (vec![("shop", HOST, 1), ("web", HOST, 2)], own, 2, 0),
        // Of another namespace: a warning. The same host twice: an error, and the older (here: by name) applies.
        (vec![("shop", HOST, 1), ("web", HOST, 2)], Options::default(), 1, 1),
        (vec![("shop", HOST, 1), ("shop", HOST, 2)], Options::default(), 1, 1),
    ];
    for (rules, options, expected, messages) in rows {
        let texts: Vec<String> = rules
            .iter()
            .enumerate()
            .map(|(i, (namespace, host, max))| rule(namespace, &format!("r{i}"), host, &limit(*max)))
            .collect();
        let loaded = load_with(&documents(&[ORDERS, &texts.join("---\n")]), &options).unwrap();
        assert_eq!(said(&loaded).len(), messages, "{rules:?} {:?}", said(&loaded));
        let clusters = lines_of(&loaded, "cluster");
        assert!(clusters[0].ends_with(&format!("connections={expected}")), "{rules:?} {clusters:?}");
    }
}

#[test]
fn protocols_carry_options_and_a_router_overrides_them_on_each_side() {
    let protocol = "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: ApplicationProtocol\nmetadata: {name: my, namespace: any}\n\
                    spec: {protocol: My-Dubbo, codec: aeraki.meta_protocol.codec.dubbo, options: {a: 1, b: x}}\n";
    let orders = ORDERS.replace("tcp-metaprotocol-dubbo", "tcp-metaprotocol-my-dubbo-2");
    let router = router("options: {downstream: {b: y}, upstream: {c: z}}");
    let loaded = load(&documents(&[protocol, &orders, &router])).unwrap();
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert_eq!(
        lines_of(&loaded, "listener"),
        [format!(r#"listener 10.0.0.1_20880 10.0.0.1:20880 dubbo{{a=1,b=y}} ""={HOST}_20880@{HOST}"#)]
    );
    assert_eq!(
        lines_of(&loaded, "cluster"),
        [format!("cluster outbound|20880||{HOST} dubbo{{a=1,b=x,c=z}} EDS LEAST_REQUEST")]
    );
}

#[test]
fn a_codec_that_nobody_has_is_the_proxys_to_refuse() {
    let protocol = "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: ApplicationProtocol\nmetadata: {name: trpc}\n\
                    spec: {protocol: trpc, codec: aeraki.meta_protocol.codec.trpc}\n";
    let orders = ORDERS.replace("metaprotocol-dubbo", "metaprotocol-trpc");
    let loaded = load(&documents(&[protocol, &orders])).unwrap();
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert!(lines_of(&loaded, "listener")[0].contains(" trpc "));
}

#[test]
fn options_that_differ_on_one_address_are_named() {
    let named =
        |name: &str| service(name, "ports: [{number: 1, name: tcp-metaprotocol-dubbo}]\nresolution: DNS");
    let router = "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nmetadata: {name: b, namespace: shop}\n\
                  spec: {hosts: [b], options: {downstream: {x: 1}}}\n";
    let loaded = load(&documents(&[&named("a"), &named("b"), router])).unwrap();
    assert_eq!(
        said(&loaded),
        [
            "22:30: error: MetaRouter shop/b: spec.options.downstream: hosts a and b share 127.0.0.1 port 1, so their options \
          must be the same; those of a are in force"
        ]
    );
    assert!(lines_of(&loaded, "listener")[0].contains(" dubbo "));
}

#[test]
fn the_oldest_router_of_a_host_serves_it_and_only_those_that_may() {
    let named = |namespace: &str, name: &str, created: &str| {
        format!(
            "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nmetadata: {{name: {name}, namespace: {namespace}, \
             creationTimestamp: {created}}}\nspec: {{hosts: [{HOST}], routes: [{{name: {name}, route: [{{destination: \
             {{host: {HOST}}}}}]}}]}}\n"
        )
    };
    let early = "2025-01-01T00:00:00Z";
    let late = "2026-01-01T00:00:00Z";
    let allowed = Options {
        translate: translate::Options { allow_cross_namespace: true, ..translate::Options::default() },
    };
    let rows = [
        (vec![named("shop", "b", early), named("shop", "a", late)], Options::default(), "b", "is routed by"),
        (
            vec![named("shop", "b", "null"), named("shop", "a", early)],
            Options::default(),
            "b",
            "is routed by",
        ),
        (vec![named("shop", "b", early), named("shop", "a", early)], Options::default(), "a", "is routed by"),
        (
            vec![named("web", "b", early), named("shop", "a", late)],
            Options::default(),
            "a",
            "may not route host",
        ),
        (vec![named("web", "b", early), named("shop", "a", late)], allowed, "b", "is routed by"),
        (
            vec![named("mesh-system", "b", early), named("shop", "a", late)],
            Options::default(),
            "b",
            "is routed by",
        ),
    ];
    for (i, (routers, options, serves, message)) in rows.into_iter().enumerate() {
        let loaded = load_with(&documents(&[ORDERS, &routers.join("---\n")]), &options).unwrap();
        let routes = lines_of(&loaded, "route");
        assert!(routes[0].starts_with(&format!("route {HOST}_20880 {serves} ")), "row {i}: {routes:?}");
        let said = said(&loaded);
        assert_eq!(said.len(), 1, "row {i}: {said:?}");
        assert!(said[0].contains(": error: MetaRouter ") && said[0].contains(message), "row {i}: {said:?}");
    }
}

#[test]
fn a_router_of_a_host_that_nobody_has_serves_nothing_and_says_so() {
    let router = router("").replace("orders.shop.svc", "order.shop.svc");
    let loaded = load(&documents(&[ORDERS, &router])).unwrap();
    assert_eq!(
        said(&loaded),
        [format!(
            "19:11: warning: MetaRouter shop/orders: spec.hosts[0]: no Service or ServiceEntry has host order.shop.svc.cluster.local \
             (did you mean `{HOST}`?); these routes serve nothing"
        )]
    );
}

#[test]
fn a_version_changes_with_what_is_said_and_with_nothing_else() {
    let options = |fields: &str| router(&format!("options: {{downstream: {{{fields}}}}}"));
    let versions = |text: &str| -> Vec<String> {
        load(text).unwrap().resources.values().map(|resource| resource.version.clone()).collect()
    };
    let one = versions(&documents(&[ORDERS, SUBSETS, &options("a: 1, b: 2")]));
    let moved = versions(&documents(&["# a comment\n", SUBSETS, &options("b: 2, a: 1"), "\n\n\n", ORDERS]));
    let other = versions(&documents(&[ORDERS, SUBSETS, &options("a: 1, b: 3")]));
    assert_eq!(one, moved);
    assert_eq!(one.iter().zip(&other).filter(|(a, b)| a != b).count(), 1, "the listener alone");
    assert!(one.iter().all(|version| version.len() == 16));
}
