//! The fields of Istio's kinds that are read. All others are warned of: they have no effect.

use serde_json::json;

use crate::row::Row;

const ENDPOINTS: &str = "controller/tests/services.rs::endpoints_come_from_where_the_service_says";
const LISTENERS: &str = "controller/tests/services.rs::addresses_and_interfaces_decide_who_listens_where";
const OBJECTS: &str = "tests/tests/e2e/routing.rs::endpoints_may_be_names_or_objects_of_their_own";
const SUBSETS: &str = "tests/tests/e2e/routing.rs::each_condition_means_what_it_says";
const HASHED: &str = "controller/tests/balancing.rs::what_is_hashed_and_how_is_told_to_the_proxy";
const BACK: &str = "meta-proxy/tests/flow/outliers.rs::an_ejected_endpoint_comes_back_after_its_time_and_the_next_time_later";
const TLS: &str = "controller/tests/tls.rs::what_a_rule_says_of_encryption_is_told_to_the_proxy";
const SHOWN: &str =
    "meta-proxy/tests/tls/endpoints.rs::an_endpoint_that_asks_who_calls_is_shown_the_certificate";
const MESH: &str = "it says whether endpoints speak mutual TLS, which is used only where that is asked for";

/// Of a `DestinationRule`.
pub fn rule() -> Vec<Row> {
    let mut rows = policy();
    rows.extend(outliers());
    rows.extend(encryption());
    rows
}

fn encryption() -> Vec<Row> {
    let simple = || json!({ "mode": "SIMPLE" });
    let refusals = "controller/tests/tls.rs::a_mistake_in_the_encryption_to_endpoints_leaves_no_cluster_that_is_not_encrypted";
    vec![
        Row::served("spec.trafficPolicy.tls.mode", "`DISABLE`, `SIMPLE` or `MUTUAL`", "DISABLE", TLS),
        Row::served(
            "spec.trafficPolicy.tls.clientCertificate",
            "file of the certificate that endpoints are shown",
            "/x.crt",
            SHOWN,
        ),
        Row::served("spec.trafficPolicy.tls.privateKey", "file of its key", "/x.key", SHOWN),
        Row::served("spec.trafficPolicy.tls.caCertificates", "file of the CAs of endpoints", "/x.crt", TLS),
        Row::refused("spec.trafficPolicy.tls.credentialName", "a secret of Kubernetes", "secret", refusals),
        Row::served(
            "spec.trafficPolicy.tls.subjectAltNames[]",
            "names of which an endpoint's certificate has one",
            "x.example",
            "meta-proxy/tests/tls/endpoints.rs::one_of_several_names_is_enough_whatever_was_asked_for",
        ),
        Row::served(
            "spec.trafficPolicy.tls.sni",
            "the name that endpoints are asked for",
            "x.example",
            "meta-proxy/tests/tls/endpoints.rs::an_endpoint_is_asked_for_by_its_name_and_believed_if_its_certificate_says_so",
        ),
        Row::served(
            "spec.trafficPolicy.tls.insecureSkipVerify",
            "believe whoever answers",
            true,
            "meta-proxy/tests/tls/endpoints.rs::whoever_is_to_be_believed_unchecked_is",
        )
        .given("spec.trafficPolicy.tls", simple()),
        Row::refused("spec.trafficPolicy.tls.caCrl", "revoked certificates", "/x.crl", refusals),
        Row::refused(
            "spec.trafficPolicy.portLevelSettings[].tls",
            "encryption of one port",
            json!({ "mode": "SIMPLE" }),
            "controller/tests/tls.rs::encryption_of_one_port_leaves_none_of_them_in_the_clear",
        ),
    ]
}

fn outliers() -> Vec<Row> {
    vec![
        Row::served(
            "spec.trafficPolicy.outlierDetection.consecutive5xxErrors",
            "requests in a row that fail, whatever the protocol, before an endpoint gets none; 0: never for that",
            2,
            "meta-proxy/tests/flow/outliers.rs::half_of_the_endpoints_answer_errors_and_get_no_more_than_it_takes_to_find_out",
        ),
        Row::served(
            "spec.trafficPolicy.outlierDetection.consecutiveErrors",
            "the older name of the same",
            8,
            "controller/tests/health.rs::each_field_of_outlier_detection_reaches_the_proxy",
        )
        .given("spec.trafficPolicy.outlierDetection", json!({ "interval": "5s" })),
        Row::served(
            "spec.trafficPolicy.outlierDetection.consecutiveGatewayErrors",
            "requests in a row without any answer",
            4,
            "meta-proxy/tests/flow/outliers.rs::gateway_errors_are_those_without_any_answer",
        ),
        Row::served(
            "spec.trafficPolicy.outlierDetection.interval",
            "good conduct that is rewarded",
            "6s",
            BACK,
        ),
        Row::served(
            "spec.trafficPolicy.outlierDetection.baseEjectionTime",
            "for how long it gets none",
            "8s",
            BACK,
        ),
        Row::served(
            "spec.trafficPolicy.outlierDetection.maxEjectionPercent",
            "how many of a hundred may get none at once, but always one",
            50,
            "meta-proxy/tests/flow/outliers.rs::no_more_are_ejected_than_may_be_and_in_panic_all_get_requests",
        ),
        Row::served(
            "spec.trafficPolicy.outlierDetection.minHealthPercent",
            "when fewer of a hundred are healthy, all get requests",
            30,
            "meta-proxy/tests/flow/outliers.rs::no_more_are_ejected_than_may_be_and_in_panic_all_get_requests",
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn policy() -> Vec<Row> {
    let hash = || json!({ "consistentHash": { "httpHeaderName": "user" } });
    let maglev = || json!({ "consistentHash": { "httpHeaderName": "user", "maglev": { "tableSize": 251 } } });
    let balancer = "spec.trafficPolicy.loadBalancer";
    vec![
        Row::served(
            "spec.host",
            "the host, or a wildcard such as `*.shop.example`",
            "other.shop.example",
            "controller/tests/services.rs::the_nearest_rule_applies",
        )
        .breaks(),
        Row::served(
            "spec.subsets[].name",
            "what routes call it",
            "v3",
            "controller/tests/services.rs::a_service_without_routes_has_everything_it_needs",
        )
        .breaks(),
        Row::served("spec.subsets[].labels.*", "labels that its endpoints have", "v2", SUBSETS),
        Row::served(
            "spec.subsets[].trafficPolicy",
            "as `spec.trafficPolicy`, above it, field by field",
            json!({ "connectionPool": { "http": { "http2MaxRequests": 5 } } }),
            "controller/tests/services.rs::a_rule_sets_what_its_clusters_do_and_a_subset_overrides_it_field_by_field",
        ),
        Row::served(
            "spec.trafficPolicy.loadBalancer.simple",
            "`ROUND_ROBIN`, `RANDOM`, or `LEAST_REQUEST` (`LEAST_CONN`, `UNSPECIFIED`)",
            "LEAST_REQUEST",
            "tests/tests/e2e/routing.rs::a_balancer_that_takes_turns_gives_each_endpoint_the_same",
        ),
        Row::served(
            "spec.trafficPolicy.loadBalancer.consistentHash.httpHeaderName",
            "the attribute that is hashed, whatever the protocol",
            "account",
            "tests/tests/e2e/redis/routes.rs::both_hash_policies_spread_keys_and_keep_them",
        )
        .given(balancer, hash()),
        Row::served(
            "spec.trafficPolicy.loadBalancer.consistentHash.useSourceIp",
            "instead of it, the client's address is hashed",
            true,
            "meta-proxy/tests/flow/source.rs::what_comes_from_one_address_can_stay_on_one_endpoint",
        )
        .given(balancer, json!({})),
        Row::served(
            "spec.trafficPolicy.loadBalancer.consistentHash.ringHash.minimumRingSize",
            "points of ketama's ring, at least",
            4096,
            HASHED,
        )
        .given(balancer, hash()),
        Row::served(
            "spec.trafficPolicy.loadBalancer.consistentHash.minimumRingSize",
            "the older place of the same",
            4096,
            HASHED,
        )
        .given(balancer, hash()),
        Row::served(
            "spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize",
            "places of Maglev's table, a prime",
            65537,
            HASHED,
        )
        .given(balancer, maglev()),
        Row::served(
            "spec.trafficPolicy.connectionPool.tcp.maxConnections",
            "connections at a time",
            9,
            "tests/tests/e2e/failure.rs::more_connections_than_a_cluster_may_have_are_not_made",
        ),
        Row::served(
            "spec.trafficPolicy.connectionPool.tcp.connectTimeout",
            "time for a connection to come up",
            "3s",
            "tests/tests/e2e/failure.rs::calls_wait_for_a_connection_as_long_and_as_many_as_they_may",
        ),
        Row::served(
            "spec.trafficPolicy.connectionPool.tcp.idleTimeout",
            "a connection without requests closes after it",
            "3m",
            "meta-proxy/tests/isolation.rs::a_connection_without_requests_closes_after_its_clusters_idle_time",
        ),
        Row::served(
            "spec.trafficPolicy.connectionPool.http.http1MaxPendingRequests",
            "requests that wait for a connection, whatever the protocol",
            9,
            "tests/tests/e2e/failure.rs::calls_wait_for_a_connection_as_long_and_as_many_as_they_may",
        ),
        Row::served(
            "spec.trafficPolicy.connectionPool.http.http2MaxRequests",
            "requests that are outstanding, whatever the protocol",
            9,
            "tests/tests/e2e/failure.rs::more_calls_than_a_cluster_may_have_outstanding_are_refused_at_once",
        ),
        Row::served(
            "spec.trafficPolicy.connectionPool.http.maxRetries",
            "requests that are tried again at a time, whatever the protocol",
            9,
            "tests/tests/e2e/retries.rs::a_rule_bounds_how_many_are_tried_again_at_once",
        ),
    ]
}

/// Of a `ServiceEntry`.
pub fn service() -> Vec<Row> {
    vec![
        Row::served(
            "metadata.annotations.interface",
            "the value of the codec's service attribute that its messages have (Dubbo: the interface)",
            "com.example.Other",
            LISTENERS,
        ),
        Row::served(
            "spec.hosts[]",
            "the service's name; the first one counts",
            "other.shop.example",
            "tests/tests/e2e/change.rs::a_service_that_comes_later_is_listened_for_and_one_that_goes_is_not",
        ),
        Row::served("spec.addresses[]", "where clients connect to", "10.0.0.9", LISTENERS),
        Row::served("spec.ports[].number", "the port that clients connect to", 20889, LISTENERS).breaks(),
        Row::served(
            "spec.ports[].name",
            "`tcp-metaprotocol-<protocol>[-suffix]`",
            "tcp-metaprotocol-thrift",
            "controller/tests/services.rs::services_that_cannot_share_an_address_are_both_named_and_the_older_serves",
        )
        .breaks(),
        Row::served(
            "spec.ports[].protocol",
            "Istio's protocol",
            "HTTP",
            "metactl/tests/fields/main.rs::every_row_says_what_becomes_of_its_field",
        )
        .idle("the port's name says which protocol it is"),
        Row::served("spec.ports[].targetPort", "the endpoints' port; absent: `number`", 20899, ENDPOINTS),
        Row::served(
            "spec.location",
            "inside of the mesh or not",
            "MESH_EXTERNAL",
            "metactl/tests/fields/main.rs::every_row_says_what_becomes_of_its_field",
        )
        .idle(MESH),
        Row::served("spec.resolution", "`STATIC` or `DNS`", "DNS", OBJECTS),
        Row::served("spec.endpoints[].address", "an address, with `DNS` a name", "10.1.0.9", ENDPOINTS),
        Row::served("spec.endpoints[].ports.*", "its port, by the name of the service's", 20899, ENDPOINTS),
        Row::served("spec.endpoints[].labels.*", "what subsets ask for", "v9", SUBSETS),
        Row::served(
            "spec.workloadSelector.labels.*",
            "labels of the `WorkloadEntry` objects that are the endpoints",
            "carts",
            OBJECTS,
        )
        .given("spec.endpoints", json!(null))
        .given("spec.workloadSelector", json!({ "labels": { "app": "nobody" } })),
        Row::served(
            "spec.exportTo",
            "namespaces whose proxies are told of the service: `*`, `.`, `~` (none) or names",
            json!(["."]),
            "tests/tests/e2e/mesh/scope.rs::a_service_is_there_for_the_namespaces_that_it_is_exported_to",
        ),
    ]
}

/// Of a `WorkloadEntry`.
pub fn workload() -> Vec<Row> {
    vec![
        Row::served("spec.address", "as that of a service's endpoint", "10.2.0.9", ENDPOINTS),
        Row::served("spec.ports.*", "as those of a service's endpoint", 20899, OBJECTS),
        Row::served("spec.labels.*", "what selectors and subsets ask for", "other", ENDPOINTS),
    ]
}
