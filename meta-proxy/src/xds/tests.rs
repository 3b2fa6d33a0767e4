//! What is in force after an update, and what is kept.

use std::sync::Arc;

use ::xds::envoy::envoy::config::cluster::v3::{Cluster, cluster::LbPolicy};
use ::xds::envoy::google::protobuf::value::Kind;
use ::xds::v1::attribute_matcher::Matcher::{Exact, Regex};
use ::xds::{Origin, Resource, ResourceType, Update, v1};

use crate::model::RouteAction;
use crate::tls::Files;
use crate::xds::State;
use crate::xds::fixtures::{
    assignment, cluster, codecs, lb_endpoint, listener, matcher, meta_proxy, options, policy, resource,
    route, routes, seconds, service,
};

fn orders() -> Resource {
    resource(ResourceType::Listener, "orders", &listener("orders", &meta_proxy()))
}

fn orders_routes(user: &str) -> Resource {
    let mut first = route("first", &[("c", 100)]);
    first.attributes =
        vec![matcher("user", Exact(user.to_owned())), matcher("method", Regex("get.*".to_owned()))];
    resource(ResourceType::Routes, "orders.shop_20880", &routes("orders.shop_20880", vec![first]))
}

fn orders_cluster() -> Resource {
    resource(ResourceType::Cluster, "c", &cluster("c"))
}

fn orders_endpoints(hosts: &[&str]) -> Resource {
    let endpoints = hosts.iter().map(|host| lb_endpoint(host, 20880)).collect();
    resource(ResourceType::Endpoints, "c", &assignment("c", endpoints))
}

fn everything() -> Vec<Resource> {
    vec![orders(), orders_routes("a"), orders_cluster(), orders_endpoints(&["10.0.0.1"])]
}

/// A state in which `resources` are in force, all of them.
fn state(resources: Vec<Resource>) -> State {
    let mut state = State::default();
    assert_eq!(change(&mut state, resources), [""; 0]);
    state
}

/// Applies changed resources and tells the refusals.
fn change(state: &mut State, changed: Vec<Resource>) -> Vec<String> {
    let ack = state.apply(&Update { changed, removed: vec![] }, &codecs(), &mut Files::unread());
    ack.rejected.iter().map(ToString::to_string).collect()
}

fn remove(state: &mut State, kind: ResourceType, name: &str) {
    let ack = state.apply(
        &Update { changed: vec![], removed: vec![(kind, name.to_owned())] },
        &codecs(),
        &mut Files::unread(),
    );
    assert!(ack.rejected.is_empty());
}

fn version(mut resource: Resource, version: &str) -> Resource {
    resource.version = version.to_owned();
    resource
}

#[test]
fn what_is_good_is_joined_by_name() {
    let state = state(everything());
    let listener = &state.listeners().next().unwrap().value;
    let service = &listener.model.services[0];
    assert_eq!(state.routes_of(service).unwrap().value.model.routes[0].name, "first");
    let table = state.table_of(listener, service).unwrap();
    assert_eq!((table.len(), table.wanted()[0].name()), (1, "user"));
    let cluster = &state.clusters().next().unwrap().value;
    let endpoints = &state.endpoints_of(&cluster.model).unwrap().value;
    assert_eq!(endpoints.endpoints[0].address.to_string(), "10.0.0.1:20880");
}

#[test]
fn resources_arrive_in_any_order() {
    let mut state = state(vec![orders()]);
    let listener = state.listeners().next().unwrap().value.clone();
    let service = &listener.model.services[0];
    assert!(state.routes_of(service).is_none() && state.table_of(&listener, service).is_none());
    assert_eq!(change(&mut state, vec![orders_cluster(), orders_routes("a")]), [""; 0]);
    assert!(state.table_of(&listener, service).is_some());
    assert!(state.endpoints_of(&state.clusters().next().unwrap().value.model).is_none());
    assert_eq!(change(&mut state, vec![orders_endpoints(&[])]), [""; 0]);
    assert!(state.endpoints_of(&state.clusters().next().unwrap().value.model).is_some());
}

#[test]
fn what_is_refused_keeps_its_last_good_version_and_all_else_applies() {
    let mut state = state(everything());
    let mut smtp = meta_proxy();
    smtp.protocol = "smtp".to_owned();
    let broken = [
        resource(ResourceType::Listener, "orders", &listener("orders", &smtp)),
        resource(
            ResourceType::Routes,
            "orders.shop_20880",
            &routes("orders.shop_20880", vec![route("first", &[])]),
        ),
        resource(ResourceType::Cluster, "new", &cluster("old")),
    ];
    let mut changed = broken.map(|resource| version(resource, "2")).to_vec();
    changed.insert(1, version(orders_endpoints(&["10.0.0.9"]), "2"));
    let expected = [
        r#"listener orders: protocol: "smtp" is not a protocol that this proxy speaks; known are tiny, plain, narrow"#,
        "routes orders.shop_20880: routes[0].clusters: must hold a cluster, or `misconfigured` must say why not",
        r#"cluster new: name: is "old", but the resource is called "new""#,
    ];
    assert_eq!(change(&mut state, changed), expected);

    let listener = state.listeners().next().unwrap();
    assert_eq!((listener.version.as_str(), listener.value.model.protocol.as_str()), ("1", "tiny"));
    let service = &listener.value.model.services[0];
    assert_eq!(state.table_of(&listener.value, service).unwrap().len(), 1);
    assert_eq!(state.clusters().len(), 1, "there is no last good version of a cluster that never was good");
    let endpoints = state.endpoints().next().unwrap();
    assert_eq!(
        (endpoints.version.as_str(), endpoints.value.endpoints[0].address.to_string().as_str()),
        ("2", "10.0.0.9:20880")
    );
    let refused: Vec<_> = state
        .refused()
        .map(|((kind, name), refused)| (*kind, name.as_str(), refused.version.as_str()))
        .collect();
    let expected = [
        (ResourceType::Cluster, "new", "2"),
        (ResourceType::Listener, "orders", "2"),
        (ResourceType::Routes, "orders.shop_20880", "2"),
    ];
    assert_eq!(refused, expected);

    assert_eq!(change(&mut state, vec![version(orders(), "3")]), [""; 0]);
    remove(&mut state, ResourceType::Cluster, "new");
    assert_eq!(state.refused().len(), 1, "a good version or a removal ends a refusal");
}

#[test]
fn what_stays_the_same_stays_the_same_pointer() {
    let mut state = state(everything());
    let before = state.clone();
    let origin = Origin {
        kind: "MetaRouter".to_owned(),
        namespace: "shop".to_owned(),
        name: "r".to_owned(),
        source: None,
    };
    let mut again: Vec<_> = everything().into_iter().map(|resource| version(resource, "2")).collect();
    again[1].origins = Arc::new([origin]);
    assert_eq!(change(&mut state, again), [""; 0]);

    let listeners = (before.listeners().next().unwrap(), state.listeners().next().unwrap());
    assert!(Arc::ptr_eq(&listeners.0.value.model, &listeners.1.value.model));
    assert!(Arc::ptr_eq(&listeners.0.value.factory, &listeners.1.value.factory));
    assert_eq!(listeners.1.version, "2", "the version is the new one");
    let clusters = (before.clusters().next().unwrap(), state.clusters().next().unwrap());
    assert!(Arc::ptr_eq(&clusters.0.value.model, &clusters.1.value.model));
    assert!(Arc::ptr_eq(&clusters.0.value.factory, &clusters.1.value.factory));
    assert!(Arc::ptr_eq(&before.endpoints().next().unwrap().value, &state.endpoints().next().unwrap().value));
    let routes = (before.routes().next().unwrap(), state.routes().next().unwrap());
    assert!(Arc::ptr_eq(&routes.0.value.model, &routes.1.value.model));
    assert!(Arc::ptr_eq(routes.0.value.table("tiny").unwrap(), routes.1.value.table("tiny").unwrap()));
    assert_eq!(routes.1.origins.len(), 1, "and so is the origin");
}

#[test]
fn a_change_of_routes_leaves_the_listener_alone() {
    let mut state = state(everything());
    let before = state.clone();
    assert_eq!(change(&mut state, vec![orders_routes("b")]), [""; 0]);
    let listener = &state.listeners().next().unwrap().value;
    assert!(Arc::ptr_eq(&before.listeners().next().unwrap().value.model, &listener.model));
    let service = &listener.model.services[0];
    let tables = (before.table_of(listener, service).unwrap(), state.table_of(listener, service).unwrap());
    assert!(!Arc::ptr_eq(tables.0, tables.1));
}

#[test]
fn other_options_make_another_factory() {
    let mut state = state(everything());
    let before = state.clone();
    let limited = v1::MetaProxy { options: options(&[("limit", Kind::NumberValue(2.0))]), ..meta_proxy() };
    let changed = resource(ResourceType::Listener, "orders", &listener("orders", &limited));
    assert_eq!(change(&mut state, vec![changed]), [""; 0]);
    let factory = |state: &State| Arc::clone(&state.listeners().next().unwrap().value.factory);
    assert!(!Arc::ptr_eq(&factory(&before), &factory(&state)));
}

#[test]
fn routes_are_compiled_for_the_protocols_of_the_listeners_that_name_them() {
    let mut state = state(vec![orders_routes("a")]);
    let tables = |state: &State| {
        let routes = state.routes().next().unwrap().value.clone();
        [routes.table("tiny").is_some(), routes.table("plain").is_some()]
    };
    assert_eq!(tables(&state), [false, false]);
    assert_eq!(change(&mut state, vec![orders()]), [""; 0]);
    assert_eq!(tables(&state), [true, false]);
    let plain = v1::MetaProxy {
        protocol: "plain".to_owned(),
        services: vec![service("", "orders.shop_20880")],
        ..meta_proxy()
    };
    assert_eq!(
        change(&mut state, vec![resource(ResourceType::Listener, "p", &listener("p", &plain))]),
        [""; 0]
    );
    assert_eq!(tables(&state), [true, true]);
    let table = |name: &str| Arc::clone(state.routes().next().unwrap().value.table(name).unwrap());
    let keys = |name: &str| table(name).wanted().iter().map(codec_api::Attribute::key).collect::<Vec<_>>();
    assert_ne!(keys("tiny"), keys("plain"), "method is a field of the head in one of them only");
}

#[test]
fn retries_that_could_never_happen_are_refused() {
    let matcher = matcher("colour", v1::attribute_matcher::Matcher::Exact("green".to_owned()));
    let idempotent = vec![v1::Requests { attributes: vec![matcher] }];
    let retries = v1::Retries { attempts: 1, idempotent, ..Default::default() };
    let again = v1::Route { retries: Some(retries), ..route("retried", &[("c", 100)]) };
    let table =
        resource(ResourceType::Routes, "orders.shop_20880", &routes("orders.shop_20880", vec![again]));
    let of = |protocol: &str| v1::MetaProxy { protocol: protocol.to_owned(), ..meta_proxy() };
    let listening = |protocol| resource(ResourceType::Listener, "orders", &listener("orders", &of(protocol)));
    let hashing = |protocol: &str, attribute: &str| {
        let mut message = cluster("c");
        message.metadata = policy(&v1::ClusterPolicy {
            protocol: protocol.to_owned(),
            hash_attribute: attribute.to_owned(),
            ..Default::default()
        });
        message.lb_policy = LbPolicy::RingHash.into();
        resource(ResourceType::Cluster, "c", &message)
    };
    assert_eq!(
        change(&mut state(vec![table.clone()]), vec![listening("plain"), hashing("plain", "other")]),
        [""; 0]
    );
    assert_eq!(
        change(&mut state(vec![table.clone()]), vec![listening("plain"), hashing("plain", "Command")]),
        [
            "routes orders.shop_20880: routes[0].retries: not supported: cluster c is balanced by command, and what a key stands for \
          lives on one endpoint only"
        ]
    );
    assert_eq!(
        change(&mut state(vec![table]), vec![listening("narrow")]),
        [
            "routes orders.shop_20880: routes[0].retries.idempotent[0].attributes[0].name: requests of narrow have no attribute \
          \"colour\"; they have command, source.address"
        ]
    );
}

#[test]
fn a_try_that_could_never_end_by_its_own_time_is_refused() {
    let rows = [
        (None, 2, Some("1s")),
        (None, 1, Some("1s")),
        (seconds(3), 3, Some("3s")),
        (seconds(3), 2, None),
        (seconds(0), 9, None),
    ];
    for (timeout, per_try, whole) in rows {
        let retries = v1::Retries {
            attempts: 1,
            per_try_timeout: seconds(per_try),
            idempotent: vec![v1::Requests::default()],
        };
        let mut again = v1::Route { retries: Some(retries), ..route("retried", &[("c", 100)]) };
        again.timeout = timeout;
        let table =
            resource(ResourceType::Routes, "orders.shop_20880", &routes("orders.shop_20880", vec![again]));
        let told = change(&mut state(vec![table]), vec![orders(), orders_cluster()]);
        let expected = whole.map(|whole| {
            format!(
                "routes orders.shop_20880: routes[0].retries.per_try_timeout: is {per_try}s, and must be less than the {whole} \
                 that a request has in all; give the route a longer timeout"
            )
        });
        assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{timeout:?} {per_try}");
    }
}

#[test]
fn a_mutation_that_a_protocol_has_no_place_for_is_refused_until_it_has() {
    let set = v1::SetAttribute { name: "colour".to_owned(), value: "green".to_owned() };
    let edited = v1::Route {
        request_mutation: vec![set.clone()],
        response_mutation: vec![set],
        ..route("edited", &[("c", 100)])
    };
    let both = vec![route("plain", &[("c", 100)]), edited];
    let edited = resource(ResourceType::Routes, "orders.shop_20880", &routes("orders.shop_20880", both));
    let mut state = state(vec![edited]);
    assert_eq!(
        change(&mut state, vec![orders(), orders_cluster()]),
        [
            "routes orders.shop_20880: routes[1].request_mutation: not supported: codec tiny, with its options, sets no attributes in messages \
             for endpoints of cluster c",
            "routes orders.shop_20880: routes[1].response_mutation: not supported: codec tiny, with its options, sets no attributes in messages \
             for clients of orders",
        ]
    );
    let actions = |state: &State| {
        let served = state.routes().next().unwrap().value.served().clone();
        [0, 1].map(|index| matches!(served.routes[index].action, RouteAction::Misconfigured(_)))
    };
    assert_eq!(actions(&state), [false, true], "only the route that asks for it");
    assert_eq!(change(&mut state, vec![orders()]), [""; 0], "it is told once");
    let able = v1::MetaProxy {
        protocol: "plain".to_owned(),
        services: vec![service("", "orders.shop_20880")],
        ..meta_proxy()
    };
    let policy = policy(&v1::ClusterPolicy { protocol: "plain".to_owned(), ..Default::default() });
    let changes = vec![
        resource(ResourceType::Listener, "orders", &listener("orders", &able)),
        resource(ResourceType::Cluster, "c", &Cluster { metadata: policy, ..cluster("c") }),
    ];
    assert_eq!(change(&mut state, changes), [""; 0]);
    assert_eq!(actions(&state), [false, false]);
    let set = v1::SetAttribute { name: "Command".to_owned(), value: "get".to_owned() };
    let head = v1::Route { request_mutation: vec![set], ..route("head", &[("c", 100)]) };
    assert_eq!(
        change(
            &mut state,
            vec![resource(
                ResourceType::Routes,
                "orders.shop_20880",
                &routes("orders.shop_20880", vec![head])
            )]
        ),
        [
            "routes orders.shop_20880: routes[0].request_mutation: not supported: \"Command\" stands in the head of a \
          message of plain, where nothing can be set"
        ]
    );
}

#[test]
fn a_mirror_of_writes_is_refused_until_the_protocol_tells_them_from_others() {
    let mirror = |writes_only| {
        let mirror = v1::Mirror { cluster: "c".to_owned(), millionths: 1, writes_only };
        v1::Route { mirror: Some(mirror), ..route("copied", &[("c", 100)]) }
    };
    let name = "orders.shop_20880";
    let both = routes(name, vec![mirror(false), mirror(true)]);
    let mut state = state(vec![resource(ResourceType::Routes, name, &both)]);
    assert_eq!(
        change(&mut state, vec![orders(), orders_cluster()]),
        [
            "routes orders.shop_20880: routes[1].mirror.writes_only: not supported: codec tiny does not tell requests that \
          change data from others, so nothing would be copied"
        ]
    );
    let actions = |state: &State| {
        let served = state.routes().next().unwrap().value.served().clone();
        [0, 1].map(|index| matches!(served.routes[index].action, RouteAction::Misconfigured(_)))
    };
    assert_eq!(actions(&state), [false, true]);
    let able =
        v1::MetaProxy { protocol: "plain".to_owned(), services: vec![service("", name)], ..meta_proxy() };
    let changed = vec![resource(ResourceType::Listener, "orders", &listener("orders", &able))];
    assert_eq!(change(&mut state, changed), [""; 0]);
    assert_eq!(actions(&state), [false, false]);
}

#[test]
fn a_condition_on_an_attribute_that_no_request_has_is_refused_where_the_protocol_knows_them_all() {
    let name = "orders.shop_20880";
    let present = |name: &str| v1::AttributeMatcher {
        name: name.to_owned(),
        matcher: Some(v1::attribute_matcher::Matcher::Present(true)),
    };
    let conditional = v1::Route {
        attributes: vec![present("Command"), present("comand"), present("Source.Address")],
        ..route("conditional", &[("c", 100)])
    };
    let bucket = v1::TokenBucket { max_tokens: 1, tokens_per_fill: 1, fill_interval: seconds(1) };
    let condition =
        |name| v1::ConditionalBucket { attributes: vec![present(name)], token_bucket: Some(bucket) };
    let limited = v1::RouteConfiguration {
        local_rate_limit: Some(v1::LocalRateLimit {
            token_bucket: None,
            conditions: vec![condition("command"), condition("comand")],
        }),
        ..routes(name, vec![conditional])
    };
    let narrow =
        v1::MetaProxy { protocol: "narrow".to_owned(), services: vec![service("", name)], ..meta_proxy() };
    let both = |proxy| {
        vec![
            resource(ResourceType::Listener, "orders", &listener("orders", proxy)),
            resource(ResourceType::Routes, name, &limited),
        ]
    };
    let mut state = state(vec![orders_cluster()]);
    let refusals = change(&mut state, both(&narrow));
    let places = ["routes[0].attributes[1]", "local_rate_limit.conditions[1].attributes[0]"];
    assert_eq!(refusals.len(), places.len(), "{refusals:?}");
    for (refusal, place) in refusals.iter().zip(places) {
        let why = "requests of narrow have no attribute \"comand\"; they have ";
        let expected = format!("routes orders.shop_20880: {place}.name: {why}");
        assert!(refusal.starts_with(&expected), "{refusal}");
    }
    assert_eq!(change(&mut state, both(&meta_proxy())), [""; 0], "others may have any");
}

#[test]
fn what_is_removed_is_gone_unless_the_same_update_brings_it() {
    let mut state = state(everything());
    for (kind, name) in [
        (ResourceType::Listener, "orders"),
        (ResourceType::Routes, "orders.shop_20880"),
        (ResourceType::Endpoints, "c"),
        (ResourceType::Endpoints, "never there"),
    ] {
        remove(&mut state, kind, name);
    }
    assert_eq!((state.listeners().len(), state.routes().len(), state.endpoints().len()), (0, 0, 0));
    let update =
        Update { changed: vec![orders_cluster()], removed: vec![(ResourceType::Cluster, "c".to_owned())] };
    assert!(state.apply(&update, &codecs(), &mut Files::unread()).rejected.is_empty());
    assert_eq!(state.clusters().len(), 1);
}
