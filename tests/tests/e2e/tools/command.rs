//! `metactl validate`, `metactl explain`, and what `metactl run` says to a command line that makes no sense.

use std::ffi::OsString;
use std::net::SocketAddr;

use e2e::command::{Ran, metactl};
use e2e::folder::Folder;
use e2e::objects::{HOST, Route, Router, Rule, Service, exact, prefix, regex};

/// A folder in which everything is right.
fn good() -> Folder {
    let folder = Folder::new();
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    folder.put("service", Service::orders().endpoint("v1", at(4001)).endpoint("v2", at(4002)));
    folder.put("rule", Rule::subsets(&["v1", "v2"]));
    let create = Route::to("v2").named("create").when("method", exact("create")).when("zone", prefix("eu-"));
    let split = Route::split(&[("v1", 90), ("v2", 10)]).named("split").when("method", regex("get[A-Z].*"));
    folder.put("router", Router::routes([create.timeout("200ms"), split.mirror("v2", 12.5)]));
    folder
}

/// Runs a command on a folder; what it prints names files relative to it.
async fn on(folder: &Folder, command: &str, words: &[&str]) -> Ran {
    let path = folder.path().as_os_str().to_owned();
    let words = words.iter().map(OsString::from);
    let mut ran = metactl([OsString::from(command), path].into_iter().chain(words)).await;
    for said in [&mut ran.stdout, &mut ran.stderr] {
        *said = said.replace(&format!("{}/", folder.path().display()), "");
    }
    ran
}

#[tokio::test]
async fn a_folder_that_is_right_is_told_so() {
    let ran = on(&good(), "validate", &[]).await;
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    assert_eq!(ran.stdout, "ok: 1 listeners, 1 route configurations, 2 clusters\n");
}

#[tokio::test]
async fn each_mistake_is_told_with_its_place_and_what_would_be_right() {
    let change = |name: &str, from: &str, to: &str| {
        let folder = good();
        let text = std::fs::read_to_string(folder.file(name)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{text}");
        folder.put(name, text.replace(from, to));
        folder
    };
    let rows = [
        (
            change("router", "{exact: \"create\"}", "{exakt: create}"),
            "router.yaml:14:18: error: MetaRouter shop/orders: spec.routes[0].match.attributes.method.exakt: no such field (did you mean `exact`?)\n",
        ),
        (
            change("router", "timeout: 200ms", "timeout: 200"),
            "router.yaml:16:14: error: MetaRouter shop/orders: spec.routes[0].timeout: must be a string, not a number; put it in quotes\n",
        ),
        (
            change("router", "subset: v2}, weight: 10}", "subset: v2}, weight: 20}"),
            "spec.routes[1].route[1].weight: weights must sum to 100, not 110\n",
        ),
        (change("service", "name: tcp-metaprotocol-dubbo", "name: tcp-metaprotocol-dubo"), "did you mean"),
        (change("service", "resolution: STATIC", "resolution: NONE"), "spec.resolution: "),
        (
            change("router", "kind: MetaRouter", "kind: MetaRoutr"),
            "router.yaml:2:7: error: metaprotocol.aeraki.io has no kind MetaRoutr (did you mean `MetaRouter`?)\n",
        ),
        (change("rule", "spec:", "spec: ["), "rule.yaml:"),
    ];
    for (folder, expected) in rows {
        let ran = on(&folder, "validate", &[]).await;
        assert_eq!((ran.code, &*ran.stderr), (Some(1), ""), "{expected}: {}", ran.stdout);
        assert!(ran.stdout.contains(expected), "{expected:?} is missing in:\n{}", ran.stdout);
        let has_place = |line: &str| {
            let place = line.split_once(".yaml:").map(|(_, place)| place.split(':').take(2));
            place.is_some_and(|mut place| place.all(|number| number.parse::<u32>().is_ok()))
        };
        assert!(ran.stdout.lines().all(has_place), "{}", ran.stdout);
    }
}

#[tokio::test]
async fn what_has_no_effect_is_a_warning() {
    let folder = good();
    let router = std::fs::read_to_string(folder.file("router")).unwrap();
    folder.put("router", router.replace("hosts: [orders.shop.example]", "hosts: [orders.shop.exampl]"));
    let ran = on(&folder, "validate", &[]).await;
    let expected = "router.yaml:7:11: warning: MetaRouter shop/orders: spec.hosts[0]: no Service or ServiceEntry has host \
                    orders.shop.exampl (did you mean `orders.shop.example`?); these routes serve nothing\n\
                    ok: 1 listeners, 1 route configurations, 3 clusters\n";
    assert_eq!((ran.code, &*ran.stdout), (Some(0), expected));
}

#[tokio::test]
async fn all_mistakes_are_told_at_once() {
    let folder = good();
    folder.put("second", "kind: [");
    folder.put("router", Router::routes([Route::to("v3"), Route::to("v4")]));
    let ran = on(&folder, "validate", &[]).await;
    assert_eq!(ran.code, Some(1));
    for expected in
        ["no subset v3 (did you mean `v1`?); it defines v1, v2", "no subset v4", "second.yaml:1:7: error: "]
    {
        assert!(ran.stdout.contains(expected), "{expected:?} is missing in:\n{}", ran.stdout);
    }
}

#[tokio::test]
async fn a_route_is_explained_down_to_the_line_that_it_came_from() {
    let folder = good();
    let ran =
        on(&folder, "explain", &["--host", HOST, "--attr", "method=create", "--attr", "ZONE=eu-1"]).await;
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    let expected = r#"listener  127.0.0.1_20880 (dubbo) from ServiceEntry shop/orders (service.yaml:9)
routes    orders.shop.example_20880
          routes[0] "create": matches
route     "create" from MetaRouter shop/orders (router.yaml:9)
cluster   outbound|20880|v2|orders.shop.example, subset v2
          least request
          127.0.0.1:4002
timeout   200ms
"#;
    assert_eq!(ran.stdout, expected);
    let ran = on(&folder, "explain", &["--host", HOST, "--attr", "method=getOrder"]).await;
    let expected = r#"          routes[0] "create": method is "getOrder", needs exact "create"
          routes[1] "split": matches
route     "split" from MetaRouter shop/orders (router.yaml:17)
cluster   outbound|20880|v1|orders.shop.example (90 %), subset v1
          least request
          127.0.0.1:4001
cluster   outbound|20880|v2|orders.shop.example (10 %), subset v2
          least request
          127.0.0.1:4002
mirror    outbound|20880|v2|orders.shop.example (12.5 %), subset v2
          least request
          127.0.0.1:4002
timeout   15s (the protocol's default)
"#;
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.ends_with(expected), "{}", ran.stdout);
}

#[tokio::test]
async fn where_no_route_matches_each_is_told_with_what_it_lacks() {
    let ran = on(&good(), "explain", &["--host", HOST, "--attr", "method=create"]).await;
    assert_eq!((ran.code, &*ran.stderr), (Some(1), ""));
    let expected = r#"          routes[0] "create": zone is missing, needs prefix "eu-"
          routes[1] "split": method is "create", needs regex "get[A-Z].*"
          no route matches
"#;
    assert!(ran.stdout.ends_with(expected), "{}", ran.stdout);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_would() {
    let folder = good();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = taken.local_addr().unwrap().to_string();
    let rows: [(&str, &[&str], &str); 16] = [
        (
            "explain",
            &["--host", "orders.shop.exampl"],
            "no service orders.shop.exampl (did you mean orders.shop.example:20880?); there are: orders.shop.example:20880",
        ),
        ("explain", &["--host", "Orders"], "no service Orders (did you mean orders.shop.example:20880?)"),
        ("explain", &["--host", "x"], "no service x; there are"),
        (
            "explain",
            &["--host", HOST, "--admin", "127.0.0.1:1"],
            "'[PATH]...' cannot be used with '--admin <HOST:PORT>'",
        ),
        (
            "explain",
            &["--host", HOST, "--port", "20881"],
            "no service orders.shop.example:20881 (did you mean orders.shop.example:20880?)",
        ),
        ("explain", &["--host", HOST, "--attr", "method"], "\"method\" is not of the form NAME=VALUE"),
        ("explain", &[], "--host"),
        ("run", &["--listen", "x"], "not of the form HOST:PORT=ADDR, such as orders.shop:20880=127.0.0.1:0"),
        ("run", &["--listen", "orders:x=127.0.0.1:0"], "\"x\" is not a port"),
        (
            "run",
            &["--listen", "orders:1=localhost:0"],
            "\"localhost:0\" is not an address such as 127.0.0.1:0",
        ),
        ("run", &["--concurrency", "0"], "0 is not in 1..=1024"),
        ("run", &["--drain", "soon"], "\"soon\" is not a number of seconds"),
        ("run", &["--admin", "15000"], "--admin"),
        ("run", &["--admin", &admin], &admin),
        ("run", &["--access-log-trace", "100"], "--access-log <FILE>"),
        ("run", &["--access-log", "/no/such/folder/access.log"], "/no/such/folder/access.log"),
    ];
    for (command, words, expected) in rows {
        let ran = on(&folder, command, words).await;
        assert_eq!((ran.code, &*ran.stdout), (Some(2), ""), "{command} {words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{expected:?} is missing in:\n{}", ran.stderr);
    }
    for command in ["run", "validate"] {
        let ran = metactl([command, "/no/such/folder"]).await;
        assert_eq!((ran.code, &*ran.stdout), (Some(2), ""));
        assert_eq!(ran.stderr, "metactl: /no/such/folder: No such file or directory (os error 2)\n");
    }
}
