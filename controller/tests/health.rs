//! `outlierDetection` and `healthCheck`: by what the proxy is told to judge endpoints, and what is said of mistakes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

mod support;

use support::{ORDERS, documents, lines_of, load, router, said};

const NAME: &str = "orders.shop.svc.cluster.local";

/// A rule with this traffic policy, and subsets in which endpoint 1 and 2 stand.
fn rule(policy: &str, subsets: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: orders, namespace: shop}}\nspec:\n  \
         host: {NAME}\n  trafficPolicy: {policy}\n  subsets: {subsets}\n"
    )
}

/// What the one cluster is judged by, and what is said.
fn judged(objects: &[&str]) -> (String, Vec<String>) {
    let loaded = load(&documents(&[&[ORDERS], objects].concat())).unwrap();
    let clusters = lines_of(&loaded, "cluster");
    assert_eq!(clusters.len(), 1);
    (clusters[0].split_once(" LEAST_REQUEST").unwrap().1.trim().to_owned(), said(&loaded))
}

#[test]
fn each_field_of_outlier_detection_reaches_the_proxy() {
    let rows = [
        ("{}", "outliers panic=0"),
        ("{consecutive5xxErrors: 7}", "outliers errors=7@100 panic=0"),
        ("{consecutiveErrors: 8}", "outliers errors=8@100 panic=0"),
        ("{consecutive5xxErrors: 0}", "outliers errors=0@0 panic=0"),
        ("{consecutiveGatewayErrors: 3}", "outliers gateway=3@100 panic=0"),
        ("{consecutiveGatewayErrors: 0}", "outliers gateway=0@0 panic=0"),
        ("{interval: 500ms}", "outliers interval=0.5 panic=0"),
        ("{baseEjectionTime: 3m}", "outliers base=180 panic=0"),
        ("{maxEjectionPercent: 40}", "outliers percent=40 panic=0"),
        ("{maxEjectionPercent: 0}", "outliers panic=0"),
        ("{minHealthPercent: 50}", "outliers panic=50"),
    ];
    for (detection, expected) in rows {
        let rule = rule(&format!("{{outlierDetection: {detection}}}"), "[]");
        assert_eq!(judged(&[&rule]), (expected.to_owned(), vec![]), "{detection}");
    }
    assert_eq!(judged(&[]), (String::new(), vec![]), "without it nobody is judged");
}

#[test]
fn mistakes_in_outlier_detection_are_named_and_the_rest_applies() {
    let at = "spec.trafficPolicy.outlierDetection";
    let rows = [
        (
            "{interval: 0s, consecutive5xxErrors: 2}",
            "errors=2@100",
            format!("error: {at}.interval: must be more than 0s"),
        ),
        (
            "{baseEjectionTime: soon}",
            "",
            format!(
                "error: {at}.baseEjectionTime: \"soon\" is not a duration; write one such as 10s, 1500ms or 1h30m"
            ),
        ),
        (
            "{consecutive5xxErrors: 2, consecutiveErrors: 3}",
            "errors=2@100",
            format!(
                "error: {at}.consecutiveErrors: is the older name of `consecutive5xxErrors`, which is set too; remove this one"
            ),
        ),
        (
            "{splitExternalLocalOriginErrors: true}",
            "",
            format!("warning: {at}.splitExternalLocalOriginErrors: not supported yet, so it has no effect"),
        ),
        (
            "{consecutiveLocalOriginFailures: 3}",
            "",
            format!("warning: {at}.consecutiveLocalOriginFailures: not supported yet, so it has no effect"),
        ),
    ];
    for (detection, kept, expected) in rows {
        let (line, said) = judged(&[&rule(&format!("{{outlierDetection: {detection}}}"), "[]")]);
        assert_eq!(line, format!("outliers {kept} panic=0").replace("  ", " "), "{detection}");
        let [said] = said.as_slice() else { panic!("{detection}: {said:?}") };
        let said = said.replace("DestinationRule shop/orders: ", "");
        assert!(said.ends_with(&expected), "{said}");
    }
    for detection in ["{maxEjectionPercent: 101}", "{minHealthPercent: 200}", "{consecutive5xxErrors: -1}"] {
        let (_, said) = judged(&[&rule(&format!("{{outlierDetection: {detection}}}"), "[]")]);
        assert!(said.len() == 1 && said[0].contains("error"), "{detection}: {said:?}");
    }
}

#[test]
fn a_subset_overrides_its_host_field_by_field() {
    let whole = "{outlierDetection: {consecutive5xxErrors: 7, interval: 5s, minHealthPercent: 20}}";
    let subsets = "[{name: v1, labels: {version: v1}, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 2, \
                   baseEjectionTime: 9s}}}, {name: v2, labels: {version: v2}}]";
    let loaded = load(&documents(&[ORDERS, &rule(whole, subsets)])).unwrap();
    let clusters = lines_of(&loaded, "cluster");
    let judged = |subset: &str| {
        let name = format!("|{subset}|");
        let line = clusters.iter().find(|line| line.contains(&name)).unwrap();
        line.split_once("outliers ").unwrap().1.to_owned()
    };
    assert_eq!(judged(""), "errors=7@100 interval=5 panic=20");
    assert_eq!(judged("v1"), "errors=2@100 interval=5 base=9 panic=20");
    assert_eq!(judged("v2"), judged(""));
}

#[test]
fn health_checks_are_told_to_all_clusters_of_the_host() {
    let rows = [
        ("{}", "pings each 10 in 1 2/1 panic=0"),
        ("{interval: 500ms}", "pings each 0.5 in 0.5 2/1 panic=0"),
        ("{interval: 1m, timeout: 2s}", "pings each 60 in 2 2/1 panic=0"),
        ("{unhealthyThreshold: 5}", "pings each 10 in 1 5/1 panic=0"),
        ("{healthyThreshold: 3}", "pings each 10 in 1 2/3 panic=0"),
    ];
    for (check, expected) in rows {
        assert_eq!(
            judged(&[&router(&format!("healthCheck: {check}"))]),
            (expected.to_owned(), vec![]),
            "{check}"
        );
    }
    let subsets = "[{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]";
    let rule = rule("{outlierDetection: {minHealthPercent: 30}}", subsets);
    let route = "[{route: [{destination: {host: orders.shop.svc.cluster.local}}]}]";
    let router = router(&format!("healthCheck: {{}}\nroutes: {route}"));
    let loaded = load(&documents(&[ORDERS, &rule, &router])).unwrap();
    let clusters = lines_of(&loaded, "cluster");
    assert_eq!(clusters.len(), 3);
    assert!(
        clusters.iter().all(|line| line.ends_with("outliers pings each 10 in 1 2/1 panic=30")),
        "{clusters:?}"
    );
}

#[test]
fn with_a_mistake_in_it_nobody_is_pinged() {
    let rows = [
        ("{interval: 50ms}", "interval: must be from 100ms to 1h"),
        ("{interval: 2h}", "interval: must be from 100ms to 1h"),
        ("{interval: 0s}", "interval: must be more than 0s"),
        ("{timeout: 11s}", "timeout: must not be longer than the interval, 10s"),
        ("{timeout: late}", "timeout: \"late\" is not a duration; write one such as 10s, 1500ms or 1h30m"),
        ("{unhealthyThreshold: 0}", "unhealthyThreshold: must be between 1 and 100, not 0"),
        ("{healthyThreshold: 101}", "healthyThreshold: must be between 1 and 100, not 101"),
    ];
    for (check, expected) in rows {
        let (line, said) = judged(&[&router(&format!("healthCheck: {check}"))]);
        assert_eq!(line, "", "{check}");
        assert!(
            said.len() == 1 && said[0].ends_with(&format!("spec.healthCheck.{expected}")),
            "{check}: {said:?}"
        );
    }
}
