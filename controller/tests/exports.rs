//! Who may see what: `exportTo` of services and of routers, and how far it reaches.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

mod support;

use controller::Loaded;
use support::{ORDERS, SUBSETS, documents, load, router, said};

/// What not everybody may see, and who may, a line each.
fn scoped(loaded: &Loaded) -> Vec<String> {
    let short =
        |name: &str| name.replace("|orders.shop.svc.cluster.local", "").replace("outbound|20880|", "@");
    let line = |((kind, name), audience): (&(xds::ResourceType, String), &controller::snapshot::Audience)| {
        let namespaces: Vec<_> = audience.namespaces.iter().flatten().map(String::as_str).collect();
        format!("{kind} {}: {}", short(name), namespaces.join(" "))
    };
    loaded.audiences.iter().map(line).collect()
}

fn exported(entry: &str, spec: &str) -> Loaded {
    let entry = format!(
        "{ORDERS}{}",
        if entry.is_empty() { String::new() } else { format!("  exportTo: {entry}\n") }
    );
    load(&documents(&[&entry, SUBSETS, &router(spec)])).unwrap()
}

const ROUTES: &str = "routes orders.shop.svc.cluster.local_20880: ";

#[test]
fn a_router_says_who_gets_its_routes_and_a_service_who_knows_of_it() {
    let none: [&str; 0] = [];
    let rows: [(&str, &str, &[&str]); 6] = [
        ("", "routes: []", &none),
        ("", "exportTo: ['*']", &none),
        ("", "exportTo: [web, '*']", &none),
        ("", "exportTo: ['.', web]", &["shop web"]),
        ("['*']", "exportTo: [web]", &["web"]),
        ("", "exportTo: ['~']", &[""]),
    ];
    for (entry, spec, expected) in rows {
        let expected: Vec<_> = expected.iter().map(|names| format!("{ROUTES}{names}")).collect();
        assert_eq!(scoped(&exported(entry, spec)), expected, "{entry} {spec}");
    }
    let everything = |names: &str, routes: &str| {
        let clusters = ["cluster @v1", "cluster @v2", "endpoints @v1", "endpoints @v2"];
        let mut lines = clusters.map(|one| format!("{one}: {names}")).to_vec();
        lines.push(format!("listener 10.0.0.1_20880: {names}"));
        lines.push(format!("{ROUTES}{routes}"));
        lines
    };
    let to_v1 = "routes: [{route: [{destination: {host: orders, subset: v1}}]}]";
    assert_eq!(scoped(&exported("['.', web]", to_v1)), everything("shop web", "shop web"));
    let scoped_twice = scoped(&exported("['.', web]", &format!("exportTo: [web, batch]\n{to_v1}")));
    let without: Vec<_> = scoped_twice.into_iter().filter(|line| !line.contains(" @:")).collect();
    assert_eq!(without, everything("shop web", "web"), "routes are for who sees both");
}

#[test]
fn a_router_says_which_gateways_serve_it_and_whether_others_do() {
    let rows = [
        ("gateways: [edge]", Some("shop/edge"), false),
        ("gateways: [mesh, web/edge]", Some("web/edge"), true),
        ("gateways: [mesh]", None, true),
    ];
    for (spec, gateway, is_for_mesh) in rows {
        let loaded =
            exported("", &format!("{spec}\nroutes: [{{route: [{{destination: {{host: orders}}}}]}}]"));
        assert_eq!(said(&loaded), [""; 0]);
        let audience = |kind, name: String| loaded.audiences.get(&(kind, name)).cloned();
        let routes = xds::names::route_config("orders.shop.svc.cluster.local", 20880);
        let of_routes = audience(xds::ResourceType::Routes, routes).unwrap();
        let listener = gateway.map(|gateway| xds::names::gateway_listener(gateway, 20880));
        let of_listener = listener.map(|name| audience(xds::ResourceType::Listener, name).unwrap());
        for (namespace, name) in [("shop", "edge"), ("web", "edge"), ("shop", "other")] {
            let is_it = gateway == Some(&*format!("{namespace}/{name}"));
            assert_eq!(of_routes.includes(namespace, name), is_it, "{spec} {namespace}/{name}");
            let has_listener = of_listener.as_ref().is_some_and(|one| one.includes(namespace, name));
            assert_eq!(has_listener, is_it, "{spec} {namespace}/{name}");
        }
        assert_eq!(of_routes.includes("anywhere", ""), is_for_mesh, "{spec}");
        assert!(of_listener.is_none_or(|one| !one.includes("shop", "")), "{spec}");
    }
}

#[test]
fn exports_that_leave_somebody_without_are_told() {
    let object = "MetaRouter shop/orders: spec";
    assert_eq!(
        said(&exported("['.']", "exportTo: [web]")),
        [format!(
            "32:3: warning: {object}.exportTo: nobody sees these routes: host orders.shop.svc.cluster.local is exported to shop \
             only, these are to web only"
        )]
    );
    let other = ORDERS.replace("orders", "carts").replace("10.0.0.1", "10.0.0.2") + "  exportTo: [shop]\n";
    let to_carts = router("routes: [{route: [{destination: {host: carts.shop.svc.cluster.local}}]}]");
    let loaded = load(&documents(&[ORDERS, SUBSETS, &other, &to_carts])).unwrap();
    let told = said(&loaded);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].ends_with(
            "routes[0].route[0].destination.host: host carts.shop.svc.cluster.local is exported to shop only; other clients \
             get an error, and these routes are exported to all namespaces"
        ),
        "{told:?}"
    );
    let told = said(&exported("[Shop]", "routes: []"));
    assert!(told[0].contains("spec.exportTo[0]: \"Shop\" names no namespace"), "{told:?}");
}

#[test]
fn a_service_of_the_cluster_says_it_by_an_annotation() {
    let service = "
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop, annotations: {networking.istio.io/exportTo: '., web'}}
spec:
  clusterIP: 10.0.0.1
  ports: [{name: tcp-metaprotocol-dubbo, port: 20880}]
";
    let loaded = load(service).unwrap();
    let lines = scoped(&loaded);
    assert!(lines.len() == 4 && lines.iter().all(|line| line.ends_with(": shop web")), "{lines:?}");
    let wrong = load(&service.replace("., web", "., Web")).unwrap();
    let told = said(&wrong).join("\n");
    assert!(told.contains("metadata.annotations[\"networking.istio.io/exportTo\"]: \"Web\" names"), "{told}");
}
