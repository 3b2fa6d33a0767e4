//! `MetaRouter`s: what their routes mean, and what is said about those that mean nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

mod support;

use support::{ORDERS, SUBSETS, documents, lines_of, load, router, said};

const HOST: &str = "orders.shop.svc.cluster.local";

/// The routes that a `MetaRouter`'s spec comes to, without the parts that are always the same.
fn routes(spec: &str) -> (Vec<String>, Vec<String>) {
    let loaded = load(&documents(&[ORDERS, SUBSETS, &router(spec)])).unwrap();
    let prefix = format!("route {HOST}_20880 ");
    let lines = lines_of(&loaded, &prefix);
    let short =
        |line: &String| line[prefix.len()..].replace(&format!("|{HOST}"), "").replace("outbound|20880|", "@");
    (lines.iter().map(short).collect(), said(&loaded))
}

/// One route with this besides its destination.
fn one(fields: &str) -> String {
    format!(
        "routes:\n- route: [{{destination: {{host: {HOST}, subset: v1}}}}]\n  {}",
        fields.trim().replace('\n', "\n  ")
    )
}

#[test]
fn a_route_means_what_it_says() {
    let v1 = format!("destination: {{host: {HOST}, subset: v1}}");
    let v2 = format!("destination: {{host: {HOST}, subset: v2}}");
    let rows = [
        (String::new(), vec!["default -> @ 100%"]),
        ("routes: []".into(), vec!["default -> @ 100%"]),
        (one(""), vec!["routes[0] -> @v1 100%"]),
        (one("name: first"), vec!["first -> @v1 100%"]),
        (one("match: {}"), vec!["routes[0] -> @v1 100%"]),
        (
            one("match: {attributes: {method: {exact: a}, Zone: {prefix: b}}}"),
            vec!["routes[0] Zone^b method=a -> @v1 100%"],
        ),
        (one("match: {attributes: {method: {}}}"), vec!["routes[0] method?true -> @v1 100%"]),
        (one("match: {attributes: {method: {exact: ''}}}"), vec!["routes[0] method?true -> @v1 100%"]),
        (one("match: {attributes: {method: {present: false}}}"), vec!["routes[0] method?false -> @v1 100%"]),
        (
            one("match: {attributes: {method: {not: {regex: 'a|b'}}}}"),
            vec!["routes[0] !method~a|b -> @v1 100%"],
        ),
        (one("timeout: 1500ms"), vec!["routes[0] -> @v1 100% timeout 1.5"]),
        (one("timeout: 0s"), vec!["routes[0] -> @v1 100% timeout 0"]),
        (one("retries: {attempts: 2, idempotent: true}"), vec!["routes[0] -> @v1 100% retries 2 []"]),
        (
            one("timeout: 2s\nretries: {attempts: 10, perTryTimeout: 500ms, idempotent: true}"),
            vec!["routes[0] -> @v1 100% timeout 2 retries 10 of 0.5 []"],
        ),
        (
            one("timeout: 0s\nretries: {attempts: 1, perTryTimeout: 1h, idempotent: true}"),
            vec!["routes[0] -> @v1 100% timeout 0 retries 1 of 3600 []"],
        ),
        (
            one("retries: {attempts: 1, idempotent: [{attributes: {method: {prefix: get}}}, \
                 {attributes: {Zone: {not: {}}, method: {exact: a}}}]}"),
            vec!["routes[0] -> @v1 100% retries 1 [method^get] [!Zone?true method=a]"],
        ),
        (one(&format!("mirror: {{host: {HOST}}}")), vec!["routes[0] -> @v1 100% copy @ 1000000"]),
        (
            one(&format!("mirror: {{host: {HOST}, subset: v2}}\nmirrorPercentage: {{value: 12.5}}")),
            vec!["routes[0] -> @v1 100% copy @v2 125000"],
        ),
        (
            one(&format!("mirror: {{host: {HOST}}}\nmirrorRequests: all")),
            vec!["routes[0] -> @v1 100% copy @ 1000000"],
        ),
        (
            one(&format!("mirror: {{host: {HOST}}}\nmirrorPercentage: {{value: 5}}\nmirrorRequests: writes")),
            vec!["routes[0] -> @v1 100% copy of writes @ 50000"],
        ),
        (
            format!("routes: [{{route: [{{{v1}, weight: 90}}, {{{v2}, weight: 10}}]}}]"),
            vec!["routes[0] -> @v1 90% -> @v2 10%"],
        ),
        (
            format!("routes: [{{route: [{{{v1}, weight: 100}}, {{{v2}, weight: 0}}]}}]"),
            vec!["routes[0] -> @v1 100%"],
        ),
        (format!("routes: [{{route: [{{{v1}, weight: 7}}]}}]"), vec!["routes[0] -> @v1 100%"]),
        (
            "routes: [{route: [{destination: {host: orders, port: {number: 20880}}}]}]".into(),
            vec!["routes[0] -> @ 100%"],
        ),
        ("exportTo: ['*']".into(), vec!["default -> @ 100%"]),
        ("exportTo: ['.']".into(), vec!["default -> @ 100%"]),
    ];
    for (spec, expected) in rows {
        let (routes, said) = routes(&spec);
        assert_eq!(said, Vec::<String>::new(), "{spec}");
        assert_eq!(routes, expected, "{spec}");
    }
}

#[test]
fn a_destination_may_be_another_host_and_another_port() {
    let more = "ports: [{number: 9, name: tcp-metaprotocol-dubbo-more, protocol: TCP}, ";
    let orders = ORDERS.replace("ports: [", more);
    let carts = orders.replace("orders", "carts").replace("10.0.0.1", "10.0.0.2");
    let other = HOST.replace("orders", "carts");
    let spec = format!(
        "routes: [{{route: [{{destination: {{host: {other}, port: {{number: 9}}}}}}], \
         mirror: {{host: {other}, port: {{number: 20880}}}}}}]"
    );
    let loaded = load(&documents(&[&orders, &carts, &router(&spec)])).unwrap();
    assert_eq!(said(&loaded), Vec::<String>::new());
    let line = |port: u16| {
        let copies = format!("copy outbound|20880||{other} 1000000");
        format!("route {HOST}_{port} routes[0] -> outbound|9||{other} 100% {copies}")
    };
    assert_eq!(lines_of(&loaded, "route orders"), [line(20880), line(9)]);
}

#[test]
fn a_route_with_a_mistake_answers_what_it_is_and_the_rest_serves() {
    let rows = [
        (
            "route: [{destination: {host: orders.shop.svc.cluster.locla}}]",
            "destination.host",
            "no Service or ServiceEntry has host orders.shop.svc.cluster.locla (did you mean `orders.shop.svc.cluster.local`?)",
        ),
        (
            "route: [{destination: {host: orders, subset: v3}}]",
            "destination.subset",
            "DestinationRule shop/orders (FILE:16) defines no subset v3 (did you mean `v1`?); it defines v1, v2",
        ),
        (
            "route: [{destination: {host: orders, port: {number: 1}}}]",
            "destination.port",
            "host orders.shop.svc.cluster.local has no such port; it has 20880",
        ),
    ];
    for (route, field, message) in rows {
        let spec = format!(
            "routes:\n- match: {{attributes: {{method: {{exact: a}}}}}}\n  {route}\n- route: [{{destination: {{host: orders}}}}]"
        );
        let loaded = load(&documents(&[ORDERS, SUBSETS, &router(&spec)])).unwrap();
        let file = loaded.diagnostics[0].file.clone().unwrap();
        let message = message.replace("FILE", &file.display().to_string());
        let problem = format!("MetaRouter shop/orders: spec.routes[0].route[0].{field}: {message}");
        let prefix = format!("route {HOST}_20880 ");
        let routes: Vec<String> =
            lines_of(&loaded, &prefix).iter().map(|line| line[prefix.len()..].to_owned()).collect();
        let rest = format!("routes[1] -> outbound|20880||{HOST} 100%");
        // Which host may be meant is told to those who write routes, and not to their clients.
        let told = problem.replace(" (did you mean `orders.shop.svc.cluster.local`?)", "");
        assert_eq!(routes, [format!("routes[0] method=a misconfigured {told}"), rest]);
        assert_eq!(loaded.diagnostics.len(), 1, "{:?}", loaded.diagnostics);
        let line = format!("error: {problem}");
        assert!(loaded.diagnostics[0].to_string().ends_with(&line), "{} {line}", loaded.diagnostics[0]);
    }
}

#[test]
fn mistakes_are_named_with_their_place_and_what_would_be_right() {
    let v1 = format!("destination: {{host: {HOST}, subset: v1}}");
    let rows = [
        (
            format!("routes:\n- route:\n  - {{{v1}, weight: 80}}\n  - {{{v1}, weight: 10}}"),
            "34:80: error: MetaRouter shop/orders: spec.routes[0].route[1].weight: weights must sum to 100, not 90",
        ),
        (
            one("timeout: 10"),
            "33:14: error: MetaRouter shop/orders: spec.routes[0].timeout: must be a string, not a number; put it in quotes",
        ),
        (
            one("timeout: 10sec"),
            "33:14: error: MetaRouter shop/orders: spec.routes[0].timeout: \"10sec\" is not a duration; write one such as 10s, 1500ms or 1h30m",
        ),
        (
            one("mirrorPercentage: {value: 5}"),
            "33:5: error: MetaRouter shop/orders: spec.routes[0].mirrorPercentage: says how much to copy, but there is no `mirror` that says where to",
        ),
        (
            one("mirrorRequests: writes"),
            "33:21: error: MetaRouter shop/orders: spec.routes[0].mirrorRequests: says what to copy, but there is no `mirror` that says where to",
        ),
        (
            one(&format!("mirror: {{host: {HOST}}}\nmirrorPercentage: {{value: 0}}")),
            "34:31: error: MetaRouter shop/orders: spec.routes[0].mirrorPercentage.value: must be more than 0 and at most 100, not 0",
        ),
        (
            one("requestMutation: [{key: '', value: b}]"),
            "33:29: error: MetaRouter shop/orders: spec.routes[0].requestMutation[0].key: must not be empty",
        ),
        (
            one("responseMutation: [{key: a, value: b}, {key: A, value: c}]"),
            "33:50: error: MetaRouter shop/orders: spec.routes[0].responseMutation[1].key: [0] sets A too: keys are the same whatever their case",
        ),
        (
            one("wieght: 5"),
            "33:5: error: MetaRouter shop/orders: spec.routes[0].wieght: no such field; there are match, mirror, mirrorPercentage, mirrorRequests, name, requestMutation, responseMutation, retries, route, timeout",
        ),
        (
            one("match: {attributes: {method: {regex: '('}}}"),
            "33:42: error: MetaRouter shop/orders: spec.routes[0].match.attributes.method.regex: \"(\" is not a regular expression: unclosed group",
        ),
        (
            one("match: {attributes: {method: {exact: a}, Method: {exact: b}}}"),
            "33:26: error: MetaRouter shop/orders: spec.routes[0].match.attributes.method: is the same attribute as Method: names are compared without regard to case; remove one",
        ),
        (
            one("match: {attributes: {method: {exact: a, prefix: b}}}"),
            "33:26: error: MetaRouter shop/orders: spec.routes[0].match.attributes.method: a condition holds one of exact, prefix, regex, present and not; this has exact and prefix",
        ),
        (
            "gateways: [edge, Edge]".into(),
            "31:20: error: MetaRouter shop/orders: spec.gateways[1]: \"Edge\" names no gateway; it would be a name, a namespace and a name with `/` between them, or mesh, which stands for all proxies that are no gateway",
        ),
        (
            "exportTo: [web, Web]".into(),
            "31:19: error: MetaRouter shop/orders: spec.exportTo[1]: \"Web\" names no namespace; there are * (all), . (this one), ~ (none) and names",
        ),
        (
            "globalRateLimit: {domain: a}".into(),
            "31:3: error: MetaRouter shop/orders: spec.globalRateLimit: not supported yet",
        ),
    ];
    for (spec, expected) in rows {
        let (_, said) = routes(&spec);
        assert_eq!(said, [expected], "{spec}");
    }
}

#[test]
fn mistakes_in_retries_are_named_with_their_place_and_what_would_be_right() {
    let with = |fields: &str| one(&format!("retries: {{{fields}}}"));
    let get = "attributes: {method: {exact: get}}";
    let rows = [
        (with("idempotent: true"), "attempts: is missing"),
        (with("attempts: 1"), "idempotent: is missing"),
        (with("attempts: 0, idempotent: true"), "attempts: must be between 1 and 10, not 0"),
        (with("attempts: 11, idempotent: true"), "attempts: must be between 1 and 10, not 11"),
        (
            with("attempts: 1, idempotent: true, perTryTimeout: soon"),
            "perTryTimeout: \"soon\" is not a duration; write one such as 10s, 1500ms or 1h30m",
        ),
        (
            with("attempts: 1, idempotent: true, perTryTimeout: 0s"),
            "perTryTimeout: must be more than 0s; leave it out where a try has no limit of its own",
        ),
        (
            format!("{}\n  timeout: 2s", with("attempts: 1, idempotent: true, perTryTimeout: 2s")),
            "perTryTimeout: 2s is not less than the route's timeout, so that no try would come to an end by it",
        ),
        (
            with("attempts: 1, idempotent: false"),
            "idempotent: false leaves nothing to be tried again; leave `retries` out",
        ),
        (
            with("attempts: 1, idempotent: []"),
            "idempotent: is an empty list, which leaves nothing to be tried again; leave `retries` out",
        ),
        (
            with("attempts: 1, idempotent: get"),
            "idempotent: must be true, or a list such as [{attributes: {method: {prefix: get}}}]",
        ),
        (
            with("attempts: 1, idempotent: {attributes: {}}"),
            "idempotent: must be true, or a list such as [{attributes: {method: {prefix: get}}}]",
        ),
        (
            with(&format!("attempts: 1, idempotent: [{}]", vec![format!("{{{get}}}"); 65].join(", "))),
            "idempotent: has 65 items, must have at most 64",
        ),
        (
            with("attempts: 1, idempotent: [{}]"),
            "idempotent[0]: has no attributes, which every request would match; write `idempotent: true`",
        ),
        (with("attempts: 1, idempotent: [get]"), "idempotent[0]: must be an object, not a string"),
        (
            with("attempts: 1, idempotent: [{atributes: {}}]"),
            "idempotent[0].atributes: no such field (did you mean `attributes`?)",
        ),
        (
            with("attempts: 1, idempotent: [{attributes: {method: {suffix: x}}}]"),
            "idempotent[0].attributes.method.suffix: no such field; there are exact, not, prefix, present, regex",
        ),
        (
            with("attempts: 1, idempotent: [{attributes: {method: {exact: 5}}}]"),
            "idempotent[0].attributes.method.exact: must be a string, not a number; put it in quotes",
        ),
        (
            with(&format!(
                "attempts: 1, idempotent: [{{{get}}}, {{attributes: {{method: {{regex: '('}}}}}}]"
            )),
            "idempotent[1].attributes.method.regex: \"(\" is not a regular expression: unclosed group",
        ),
        (
            with(&format!("attempts: 1, idempotent: [{{{get}}}], retryOn: x")),
            "retryOn: no such field; there are attempts, idempotent, perTryTimeout",
        ),
    ];
    for (spec, expected) in rows {
        let (routes, said) = routes(&spec);
        let place = format!("error: MetaRouter shop/orders: spec.routes[0].retries.{expected}");
        assert!(said.len() == 1 && said[0].ends_with(&place), "{spec}: {said:?}");
        assert!(!routes.iter().any(|route| route.contains("retries 1")), "{spec}: {routes:?}");
    }
}

#[test]
fn a_mistake_in_retries_is_shown_where_it_stands() {
    let (_, said) =
        routes(&one("retries:\n  attempts: 1\n  idempotent:\n  - attributes: {method: {regex: '('}}"));
    assert!(said[0].starts_with("36:38: error: "), "{said:?}");
}

#[test]
fn a_route_whose_conditions_cannot_be_read_is_left_out() {
    let spec = "routes:\n- match: {attributes: {method: {regex: '('}}}\n  route: [{destination: {host: orders}}]\n\
                - name: rest\n  route: [{destination: {host: orders}}]";
    let (routes, said) = routes(spec);
    assert_eq!(routes, ["rest -> @ 100%"]);
    assert_eq!(said.len(), 1);
}

#[test]
fn a_router_with_something_that_is_not_supported_outside_of_its_routes_serves_nothing() {
    let (routes, _) = routes(&format!("globalRateLimit: {{domain: a}}\n{}", one("")));
    assert_eq!(
        routes,
        ["default misconfigured MetaRouter shop/orders has a rate limit that cannot be kept"],
        "not even without a limit"
    );
}

#[test]
fn a_router_that_serves_nothing_is_told_all_its_mistakes_at_once() {
    let destination = format!("route: [{{destination: {{host: {HOST}, subset: v9}}}}]");
    let spec = format!("globalRateLimit: {{domain: a}}\nroutes:\n- {destination}\n  timeout: soon");
    let (_, lines) = routes(&spec);
    assert_eq!(lines.len(), 3, "{lines:?}");
    let unknown = router(&spec).replace("hosts: [orders", "hosts: [nobody");
    let lines = said(&load(&documents(&[ORDERS, SUBSETS, &unknown])).unwrap());
    assert_eq!(lines.len(), 3, "the destination is not looked for: {lines:?}");
}

#[test]
fn a_route_after_one_that_takes_everything_is_never_reached() {
    let spec = "routes:\n- route: [{destination: {host: orders}}]\n- route: [{destination: {host: orders}}]";
    let (_, said) = routes(spec);
    assert_eq!(
        said,
        [
            "33:5: warning: MetaRouter shop/orders: spec.routes[1]: is never reached: spec.routes[0] has no conditions and \
          takes every request"
        ]
    );
}

#[test]
fn each_route_knows_the_line_that_it_came_from() {
    let spec = "routes:\n- match: {attributes: {method: {exact: a}}}\n  route: [{destination: {host: orders}}]\n\
                - name: rest\n  route: [{destination: {host: orders}}]";
    let loaded = load(&documents(&[ORDERS, SUBSETS, &router(spec)])).unwrap();
    let key = (xds::ResourceType::Routes, format!("{HOST}_20880"));
    let lines: Vec<u32> =
        loaded.resources[&key].origins.iter().map(|origin| origin.source.as_ref().unwrap().line).collect();
    assert_eq!(lines, [32, 34]);
    assert!(loaded.resources[&key].origins[0].to_string().starts_with("MetaRouter shop/orders ("));
}
