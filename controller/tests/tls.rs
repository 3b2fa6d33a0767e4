//! How connections are encrypted: what a proxy is told, and what is said of what cannot be. A mistake never ends in a
//! connection that is not encrypted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

mod support;

use controller::Loaded;
use support::{ORDERS, SUBSETS, documents, lines, lines_of, load, router, said};

const HOST: &str = "orders.shop.svc.cluster.local";

fn rule(policy: &str, subsets: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: orders, namespace: shop}}\nspec:\n  \
         host: orders\n  trafficPolicy: {policy}\n  subsets: {subsets}\n"
    )
}

/// What a `trafficPolicy.tls` comes to: how the one cluster is encrypted, if it is there, and what is said.
fn client(tls: &str) -> (Option<String>, Vec<String>) {
    let loaded = load(&documents(&[ORDERS, &rule(&format!("{{tls: {tls}}}"), "[]")])).unwrap();
    let clusters = lines_of(&loaded, "cluster");
    let tls = clusters.first().map(|line| line.split("LEAST_REQUEST").last().unwrap().trim().to_owned());
    (tls, short(&loaded, "DestinationRule shop/orders: "))
}

/// What is said, without where and of whom.
fn short(loaded: &Loaded, object: &str) -> Vec<String> {
    let short = |line: String| line.split_once(": ").unwrap().1.replace(object, "");
    said(loaded).into_iter().map(short).collect()
}

#[test]
fn what_a_rule_says_of_encryption_is_told_to_the_proxy() {
    let rows = [
        ("{}", String::new()),
        ("{mode: DISABLE}", String::new()),
        ("{mode: DISABLE, sni: x, caCertificates: /ca}", String::new()),
        ("{mode: SIMPLE}", format!("tls sni={HOST} ca=system DNS:{HOST}")),
        ("{mode: SIMPLE, caCertificates: /ca.crt}", format!("tls sni={HOST} ca=/ca.crt DNS:{HOST}")),
        (
            "{mode: SIMPLE, sni: a.example, caCertificates: /ca}",
            "tls sni=a.example ca=/ca DNS:a.example".to_owned(),
        ),
        (
            "{mode: SIMPLE, subjectAltNames: ['spiffe://shop/orders', 10.0.0.1, b.example]}",
            format!("tls sni={HOST} ca=system URI:spiffe://shop/orders IP_ADDRESS:10.0.0.1 DNS:b.example"),
        ),
        ("{mode: SIMPLE, insecureSkipVerify: true}", format!("tls sni={HOST} unchecked")),
        ("{mode: SIMPLE, insecureSkipVerify: false}", format!("tls sni={HOST} ca=system DNS:{HOST}")),
        (
            "{mode: MUTUAL, clientCertificate: /c.crt, privateKey: /c.key, caCertificates: /ca}",
            format!("tls sni={HOST} own=/c.crt:/c.key ca=/ca DNS:{HOST}"),
        ),
    ];
    for (tls, expected) in rows {
        assert_eq!(client(tls), (Some(expected), vec![]), "{tls}");
    }
}

#[test]
fn a_file_without_a_folder_is_beside_the_object_that_names_it() {
    let (tls, said) = client("{mode: SIMPLE, caCertificates: certs/ca.crt}");
    assert_eq!(said, [""; 0]);
    let tls = tls.unwrap();
    let file = tls.split(" ca=").last().unwrap().split(' ').next().unwrap();
    assert!(file.starts_with('/') && file.ends_with("/certs/ca.crt"), "{tls}");
}

#[test]
fn a_mistake_in_the_encryption_to_endpoints_leaves_no_cluster_that_is_not_encrypted() {
    let at = "spec.trafficPolicy.tls";
    let rows = [
        (
            "{mode: ISTIO_MUTUAL}",
            "mode: ISTIO_MUTUAL is not supported yet: certificates come from files; MUTUAL with clientCertificate, privateKey \
             and caCertificates would be right",
        ),
        (
            "{mode: SIMPEL}",
            "mode: there is no SIMPEL (did you mean `SIMPLE`?); there are DISABLE, SIMPLE, MUTUAL",
        ),
        ("{caCertificates: /ca}", "mode: is missing; there are DISABLE, SIMPLE, MUTUAL"),
        (
            "{mode: MUTUAL, privateKey: /k, caCertificates: /ca}",
            "clientCertificate: is missing: with MUTUAL, endpoints are shown a certificate",
        ),
        (
            "{mode: MUTUAL, clientCertificate: /c, caCertificates: /ca}",
            "privateKey: is missing: with MUTUAL, endpoints are shown a certificate",
        ),
        (
            "{mode: SIMPLE, clientCertificate: /c}",
            "clientCertificate: is for mode MUTUAL only: set that, or remove this",
        ),
        ("{mode: SIMPLE, privateKey: /k}", "privateKey: is for mode MUTUAL only: set that, or remove this"),
        (
            "{mode: SIMPLE, insecureSkipVerify: true, caCertificates: /ca}",
            "caCertificates: has no effect with insecureSkipVerify: remove one of them",
        ),
        (
            "{mode: SIMPLE, insecureSkipVerify: true, subjectAltNames: [a]}",
            "subjectAltNames: has no effect with insecureSkipVerify: remove one of them",
        ),
        ("{mode: SIMPLE, subjectAltNames: ['']}", "subjectAltNames: must not hold an empty name"),
        (
            "{mode: SIMPLE, credentialName: orders}",
            "credentialName: not supported yet: certificates come from files; clientCertificate, privateKey and caCertificates \
             would be right",
        ),
        ("{mode: SIMPLE, caCrl: /crl}", "caCrl: not supported yet: revoked certificates are not looked for"),
    ];
    for (tls, message) in rows {
        assert_eq!(client(tls), (None, vec![format!("error: {at}.{message}")]), "{tls}");
    }
    let loaded = load(&documents(&[ORDERS, &rule("{tls: {mode: X}}", "[]")])).unwrap();
    let route = format!(
        "route {HOST}_20880 default misconfigured DestinationRule shop/orders: {at}.mode: there is no X; there are DISABLE, \
         SIMPLE, MUTUAL"
    );
    assert_eq!(lines_of(&loaded, "route"), [route]);
    assert_eq!(lines_of(&loaded, "endpoints"), [""; 0]);
}

#[test]
fn encryption_of_one_port_leaves_none_of_them_in_the_clear() {
    let policy = "{portLevelSettings: [{port: {number: 20880}, connectionPool: {}}, {tls: {mode: SIMPLE}}]}";
    let loaded = load(&documents(&[ORDERS, &rule(policy, "[]")])).unwrap();
    assert_eq!(lines_of(&loaded, "cluster"), [""; 0]);
    assert_eq!(lines_of(&loaded, "route").len(), 1);
    assert!(lines_of(&loaded, "route")[0].contains(" misconfigured DestinationRule shop/orders: "));
    let said = short(&loaded, "DestinationRule shop/orders: ");
    let at = "spec.trafficPolicy.portLevelSettings";
    assert!(said.iter().any(|line| line.starts_with(&format!("warning: {at}[0].port: "))), "{said:?}");
    let error = format!(
        "error: {at}[1].tls: not supported yet for single ports: set `trafficPolicy.tls`, which holds for all of them"
    );
    assert!(said.contains(&error), "{said:?}");
    let only_pools = "{portLevelSettings: [{port: {number: 20880}, connectionPool: {}}]}";
    let loaded = load(&documents(&[ORDERS, &rule(only_pools, "[]")])).unwrap();
    assert_eq!(lines_of(&loaded, "cluster").len(), 1);
}

#[test]
fn a_rule_that_cannot_be_read_and_asks_for_encryption_leaves_no_endpoint_in_the_clear() {
    let bad = "{tls: {mode: SIMPLE, subjectAltNames: orders.example}}";
    let of =
        |host: &str, policy: &str| rule(policy, "[]").replace("host: orders", &format!("host: '{host}'"));
    let rows = [
        (of("orders", bad), true),
        (of("*.cluster.local", bad), true),
        (of("*.example", bad), false),
        (of("orders", "{tls: {mode: DISABLE}, connectionPool: {tcp: {maxConnections: many}}}"), true),
        (of("orders", "{connectionPool: {tcp: {maxConnections: many}}}"), false),
        (rule("{connectionPool: 7}", "[{name: v1, trafficPolicy: {tls: {mode: SIMPLE}}}]"), true),
        (of("orders", bad).replace("namespace: shop", "namespace: other"), false),
    ];
    for (rule, is_refused) in rows {
        let loaded = load(&documents(&[ORDERS, &rule])).unwrap();
        let route = &lines_of(&loaded, "route")[0];
        let words = " misconfigured DestinationRule shop/orders asks for encryption and cannot be read";
        assert_eq!(route.contains(words), is_refused, "{rule}{route}");
        assert_eq!(lines_of(&loaded, "cluster").is_empty(), is_refused, "{rule}");
    }
}

#[test]
fn a_better_fitting_rule_that_can_be_read_is_in_force_beside_one_that_cannot() {
    let good = rule("{tls: {mode: SIMPLE}}", "[]");
    let bad = rule("{tls: {mode: 7}}", "[]")
        .replace("host: orders", "host: '*.cluster.local'")
        .replace("name: orders", "name: all");
    let loaded = load(&documents(&[ORDERS, &good, &bad])).unwrap();
    assert!(lines_of(&loaded, "cluster")[0].contains("tls sni="), "{:?}", lines(&loaded));
}

#[test]
fn a_younger_router_without_encryption_does_not_serve_in_place_of_an_older_one_that_asks_for_it() {
    let named = |name: &str, second: &str, spec: &str| {
        router(spec).replace(
            "name: orders",
            &format!("name: {name}, creationTimestamp: '2026-01-01T00:00:{second}Z'"),
        )
    };
    let routes = format!("routes: [{{route: [{{destination: {{host: {HOST}}}}}]}}]");
    let good = "tls: {mode: SIMPLE, serverCertificate: /a, privateKey: /b}";
    let younger = named("younger", "02", &routes);
    for mistake in ["tls: {mode: MUTUAL, serverCertificate: /a, privateKey: /b}", "tls: {mode: 7}"] {
        let older = named("older", "01", &format!("{mistake}\n{routes}"));
        let loaded = load(&documents(&[ORDERS, &older, &younger])).unwrap();
        assert_eq!(lines_of(&loaded, "listener"), [""; 0], "{mistake}");
        let secured = named("younger", "02", &format!("{good}\n{routes}"));
        let loaded = load(&documents(&[ORDERS, &older, &secured])).unwrap();
        assert_eq!(lines_of(&loaded, "listener").len(), 1, "{mistake}");
        let oldest = named("younger", "00", &routes);
        let loaded = load(&documents(&[ORDERS, &older, &oldest])).unwrap();
        assert_eq!(lines_of(&loaded, "listener").len(), 1, "{mistake}: the oldest decides");
    }
}

#[test]
fn a_subsets_encryption_replaces_its_rules_as_a_whole() {
    let subsets = "[{name: v1, labels: {version: v1}, trafficPolicy: {tls: {mode: SIMPLE, sni: v1.example}}},
      {name: v2, labels: {version: v2}, trafficPolicy: {tls: {mode: DISABLE}}},
      {name: v3, labels: {version: v1}, trafficPolicy: {connectionPool: {}}}]";
    let whole = "{tls: {mode: SIMPLE, caCertificates: /ca, subjectAltNames: [a]}}";
    let spec = format!("routes:\n- route: [{{destination: {{host: {HOST}}}}}]");
    let loaded = load(&documents(&[ORDERS, &rule(whole, subsets), &router(&spec)])).unwrap();
    assert_eq!(said(&loaded), [""; 0]);
    let tls = |line: String| line.split("LEAST_REQUEST").last().unwrap().trim().to_owned();
    let all: Vec<_> = lines_of(&loaded, "cluster").into_iter().map(tls).collect();
    let inherited = format!("tls sni={HOST} ca=/ca DNS:a");
    assert_eq!(all, ["tls sni=v1.example ca=system DNS:v1.example", "", &*inherited, &*inherited]);
}

#[test]
fn a_mistake_in_a_subset_closes_its_routes_and_no_others() {
    let subsets = "[{name: v1, labels: {version: v1}, trafficPolicy: {tls: {mode: X}}}, {name: v2, labels: {version: v2}}]";
    let spec = format!(
        "routes:\n- match: {{attributes: {{method: {{exact: a}}}}}}\n  route: [{{destination: {{host: {HOST}, subset: v1}}}}]\n\
         - route: [{{destination: {{host: {HOST}, subset: v2}}}}]"
    );
    let loaded = load(&documents(&[ORDERS, &rule("{}", subsets), &router(&spec)])).unwrap();
    let routes = lines_of(&loaded, "route");
    assert!(
        routes[0]
            .contains(" misconfigured DestinationRule shop/orders: spec.subsets[0].trafficPolicy.tls.mode"),
        "{routes:?}"
    );
    assert!(routes[1].ends_with(&format!("-> outbound|20880|v2|{HOST} 100%")), "{routes:?}");
    let said = said(&loaded);
    assert_eq!(said.len(), 1, "the router is not to blame: {said:?}");
}

/// What a `spec.tls` comes to: how the one listener is encrypted, if it is there, and what is said.
fn server(tls: &str) -> (Option<String>, Vec<String>) {
    let loaded = load(&documents(&[ORDERS, SUBSETS, &router(&format!("tls: {tls}"))])).unwrap();
    let listener = lines_of(&loaded, "listener").pop();
    let tls = listener.map(|line| line.split(HOST).last().unwrap().trim().to_owned());
    (tls, short(&loaded, "MetaRouter shop/orders: "))
}

#[test]
fn what_a_router_says_of_encryption_is_told_to_the_proxy() {
    let rows = [
        (
            "{mode: SIMPLE, serverCertificate: /s.crt, privateKey: /s.key}",
            "tls own=/s.crt:/s.key min=TLSv1_2",
        ),
        (
            "{mode: MUTUAL, serverCertificate: /s.crt, privateKey: /s.key, caCertificates: /ca}",
            "tls own=/s.crt:/s.key min=TLSv1_2 ca=/ca required",
        ),
        (
            "{mode: SIMPLE, serverCertificate: /s.crt, privateKey: /s.key, minProtocolVersion: TLSV1_3}",
            "tls own=/s.crt:/s.key min=TLSv1_3",
        ),
        (
            "{mode: SIMPLE, serverCertificate: /s.crt, privateKey: /s.key, minProtocolVersion: TLS_AUTO}",
            "tls own=/s.crt:/s.key min=TLSv1_2",
        ),
    ];
    for (tls, expected) in rows {
        assert_eq!(server(tls), (Some(expected.to_owned()), vec![]), "{tls}");
    }
}

#[test]
fn a_mistake_in_the_encryption_from_clients_leaves_no_listener_that_is_not_encrypted() {
    let rows = [
        (
            "{mode: MUTUAL, serverCertificate: /s, privateKey: /k}",
            "error: spec.tls.caCertificates: is missing: with MUTUAL, clients are checked against it",
        ),
        (
            "{mode: SIMPLE, serverCertificate: /s, privateKey: /k, caCertificates: /ca}",
            "error: spec.tls.caCertificates: is for mode MUTUAL only: set that, or remove this",
        ),
    ];
    for (tls, message) in rows {
        assert_eq!(server(tls), (None, vec![message.to_owned()]), "{tls}");
    }
    let spec = "globalRateLimit: {domain: a}\ntls: {mode: SIMPLE, serverCertificate: /s, privateKey: /k}";
    let loaded = load(&documents(&[ORDERS, &router(spec)])).unwrap();
    assert_eq!(
        lines_of(&loaded, "listener"),
        [""; 0],
        "what is not served for another reason is not served plainly"
    );
}

#[test]
fn what_cannot_be_read_at_all_leaves_no_listener_that_is_not_encrypted() {
    for tls in
        ["{mode: simple, serverCertificate: /s, privateKey: /k}", "{mode: SIMPLE, certificate: /s}", "yes"]
    {
        let loaded = load(&documents(&[ORDERS, &router(&format!("tls: {tls}"))])).unwrap();
        assert_ne!(said(&loaded), [""; 0]);
        assert_eq!(lines_of(&loaded, "listener"), [""; 0], "{tls}");
    }
    let loaded = load(&documents(&[ORDERS, &router("tsl: {mode: SIMPLE}")])).unwrap();
    assert_eq!(lines_of(&loaded, "listener").len(), 1, "it does not ask for encryption");
}

/// Two services at one address, each with this `spec.tls`; `None`: without a router.
fn sharing(first: Option<&str>, second: Option<&str>) -> Loaded {
    let mut all = Vec::new();
    for (name, tls) in [("a", first), ("b", second)] {
        all.push(format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{hosts: \
             [{name}.shop], addresses: [10.0.0.9], ports: [{{number: 1, name: tcp-metaprotocol-dubbo}}], resolution: STATIC, endpoints: \
             [{{address: 127.0.0.1}}]}}\n"
        ));
        if let Some(tls) = tls {
            all.push(format!(
                "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nmetadata: {{name: {name}, namespace: shop}}\n\
                 spec: {{hosts: [{name}.shop]{tls}}}\n"
            ));
        }
    }
    load(&documents(&all.iter().map(String::as_str).collect::<Vec<_>>())).unwrap()
}

#[test]
fn services_that_share_a_port_must_agree() {
    let tls = ", tls: {mode: SIMPLE, serverCertificate: /s, privateKey: /k}";
    let other = ", tls: {mode: SIMPLE, serverCertificate: /t, privateKey: /k}";
    let loaded = sharing(Some(tls), Some(tls));
    assert_eq!(said(&loaded), [""; 0]);
    let both = r#""a.shop"=a.shop_1@a.shop "b.shop"=b.shop_1@b.shop tls own=/s:/k min=TLSv1_2"#;
    assert_eq!(lines_of(&loaded, "listener"), [format!("listener 10.0.0.9_1 10.0.0.9:1 dubbo {both}")]);

    let alone = r#"""=a.shop_1@a.shop"#;
    let rows = [
        (
            Some(tls),
            Some(other),
            format!("{alone} tls own=/s:/k min=TLSv1_2"),
            "MetaRouter shop/b",
            "a.shop has that of MetaRouter shop/a (FILE:7), b.shop has that of MetaRouter shop/b (FILE:19)",
        ),
        (
            Some(tls),
            Some(""),
            format!("{alone} tls own=/s:/k min=TLSv1_2"),
            "MetaRouter shop/b",
            "a.shop has that of MetaRouter shop/a (FILE:7), b.shop has none in MetaRouter shop/b (FILE:19)",
        ),
        (
            Some(tls),
            None,
            format!("{alone} tls own=/s:/k min=TLSv1_2"),
            "MetaRouter shop/a",
            "a.shop has that of MetaRouter shop/a (FILE:7), b.shop has none, for it has no MetaRouter",
        ),
        (
            None,
            Some(tls),
            alone.to_owned(),
            "MetaRouter shop/b",
            "a.shop has none, for it has no MetaRouter, b.shop has that of MetaRouter shop/b (FILE:13)",
        ),
    ];
    for (first, second, services, object, words) in rows {
        let loaded = sharing(first, second);
        assert_eq!(
            lines_of(&loaded, "listener"),
            [format!("listener 10.0.0.9_1 10.0.0.9:1 dubbo {services}")]
        );
        let text = loaded.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let file = text.split(':').next().unwrap();
        let message = format!(
            "error: {object}: spec.tls: hosts a.shop and b.shop share 10.0.0.9 port 1, so their `spec.tls` must be the same: \
             {words}; b.shop is not served there"
        );
        assert!(text.contains(&message.replace("FILE", file)), "{text}\n{message}");
        assert_eq!(loaded.diagnostics.len(), 1, "{text}");
    }
}

#[test]
fn what_is_not_encrypted_is_told_as_before() {
    let loaded = load(&documents(&[ORDERS, SUBSETS])).unwrap();
    assert!(lines(&loaded).iter().all(|line| !line.contains(" tls ")));
}
