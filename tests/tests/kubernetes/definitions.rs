//! What an API server makes of our definitions: it takes them, and by their rules it refuses what cannot be meant, in the
//! words of `metactl validate`.

use e2e::command::metactl;
use e2e::folder::Folder;
use e2e::kubernetes::Cluster;

/// A mistake in a `MetaRouter`'s spec, where `validate` sees it, and what both say about it.
const MISTAKES: [(&str, &str, &str); 19] = [
    ("localRateLimit: {}", "spec.localRateLimit", "must have `tokenBucket`, `conditions`, or both"),
    (
        "routes: [{route: [{destination: {host: a}, weight: 50}, {destination: {host: b}, weight: 40}]}]",
        "spec.routes[0].route",
        "weights must sum to 100",
    ),
    (
        "routes: [{route: [{destination: {host: a}}, {destination: {host: b}}]}]",
        "spec.routes[0].route",
        "weights must sum to 100",
    ),
    (
        "routes: [{match: {attributes: {method: {exact: a, regex: b}}}, route: [{destination: {host: a}}]}]",
        "spec.routes[0].match.attributes",
        "a condition holds one of exact, prefix, regex, present and not",
    ),
    (
        "routes: [{match: {attributes: {method: {present: true, not: {exact: b}}}}, route: [{destination: {host: a}}]}]",
        "spec.routes[0].match.attributes",
        "a condition holds one of exact, prefix, regex, present and not",
    ),
    (
        "routes: [{match: {attributes: {method: {not: {exact: a, prefix: b}}}}, route: [{destination: {host: a}}]}]",
        "spec.routes[0].match.attributes",
        "a condition holds one of exact, prefix, regex, present and not",
    ),
    (
        "routes: [{match: {attributes: {method: {regex: ''}}}, route: [{destination: {host: a}}]}]",
        "spec.routes[0].match.attributes",
        "must not be empty; `{}` asks only that the attribute is there",
    ),
    (
        "routes: [{mirrorPercentage: {value: 5}, route: [{destination: {host: a}}]}]",
        "spec.routes[0].mirrorPercentage",
        "says how much to copy, but there is no `mirror` that says where to",
    ),
    (
        "routes: [{mirrorRequests: writes, route: [{destination: {host: a}}]}]",
        "spec.routes[0].mirrorRequests",
        "says what to copy, but there is no `mirror` that says where to",
    ),
    (
        "routes: [{mirror: {host: a}, mirrorPercentage: {value: 0}, route: [{destination: {host: a}}]}]",
        "spec.routes[0].mirrorPercentage.value",
        "must be more than 0 and at most 100",
    ),
    ("routes: [{timeout: 10, route: [{destination: {host: a}}]}]", "spec.routes[0].timeout", "string"),
    (
        "routes: [{timeout: 10x, route: [{destination: {host: a}}]}]",
        "spec.routes[0].timeout",
        "\"10x\" is not a duration; write one such as 10s, 1500ms or 1h30m",
    ),
    (
        "routes: [{timeout: 9000h, route: [{destination: {host: a}}]}]",
        "spec.routes[0].timeout",
        "9000h is longer than a year; write 0s where there is to be no limit",
    ),
    (
        "routes: [{route: [{destination: {host: a, port: {number: 70000}}}]}]",
        "spec.routes[0].route[0].destination.port.number",
        "65535",
    ),
    ("routes: [], healthCheck: {interval: 50ms}", "spec.healthCheck.interval", "must be from 100ms to 1h"),
    ("routes: [], healthCheck: {interval: 1d}", "spec.healthCheck.interval", "\"1d\" is not a duration"),
    (
        "routes: [], healthCheck: {timeout: 11s}",
        "spec.healthCheck.timeout",
        "must not be longer than the interval",
    ),
    (
        "routes: [], tls: {mode: MUTUAL, serverCertificate: /a, privateKey: /b}",
        "spec.tls.caCertificates",
        "is missing: with MUTUAL, clients are checked against it",
    ),
    (
        "routes: [], tls: {mode: SIMPLE, serverCertificate: /a, privateKey: /b, caCertificates: /c}",
        "spec.tls.caCertificates",
        "is for mode MUTUAL only: set that, or remove this",
    ),
];

/// What both sides say about the same object.
async fn said_by_both(cluster: &Cluster, object: &str) -> [String; 2] {
    let folder = Folder::new();
    folder.put("object", object);
    let ran = metactl([std::ffi::OsStr::new("validate"), folder.path().as_os_str()]).await;
    assert_eq!(ran.code, Some(1), "{object}\n{}{}", ran.stdout, ran.stderr);
    [cluster.refusal(object).await, ran.stdout]
}

#[tokio::test]
async fn a_mistake_is_refused_in_the_same_words_by_an_api_server_and_by_validate() {
    let cluster = Cluster::shared().await;
    for (spec, path, words) in MISTAKES {
        let object = format!(
            "{{apiVersion: metaprotocol.aeraki.io/v1alpha1, kind: MetaRouter, metadata: {{name: orders}}, spec: {{hosts: [orders.shop.example], {spec}}}}}"
        );
        for said in said_by_both(&cluster, &object).await {
            assert!(said.contains(path) && said.contains(words), "{spec}\n{said}");
        }
    }
}

#[tokio::test]
async fn the_name_of_a_protocol_must_be_one_that_a_port_can_bear() {
    let cluster = Cluster::shared().await;
    let object = "{apiVersion: metaprotocol.aeraki.io/v1alpha1, kind: ApplicationProtocol, metadata: {name: a}, spec: {protocol: a.b}}";
    for said in said_by_both(&cluster, object).await {
        let words = "\"a.b\" cannot stand in the name of a port; use letters, digits, and `-` between words";
        assert!(said.contains("spec.protocol") && said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn a_field_that_there_is_not_is_refused() {
    let cluster = Cluster::shared().await;
    let object = "{apiVersion: metaprotocol.aeraki.io/v1alpha1, kind: MetaRouter, metadata: {name: orders}, \
                  spec: {hosts: [orders.shop.example], rutes: []}}";
    for said in said_by_both(&cluster, object).await {
        assert!(said.contains("spec.rutes") || said.contains("field not declared in schema"), "{said}");
    }
}

#[tokio::test]
async fn what_a_user_leaves_out_is_filled_in_where_it_has_a_default() {
    let cluster = Cluster::shared().await;
    let object = "{apiVersion: metaprotocol.aeraki.io/v1alpha1, kind: MetaRouter, metadata: {name: orders}, \
                  spec: {hosts: [orders.shop.example], localRateLimit: {tokenBucket: {maxTokens: 5, fillInterval: 1s}}}}";
    cluster.apply(object).await;
    let stored = cluster.get("metaprotocol.aeraki.io/v1alpha1", "MetaRouter", "orders").await;
    assert_eq!(stored["spec"]["localRateLimit"]["tokenBucket"]["tokensPerFill"], 1, "{stored}");
}
