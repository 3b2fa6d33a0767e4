//! Who gets a call of a library's client: by method, by the service of a multiplexed call, by a key of a header.

use e2e::eventually::{SOON, eventually_eq};
use e2e::libraries::{Library, LibraryServer, MULTIPLEXED, Row, Target, client};
use e2e::objects::{HOST, PORT, Route, Router, Rule, Service, exact};
use e2e::scene::{Scene, Setup};
use peers::thrift::{Client, Dialect, Encoding, Message, Server, Transport};

/// Two servers of different languages behind one service, and these routes between `one` (Python) and `two` (Go).
async fn scene(wire: &str, router: Router) -> (Scene, [LibraryServer; 2]) {
    let one = LibraryServer::start(Library::Python, "one", [wire]).await;
    let two = LibraryServer::start(Library::Go, "two", [wire]).await;
    let service = Service::orders().speaking("thrift");
    let service = service.endpoint("one", one.address(wire)).endpoint("two", two.address(wire));
    let setup = Setup::new().put("service", service).put("rule", Rule::subsets(&["one", "two"]));
    (setup.put("router", router).start().await, [one, two])
}

fn target(scene: &Scene, wire: &str) -> Target {
    let address = scene.address_of(&format!("{HOST}:{PORT}"));
    Target { name: wire.to_owned(), wire: wire.to_owned(), address }
}

/// Libraries that speak this wire.
fn speakers(wire: &str) -> impl Iterator<Item = Library> {
    Library::ALL.into_iter().filter(move |library| library.wires().any(|known| known == wire))
}

fn told(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.told.as_deref().unwrap_or_else(|why| panic!("{row:?}: {why}"))).collect()
}

#[tokio::test]
async fn calls_are_routed_by_method() {
    for wire in ["framed/binary", "buffered/compact"] {
        let router = Router::routes([Route::to("two").when("method", exact("sleep")), Route::to("one")]);
        let (scene, _servers) = scene(wire, router).await;
        for library in speakers(wire) {
            let calls = ["outcome:sleep,1", "outcome:whoAmI", "outcome:sleep,0"];
            let rows = client(library, &[target(&scene, wire)], &calls, &[]).await;
            assert_eq!(told(&rows), ["reply two", "reply one", "reply two"], "{library:?} on {wire}");
        }
        scene.end().await;
    }
}

#[tokio::test]
async fn multiplexed_calls_are_routed_by_service() {
    let router = Router::routes([
        Route::to("two").when("service", exact("Greeter")).when("method", exact("greet")),
        Route::to("one").when("service", exact("Shop")),
    ]);
    let (scene, _servers) = scene(MULTIPLEXED, router).await;
    for library in Library::ALL {
        let calls = ["outcome:greet,you", "outcome:whoAmI", "outcome:vanish"];
        let rows = client(library, &[target(&scene, MULTIPLEXED)], &calls, &[]).await;
        let told = told(&rows);
        assert_eq!(told[..2], ["reply hello you, this is two", "reply one"], "{library:?}");
        assert!(told[2].starts_with("exception 1 no route"), "{library:?}: {}", told[2]);
    }
    scene.end().await;
}

#[tokio::test]
async fn calls_are_routed_by_a_key_of_their_header() {
    for wire in ["header/binary", "header/compact"] {
        let router = Router::routes([Route::to("two").when("Canary", exact("true")), Route::to("one")]);
        let (scene, _servers) = scene(wire, router).await;
        for library in speakers(wire) {
            for (headers, expected) in [
                (&[("canary", "true"), ("b3", "4bf92f3577b34da6-00f067aa0ba902b7")][..], "reply two"),
                (&[("canary", "True")], "reply one"),
                (&[], "reply one"),
            ] {
                let rows = client(library, &[target(&scene, wire)], &["outcome:whoAmI"], headers).await;
                assert_eq!(told(&rows), [expected], "{library:?} on {wire} with {headers:?}");
            }
        }
        eventually_eq("calls that are found by their trace", speakers(wire).count(), async || {
            let lines = scene.exchanges();
            lines.iter().filter(|line| line["trace_id"] == "4bf92f3577b34da6").count()
        })
        .await;
        scene.end().await;
    }
}

#[tokio::test]
async fn a_server_sees_the_keys_that_its_route_sets() {
    for wire in ["header/binary", "header/compact"] {
        let set = |subset: &str| Route::to(subset).set("lane", "fast").set("colour", "red");
        let router = Router::routes([set("two").when("canary", exact("true")), set("one")]);
        let (scene, _servers) = scene(wire, router).await;
        for library in speakers(wire) {
            for canary in ["true", "false"] {
                let headers = [("canary", canary), ("lane", "slow")];
                let rows =
                    client(library, &[target(&scene, wire)], &["seen", "outcome:nothing"], &headers).await;
                let seen = told(&rows)[0];
                let pairs: Vec<_> = seen.split(' ').collect();
                assert!(pairs.contains(&"lane=fast") && pairs.contains(&"colour=red"), "{library:?}: {seen}");
                assert!(pairs.contains(&&*format!("canary={canary}")), "{library:?}: {seen}");
                assert_eq!(pairs.len(), 3, "{library:?}: {seen}");
            }
        }
        scene.end().await;
    }
}

#[tokio::test]
async fn a_client_sees_the_keys_that_its_route_sets_in_the_answer() {
    for encoding in [Encoding::Binary, Encoding::Compact] {
        let dialect = Dialect { transport: Transport::Header, encoding };
        let server = Server::builder("one").speaking(dialect).start().await.unwrap();
        let service = Service::orders().speaking("thrift").endpoint("one", server.address());
        let router = Router::routes([Route::to("").set_response("served-by", "one")]);
        let scene = Setup::new().put("service", service).put("router", router).start().await;
        let mut client = Client::connect(scene.address(), dialect).await.unwrap();
        let answer = client.call(Message::call("whoAmI", []), SOON).await;
        assert_eq!(answer.text(), Some("one"), "{answer:?}");
        assert_eq!(answer.headers, [("served-by".to_owned(), "one".to_owned())]);
        scene.end().await;
    }
}
