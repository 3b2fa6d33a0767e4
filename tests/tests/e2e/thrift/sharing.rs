//! How clients share connections to a server: each alone, each with one of its own, or all of them a few.

use std::time::Duration;

use e2e::eventually::{SOON, eventually};
use e2e::objects::{Route, Router, Service};
use e2e::scene::{Scene, Setup};
use peers::load::{self, Plan};
use peers::thrift::{Behaviour, Client, Dialect, EchoLoad, Message, Server};

async fn scene(server: &Server, sharing: &str) -> Scene {
    let service = Service::orders().speaking("thrift").endpoint("one", server.address());
    let router = Router::routes([Route::to("")]).options(&format!("upstream: {{sharing: {sharing}}}"));
    Setup::new().put("service", service).put("router", router).workers(1).start().await
}

/// Every reply is checked to be the one to its own call, in its turn.
async fn load(scene: &Scene, load: EchoLoad) {
    let running = load::start(Plan::closed(scene.address(), 8, 8), load).unwrap();
    eventually("replies come", async || {
        let completed = running.completed();
        if completed >= 2000 || running.errors() > 0 { Ok(()) } else { Err(completed) }
    })
    .await;
    let report = running.finish().await;
    assert_eq!((report.errors, report.closed), (0, 0), "{:?}", report.first_error);
}

#[tokio::test]
async fn clients_that_send_one_id_always_share_connections_unharmed() {
    for sharing in ["exclusive", "per-downstream", "shared(2)"] {
        let server = Server::builder("one").start().await.unwrap();
        let scene = scene(&server, sharing).await;
        load(&scene, EchoLoad::new(100).with_constant_seqid(0)).await;
        load(&scene, EchoLoad::new(100)).await;
        let most = match sharing {
            "shared(2)" => 2,
            "per-downstream" => 16,
            _ => 64,
        };
        let connections = server.counts().connections;
        assert!((1..=most).contains(&connections), "{sharing}: {connections} connections");
        scene.end().await;
    }
}

#[tokio::test]
async fn answers_reach_a_client_in_the_order_of_its_calls_whatever_order_they_come_in() {
    let slow = |millis| Behaviour::After(Duration::from_millis(millis), Box::new(Behaviour::Who));
    let server = Server::builder("one").on("slow", slow(150)).on("slower", slow(300)).at_once();
    let server = server.start().await.unwrap();
    let scene = scene(&server, "shared(1)").await;
    let mut client = Client::connect(scene.address(), Dialect::FRAMED_BINARY).await.unwrap();
    for method in ["slower", "slow", "whoAmI", "slow"] {
        client.send(Message::call(method, []).into()).await.unwrap();
    }
    for seqid in 1..=4 {
        let answer = client.next(SOON).await;
        assert_eq!((answer.seqid, answer.text()), (Some(seqid), Some("one")));
    }
    assert_eq!(server.counts().connections, 1);
    scene.end().await;
}
