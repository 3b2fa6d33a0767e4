//! What a `localRateLimit` means for the ports of its host, and what is said of one that cannot be served.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

mod support;

use support::{ORDERS, documents, lines_of, load, router, said};

/// The limits of all ports, and what is said of the objects, without the place.
fn limits(spec: &str) -> (Vec<String>, Vec<String>) {
    let loaded = load(&documents(&[ORDERS, &router(spec)])).unwrap();
    let short = |line: String| line.splitn(3, ':').last().unwrap_or_default().trim().to_owned();
    let limits = lines_of(&loaded, "limit");
    let name = "limit orders.shop.svc.cluster.local_20880 ";
    let limits = limits.iter().map(|line| line.strip_prefix(name).unwrap().to_owned());
    (limits.collect(), said(&loaded).into_iter().map(short).collect())
}

#[test]
fn a_limit_is_served_on_every_port_with_or_without_routes() {
    let limit = "localRateLimit: {tokenBucket: {maxTokens: 5, fillInterval: 1s}}";
    let two = ORDERS
        .replace("ports: [", "ports: [{number: 20881, name: tcp-metaprotocol-dubbo-more, protocol: TCP}, ");
    for routes in ["", "\nroutes: [{route: [{destination: {host: orders}}]}]"] {
        let loaded = load(&documents(&[&two, &router(&format!("{limit}{routes}"))])).unwrap();
        assert_eq!(said(&loaded), Vec::<String>::new());
        let host = "orders.shop.svc.cluster.local";
        let line = |port: u16| format!("limit {host}_{port} else 5+1/1s");
        assert_eq!(lines_of(&loaded, "limit"), [line(20880), line(20881)]);
        assert_eq!(lines_of(&loaded, "route").len(), 2);
    }
}

#[test]
fn conditions_keep_their_order_and_mean_what_those_of_routes_mean() {
    let (limits, said) = limits(
        "localRateLimit:
  conditions:
  - match: {attributes: {method: {prefix: pay}, user: {not: {exact: admin}}}}
    tokenBucket: {maxTokens: 2, tokensPerFill: 2, fillInterval: 50ms}
  - match: {attributes: {method: {}}}
    tokenBucket: {maxTokens: 4294967295, tokensPerFill: 1, fillInterval: 720h}",
    );
    assert_eq!(limits, ["[method^pay !user=admin] 2+2/0.05s", "[method?true] 4294967295+1/2592000s"]);
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn each_mistake_is_named_and_then_nothing_of_the_router_is_served() {
    let default = |bucket: &str| format!("localRateLimit: {{tokenBucket: {{{bucket}}}}}");
    let condition = |condition: &str| format!("localRateLimit: {{conditions: [{{{condition}}}]}}");
    let bucket = "tokenBucket: {maxTokens: 1, fillInterval: 1s}";
    let rows = [
        ("localRateLimit: {}".to_owned(), ": must have `tokenBucket`, `conditions`, or both"),
        ("localRateLimit: {conditions: []}".to_owned(), ": must have `tokenBucket`, `conditions`, or both"),
        (default("fillInterval: 1s"), ".tokenBucket.maxTokens: is missing"),
        (default("maxTokens: 1"), ".tokenBucket.fillInterval: is missing"),
        (
            default("maxTokens: 0, fillInterval: 1s"),
            ".tokenBucket.maxTokens: must be between 1 and 4294967295, not 0",
        ),
        (
            default("maxTokens: 1, tokensPerFill: 0, fillInterval: 1s"),
            ".tokenBucket.tokensPerFill: must be between 1 and 4294967295, not 0",
        ),
        (
            default("maxTokens: 4294967296, fillInterval: 1s"),
            ".tokenBucket.maxTokens: must be between 1 and 4294967295, not 4294967296",
        ),
        (
            default("maxTokens: 1, fillInterval: 49ms"),
            ".tokenBucket.fillInterval: must be at least 50ms, not 49ms; what is to come more often comes as well in larger portions",
        ),
        (
            default("maxTokens: 1, fillInterval: 0s"),
            ".tokenBucket.fillInterval: must be at least 50ms, not 0s; what is to come more often comes as well in larger portions",
        ),
        (
            default("maxTokens: 1, fillInterval: 721h"),
            ".tokenBucket.fillInterval: must be at most 30 days, not 721h",
        ),
        (
            default("maxTokens: 1, fillInterval: often"),
            ".tokenBucket.fillInterval: \"often\" is not a duration; write one such as 10s, 1500ms or 1h30m",
        ),
        (condition(bucket), ".conditions[0].match: is missing"),
        (condition("match: {}"), ".conditions[0].tokenBucket: is missing"),
        (
            condition(&format!("match: {{attributes: {{method: {{regex: '('}}}}}}, {bucket}")),
            ".conditions[0].match.attributes.method.regex: \"(\" is not a regular expression: unclosed group",
        ),
        (
            condition("match: {attributes: {a: {}}}, tokenBucket: {maxTokens: 1, fillInterval: 1ms}"),
            ".conditions[0].tokenBucket.fillInterval: must be at least 50ms, not 1ms; what is to come more often comes as well in larger portions",
        ),
        (
            default("maxToken: 1, maxTokens: 1, fillInterval: 1s"),
            ".tokenBucket.maxToken: no such field (did you mean `maxTokens`?)",
        ),
    ];
    for (spec, expected) in rows {
        let routes = "routes: [{name: mine, route: [{destination: {host: orders}}]}]";
        let loaded = load(&documents(&[ORDERS, &router(&format!("{spec}\n{routes}"))])).unwrap();
        let expected = format!("error: MetaRouter shop/orders: spec.localRateLimit{expected}");
        let said = said(&loaded);
        assert!(said.iter().all(|line| line.ends_with(&expected)) && said.len() == 1, "{spec}: {said:#?}");
        assert_eq!(lines_of(&loaded, "limit"), Vec::<String>::new());
        let refusal = " default misconfigured MetaRouter shop/orders has a rate limit that cannot be kept";
        assert!(lines_of(&loaded, "route")[0].ends_with(refusal), "{spec}: {:?}", lines_of(&loaded, "route"));
    }
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let bucket = "{maxTokens: 1, fillInterval: 1s}";
    let path = "warning: MetaRouter shop/orders: spec.localRateLimit";
    let rows = [
        (
            format!(
                "localRateLimit: {{conditions: [{{match: {{}}, tokenBucket: {bucket}}}], tokenBucket: {bucket}}}"
            ),
            format!(
                "{path}.tokenBucket: has no effect: conditions[0] has no attributes and takes every request"
            ),
        ),
        (
            format!(
                "localRateLimit: {{conditions: [{{match: {{}}, tokenBucket: {bucket}}}, \
                 {{match: {{attributes: {{a: {{}}}}}}, tokenBucket: {bucket}}}]}}"
            ),
            format!(
                "{path}.conditions[1]: is never reached: conditions[0] has no attributes and takes every request"
            ),
        ),
        (
            "localRateLimit: {tokenBucket: {maxTokens: 3, tokensPerFill: 4, fillInterval: 1s}}".to_owned(),
            format!("{path}.tokenBucket.tokensPerFill: is more than maxTokens, so that only 3 fit"),
        ),
    ];
    for (spec, expected) in rows {
        let (limits, said) = limits(&spec);
        assert_eq!(said, [expected]);
        assert!(!limits.is_empty(), "{spec}: it is in force all the same");
    }
}

#[test]
fn a_limit_that_changes_changes_the_version_of_its_routes() {
    let version = |max_tokens: u32| {
        let spec = format!("localRateLimit: {{tokenBucket: {{maxTokens: {max_tokens}, fillInterval: 1s}}}}");
        let loaded = load(&documents(&[ORDERS, &router(&spec)])).unwrap();
        let key = (xds::ResourceType::Routes, "orders.shop.svc.cluster.local_20880".to_owned());
        loaded.resources[&key].version.clone()
    };
    assert_eq!(version(5), version(5));
    assert_ne!(version(5), version(6));
}
