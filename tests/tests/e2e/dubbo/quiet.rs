//! Connections that nobody uses for a while.

use e2e::dubbo::{DubboProvider, Library, consumer};
use e2e::eventually::eventually;
use e2e::objects::{Route, Router, Service};
use e2e::scene::{Scene, Setup};

/// Consumers ask an idle connection every 300 ms whether it lives, and make another one when four seconds have passed
/// without an answer (3.3 would put that off for a minute): long enough for a busy machine, and less than they are idle.
const IDLE: [&str; 10] = [
    "--scenario",
    "idle",
    "--option",
    "parameter=heartbeat=300",
    "--option",
    "parameter=heartbeat.timeout=4000",
    "--option",
    "parameter=dubbo.application.least-reconnect-duration=1000",
    "--option",
    "millis=6500",
];

async fn scene(provider: &DubboProvider) -> Scene {
    let service = Service::orders().endpoint("any", provider.address());
    Setup::new().put("service", service).put("router", Router::routes([Route::to("")])).start().await
}

/// How many connections were accepted, and how many of them are open.
async fn connections(scene: &Scene) -> (u64, u64) {
    let metrics = scene.admin().metrics().await;
    let count = |name| metrics.count(&format!("meta_proxy_downstream_connections_{name}"), &[]);
    (count("total"), count("active"))
}

#[tokio::test]
async fn an_idle_connection_stays_since_its_heartbeats_are_answered() {
    let provider = DubboProvider::start(Library::Dubbo3, "user-1", &[]).await;
    let scene = scene(&provider).await;
    let idle = Library::JAVA.map(|library| {
        let address = scene.address();
        tokio::spawn(async move { consumer(library, address, &IDLE).await })
    });
    for (library, consumed) in Library::JAVA.into_iter().zip(idle) {
        assert_eq!(consumed.await.unwrap().ok(), ["idle"], "{library:?}");
    }
    assert_eq!(connections(&scene).await.0, Library::JAVA.len() as u64);
    scene.end().await;
}

/// dubbo-go adds connections by itself as it looks after those that it has; none may have been closed.
#[tokio::test]
async fn no_connection_of_dubbo_go_is_closed_while_it_is_idle() {
    let provider = DubboProvider::start(Library::Dubbo3, "user-1", &[]).await;
    let scene = scene(&provider).await;
    let address = scene.address();
    let idle = tokio::spawn(async move { consumer(Library::Go, address, &IDLE).await });
    let (all, open) = eventually("it has looked after its connection", async || {
        let seen = connections(&scene).await;
        if seen.0 >= 3 { Ok(seen) } else { Err(seen) }
    })
    .await;
    assert_eq!(open, all);
    assert_eq!(idle.await.unwrap().ok(), ["idle"]);
    scene.end().await;
}
