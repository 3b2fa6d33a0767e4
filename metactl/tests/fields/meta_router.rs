//! The fields of the kinds that are ours.

use serde_json::json;

use crate::row::Row;

const CONDITIONS: &str = "tests/tests/e2e/routing.rs::each_condition_means_what_it_says";
const NEGATIONS: &str = "controller/src/translate/matchers.rs::conditions_mean_what_they_say";
const PLACES: &str = "controller/tests/routes.rs::a_destination_may_be_another_host_and_another_port";
const COPIES: &str = "tests/tests/e2e/routing.rs::copies_arrive_and_change_nothing_for_the_caller";
const MUTATIONS: &str = "tests/tests/e2e/attachments.rs::a_route_sets_attachments_of_calls_and_of_answers";
const LIMITS: &str = "tests/tests/e2e/limits.rs::each_bucket_gives_what_it_holds_to_all_consumers_together";
const OPTIONS: &str =
    "controller/tests/services.rs::protocols_carry_options_and_a_router_overrides_them_on_each_side";
const PINGS: &str =
    "meta-proxy/tests/flow/pings.rs::one_worker_pings_for_all_at_the_interval_and_on_a_connection_of_its_own";
const PINGED: &str = "controller/tests/health.rs::health_checks_are_told_to_all_clusters_of_the_host";
const TLS: &str = "controller/tests/tls.rs::what_a_router_says_of_encryption_is_told_to_the_proxy";
const MUTUAL: &str =
    "meta-proxy/tests/tls/clients.rs::with_mutual_a_client_must_show_a_certificate_of_the_right_authority";
const GLOBAL: &str = "controller/tests/aeraki.rs::local_rate_limits_are_served_and_global_ones_are_named";

/// Of an `ApplicationProtocol`.
pub fn protocol() -> Vec<Row> {
    vec![
        Row::served("spec.protocol", "the name that ports call it by", "other", OPTIONS).breaks(),
        Row::served(
            "spec.codec",
            "the codec that speaks it; absent: the one of that name",
            "thrift",
            OPTIONS,
        )
        .breaks(),
        Row::served(
            "spec.options",
            "options of the codec, for both sides",
            json!({ "maxMessageBytes": 2_000_000 }),
            OPTIONS,
        )
        .addition(),
    ]
}

/// Of a `MetaRouter`.
pub fn router() -> Vec<Row> {
    let mut rows = vec![
        Row::served(
            "spec.hosts[]",
            "the service that is routed; exactly one",
            "nobody.shop.example",
            "controller/tests/services.rs::a_router_of_a_host_that_nobody_has_serves_nothing_and_says_so",
        ),
        Row::served(
            "spec.gateways",
            "gateways that serve these routes, as `name` or `namespace/name`; `mesh`: all other proxies as well. Absent: only those",
            json!(["edge"]),
            "tests/tests/e2e/mesh/gateway.rs::a_gateway_serves_the_routers_that_name_it_and_tells_services_on_one_port_apart",
        ),
        Row::served(
            "spec.exportTo",
            "namespaces whose proxies get these routes and limits: `*`, `.`, `~` (none) or names; others go to the service itself",
            json!(["."]),
            "tests/tests/e2e/mesh/scope.rs::routes_are_for_the_namespaces_that_they_are_exported_to",
        ),
        Row::refused(
            "spec.globalRateLimit",
            "limits that a service keeps",
            json!({ "domain": "shop" }),
            GLOBAL,
        ),
        Row::served(
            "spec.options.downstream",
            "options of the codec for clients, above those of the protocol",
            json!({ "maxMessageBytes": 3_000_000 }),
            OPTIONS,
        )
        .addition(),
        Row::served(
            "spec.options.upstream",
            "the same for endpoints",
            json!({ "maxMessageBytes": 3_000_000 }),
            "tests/tests/e2e/thrift/matrix.rs::a_server_may_speak_otherwise_than_its_clients",
        )
        .addition(),
    ];
    rows.extend(conditions());
    rows.extend(routes());
    rows.extend(retries());
    rows.extend(limits());
    rows.extend(pings());
    rows.extend(encryption());
    rows
}

fn encryption() -> Vec<Row> {
    let simple = json!({ "mode": "SIMPLE", "serverCertificate": "/s.crt", "privateKey": "/s.key" });
    vec![
        Row::served("spec.tls.mode", "`SIMPLE`, or `MUTUAL`: clients show a certificate", "MUTUAL", MUTUAL)
            .given("spec.tls", simple)
            .also("spec.tls.caCertificates", "/ca.crt")
            .addition(),
        Row::served(
            "spec.tls.serverCertificate",
            "file of the certificate that clients are shown",
            "/x.crt",
            TLS,
        )
        .addition(),
        Row::served("spec.tls.privateKey", "file of its key", "/x.key", TLS).addition(),
        Row::served(
            "spec.tls.caCertificates",
            "file of the CAs of the clients' certificates",
            "/x.crt",
            MUTUAL,
        )
        .addition(),
        Row::served(
            "spec.tls.minProtocolVersion",
            "the oldest version that is spoken",
            "TLSV1_3",
            "meta-proxy/tests/tls/clients.rs::the_oldest_version_that_is_spoken_is_the_configured_one",
        )
        .addition(),
    ]
}

fn pings() -> Vec<Row> {
    vec![
        Row::served("spec.healthCheck.interval", "from one ping of an endpoint to the next", "20s", PINGS)
            .addition(),
        Row::served("spec.healthCheck.timeout", "how long an answer may take", "2s", PINGED).addition(),
        Row::served(
            "spec.healthCheck.unhealthyThreshold",
            "pings in a row that fail before it is left out",
            5,
            PINGED,
        )
        .addition(),
        Row::served(
            "spec.healthCheck.healthyThreshold",
            "pings in a row that are answered before it is back",
            3,
            "meta-proxy/tests/flow/pings.rs::so_many_answers_in_a_row_make_it_healthy_again",
        )
        .addition(),
    ]
}

fn conditions() -> Vec<Row> {
    vec![
        Row::served("spec.routes[].match.attributes.*.exact", "is this value", "x", CONDITIONS),
        Row::served("spec.routes[].match.attributes.*.prefix", "begins so", "x", CONDITIONS),
        Row::served("spec.routes[].match.attributes.*.regex", "matches as a whole", "x", CONDITIONS),
        Row::served("spec.routes[].match.attributes.*.present", "is there, or is not", false, CONDITIONS)
            .addition(),
        Row::served("spec.routes[].match.attributes.*.not.exact", "is not this value", "x", CONDITIONS)
            .addition(),
        Row::served("spec.routes[].match.attributes.*.not.prefix", "does not begin so", "x", NEGATIONS)
            .addition(),
        Row::served("spec.routes[].match.attributes.*.not.regex", "does not match", "x", NEGATIONS)
            .addition(),
        Row::served(
            "spec.routes[].match.attributes.*.not.present",
            "the opposite of `present`",
            false,
            NEGATIONS,
        )
        .addition(),
    ]
}

fn routes() -> Vec<Row> {
    vec![
        Row::served(
            "spec.routes[].name",
            "what metrics and logs call it",
            "other",
            "tests/tests/e2e/tools/admin.rs::counts_are_exact_and_bear_the_labels_that_dashboards_know",
        ),
        Row::served("spec.routes[].route[].destination.host", "where requests go", "carts.shop.example", PLACES)
            .given("spec.routes[].route[].destination", json!({ "host": "orders.shop.example" })),
        Row::served("spec.routes[].route[].destination.subset", "to which part of it", "v2", CONDITIONS),
        Row::served("spec.routes[].route[].destination.port.number", "to which of its ports", 20882, PLACES),
        Row::served(
            "spec.routes[].route[].weight",
            "share in percent, where there are several",
            30,
            "tests/tests/e2e/routing.rs::shares_are_kept_and_a_share_of_nothing_gets_nothing",
        )
        .given("spec.routes[].route[]", json!({ "destination": { "host": "orders.shop.example" }, "weight": 40 }))
        .given(
            "spec.routes[].route[1]",
            json!({ "destination": { "host": "carts.shop.example" }, "weight": 60 }),
        )
        .also("spec.routes[].route[1].weight", 70),
        Row::served("spec.routes[].mirror.host", "where copies go", "carts.shop.example", PLACES)
            .given("spec.routes[].mirror", json!({ "host": "orders.shop.example" })),
        Row::served("spec.routes[].mirror.subset", "to which part of it", "v1", COPIES),
        Row::served("spec.routes[].mirror.port.number", "to which of its ports", 20882, PLACES),
        Row::served("spec.routes[].mirrorPercentage.value", "share of the requests that are copied", 20, COPIES),
        Row::served(
            "spec.routes[].mirrorRequests",
            "copy `all`, or `writes` alone",
            "writes",
            "tests/tests/e2e/redis/routes.rs::only_what_is_written_is_mirrored_where_that_is_asked_for",
        )
        .addition()
        .breaks(),
        Row::served(
            "spec.routes[].timeout",
            "time for a request; `0s`: no limit",
            "3s",
            "tests/tests/e2e/failure.rs::a_call_that_is_not_answered_ends_at_its_routes_timeout_and_its_neighbours_do_not_wait",
        )
        .addition(),
        Row::served("spec.routes[].requestMutation[].key", "an attribute to set in requests", "x", MUTATIONS),
        Row::served("spec.routes[].requestMutation[].value", "its value", "x", MUTATIONS),
        Row::served("spec.routes[].responseMutation[].key", "an attribute to set in responses", "x", MUTATIONS),
        Row::served("spec.routes[].responseMutation[].value", "its value", "x", MUTATIONS),
    ]
}

fn retries() -> Vec<Row> {
    vec![
        Row::served(
            "spec.routes[].retries.attempts",
            "tries that may follow the first one",
            3,
            "tests/tests/e2e/retries.rs::a_call_is_tried_as_often_as_its_route_says_and_told_the_last_outcome",
        )
        .addition(),
        Row::served(
            "spec.routes[].retries.perTryTimeout",
            "time for one try",
            "500ms",
            "meta-proxy/tests/retry/limits.rs::a_try_may_take_its_time_and_the_last_one_too",
        )
        .addition(),
        Row::served(
            "spec.routes[].retries.idempotent",
            "`true`, or conditions: which requests may be sent again",
            json!([{ "attributes": { "method": { "prefix": "get" } } }]),
            "tests/tests/e2e/retries.rs::only_calls_that_are_declared_idempotent_are_sent_again",
        )
        .addition(),
    ]
}

fn limits() -> Vec<Row> {
    vec![
        Row::served("spec.localRateLimit.tokenBucket.maxTokens", "what the default bucket holds", 9, LIMITS),
        Row::served(
            "spec.localRateLimit.tokenBucket.tokensPerFill",
            "what it gets each time; absent: 1",
            4,
            "meta-proxy/src/rate_limit/bucket.rs::a_bucket_is_full_at_first_and_filled_at_fixed_times_up_to_what_it_holds",
        ),
        Row::served(
            "spec.localRateLimit.tokenBucket.fillInterval",
            "how often it gets them",
            "7s",
            "tests/tests/e2e/limits.rs::what_is_refused_passes_once_the_bucket_is_filled",
        ),
        Row::served(
            "spec.localRateLimit.conditions[].match",
            "which requests take from another bucket; conditions are those of routes",
            json!({ "attributes": { "method": { "exact": "other" } } }),
            LIMITS,
        ),
        Row::served(
            "spec.localRateLimit.conditions[].tokenBucket.maxTokens",
            "what that one holds",
            9,
            LIMITS,
        ),
        Row::served(
            "spec.localRateLimit.conditions[].tokenBucket.tokensPerFill",
            "what it gets each time; absent: 1",
            4,
            "meta-proxy/src/rate_limit/bucket.rs::a_bucket_is_full_at_first_and_filled_at_fixed_times_up_to_what_it_holds",
        ),
        Row::served(
            "spec.localRateLimit.conditions[].tokenBucket.fillInterval",
            "how often it gets them",
            "7s",
            "meta-proxy/tests/flow/limits.rs::a_request_without_a_token_is_answered_and_its_client_lives_on",
        ),
    ]
}
