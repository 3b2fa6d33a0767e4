//! What clients are told when the proxy answers in a server's place, and what becomes of what servers say.

use std::time::Duration;

use e2e::eventually::SOON;
use e2e::libraries::{Library, LibraryServer, Target, client};
use e2e::objects::{PORT, Route, Router, Rule, Service, exact};
use e2e::scene::Setup;
use peers::thrift::{Behaviour, Client, Dialect, Message, Outcome, Refusing, Server, Value};

/// What each call is told; the texts go on.
const ENDS: [(&str, &str); 5] = [
    ("outcome:sleep,5000", "exception 12 timeout"),
    ("outcome:vanish", "exception 1 no route"),
    ("outcome:nothing", "exception 6 no endpoint"),
    ("outcome:whoAmI", "reply one"),
    ("undeclared", "6 Internal error"),
];

#[tokio::test]
async fn each_library_can_tell_why_the_proxy_did_not_serve_it() {
    let serving = LibraryServer::start(Library::Go, "one", Library::Go.wires()).await;
    let wires: Vec<_> = Library::Go.wires().filter(|wire| !wire.ends_with("multiplexed")).collect();
    let mut setup = Setup::empty();
    let host = |wire: &str| format!("{}.shop.example", wire.replace('/', "-"));
    for (port, wire) in (PORT..).zip(&wires) {
        let host = host(wire);
        let service = Service::of(&host).port(port).speaking("thrift").endpoint("one", serving.address(wire));
        let router = Router::routes([
            Route::to("one").when("method", exact("sleep")).timeout("300ms"),
            Route::to("empty").when("method", exact("nothing")),
            Route::to("one").when("method", exact("whoAmI")),
            Route::to("one").when("method", exact("fail")),
        ]);
        let name = wire.replace('/', "-");
        setup =
            setup.put(&format!("{name}-service"), service).put(&format!("{name}-router"), router.of(&host));
        setup = setup.put(&format!("{name}-rule"), Rule::subsets(&["one", "empty"]).of(&host));
        setup = setup.listen(&format!("{host}:{port}"));
    }
    let scene = setup.announce("subset empty selects no endpoint").start().await;
    for library in Library::ALL {
        let target = |(port, wire): (u16, &&str)| Target {
            name: (*wire).to_owned(),
            wire: (*wire).to_owned(),
            address: scene.address_of(&format!("{}:{port}", host(wire))),
        };
        let speaks = |target: &Target| library.wires().any(|wire| wire == target.wire);
        let targets: Vec<_> = (PORT..).zip(&wires).map(target).filter(speaks).collect();
        let rows = client(library, &targets, &ENDS.map(|(call, _)| call), &[]).await;
        assert_eq!(rows.len(), targets.len() * ENDS.len());
        for (row, (_, begin)) in rows.iter().zip(ENDS.iter().cycle()) {
            let told = row.told.as_deref().unwrap_or_else(|why| why);
            assert!(row.told.is_ok() && told.starts_with(begin), "{library:?}: {row:?}, not {begin}");
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn a_connection_outlives_what_the_proxy_answers() {
    for dialect in Dialect::all() {
        let server = Server::builder("one").speaking(dialect).on("stuck", Behaviour::Silent);
        let server = server.start().await.unwrap();
        let refusing = Refusing::new().unwrap();
        let service = Service::orders().speaking("thrift");
        let service = service.endpoint("one", server.address()).endpoint("refusing", refusing.address());
        let router = Router::routes([
            Route::to("one").when("method", exact("stuck")).timeout("100ms"),
            Route::to("refusing").when("method", exact("refused")),
            Route::to("one").when("method", exact("whoAmI")),
        ]);
        let setup = Setup::new().put("service", service).put("rule", Rule::subsets(&["one", "refusing"]));
        let scene = setup.put("router", router).start().await;
        let mut client = Client::connect(scene.address(), dialect).await.unwrap();
        let rows = [("stuck", 12, "timeout"), ("refused", 6, "connect failure"), ("other", 1, "no route")];
        for (method, code, begin) in rows {
            let outcome = client.call(Message::call(method, []), SOON).await.outcome;
            let is_told = |text: &str| text.starts_with(begin);
            assert!(
                matches!(&outcome, Outcome::Application(is, text) if *is == code && is_told(text)),
                "{outcome:?}"
            );
            assert_eq!(
                client.call(Message::call("whoAmI", []), SOON).await.text(),
                Some("one"),
                "{dialect:?}"
            );
        }
        scene.end().await;
    }
}

#[tokio::test]
async fn one_refused_endpoint_costs_no_answer_of_another_cluster() {
    let slow = Behaviour::After(Duration::from_millis(200), Box::new(Behaviour::Who));
    let server = Server::builder("one").on("slow", slow).start().await.unwrap();
    let refusing = Refusing::new().unwrap();
    let service = Service::orders().speaking("thrift");
    let service = service.endpoint("one", server.address()).endpoint("refusing", refusing.address());
    let router = Router::routes([Route::to("refusing").when("method", exact("refused")), Route::to("one")]);
    let setup = Setup::new().put("service", service).put("rule", Rule::subsets(&["one", "refusing"]));
    let scene = setup.put("router", router).start().await;
    let mut client = Client::connect(scene.address(), Dialect::FRAMED_BINARY).await.unwrap();
    for method in ["slow", "refused", "whoAmI", "refused", "slow"] {
        client.send(Message::call(method, []).into()).await.unwrap();
    }
    let mut answers = Vec::new();
    for seqid in 1..=5 {
        let answer = client.next(SOON).await;
        assert_eq!(answer.seqid, Some(seqid), "answers come in the order of the calls");
        answers.push(answer.text().map(str::to_owned));
    }
    let one = || Some("one".to_owned());
    assert_eq!(answers, [one(), None, one(), None, one()]);
    scene.end().await;
}

#[tokio::test]
async fn only_a_failure_of_the_endpoint_counts_as_one() {
    let refused = Value::Struct(vec![(1, "too much".into())]);
    let server = Server::builder("one")
        .on("declared", Behaviour::Declared(1, refused.clone()))
        .on("internal", Behaviour::Application(6, "broken".into()))
        .start()
        .await
        .unwrap();
    let service = Service::orders().speaking("thrift").endpoint("one", server.address());
    let scene = Setup::new().put("service", service).start().await;
    let mut client = Client::connect(scene.address(), Dialect::FRAMED_BINARY).await.unwrap();
    for (method, outcome) in [
        ("declared", Outcome::Declared(1, refused)),
        ("internal", Outcome::Application(6, "broken".into())),
        ("void", Outcome::Void),
    ] {
        assert_eq!(client.call(Message::call(method, []), SOON).await.outcome, outcome);
    }
    let codes = ["application_error", "server_error", "ok"];
    e2e::eventually::eventually_eq("each is counted once", [1, 1, 1], async || {
        let metrics = scene.admin().metrics().await;
        codes.map(|code| metrics.count("istio_requests_total", &[("response_code", code)]))
    })
    .await;
    scene.end().await;
}
